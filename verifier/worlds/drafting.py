"""Rows of the user's tables, added one by one so that every constraint holds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from random import Random

from verifier.model.breach import NotModelled
from verifier.model.keys import Keys, KeyValue
from verifier.model.own import Group, Own
from verifier.model.schema import ForeignKey, Key, Row, Table, Value

_ATTEMPTS = 200
"""Combinations of choices that are tried for one row."""
Cells = dict[str, Value]


class Draft:
    """The rows of one side, in the order in which they were added."""

    def __init__(self, own: Own, keys: Keys, *beside: Draft) -> None:
        """``beside``: other sides, whose keys the rows of this one are not to have."""
        self._own, self._keys, self._beside = own, keys, beside
        self._rows: defaultdict[str, list[Row]] = defaultdict(list)
        self._taken: defaultdict[tuple[str, str], set[KeyValue]] = defaultdict(set)
        self.tables = parents_first(own)

    @property
    def rows(self) -> dict[str, tuple[Row, ...]]:
        """Table id → rows."""
        return {table: tuple(rows) for table, rows in self._rows.items()}

    def fill(self, count: int) -> None:
        """Add ``count`` rows to each table, or as many as its constraints let in."""
        for table in self.tables:
            for _ in range(count):
                if self.add(table) is None:
                    break

    def copy(self) -> Draft:
        """Another draft that begins with these rows."""
        other = Draft(self._own, self._keys, *self._beside)
        for table in self.tables:
            for row in self._rows[table.id]:
                other.put(table, row)
        return other

    def put(self, table: Table, row: Row) -> None:
        """Add ``row`` as it is."""
        self._rows[table.id].append(row)
        self.reserve(table, row, table.keys)

    def reserve(self, table: Table, row: Row, keys: Iterable[Key]) -> None:
        """Let no row that is added from now on have one of these ``keys`` of ``row``."""
        for key in keys:
            with suppress(NotModelled):
                value = self._keys.value(table, key, row)
                if value is not None:
                    self._taken[table.id, key.name].add(value)

    def add(
        self,
        table: Table,
        given: Mapping[str, Value] | None = None,
        lacks: Collection[str] = (),
    ) -> Row | None:
        """Add a row with the ``given`` cells that fits all constraints but those in ``lacks``.

        Its references lead to rows that are there already, or to itself, unless they are
        given. ``None`` when no combination that was tried fits.
        """
        row = self.made(table, given, lacks)
        if row is not None:
            self.put(table, row)
        return row

    def made(
        self,
        table: Table,
        given: Mapping[str, Value] | None = None,
        lacks: Collection[str] = (),
    ) -> Row | None:
        """The row that :meth:`add` would add."""
        pool = self._own.pools.get(table.id)
        if pool is None:
            return None
        turn = len(self._rows[table.id])
        for attempt in range(_ATTEMPTS):
            # Other attempts go in no order: keys may be of any columns.
            random = Random(f"{turn} {attempt}") if attempt else None  # noqa: S311 (repeatable)
            cells = dict(given or {})
            if self._refer(table, cells, turn, random) and all(
                _choose(group, cells, turn + place, random)
                for place, group in enumerate(pool.groups)
            ):
                self._refer_to_itself(table, cells)
                row = tuple(cells[column.name] for column in table.stored)
                if self._is_free(table, row, lacks):
                    return row
        return None

    # -- references ------------------------------------------------------------------------

    def _refer(self, table: Table, cells: Cells, turn: int, random: Random | None) -> bool:
        """Fill the columns of foreign keys; whether there is something to refer to."""
        for key in table.foreign_keys:
            known = [cells[column] for column in key.columns if column in cells]
            if len(known) == len(key.columns) or (None in known and not key.full):
                continue
            parent = self._own.schema.by_id[key.parent]
            pairs = [*zip(key.columns, key.references, strict=True)]
            fitting = [
                row
                for row in self._rows[key.parent]
                if all(
                    cells.get(column, found) == found is not None
                    for column, found in _held(parent, row, pairs)
                )
            ]
            # What cannot have any of these parents may have none.
            alone = not fitting or (random is not None and random.randrange(len(fitting) + 1) == 0)
            if alone and self._leave_out(table, key, cells):
                continue
            if not fitting:
                return False
            chosen = random.choice(fitting) if random else fitting[turn % len(fitting)]
            cells |= dict(_held(parent, chosen, pairs))
        return True

    def _leave_out(self, table: Table, key: ForeignKey, cells: Cells) -> bool:
        """Refer to nothing, where that may be; or to the row itself, later."""
        free = [column for column in key.columns if column not in cells]
        nullable = [column for column in free if self._may_be_null(table, column)]
        if nullable and not key.full:
            cells[nullable[0]] = None
            return True
        if key.full and len(nullable) == len(key.columns):
            cells |= dict.fromkeys(key.columns)
            return True
        return key.parent == table.id and not self._rows[table.id]

    def _may_be_null(self, table: Table, column: str) -> bool:
        group = group_of(self._own, table, column)
        place = group.columns.index(column)
        return any(choice[place] is None for choice in group.choices)

    def _refer_to_itself(self, table: Table, cells: Cells) -> None:
        """A first row can refer to nothing else where NULL may not be."""
        for key in table.foreign_keys:
            if key.parent == table.id and not self._rows[table.id]:
                pairs = zip(key.columns, key.references, strict=True)
                if all(cells[column] is not None for column in key.columns):
                    cells |= {column: cells[referred] for column, referred in pairs}

    # -- keys ------------------------------------------------------------------------------

    def _is_free(self, table: Table, row: Row, lacks: Collection[str]) -> bool:
        """Whether no row has one of its keys."""
        for key in table.keys:
            if key.name in lacks:
                continue
            try:
                value = self._keys.value(table, key, row)
            except NotModelled:
                return False
            if value is not None and any(
                value in draft._taken[table.id, key.name] for draft in (self, *self._beside)
            ):
                return False
        return True


def _choose(group: Group, cells: Cells, turn: int, random: Random | None) -> bool:
    """Fill the columns of ``group`` that are empty; whether a choice agrees with the others."""
    given = [(place, cells[name]) for place, name in enumerate(group.columns) if name in cells]
    if group.open and given:
        return True
    fitting = [
        choice for choice in group.choices if all(choice[place] == value for place, value in given)
    ]
    if not fitting:
        return False
    choice = random.choice(fitting) if random else fitting[turn % len(fitting)]
    cells |= zip(group.columns, choice, strict=True)
    return True


def _held(table: Table, row: Row, pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, Value]]:
    """What a row makes of the columns that refer to it."""
    for column, referred in pairs:
        place = table.places.get(referred)
        yield column, row[place] if place is not None else None


def group_of(own: Own, table: Table, column: str) -> Group:
    """The group that a stored column belongs to."""
    return next(group for group in own.pools[table.id].groups if column in group.columns)


def parents_first(own: Own) -> list[Table]:
    """The tables that have a pool, each after those that it has to refer to, as far as can be."""
    left = [table for table in own.schema.tables if table.id in own.pools]
    found: list[Table] = []
    while left:
        there = {table.id for table in found}

        def missing(table: Table, there: set[str] = there) -> tuple[int, int]:
            parents = [
                (key, any(_is_needed(table, column) for column in key.columns))
                for key in table.foreign_keys
                if key.parent not in there and key.parent != table.id
            ]
            return sum(needed for _, needed in parents), len(parents)

        nearest = min(left, key=missing)
        left.remove(nearest)
        found.append(nearest)
    return found


def _is_needed(table: Table, name: str) -> bool:
    return next(column.not_null for column in table.columns if column.name == name)
