"""Smaller worlds: one with a table, a row, a column, a constraint less.

Every edit leaves a world that is whole: what speaks of something that is gone, goes too, and
so do rows whose parents are gone. A schema that is somebody's own script gets the statement
that does the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from verifier.fuzz.wholeness import Rows, whole
from verifier.model.schema import (
    Column,
    ForeignKey,
    Identity,
    Key,
    Row,
    Schema,
    Table,
)
from verifier.model.types import Kind, domain_of, resolve
from verifier.model.world import World

SOURCE, PRESENT = "source", "present"
Place = tuple[str, str, int]
"""A row: :data:`SOURCE` or :data:`PRESENT`, its table, its place there."""


# -- rows ------------------------------------------------------------------------------------


def places(world: World) -> list[Place]:
    """Every row of the world; those of the source first."""
    return [
        (side, table, place)
        for side in (SOURCE, PRESENT)
        for table, rows in getattr(world, side).items()
        for place in range(len(rows))
    ]


def without_rows(world: World, gone: Collection[Place]) -> World:
    """The world without the rows of ``gone``, and without those that refer to them."""
    lost = frozenset(gone)

    def kept(side: str, rows: Rows) -> dict[str, tuple[Row, ...]]:
        return {
            table: tuple(row for n, row in enumerate(each) if (side, table, n) not in lost)
            for table, each in rows.items()
        }

    return whole(
        replace(world, source=kept(SOURCE, world.source), present=kept(PRESENT, world.present))
    )


def mapped(world: World, table: str, change: Callable[[Row], Row]) -> World:
    """``change`` made to every row of ``table``, on both sides."""

    def changed(rows: Rows) -> dict[str, tuple[Row, ...]]:
        return {
            name: tuple(map(change, each)) if name == table else each for name, each in rows.items()
        }

    return replace(world, source=changed(world.source), present=changed(world.present))


# -- tables ----------------------------------------------------------------------------------


def without_tables(world: World, gone: Collection[str]) -> World:
    """The world without these tables (by id), and without the foreign keys to them."""
    tables = tuple(
        replace(
            table, foreign_keys=tuple(key for key in table.foreign_keys if key.parent not in gone)
        )
        for table in world.schema.tables
        if table.id not in gone
    )
    dropped = [
        f"DROP TABLE {_name(table)} CASCADE" for table in world.schema.tables if table.id in gone
    ]
    return whole(replace(world, schema=_amended(replace(world.schema, tables=tables), dropped)))


def with_table(world: World, table: Table, *statements: str) -> World:
    """The world with ``table`` in place of the one of its name, which has the same columns."""
    tables = tuple(table if each.id == table.id else each for each in world.schema.tables)
    return whole(replace(world, schema=_amended(replace(world.schema, tables=tables), statements)))


# -- columns ---------------------------------------------------------------------------------


def without_columns(world: World, table: Table, gone: Collection[str]) -> World:
    """The world without these columns and whatever reads them."""
    lost = set(gone)
    while more := {
        column.name
        for column in table.columns
        if column.generated is not None
        and column.name not in lost
        and column.generated.reads & lost
    }:
        lost |= more
    left = replace(
        table,
        columns=tuple(column for column in table.columns if column.name not in lost),
        keys=tuple(key for key in table.keys if not key.reads & lost),
        foreign_keys=tuple(key for key in table.foreign_keys if not set(key.columns) & lost),
        checks=tuple(check for check in table.checks if not check.condition.reads & lost),
        partitioning=None
        if table.partitioning and table.partitioning.column in lost
        else table.partitioning,
    )
    stays = [n for n, column in enumerate(table.stored) if column.name not in lost]
    world = mapped(world, table.id, lambda row: tuple(row[n] for n in stays))
    drops = (f"ALTER TABLE {_name(table)} DROP COLUMN {_quoted(each)} CASCADE" for each in lost)
    return with_table(world, left, *drops)


def narrowed(world: World, table: Table, column: str) -> World | None:
    """The world with ``column`` gone from the keys and foreign keys that have others besides.

    ``None`` where that changes nothing, or the script is somebody's own.
    """
    schema = world.schema
    wide = [key for key in table.keys if column in key.columns and len(key.columns) > 1]
    if schema.script or not wide:
        return None

    def keys(each: Table) -> tuple[Key, ...]:
        return tuple(
            replace(key, parts=tuple(part for part in key.parts if part.text != column))
            if each.id == table.id and key in wide
            else key
            for key in each.keys
        )

    def foreign(each: Table, key: ForeignKey) -> ForeignKey:
        pairs = list(zip(key.columns, key.references, strict=True))
        left = [
            (own, theirs)
            for own, theirs in pairs
            if not (key.parent == table.id and theirs == column)
            and not (each.id == table.id and own == column)
        ]
        if not left or len(left) == len(pairs):
            return key
        return replace(
            key, columns=tuple(own for own, _ in left), references=tuple(to for _, to in left)
        )

    tables = tuple(
        replace(
            each,
            keys=keys(each),
            foreign_keys=tuple(foreign(each, key) for key in each.foreign_keys),
        )
        for each in schema.tables
    )
    return whole(replace(world, schema=replace(schema, tables=tables)))


# -- constraints -----------------------------------------------------------------------------


def simpler_tables(world: World, table: Table) -> Iterable[World]:
    """The world with one thing less said about ``table``, again and again."""
    if table.partitioning is not None and not world.schema.script:
        yield with_table(world, replace(table, partitioning=None))
    if table.triggers and not world.schema.script:
        yield with_table(world, replace(table, triggers=()))
    for key in table.keys:
        left = replace(table, keys=tuple(each for each in table.keys if each is not key))
        yield with_table(world, left, _drop(table, key.name, key.constraint))
    for foreign in table.foreign_keys:
        others = tuple(each for each in table.foreign_keys if each is not foreign)
        yield with_table(
            world, replace(table, foreign_keys=others), _drop(table, foreign.name, True)
        )
    for check in table.checks:
        rest = tuple(each for each in table.checks if each is not check)
        yield with_table(world, replace(table, checks=rest), _drop(table, check.name, True))


def plainer_keys(world: World, table: Table) -> Iterable[World]:
    """The world with a key or a foreign key of ``table`` made an ordinary one."""
    if world.schema.script:
        return
    for place, key in enumerate(table.keys):
        for plain in (
            replace(key, predicate=None),
            replace(key, nulls_distinct=True),
            replace(key, deferrable=False),
        ):
            if plain != key:
                keys = (*table.keys[:place], plain, *table.keys[place + 1 :])
                yield with_table(world, replace(table, keys=keys))
    for place, foreign in enumerate(table.foreign_keys):
        plain_one = ForeignKey(
            name=foreign.name,
            columns=foreign.columns,
            parent=foreign.parent,
            references=foreign.references,
        )
        if plain_one != foreign:
            foreigns = table.foreign_keys
            with_it = (*foreigns[:place], plain_one, *foreigns[place + 1 :])
            yield with_table(world, replace(table, foreign_keys=with_it))


def plainer_columns(world: World, table: Table) -> Iterable[World]:
    """The world with one column of ``table`` made an ordinary one."""
    if world.schema.script:
        return
    keyed = {name for key in table.keys if key.primary for name in key.reads}
    for place, column in enumerate(table.columns):
        for plain in _plainer(column, world.schema, not_null=column.name in keyed):
            columns = (*table.columns[:place], plain, *table.columns[place + 1 :])
            yield with_table(world, replace(table, columns=columns))


def _plainer(column: Column, schema: Schema, *, not_null: bool) -> Iterable[Column]:
    if column.default is not None and column.identity is Identity.NONE:
        yield replace(column, default=None)
    if column.identity is not Identity.NONE:
        yield replace(column, identity=Identity.NONE, default=None)
    if column.not_null and not not_null:
        yield replace(column, not_null=False)
    domain = domain_of(column.type, schema)
    if domain is not None:
        yield replace(column, type=domain.base)
    if resolve(column.type, schema).kind is Kind.ENUM:
        yield replace(column, type="text", default=None)


# -- SQL for a script of somebody's own ------------------------------------------------------


def _amended(schema: Schema, statements: Iterable[str]) -> Schema:
    if not schema.script:
        return schema
    added = "".join(f"{statement};\n" for statement in statements)
    return replace(schema, script=f"{schema.script.rstrip()}\n{added}") if added else schema


def _drop(table: Table, name: str, constraint: bool) -> str:
    if constraint:
        return f"ALTER TABLE {_name(table)} DROP CONSTRAINT {_quoted(name)} CASCADE"
    return f"DROP INDEX {_quoted(table.schema)}.{_quoted(name)}"


def _name(table: Table) -> str:
    return f"{_quoted(table.schema)}.{_quoted(table.name)}"


def _quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
