r"""A JSON value as the text that PostgreSQL reads for a column: exactly, or not at all.

What JavaScript writes is known (trap F06): a ``Buffer`` for ``bytea``, ISO 8601 for dates,
texts for what its numbers cannot hold. Base64 cannot be told from a text, so that
``bytea`` takes ``\x…`` or a ``Buffer`` only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NoReturn

from verifier.initial_load.catalog import Column
from verifier.initial_load.reading.json_text import Number, text

_HEX = re.compile(r"\\x(?:\s*[0-9a-fA-F]{2})*\s*")
_BYTES = frozenset(str(byte) for byte in range(256))
# A time with an offset other than zero, which PostgreSQL drops for types without zone.
_OFFSET = re.compile(r".*\d:\d\d.*[+-](?!00(?::?00)*$)\d\d(?::?\d\d)*$", re.DOTALL)
# A time with no zone at all, to which PostgreSQL would add the session's.
_ZONELESS = re.compile(
    r"[+-]?\d{4,}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)?|\d\d:\d\d(?::\d\d(?:\.\d+)?)?"
)
_TEXTS = ("text", "character varying", "character", '"char"', "name")
_ARRAY = re.compile(r"(?:\[[^=]*\]=)?\{.*\}", re.DOTALL)


class UnfitError(Exception):
    """A value that its column cannot take as it is; says why."""


def to_text(value: Any, column: Column, labels: Mapping[str, str] | None = None) -> str | None:
    """The text of ``value`` (see :class:`~.json_text.Document`), ``None`` for NULL.

    ``labels`` is what the values of the column's enum are called in the database. Raises
    :class:`UnfitError`.
    """
    if value is None:
        # Both NULLs of a json column are null in JavaScript; one of them is impossible here.
        return "null" if column.not_null and column.base in ("json", "jsonb") else None
    if column.kind == "A":
        return _array(value, column, labels or {})
    return _scalar(value, column.base, column.kind, labels or {})


def _scalar(value: Any, base: str, kind: str, labels: Mapping[str, str]) -> str:
    if base in ("json", "jsonb"):
        return _checked(text(value), base)
    if base == "bytea":
        return _bytes(value)
    match value:
        case bool() if kind == "B":
            return "true" if value else "false"
        case Number() if kind in ("N", "U"):
            return value[:]
        case str() if not isinstance(value, Number):
            return _checked(_zoned(labels.get(value, value), base), base)
        case list() | dict() if kind == "U" and not _is_buffer(value):
            return _checked(text(value), base)
    _unfit(value, base)


def _checked(written: str, base: str) -> str:
    if "\0" in written:
        raise UnfitError("holds a NUL (\\u0000), which no PostgreSQL text can")
    try:
        written.encode("utf-8")
    except UnicodeEncodeError:
        raise UnfitError(f"holds half a surrogate pair, which is no {base}") from None
    return written


def _zoned(value: str, base: str) -> str:
    if base.endswith("without time zone") or base == "date":
        if _OFFSET.fullmatch(value):
            raise UnfitError(f"has an offset ({value}), which its type {base} would drop")
    elif base.endswith("with time zone") and _ZONELESS.fullmatch(value):
        raise UnfitError(f"has no time zone ({value}), which its type {base} needs")
    return value


def _bytes(value: Any) -> str:
    if isinstance(value, str) and not isinstance(value, Number):
        if _HEX.fullmatch(value):
            return value
        raise UnfitError("is a text; bytea takes \\x and hexadecimal digits, or a Buffer")
    if _is_buffer(value) and all(isinstance(b, Number) and b in _BYTES for b in value["data"]):
        return "\\x" + bytes(int(byte) for byte in value["data"]).hex()
    _unfit(value, "bytea")


def _is_buffer(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"type", "data"}
        and value["type"] == "Buffer"
        and isinstance(value["data"], list)
    )


def _array(value: Any, column: Column, labels: Mapping[str, str]) -> str:
    """An array literal (manual, "Array Input and Output Syntax")."""
    if isinstance(value, str) and not isinstance(value, Number) and _ARRAY.fullmatch(value.strip()):
        return _checked(value, column.base)
    if not isinstance(value, list):
        _unfit(value, column.base)
    element = column.base.removesuffix("[]")
    return _elements(value, element, labels, ";" if element == "box" else ",")


def _elements(values: list[Any], element: str, labels: Mapping[str, str], comma: str) -> str:
    written = []
    for value in values:
        if value is None and element in ("json", "jsonb"):
            raise UnfitError("holds null, which is NULL or a json null: JSON cannot say which")
        if value is None:
            written.append("NULL")
        elif isinstance(value, list) and element not in ("json", "jsonb"):
            written.append(_elements(value, element, labels, comma))
        else:
            inside = _scalar(value, element, _kind(value, element), labels)
            written.append('"' + inside.replace("\\", "\\\\").replace('"', '\\"') + '"')
    return "{" + comma.join(written) + "}"


def _kind(value: Any, element: str) -> str:
    """A category for an array's element, of which the catalogue has none."""
    match value:
        case bool():
            return "B" if element == "boolean" else "S"
        case Number():
            return "S" if element in _TEXTS else "N"
        case _:
            return "S"


def _unfit(value: Any, base: str) -> NoReturn:
    what = {bool: "a boolean", Number: "a number", list: "a list", dict: "an object"}
    raise UnfitError(f"is {what.get(type(value), 'a text')}, which its type {base} does not take")
