r"""COPY's text format: a row's values ↔ one line.

Source: manual, "COPY", "Text Format"; ``CopyReadAttributesText`` in
src/backend/commands/copyfromparse.c.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

NULL = b"\\N"

_FIELD = re.compile(rb"((?:[^\t\\]|\\.|\\\Z)*+)(?:\t|\Z)", re.DOTALL)
_ESCAPE = re.compile(rb"\\(?:([0-7]{1,3})|x([0-9a-fA-F]{1,2})|(.)|\Z)", re.DOTALL)
_NAMED = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


def escape(value: bytes) -> bytes:
    """``value`` (UTF-8, not NULL) as a COPY line has it; several joined values at once, too.

    Nothing but these four characters has a meaning in a value: every escape, ``\\N``
    and ``\\.`` begin with a backslash.
    """
    if b"\\" in value:
        value = value.replace(b"\\", b"\\\\")
    return escape_controls(value)


def escape_controls(value: bytes) -> bytes:
    """As :func:`escape`, where every backslash is written twice already."""
    if b"\n" in value:
        value = value.replace(b"\n", b"\\n")
    if b"\t" in value:
        value = value.replace(b"\t", b"\\t")
    if b"\r" in value:
        value = value.replace(b"\r", b"\\r")
    return value


def line(values: Iterable[bytes | None]) -> bytes:
    """One row, with the line feed at its end."""
    return b"\t".join([NULL if one is None else escape(one) for one in values]) + b"\n"


def rows(data: bytes, *, empty: bool) -> Iterator[tuple[bytes | None, ...]]:
    """The values of every row of ``data``; ``empty``: the rows have no values at all."""
    for row in data.split(b"\n")[:-1]:
        if empty:
            yield ()
        elif b"\\" not in row:
            yield tuple(row.split(b"\t"))
        else:
            yield tuple(None if one == NULL else unescape(one) for one in fields(row))


def fields(row: bytes) -> Iterator[bytes]:
    """The row's values as they are written; a tab behind a backslash separates nothing."""
    place = 0
    while True:
        found = _FIELD.match(row, place)
        assert found is not None  # whatever the row, some text up to a tab or the end matches
        yield found[1]
        if found.end() == found.end(1):
            return
        place = found.end()


def unescape(value: bytes) -> bytes:
    """What the server stores for a value written so."""
    if b"\\" not in value:
        return value
    # Without doubled backslashes, what is left of an escape is its letter. No text holds
    # a NUL, so it can stand for them meanwhile.
    if b"\0" not in value:
        quick = value.replace(b"\\\\", b"\0")
        for letter, meaning in _NAMED.items():
            quick = quick.replace(b"\\" + letter, meaning)
        if b"\\" not in quick:
            return quick.replace(b"\0", b"\\")
    return _ESCAPE.sub(_meaning, value)


def _meaning(found: re.Match[bytes]) -> bytes:
    octal, byte, other = found.groups()
    if octal:
        return bytes([int(octal, 8) & 0xFF])
    if byte:
        return bytes([int(byte, 16)])
    return _NAMED.get(other, other) if other else b""
