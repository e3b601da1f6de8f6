"""Tokens of a pg_dump plain file, read in pieces; nothing is ever executed.

Lexical rules: PostgreSQL manual, "Lexical Structure", reduced to what pg_dump
writes. Everything else is refused with its line number.
"""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import BinaryIO, NoReturn

from verifier.errors import BackupRefused

CHUNK = 1 << 18  # bytes

# PostgreSQL's names of client encodings → Python's codecs. Only encodings in which
# every byte below 0x80 is ASCII and that both sides define alike.
_CODECS = {
    "UTF8": "utf-8",
    "SQL_ASCII": "utf-8",
    "LATIN1": "latin-1",
    "LATIN2": "iso8859-2",
    "LATIN9": "iso8859-15",
    "WIN1250": "cp1250",
    "WIN1251": "cp1251",
    "WIN1252": "cp1252",
    "KOI8R": "koi8-r",
    "EUC_JP": "euc_jp",
    "EUC_KR": "euc_kr",
}

_ENCODING = re.compile(rb"^SET client_encoding = '([^'\n]*)';", re.MULTILINE)

BLANK = re.compile(r"[ \t\r\n\f\v]+")
COMMENT = re.compile(r"--[^\n]*")
META = re.compile(r"\\(restrict|unrestrict) ([A-Za-z0-9]+)[ \t\r]*(?=\n|\Z)")
WORD = re.compile(r"[^\W\d][\w$]*")
QUOTED = re.compile(r'"((?:[^"]|"")+)"')
PLAIN = re.compile(r"'([^']*+(?:''[^']*+)*+)'")
ESCAPED = re.compile(r"[eE]'([^'\\]*+(?:(?:''|\\.)[^'\\]*+)*+)'", re.DOTALL)
BACKSLASHED = re.compile(r"'([^'\\]*+(?:(?:''|\\.)[^'\\]*+)*+)'", re.DOTALL)
BITS = re.compile(r"([bBxX])'([01a-fA-F]*)'")
# A sign belongs to the number: pg_dump writes -0 and -1.5e+300 as they are.
NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.])")
# One value and what follows it, for the common case of a plain literal.
VALUE = re.compile(
    r"[ \t\r\n]*+"
    r"(?:'([^']*+(?:''[^']*+)*+)'|([+-]?\d+(?:\.\d+)?|true|false)|NULL)"
    r"[ \t\r\n]*+([,)])"
)

# Literals may be as long as a value; every other token that does not match on the
# next LOOK_AHEAD characters never will.
_LONG = frozenset({PLAIN, ESCAPED, BACKSLASHED, BITS})
LOOK_AHEAD = 1000

_ESCAPE = re.compile(
    r"''|\\(?:([0-7]{1,3})|x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))",
    re.DOTALL,
)
_NAMED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def encoding_of(head: bytes) -> str:
    """PostgreSQL's name of the encoding that the preamble announces; UTF8 if it is silent."""
    found = _ENCODING.search(head)
    return found[1].decode("ascii", "replace") if found else "UTF8"


class Scanner:
    """A text buffer over a file that grows on demand, with a line number."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self.line = 1
        self.pos = 0
        self._file = file
        head = file.read(CHUNK)
        # Not the end of a short read: only an empty one is the end of the file.
        self.eof = not head
        self.empty = not head.strip()
        self.encoding = encoding_of(head)
        codec = _CODECS.get(self.encoding.upper())
        if codec is None:
            self.refuse(
                f"the encoding {self.encoding!r} is not known here; dump with --encoding=UTF8"
            )
        self._decoder = codecs.getincrementaldecoder(codec)("strict")
        self.text = self._decode(head.removeprefix(codecs.BOM_UTF8), final=False)

    def refuse(self, found: str, line: int | None = None) -> NoReturn:
        raise BackupRefused(f"{self.path.name}, line {line or self.line}: {found}")

    def _decode(self, data: bytes, *, final: bool) -> str:
        try:
            return self._decoder.decode(data, final)
        except UnicodeDecodeError as error:
            seen = getattr(self, "text", "")[self.pos :].count("\n")
            seen += data[: error.start].count(b"\n")
            self.refuse(
                f"bytes that are not {self.encoding}: the file is damaged or truncated, "
                "or was written in another encoding",
                self.line + seen,
            )

    def more(self) -> bool:
        """Append the next piece of the file; ``False`` at its end."""
        if self.eof:
            return False
        # Read more when a token is long, so that looking at it again stays linear.
        data = self._file.read(max(CHUNK, len(self.text) - self.pos))
        self.eof = not data
        piece = self._decode(data, final=self.eof)
        self.text = self.text[self.pos :] + piece
        self.pos = 0
        return True

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Match at the current place; a match is final only if more text cannot extend it."""
        while True:
            found = pattern.match(self.text, self.pos)
            # Two characters: whether a quote is doubled or a number goes on.
            if found is not None and found.end() + 2 <= len(self.text):
                return found
            ahead = len(self.text) - self.pos
            if found is None and pattern not in _LONG and ahead >= LOOK_AHEAD:
                return None
            if not self.more():
                return found

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Match at the current place and move behind it."""
        found = self.match(pattern)
        if found is not None:
            self.line += found[0].count("\n")
            self.pos += len(found[0])
        return found

    def peek(self, length: int = 1) -> str:
        """The next characters, fewer at the end of the file."""
        while len(self.text) - self.pos < length and self.more():
            continue
        return self.text[self.pos : self.pos + length]

    def skip_blank(self) -> list[str]:
        """Move behind blanks and comments; the comments, without blanks at their end."""
        comments: list[str] = []
        while True:
            self.take(BLANK)
            if self.peek(2) != "--":
                return comments
            comment = self.take(COMMENT)
            comments.append(comment[0].rstrip() if comment else "")

    def shown(self) -> str:
        """What is at the current place, short enough for a message and on one line."""
        self.peek(41)
        text = self.text[self.pos : self.pos + 40].split("\n")[0]
        return repr(text) if text else "the end of the file" if not self.peek() else "a line break"


def unescape(text: str) -> str:
    """The value of an ``E''`` literal's inside (manual, "String Constants with C-Style Escapes").

    Raises :class:`ValueError` for an escape that cannot be a character.
    """

    def value(found: re.Match[str]) -> str:
        octal, byte, short, long, other = found.groups()
        if octal or byte:
            code = int(octal, 8) if octal else int(byte, 16)
            if not 0 < code < 0x80:
                # A byte of a multi-byte character; pg_dump never writes these.
                raise ValueError(f"the escape {found[0]!r}")
            return chr(code)
        if short or long:
            code = int(short or long, 16)
            if code == 0 or 0xD800 <= code < 0xE000 or code > 0x10FFFF:
                raise ValueError(f"the escape {found[0]!r}")
            return chr(code)
        return "'" if other is None else _NAMED.get(other, other)

    return _ESCAPE.sub(value, text)
