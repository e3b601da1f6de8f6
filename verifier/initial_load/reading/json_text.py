"""JSON of any size, read piece by piece: members, elements, and whole values.

The standard library's scanner decodes the values, because it hands numbers over as they are
written. ijson makes ``int`` and ``Decimal`` of them, in which ``-0`` and ``1E5`` are lost.

A whole value is: ``str``, :class:`Number`, ``bool``, ``None``, a ``list``, or for an object
a ``tuple`` of its members in their order, names that occur twice included. Source: RFC 8259.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from json import JSONDecodeError, JSONDecoder
from typing import Any, NoReturn

from verifier.errors import BackupRefused
from verifier.initial_load.reading.opening import Readable

_PIECE = 1 << 18  # bytes
_LONGEST = 1 << 30  # characters of a value; PostgreSQL's own limit for a row's text
_MESSAGE = 800  # characters
_BLANKS = re.compile(r"[ \t\n\r]*")
# What the scanner says of a text that ends too early, it says within the last few characters
# (-Infinity, \ud83d), or of a string with its beginning.
_TAIL = 16
_STRING = "Unterminated string"
_AGAIN = "the file is damaged or truncated; copy it again, or make the backup again"


class Number(str):
    """A number as it is written."""

    __slots__ = ()


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


_DECODER = JSONDecoder(
    object_pairs_hook=tuple,
    parse_int=Number,
    parse_float=Number,
    parse_constant=_no_number,
)


def parse(text: str) -> Any:
    """The value that ``text`` is. Raises :class:`ValueError`."""
    return _DECODER.decode(text)


class JsonText:
    """A cursor in the JSON text of ``file``, which is UTF-8.

    Every method raises :class:`~verifier.errors.BackupRefused` with the line and the byte.
    """

    def __init__(self, file: Readable, name: str) -> None:
        self._file = file
        self._name = name
        self._decoder = codecs.getincrementaldecoder("utf-8")("strict")
        self._text = ""  # what is in memory
        self._at = 0
        self._ended = False
        # What is gone already.
        self._bytes = 0
        self._characters = 0
        # The line ends in front of the place in memory up to which they are counted.
        self._lines = 0
        self._counted = 0

    @property
    def place(self) -> int:
        """Characters in front of the cursor."""
        return self._characters + self._at

    @property
    def line(self) -> int:
        """Line of what comes next, from 1."""
        self.peek()
        self._lines += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._lines + 1

    def peek(self) -> str:
        """The next character that is no blank; empty at the end."""
        if (first := self._text[self._at : self._at + 1]) > " ":
            return first
        while True:
            found = _BLANKS.match(self._text, self._at)
            assert found is not None
            self._at = found.end()
            if self._at < len(self._text) or not self._more():
                return self._text[self._at : self._at + 1]

    def members(self) -> Iterator[str]:
        """The names of an object's members; the caller reads each value before it goes on."""
        self._take("{", "an object")
        if self._passed("}"):
            return
        while True:
            if self.peek() != '"':
                self._unexpected("a name in double quotes")
            name: str = self.value()
            self._take(":", "a colon")
            yield name
            if self._passed("}"):
                return
            self._take(",", "a comma or }")

    def elements(self) -> Iterator[int]:
        """The numbers of a list's elements, from 1; the caller reads each before it goes on."""
        self._take("[", "a list")
        if self._passed("]"):
            return
        number = 1
        while True:
            yield number
            if self._passed("]"):
                return
            self._take(",", "a comma or ]")
            number += 1

    def value(self) -> Any:
        """The whole value that comes next."""
        self.peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except JSONDecodeError as error:
                near = error.pos >= len(self._text) - _TAIL or error.msg.startswith(_STRING)
                if self._ended or not near:
                    found = "it ends inside a value" if self._is_cut(error) else error.msg
                    self.refuse(f"{found}: {_AGAIN}", error.pos)
                self._grow()
            except ValueError as error:
                self.refuse(f"{error} (in the value that begins here); make the backup again")
            except RecursionError:
                self.refuse("a value that begins here is nested too deeply to be read")
            else:
                # A number may go on in what is not read yet.
                if end == len(self._text) and not self._ended and self._text[end - 1] not in '"}]':
                    self._grow()
                    continue
                self._at = end
                return value

    def end(self) -> None:
        """Refuse whatever stands behind the text's one value."""
        if self.peek():
            self._unexpected("the end")

    def refuse(self, found: str, at: int | None = None) -> NoReturn:
        """Refuse the file for what is at the cursor, or at ``at`` of the text in memory."""
        end = self._at if at is None else at
        line = self._lines + self._text.count("\n", self._counted, end) + 1
        byte = self._bytes + len(self._text[:end].encode()) + 1
        raise BackupRefused(f"{self._name}, line {line} (byte {byte}): {_printable(found)}")

    def refuse_line(self, line: int, found: str) -> NoReturn:
        """Refuse the file for what is on a line that was read already."""
        raise BackupRefused(f"{self._name}, line {line}: {_printable(found)}")

    def _is_cut(self, error: JSONDecodeError) -> bool:
        return self._ended and (error.pos >= len(self._text) or error.msg.startswith(_STRING))

    def _passed(self, character: str) -> bool:
        if self.peek() != character:
            return False
        self._at += 1
        return True

    def _take(self, character: str, what: str) -> None:
        if not self._passed(character):
            self._unexpected(what)

    def _unexpected(self, what: str) -> NoReturn:
        found = self.peek()
        if not found:
            self.refuse(f"it ends where {what} was expected: {_AGAIN}")
        self.refuse(f"found {found!r} where {what} was expected: {_AGAIN}")

    def _grow(self) -> None:
        """Read as much again as there is, so that a large value is not scanned too often."""
        kept = len(self._text) - self._at
        if kept > _LONGEST:
            self.refuse("a value is longer than a row can be")
        self._more(kept)

    def _more(self, least: int = 1) -> bool:
        """Read ``least`` more characters, fewer only at the end; whether any came."""
        ahead = [self._text[self._at :]]
        size = 0
        while size < least and not self._ended:
            raw = self._file.read(_PIECE)
            self._ended = not raw
            piece = self._decoded(raw, ahead)
            ahead.append(piece)
            size += len(piece)
        gone = self._text[: self._at]
        self._bytes += len(gone) if gone.isascii() else len(gone.encode())
        self._characters += len(gone)
        self._lines += gone.count("\n", self._counted)
        self._counted = 0
        self._text = "".join(ahead)
        self._at = 0
        return size > 0

    def _decoded(self, raw: bytes, ahead: list[str]) -> str:
        """The text of ``raw``, which comes behind ``ahead`` and what is gone."""
        held = self._decoder.getstate()[0]
        try:
            return self._decoder.decode(raw, final=not raw)
        except UnicodeDecodeError as error:
            before = self._text[: self._at] + "".join(ahead)
            part = (held + raw)[: error.start]
            line = self._lines + before.count("\n", self._counted) + part.count(b"\n") + 1
            byte = self._bytes + len(before.encode()) + len(part) + 1
            raise BackupRefused(
                f"{self._name}, line {line} (byte {byte}): bytes that are not "
                "UTF-8: the file is damaged or truncated, or was written in another encoding"
            ) from None


def _printable(found: str) -> str:
    """A message that holds names of the file, in a form and length that any terminal shows."""
    if len(found) > _MESSAGE:
        found = f"{found[: _MESSAGE // 2]} … {found[-_MESSAGE // 2 :]}"
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in found
    )
