"""Expressions of the catalogue, read: the model makes of them what the server does."""

from __future__ import annotations

import pytest

from verifier.model.expressions import evaluate
from verifier.model.schema import Column, Expression, Op, Table, column
from verifier.servers import Pair, Side
from verifier.worlds.deparsed import expression
from verifier.worlds.tokens import literals, reads

COLUMNS = {
    "id": "integer",
    "n": "numeric(10,2)",
    "t": "text",
    "v": "character varying(20)",
    "b": "boolean",
    "d": "date",
    "big": "bigint",
    "odd name": "text",
}
READ = [
    "n > 0",
    "n BETWEEN -1 AND 2.5",
    "id >= -5 AND id <= 7",
    "big > id",
    "n >= id",
    "t = 'it''s'",
    "t IN ('a', 'it''s')",
    "v IN ('a', 'b')",
    "v NOT IN ('a', 'b')",
    "id NOT IN (1, 2)",
    "v <> 'a' OR v IS NULL",
    "b",
    "NOT b",
    "b = true",
    "t IS NULL",
    "t IS NOT NULL AND NOT (v IS NULL)",
    "(n = 0) <> (id = 0)",
    "length(t) <= 4",
    "char_length(v) = 1",
    "lower(t) = 'a'",
    "lower(v) = v",
    "t || v = 'aB'",
    "coalesce(t, v) IS NOT NULL",
    "coalesce(id, 0) < 2",
    "id + 1 > 2",
    "d >= '2024-01-01'",
    '"odd name" = t',
]
ASKED = [
    "t LIKE 'a%'",
    "n * 2 > 4",
    "n::int = 2",
    "t < 'b'",
    "t IS DISTINCT FROM v",
    "b IS TRUE",
    "n > 0 OR t ~ '^a'",
    "CASE WHEN b THEN n > 0 ELSE true END",
    "abs(n) > 1",
]
ROWS = [
    (1, "0", "a", "a", True, "2024-01-01", 1, "a"),
    (0, "2.50", "it's", "B", False, "2023-12-31", -7, None),
    (None, None, None, None, None, None, None, "x"),
    (-5, "-1", "A", "b", True, "infinity", 2**40, "A"),
    (7, "7.00", "Abcde", "", None, "2025-06-01", 7, ""),
]


@pytest.fixture(scope="module")
def table(servers: Pair):
    """A table with :data:`ROWS`; the second call answers what the server makes of an expression."""
    database = servers.databases(Side.TARGET).create("expressions")
    with database.connect() as session:
        listed = ", ".join(f'"{name}" {type}' for name, type in COLUMNS.items())
        session.execute(f"CREATE TABLE t ({listed})".encode())
        for row in ROWS:
            session.execute("INSERT INTO t VALUES (%s, %s, %s, %s, %s, %s, %s, %s)", row)
        yield session
    servers.databases(Side.TARGET).drop(database)


def _printed(session, written: str) -> str:
    """``written`` as the catalogue prints it."""
    session.execute(f"ALTER TABLE t ADD CONSTRAINT c CHECK ({written}) NOT VALID".encode())
    (text,) = session.execute(
        "SELECT pg_get_expr(conbin, conrelid) FROM pg_constraint WHERE conname = 'c'"
    ).fetchone()
    session.execute("ALTER TABLE t DROP CONSTRAINT c")
    return text


def _opaque(found: Expression) -> bool:
    return found.op is Op.OPAQUE or any(map(_opaque, found.arguments))


@pytest.mark.parametrize("written", [*READ, *ASKED])
def test_the_model_makes_of_it_what_the_server_does(table, written: str) -> None:
    found = expression(_printed(table, written), COLUMNS, "boolean")
    assert _opaque(found) is (written in ASKED and written != "t < 'b'")
    columns = tuple(Column(name=name, type=type) for name, type in COLUMNS.items())
    modelled = Table(name="t", columns=columns)
    texts = ", ".join(f'"{name}"::text' for name in COLUMNS)
    typed = ", ".join(f'%s::{type} AS "{name}"' for name, type in COLUMNS.items())

    def ask(_: Table, asked: Expression, row: tuple[str | None, ...]) -> str | None:
        assert written in ASKED, f"{asked} had to be asked for"
        text = (asked.text if asked.op is Op.OPAQUE else written).replace("%", "%%")
        query = f"SELECT ({text})::text FROM (SELECT {typed}) x"
        return table.execute(query.encode(), row).fetchone()[0]

    for row, wanted in table.execute(f"SELECT ARRAY[{texts}], ({written})::text FROM t".encode()):
        got = evaluate(found, modelled, tuple(row), ask)
        assert (got and got[0]) == (wanted and wanted[0]), row


def test_only_the_part_that_is_unknown_is_opaque() -> None:
    found = expression("((n > (0)::numeric) OR (t ~ '^a'::text))", COLUMNS)
    assert [each.op for each in found.arguments] == [Op.LESS, Op.OPAQUE]
    assert found.arguments[1].text == "(t ~ '^a'::text)"
    assert found.arguments[1].columns == ("t",)
    assert found.reads == {"n", "t"}


def test_what_is_no_expression_at_all_is_opaque() -> None:
    for text in ("((n > 0)", "n >", "(n ¤ 1)", "()", "", "n n", "(t = ANY (n))", "((((("):
        assert expression(text, COLUMNS, "boolean").op is Op.OPAQUE, text
    assert expression('"odd name"', COLUMNS) == column("odd name")


def test_a_domains_own_value_is_a_column() -> None:
    found = expression(
        "((VALUE > (0)::numeric) AND (VALUE < (100)::numeric))", {"value": "numeric"}
    )
    assert found.reads == {"value"}
    assert not _opaque(found)
    assert expression("(VALUE ~ 'x'::text)", {"value": "text"}).columns == ("value",)


def test_constants_and_columns_are_found_in_any_text() -> None:
    text = "((kind = 'it''s'::text) AND (f(amount) > 1.50) AND (E'a\\\\b' ~ x.kind))"
    assert literals(text) == ["it's", "1.50", "a\\b"]
    assert reads(text, ["amount", "f", "it", "kind"]) == ("amount", "f", "kind")
