"""Whether a world can be: its rows keep the constraints of the side that they are on."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping

from verifier.model.breach import NotModelled
from verifier.model.expressions import Ask, evaluate, holds, refuse, refused, table_of, type_of
from verifier.model.schema import Expression, ForeignKey, Identity, Key, Op, Row, Schema, Table
from verifier.model.types import domain_of
from verifier.model.values import comparable
from verifier.model.world import World


def trouble(world: World, ask: Ask = refuse) -> list[str]:
    """What stands in the way of the world, a sentence each; nothing: it is possible.

    The target holds ``present`` under all constraints, the source what it has under those that
    it does not lack. What is not modelled, and ``ask`` does not know either, is taken to be
    right.
    """
    target = _Side("target", world.schema, world.present, frozenset(), ask)
    source = _Side("source", world.schema, world.source, world.lacks, ask)
    return [*target.trouble(), *source.trouble()]


class _Side:
    """The rows of one side, and what it asks of them."""

    def __init__(
        self,
        name: str,
        schema: Schema,
        rows: Mapping[str, tuple[Row, ...]],
        lacks: frozenset[str],
        ask: Ask,
    ) -> None:
        self._name, self._schema, self._rows = name, schema, rows
        self._lacks, self._ask = lacks, ask

    def trouble(self) -> Iterator[str]:
        for table in self._schema.tables:
            yield from self._values(table)
            for key in table.keys:
                if key.name not in self._lacks:
                    yield from self._unique(table, key)
            for foreign in table.foreign_keys:
                if foreign.name not in self._lacks:
                    yield from self._orphans(table, foreign)

    def _said(self, table: Table, row: Row, what: str) -> str:
        return f"{what}: {table.id} {row} in the {self._name}"

    # -- single values -----------------------------------------------------------------------

    def _values(self, table: Table) -> Iterator[str]:
        needed = [n for n, column in enumerate(table.stored) if self._needed(table, column.name)]
        for row in self._rows.get(table.id, ()):
            if len(row) != len(table.stored):
                yield self._said(table, row, "it has not the columns of its table")
                continue
            for n in needed:
                if row[n] is None:
                    yield self._said(table, row, f"{table.stored[n].name} may not be NULL")
            for check in table.checks:
                if check.name not in self._lacks and self._refuses(check.condition, table, row):
                    yield self._said(table, row, f"check {check.name} is false")
            yield from self._domains(table, row)

    def _needed(self, table: Table, name: str) -> bool:
        """Whether a column is NOT NULL, by itself, its sequence, its primary key or its domain."""
        column = next(each for each in table.stored if each.name == name)
        domain = domain_of(column.type, self._schema)
        key = table.primary
        return (
            (column.not_null and f"{table.id}.{name}" not in self._lacks)
            or column.identity is not Identity.NONE
            or (domain is not None and domain.not_null)
            or (key is not None and key.name not in self._lacks and name in key.columns)
        )

    def _domains(self, table: Table, row: Row) -> Iterator[str]:
        for column, value in zip(table.stored, row, strict=True):
            domain = domain_of(column.type, self._schema)
            for check in domain.checks if domain else ():
                assert domain is not None
                if check.name not in self._lacks and self._refuses(
                    check.condition, table_of(domain), (value,)
                ):
                    yield self._said(table, row, f"check {check.name} of a domain is false")

    def _refuses(self, condition: Expression, table: Table, row: Row) -> bool:
        try:
            return refused(condition, table, row, self._ask, self._schema)
        except NotModelled:
            return False

    # -- keys --------------------------------------------------------------------------------

    def _unique(self, table: Table, key: Key) -> Iterator[str]:
        seen: set[tuple[Hashable, ...]] = set()
        for row in self._rows.get(table.id, ()):
            value = self._key(table, key, row)
            if value is None or (key.nulls_distinct and None in value):
                continue
            if value in seen:
                yield self._said(table, row, f"unique key {key.name} has it already")
            seen.add(value)

    def _key(self, table: Table, key: Key, row: Row) -> tuple[Hashable, ...] | None:
        """What ``key`` makes of ``row``; ``None`` where it says nothing, or nobody knows."""
        schema, ask = self._schema, self._ask
        try:
            if key.predicate is not None and not holds(key.predicate, table, row, ask, schema):
                return None
            return tuple(
                comparable(
                    _type(part.text, table)
                    if part.op is Op.COLUMN
                    else type_of(part, table, schema).name,
                    schema,
                    evaluate(part, table, row, ask, schema),
                )
                for part in key.parts
            )
        except NotModelled:
            return None

    def _orphans(self, table: Table, key: ForeignKey) -> Iterator[str]:
        parent = self._schema.by_id[key.parent]
        there = {self._cells(parent, key.references, row) for row in self._held(key.parent)}
        for row in self._held(table.id):
            cells = self._cells(table, key.columns, row)
            missing = cells.count(None)
            if key.full and 0 < missing < len(cells):
                yield self._said(table, row, f"foreign key {key.name} is full, and partly NULL")
            elif not missing and cells not in there:
                yield self._said(table, row, f"foreign key {key.name} finds no parent")

    def _held(self, table: str) -> tuple[Row, ...]:
        return self._rows.get(table, ())

    def _cells(self, table: Table, columns: tuple[str, ...], row: Row) -> tuple[Hashable, ...]:
        return tuple(
            comparable(_type(name, table), self._schema, row[table.places[name]])
            for name in columns
        )


def _type(name: str, table: Table) -> str:
    return next(each.type for each in table.columns if each.name == name)
