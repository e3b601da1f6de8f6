"""When values are equal in memory is when PostgreSQL says that they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from verifier.model.breach import NotModelled
from verifier.model.schema import Domain, Enum, Schema
from verifier.model.types import resolve
from verifier.model.values import comparable, has_equality, ordered
from verifier.servers import Pair, Side

SCHEMA = Schema(
    tables=(),
    enums=(Enum(name="mood", labels=("sad", "ok")),),
    domains=(Domain(name="Price", base="numeric(10,2)"), Domain(name="tags", base="text[]")),
)
VALUES = {
    "integer": ["0", "-1", "10", "9"],
    "bigint": ["9007199254740993", "9007199254740992"],
    "numeric": ["1.0", "1.00", "1", "-0.5", "NaN", "Infinity", "-Infinity", "1000000000000000001"],
    "double precision": ["0", "-0", "0.1", "NaN", "Infinity", "1e-300", "-5"],
    "real": ["0.1", "0.3", "NaN", "-0", "0", "16777216", "16777217"],
    "text": ["a", "a ", "A", "", "NULL"],
    "character varying(5)": ["a", "a "],
    "character(5)": ["a", "a ", "b"],
    "boolean": ["t", "f"],
    "uuid": ["00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000b"],
    "bytea": ["\\x00", "\\x", "\\x0a"],
    "date": [
        "2024-02-29",
        "0044-03-15 BC",
        "0044-03-16 BC",
        "10000-01-01",
        "infinity",
        "-infinity",
    ],
    "timestamp without time zone": ["2024-01-01 00:00:00", "2024-01-01 00:00:00.5", "infinity"],
    "timestamp(3) with time zone": [
        "2024-01-01 00:00:00+00",
        "2024-01-01 00:00:00.5+00",
        "0001-01-01 00:00:00+00 BC",
    ],
    "time": ["24:00:00", "00:00:00", "10:00:00.25"],
    "interval": [
        "1 mon",
        "30 days",
        "1 day",
        "24:00:00",
        "-1 days +24:00:00",
        "00:00:00",
        "1 year 2 mons",
        "14 mons",
        "-00:00:01.5",
        "00:00:01.5",
    ],
    "jsonb": [
        '{"a": 1.0, "b": [true]}',
        '{"b": [true], "a": 1}',
        "true",
        "1",
        "[]",
        "{}",
        "null",
        '"null"',
        '[1, "1"]',
        "1e400",
    ],
    "numeric[]": ["{1.0,NULL}", "{1,NULL}", "[0:1]={1,NULL}", "{}", "{{1},{NULL}}"],
    "text[]": ['{"NULL"}', "{NULL}", '{""}', "{}", '{"a\\"b","c,d"}', '{"a\\"b",c,d}', '{"{}"}'],
    "numrange": ["[1.0,2)", "[1,2.00)", "(1,2)", "empty", "(,)", "[1,)"],
    "tsrange": ['["2020-01-01 00:00:00","2020-01-02 00:00:00")', '["2020-01-01 00:00:00",)'],
    "nummultirange": ["{[1.0,2),[3,4)}", "{[1,2),[3,4)}", "{}", "{[1,2)}"],
    "bit(3)": ["101", "100"],
    "bit varying": ["1", "10"],
    "money": ["$1.00", "$1.50"],
    "inet": ["10.0.0.1", "10.0.0.1/24", "::1"],
    "mood": ["ok", "sad"],
    '"Price"': ["1.50", "2.00"],
    'public."Price"[]': ["{1.50}", "{1.5}"],
    "tags": ["{a}", "{b}"],
}
SORTED = {"integer", "numeric", "double precision", "boolean", "date", "interval", "mood", "uuid"}
"""Of these at least the order is known, too."""


@pytest.fixture
def session(servers: Pair) -> Iterator[psycopg.Connection[Any]]:
    databases = servers.databases(Side.TARGET)
    database = databases.create("values")
    with database.connect() as connection:
        connection.execute(
            "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN tags AS text[];"
            'CREATE DOMAIN "Price" AS numeric(10,2)'
        )
        yield connection
    databases.drop(database)


def test_equality_and_order_are_the_servers(session: psycopg.Connection[Any]) -> None:
    for type, values in VALUES.items():
        pairs = [(one, other) for place, one in enumerate(values) for other in values[place:]]
        found = session.execute(
            f"SELECT one::{type} = other::{type}, one::{type} < other::{type}"
            " FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS _ (one, other, n) ORDER BY n",
            ([one for one, _ in pairs], [other for _, other in pairs]),
        ).fetchall()
        for (one, other), (equal, less) in zip(pairs, found, strict=True):
            forms = [comparable(type, SCHEMA, value) for value in (one, other)]
            assert (type, one, other, forms[0] == forms[1]) == (type, one, other, equal)
            assert hash(forms[0]) == hash(forms[1]) or not equal
            try:
                before, after = (ordered(resolve(type, SCHEMA), value) for value in (one, other))
            except NotModelled:
                assert type not in SORTED
                continue
            assert (type, one, other, before < after) == (type, one, other, less)


def test_null_is_null() -> None:
    assert comparable("integer", SCHEMA, None) is None


def test_json_has_no_equality() -> None:
    with pytest.raises(NotModelled, match="json"):
        comparable("json", SCHEMA, "{}")


@pytest.mark.parametrize(
    ("type", "known"),
    [
        ("numeric(3,1)[]", True),
        ("citext", False),
        ("json", False),
        ("json[]", False),
        ("mood", True),
    ],
)
def test_which_equality_is_known(type: str, known: bool) -> None:
    assert has_equality(type, SCHEMA) is known
