"""A JSON document read piece by piece: its members one after another, numbers as they are written.

The parser is the standard library's (RFC 8259), which is given one value at a time. Memory is
bounded by the largest of them, not by the document.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from json.encoder import encode_basestring
from typing import Any, NoReturn

from verifier.errors import BackupRefused
from verifier.initial_load.reading.opening import Readable

_PIECE = 1 << 18  # bytes
_LONGEST = 1 << 30  # characters of one value; no row of PostgreSQL's is longer
# How far from the end of what was read a mistake may be the end's fault: the longest
# token that is not a string is a number's tail, a word or an escape.
_NEAR = 32
# What may be left of a token that the end of the document cuts.
_CUT = re.compile(r"(?:t|tr|tru|f|fa|fal|fals|n|nu|nul|-|\\?u?[0-9a-fA-F]{0,4})?\s*\Z")
_BLANK = re.compile(r"[ \t\n\r]*")


class Number(str):
    """A number's text: ``1.10``, ``-0``, ``9007199254740993``."""

    __slots__ = ()


def text(value: Any) -> str:
    """``value``, as :class:`Document` gives it, as JSON on one line; numbers as they were."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case Number():
            return value[:]
        case str():
            return encode_basestring(value)
        case list():
            return "[" + ",".join(map(text, value)) + "]"
        case dict():
            members = (f"{encode_basestring(name)}:{text(one)}" for name, one in value.items())
            return "{" + ",".join(members) + "}"
    raise TypeError(type(value))


class Document:
    """Goes through a document; every method raises ``BackupRefused`` with the line."""

    def __init__(self, file: Readable, name: str) -> None:
        self._file = file
        self._name = name
        self._decode = codecs.getincrementaldecoder("utf-8")().decode
        self._text = ""
        self._pos = 0
        self._ended = False
        self._line = 1
        """Of the place ``_counted``."""
        self._counted = 0
        self._values = json.JSONDecoder(
            parse_float=Number,
            parse_int=Number,
            parse_constant=_no_number,
            object_pairs_hook=_once,
        )

    @property
    def line(self) -> int:
        """The line that is read now, from 1."""
        self._line += self._text.count("\n", self._counted, self._pos)
        self._counted = self._pos
        return self._line

    def peek(self) -> str:
        """The next character that is not blank; none at the end."""
        while True:
            found = _BLANK.match(self._text, self._pos)
            assert found is not None
            self._pos = found.end()
            if self._pos < len(self._text) or not self._more():
                return self._text[self._pos : self._pos + 1]

    def members(self) -> Iterator[str]:
        """The names of the object that starts here; the value has to be read in between."""
        for _ in self._inside("{", "}"):
            if self.peek() != '"':
                self._broken("a name in double quotes was expected", self._pos)
            name = self.value()
            self._expect(":")
            yield name

    def items(self) -> Iterator[int]:
        """Positions, from 1, in the list that starts here; each value is to be read in between."""
        yield from self._inside("[", "]")

    def value(self) -> Any:
        """The whole value that starts here: numbers are :class:`Number`."""
        self.peek()
        while True:
            try:
                value, end = self._values.raw_decode(self._text, self._pos)
            except json.JSONDecodeError as error:
                string = error.msg.startswith("Unterminated string")
                early = string or error.pos > len(self._text) - _NEAR
                # Reading on drops what is in front of the value.
                offset = error.pos - self._pos
                if not (early and self._grown()):
                    self._broken(error.msg, self._pos + offset)
            except ValueError as error:
                self.refuse(str(error))
            except RecursionError:
                self.refuse("values are nested too deeply")
            else:
                length = end - self._pos
                # A number may go on behind what was read so far.
                if end < len(self._text) or not self._grown():
                    self._pos += length
                    return value

    def end(self) -> None:
        """Make sure that nothing follows."""
        if self.peek():
            self.refuse(f"the document goes on behind its end with {self._shown()}")

    def refuse(self, found: str) -> NoReturn:
        raise BackupRefused(f"{self._name}, line {self.line}: {found}")

    def _inside(self, start: str, end: str) -> Iterator[int]:
        self._expect(start)
        number = 0
        if self.peek() == end:
            self._pos += 1
            return
        while True:
            number += 1
            yield number
            if self.peek() == end:
                self._pos += 1
                return
            self._expect(",")

    def _expect(self, char: str) -> None:
        if self.peek() != char:
            self._broken(f"{char!r} was expected", self._pos)
        self._pos += 1

    def _broken(self, what: str, place: int) -> NoReturn:
        if self._ended and ("Unterminated" in what or _CUT.match(self._text, place)):
            self._pos = len(self._text)
            self.refuse("the document is truncated: copy it again, or make the backup again")
        self._pos = max(self._pos, place)
        self.refuse(f"no JSON: {what}, and {self._shown()} found; make the backup again")

    def _shown(self) -> str:
        return repr(self._text[self._pos : self._pos + 40].partition("\n")[0])

    def _grown(self) -> bool:
        """Read as much again as the value has so far, so that looking again stays linear."""
        length = len(self._text) - self._pos
        if length > _LONGEST:
            self.refuse("a value is longer than a row can be")
        read = False
        while len(self._text) - self._pos < 2 * length and self._more():
            read = True
        return read or (length == 0 and self._more())

    def _more(self) -> bool:
        """Append the next piece; ``False`` at the end."""
        if self._ended:
            return False
        data = self._file.read(_PIECE)
        try:
            piece = self._decode(data, not data)
        except UnicodeDecodeError:
            self._pos = len(self._text)
            self.refuse(
                "bytes that are no UTF-8 behind this line: the file is damaged or truncated"
            )
        self._ended = not data
        self._line = self.line
        self._text, self._pos = self._text[self._pos :] + piece, 0
        self._counted = 0
        return not self._ended


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"the name {name!r} occurs twice in one object")
            seen.add(name)
    return value


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON; write it as a text in quotes")
