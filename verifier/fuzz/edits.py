"""Smaller worlds: one with a table, a row, a column, a constraint less.

Every edit leaves a world that is whole: what speaks of something that is gone, goes too, and
so do rows whose parents are gone. A schema that is somebody's own script gets the statement
that does the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from verifier.model.breach import NotModelled
from verifier.model.schema import (
    Column,
    ForeignKey,
    Identity,
    Key,
    Row,
    Schema,
    Table,
    Trigger,
)
from verifier.model.types import Kind, domain_of, resolve
from verifier.model.values import comparable
from verifier.model.world import World

Rows = Mapping[str, tuple[Row, ...]]
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
        keys=tuple(key for key in table.keys if not _reads(key) & lost),
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
    keyed = {name for key in table.keys if key.primary for name in _reads(key)}
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


# -- what holds a world together -------------------------------------------------------------


def whole(world: World) -> World:
    """``world`` without what speaks of things that are gone, and without rows that lost a parent.

    A row that never had one, because its side does not ask for it, stays.
    """
    schema = _consistent(world.schema)
    tables = schema.by_id
    names = set(lackable(schema))
    fed = {
        f"{table.id}.{column.name}"
        for table in schema.tables
        for column in table.columns
        if column.identity is not Identity.NONE
    }
    references = tuple(
        soft
        for soft in world.options.references
        if soft.parent in tables
        and soft.table in tables
        and {soft.column, *([soft.condition[0]] if soft.condition else [])}
        <= tables[soft.table].places.keys()
    )
    lacks = world.lacks & names
    return replace(
        world,
        schema=schema,
        source=_with_parents(schema, _of(tables, world.source), lacks),
        present=_with_parents(schema, _of(tables, world.present), frozenset()),
        lacks=lacks,
        order=tuple(table for table in world.order if table in tables),
        positions={place: at for place, at in world.positions.items() if place in fed},
        options=replace(world.options, references=references),
    )


def lackable(schema: Schema) -> Iterable[str]:
    """What :attr:`World.lacks` may name."""
    for table in schema.tables:
        yield from (each.name for each in table.keys)
        yield from (each.name for each in table.foreign_keys)
        yield from (each.name for each in table.checks)
        yield from (f"{table.id}.{column.name}" for column in table.columns if column.not_null)
    yield from (check.name for domain in schema.domains for check in domain.checks)


def _of(tables: Mapping[str, Table], rows: Rows) -> Rows:
    return {table: each for table, each in rows.items() if table in tables and each}


def _consistent(schema: Schema) -> Schema:
    """Without foreign keys to what is no key any more, and triggers without their column."""
    by_id = schema.by_id
    tables = tuple(
        replace(
            table,
            foreign_keys=tuple(
                key
                for key in table.foreign_keys
                if any(set(each.columns) == set(key.references) for each in by_id[key.parent].keys)
            ),
            triggers=tuple(each for each in table.triggers if _fits(each, table)),
        )
        for table in schema.tables
    )
    if schema.script:
        return replace(schema, tables=tables)
    used = {column.type for table in tables for column in table.columns}
    domains = tuple(each for each in schema.domains if _used(each.name, used))
    used |= {each.base for each in domains}
    enums = tuple(each for each in schema.enums if _used(each.name, used))
    return replace(schema, tables=tables, domains=domains, enums=enums)


def _used(name: str, spellings: Collection[str]) -> bool:
    return any(name in spelling for spelling in spellings)


def _fits(trigger: Trigger, table: Table) -> bool:
    """Whether ``table`` has a column that ``trigger`` could set."""
    begins = {Trigger.TOUCH: ("timestamp",), Trigger.SHOUT: ("text", "varchar", "character var")}
    return trigger not in begins or any(
        column.type.startswith(begins[trigger]) and not column.type.endswith("]")
        for column in table.stored
    )


def _with_parents(schema: Schema, rows: Rows, lacks: frozenset[str]) -> Rows:
    """``rows`` without those that have no parent."""
    keys = [
        (table, key)
        for table in schema.tables
        for key in table.foreign_keys
        if key.name not in lacks
    ]
    held = dict(rows)
    changed = True
    while changed:
        changed = False
        for table, key in keys:
            own = held.get(table.id, ())
            there = set(_keys(schema, key.parent, key.references, held))
            left = tuple(
                row
                for row, value in zip(own, _keys(schema, table.id, key.columns, held), strict=True)
                if None in value or value in there
            )
            if len(left) < len(own):
                held[table.id], changed = left, True
    return {table: each for table, each in held.items() if each}


def _keys(
    schema: Schema, table: str, columns: tuple[str, ...], rows: Rows
) -> Iterable[tuple[object, ...]]:
    owner = schema.by_id[table]
    types = {column.name: column.type for column in owner.columns}
    for row in rows.get(table, ()):
        yield tuple(_equal(types[name], schema, row[owner.places[name]]) for name in columns)


def _equal(type: str, schema: Schema, value: str | None) -> object:
    try:
        return comparable(type, schema, value)
    except NotModelled:
        return value


def _reads(key: Key) -> frozenset[str]:
    parts = (*key.parts, *([key.predicate] if key.predicate else []))
    return frozenset[str]().union(*(part.reads for part in parts))


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
