"""The rows of both sides in the middle of a restore, and what is decided about them so far."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from verifier.model.expressions import Ask, evaluate
from verifier.model.keys import Keys, KeyValue, identity
from verifier.model.schema import (
    Column,
    ForeignKey,
    Key,
    Row,
    Table,
    Value,
)
from verifier.model.world import World


@dataclass(eq=False)
class Held:
    """A row of the target."""

    row: Row


@dataclass(eq=False)
class Entry:
    """A row of the backup on its way into the target."""

    table: Table
    number: int
    """Its place among the rows of its table in the backup."""
    backup: Row
    start: Row
    """As :attr:`backup`; numbers that mean nothing here are out of the way (:mod:`numbering`)."""
    row: Row
    """As :attr:`start`, with references that follow."""
    begun: Row | None = None
    """What :attr:`row` was when its table was about to be decided."""
    survivor: Entry = field(init=False)
    """The row that it is merged into; itself if it is not."""
    held: Held | None = None
    """The row of the target that it and its duplicates are; only of a survivor."""
    taken: Held | None = None
    """The row of the target whose identity it took over, because it came with another one."""
    stays: bool = False
    """Whether :attr:`held` is newer, and stays as it is."""
    ties: tuple[str, ...] = ()
    """Names of the keys that tie it and its duplicates to each other and to :attr:`held`."""
    numbers: Mapping[str, str] = field(default_factory=dict)
    """New numbers of a new row, by column."""

    def __post_init__(self) -> None:
        self.survivor = self

    def forget(self) -> None:
        """Be a row of its own again, as it came."""
        self.row = self.start
        self.survivor, self.held, self.ties, self.numbers = self, None, (), {}
        self.taken, self.stays = None, False


@dataclass(frozen=True, eq=False)
class Rejected:
    """A row of the backup that cannot be restored."""

    entry: Entry
    reason: str
    constraints: frozenset[str]
    """What may be named as the constraint that it breaks."""


class State:
    """Everything that is known in the middle of the restore of ``world``."""

    def __init__(self, world: World, ask: Ask) -> None:
        self.world, self.schema, self.options = world, world.schema, world.options
        self._ask = ask
        self.known = Keys(world.schema, ask)
        self.held = {
            table.id: [Held(row) for row in world.present.get(table.id, ())]
            for table in self.schema.tables
        }
        self.entries = {
            table.id: [
                Entry(table, number, row, row, row)
                for number, row in enumerate(world.source.get(table.id, ()))
            ]
            for table in self.schema.tables
        }
        """Those that are not rejected."""
        self.rejected: list[Rejected] = []
        self.following: dict[Held, Row] = {}
        """Rows of the target whose references follow by themselves (ON UPDATE CASCADE)."""
        self.matchless: frozenset[str] = frozenset()
        """Names of unique keys by which no row is found (:mod:`numbering`)."""
        self.local: dict[str, tuple[str, ...]] = {}
        """Table → the columns of its identity whose numbers are made anew."""
        self.moved: frozenset[tuple[str, str]] = frozenset()
        """Tables and columns with such numbers, or with references to them."""
        self.unchecked: frozenset[str] = frozenset()
        """Names of checks that only the finished row is held to, and ids of tables to whose
        partitions (:mod:`numbering`)."""

    # --- keys -----------------------------------------------------------------------------

    def keys(self, table: Table) -> list[Key]:
        """The unique keys that rows are found by: the identity, what shares a column with it,
        then by size and name."""
        own = identity(table)
        named = set(own.columns) if own else set()
        others = sorted(
            (key for key in table.keys if key is not own and key.name not in self.matchless),
            key=lambda key: (named.isdisjoint(key.reads), len(key.parts), key.name.encode()),
        )
        return ([own] if own else []) + others

    def value(self, table: Table, key: Key, row: Row) -> KeyValue | None:
        """What ``key`` makes of ``row``, equal for rows that collide; ``None`` if none can."""
        return self.known.value(table, key, row)

    def cells(self, table: Table, columns: Iterable[str], row: Row) -> KeyValue | None:
        """The values of ``columns``, to be compared with others; ``None`` if one is NULL."""
        found = self.known.cells(table, columns, row)
        return None if None in found else found

    # --- rows -----------------------------------------------------------------------------

    def reject(
        self, entries: Collection[Entry], reason: str, constraints: Iterable[str] = ()
    ) -> int:
        """Take ``entries`` out; the number of them."""
        for entry in entries:
            self.entries[entry.table.id].remove(entry)
            self.rejected.append(Rejected(entry, reason, frozenset(constraints)))
        return len(entries)

    def reject_again(self, known: Rejected) -> None:
        """Reject the row that was rejected when the same world was decided before."""
        same = [e for e in self.entries[known.entry.table.id] if e.number == known.entry.number]
        self.reject(same, known.reason, known.constraints)

    def survivors(self, table: Table) -> Iterator[Entry]:
        return (entry for entry in self.entries[table.id] if entry.survivor is entry)

    def final(self, entry: Entry) -> Row:
        """The row of the target that ``entry`` ends as."""
        survivor = entry.survivor
        held = survivor.held
        if held is None:
            return put(survivor.table, survivor.row, survivor.numbers)
        if survivor.stays:
            return self.now(held)
        return put(survivor.table, survivor.row, self.taken(survivor))

    def taken(self, entry: Entry) -> dict[str, Value]:
        """The identity that ``entry`` took over from a row of the target, if it did."""
        if entry.taken is None or (own := identity(entry.table)) is None:
            return {}
        return {name: entry.taken.row[entry.table.places[name]] for name in own.columns}

    def now(self, held: Held) -> Row:
        """What a row of the target is that nothing is written to."""
        return self.following.get(held, held.row)

    def afterwards(self, table: Table) -> list[Row]:
        """What the table holds when all is written."""
        written = [each for each in self.survivors(table) if not each.stays]
        return self.staying(table) + [self.final(survivor) for survivor in written]

    def staying(self, table: Table) -> list[Row]:
        """The rows of the target that no row of the backup is written to."""
        taken = {each.held for each in self.survivors(table) if not each.stays}
        return [self.now(held) for held in self.held[table.id] if held not in taken]

    def generated(self, table: Table, row: Row) -> Row:
        """The values of its generated columns."""
        expressions = (each.generated for each in table.columns if each.generated is not None)
        return tuple(evaluate(each, table, row, self._ask, self.schema) for each in expressions)

    def changes(self, table: Table) -> list[tuple[Entry, Held, Row]]:
        """The survivors that change a row of the target: the row, and what it becomes."""
        found = []
        for survivor in self.survivors(table):
            final = self.final(survivor)
            if survivor.held is not None and final != survivor.held.row:
                found.append((survivor, survivor.held, final))
        return found


# --- what a table is made of --------------------------------------------------------------


def column(table: Table, name: str) -> Column:
    return next(each for each in table.columns if each.name == name)


def put(table: Table, row: Row, values: Mapping[str, Value]) -> Row:
    """``row`` with some ``values`` by column."""
    if not values:
        return row
    return tuple(
        values.get(each.name, value) for each, value in zip(table.stored, row, strict=True)
    )


def references(table: Table) -> tuple[ForeignKey, ...]:
    """Its foreign keys, by name."""
    return tuple(sorted(table.foreign_keys, key=lambda key: key.name.encode()))
