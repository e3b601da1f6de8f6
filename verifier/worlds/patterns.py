"""Texts that match a pattern of LIKE or a regular expression, a few for each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any
from warnings import catch_warnings, simplefilter

_LONGEST = 100
_SHOWN = 8
"""Texts for one pattern."""
_CLASSES = {
    codes.CATEGORY_DIGIT: "1205",
    codes.CATEGORY_NOT_DIGIT: "abX",
    codes.CATEGORY_WORD: "aB1_",
    codes.CATEGORY_NOT_WORD: "- .",
    codes.CATEGORY_SPACE: " ",
    codes.CATEGORY_NOT_SPACE: "aB1",
}
_CANDIDATES = "aAbB10zZ9_-.@ /:#+"
"""Of characters that a class does not exclude."""


def matching(pattern: str) -> list[str]:
    """Texts that ``pattern`` may have meant, be it one of LIKE or a regular expression.

    Most expressions mean the same to Python as to PostgreSQL; whether a text does is for
    the server to say.
    """
    found: list[str] = []
    if "%" in pattern or "_" in pattern:
        found += [
            pattern.replace("%", filling).replace("_", letter)
            for filling, letter in (("", "a"), ("a", "b"), ("x1", "1"))
        ]
    if re.search(r"[\\^$.*+?\[(|{]", pattern):
        with suppress(re.error, OverflowError, RecursionError, _Unable), catch_warnings():
            simplefilter("ignore")
            parsed = parser.parse(_as_python(pattern))
            found += [_text(parsed, turn) for turn in range(_SHOWN)]
    return list(dict.fromkeys(found))


_POSIX = {
    "[:alpha:]": "a-zA-Z", "[:digit:]": "0-9", "[:alnum:]": "a-zA-Z0-9", "[:upper:]": "A-Z",
    "[:lower:]": "a-z", "[:space:]": " ", "[:xdigit:]": "0-9a-f", "[:punct:]": "!-/",
}  # fmt: skip


def _as_python(pattern: str) -> str:
    for name, characters in _POSIX.items():
        pattern = pattern.replace(name, characters)
    return re.sub(r"\\[mMyY]", "", pattern)


class _Unable(Exception):
    """A part of a pattern that no text is made for."""


def _text(parsed: Any, turn: int) -> str:
    """The text of one ``turn``; another turn chooses otherwise where there is a choice."""
    return "".join(_part(code, argument, turn) for code, argument in parsed)


def _part(code: Any, argument: Any, turn: int) -> str:
    if code not in _PARTS:
        raise _Unable
    return _PARTS[code](argument, turn)


def _one_of(inside: list[tuple[Any, Any]], turn: int) -> str:
    choices = list(islice(_characters(inside), 64))
    if not choices:
        raise _Unable
    return choices[turn * 7 % len(choices)]


def _repeated(argument: tuple[int, Any, Any], turn: int) -> str:
    least, most, inside = argument
    times = min(max(least, turn + 1), int(most))
    if times > _LONGEST:
        raise _Unable
    return "".join(_text(inside, turn + n) for n in range(times))


_PARTS: dict[Any, Callable[[Any, int], str]] = {
    codes.LITERAL: lambda argument, _: chr(argument),
    codes.ANY: lambda _, turn: "aB1-"[turn % 4],
    codes.IN: _one_of,
    codes.NOT_LITERAL: lambda each, turn: _one_of(
        [(codes.NEGATE, None), (codes.LITERAL, each)], turn
    ),
    codes.MAX_REPEAT: _repeated,
    codes.MIN_REPEAT: _repeated,
    codes.SUBPATTERN: lambda argument, turn: _text(argument[-1], turn),
    codes.BRANCH: lambda argument, turn: _text(argument[1][turn % len(argument[1])], turn),
    codes.AT: lambda _, __: "",
}


def _characters(inside: list[tuple[Any, Any]]) -> Iterator[str]:
    negated = bool(inside) and inside[0][0] is codes.NEGATE
    found = [each for code, argument in inside for each in _class(code, argument)]
    yield from (each for each in _CANDIDATES if each not in found) if negated else found


def _class(code: Any, argument: Any) -> Iterator[str]:
    if code is codes.LITERAL:
        yield chr(argument)
    elif code is codes.RANGE:
        low, high = argument
        yield from (chr(each) for each in range(low, min(high, low + 40) + 1))
    elif code is codes.CATEGORY:
        yield from _CLASSES.get(argument, "")
