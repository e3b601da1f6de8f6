"""The rows of a world as SQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from verifier.model.schema import Identity, Row, Schema, Table
from verifier.worlds.spelling import literal, names, of_table, qualified

_NAME_BYTES = 63


def inserts(table: Table, rows: Iterable[Row]) -> Iterator[str]:
    """A statement a row, with the columns named; generated ones are left out."""
    columns = tuple(column.name for column in table.stored)
    if not columns:
        yield from (f"INSERT INTO {of_table(table)} DEFAULT VALUES;\n" for _ in rows)
        return
    always = any(column.identity is Identity.ALWAYS for column in table.stored)
    system = " OVERRIDING SYSTEM VALUE" if always else ""
    begin = f"INSERT INTO {of_table(table)} ({names(columns)}){system} VALUES"
    for row in rows:
        yield f"{begin} ({', '.join(map(literal, row))});\n"


def fill(schema: Schema, rows: Mapping[str, tuple[Row, ...]]) -> str:
    """Statements that insert ``rows`` (by table id), in the order of the schema's tables.

    No order suits every foreign key: they are to be made afterwards, or not enforced.
    """
    return "".join(
        statement for table in schema.tables for statement in inserts(table, rows.get(table.id, ()))
    )


def numbered(schema: Schema) -> Iterator[tuple[Table, str]]:
    """The columns (with their tables) that a sequence of their own feeds."""
    for table in schema.tables:
        for column in table.stored:
            if column.identity is not Identity.NONE:
                yield table, column.name


def sequence(table: Table, column: str) -> str:
    """The name that PostgreSQL gives the sequence of an identity or serial column.

    As ``makeObjectName`` (src/backend/commands/indexcmds.c) makes it: the longer part is cut
    until the whole has 63 bytes. It is another one where that name was taken.
    """
    parts = [table.name.encode(), column.encode()]
    while sum(map(len, parts)) + len("__seq") > _NAME_BYTES:
        longest = 0 if len(parts[0]) > len(parts[1]) else 1
        parts[longest] = parts[longest][:-1]
    cut = "_".join(part.decode(errors="ignore") for part in parts)
    return qualified(table.schema, f"{cut}_seq")


def setval(name: str, position: int) -> str:
    """The statement that moves the sequence ``name`` (as SQL writes it) to ``position``."""
    return f"SELECT pg_catalog.setval({literal(name)}, {position}, true);\n"


def positions(
    schema: Schema, rows: Mapping[str, tuple[Row, ...]], given: Mapping[str, int]
) -> Iterator[str]:
    """Statements that move each sequence to its ``given`` position (by ``table id.column``).

    The others move to the highest value that they feed, as they would be if they had.
    """
    for table, column in numbered(schema):
        place = table.places[column]
        fed = [int(value) for row in rows.get(table.id, ()) if (value := row[place]) is not None]
        position = given.get(f"{table.id}.{column}", max(fed, default=0))
        if position > 0:
            found = f"pg_get_serial_sequence({literal(of_table(table))}, {literal(column)})"
            yield f"SELECT pg_catalog.setval({found}, {position}, true);\n"
