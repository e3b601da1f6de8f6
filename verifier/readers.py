"""How a setting's value is read, from text or from a TOML value, and what a bad one is told.

A reader takes what was given and the place where it was given, which its error names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from difflib import get_close_matches
from enum import StrEnum
from typing import TypeVar

from verifier.comparison import Ignore, Part
from verifier.dsn import Dsn
from verifier.errors import UsageError

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)
Reader = Callable[[object, str], T]
"""Turns what was given (text, or a TOML value) and where into a field's value."""

_LOOKS_LIKE_URL = re.compile("postgres(?:ql)?://")
_URL = re.compile(r"[a-z]+://(?:[^@/]*@)?[^@/?]*(?:/[^@?]*)?(?:\?.*)?", re.DOTALL)
"""A connection string with an @ before its host alone."""

_IGNORE = "give it as 'TABLE: REASON' or 'TABLE.COLUMN: REASON'; the report prints the reason"


def suggestion(word: str, choices: Iterable[str]) -> str:
    """`` (did you mean …?)`` for the closest of ``choices``, else the empty string."""
    close = get_close_matches(word, list(choices), n=1, cutoff=0.6)
    return f" (did you mean {close[0]}?)" if close else ""


def text(given: object, where: str) -> str:
    if not isinstance(given, str):
        raise UsageError(f"{where} is {given!r}; give text in quotes")
    if not given.strip():
        raise UsageError(f"{where} is given but empty; give a value or leave it out")
    return given.strip()


def member(choices: type[E]) -> Reader[E]:
    """Reads a word that is one of an enumeration's."""

    def read(given: object, where: str) -> E:
        word = text(given, where)
        try:
            return choices(word)
        except ValueError:
            hint = suggestion(word, choices)
            raise UsageError(
                f"{where} is {word!r}{hint}; choose from {', '.join(choices)}"
            ) from None

    return read


def whole(what: str, *, least: int | None) -> Reader[int]:
    """Reads a whole number that is not below ``least``; ``what`` says so in words."""

    def read(given: object, where: str) -> int:
        number = given if isinstance(given, int) and not isinstance(given, bool) else None
        if isinstance(given, str):
            with suppress(ValueError):
                number = int(text(given, where))
        if number is None or (least is not None and number < least):
            raise UsageError(f"{where} is {given!r}; give {what}")
        return number

    return read


def dsn(given: object, where: str) -> Dsn:
    if not isinstance(given, str):
        raise UsageError(f"{where} is not text; give a connection string in quotes")
    shown = text(given, where)
    try:
        found = Dsn.parse(shown)
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None
    if _LOOKS_LIKE_URL.match(shown) and not _URL.fullmatch(shown):
        # What libpq takes for a host or a database would be a part of the password, and be shown.
        raise UsageError(
            f"{where}: the connection string has an @ too many; in the user, the password and the "
            "database write @ as %40, / as %2F, : as %3A and % as %25"
        )
    return found


def names(given: object, where: str) -> tuple[str, ...]:
    """Names from a list, or from a text with commas between them; commas in quotes are kept."""
    words = _split(given, ",", where) if isinstance(given, str) else given
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise UsageError(f"{where} is {given!r}; give names separated by commas, or a list of them")
    return tuple(word.strip() for word in words if word.strip())


def patterns(given: object, where: str) -> tuple[str, ...]:
    """Like :func:`names`; an empty text is refused, since none given would stand for all."""
    found = names(given, where)
    if not found and given != []:
        raise UsageError(f"{where} is given but empty; give names, or leave it out for all")
    return found


def parts(given: object, where: str) -> tuple[Part, ...]:
    """Parts of a comparison, each once and in the order of :class:`Part`."""
    found = {member(Part)(word, where) for word in names(given, where)}
    if not found:
        raise UsageError(f"{where} is given but empty; choose from {', '.join(Part)}")
    return tuple(part for part in Part if part in found)


def ignores(given: object, where: str) -> tuple[Ignore, ...]:
    """Deliberate differences from a list of ``TABLE[.COLUMN]: REASON``, or one a line of text."""
    lines = given.splitlines() or [given] if isinstance(given, str) else given
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise UsageError(f"{where} is {given!r}; {_IGNORE}")
    return tuple(_ignore(line.strip(), where) for line in lines if line.strip() or len(lines) == 1)


def _ignore(line: str, where: str) -> Ignore:
    what, *rest = _split(line, ":", where)
    reason = ":".join(rest).strip()
    if not what.strip():
        raise UsageError(f"{where} is {line!r}, which names no table; {_IGNORE}")
    if not reason:
        raise UsageError(f"{where} is {line!r}, which gives no reason; {_IGNORE}")
    return Ignore(what.strip(), reason)


def _split(given: str, separator: str, where: str) -> list[str]:
    """``given`` split at the separators outside of double quotes, as SQL writes names.

    Quotes count before the first colon only: what follows it are a reason's words.
    """
    found, inside = [""], False
    for character in given:
        counts = separator == "," or len(found) == 1
        inside ^= character == '"' and counts
        if character == separator and not inside:
            found.append("")
        else:
            found[-1] += character
    if inside:
        raise UsageError(f'{where} is {given!r}, with a " that is not closed; close it')
    return found
