"""What holds a world together: nothing in it speaks of what is not there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from verifier.model.breach import NotModelled
from verifier.model.schema import Identity, Row, Schema, Table, Trigger
from verifier.model.values import comparable
from verifier.model.world import World

Rows = Mapping[str, tuple[Row, ...]]


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
