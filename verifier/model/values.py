"""When two values are equal, or one the smaller, as PostgreSQL's operators see it.

Values are texts as PostgreSQL prints them under pinned settings: ISO dates in UTC, intervals
in its own style, floats with all their digits.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Callable, Hashable, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from verifier.model.breach import NotModelled
from verifier.model.schema import Schema, Value
from verifier.model.types import Kind, Type, resolve

_NULL = ("NULL",)
_DAY = 24 * 60 * 60 * 10**6
_MICROSECONDS = {"year": 360 * _DAY, "mon": 30 * _DAY, "day": _DAY}
_QUANTITY = re.compile(r"([+-]?\d+) (year|mon|day)s?")
_CLOCK = re.compile(r"([+-]?)(\d+):(\d+):(\d+(?:\.\d+)?)$")
_RANGE = re.compile(
    r"""(?P<open>[\[(])(?P<lower>"(?:[^"\\]|""|\\.)*"|[^,"]*),"""
    r"""(?P<upper>"(?:[^"\\]|""|\\.)*"|[^\])"]*)(?P<close>[\])])"""
)
_MARK = re.compile(r'[{},]|"(?:[^"\\]|\\.)*"|(?:[^{},"\\]|\\.)+', re.DOTALL)


def comparable(type: str, schema: Schema, value: Value) -> Hashable:
    """What stands for ``value``: equal for two values if and only if PostgreSQL says ``=``.

    NULL is equal to itself here; whether that counts is the caller's question. Values of an
    unknown type are held to be equal if they print alike. :func:`has_equality` says for
    which types that is known.

    Raises :class:`NotModelled` for a type without ``=`` (``json``).
    """
    return None if value is None else form(resolve(type, schema), value)


def has_equality(type: str, schema: Schema) -> bool:
    """Whether :func:`comparable` knows when two values of the type are equal."""
    kind = _innermost(resolve(type, schema)).kind
    return kind not in (Kind.UNKNOWN, Kind.JSON)


def cast_to_text(type: str, schema: Schema, value: Value) -> Value:
    """``value::text``, which is not how every type prints."""
    kind = resolve(type, schema)
    if value is None:
        return None
    if kind.kind is Kind.CHAR:
        return value.rstrip(" ")
    if kind.kind is Kind.BOOLEAN:
        return "true" if _boolean(kind, value) else "false"
    if kind.name == "inet" and "/" not in value:
        return f"{value}/{128 if ':' in value else 32}"
    return value


def ordered(type: Type, value: str) -> Any:
    """What ``value`` is sorted by, comparable with that of other values of the type.

    Raises :class:`NotModelled` where the order is a matter of collation, or not known.
    """
    if type.kind in _ORDERED:
        return form(type, value)
    if type.name == "uuid":
        return value
    raise NotModelled(f"the order of values of type {type.name} is not modelled")


def number(type: Type, value: str) -> tuple[int, Any]:
    """A number of any type; NaN is above all others, and equal to itself.

    Raises :class:`NotModelled` for what is printed as no number.
    """
    try:
        return _number(type, value)
    except (InvalidOperation, ValueError) as error:
        raise NotModelled(f"{value!r} as a value of type {type.name} is not modelled") from error


def _number(type: Type, value: str) -> tuple[int, Any]:
    if type.kind in (Kind.FLOAT4, Kind.FLOAT8):
        floating = float(value)
        if type.kind is Kind.FLOAT4 and math.isfinite(floating):
            floating = struct.unpack("f", struct.pack("f", floating))[0]
        return (1, 0) if math.isnan(floating) else (0, floating)
    exact = Decimal(value)
    return (1, 0) if exact.is_nan() else (0, exact)


def _innermost(type: Type) -> Type:
    return type if type.of is None else _innermost(type.of)


def form(type: Type, value: str) -> Hashable:
    """As :func:`comparable`, of a type that was resolved."""
    return _FORMS.get(type.kind, _as_printed)(type, value)


def _as_printed(type: Type, value: str) -> Hashable:
    return value


def _boolean(type: Type, value: str) -> Hashable:
    return value.strip().lower() in ("t", "true", "y", "yes", "on", "1")


def _char(type: Type, value: str) -> Hashable:
    return value.rstrip(" ")


def _date(type: Type, value: str) -> Hashable:
    """Year, and the rest as text, which sorts as it is; ``timestamptz`` is in UTC."""
    if value.endswith("infinity"):
        return (-1 if value.startswith("-") else 1, 0, "")
    year, rest = value.removesuffix(" BC").split("-", 1)
    return (0, -int(year) if value.endswith(" BC") else int(year), rest.removesuffix(" BC"))


def _interval(type: Type, value: str) -> Hashable:
    if value.endswith("infinity"):
        return (-1 if value.startswith("-") else 1, 0)
    total = sum(int(count) * _MICROSECONDS[unit] for count, unit in _QUANTITY.findall(value))
    clock = _CLOCK.search(value)
    if clock:
        sign, hours, minutes, seconds = clock.groups()
        whole = int(Decimal(seconds) * 10**6) + (int(hours) * 60 + int(minutes)) * 60 * 10**6
        total += -whole if sign == "-" else whole
    return (0, total)


def _json(type: Type, value: str) -> Hashable:
    raise NotModelled("values of type json cannot be compared with =")


def _jsonb(type: Type, value: str) -> Hashable:
    return _frozen(json.loads(value, parse_int=Decimal, parse_float=Decimal))


def _frozen(document: object) -> Hashable:
    """The kind stands with each value: true is not 1, and the empty list no empty object."""
    if isinstance(document, dict):
        return ("object", frozenset((name, _frozen(held)) for name, held in document.items()))
    if isinstance(document, list):
        return ("list", tuple(map(_frozen, document)))
    return (document.__class__.__name__, document if isinstance(document, Hashable) else None)


def _enum(type: Type, value: str) -> Hashable:
    return type.labels.index(value) if value in type.labels else value


def _array(type: Type, value: str) -> Hashable:
    """Bounds count: ``[0:1]={1,2}`` is not ``{1,2}``."""
    bounds, _, braces = value.partition("=") if value.startswith("[") else ("", "", value)
    element = type.of or Type(Kind.UNKNOWN, "")
    items = _items(iter(_MARK.findall(braces)), element)
    return (bounds, next(items))


def _items(marks: Iterator[str], element: Type) -> Iterator[Hashable]:
    """The elements up to the brace that closes; an array inside is a tuple."""
    for mark in marks:
        if mark == "{":
            yield tuple(_items(marks, element))
        elif mark == "}":
            return
        elif mark.startswith('"'):
            yield form(element, re.sub(r"\\(.)", r"\1", mark[1:-1], flags=re.DOTALL))
        elif mark.strip().upper() == "NULL":
            yield _NULL
        elif mark != ",":
            yield form(element, re.sub(r"\\(.)", r"\1", mark.strip(), flags=re.DOTALL))


def _range(type: Type, value: str) -> Hashable:
    found = _RANGE.fullmatch(value)
    if not found:
        return value  # empty
    of = type.of or Type(Kind.UNKNOWN, "")
    lower, upper = (
        None if found[side] == "" else form(of, _unquoted(found[side]))
        for side in ("lower", "upper")
    )
    return (found["open"], lower, upper, found["close"])


def _unquoted(bound: str) -> str:
    if not bound.startswith('"'):
        return bound
    return re.sub(r'\\(.)|"(")', lambda hit: hit[1] or hit[2], bound[1:-1])


def _multirange(type: Type, value: str) -> Hashable:
    one = type.of or Type(Kind.UNKNOWN, "")
    return tuple(_range(one, found[0]) for found in _RANGE.finditer(value))


_FORMS: dict[Kind, Callable[[Type, str], Hashable]] = {
    Kind.INTEGER: number,
    Kind.NUMERIC: number,
    Kind.FLOAT4: number,
    Kind.FLOAT8: number,
    Kind.BOOLEAN: _boolean,
    Kind.CHAR: _char,
    Kind.DATE: _date,
    Kind.INTERVAL: _interval,
    Kind.JSON: _json,
    Kind.JSONB: _jsonb,
    Kind.ENUM: _enum,
    Kind.ARRAY: _array,
    Kind.RANGE: _range,
    Kind.MULTIRANGE: _multirange,
}
_ORDERED: Sequence[Kind] = (
    Kind.INTEGER,
    Kind.NUMERIC,
    Kind.FLOAT4,
    Kind.FLOAT8,
    Kind.BOOLEAN,
    Kind.DATE,
    Kind.TIME,
    Kind.INTERVAL,
    Kind.ENUM,
)
