"""Plain names for what a failing world has: no quotes, no schemas of its own."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from itertools import count

from verifier.model.schema import (
    Check,
    Column,
    Expression,
    ForeignKey,
    Key,
    Op,
    Partitioning,
    Schema,
    Table,
)
from verifier.model.world import SoftReference, World

_PLAIN = re.compile(r"[a-z][a-z0-9_]{0,15}")
_PUBLIC = "public"
_RESERVED = frozenset(("select", "order", "user", "table", "group", "end", "all", "audit"))


def renamed(world: World) -> Iterator[World]:
    """The world with all names made plain; then one table after the other."""
    if world.schema.script:
        return
    odd = [table for table in world.schema.tables if _is_odd(table)]
    if odd:
        yield _Renaming(world, odd).world()
    if len(odd) > 1:
        for table in odd:
            yield _Renaming(world, [table]).world()


def _is_odd(table: Table) -> bool:
    names = [table.name, *(column.name for column in table.columns), *_ruled(table)]
    return table.schema != _PUBLIC or not all(map(_is_plain, names))


def _ruled(table: Table) -> Iterator[str]:
    for each in (table.keys, table.foreign_keys, table.checks):
        yield from (rule.name for rule in each)
    if table.partitioning is not None:
        yield from (part.name for part in table.partitioning.parts)


def _is_plain(name: str) -> bool:
    return bool(_PLAIN.fullmatch(name)) and name not in _RESERVED


def _free(taken: Collection[str], begin: str) -> str:
    return next(name for n in count(1) if (name := f"{begin}{n}") not in taken)


class _Renaming:
    """New names for some tables, and for what they hold."""

    def __init__(self, world: World, tables: Collection[Table]) -> None:
        self._world, self._tables = world, {table.id for table in tables}
        self._ids: dict[str, Table] = {}
        self._columns: dict[tuple[str, str], str] = {}
        self._rules: dict[str, str] = {}
        taken = {table.name for table in world.schema.tables}
        rules = {name for table in world.schema.tables for name in _ruled(table)}
        for table in world.schema.tables:
            self._ids[table.id] = table
            if table.id in self._tables:
                self._name(table, taken, rules)

    def _name(self, table: Table, taken: set[str], rules: set[str]) -> None:
        name = table.name
        others = [each for each in self._world.schema.tables if each is not table]
        if not _is_plain(name) or any(each.name == name for each in others):
            name = _free(taken, "t")
        taken.add(name)
        self._ids[table.id] = replace(table, name=name, schema=_PUBLIC)
        columns = {column.name for column in table.columns}
        for column in table.columns:
            if not _is_plain(column.name):
                self._columns[table.id, column.name] = _free(columns, "c")
                columns.add(self._columns[table.id, column.name])
        for rule in _ruled(table):
            if not _is_plain(rule):
                self._rules[rule] = _free(rules, f"{name}_")
                rules.add(self._rules[rule])

    def world(self) -> World:
        world = self._world
        return replace(
            world,
            schema=replace(world.schema, tables=tuple(map(self._table, world.schema.tables))),
            source={self._ids[name].id: rows for name, rows in world.source.items()},
            present={self._ids[name].id: rows for name, rows in world.present.items()},
            order=tuple(self._ids[name].id for name in world.order),
            lacks=frozenset(map(self._lack, world.lacks)),
            positions={self._place(place): at for place, at in world.positions.items()},
            options=replace(
                world.options,
                prefer=self._preferred(world.options.prefer, world.schema),
                references=tuple(map(self._reference, world.options.references)),
            ),
        )

    def _column(self, table: str, name: str) -> str:
        return self._columns.get((table, name), name)

    def _rule(self, name: str) -> str:
        return self._rules.get(name, name)

    def _place(self, place: str) -> str:
        """``table id.column``."""
        for table in self._world.schema.tables:
            for column in table.columns:
                if place == f"{table.id}.{column.name}":
                    return f"{self._ids[table.id].id}.{self._column(table.id, column.name)}"
        return place

    def _lack(self, name: str) -> str:
        return self._rules[name] if name in self._rules else self._place(name)

    def _preferred(self, name: str, schema: Schema) -> str:
        """A recency column, which several tables may have; it keeps its name if they differ."""
        new = {
            self._column(table.id, name)
            for table in schema.tables
            if any(column.name == name for column in table.columns)
        }
        return new.pop() if len(new) == 1 else name

    def _reference(self, soft: SoftReference) -> SoftReference:
        condition = soft.condition
        if condition is not None:
            condition = (self._column(soft.table, condition[0]), condition[1])
        return SoftReference(
            table=self._ids[soft.table].id,
            column=self._column(soft.table, soft.column),
            parent=self._ids[soft.parent].id,
            condition=condition,
        )

    def _table(self, table: Table) -> Table:
        def expression(each: Expression) -> Expression:
            text = self._column(table.id, each.text) if each.op is Op.COLUMN else each.text
            return replace(each, text=text, arguments=tuple(map(expression, each.arguments)))

        def key(each: Key) -> Key:
            predicate = None if each.predicate is None else expression(each.predicate)
            parts = tuple(map(expression, each.parts))
            return replace(each, name=self._rule(each.name), parts=parts, predicate=predicate)

        def column(each: Column) -> Column:
            generated = None if each.generated is None else expression(each.generated)
            return replace(each, name=self._column(table.id, each.name), generated=generated)

        def check(each: Check) -> Check:
            return Check(name=self._rule(each.name), condition=expression(each.condition))

        return replace(
            self._ids[table.id],
            columns=tuple(map(column, table.columns)),
            keys=tuple(map(key, table.keys)),
            foreign_keys=tuple(self._foreign_key(table, each) for each in table.foreign_keys),
            checks=tuple(map(check, table.checks)),
            partitioning=table.partitioning and self._split(table, table.partitioning),
        )

    def _foreign_key(self, table: Table, key: ForeignKey) -> ForeignKey:
        return replace(
            key,
            name=self._rule(key.name),
            columns=tuple(self._column(table.id, each) for each in key.columns),
            parent=self._ids[key.parent].id,
            references=tuple(self._column(key.parent, each) for each in key.references),
        )

    def _split(self, table: Table, split: Partitioning) -> Partitioning:
        return replace(
            split,
            column=self._column(table.id, split.column),
            parts=tuple(replace(each, name=self._rule(each.name)) for each in split.parts),
        )
