"""Rows of COPY as INSERT statements (PostgreSQL manual, COPY, "Text Format").

Every value is a quoted string, which the server reads as the column's type, whatever it
is; so a number keeps its sign (``-0``, trap F05) and all of its digits. The literals are
meant for ``standard_conforming_strings = on``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import psycopg

_BLOCK = 1 << 16  # bytes
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_NAMED = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


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
