"""A file of SQL, cut into its statements and run one by one.

What only psql knows is not run: it could start programs. The frame that pg_dump puts around a
file is passed over, and the data of a ``COPY … FROM stdin`` goes to the server as data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from verifier.errors import UsageError

_ENCODING = re.compile(rb"^SET client_encoding = '(\w+)';$", re.MULTILINE)
# Where a statement may go on although there is a semicolon, and what may hold one.
_PART = re.compile(
    r"""
    (?P<blank>\s+|--[^\n]*)
    | (?P<remark>/\*)
    | (?P<text>[eE]'(?:[^'\\]|''|\\.)*'|'(?:[^']|'')*'|"(?:[^"]|"")*")
    | (?P<dollar>\$(?:[^\W\d]\w*)?\$)
    | (?P<word>[^\W\d][\w$]*)
    | (?P<meta>\\[^\n]*)
    | (?P<sign>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_COPY = re.compile(r"COPY\b.*\bFROM\s+STDIN\b", re.IGNORECASE | re.DOTALL)
_FRAME = re.compile(r"\\(?:un)?restrict\b")
_TRANSACTION = re.compile(r"(?:BEGIN|START\s+TRANSACTION|COMMIT|END)\b[^;]*", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One statement."""

    sql: str
    """Without what stands before it, and without its semicolon."""
    line: int
    """In the file, from 1."""
    data: str | None = None
    """What follows a ``COPY … FROM stdin``, without the line that ends it."""

    @property
    def opening(self) -> str:
        """Its first words, in one line."""
        words = " ".join(self.sql.split())
        return words if len(words) <= 60 else f"{words[:59]}…"

    def run(self, session: psycopg.Connection[Any]) -> None:
        """Raises :class:`psycopg.Error`."""
        if self.data is None:
            session.execute(self.sql.encode())
            return
        with session.cursor().copy(self.sql.encode()) as copy:
            copy.write(self.data)

    def place(self, error: psycopg.Error) -> str:
        """What the server says against it, and about which line of the file."""
        said = error.diag.message_primary or str(error).strip().split("\n")[0]
        position = int(error.diag.statement_position or 1)
        return f"line {self.line + self.sql[: position - 1].count(chr(10))}: {said}"


def read(path: Path, flag: str) -> str:
    """The text of a file of SQL that ``flag`` names. Raises :class:`UsageError`."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{flag} {str(path)!r} cannot be read: {error.strerror}; name a file that can"
        ) from None
    said = _ENCODING.search(content)
    try:
        text = content.decode(_codec(said[1].decode()) if said else "utf-8-sig")
    except (UnicodeDecodeError, LookupError) as error:
        raise UsageError(f"{flag} {path} is no text: {error}; write SQL in UTF-8") from None
    if "\0" in text:
        raise UsageError(f"{flag} {path} is no text: it holds zero bytes; write SQL in UTF-8")
    return text.replace("\r\n", "\n")


def _codec(name: str) -> str:
    return re.sub(r"^win(\d+)$", r"cp\1", name.lower()).replace("sql_ascii", "latin1")


def pieces(text: str) -> Iterator[Piece]:
    """The statements of ``text``; those that only frame a transaction are left out.

    Raises :class:`UsageError` for a command of psql, and for a text that does not end.
    """
    scanner = _Scanner(text)
    while piece := scanner.piece():
        if not _TRANSACTION.fullmatch(piece.sql):
            yield piece


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0
        self._counted = (0, 1)
        """A place, and the line that it is on."""

    def piece(self) -> Piece | None:
        """The next statement, or nothing at the end."""
        begin: int | None = None
        depth = atomic = 0
        previous = ""
        while self._at < len(self._text):
            start = self._at
            kind, word = self._part()
            if kind in ("blank", "remark"):
                continue
            if kind == "meta":
                self._meta(word, start)
                continue
            if word == ";" and not depth and not atomic:
                if begin is not None:
                    return self._made(begin, start)
                continue
            begin = start if begin is None else begin
            depth += (word == "(") - (word == ")")
            upper = word.upper() if kind == "word" else ""
            # A function body in SQL itself; within it, CASE has an END of its own, too.
            if upper == "ATOMIC" and previous == "BEGIN":
                atomic = 1
            elif atomic:
                atomic += (upper == "CASE") - (upper == "END")
            previous = upper
        return None if begin is None else self._made(begin, len(self._text))

    def _part(self) -> tuple[str, str]:
        found = _PART.match(self._text, self._at)
        assert found is not None, "any character is a sign at least"
        kind, self._at = found.lastgroup or "", found.end()
        if kind == "remark":
            self._remark(found.start())
        elif kind == "dollar" or found[0] in ("'", '"'):
            self._to(found[0], found.start())
        return kind, found[0]

    def _remark(self, start: int) -> None:
        depth = 1
        while depth:
            found = re.compile(r"/\*|\*/").search(self._text, self._at)
            if found is None:
                raise self._endless("/*", start)
            depth += 1 if found[0] == "/*" else -1
            self._at = found.end()

    def _to(self, mark: str, start: int) -> None:
        end = self._text.find(mark, self._at)
        if end < 0:
            raise self._endless(mark, start)
        self._at = end + len(mark)

    def _endless(self, mark: str, start: int) -> UsageError:
        return UsageError(f"line {self._line(start)}: what begins with {mark} does not end")

    def _meta(self, word: str, start: int) -> None:
        if not _FRAME.match(word):
            command = word.split(maxsplit=1)[0]
            raise UsageError(f"line {self._line(start)}: {command} is a command of psql and no SQL")

    def _made(self, begin: int, end: int) -> Piece:
        sql = self._text[begin:end].rstrip()
        data = self._data() if _COPY.match(sql) else None
        return Piece(sql=sql, line=self._line(begin), data=data)

    def _data(self) -> str:
        """The lines after a COPY, up to the one that ends them."""
        begin = self._text.find("\n", self._at) + 1 or len(self._text)
        found = re.compile(r"^\\\.$", re.MULTILINE).search(self._text, begin)
        end = found.start() if found else len(self._text)
        self._at = found.end() if found else len(self._text)
        return self._text[begin:end]

    def _line(self, place: int) -> int:
        before, line = self._counted
        if place < before:
            before, line = 0, 1
        self._counted = (place, line + self._text.count("\n", before, place))
        return self._counted[1]
