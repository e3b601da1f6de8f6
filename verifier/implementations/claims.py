"""What a program under test says of its restore, read from JSON, and made a claim.

The document is the one that ``restore-verifier restore --json`` writes; every key may be left
out, and what is not said is not claimed. The same can be said in pieces, one JSON object a
line. Table names are taken as they are; :mod:`verifier.implementations.spelling` finds the
tables that they mean.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import NoReturn, TypeVar

from verifier.contract import Claim, Counts, Merge, Rejection, Row
from verifier.readers import suggestion

T = TypeVar("T")

LIMIT = 16 * 1024 * 1024
"""Bytes of a claim; more is not read."""
SCHEMA = 1
ROWS = "rows"
KINDS = (*(each.name for each in fields(Counts)), ROWS)
"""What numbers of a claim may count."""
_DIGITS = 18
"""Of the largest number of rows; Python refuses to read, and to show, thousands of them."""
UNNAMED = ""
"""Stands for the column of a key that is given as one value: the table's primary key."""

_LISTS = ("tables", "merges", "rejections", "notes")
_KEYS = ("schema", "success", "message", ROWS, *_LISTS)
_OURS = ("exit_code", "dry_run", "file", "target", "seconds", "quarantine", "written")
"""What our own document holds besides, and what is no part of a claim."""
_PIECES = ("success", "message", "note", "merge", "rejection", "table", *KINDS)


class Unreadable(Exception):
    """A claim that cannot be read; its text says what was found, and where."""


class Number(str):
    """A number of a JSON document, as it is written there."""

    __slots__ = ()


@dataclass
class Testimony:
    """What was said; ``None`` where nothing was."""

    success: bool | None = None
    message: str = ""
    figures: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    merges: list[Merge] | None = None
    rejections: list[Rejection] | None = None
    notes: list[str] = field(default_factory=list)

    def count(self, table: str, kind: str, number: int) -> None:
        """Add ``number`` rows; no table stands for all of them together."""
        self.figures[table][kind] = self.figures[table].get(kind, 0) + number

    def reject(self, rejection: Rejection) -> None:
        self.rejections = [*(self.rejections or ()), rejection]

    def merge(self, merge: Merge) -> None:
        self.merges = [*(self.merges or ()), merge]

    def claim(self, *, success: bool, exit_code: int | None = None, words: str = "") -> Claim:
        """The claim; ``success`` and ``words`` stand for what was not said."""
        figures = {table: dict(told) for table, told in self.figures.items()}
        return Claim(
            success=success if self.success is None else self.success,
            exit_code=exit_code,
            message=self.message or words,
            figures=figures or None,
            merges=None if self.merges is None else tuple(self.merges),
            rejections=None if self.rejections is None else tuple(self.rejections),
            notes=tuple(self.notes),
        )


def parse(text: str) -> object:
    """The JSON value of ``text``, with its numbers as they are written (:class:`Number`).

    Raises :class:`Unreadable` with the line.
    """
    try:
        value: object = json.loads(
            text, parse_int=Number, parse_float=Number, parse_constant=_no_constant
        )
        if "\\ud" in text.lower():
            _check_unicode(value)
    except json.JSONDecodeError as error:
        line = text.split("\n")[error.lineno - 1]
        raise Unreadable(
            f"no JSON in line {error.lineno}, column {error.colno} ({error.msg}): {_shown(line)}"
        ) from None
    except RecursionError:
        raise Unreadable("JSON that is nested too deeply") from None
    return value


def _check_unicode(value: object) -> None:
    """Half of a surrogate pair, which JSON can escape, is no text that anybody could write."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise Unreadable("half of a surrogate pair, which is no character") from None


def _no_constant(word: str) -> NoReturn:
    raise Unreadable(f"{word}, which is no number of JSON")


def _shown(line: str) -> str:
    return repr(line[:80]) + ("…" if len(line) > 80 else "")


# -- one document -------------------------------------------------------------------------------


def of_text(text: str) -> Testimony:
    """What the JSON document ``text`` says. Raises :class:`Unreadable`."""
    return of_document(parse(text))


def of_document(value: object) -> Testimony:
    """What a JSON document says, as :func:`parse` (or any parser) has read it."""
    content = _object(value, "the document", (*_KEYS, *_OURS))
    if "schema" in content and _whole(content["schema"], "schema") != SCHEMA:
        raise Unreadable(f"schema {content['schema']!r}; {SCHEMA} is known")
    said = Testimony()
    _words(said, content)
    if ROWS in content:
        said.count("", ROWS, _whole(content[ROWS], ROWS))
    tables = _object(content.get("tables", {}), "tables")
    for name, told in tables.items():
        _counts(said, name, told if isinstance(told, Mapping) else {ROWS: told})
    if content.get("rejections") is not None:
        said.rejections = _all(content["rejections"], "rejections", _rejection)
    if content.get("merges") is not None:
        said.merges = _all(content["merges"], "merges", _merge)
    said.notes = _all(content.get("notes") or [], "notes", _text)
    return said


def _all(value: object, where: str, read: Callable[[object, str], T]) -> list[T]:
    if not isinstance(value, list):
        raise Unreadable(f"{where} is {_brief(value)}, and no list")
    return [read(each, f"{where}[{place}]") for place, each in enumerate(value)]


# -- a piece a line -----------------------------------------------------------------------------


def of_lines(lines: Iterable[str], *, lenient: bool = False) -> Testimony:
    """What JSON objects say, one a line; ``lenient`` passes over lines that begin otherwise.

    Numbers that are said twice of one table add up. Raises :class:`Unreadable` with the line.
    """
    said = Testimony()
    for number, line in enumerate(lines, start=1):
        if not line.strip() or (lenient and not line.lstrip().startswith("{")):
            continue
        try:
            _piece(said, parse(line))
        except Unreadable as error:
            where = "" if str(error).startswith("no JSON") else f": {_shown(line)}"
            told = str(error).replace("in line 1, column", "at column", 1)
            raise Unreadable(f"line {number}: {told}{where}") from None
    return said


def _piece(said: Testimony, value: object) -> None:
    content = _object(value, "the line", _PIECES)
    _words(said, content)
    if "note" in content:
        said.notes.append(_text(content["note"], "note"))
    if "merge" in content:
        said.merge(_merge(content["merge"], "merge"))
    if "rejection" in content:
        said.reject(_rejection(content["rejection"], "rejection"))
    table = _text(content["table"], "table") if "table" in content else ""
    _counts(said, table, {kind: content[kind] for kind in KINDS if kind in content})


# -- the parts ----------------------------------------------------------------------------------


def _words(said: Testimony, content: Mapping[str, object]) -> None:
    if "success" in content:
        if not isinstance(content["success"], bool):
            raise Unreadable(f"success is {_brief(content['success'])}; write true or false")
        said.success = content["success"]
    if content.get("message") is not None:
        said.message = _text(content["message"], "message")


def _counts(said: Testimony, table: str, told: Mapping[str, object]) -> None:
    name = table or "the total"
    for kind, number in _object(told, f"tables[{name!r}]", KINDS).items():
        said.count(table, kind, _whole(number, f"{kind} of {name}"))


def _rejection(value: object, where: str) -> Rejection:
    content = _object(value, where, ("table", "key", "reason", "constraint"))
    return Rejection(
        table=_text(_needed(content, "table", where), f"table of {where}"),
        key=key_of(content.get("key"), f"key of {where}"),
        reason=_text(_needed(content, "reason", where), f"reason of {where}"),
        constraint=_optional(content.get("constraint"), f"constraint of {where}"),
    )


def _merge(value: object, where: str) -> Merge:
    content = _object(value, where, ("table", "key", "survivor", "constraint"))
    return Merge(
        table=_text(_needed(content, "table", where), f"table of {where}"),
        key=key_of(_needed(content, "key", where), f"key of {where}"),
        survivor=key_of(_needed(content, "survivor", where), f"survivor of {where}"),
        constraint=_optional(content.get("constraint"), f"constraint of {where}"),
    )


def key_of(value: object, where: str) -> Row:
    """A row's key from JSON: an object of columns, or the value of the primary key alone."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        return {UNNAMED: _cell(value, where)}
    return {str(name): _cell(cell, f"{name} of {where}") for name, cell in value.items()}


def _cell(value: object, where: str) -> str | None:
    """A value in PostgreSQL's text form."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, str | int | float):
        return str(value)
    raise Unreadable(f"{where} is {_brief(value)}; write the value as text")


def _object(
    value: object, where: str, known: Collection[str] | None = None
) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise Unreadable(f"{where} is {_brief(value)}, and no object")
    for key in value if known is not None else ():
        assert known is not None
        if key not in known:
            shown = [each for each in known if each not in _OURS]
            raise Unreadable(
                f"{where} has the unknown key {key!r}{suggestion(str(key), shown)}; "
                f"known are {', '.join(shown)}"
            )
    return value


def _needed(content: Mapping[str, object], key: str, where: str) -> object:
    if key not in content:
        raise Unreadable(f"{where} has no {key}")
    return content[key]


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or isinstance(value, Number):
        raise Unreadable(f"{where} is {_brief(value)}, and no text")
    return str(value)


def _optional(value: object, where: str) -> str:
    return "" if value is None else _text(value, where)


def _whole(value: object, where: str) -> int:
    number = None
    if isinstance(value, int | str) and not isinstance(value, bool):
        number = whole(str(value))
    if number is not None:
        return number
    raise Unreadable(f"{where} is {_brief(value)}; write a whole number, 0 or more")


def whole(digits: str) -> int | None:
    """The number of rows that ``digits`` say; ``None`` for what can be none."""
    fits = digits.isdecimal() and digits.isascii() and len(digits) <= _DIGITS
    return int(digits) if fits else None


def _brief(value: object) -> str:
    shown = str(value) if isinstance(value, Number) else repr(value)
    return shown if len(shown) <= 60 else shown[:60] + "…"
