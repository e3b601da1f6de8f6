"""A value, as COPY prints it → JSON that JavaScript can use and that keeps all of it.

The reverse of :mod:`verifier.initial_load.reading.json_values`, which gives the same value
back. Numbers are JSON numbers as far as JavaScript holds them exactly, text otherwise.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from verifier.initial_load.catalog import Column
from verifier.initial_load.reading.json_text import parse
from verifier.initial_load.reading.json_times import (
    DATE,
    TIME,
    TIMESTAMP,
    TIMESTAMP_WITH_ZONE,
)
from verifier.initial_load.reading.json_values import JSON_TYPES, dumps

Cell = Callable[[str], str]
"""A value's text → JSON. Raises :class:`Uncarried`."""

quote: Cell = json.JSONEncoder(ensure_ascii=False).encode

_SAFE = (1 << 53) - 1  # Number.MAX_SAFE_INTEGER
_MOMENT = re.compile(r"(\d{4,6})(-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d+))?(?:\+00)?( BC)?", re.ASCII)
_DAY = re.compile(r"(\d{4,6})(-\d\d-\d\d)( BC)?", re.ASCII)
_TIME = re.compile(r"((?!24)\d\d:\d\d:\d\d)(?:\.(\d+))?", re.ASCII)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class Uncarried(ValueError):
    """A value that JSON has no form for; says what it is."""


def cell(column: Column) -> Cell:
    """How the values of ``column`` that are not NULL are written."""
    base = column.underlying
    if base.endswith("[]"):
        return _array(base[:-2])
    return _single(base)


def _single(base: str) -> Cell:
    return _BY_TYPE.get(base, quote)


def _as_it_is(text: str) -> str:
    return text


def _bigint(text: str) -> str:
    return text if -_SAFE <= int(text) <= _SAFE else quote(text)


def _float(text: str) -> str:
    return text if text[-1].isdigit() else quote(text)  # NaN and infinities are no JSON


def _boolean(text: str) -> str:
    return "true" if text == "t" else "false"


def _bytes(text: str) -> str:
    """As Node's Buffer is written by ``JSON.stringify``."""
    return f'{{"type":"Buffer","data":[{",".join(map(str, bytes.fromhex(text[2:])))}]}}'


def _json(text: str) -> str:
    """``json`` keeps the text that it was given, of which its value alone comes back."""
    try:
        same = dumps(parse(text)) == text
    except (ValueError, RecursionError):
        same = False
    if not same:
        raise Uncarried("a text of type json whose blanks or escapes are its own")
    return text


def _moment(text: str) -> str:
    """As ``Date.prototype.toISOString`` has it, with microseconds where there are some."""
    found = _MOMENT.fullmatch(text)
    if found is None:  # infinity
        return quote(text)
    year, day, time, fraction, before = found.groups()
    return f'"{_year(year, before)}{day}T{time}.{(fraction or "").ljust(3, "0")}Z"'


def _day(text: str) -> str:
    found = _DAY.fullmatch(text)
    if found is None:
        return quote(text)
    return f'"{_year(found[1], found[3])}{found[2]}T00:00:00.000Z"'


def _year(year: str, before: str | None) -> str:
    """A year of ECMA-262: 1 BC is the year 0."""
    if before:
        return f"{1 - int(year):+07}"
    return year if len(year) == 4 else f"{int(year):+07}"


def _time(text: str) -> str:
    found = _TIME.fullmatch(text)
    if found is None:  # 24:00:00
        return quote(text)
    return f'"1970-01-01T{found[1]}.{(found[2] or "").ljust(3, "0")}Z"'


_BY_TYPE: dict[str, Cell] = {
    "smallint": _as_it_is,
    "integer": _as_it_is,
    "bigint": _bigint,
    "real": _float,
    "double precision": _float,
    "boolean": _boolean,
    "bytea": _bytes,
    "json": _json,
    "jsonb": _as_it_is,
    DATE: _day,
    TIME: _time,
    TIMESTAMP: _moment,
    TIMESTAMP_WITH_ZONE: _moment,
}


def _array(base: str) -> Cell:
    """A list, nested where the array has several dimensions.

    What no list can hold stays the text that PostgreSQL prints: bounds that are not 1, and
    documents that are json's own null, beside which NULL would look the same.
    """
    element = _single(base)
    separator = ";" if base == "box" else ","
    # A brace, a separator, or an element: manual, 8.15.6 "Array Input and Output Syntax".
    token = re.compile(rf'([{{}}{separator}])|"((?:[^"\\]|\\.)*)"|[^{{}}{separator}"]+', re.DOTALL)
    marks = {"{": "[", "}": "]", separator: ","}

    def listed(text: str) -> str:
        parts = []
        for found in token.finditer(text):
            mark, quoted = found[1], found[2]
            if mark is not None:
                parts.append(marks[mark])
            elif quoted is not None:
                parts.append(element(_ESCAPED.sub(r"\1", quoted)))
            else:
                parts.append("null" if found[0] == "NULL" else element(found[0]))
        return "".join(parts)

    def documents(text: str) -> str:
        try:
            return quote(text) if _has_null_document(text, token) else listed(text)
        except Uncarried:
            return quote(text)

    write = documents if base in JSON_TYPES else listed
    return lambda text: quote(text) if text.startswith("[") else write(text)


def _has_null_document(text: str, token: re.Pattern[str]) -> bool:
    # A list within the list would be taken for a document.
    return text.startswith("{{") or any(each[2] == "null" for each in token.finditer(text))
