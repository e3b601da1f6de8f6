r"""How many rows of which table a pg_dump plain file holds, counted as it goes by.

Rows of ``COPY`` are its lines up to ``\.``; an ``INSERT`` is one row (pg_dump writes one
each). Literals, quoted names and comments may hold anything, also what looks like
statements: nothing inside of them counts. pg_dump ends a literal at a lone quote under
either setting of standard_conforming_strings, because it doubles the others.
Memory: what is fed at once and the longest column list.
"""

from __future__ import annotations

import re

from verifier.errors import BackupError

_NAME = rb'(?:(?:"[^"]*+")++|[^\s"(.;]++)'
_COPY = re.compile(
    rb"COPY (%b)\.(%b) (?:\((?:[^\"()]++|\"[^\"]*+\")*+\))? ?FROM stdin;\n" % (_NAME, _NAME)
)
_INSERT = re.compile(rb"INSERT INTO (%b)\.(%b) (?=[(DVO])" % (_NAME, _NAME))
_WHOLE_INSERT = re.compile(
    rb"INSERT INTO (%b)\.(%b) (?:[^'\";]++|'[^']*+'|\"[^\"]*+\")*+;\n++" % (_NAME, _NAME)
)
_STOP = re.compile(rb"['\";]")
_ROWS_END = b"\\.\n"
_LONGEST_HEAD = 1 << 20


class RowCounter:
    """Counts the rows of a file that is fed in pieces, cut anywhere."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], int] = {}
        """By schema and table, as the catalogue spells them."""
        self.total = 0
        self.current: tuple[str, str] | None = None
        """The table that came last."""
        self._raw: tuple[bytes, bytes] | None = None
        self._rest = b""
        self._copying = False
        self._line_start = True
        self._inside = False  # of a statement that did not end in its piece
        self._quote = b""

    def feed(self, data: bytes) -> None:
        """Count the rows in ``data``. Raises :class:`BackupError` for what pg_dump never writes."""
        piece, self._rest = self._rest + data, b""
        at = 0
        while at < len(piece):
            if self._copying:
                at = self._copy(piece, at)
            elif self._inside:
                at = self._go_on(piece, at)
            else:
                at = self._start(piece, at)

    def end(self) -> None:
        """Say that nothing follows. Raises :class:`BackupError` in the middle of something."""
        if self._rest or self._copying or self._inside:
            raise BackupError("pg_dump's output ends in the middle of a statement; try again")

    def _count(self, found: re.Match[bytes], rows: int) -> None:
        if found.groups() != self._raw:
            self._raw = (found[1], found[2])
            self.current = (_plain(found[1]), _plain(found[2]))
            self.rows.setdefault(self.current, 0)
        assert self.current is not None
        self.rows[self.current] += rows
        self.total += rows

    def _copy(self, piece: bytes, at: int) -> int:
        assert self.current is not None
        if self._line_start and _ROWS_END.startswith(piece[at : at + 3]):
            if len(piece) - at < 3:
                self._rest = piece[at:]
                return len(piece)
            self._copying = False
            return at + 3
        end = piece.find(b"\n" + _ROWS_END, at)
        # Behind the last line that is whole, if the rows go on.
        whole = end + 1 if end >= 0 else piece.rfind(b"\n", at) + 1 or at
        rows = piece.count(b"\n", at, whole)
        self.rows[self.current] += rows
        self.total += rows
        self._line_start = whole > at
        if end >= 0:
            return whole
        if self._line_start and _ROWS_END.startswith(piece[whole:]):
            self._rest = piece[whole:]
        else:
            self._line_start = self._line_start and whole == len(piece)
        return len(piece)

    def _start(self, piece: bytes, at: int) -> int:
        """Take the statement, comment or empty line that starts at ``at``."""
        found = _WHOLE_INSERT.match(piece, at)
        if found is not None:
            self._count(found, 1)
            return found.end()
        first = piece[at : at + 1]
        if first in b"\n-\\":
            end = piece.find(b"\n", at)
            if end < 0:
                return self._wait(piece, at)
            return end + 1
        found = _COPY.match(piece, at)
        if found is not None:
            self._count(found, 0)
            self._copying = self._line_start = True
            return found.end()
        found = _INSERT.match(piece, at)
        if found is not None:
            self._count(found, 1)
        elif any(
            piece.startswith(word[: len(piece) - at], at) for word in (b"INSERT INTO ", b"COPY ")
        ):
            return self._wait(piece, at)
        self._inside = True
        return at if found is None else found.end()

    def _wait(self, piece: bytes, at: int) -> int:
        """Keep the rest until there is more of it."""
        if len(piece) - at > _LONGEST_HEAD:
            raise BackupError(f"pg_dump wrote {piece[at : at + 60]!r}, which is not understood")
        self._rest = piece[at:]
        return len(piece)

    def _go_on(self, piece: bytes, at: int) -> int:
        """Move to the statement's end, piece by piece."""
        if self._quote:
            end = piece.find(self._quote, at)
            if end < 0:
                return len(piece)
            self._quote = b""
            return end + 1
        found = _STOP.search(piece, at)
        if found is None:
            return len(piece)
        if found[0] == b";":
            self._inside = False
        else:
            self._quote = found[0]
        return found.end()


def _plain(name: bytes) -> str:
    """An identifier as the catalogue spells it."""
    text = name.decode("utf-8", "surrogateescape")
    return text[1:-1].replace('""', '"') if text.startswith('"') else text
