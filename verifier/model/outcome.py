"""From what was decided about rows to what has to be told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from verifier.contract import Counts
from verifier.model import fitting
from verifier.model.keys import identity
from verifier.model.schema import Identity, Row, Table, Value
from verifier.model.state import Entry, State

_NEWER = "the target's row is newer"


@dataclass(frozen=True)
class Turned:
    """A row of the backup that was rejected."""

    table: str
    """Its id."""
    key: Mapping[str, Value]
    """As the backup has it; the whole row, where the table has no key."""
    reason: str
    constraints: frozenset[str]
    """Any of them may be named as the cause."""


@dataclass(frozen=True)
class Merged:
    """A row of the backup that became another one."""

    table: str
    key: Mapping[str, Value]
    survivor: Mapping[str, Value]
    constraints: frozenset[str]


def key_of(table: Table, row: Row) -> dict[str, Value]:
    """What ``row`` is called: its identity, or all of it where the table has none."""
    own = identity(table)
    names = own.columns if own else tuple(each.name for each in table.stored)
    return {name: row[table.places[name]] for name in names}


def rejections(state: State) -> tuple[Turned, ...]:
    return tuple(
        Turned(
            each.entry.table.id,
            key_of(each.entry.table, each.entry.backup),
            each.reason,
            each.constraints | fitting.broken_references(state, each),
        )
        for each in state.rejected
    )


def merges(state: State) -> tuple[Merged, ...]:
    return tuple(
        Merged(
            table.id,
            key_of(table, entry.backup),
            key_of(table, state.final(entry)),
            frozenset([*entry.ties, *([_NEWER] if entry.survivor.stays else [])]),
        )
        for table in state.schema.tables
        for entry in _merged(state, table)
    )


def _merged(state: State, table: Table) -> Iterator[Entry]:
    """The rows that are not found under their own key afterwards, or not with their values."""
    groups: dict[Entry, list[Entry]] = {}
    for entry in state.entries[table.id]:
        groups.setdefault(entry.survivor, []).append(entry)
    for survivor, members in groups.items():
        kept = _kept(state, table, survivor, members)
        yield from (entry for entry in members if entry is not kept)


def _kept(state: State, table: Table, survivor: Entry, members: list[Entry]) -> Entry | None:
    """The one of several duplicates whose key the target has then."""
    own = identity(table)
    if survivor.stays:
        return None
    final = state.final(survivor) if survivor.held else survivor.row
    # A number that is made anew says nothing; the same number is as good.
    equal = table.id in state.local and key_of(table, survivor.backup) == key_of(table, final)
    if own is None or equal:
        return survivor

    def called(row: Row) -> bool:
        return state.value(table, own, row) == state.value(table, own, final)

    found = [entry for entry in members if entry.taken is None and called(entry.row)]
    found.sort(key=lambda entry: (called(entry.start), entry is survivor, entry.number))
    return found[-1] if found else None


def counts(state: State) -> dict[str, Counts]:
    """By table id, of the tables that the backup has rows of."""
    lost = Counter(each.entry.table.id for each in state.rejected)
    found = {}
    for table in state.schema.tables:
        merged = set(_merged(state, table))
        changed = {survivor for survivor, _, _ in state.changes(table)}
        rest = [e for e in state.entries[table.id] if e not in merged]
        inserted = sum(entry.survivor.held is None for entry in rest)
        updated = sum(entry.survivor in changed for entry in rest)
        found[table.id] = Counts(
            inserted=inserted,
            updated=updated,
            unchanged=len(rest) - inserted - updated,
            merged=len(merged),
            rejected=lost[table.id],
        )
    return found


def rejected_counts(state: State) -> dict[str, Counts]:
    lost = Counter(each.entry.table.id for each in state.rejected)
    return {table.id: Counts(rejected=lost[table.id]) for table in state.schema.tables}


def sequences(state: State) -> dict[str, int]:
    """Past every value that they feed, and past the backup's own position."""
    found = {}
    for table in state.schema.tables:
        if not state.world.source.get(table.id):
            continue
        for each in table.stored:
            if each.identity is not Identity.NONE:
                place = f"{table.id}.{each.name}"
                fed = [row[table.places[each.name]] for row in state.afterwards(table)]
                numbers = [int(value) for value in fed if value is not None]
                if each.name not in state.local.get(table.id, ()):
                    numbers.append(state.world.positions.get(place, 0))
                found[place] = min(max([0, *numbers]) + 1, _LIMITS.get(each.type, _MOST))
    return found


_MOST = 2**63 - 1
_LIMITS = {"smallint": 2**15 - 1, "integer": 2**31 - 1}
"""A sequence ends with its column's type."""
