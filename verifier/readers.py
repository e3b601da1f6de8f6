"""How a setting's value is read, from text or from a TOML value, and what a bad one is told.

A reader takes what was given and the place where it was given, which its error names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from verifier.comparison import Ignore, Part
from verifier.dsn import Dsn
from verifier.errors import UsageError
from verifier.transfer import Exclude, quoted
from verifier.transfer import parts as name_parts

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)
Reader = Callable[[object, str], T]
"""Turns what was given (text, or a TOML value) and where into a field's value."""

_LOOKS_LIKE_URL = re.compile("postgres(?:ql)?://")
_URL = re.compile(r"[a-z]+://(?:[^@/]*@)?[^@/?]*(?:/[^@?]*)?(?:\?.*)?", re.DOTALL)
"""A connection string with an @ before its host alone."""

_SWITCH = {"1": True, "true": True, "0": False, "false": False}
_LONGEST = 2_147_483
"""Seconds that PostgreSQL can wait: 32 bits of milliseconds."""
_NEWEST = "newest:"

_EXCLUDE = "give it as 'TABLE: CONDITION', with a condition as SQL writes it"
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


def seconds(given: object, where: str) -> float:
    """A time to wait, in seconds and parts of them, that PostgreSQL can count in milliseconds."""
    return _amount(given, where, "seconds", 0.001, _LONGEST)


def minutes(given: object, where: str) -> float:
    """A time to work, in minutes and parts of them."""
    return _amount(given, where, "minutes", 0.01, 10_000)


def _amount(given: object, where: str, unit: str, least: float, most: int) -> float:
    number: float | None = None
    if isinstance(given, int | float) and not isinstance(given, bool):
        number = float(given)
    elif isinstance(given, str):
        with suppress(ValueError):
            number = float(text(given, where))
    if number is None or not least <= number <= most:
        raise UsageError(
            f"{where} is {given!r}; give a number of {unit}, {least} or more and at most {most}"
        )
    return number


def switch(given: object, where: str) -> bool:
    """On or off: a boolean, or 1, 0, true, false as text."""
    found = given if isinstance(given, bool) else None
    if isinstance(given, str):
        found = _SWITCH.get(text(given, where).lower())
    if found is None:
        raise UsageError(f"{where} is {given!r}; give true or false")
    return found


def path(given: object, where: str) -> Path:
    return Path(text(given, where))


def prefer(given: object, where: str) -> str:
    """``newest:COLUMN``; :func:`recency` takes the column out of it."""
    word = text(given, where)
    if not word.startswith(_NEWEST) or len(name_parts(word.removeprefix(_NEWEST).strip())) != 1:
        raise UsageError(
            f"{where} is {word!r}; give it as {_NEWEST}COLUMN, the name of one column "
            'that says when a row was changed, in double quotes where it holds a dot ("like.this")'
        )
    return _NEWEST + quoted(recency(word))


def recency(preferred: str | None) -> str:
    """The column of ``newest:COLUMN``, without quotes; empty for ``None``."""
    (column,) = name_parts((preferred or "").removeprefix(_NEWEST).strip()) or ("",)
    return column


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
    return tuple(
        Ignore(*_pair(line, where, "reason", _IGNORE)) for line in lines(given, where, _IGNORE)
    )


def excludes(given: object, where: str) -> tuple[Exclude, ...]:
    """What a backup leaves out, from a list of ``TABLE: CONDITION``, or one a line of text."""
    found = [
        Exclude(*_pair(line, where, "condition", _EXCLUDE))
        for line in lines(given, where, _EXCLUDE)
    ]
    for each in found:
        if len(name_parts(each.table)) not in (1, 2):
            raise UsageError(f"{where} is {str(each)!r}, and {each.table} is no table; {_EXCLUDE}")
    return tuple(found)


def lines(given: object, where: str, advice: str) -> list[str]:
    """Each value of a repeatable setting: a list, or one a line of text."""
    found = given.splitlines() or [given] if isinstance(given, str) else given
    if not isinstance(found, list) or not all(isinstance(line, str) for line in found):
        raise UsageError(f"{where} is {given!r}; {advice}")
    return [line.strip() for line in found if line.strip() or len(found) == 1]


def _pair(line: str, where: str, noun: str, advice: str) -> tuple[str, str]:
    """``TABLE: WORDS`` in two; ``noun`` says what the words are."""
    what, *rest = _split(line, ":", where)
    words = ":".join(rest).strip()
    if not what.strip():
        raise UsageError(f"{where} is {line!r}, which names no table; {advice}")
    if not words:
        raise UsageError(f"{where} is {line!r}, which gives no {noun}; {advice}")
    return what.strip(), words


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
