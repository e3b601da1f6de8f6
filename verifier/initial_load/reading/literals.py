"""Constants of a pg_dump plain file, one at a time and with all due care.

Rules: PostgreSQL manual, "Constants". A value comes as the UTF-8 bytes that the
server would store for a column of text, numbers as they are written.
"""

from __future__ import annotations

import re

from verifier.initial_load.reading.scanner import Scanner

_PLAIN = re.compile(rb"'([^']*+(?:''[^']*+)*+)'")
_ESCAPED = re.compile(rb"[eE]'([^'\\]*+(?:(?:''|\\.)[^'\\]*+)*+)'", re.DOTALL)
_BACKSLASHED = re.compile(rb"'([^'\\]*+(?:(?:''|\\.)[^'\\]*+)*+)'", re.DOTALL)
_BITS = re.compile(rb"(?:[bB]'([01]*)|[xX]'([0-9a-fA-F]*))'")
# The sign belongs to the number: pg_dump writes -0 and -1.5e+300 as they are. A number
# that goes on (1_000, 0x1F) is one to some servers only.
NUMBER = re.compile(rb"-?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.\x80-\xff])")

_ESCAPE = re.compile(
    rb"''|\\(?:([0-7]{1,3})|x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))",
    re.DOTALL,
)
_NAMED = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}
# u and U without their digits are an error, v is a tab to newer servers only.
_UNCLEAR = frozenset([b"u", b"U", b"v"])


class Literals:
    """Reads the constant at the scanner's place."""

    def __init__(self, scanner: Scanner) -> None:
        self.scanner = scanner
        self.escapes = False
        """Whether a plain literal gives backslashes a meaning (standard_conforming_strings)."""

    def read(self) -> bytes | None:
        """One constant; ``None`` is NULL, everything else that is none is refused."""
        scanner = self.scanner
        scanner.skip_blank()
        head = scanner.peek(2)
        if head[:1] == b"'" or (head[1:] == b"'" and head[:1] in b"eEbBxX"):
            return self._quoted(head[:1].lower())
        number = scanner.take(NUMBER)
        if number is not None:
            return number[0]
        line, shown = scanner.line, scanner.shown()
        for word, value in ((b"NULL", None), (b"TRUE", b"true"), (b"FALSE", b"false")):
            if scanner.word(word):
                return value
        scanner.refuse(f"a literal was expected and {shown} found; nothing is computed", line)

    def list(self, most: int) -> list[bytes | None]:
        """Constants up to and with the closing parenthesis; no more than one above ``most``."""
        values = [self.read()]
        while len(values) <= most and self.scanner.punctuation(b","):
            values.append(self.read())
        if len(values) > most:
            return values
        if not self.scanner.punctuation(b")"):
            self.scanner.refuse(
                f"a literal's end was expected and {self.scanner.shown()} found; "
                "values are literals, nothing is computed"
            )
        return values

    def _quoted(self, prefix: bytes) -> bytes:
        line = self.scanner.line
        match prefix:
            case b"'" if not self.escapes:
                return self._closed(_PLAIN, line).replace(b"''", b"'")
            case b"'":
                return self._unescape(self._closed(_BACKSLASHED, line), line)
            case b"e":
                return self._unescape(self._closed(_ESCAPED, line), line)
            case _:
                # bit_in reads 101 and x1F, see src/backend/utils/adt/varbit.c.
                digits = self._closed(_BITS, line)
                return digits if prefix == b"b" else b"x" + digits

    def _closed(self, pattern: re.Pattern[bytes], line: int) -> bytes:
        """A literal's inside, or the refusal of one that has no end."""
        found = self.scanner.take(pattern, long=True)
        if found is None:
            self.scanner.refuse("the literal has no end: the backup is truncated or damaged", line)
        inside = found[found.lastindex or 0]
        if self.scanner.crlf and b"\n" in inside:
            self.scanner.refuse(
                "the file's line ends were converted to CRLF, and with them the line breaks of "
                "this value, which cannot be told from its own any more; make the backup again, "
                "and move it as it is",
                line,
            )
        return bytes(inside)

    def _unescape(self, inside: bytes, line: int) -> bytes:
        try:
            return unescape(inside)
        except ValueError as error:
            self.scanner.refuse(f"{error} is not accepted", line)


def unescape(inside: bytes) -> bytes:
    """The value of an ``E''`` literal's inside (manual, "String Constants with C-Style Escapes").

    Raises :class:`ValueError` for an escape that cannot be a character.
    """
    # Escapes one by one cost a microsecond and a hundred bytes each. So the usual ones are
    # replaced all at once, where NUL, which no file holds, and \1 can stand for others.
    if b"\1" not in inside:
        quick = inside.replace(b"\\\\", b"\0").replace(b"\\'", b"\1").replace(b"''", b"'")
        for letter, meaning in _NAMED.items():
            quick = quick.replace(b"\\" + letter, meaning)
        if b"\\" not in quick:
            return quick.replace(b"\1", b"'").replace(b"\0", b"\\")
    return _ESCAPE.sub(_meaning, inside)


def _meaning(found: re.Match[bytes]) -> bytes:
    octal, byte, short, long, other = found.groups()
    if other is not None and other not in _UNCLEAR:
        return _NAMED.get(other, other)
    if octal or byte:
        code = int(octal, 8) if octal else int(byte, 16)
        # From 0x80 on a byte of a multi-byte character; pg_dump never writes these.
        if 0 < code < 0x80:
            return bytes([code])
    elif short or long:
        code = int(short or long, 16)
        if code != 0 and not 0xD800 <= code < 0xE000 and code <= 0x10FFFF:
            return chr(code).encode()
    elif other is None:
        return b"'"
    raise ValueError(f"the escape {found[0].decode(errors='replace')!r}")
