"""A claim read out of what a program prints for people, by regular expressions.

The groups of an expression say what it finds: numbers, a rejected row, a merged row, or
words. Each line of the output is looked at by each expression.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from verifier.contract import Merge, Rejection, Row
from verifier.errors import UsageError
from verifier.implementations.claims import KINDS, UNNAMED, Testimony, Unreadable, whole
from verifier.implementations.tables import strings
from verifier.readers import suggestion

_LINE = 4096
"""Characters of a line that are looked at: an expression may take long over more."""
_WORDS = ("message", "note", "success", "failure")
_ABOUT_ROW = ("table", "reason", "constraint", "key", "survivor")
_KEY, _SURVIVOR = "key_", "survivor_"
_SEPARATORS = str.maketrans("", "", ",_' \u00a0\u202f")
"""What people put between the digits of a number."""


class _About(Enum):
    NUMBERS = "numbers"
    REJECTION = "a rejected row"
    MERGE = "a merged row"
    WORDS = "words"


@dataclass(frozen=True, slots=True)
class Pattern:
    """One expression, and what its groups are about."""

    expression: re.Pattern[str]
    about: _About

    def tell(self, said: Testimony, found: re.Match[str]) -> None:
        """Add what a match says."""
        groups = {name: value for name, value in found.groupdict().items() if value is not None}
        table = groups.get("table", "")
        if self.about is _About.NUMBERS:
            for kind in KINDS:
                if kind in groups:
                    said.count(table, kind, self._number(groups[kind], found))
        elif self.about is _About.REJECTION:
            said.reject(
                Rejection(
                    table=table,
                    key=_row(groups, "key"),
                    reason=groups.get("reason", found[0]).strip(),
                    constraint=groups.get("constraint", ""),
                )
            )
        elif self.about is _About.MERGE:
            survivor, rule = _row(groups, "survivor"), groups.get("constraint", "")
            said.merge(
                Merge(table=table, key=_row(groups, "key"), survivor=survivor, constraint=rule)
            )
        else:
            _words(said, groups)

    def _number(self, word: str, found: re.Match[str]) -> int:
        number = whole(word.translate(_SEPARATORS))
        if number is None:
            raise Unreadable(
                f"{word!r}, found by {self.expression.pattern!r} in {found.string[:80]!r}, "
                "is no whole number"
            )
        return number


def read(given: object, where: str) -> tuple[Pattern, ...]:
    """Reads a list of expressions. Raises :class:`UsageError` for one that cannot be right."""
    return tuple(_pattern(each, where) for each in strings(given, where))


def of_output(patterns: Sequence[Pattern], lines: Iterable[str]) -> Testimony:
    """What ``lines`` say. Raises :class:`Unreadable` for a number that is none."""
    said = Testimony()
    # Who has a line for rejected rows rejects none where there is no such line.
    if any(each.about is _About.REJECTION for each in patterns):
        said.rejections = []
    if any(each.about is _About.MERGE for each in patterns):
        said.merges = []
    for line in lines:
        for pattern in patterns:
            for found in pattern.expression.finditer(line[:_LINE]):
                pattern.tell(said, found)
    return said


def _pattern(text: str, where: str) -> Pattern:
    try:
        expression = re.compile(text)
    except re.error as error:
        raise UsageError(
            f"{where} has the expression {text!r}, which cannot be read: {error}"
        ) from None
    groups = tuple(expression.groupindex)
    known = (*KINDS, *_ABOUT_ROW, *_WORDS)
    for name in groups:
        if name not in known and not name.startswith((_KEY, _SURVIVOR)):
            raise UsageError(
                f"{where} has the expression {text!r} with the unknown group "
                f"{name!r}{suggestion(name, known)}; known are {', '.join(known)}, and key_COLUMN "
                "and survivor_COLUMN"
            )
    return Pattern(expression, _about(groups, text, where))


def _about(groups: Sequence[str], text: str, where: str) -> _About:
    found = []
    if any(name in KINDS for name in groups):
        found.append(_About.NUMBERS)
    if any(name == "survivor" or name.startswith(_SURVIVOR) for name in groups):
        found.append(_About.MERGE)
    elif any(name in ("key", "reason", "constraint") or name.startswith(_KEY) for name in groups):
        found.append(_About.REJECTION)
    if any(name in _WORDS for name in groups):
        found.append(_About.WORDS)
    if len(found) != 1:
        what = " and ".join(each.value for each in found) or "nothing"
        raise UsageError(
            f"{where} has the expression {text!r}, which is about {what}; name its groups so that "
            "it is about one thing: numbers (inserted, rows, …), a rejected row (key, reason), "
            "a merged row (key, survivor) or words (message, failure, …)"
        )
    if found[0] in (_About.REJECTION, _About.MERGE) and "table" not in groups:
        raise UsageError(
            f"{where} has the expression {text!r}, which names no table; add a group (?P<table>…)"
        )
    return found[0]


def _row(groups: dict[str, str], name: str) -> Row:
    row: dict[str, str | None] = {}
    if name in groups:
        row[UNNAMED] = groups[name]
    start = f"{name}_"
    return row | {
        key.removeprefix(start): cell for key, cell in groups.items() if key.startswith(start)
    }


def _words(said: Testimony, groups: dict[str, str]) -> None:
    if "note" in groups:
        said.notes.append(groups["note"])
    if "message" in groups:
        said.message = groups["message"]
    # A failure is one whatever is said of it later.
    if "failure" in groups:
        said.message = groups["failure"] if said.success is not False else said.message
        said.success = False
    elif "success" in groups:
        said.success = said.success is not False
