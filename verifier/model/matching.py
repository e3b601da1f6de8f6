"""Which rows of the backup are one row, and which row of the target each of them is.

Rows of the backup that are equal on a unique key of the target are duplicates. The last of
them survives, or the newest where there is a recency column; ties are settled by the
primary key. A row is the row of the target with the same identity, else the one that it
collides with on another unique key.

- A row of the target that *is* a row of the backup by identity is no collision for others:
  its other keys are overwritten (values that were swapped). So it is with one that several
  rows collide with: it becomes one of them, by the first key that anything collides on, and
  by that key the last.
- What only a merged row collides with does not count if its survivor has a value in no
  unique key but its identity, or loses it with that: nobody would find it again in the row that
  it took over.
- Without a key that every row has, rows are equal rows of the target: one to one, in the order
  of the backup.
- Duplicates that are more than one row of the target are all rejected.
"""

from __future__ import annotations

from typing import Any

from verifier.model import numbering
from verifier.model.keys import KeyValue, identity
from verifier.model.schema import Key, Row, Table
from verifier.model.state import Entry, Held, State, column, put
from verifier.model.types import Kind, resolve
from verifier.model.values import ordered

Hit = tuple[int, Key, Held]
"""Place of the key among the table's, the key, and the row of the target."""


def match(state: State, table: Table) -> int:
    """Decide it for every row of ``table``; the number of rows that had to be rejected."""
    rejected = 0
    while True:
        groups = _Groups(state, table)
        if out_of_place := groups.reject_out_of_place():
            rejected += out_of_place
            continue
        groups.record()
        found = groups.reject_ambiguous()
        rejected += found
        if not found:
            return rejected


class _Groups:
    """The duplicates of one table."""

    def __init__(self, state: State, table: Table) -> None:
        self.state, self.table = state, table
        self.keys = state.keys(table)
        self.identity = identity(table)
        self.entries = list(state.entries[table.id])
        self.ties: dict[Entry, set[str]] = {entry: set() for entry in self.entries}
        self.members = self._members()
        self.survivor = {
            entry: winner
            for group in self.members
            for winner in [self._winner(group)]
            for entry in group
        }
        self.hits = self._claimed(self._released(self._hits()))

    # --- duplicates -----------------------------------------------------------------------

    def _members(self) -> list[list[Entry]]:
        """Rows that are equal on some unique key, together.

        Those that were, too, when one of them took over a key of the target.
        """
        group = {entry: [entry] for entry in self.entries}

        def join(first: Entry, entry: Entry) -> None:
            one, other = group[first], group[entry]
            if one is not other:
                one += other
                group.update(dict.fromkeys(other, one))

        for entry in self.entries:
            if entry.survivor.taken is not None and entry.survivor in group:
                join(entry.survivor, entry)
        for key in self.keys:
            for equal in self._by_value(key).values():
                for entry in equal if len(equal) > 1 else ():
                    self.ties[entry].add(key.name)
                    join(equal[0], entry)
        return [list(each) for each in {id(each): each for each in group.values()}.values()]

    def _by_value(self, key: Key) -> dict[KeyValue, list[Entry]]:
        found: dict[KeyValue, list[Entry]] = {}
        for entry in self.entries:
            value = self.state.value(self.table, key, entry.row)
            if value is not None:
                found.setdefault(value, []).append(entry)
        return found

    def _winner(self, group: list[Entry]) -> Entry:
        name = recency(self.state, self.table)
        if not name or len(group) == 1:
            return max(group, key=lambda entry: entry.number)
        newest = [self._time(name, entry) for entry in group]
        best = max(newest)
        tied = [entry for entry, time in zip(group, newest, strict=True) if time == best]
        if len(tied) > 1 and self.identity is not None:
            columns = self.identity.columns
            first = max(self._sorted(columns, entry.start) for entry in tied)
            tied = [entry for entry in tied if self._sorted(columns, entry.start) == first]
        return max(tied, key=lambda entry: entry.number)

    def _time(self, name: str, entry: Entry) -> tuple[Any, ...]:
        """Without one it is older than all others; what it became since makes no difference."""
        return self._sorted((name,), entry.backup)

    def _sorted(self, columns: tuple[str, ...], row: Row) -> tuple[Any, ...]:
        return tuple(in_order(self.state, self.table, name, row) for name in columns)

    # --- rows of the target ---------------------------------------------------------------

    def _hits(self) -> dict[Entry, list[Hit]]:
        """The rows of the target that each row is, or collides with."""
        hits: dict[Entry, list[Hit]] = {entry: [] for entry in self.entries}
        own: set[Held] = set()
        for place, key in enumerate(self.keys):
            there = {
                self.state.value(self.table, key, held.row): held
                for held in self.state.held[self.table.id]
                if key is self.identity or held not in own
            }
            there.pop(None, None)
            for entry in self.entries:
                held = there.get(self.state.value(self.table, key, entry.row))
                if held is not None:
                    hits[entry].append((place, key, held))
                    if key is self.identity:
                        own.add(held)
        return hits

    def _released(self, hits: dict[Entry, list[Hit]]) -> dict[Entry, list[Hit]]:
        """Without what only a merged row collides with, if its survivor cannot be found by it."""
        for entry, found in hits.items():
            survivor = self.survivor[entry]
            if survivor is not entry:
                hits[entry] = [
                    hit
                    for hit in found
                    if hit[1] is self.identity or self._is_tied(survivor, hit[2])
                ]
        return hits

    def _is_tied(self, survivor: Entry, held: Held) -> bool:
        """Whether it keeps a value of a key under the identity of ``held``."""
        own = self.identity.columns if self.identity else ()
        return any(
            self.state.value(self.table, key, survivor.row) is not None
            and all(
                self.state.known.cells(self.table, [name], survivor.row)
                == self.state.known.cells(self.table, [name], held.row)
                for name in own
                if name in key.reads
            )
            for key in self.keys
            if key is not self.identity
        )

    def _claimed(self, hits: dict[Entry, list[Hit]]) -> dict[Entry, list[Hit]]:
        """Each row of the target with one survivor only."""
        claims: dict[Held, list[tuple[int, int]]] = {}
        for entry, found in hits.items():
            for place, _, held in found:
                claims.setdefault(held, []).append((place, -self.survivor[entry].number))
        best = {held: -min(found)[1] for held, found in claims.items()}
        return {
            entry: [hit for hit in found if best[hit[2]] == self.survivor[entry].number]
            for entry, found in hits.items()
        }

    # --- the answer -----------------------------------------------------------------------

    def record(self) -> None:
        """Tell every row what it is."""
        for group in self.members:
            names = {hit[1].name for entry in group for hit in self.hits[entry]}
            names.update(*(self.ties[entry] for entry in group))
            held = next(iter(self._rows(group)), None)
            for entry in group:
                entry.survivor = self.survivor[entry]
                entry.ties = tuple(sorted({*entry.ties, *names}))
            winner = self.survivor[group[0]]
            winner.held = held
            itself = any(hit[1] is self.identity for hit in self.hits[winner])
            if held is not None and self.identity is not None and not itself:
                winner.taken = held
            winner.stays = held is not None and self._newer(held, winner)

    def _rows(self, group: list[Entry]) -> set[Held]:
        return {hit[2] for entry in group for hit in self.hits[entry]}

    def _newer(self, held: Held, winner: Entry) -> bool:
        """Whether a row of the target is newer than the backup's."""
        name = recency(self.state, self.table)
        if not name or held.row == winner.row:
            return False
        place = self.table.places[name]
        if held.row[place] is None or winner.backup[place] is None:
            return False
        return self._sorted((name,), held.row) > self._time(name, winner)

    def reject_out_of_place(self) -> int:
        """Reject rows that only under the key that they took over are duplicates of another row.

        Neither they nor what merged into them. Which of them is the row of the target, the next
        restore would see otherwise.
        """
        own = self.identity
        apart = [k for k in self.keys if own and k.reads.isdisjoint(own.columns)]
        rejected = 0
        for entry in (entry for entry in self.entries if entry.taken is not None):
            bound = {entry, *(each for each in self.entries if each.survivor is entry)}
            group = next(each for each in self.members if entry in each)
            equal = {
                each
                for key in apart
                for one in bound
                for value in [self.state.value(self.table, key, one.row)]
                for each in (self._by_value(key)[value] if value is not None else ())
            }
            if not bound.issuperset(group) and not equal - bound:
                reason = "is another row's duplicate only under the key that it took over"
                names = {*self.ties[entry], *entry.ties}
                rejected += self.state.reject([entry], reason, names)
        return rejected

    def reject_ambiguous(self) -> int:
        return sum(
            self.state.reject(group, "matches different rows of the target", group[0].ties)
            for group in self.members
            if len(self._rows(group)) > 1
        )


def outdated(state: State, table: Table) -> int:
    """Reject what collides with a row of the target that is newer than its own, and stays."""
    rejected = 0
    for winner in list(state.survivors(table)):
        if winner.held is None or not winner.stays:
            continue
        for key in state.keys(table):
            value = state.value(table, key, winner.held.row)
            hurt = [
                entry
                for entry in state.entries[table.id]
                if value is not None
                and entry.survivor is not winner
                and state.value(table, key, entry.row) == value
            ]
            reason = "collides with a row of the target that is newer and stays"
            rejected += state.reject(hurt, reason, [key.name])
    return rejected


def pair(state: State, table: Table) -> None:
    """Let rows that no key identifies be rows of the target that equal them, one to one.

    Numbers that are made anew do not count, but for the order of the target's rows.
    """
    local = state.local.get(table.id, ())
    if identity(table) is not None and not numbering.by_whole_rows(state, table):
        return
    numbers = [table.places[name] for name in local]
    taken = {survivor.held for survivor in state.survivors(table)}
    free: dict[Row, list[Held]] = {}
    for held in sorted(
        state.held[table.id], key=lambda held: [int(held.row[n] or 0) for n in numbers]
    ):
        if held not in taken:
            free.setdefault(put(table, held.row, dict.fromkeys(local)), []).append(held)
    for survivor in state.survivors(table):
        equal = free.get(put(table, survivor.row, dict.fromkeys(local)))
        if survivor.held is None and equal:
            survivor.held = equal.pop(0)
            survivor.taken = survivor.held if local else None


def recency(state: State, table: Table) -> str:
    """The column by which the newest row is preferred, if the table has it."""
    name = state.options.prefer
    return name if name in table.places else ""


def in_order(state: State, table: Table, name: str, row: Row) -> tuple[Any, ...]:
    """What rows are sorted by a column by; NULL comes first.

    Texts are sorted as in the databases that worlds are made in, which have the C locale.
    """
    value = row[table.places[name]]
    if value is None:
        return (0,)
    kind = resolve(column(table, name).type, state.schema)
    if kind.kind is Kind.TEXT:
        return (1, value.encode())
    return (1, ordered(kind, value))
