"""Who is measured: commands, and how to tell whether their answer was right."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import peer
import shop
from measuring import Finished

from verifier.oracle import catalog
from verifier.oracle.comparing.digest import Hashing, digests
from verifier.servers import Database

Sides = tuple[Database, Database]

OURS = "restore-verifier diff"
DEFAULT = "reladiff"
BEST = "reladiff, its best"
TEXTS = "bare aggregate: text"
DIGESTS = "bare aggregate: digest"


class WrongAnswer(Exception):
    """What a contender said in place of the truth."""


@dataclass(frozen=True, slots=True)
class Contender:
    name: str
    command: Sequence[str | Path]
    environ: Mapping[str, str]
    check: Callable[[Finished, int], None]
    """Raises :class:`WrongAnswer` unless so many rows were found to differ."""
    settings: str = ""


def ours(sides: Sides) -> Contender:
    program = Path(sys.executable).with_name("restore-verifier")
    source, target = (side.dsn.conninfo for side in sides)
    return Contender(
        OURS,
        [program, "diff", "--only", "data", "--json", "found.json"],
        {"RESTORE_VERIFIER_SOURCE_DSN": source, "RESTORE_VERIFIER_TARGET_DSN": target},
        _check_ours,
    )


def _check_ours(finished: Finished, expected: int) -> None:
    if finished.exit_code not in (0, 1):
        raise WrongAnswer(f"exit code {finished.exit_code}: {finished.stderr.strip()[-200:]}")
    (table,) = json.loads(finished.files["found.json"])["tables"]
    found = table["missing"], table["extra"], table["changed"]
    if found != (0, 0, expected) or finished.exit_code != bool(expected):
        raise WrongAnswer(f"missing, extra, changed: {found}, exit code {finished.exit_code}")


def reladiff(sides: Sides, program: Path, name: str, settings: Sequence[str]) -> Contender:
    places = sides[0].dsn.url, sides[1].dsn.url
    return Contender(
        name,
        peer.command(program, places, shop.TABLE, ["id"], settings),
        peer.ENVIRONMENT,
        _check_reladiff,
        " ".join(settings),
    )


def _check_reladiff(finished: Finished, expected: int) -> None:
    try:
        found = peer.differing(finished)
    except peer.PeerError as error:
        raise WrongAnswer(str(error)) from None
    if found != expected:
        raise WrongAnswer(f"{found} rows differ")


def aggregates(sides: Sides) -> list[Contender]:
    """Two limits: what anybody would type, and the digest that the comparison makes of a row.

    Both sum up the whole table, and would not know where a difference is.
    """
    texts = f"SELECT count(*), sum(hashtextextended(t::text, 0)) FROM {shop.TABLE} t"
    with sides[0].connect() as connection:
        table = catalog.read(connection).tables[f"public.{shop.TABLE}"]
    row = digests(table, table, table.names, ["id"], Hashing(secrets.randbits(63))).row
    return [
        _aggregate(sides, TEXTS, texts),
        _aggregate(sides, DIGESTS, f"SELECT count(*), sum({row}) FROM {shop.TABLE}"),
    ]


def _aggregate(sides: Sides, name: str, query: str) -> Contender:
    source, target = (side.dsn.conninfo for side in sides)
    script = Path(__file__).with_name("aggregate.py")
    return Contender(
        name,
        [sys.executable, script, query],
        {"SOURCE": source, "TARGET": target},
        _check_aggregate,
    )


def _check_aggregate(finished: Finished, expected: int) -> None:
    if finished.exit_code:
        raise WrongAnswer(f"exit code {finished.exit_code}: {finished.stderr.strip()[-200:]}")
    source, target = json.loads(finished.stdout)
    if (source == target) != (expected == 0):
        raise WrongAnswer(f"{source} and {target}")
