"""What a user names as their own to go by: a schema, and rows to take values from.

Either is a file of SQL or a database. ``--seed`` also takes the number that the generated
data follow from: a number and a place, each at most once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from verifier import readers
from verifier.dsn import Dsn, is_dsn
from verifier.errors import UsageError

Place = Path | Dsn
"""A file of SQL, or a database."""
_PLACE = "the name of a file of SQL that is there, or a connection string"
_number = readers.whole("a whole number", least=None)


def place(given: object, where: str, what: str = _PLACE) -> Place:
    """Reads the name of a file that is there, or a connection string."""
    word = readers.text(given, where)
    if is_dsn(word):
        return readers.dsn(word, where)
    if not Path(word).is_file():
        raise UsageError(f"{where} is {word!r}, and there is no such file; give {what}")
    return Path(word)


@dataclass(frozen=True, slots=True)
class Seeds:
    """What generated data come from."""

    number: int = 20251208
    """The same number makes the same data."""
    rows: Place | None = None
    """Rows whose values the data may take."""
    chosen: bool = field(default=False, compare=False)
    """Whether somebody gave the number."""

    def to_plain(self) -> list[object]:
        """What :func:`seeds` reads again, **passwords included**."""
        rows = self.rows.conninfo if isinstance(self.rows, Dsn) else self.rows and str(self.rows)
        return [self.number, *filter(None, [rows])]

    def __str__(self) -> str:
        return ", ".join(map(str, [self.number, *filter(None, [self.rows])]))


def seeds(given: object, where: str) -> Seeds:
    """Reads a number, a place, or both: a list, or one a line of text."""
    listed = given.splitlines() or [given] if isinstance(given, str) else given
    numbers: list[int] = []
    places: list[Place] = []
    for each in (listed or [""]) if isinstance(listed, list) else [listed]:
        if isinstance(each, str) and not _is_number(each):
            places.append(place(each, where, f"a whole number, {_PLACE}"))
        else:
            numbers.append(_number(each, where))
    if len(numbers) > 1 or len(places) > 1:
        raise UsageError(f"{where} is given twice; give one number, one file or database, or both")
    number = numbers[0] if numbers else Seeds().number
    return Seeds(number, places[0] if places else None, chosen=bool(numbers))


def _is_number(word: str) -> bool:
    return word.strip().lstrip("+-").isdigit()
