"""The two databases of a world as SQL that can be run by hand."""

from __future__ import annotations

from collections.abc import Mapping

from verifier.model.schema import Row, Schema
from verifier.model.world import World
from verifier.worlds import ddl
from verifier.worlds.rows import fill, numbered, sequence, setval


def target(world: World) -> str:
    """The target before the restore."""
    return _schema_first(world.schema) + _rest(world.schema, world.present, {})


def source(world: World) -> str:
    """The source."""
    schema = ddl.of_source(world)
    return _schema_first(schema) + _rest(schema, world.source, world.positions)


def both(world: World) -> tuple[str, str, str]:
    """What is run on both sides, and then the source's and the target's own part."""
    if world.lacks:
        return "", source(world), target(world)
    schema = world.schema
    own = _rest(schema, world.source, world.positions), _rest(schema, world.present, {})
    if _in_order(schema):
        links = ddl.links(schema)
        return ddl.create(schema), own[0].replace(links, ""), own[1].replace(links, "")
    return _schema_first(schema), *own


def _schema_first(schema: Schema) -> str:
    """All of the schema that may stand before the rows."""
    return f"{schema.script.rstrip()}\n" if schema.script else ddl.tables(schema)


def _rest(schema: Schema, rows: Mapping[str, tuple[Row, ...]], positions: Mapping[str, int]) -> str:
    """The rows, and what of the schema has to wait for them."""
    filled = fill(schema, rows)
    moved = "".join(
        setval(sequence(table, column), positions[f"{table.id}.{column}"])
        for table, column in numbered(schema)
        if f"{table.id}.{column}" in positions
    )
    if not schema.script:
        return f"{filled}{ddl.links(schema)}{moved}"
    if not filled:
        return moved
    # Somebody's foreign keys and triggers stand already, and the rows come in no order.
    off = "SET session_replication_role = replica;  -- takes a superuser\n"
    return f"{off}{filled}RESET session_replication_role;\n{moved}"


def _in_order(schema: Schema) -> bool:
    """Whether rows can be inserted table by table with all of the schema in force."""
    seen: set[str] = set()
    for table in schema.tables:
        if table.triggers or any(key.parent not in seen for key in table.foreign_keys):
            return False
        seen.add(table.id)
    return not schema.script
