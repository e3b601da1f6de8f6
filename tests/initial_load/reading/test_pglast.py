"""What is read is what PostgreSQL's own parser reads; what it calls no constant is refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pglast
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pglast import ast

from tests.initial_load.reading.tools import OFF, TEXTS, parse, quoted
from verifier.errors import BackupRefused
from verifier.initial_load.reading.events import Rows

Read = list[tuple[str | None, str, tuple[str, ...], tuple[str | None, ...]]]


class NotPlainError(Exception):
    """The statement computes something."""


class Number(str):
    """A number as the tree has it: without the sign of ``-0`` and the zeros of ``007``."""


def constant(node: Any) -> str | None:
    """The text of a constant as the reader gives it, from the parse tree."""
    if isinstance(node, ast.TypeCast) or not isinstance(node, ast.A_Const):
        raise NotPlainError(node)
    if node.isnull:
        return None
    value = node.val
    match value:
        case ast.Integer():
            return Number(value.ival or 0)
        case ast.Float():
            return Number(value.fval)
        case ast.Boolean():
            return "true" if value.boolval else "false"
        case ast.String():
            return str(value.sval)
        case ast.BitString():
            return str(value.bsval).removeprefix("b")
    raise NotPlainError(node)


def pglast_reads(text: str) -> Read:
    """The rows of ``text``. Raises for whatever is not an INSERT of constants."""
    found: Read = []
    for raw in pglast.parse_sql(text):
        statement = raw.stmt
        if not isinstance(statement, ast.InsertStmt):
            raise NotPlainError(statement)
        if statement.onConflictClause or statement.returningClause or statement.withClause:
            raise NotPlainError(statement)
        relation = statement.relation
        columns = tuple(one.name for one in statement.cols or ())
        if any(one.indirection for one in statement.cols or ()) or relation.alias:
            raise NotPlainError(statement)
        query = statement.selectStmt
        if query is None:
            found.append((relation.schemaname, relation.relname, (), ()))
            continue
        if not query.valuesLists or query.sortClause or query.limitCount:
            raise NotPlainError(query)
        for row in query.valuesLists:
            found.append(
                (relation.schemaname, relation.relname, columns, tuple(map(constant, row)))
            )
    return found


def we_read(text: str, **options: Any) -> Read:
    return [
        (one.schema, one.table, one.columns, row)
        for one in parse(text + "\n", **options)
        if isinstance(one, Rows)
        for row in one.values()
    ]


def same(ours: str | None, theirs: str | None) -> bool:
    if isinstance(theirs, Number) and ours is not None and ours != theirs:
        return Decimal(ours) == Decimal(theirs)
    return ours == theirs


def agrees(text: str) -> bool:
    """Whether both read ``text``, and then alike; what we accept, the server's parser must."""
    outcomes = []
    for bulk in (True, False):
        try:
            outcomes.append(we_read(text, bulk=bulk))
        except BackupRefused:
            outcomes.append(None)
    ours, careful = outcomes
    assert ours == careful
    if ours is None:
        return False
    theirs = pglast_reads(text)
    assert [one[:3] for one in ours] == [one[:3] for one in theirs]
    for mine, other in zip(ours, theirs, strict=True):
        assert len(mine[3]) == len(other[3])
        assert all(map(same, mine[3], other[3])), (mine, other)
    return True


NAMES = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=8
) | st.sampled_from(["it's", 'a"b', "a,b", "c)d", "e VALUES (f", "--", "$$", "\n", "select", "A b"])
LITERALS = st.one_of(
    TEXTS.map(quoted),
    TEXTS.map(lambda text: "E'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"),
    st.sampled_from(["NULL", "null", "true", "FALSE", "B'0101'", "x'1F'", "b''", "-0", "+1"]),
    st.integers(-(10**20), 10**20).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
)
PIECES = st.lists(
    st.sampled_from(
        ["'", "''", "\\", "E", "e", "B", "X", "U&", "N", "$$", "$a$", "1", "0", ".", "-", "+", "e5",
         "E-5", "_", "x", "n", "u00e9", "101", "NULL", "true", "(", ")", ", ", " ", "\n", "\t",
         "--", "/*", "*/", "::", "||", "é", ";", '"', "DEFAULT", "now()", "\r", "\1", "\v", ":"]
    ),
    min_size=1,
    max_size=7,
).map("".join)  # fmt: skip


def names(draw: st.DrawFn, width: int) -> list[str]:
    short = NAMES.filter(lambda name: len(name.encode()) <= 63)
    return draw(st.lists(short, min_size=width, max_size=width, unique=True))


def identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@st.composite
def statements(draw: st.DrawFn) -> str:
    width = draw(st.integers(1, 4))
    schema, table, *columns = map(identifier, names(draw, width + 2))
    rows = draw(
        st.lists(st.lists(LITERALS, min_size=width, max_size=width), min_size=1, max_size=4)
    )
    several = draw(st.booleans())
    system = draw(st.sampled_from(["", "OVERRIDING SYSTEM VALUE "]))
    head = f"INSERT INTO {schema}.{table} ({', '.join(columns)}) {system}VALUES"
    written = [f"({', '.join(row)})" for row in rows]
    if several:
        return f"{head}\n\t" + ",\n\t".join(written) + ";"
    return "\n".join(f"{head} {one};" for one in written)


@given(text=statements())
@settings(deadline=None, max_examples=400)
def test_whatever_pg_dump_can_write_is_read_alike(text: str) -> None:
    accepted = agrees(text)
    assert accepted or "+1" in text


@given(literal=PIECES, count=st.integers(1, 3))
@example(literal="'a'\n'b'", count=1)
@example(literal="'a'--\n'b'", count=1)
@example(literal="1_000", count=1)
@example(literal="E'\\v'", count=1)
@example(literal="'x'::text", count=1)
@settings(deadline=None, max_examples=1500)
def test_whatever_is_accepted_is_a_constant_to_the_server(literal: str, count: int) -> None:
    agrees(f"INSERT INTO s.t (a) VALUES ({literal});\n" * count)


@given(pieces=st.lists(st.sampled_from(
    ["INSERT INTO ", "s.t ", "(a) ", "VALUES ", "(1)", "('x')", ", ", ";", "\n", "DEFAULT VALUES",
     "OVERRIDING SYSTEM VALUE ", "ON CONFLICT DO NOTHING", "-- x\n", '"a"', "S", ".", "é", "(b)",
     "RETURNING a", "AS x ", "INSERT INTO s.t (a) VALUES (1);\n", "SELECT 1", "\r\n", "\f", "$1"]),
    max_size=9).map("".join))  # fmt: skip
@settings(deadline=None, max_examples=1000)
def test_whatever_statement_is_accepted_is_an_insert_of_constants(pieces: str) -> None:
    agrees("INSERT INTO s.t (a) VALUES (0);\n" + pieces)


@given(value=TEXTS)
@settings(deadline=None, max_examples=200)
def test_backslashes_with_a_meaning_are_those_of_escape_literals(value: str) -> None:
    """The parser of pglast always has standard_conforming_strings on; E'' says the same."""
    inside = value.replace("\\", "\\\\").replace("'", "''")
    statement = "INSERT INTO s.t (a) VALUES ({}'{}');\n"
    expected = pglast_reads(statement.format("E", inside) * 3)
    assert we_read(statement.format("", inside) * 3, head=OFF) == expected
