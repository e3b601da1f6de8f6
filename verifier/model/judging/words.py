"""What a claim names, found among the rows that there are."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, islice, product

from verifier.contract import Claim, Merge, Rejection
from verifier.model.judging.choices import Observed
from verifier.model.judging.matter import Matter, Node
from verifier.model.judging.refusals import AMBIGUOUS, Bounds, bounds
from verifier.model.schema import Row, Table, Value
from verifier.model.values import comparable, has_equality
from verifier.model.world import Options

_PART = re.compile(r'"((?:[^"]|"")*)"|([^".]+)')
_MOST = 32
"""Readings of one claim that are tried."""


def table_id(name: str) -> str:
    """The id of a table that a claim names as SQL writes it: ``public."Order"``."""
    parts = (quoted.replace('""', '"') or plain for quoted, plain in _PART.findall(name))
    return ".".join(parts)


def meant(matter: Matter, entry: Merge | Rejection) -> list[Node]:
    """The rows of the source that an entry of a claim may be about; an empty key names none."""
    table = matter.schema.by_id.get(table_id(entry.table))
    if table is None or not entry.key:
        return []
    return [
        node
        for node in matter.source(table.id)
        if fits(matter, table, matter.rows[node], entry.key)
    ]


def fits(matter: Matter, table: Table, row: Row, key: Mapping[str, Value]) -> bool:
    """Whether ``row`` holds what a claim says of it: the very text or, as ``char(n)`` may come
    without its blanks, an equal value."""
    return all(
        name in table.places and _is_same(matter, table, name, row[table.places[name]], value)
        for name, value in key.items()
    )


def _is_same(matter: Matter, table: Table, column: str, own: Value, value: Value) -> bool:
    type, schema = matter.keys.types[table.id, column], matter.schema
    if own == value or own is None or value is None or not has_equality(type, schema):
        return own == value
    try:
        return comparable(type, schema, own) == comparable(type, schema, value)
    except (ValueError, ArithmeticError):
        return False  # no value of the type


@dataclass(frozen=True)
class Rejected:
    """The rows that a claim rejects, against those that are to be."""

    unnamed: frozenset[Node]
    """They have to be rejected, and the claim does not say so."""
    needless: frozenset[Node]
    """The target can take them, and the claim says that they are rejected."""
    unknown: tuple[Rejection, ...]
    """What it says of rows that there are not."""
    rows: frozenset[Node]
    """Those that are not in the target, by right or by what the claim says."""


def _by_rows(claim: Claim, matter: Matter) -> dict[frozenset[Node], list[Rejection]]:
    """What a claim rejects, by the rows that it may be about."""
    found: dict[frozenset[Node], list[Rejection]] = {}
    for entry in claim.rejections or ():
        found.setdefault(frozenset(meant(matter, entry)), []).append(entry)
    return found


def readings(
    claim: Claim, matter: Matter, options: Options, observed: Observed | None = None
) -> Iterator[tuple[Bounds, Rejected]]:
    """What has to be rejected, and what ``claim`` may mean to reject, the likeliest first.

    Who rejects a row without need to may have to reject others with it, or need not any more.
    """
    choices = [observed] if observed else []
    limits = bounds(matter, options, choices)
    for told in islice(_rejected(claim, matter, limits, observed), _MOST):
        free = told.rows - limits.must.keys() - told.needless
        torn = {n for n in told.unnamed if limits.must[n].reason == AMBIGUOUS}
        if torn:
            # What it is torn with may be named, for whatever reason, and tears it no more.
            free |= told.rows - told.needless - told.unnamed
        if free:
            now = bounds(matter, options, choices, free)
            if torn:
                now = now.demanding({n: limits.must[n] for n in limits.must.keys() & free})
            yield now, next(_rejected(claim, matter, now, observed, free))
        else:
            yield limits, told


def _rejected(
    claim: Claim,
    matter: Matter,
    bounds: Bounds,
    observed: Observed | None,
    meant: Collection[Node] = (),
) -> Iterator[Rejected]:
    """Where several rows have the key that is named, it is those that have to be rejected, and
    of those that may be as many as it is named for: any of them, the likeliest first."""

    def doubt(node: Node) -> tuple[bool, bool, int, Node]:
        there = observed is not None and observed.holds(node.table, matter.rows[node])
        return node not in meant, there, -bounds.may[node], node

    needless: set[Node] = set()
    unknown, open_to = [], []
    for rows, entries in _by_rows(claim, matter).items():
        right = rows & bounds.must.keys()
        may = sorted(rows & bounds.may.keys(), key=doubt)
        number = min(max(0, len(entries) - len(right)), len(may))
        open_to.append([right.union(some) for some in islice(combinations(may, number), _MOST)])
        if not right and not number:
            needless |= rows
        if not rows:
            unknown += entries
    for chosen in product(*open_to):
        named = frozenset[Node]().union(*chosen)
        yield Rejected(
            unnamed=frozenset(bounds.must.keys() - named),
            needless=frozenset(needless),
            unknown=tuple(unknown),
            rows=frozenset(bounds.must.keys() | named | needless),
        )
