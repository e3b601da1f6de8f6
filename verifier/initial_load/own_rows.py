"""The rows of a table that loses some, in the backup's format, as pg_dump would write the rest.

Both formats are made from COPY's text format (PostgreSQL manual, COPY, "Text Format").
In an INSERT every value is a quoted string, which the server reads as the column's type,
whatever it is; so a number keeps its sign (``-0``, trap F05) and all of its digits. The
literals are meant for ``standard_conforming_strings = on``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import psycopg
from psycopg import sql

from verifier.initial_load.catalog import Catalog, Connection
from verifier.initial_load.leaving_out import LeftOut, marks, rows_in
from verifier.initial_load.session import paste
from verifier.initial_load.snapshot import Relation
from verifier.transfer import Format

_BLOCK = 1 << 16  # bytes
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_NAMED = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


def rows_of(
    conn: Connection, catalog: Catalog, table: Relation, left_out: LeftOut, form: Format
) -> Iterator[bytes]:
    """The rows of ``table`` that stay, as pg_dump would write them; under an empty search path."""
    columns = [each for each in catalog.tables[table.oid].columns.values() if not each.generated]
    names = ", ".join(column.quoted for column in columns)
    query = paste(
        "COPY (SELECT {columns} FROM {rows} t {stay}) TO STDOUT",
        columns=", ".join(f"t.{column.quoted}" for column in columns),
        rows=rows_in(table),
        stay=paste(
            "WHERE NOT EXISTS (SELECT FROM {marks} m"
            " WHERE m.rel = t.tableoid AND m.place = t.ctid)",
            marks=marks(table.oid),
        )
        if table.oid in left_out.rows
        else "",
    )
    yield _heading(table)
    with conn.cursor() as cursor, cursor.copy(sql.SQL(query)) as copy:
        blocks = gathered(copy)
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
                yield b"".join(inserts(head, block))
        else:
            for block in blocks:
                yield f"INSERT INTO {table.quoted} DEFAULT VALUES;\n".encode() * block.count(b"\n")
    yield b"\n\n"


def _heading(table: Relation) -> bytes:
    name, schema = (re.sub(r"[\r\n]", " ", word) for word in (table.name, table.schema))
    return (
        f"--\n-- Data for Name: {name}; Type: TABLE DATA; Schema: {schema}; Owner: -\n--\n\n"
    ).encode()


def gathered(copy: psycopg.Copy) -> Iterator[bytes]:
    """Whole rows, many at a time: the server sends each one by itself."""
    rows: list[bytes] = []
    size = 0
    for row in copy:
        rows.append(bytes(row))
        size += len(row)
        if size > _BLOCK:
            yield b"".join(rows)
            rows, size = [], 0
    if rows:
        yield b"".join(rows)


def inserts(head: bytes, rows: bytes, tail: bytes = b");\n") -> Iterator[bytes]:
    """``head`` (``INSERT INTO … VALUES (``), literals and ``tail`` for each of ``rows``.

    ``rows`` are whole lines of COPY.
    """
    for line in rows.split(b"\n")[:-1]:
        doubled = line.replace(b"'", b"''") if b"'" in line else line
        if b"\\" in line:
            values = b", ".join(map(_literal, doubled.split(b"\t")))
        else:
            values = b"'" + doubled.replace(b"\t", b"', '") + b"'"
        yield head + values + tail


def literals(line: bytes) -> list[bytes]:
    """The literals of a line of COPY, without its end."""
    return [_literal(value) for value in line.replace(b"'", b"''").split(b"\t")]


def _literal(value: bytes) -> bytes:
    """The literal of a value whose quotes are doubled already."""
    if value == b"\\N":
        return b"NULL"
    if b"\\" in value:
        value = _ESCAPE.sub(_character, value)
    return b"'" + value + b"'"


def _character(found: re.Match[bytes]) -> bytes:
    return _NAMED.get(found[1], found[1])
