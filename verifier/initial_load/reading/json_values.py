"""A JSON value → the text that a column of the target takes.

Values come as :mod:`.json_text` reads them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from verifier.initial_load.catalog import Column
from verifier.initial_load.reading.json_text import Number
from verifier.initial_load.reading.json_times import TYPES, moment

Convert = Callable[[Any], bytes | None]
"""Raises :class:`Unfit`."""

JSON_TYPES = ("json", "jsonb")
_text = json.JSONEncoder(ensure_ascii=False).encode
_MISFIT: dict[object, str] = {tuple: "an object", list: "a list"}


class Unfit(ValueError):
    """A value that its column has no text for; says what it is."""


def converter(
    column: Column, labels: Mapping[str, str] = MappingProxyType({}), *, own: bool = False
) -> Convert:
    """How values become the text of ``column``; bytes for COPY, not escaped yet.

    ``labels``: texts that are written otherwise, an enum's. ``own``: the file is a backup
    of ours, in which NULL is no json.
    """
    base = column.underlying
    if base in JSON_TYPES and (own or column.not_null):
        # What Prisma gives for a json null, too; where there can be no NULL, it is that.
        return lambda value: _encoded(dumps(value))
    if base.endswith("[]"):
        element = _single(base[:-2], labels)
        separator = ";" if base == "box[]" else ","
        nests = base[:-2] not in JSON_TYPES

        def convert(value: Any) -> bytes | None:
            if type(value) is list:
                return _encoded(_array(value, element, separator, nests))
            return _encoded(_plain(value, base))

        return convert
    single = _single(base, labels)
    return lambda value: _encoded(single(value))


def _single(base: str, labels: Mapping[str, str]) -> Callable[[Any], str | None]:
    if base in JSON_TYPES:
        return lambda value: None if value is None else dumps(value)
    if base == "bytea":
        return _bytea
    if base in TYPES:
        return lambda value: _moment(value, base)
    if labels:
        return lambda value: labels.get(value, value) if type(value) is str else _plain(value, base)
    return lambda value: _plain(value, base)


def _plain(value: Any, base: str) -> str | None:
    if value is None or type(value) is str or type(value) is Number:
        return value
    if value is True:
        return "true"
    if value is False:
        return "false"
    raise Unfit(f"{_MISFIT[type(value)]}, and the column's type is {base}")


def _moment(value: Any, base: str) -> str | None:
    if type(value) is Number:
        raise Unfit(f"a number, and the column's type is {base}; write the time as ISO 8601 does")
    if type(value) is not str:
        return _plain(value, base)
    try:
        return moment(value, base)
    except ValueError as error:
        raise Unfit(str(error)) from None


def _encoded(text: str | None) -> bytes | None:
    if text is None:
        return None
    if "\0" in text:
        raise Unfit("a text with a NUL, which no PostgreSQL text can hold")
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise Unfit("a text with half a surrogate pair, which is no character") from None


def dumps(value: Any) -> str:
    """``value`` as JSON text: members in their order, numbers as they were written."""
    match value:
        case Number():
            return value
        case str():
            return _text(value)
        case tuple():
            return "{" + ",".join([f"{_text(name)}:{dumps(one)}" for name, one in value]) + "}"
        case list():
            return "[" + ",".join([dumps(one) for one in value]) + "]"
        case bool():
            return "true" if value else "false"
        case _:
            return "null"


def _bytea(value: Any) -> str | None:
    if value is None:
        return None
    if type(value) is str:
        if value.startswith("\\x"):
            return value
        raise Unfit(
            "a text that does not begin with \\x, so that nobody can tell how it stands for bytes"
        )
    octets = _octets(value) if type(value) is tuple else None
    if octets is None:
        raise Unfit("neither bytes as a Buffer or Uint8Array nor a text that begins with \\x")
    return "\\x" + octets.hex()


def _octets(members: tuple[tuple[str, Any], ...]) -> bytes | None:
    """What ``JSON.stringify`` made an object of: a Buffer, or a Uint8Array by its indexes."""
    names = [name for name, _ in members]
    values: Any = [value for _, value in members]
    if sorted(names) == ["data", "type"] and dict(members)["type"] == "Buffer":
        values = dict(members)["data"]
    elif names != [str(index) for index in range(len(members))]:
        return None
    if type(values) is not list or not all(type(one) is Number for one in values):
        return None
    try:
        return bytes([int(one) for one in values])
    except ValueError:
        return None


def _array(
    values: list[Any], element: Callable[[Any], str | None], separator: str, nests: bool
) -> str:
    """An array literal. Source: manual, 8.15.6 "Array Input and Output Syntax"."""
    parts = []
    for value in values:
        if nests and type(value) is list:
            if not value:
                raise Unfit("a list with an empty list in it, which no PostgreSQL array can hold")
            parts.append(_array(value, element, separator, nests))
            continue
        text = element(value)
        if text is None:
            parts.append("NULL")
        else:
            escaped = text.replace("\\", "\\\\").replace('"', '\\"')
            parts.append(f'"{escaped}"')
    return "{" + separator.join(parts) + "}"
