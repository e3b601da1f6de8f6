"""Tokens of a pg_dump plain file, read in pieces; nothing is ever executed.

Lexical rules: PostgreSQL manual, "Lexical Structure", and src/backend/parser/scan.l,
reduced to what pg_dump writes. Everything else is refused with its line number.
"""

from __future__ import annotations

import re
from typing import NoReturn

from verifier.errors import BackupRefused
from verifier.initial_load.reading.encoding import BadTextError, Stream, Utf8

BLOCK = 1 << 20  # bytes
TRAILER = b"-- PostgreSQL database dump complete"

BLANK = re.compile(rb"[ \t\r\n\f\v]{1,1000}")
LINE_END = re.compile(rb"[\r\n]")
WORD = re.compile(rb"[A-Za-z_\x80-\xff][\w$\x80-\xff]*", re.ASCII)
QUOTED = re.compile(rb'"((?:[^"]|"")++)"')

# Tokens may be as long as a value only when they are literals; every other one that
# does not match on the next LOOK_AHEAD bytes never will.
LOOK_AHEAD = 1000
NAME_BYTES = 63  # the server cuts longer names
LONGEST = 1 << 30  # bytes; MaxAllocSize, no server takes a longer row or statement
MAX_COLUMNS = 1600  # MaxHeapAttributeNumber


class Scanner:
    """A buffer over a file that grows on demand, with a line number.

    ``data`` is UTF-8 without NUL, from ``pos`` on not yet read.
    """

    def __init__(self, file: Stream, name: str, block: int = BLOCK) -> None:
        self.name = name
        self.line = 1
        self.data = b""
        self.pos = 0
        self.mark: int | None = None
        """Where to keep the buffer from, when what was read is still wanted."""
        self._block = block
        self._eof = False
        try:
            self._file = Utf8(file)
        except BadTextError as bad:
            self.refuse(str(bad))
        self.encoding = self._file.encoding
        self.empty = self._file.empty
        self.crlf = self._file.crlf
        self.eol = b"\r\n" if self.crlf else b"\n"

    def refuse(self, found: str, line: int | None = None) -> NoReturn:
        raise BackupRefused(f"{self.name}, line {line or self.line}: {found}")

    def more(self) -> bool:
        """Append the next piece of the file; ``False`` at its end."""
        if self._eof:
            return False
        start = self.pos if self.mark is None else self.mark
        if len(self.data) - start > LONGEST:
            self.refuse("no end within a gigabyte, which no server takes: the file is damaged")
        # Read more when a token is long, so that looking at it again stays linear.
        try:
            piece = self._file.read(max(self._block, len(self.data) - start))
        except BadTextError as bad:
            self.refuse(str(bad), self.line + self.data.count(b"\n", self.pos) + bad.lines)
        self._eof = not piece
        self.data = self.data[start:] + piece
        self.pos -= start
        if self.mark is not None:
            self.mark = 0
        return not self._eof

    def match(self, pattern: re.Pattern[bytes], *, long: bool = False) -> re.Match[bytes] | None:
        """Match at the current place; a match is final only if more text cannot extend it."""
        while True:
            found = pattern.match(self.data, self.pos)
            # Two bytes: whether a quote is doubled or a number goes on.
            if found is not None and found.end() + 2 <= len(self.data):
                return found
            if found is None and not long and len(self.data) - self.pos >= LOOK_AHEAD:
                return None
            if not self.more():
                return pattern.match(self.data, self.pos)

    def take(self, pattern: re.Pattern[bytes], *, long: bool = False) -> re.Match[bytes] | None:
        """Match at the current place and move behind it."""
        found = self.match(pattern, long=long)
        if found is not None:
            self.skip(len(found[0]))
        return found

    def skip(self, length: int) -> None:
        """Move on by ``length`` bytes that are in the buffer."""
        end = self.pos + length
        self.line += self.data.count(b"\n", self.pos, end)
        self.pos = end

    def peek(self, length: int = 1) -> bytes:
        """The next bytes, fewer at the end of the file."""
        while len(self.data) - self.pos < length and self.more():
            continue
        return self.data[self.pos : self.pos + length]

    def skip_blank(self) -> bool:
        """Move behind blanks and comments; whether pg_dump's last line was one of them."""
        seen = False
        while True:
            line = self.line
            blank = self.take(BLANK)
            if blank is not None:
                if not self.crlf and b"\r\n" in blank[0]:
                    self.refuse(
                        "the line ends change to CRLF here: something converted a part of the "
                        "file; make the backup again, and move it as it is",
                        line + blank[0].count(b"\n", 0, blank[0].index(b"\r\n")),
                    )
            elif self.peek(2) == b"--":
                seen = self._comment() or seen
            else:
                return seen

    def _comment(self) -> bool:
        """Move behind a comment of any length; whether it is pg_dump's last line."""
        start = LINE_END.split(self.peek(LOOK_AHEAD), 1)[0]
        while (found := LINE_END.search(self.data, self.pos)) is None:
            self.pos = len(self.data)
            if not self.more():
                break
        else:
            self.pos = found.start()
        return start.rstrip() == TRAILER

    def shown(self) -> str:
        """What is at the current place, short enough for a message and on one line."""
        text = self.peek(41)[:40].split(b"\n")[0].decode(errors="ignore").rstrip("\r")
        return repr(text) if text else "a line break" if self.peek() else "the end of the file"

    # --- grammar of the smallest pieces ---------------------------------------------

    def name_here(self) -> str:
        """A name, quoted or not."""
        self.skip_blank()
        quoted = self.take(QUOTED)
        found = quoted or self.take(WORD)
        if found is None:
            self.refuse(f"a name was expected and {self.shown()} found")
        # Unquoted names fold to lower case, ASCII only (see downcase_identifier), as
        # bytes do in Python.
        name = quoted[1].replace(b'""', b'"') if quoted else found[0].lower()
        if len(name) > NAME_BYTES:
            self.refuse(f"the name {name.decode()!r} is longer than {NAME_BYTES} bytes")
        return name.decode()

    def names(self) -> tuple[str, ...]:
        """Columns, each named once, up to and with the closing parenthesis."""
        found = {self.name_here(): None}
        while self.punctuation(b","):
            name = self.name_here()
            if name in found:
                self.refuse(f"the column {name!r} is named twice")
            if len(found) == MAX_COLUMNS:
                self.refuse(f"more than {MAX_COLUMNS} columns, which no table has")
            found[name] = None
        if not self.punctuation(b")"):
            self.refuse(f"')' was expected and {self.shown()} found")
        return tuple(found)

    def word(self, word: bytes) -> bool:
        """Whether ``word`` is here; moves behind it if so."""
        self.skip_blank()
        found = self.match(WORD)
        if found is None or found[0].upper() != word:
            return False
        self.skip(len(word))
        return True

    def expect(self, word: bytes) -> None:
        if not self.word(word):
            self.refuse(f"{word.decode()} was expected and {self.shown()} found")

    def punctuation(self, char: bytes) -> bool:
        self.skip_blank()
        if self.peek() != char:
            return False
        self.pos += 1
        return True

    def end(self) -> None:
        """The semicolon at a statement's end."""
        if not self.punctuation(b";"):
            self.refuse(f"the statement's end was expected and {self.shown()} found")
