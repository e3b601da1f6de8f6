"""Values of unique keys that pass from row to row, and what a row may hold in between."""

from __future__ import annotations

import pytest

from tests.initial_load.conftest import Move
from verifier.contract import Counts

ROWS = "INSERT INTO a VALUES "
SWAPPED = {
    "a check on a column that is not NULL, and another column": (
        "CREATE TABLE a (id int PRIMARY KEY, code text NOT NULL CHECK (length(code) = 2),"
        " n int NOT NULL, UNIQUE (code, n))",
        ("(1, 'aa', 1), (2, 'bb', 1)", "(1, 'bb', 1), (2, 'aa', 1)"),
    ),
    "a check of the length": (
        "CREATE TABLE a (id int PRIMARY KEY, code text NOT NULL UNIQUE CHECK (length(code) = 2))",
        ("(1, 'aa'), (2, 'bb')", "(1, 'bb'), (2, 'aa')"),
    ),
    "a check that needs a value, and one that does not": (
        "CREATE TABLE a (id int PRIMARY KEY, code text CHECK (code IS NOT NULL), UNIQUE (code))",
        ("(1, 'aa'), (2, 'bb')", "(1, 'bb'), (2, 'aa')"),
    ),
    "a domain that needs a value": (
        "CREATE DOMAIN d AS numeric(5,2) NOT NULL CHECK (value >= 0);"
        "CREATE TABLE a (id int PRIMARY KEY, code d UNIQUE)",
        ("(1, 1), (2, 2)", "(1, 2), (2, 1)"),
    ),
    "a number at the end of its type, and a name": (
        "CREATE TABLE a (id int PRIMARY KEY, n int NOT NULL, name text NOT NULL, UNIQUE (n, name))",
        ("(1, 2147483647, 'x'), (2, 1, 'x')", "(1, 1, 'x'), (2, 2147483647, 'x')"),
    ),
    "a partition for no other number": (
        "CREATE TABLE a (id int, part int, name text NOT NULL, PRIMARY KEY (id, part),"
        " UNIQUE (part, name)) PARTITION BY LIST (part);"
        "CREATE TABLE a1 PARTITION OF a FOR VALUES IN (1)",
        ("(1, 1, 'x'), (2, 1, 'y')", "(1, 1, 'y'), (2, 1, 'x')"),
    ),
    "a key that takes all NULLs for one": (
        "CREATE TABLE a (id int PRIMARY KEY, name text UNIQUE, UNIQUE NULLS NOT DISTINCT (name))",
        ("(1, 'x'), (2, 'y'), (3, NULL)", "(1, 'y'), (2, 'x'), (3, NULL)"),
    ),
    "a key over a generated column": (
        "CREATE TABLE a (id int PRIMARY KEY, name text NOT NULL,"
        " low text GENERATED ALWAYS AS (lower(name)) STORED UNIQUE, UNIQUE (name))",
        ("(1, 'X'), (2, 'y')", "(1, 'Y'), (2, 'x')"),
    ),
}


@pytest.mark.parametrize("name", SWAPPED)
def test_swapped(move: Move, name: str) -> None:
    table, (source, target) = SWAPPED[name]
    claim = move(table, ROWS + source, ROWS + target)
    assert claim.success, claim.message
    assert move.again().counts == {"public.a": Counts(unchanged=source.count("("))}


@pytest.mark.parametrize(
    "rules",
    [
        "code text NOT NULL CHECK (code IN ('aa', 'bb')), CONSTRAINT k UNIQUE (code)",
        "code text CHECK (code IN ('aa', 'bb') AND code IS NOT NULL), CONSTRAINT k UNIQUE (code)",
    ],
)
def test_nothing_to_hold_in_between_is_told_of_the_row(move: Move, rules: str) -> None:
    claim = move(
        f"CREATE TABLE a (id int PRIMARY KEY, {rules})",
        ROWS + "(1, 'aa'), (2, 'bb')",
        ROWS + "(1, 'bb'), (2, 'aa')",
    )
    assert {one.constraint for one in claim.rejections or ()} == {"k"}
    assert [one.key["id"] for one in claim.rejections or ()] == ["1", "2"]
