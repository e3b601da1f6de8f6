"""The marks of scenarios: what each was written for, what it costs, and which servers it needs.

``-m`` (``--select`` of ``restore-verifier verify``) selects by them. Each guarantee that a
scenario is marked with counts as a mark of that name, and servers of its own make a scenario
slow: ``-m merging``, ``-m "atomicity and not slow"``, ``-m "not pg"``, ``-m "pg(since=15)"``.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from verifier.contract import Guarantee
from verifier.run import focus
from verifier.servers import Pair

SLOW = "slow"
OWN_SERVERS = "own_servers"
SHOP = "shop"
_MARKS = (
    "guarantee(*ids): the guarantees that the scenario was written for",
    *(
        f"{guarantee}: written for this guarantee (follows from guarantee)"
        for guarantee in Guarantee
    ),
    "trap(*ids): the traps that the scenario shows (docs/traps.md)",
    f"{SLOW}: more than about two seconds, or servers or processes of its own",
    "pg(since, reason): needs PostgreSQL since or later on both sides, for the sake of reason",
    f"{SHOP}: about the tables of the shop, and left out with --schema (follows from the fixture)",
    f"{OWN_SERVERS}: the scenario stops or reconfigures servers and gets its own pair",
)


@dataclass(frozen=True, slots=True)
class Need:
    """The oldest PostgreSQL that a scenario can be run on."""

    since: int
    """A major version."""
    reason: str
    """What came with it."""


def register(config: pytest.Config) -> None:
    for mark in _MARKS:
        config.addinivalue_line("markers", mark)


def spread(item: pytest.Item) -> None:
    """Give ``item`` the marks that follow from those that it has."""
    for guarantee in focus(item):
        item.add_marker(guarantee.value)
    if item.get_closest_marker(OWN_SERVERS) is not None:
        item.add_marker(SLOW)
    if SHOP in getattr(item, "fixturenames", ()):
        item.add_marker(SHOP)


def leave_out_shop(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the scenarios about the shop's tables."""
    gone = [item for item in items if item.get_closest_marker(SHOP) is not None]
    if gone:
        config.hook.pytest_deselected(items=gone)
        items[:] = [item for item in items if item not in gone]


def need(item: pytest.Item) -> Need | None:
    """What ``item`` needs; the newest version, where several marks name one.

    Raises pytest's own error of collection for a mark that does not say what and why.
    """
    found = []
    for mark in item.iter_markers("pg"):
        since, reason = mark.kwargs.get("since"), mark.kwargs.get("reason")
        if mark.args or not isinstance(since, int) or not isinstance(reason, str):
            raise pytest.Collector.CollectError(
                f"{item.nodeid}: pg{mark.args or mark.kwargs} does not say what is needed; write "
                'pg(since=15, reason="NULLS NOT DISTINCT")'
            )
        found.append(Need(since, reason))
    return max(found, key=lambda each: each.since, default=None)


def traps(item: pytest.Item) -> tuple[str, ...]:
    """The traps that ``item`` is marked with, in order, each once."""
    return tuple(sorted({str(trap) for mark in item.iter_markers("trap") for trap in mark.args}))


def skip_unless_met(item: pytest.Item, pair: Pair) -> None:
    """Skip ``item`` where one of the two servers is older than it needs."""
    wanted, oldest = need(item), min(pair.source.major, pair.target.major)
    if wanted is not None and oldest < wanted.since:
        pytest.skip(
            f"NOT VERIFIED on PostgreSQL {oldest}: {wanted.reason} came with {wanted.since}"
        )
