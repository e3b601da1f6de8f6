r"""Rows of INSERTs as pg_dump writes them, thousands at a time and without a look at each.

The text is split at its quotes: every second piece is a literal's inside. The pieces
outside, joined by a NUL for each literal, are a text so plain that one regular
expression checks all of it, and a few replacements turn it into COPY's format. It is
checked from the left, so what was checked was split rightly; what it does not match
is left to :mod:`verifier.initial_load.reading.literals`.

A doubled quote splits a literal in two with nothing between them. NUL, which no file
holds, stands for a literal; \1 and \2 for what is between two rows.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from verifier.initial_load.reading import copytext

# No possessive group that may fail half-way: before 3.11.5, re goes on from where it failed
# (https://github.com/python/cpython/issues/106052).
_VALUE = rb"(?:\0++|B\0|NULL|true|false|-?\d++(?:\.\d++)?(?:[eE][+-]?\d++)?)"
_TO_COPY = bytes.maketrans(b"\1\2", b"\n\n")


class Taken(NamedTuple):
    """What was read from the start of a text."""

    length: int
    """Bytes of the text, up to where the next row's first value is."""
    rows: int
    data: bytes
    odd: bool
    """Whether the rest begins with a row that needs a closer look."""


class Bulk:
    """The rows of INSERTs into one table, all with the same header.

    ``header`` goes from ``INSERT`` to ``VALUES``, as the file has it; ``opener`` from
    there to the parenthesis in front of a row.
    """

    def __init__(
        self, header: bytes, opener: bytes, width: int, *, eol: bytes, escapes: bool
    ) -> None:
        # One with a quote in a column's name is never found: it would be split at, too.
        self._next_statement = b");" + eol + header + opener
        self._next_row = b")," + eol + b"\t("
        self._crlf = eol != b"\n"
        self._escapes = escapes
        row = rb"(?:%b, ){%d}%b[\1\2]" % (_VALUE, width - 1, _VALUE)
        self._rows = re.compile(rb"(?:%b)*+" % row)

    def take(self, text: bytes) -> Taken:
        """As many rows as can be read from ``text``, which begins behind a parenthesis."""
        nothing = Taken(0, 0, b"", True)
        if self._escapes and b"\\" in text.rstrip(b"\\").replace(b"\\\\", b""):
            return nothing
        pieces = text.split(b"'")
        outside = b"\0".join(pieces[::2])
        if b"\1" in outside or b"\2" in outside:
            return nothing
        outside = outside.replace(self._next_statement, b"\1").replace(self._next_row, b"\2")
        found = self._rows.match(outside)
        end = found.end() if found else 0
        odd = outside.find(b"\1", end) >= 0 or outside.find(b"\2", end) >= 0
        if end == 0:
            return Taken(0, 0, b"", odd)
        plain = outside[:end]
        literals = plain.count(b"\0")
        inside = pieces[1 : 2 * literals : 2]
        statements, rows = plain.count(b"\1"), plain.count(b"\2")
        length = (
            len(plain)
            + literals
            + sum(map(len, inside))
            + statements * (len(self._next_statement) - 1)
            + rows * (len(self._next_row) - 1)
        )
        data = self._copied(plain, inside)
        if data is None:
            return nothing
        return Taken(length, statements + rows, data, odd)

    def _copied(self, plain: bytes, inside: list[bytes]) -> bytes | None:
        """Both kinds of pieces put together as COPY's format; ``None``: not so simple."""
        if b"B\0" in plain:
            before = plain.split(b"\0")
            if any(
                piece.endswith(b"B") and digits.strip(b"01")
                for piece, digits in zip(before, inside, strict=False)
            ):
                return None
            plain = plain.replace(b"B\0", b"\0")
        plain = plain.translate(_TO_COPY).replace(b", ", b"\t").replace(b"NULL", copytext.NULL)
        if not inside:
            return plain
        if b"\0\0" in plain:
            # Twice: of three in a row, the first pass sees two.
            plain = plain.replace(b"\0\0", b"\0'\0").replace(b"\0\0", b"\0'\0")
        values = b"\0".join(inside)
        if self._crlf and b"\n" in values:
            return None
        # Where backslashes have a meaning, they are all doubled here, as COPY wants them.
        values = copytext.escape_controls(values) if self._escapes else copytext.escape(values)
        pieces = [b""] * (2 * len(inside) + 1)
        pieces[::2] = plain.split(b"\0")
        pieces[1::2] = values.split(b"\0")
        return b"".join(pieces)
