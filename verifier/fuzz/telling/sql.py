"""The two databases of a world as SQL that can be run by hand."""

from __future__ import annotations

from collections.abc import Mapping

from verifier.model.schema import Row, Schema
from verifier.model.world import World
from verifier.worlds import ddl
from verifier.worlds.rows import fill, numbered, sequence, setval


def target(world: World) -> str:
    """The target before the restore, for a superuser."""
    return _whole(world.schema, world.present, {})


def source(world: World) -> str:
    """The source, likewise."""
    return _whole(ddl.of_source(world), world.source, world.positions)


def both(world: World) -> tuple[str, str, str]:
    """What is run on both sides, and then the source's and the target's own part.

    With the rows, unless the schema is somebody's own script: then :func:`rows` has them.
    """
    schema, theirs = world.schema, ddl.of_source(world)
    if schema.script:
        return ("", theirs.script, schema.script) if world.lacks else (schema.script, "", "")
    if world.lacks:
        return "", source(world), target(world)
    filled = fill(schema, world.source), fill(schema, world.present)
    moved = _moved(schema, world.positions)
    if _in_order(schema):
        return ddl.create(schema), filled[0] + moved, filled[1]
    links = ddl.links(schema)
    return ddl.tables(schema), filled[0] + links + moved, filled[1] + links


def rows(world: World) -> tuple[str, str]:
    """The rows of the source and of the target, in no order that foreign keys would ask for."""
    schema = world.schema
    moved = _moved(schema, world.positions)
    return fill(schema, world.source) + moved, fill(schema, world.present)


def _whole(
    schema: Schema, held: Mapping[str, tuple[Row, ...]], positions: Mapping[str, int]
) -> str:
    filled, moved = fill(schema, held), _moved(schema, positions)
    if not schema.script:
        return ddl.tables(schema) + filled + ddl.links(schema) + moved
    # Somebody's foreign keys and triggers stand already.
    off = "SET session_replication_role = replica;  -- takes a superuser\n"
    return f"{schema.script.rstrip()}\n{off}{filled}RESET session_replication_role;\n{moved}"


def _moved(schema: Schema, positions: Mapping[str, int]) -> str:
    return "".join(
        setval(sequence(table, column), positions[f"{table.id}.{column}"])
        for table, column in numbered(schema)
        if f"{table.id}.{column}" in positions
    )


def _in_order(schema: Schema) -> bool:
    """Whether rows can be inserted table by table with all of the schema in force."""
    seen: set[str] = set()
    for table in schema.tables:
        if table.triggers or any(key.parent not in seen for key in table.foreign_keys):
            return False
        seen.add(table.id)
    return True
