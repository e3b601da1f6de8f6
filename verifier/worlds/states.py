"""Mixed states of the user's tables, derived from their own keys and foreign keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from verifier.errors import Unfit
from verifier.model.expressions import Ask, refuse
from verifier.model.keys import Keys
from verifier.model.own import Own
from verifier.model.rules import violations
from verifier.model.schema import ForeignKey, Key, Row, Table
from verifier.model.world import World
from verifier.worlds.drafting import Cells, Draft, group_of, parents_first

Rows = Mapping[str, tuple[Row, ...]]
"""Table id → rows."""

_FEW = 4
_MANY = 30


class States:
    """Makes worlds of one schema.

    Each method raises :class:`Unfit` where the schema has nothing that it is about.
    """

    def __init__(self, own: Own, ask: Ask = refuse) -> None:
        """``ask`` evaluates what the model does not know."""
        self._own, self._keys, self._ask = own, Keys(own.schema, ask), ask
        self._tables = parents_first(own)
        if not self._tables:
            raise Unfit("no table of the schema can have rows")

    def every_value(self) -> World:
        """A source that holds every value that is known to fit, and an empty target."""
        return self._world(self._draft(_MANY))

    def children_first(self) -> World:
        """A source in which rows stand before those that they refer to; an empty target."""
        if not any(table.foreign_keys for table in self._tables):
            raise Unfit("no table refers to another one")
        world = self._world(self._draft(_FEW))
        rows = {table: rows[::-1] for table, rows in reversed([*world.source.items()])}
        return replace(world, source=rows)

    def loaded(self) -> World:
        """Two sides that hold the same."""
        draft = self._draft(_FEW)
        return self._world(draft, draft)

    def rows_of_their_own(self) -> World:
        """Two sides with rows in common, some of them changed, and rows of their own each."""
        common = self._draft(2)
        target = common.copy()
        target.fill(2)
        source = Draft(self._own, self._keys, target)
        for table in self._tables:
            for row in common.rows.get(table.id, ()):
                source.put(table, self._changed(table, row))
        source.fill(2)
        return self._world(source, target)

    def duplicates(self) -> World:
        """A source without the target's unique keys, and with duplicates on each of them.

        Each of the duplicates has a child of its own in every table that refers to it.
        """
        lacks = self._lost_with(
            {key.name for table in self._tables for key in table.keys if not key.primary}
        )
        draft = self._draft(3)
        if not [*self._doubled(draft)]:
            raise Unfit("no table has a unique key beside its primary key that rows could share")
        return replace(self._world(draft), lacks=frozenset(lacks))

    def under_another_id(self) -> World:
        """Two sides that hold the same things, on each under primary keys of its own."""
        present = self._draft(3)
        source = Draft(self._own, self._keys)
        for table in self._tables:
            for row in present.rows.get(table.id, ()):
                source.reserve(table, row, filter(None, [table.primary]))
        names: dict[tuple[str, Row], Row] = {}
        for table in self._tables:
            for row in present.rows.get(table.id, ()):
                cells = self._followed(table, row, names)
                other = self._renamed(table, row, cells, source)
                names[table.id, row] = other or _row(table, cells)
                source.put(table, names[table.id, row])
        if all(row == other for (_, row), other in names.items()):
            raise Unfit("no table has a unique key beside a primary key of its own")
        self._demand(source.rows)
        return self._world(source, present)

    def orphans(self) -> World:
        """A source without foreign keys, and with an orphan of each, which has a child."""
        lacks = {key.name for table in self._tables for key in table.foreign_keys}
        draft = self._draft(3)
        gone = {table.id: draft.made(table) for table in self._tables}
        for table in self._tables:
            if (row := gone[table.id]) is not None:
                # Nobody is to become its children's parent later.
                draft.reserve(table, row, table.keys)
        found = False
        for table in self._tables:
            for key in table.foreign_keys:
                orphan = self._orphan(draft, table, key, gone.get(key.parent))
                if orphan is not None:
                    found = True
                    self._with_children(draft, table, orphan)
        if not found:
            raise Unfit("no table refers to another one")
        return replace(self._world(draft), lacks=frozenset(lacks))

    def swapped(self) -> World:
        """Two sides that hold the same rows, of which two have each other's key."""
        target = self._draft(3)
        rows = dict(target.rows)
        for table in self._tables:
            for key in table.keys:
                changed = self._exchanged(table, key, rows.get(table.id, ()))
                if changed is not None and self._is_right({**rows, table.id: changed}):
                    rows[table.id] = changed
        if rows == target.rows:
            raise Unfit("no table has a unique key whose values two rows could exchange")
        return World(schema=self._own.schema, source=rows, present=target.rows)

    # -- worlds ----------------------------------------------------------------------------

    def _draft(self, count: int) -> Draft:
        draft = Draft(self._own, self._keys)
        draft.fill(count)
        return draft

    def _world(self, source: Draft, present: Draft | None = None) -> World:
        held = {} if present is None else present.rows
        return World(schema=self._own.schema, source=source.rows, present=held)

    def _is_right(self, rows: Rows) -> bool:
        return next(violations(self._own.schema, rows, ask=self._ask), None) is None

    def _demand(self, rows: Rows) -> None:
        for violation in violations(self._own.schema, rows, ask=self._ask):
            raise Unfit(f"the rows that it takes do not fit: {violation}")

    # -- rows ------------------------------------------------------------------------------

    def _changed(self, table: Table, row: Row) -> Row:
        """``row`` with other values where no key and no reference looks."""
        cells = _cells(table, row)
        kept = {name for key in table.keys for name in _reads(key)}
        kept |= {name for key in table.foreign_keys for name in key.columns}
        kept |= {name for _, key in self._references(table) for name in key.references}
        for group in self._own.pools[table.id].groups:
            if kept.isdisjoint(group.columns):
                now = tuple(cells[name] for name in group.columns)
                other = next((c for c in group.choices if c != now and None not in c), now)
                cells |= zip(group.columns, other, strict=True)
        return _row(table, cells)

    def _references(self, parent: Table) -> Iterator[tuple[Table, ForeignKey]]:
        """The foreign keys that refer to ``parent``, with their tables."""
        for table in self._tables:
            for key in table.foreign_keys:
                if key.parent == parent.id:
                    yield table, key

    def _with_children(self, draft: Draft, parent: Table, row: Row) -> None:
        """Let a row of each table refer to ``row``, where one can."""
        cells = _cells(parent, row)
        for table, key in self._references(parent):
            given = {c: cells.get(r) for c, r in zip(key.columns, key.references, strict=True)}
            if None not in given.values():
                draft.add(table, given)

    def _lost_with(self, keys: set[str]) -> set[str]:
        """``keys`` with the foreign keys that refer to one of them."""
        lost = set(keys)
        for parent in self._tables:
            for _, reference in self._references(parent):
                held = [k for k in parent.keys if set(k.columns) == set(reference.references)]
                if all(key.name in keys for key in held):
                    lost.add(reference.name)
        return lost

    def _doubled(self, draft: Draft) -> Iterator[Row]:
        """For each key that rows may share, the second of two rows that do."""
        for table in self._tables:
            for key in table.keys:
                first = self._held(table, key, draft)
                if key.primary or first is None or set(_reads(key)) >= _primary(table):
                    continue
                cells = _cells(table, first)
                second = draft.add(table, {name: cells[name] for name in _reads(key)}, [key.name])
                if second is not None:
                    self._with_children(draft, table, first)
                    self._with_children(draft, table, second)
                    yield second

    def _held(self, table: Table, key: Key, draft: Draft) -> Row | None:
        """A row that the key holds to be alone."""
        rows = draft.rows.get(table.id, ())
        return next((row for row in rows if self._keys.value(table, key, row) is not None), None)

    def _followed(self, table: Table, row: Row, names: Mapping[tuple[str, Row], Row]) -> Cells:
        """``row`` with references to what the rows are called now that it refers to."""
        cells, before = _cells(table, row), _cells(table, row)
        for key in table.foreign_keys:
            parent = self._own.schema.by_id[key.parent]
            wanted = [before[column] for column in key.columns]
            for (where, old), new in names.items():
                if where == parent.id and wanted == [
                    _cells(parent, old)[r] for r in key.references
                ]:
                    cells |= zip(
                        key.columns, (_cells(parent, new)[r] for r in key.references), strict=True
                    )
        return cells

    def _renamed(self, table: Table, row: Row, cells: Cells, source: Draft) -> Row | None:
        """The same thing under another primary key, where another key says that it is."""
        own = _primary(table)
        if not own or any(own & set(key.columns) for key in table.foreign_keys):
            return None
        known = [key for key in table.keys if not key.primary and own.isdisjoint(_reads(key))]
        if all(self._keys.value(table, key, row) is None for key in known):
            return None
        return source.made(table, {name: cells[name] for name in cells if name not in own})

    def _orphan(self, draft: Draft, table: Table, key: ForeignKey, gone: Row | None) -> Row | None:
        """A row that refers by ``key`` to a row which is not there."""
        if gone is None:
            return None
        cells = _cells(self._own.schema.by_id[key.parent], gone)
        given = {c: cells.get(r) for c, r in zip(key.columns, key.references, strict=True)}
        return None if None in given.values() else draft.add(table, given)

    def _exchanged(self, table: Table, key: Key, rows: tuple[Row, ...]) -> tuple[Row, ...] | None:
        """``rows``, of which two have each other's values of ``key``.

        One of its columns can hold anything meanwhile, or nobody could write them.
        """
        references = [{*other.columns} for other in table.foreign_keys]
        free = {name for name in key.columns if group_of(self._own, table, name).open}
        if not free.difference(*references):
            return None
        held = [row for row in rows if self._keys.value(table, key, row) is not None]
        # A reference is handed on as a whole.
        reads = set(_reads(key)).union(*(r for r in references if r & set(_reads(key))))
        groups = {group_of(self._own, table, name) for name in reads}
        touched = {name for group in groups for name in group.columns}
        bound = _primary(table)
        bound |= {name for _, other in self._references(table) for name in other.references}
        if len(held) < 2 or touched & bound:
            return None
        one, other = (_cells(table, row) for row in held[:2])
        exchanged = {
            held[0]: _row(table, one | {name: other[name] for name in touched}),
            held[1]: _row(table, other | {name: one[name] for name in touched}),
        }
        return tuple(exchanged.get(row, row) for row in rows)


def _cells(table: Table, row: Row) -> Cells:
    return {column.name: value for column, value in zip(table.stored, row, strict=True)}


def _row(table: Table, cells: Cells) -> Row:
    return tuple(cells[column.name] for column in table.stored)


def _reads(key: Key) -> list[str]:
    """The stored columns that a key looks at."""
    found = {name for part in key.parts for name in part.reads}
    return sorted(found | (key.predicate.reads if key.predicate else set()))


def _primary(table: Table) -> set[str]:
    return set(table.primary.columns) if table.primary else set()
