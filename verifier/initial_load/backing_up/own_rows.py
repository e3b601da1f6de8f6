"""The rows of a table that loses some, in the backup's format, as pg_dump would write the rest.

Both formats are made from COPY's text format, see :mod:`~verifier.initial_load.statements`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from psycopg import sql

from verifier.initial_load import statements
from verifier.initial_load.backing_up.leaving_out import LeftOut, marks, rows_in
from verifier.initial_load.backing_up.snapshot import Relation
from verifier.initial_load.catalog import Catalog, Column, Connection
from verifier.initial_load.session import paste
from verifier.transfer import Format


def rows_of(
    conn: Connection, catalog: Catalog, table: Relation, left_out: LeftOut, form: Format
) -> Iterator[bytes]:
    """The rows of ``table`` that stay, as pg_dump would write them; under an empty search path."""
    columns = [each for each in catalog.tables[table.oid].columns.values() if not each.generated]
    names = ", ".join(column.quoted for column in columns)
    query = selected(columns, rows_in(table), table, left_out)
    yield _heading(table)
    with conn.cursor() as cursor, cursor.copy(sql.SQL(query)) as copy:
        blocks = statements.gathered(copy)
        if form is Format.COPY:
            listed = f" ({names})" if names else " "
            yield f"COPY {table.quoted}{listed} FROM stdin;\n".encode()
            yield from blocks
            yield b"\\.\n"
        elif columns:
            always = " OVERRIDING SYSTEM VALUE" if any(c.always for c in columns) else ""
            head = paste(
                "INSERT INTO {table} ({names}){always} VALUES (",
                table=table.quoted,
                names=names,
                always=always,
            ).encode()
            for block in blocks:
                yield b"".join(statements.inserts(head, block))
        else:
            for block in blocks:
                yield f"INSERT INTO {table.quoted} DEFAULT VALUES;\n".encode() * block.count(b"\n")
    yield b"\n\n"


def selected(columns: Sequence[Column], rows: str, table: Relation, left_out: LeftOut) -> str:
    """``COPY … TO STDOUT`` of what stays of ``rows``, which are ``table``'s or a part of them."""
    return paste(
        "COPY (SELECT {columns} FROM {rows} t {stay}) TO STDOUT",
        columns=", ".join(f"t.{column.quoted}" for column in columns),
        rows=rows,
        stay=paste(
            "WHERE NOT EXISTS (SELECT FROM {marks} m"
            " WHERE m.rel = t.tableoid AND m.place = t.ctid)",
            marks=marks(table.oid),
        )
        if table.oid in left_out.rows
        else table.condition,
    )


def _heading(table: Relation) -> bytes:
    name, schema = (re.sub(r"[\r\n]", " ", word) for word in (table.name, table.schema))
    return (
        f"--\n-- Data for Name: {name}; Type: TABLE DATA; Schema: {schema}; Owner: -\n--\n\n"
    ).encode()
