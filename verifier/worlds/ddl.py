"""A schema as SQL.

It comes in two parts, so that rows can be filled in between: :func:`tables` with everything
that holds for one row or one table, and :func:`links`, foreign keys and triggers, which need
no order of rows then.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from verifier.model.schema import (
    Check,
    Column,
    Domain,
    Enum,
    ForeignKey,
    Identity,
    Key,
    Op,
    Partition,
    PartitionBy,
    Schema,
    Table,
)
from verifier.model.types import domain_of
from verifier.model.world import World
from verifier.worlds import triggers
from verifier.worlds.spelling import expression, literal, name, names, of_table, of_type, qualified

_SERIAL = {
    "smallint": "smallserial",
    "int2": "smallserial",
    "int": "serial",
    "integer": "serial",
    "int4": "serial",
    "bigint": "bigserial",
    "int8": "bigserial",
}


_END = "\n;\n"
"""After somebody's script, which may end in a comment or without a semicolon."""


def create(schema: Schema) -> str:
    """SQL that makes ``schema`` in an empty database."""
    if schema.script:
        return schema.script + _END
    return tables(schema) + links(schema)


def source(world: World) -> str:
    """SQL of the source's schema: the target's without what the source lacks."""
    return create(of_source(world))


def of_source(world: World) -> Schema:
    """The source's schema: the target's without the keys, checks, foreign keys and NOT NULL
    (``table id.column``) that the source lacks.

    A foreign key goes with the key that it refers to.
    """
    schema, lacks = world.schema, world.lacks
    if not lacks:
        return schema
    bare = tuple(_bare(table, lacks) for table in schema.tables)
    by_id = {table.id: table for table in bare}
    return replace(
        schema,
        tables=tuple(_without_references(table, lacks, by_id) for table in bare),
        domains=tuple(replace(each, checks=_kept(each.checks, lacks)) for each in schema.domains),
        script=schema.script and "".join([schema.script, _END, *_drops(schema, lacks)]),
    )


_Named = TypeVar("_Named", Key, Check)


def _kept(parts: tuple[_Named, ...], lacks: Collection[str]) -> tuple[_Named, ...]:
    return tuple(part for part in parts if part.name not in lacks)


def _bare(table: Table, lacks: Collection[str]) -> Table:
    columns = tuple(
        # A column that a sequence feeds is NOT NULL.
        replace(column, not_null=False, identity=Identity.NONE)
        if f"{table.id}.{column.name}" in lacks
        else column
        for column in table.columns
    )
    keys, checks = _kept(table.keys, lacks), _kept(table.checks, lacks)
    return replace(table, columns=columns, keys=keys, checks=checks)


def _without_references(table: Table, lacks: Collection[str], bare: Mapping[str, Table]) -> Table:
    kept = tuple(
        key
        for key in table.foreign_keys
        if key.name not in lacks and _is_key(bare[key.parent], key.references)
    )
    return replace(table, foreign_keys=kept)


def _is_key(parent: Table, columns: tuple[str, ...]) -> bool:
    """Whether a foreign key may refer to ``columns``."""
    return any(
        set(key.columns) == set(columns) and key.predicate is None and not key.deferrable
        for key in parent.keys
    )


def _drops(schema: Schema, lacks: Collection[str]) -> Iterator[str]:
    """What takes ``lacks`` away from a schema that somebody's script has made."""
    for table in schema.tables:
        alter = f"ALTER TABLE {of_table(table)}"
        constraints = [key for key in table.keys if _in_table(key)]
        for each in _named((*constraints, *table.checks, *table.foreign_keys), lacks):
            # One that went with the key that it refers to is gone already.
            yield f"{alter} DROP CONSTRAINT IF EXISTS {each} CASCADE;\n"
        for each in _named([key for key in table.keys if key not in constraints], lacks):
            yield f"DROP INDEX {name(table.schema)}.{each} CASCADE;\n"
        for column in table.columns:
            if f"{table.id}.{column.name}" in lacks:
                yield f"{alter} ALTER COLUMN {name(column.name)} DROP NOT NULL;\n"
    spelled = {domain_of(kind, schema): kind for kind in _types(schema)}
    for domain in schema.domains:
        for each in _named(domain.checks, lacks):
            if domain in spelled:
                yield f"ALTER DOMAIN {spelled[domain]} DROP CONSTRAINT {each};\n"


def _types(schema: Schema) -> Iterator[str]:
    """The types of all columns as SQL spells them, of an array that of its elements."""
    for table in schema.tables:
        yield from (column.type.partition("[")[0] for column in table.columns)


def _named(parts: Iterable[Key | Check | ForeignKey], lacks: Collection[str]) -> Iterator[str]:
    """The names of those ``parts`` that are lacking, as SQL writes them."""
    return (name(part.name) for part in parts if part.name in lacks)


def tables(schema: Schema) -> str:
    """Schemas, types, and tables with their keys and checks."""
    return "".join(_tables(schema))


def links(schema: Schema) -> str:
    """Foreign keys and triggers."""
    return "".join(_links(schema))


def _tables(schema: Schema) -> Iterator[str]:
    for each in sorted({table.schema for table in schema.tables} - {"public"}):
        yield f"CREATE SCHEMA {name(each)};\n"
    yield from map(_enum, schema.enums)
    for domain in schema.domains:
        yield _domain(schema, domain)
    for table in schema.tables:
        yield _table(schema, table)
        yield from _partitions(table)
        for key in table.keys:
            if not _in_table(key):
                yield _index(schema, table, key)


def _links(schema: Schema) -> Iterator[str]:
    for table in schema.tables:
        for key in table.foreign_keys:
            yield _foreign_key(table, key, schema.by_id[key.parent])
    yield from triggers.create(schema)


def _enum(enum: Enum) -> str:
    labels = ", ".join(map(literal, enum.labels))
    return f"CREATE TYPE {qualified('public', enum.name)} AS ENUM ({labels});\n"


def _domain(schema: Schema, domain: Domain) -> str:
    words = [f"CREATE DOMAIN {qualified('public', domain.name)} AS {of_type(schema, domain.base)}"]
    if domain.not_null:
        words.append("NOT NULL")
    for check in domain.checks:
        condition = expression(check.condition, lambda _: "VALUE", schema=schema)
        words.append(f"CONSTRAINT {name(check.name)} CHECK ({condition})")
    return " ".join(words) + ";\n"


def _table(schema: Schema, table: Table) -> str:
    parts = [_column(schema, column) for column in table.columns]
    parts += [_constraint(key) for key in table.keys if _in_table(key)]
    parts += [_check(schema, check) for check in table.checks]
    by = ""
    if table.partitioning is not None:
        split = table.partitioning
        by = f" PARTITION BY {split.by.value.upper()} ({name(split.column)})"
    inside = ",\n    ".join(parts)
    return f"CREATE TABLE {of_table(table)} (\n    {inside}\n){by};\n"


def _column(schema: Schema, column: Column) -> str:
    kind = of_type(schema, column.type)
    if column.identity is Identity.SERIAL:
        kind = _SERIAL[column.type]
    words = [name(column.name), kind]
    if column.generated is not None:
        words.append(f"GENERATED ALWAYS AS ({expression(column.generated, schema=schema)}) STORED")
    elif column.identity in (Identity.ALWAYS, Identity.BY_DEFAULT):
        words.append(f"GENERATED {column.identity.value.upper()} AS IDENTITY")
    elif column.default is not None:
        words.append(f"DEFAULT {column.default}")
    if column.not_null:
        words.append("NOT NULL")
    return " ".join(words)


def _in_table(key: Key) -> bool:
    """Whether it is a constraint, and no index alone."""
    return key.constraint and bool(key.columns) and key.predicate is None


def _constraint(key: Key) -> str:
    kind = "PRIMARY KEY" if key.primary else "UNIQUE"
    nulls = "" if key.nulls_distinct else " NULLS NOT DISTINCT"
    late = " DEFERRABLE" if key.deferrable else ""
    return f"CONSTRAINT {name(key.name)} {kind}{nulls} ({names(key.columns)}){late}"


def _check(schema: Schema, check: Check) -> str:
    return f"CONSTRAINT {name(check.name)} CHECK ({expression(check.condition, schema=schema)})"


def _index(schema: Schema, table: Table, key: Key) -> str:
    parts = ", ".join(
        name(part.text) if part.op is Op.COLUMN else f"({expression(part, schema=schema)})"
        for part in key.parts
    )
    sql = f"CREATE UNIQUE INDEX {name(key.name)} ON {of_table(table)} ({parts})"
    if not key.nulls_distinct:
        sql += " NULLS NOT DISTINCT"
    if key.predicate is not None:
        sql += f" WHERE {expression(key.predicate, schema=schema)}"
    return f"{sql};\n"


def _partitions(table: Table) -> Iterator[str]:
    if table.partitioning is None:
        return
    for part in table.partitioning.parts:
        where = qualified(table.schema, part.name)
        bounds = _bounds(table.partitioning.by, part)
        yield f"CREATE TABLE {where} PARTITION OF {of_table(table)} {bounds};\n"


def _bounds(by: PartitionBy, part: Partition) -> str:
    if not part.values:
        return "DEFAULT"
    match by:
        case PartitionBy.LIST:
            return f"FOR VALUES IN ({', '.join(map(literal, part.values))})"
        case PartitionBy.RANGE:
            low, high = map(literal, part.values)
            return f"FOR VALUES FROM ({low}) TO ({high})"
        case PartitionBy.HASH:
            modulus, remainder = part.values
            return f"FOR VALUES WITH (MODULUS {modulus}, REMAINDER {remainder})"


def _foreign_key(table: Table, key: ForeignKey, parent: Table) -> str:
    sql = (
        f"ALTER TABLE {of_table(table)} ADD CONSTRAINT {name(key.name)} FOREIGN KEY"
        f" ({names(key.columns)}) REFERENCES {of_table(parent)} ({names(key.references)})"
    )
    if key.full:
        sql += " MATCH FULL"
    for event, action in (("DELETE", key.on_delete), ("UPDATE", key.on_update)):
        if action.value != "no action":
            sql += f" ON {event} {action.value.upper()}"
    if key.deferrable:
        sql += " DEFERRABLE INITIALLY DEFERRED"
    return f"{sql};\n"
