"""Values that a column of some type might take, to be tried on the server."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from itertools import pairwise

from verifier.model.schema import Expression, Op
from verifier.model.types import Kind, Type
from verifier.worlds.patterns import matching
from verifier.worlds.tokens import literals

_WIDEST = 64
"""Characters of a text that is made because a rule names its length."""

_NUMBERS = [*map(str, range(1, 9)), "0", "10", "12", "42", "100", "2024", "-1", "32767"]
_FRACTIONS = ["1", "2.5", "0", "10", "0.01", "99.99", "3", "4.2", "-1", "100", "0.5", "7", "1000"]
_TEXTS = [
    "a", "b", "c", "Ann", "it's", "x y", "A", "ä€", "d", "abc", "ABC", "abc-1", "12345", "e", "",
    "ann@example.org", "bob@example.org", "https://example.org/a", "+491701234567", "de", "EUR",
    "USD", "en-GB", "#3b82f6", "10.0.0.1", "2024-01-01", "00000000-0000-4000-8000-000000000001",
]  # fmt: skip
_DATES = ["2024-01-01", "2024-02-29", "2023-12-31", "2025-06-15", "1999-12-31", "2024-03-31"]
_TIMES = ["00:00:00", "12:30:00", "23:59:59.999999", "08:15:00"]
_UUIDS = [f"00000000-0000-4000-8000-{n:012}" for n in range(1, 9)]
_DOCUMENTS = [
    "{}",
    '{"a": 1}',
    '{"b": [1, 2]}',
    "[]",
    '["x"]',
    '{"a": 1.10, "c": null}',
    "1",
    '"x"',
]
_OF_KIND: dict[Kind, Sequence[str]] = {
    Kind.INTEGER: _NUMBERS,
    Kind.NUMERIC: _FRACTIONS,
    Kind.FLOAT4: ["1", "2.5", "0", "-1", "0.1", "1e10", "100", "3"],
    Kind.FLOAT8: ["1", "2.5", "0", "-1", "0.1", "1e10", "100", "3"],
    Kind.BOOLEAN: ["t", "f"],
    Kind.TEXT: _TEXTS,
    Kind.CHAR: _TEXTS,
    Kind.DATE: [*_DATES, "2024-01-01 12:00:00", "2024-06-01 08:30:00.123456"],
    Kind.TIME: _TIMES,
    Kind.INTERVAL: ["00:00:00", "1 day", "1 mon 2 days", "-01:00:00", "90 days"],
    Kind.JSON: _DOCUMENTS,
    Kind.JSONB: _DOCUMENTS,
}
_NAMED: dict[str, Sequence[str]] = {
    "uuid": _UUIDS,
    "bytea": ["\\x", "\\x00ff", "\\x41", "\\xdeadbeef"],
    "money": ["1.00", "0.00", "12.50", "-1.00"],
    "inet": ["10.0.0.1", "10.0.0.2", "::1", "10.0.0.0/8"],
    "cidr": ["10.0.0.0/8", "192.168.0.0/16", "::1/128"],
    "macaddr": ["08:00:2b:01:02:03", "08:00:2b:01:02:04"],
    "macaddr8": ["08:00:2b:01:02:03:04:05", "08:00:2b:01:02:03:04:06"],
    "timetz": ["00:00:00+00", "12:30:00+00", "08:15:00+00"],
}
# Of types that nobody here knows: whatever the input of some type takes.
_ANYTHING = [
    "a", "1", "0", "a.b", "a=>1", '"a"=>"1"', "a:1", "(1,2)", "(0,0),(1,1)", "[(0,0),(1,1)]",
    "((0,0),(1,1),(1,0))", "<(0,0),1>", "{1,2,3}", "[1,2,3]", "<a/>", "0/16B3740", "{}", "[1,3)",
    "2024-01-01", "10.0.0.1", *(f"({',' * commas})" for commas in range(1, 9)), "()",
]  # fmt: skip


def of_type(type: Type, spelling: str, constants: Sequence[str] = ()) -> list[str]:
    """Texts to be tried for a type; ``constants`` are what its rules compare it with."""
    return list(dict.fromkeys([*_near(type, constants), *_usual(type, spelling)]))


def constants(expression: Expression) -> list[str]:
    """What ``expression`` compares with."""
    if expression.op is Op.LITERAL:
        return [expression.text]
    own = literals(expression.text) if expression.op is Op.OPAQUE else []
    return [*own, *(text for each in expression.arguments for text in constants(each))]


def _usual(type: Type, spelling: str) -> Sequence[str]:
    """What is tried whatever the rules say."""
    if type.kind is Kind.ENUM:
        return type.labels
    if type.of is not None:
        return list(_NESTED[type.kind](type.of))
    if type.name in ("bit", "varbit"):
        width = int((re.findall(r"\d+", spelling) or ["1"])[0])
        return [mark * width for mark in "01"] + ["10" * (width // 2) + "1" * (width % 2)]
    if type.kind is Kind.EXACT:
        return _NAMED[type.name]
    return _OF_KIND.get(type.kind, _ANYTHING)


def _array(of: Type) -> Iterator[str]:
    inside = [_element(text) for text in of_type(of, of.name)[:4]]
    yield from ("{}", *(f"{{{each}}}" for each in inside), f"{{{','.join(inside[:3])},NULL}}")


def _element(text: str) -> str:
    if text.startswith("{"):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _range(of: Type) -> Iterator[str]:
    texts = sorted(set(of_type(of, of.name)[:5]))
    yield "empty"
    for low, high in pairwise(texts):
        yield f'["{low}","{high}")'
    yield f'["{texts[0]}",)'


def _multirange(of: Type) -> Iterator[str]:
    yield from ("{}", *(f"{{{each}}}" for each in _range(of.of or of)))


_NESTED: dict[Kind, Callable[[Type], Iterator[str]]] = {
    Kind.ARRAY: _array,
    Kind.RANGE: _range,
    Kind.MULTIRANGE: _multirange,
}


def _near(type: Type, constants: Sequence[str]) -> Iterator[str]:
    """The constants themselves, and what is next to them."""
    for text in constants:
        yield text
        yield from _neighbours(type, text)
    if type.kind in (Kind.JSON, Kind.JSONB):
        keys = [text for text in constants if re.fullmatch(r"[\w-]+", text)]
        for value in ('"x"', "1", "2", "3", "true"):
            yield "{" + ", ".join(f'"{key}": {value}' for key in keys) + "}"


def _neighbours(type: Type, text: str) -> Iterator[str]:
    if type.kind in (Kind.TEXT, Kind.CHAR):
        yield from _lengths(text)
        yield from matching(text)
    elif type.kind in (Kind.INTEGER, Kind.NUMERIC, Kind.FLOAT4, Kind.FLOAT8):
        with suppress(InvalidOperation):
            number = Decimal(text)
            yield from (str(number + 1), str(number - 1))
            if type.kind is not Kind.INTEGER:
                yield from (str(number + Decimal("0.01")), str(number - Decimal("0.01")))
    elif type.kind is Kind.DATE:
        with suppress(ValueError, OverflowError):
            day = date.fromisoformat(text[:10])
            yield from (str(day + timedelta(1)), str(day - timedelta(1)), str(day + timedelta(9)))


def _lengths(text: str) -> Iterator[str]:
    """Texts of the length that a rule may mean by a number, one shorter, one longer."""
    if text.isdigit() and int(text) <= _WIDEST:
        for length in (int(text), int(text) - 1, int(text) + 1):
            if length > 0:
                yield from ("x" * length, "A" * length, ("1234567890" * 7)[:length])
