"""Expressions over rows, by hand and against a server."""

from __future__ import annotations

from itertools import product

import pytest

from verifier.model.breach import NotModelled
from verifier.model.expressions import evaluate, holds, refused, table_of
from verifier.model.schema import (
    Check,
    Column,
    Domain,
    Enum,
    Expression,
    Op,
    Row,
    Schema,
    Table,
    Value,
    column,
    literal,
)

SCHEMA = Schema(tables=(), enums=(Enum(name="mood", labels=("sad", "ok")),))
TABLE = Table(
    name="t",
    columns=(
        Column(name="n", type="integer"),
        Column(name="p", type="numeric(10,2)"),
        Column(name="f", type="double precision"),
        Column(name="s", type="text"),
        Column(name="c", type="character(4)"),
        Column(name="b", type="boolean"),
        Column(name="m", type="mood"),
        Column(name="j", type="json"),
        Column(
            name="up",
            type="text",
            generated=Expression(op=Op.LOWER, arguments=(column("s"),)),
        ),
    ),
)


def of(op: Op, *arguments: Expression, type: str = "") -> Expression:
    return Expression(op=op, arguments=arguments, type=type)


def row(**values: Value) -> Row:
    return tuple(values.get(each.name) for each in TABLE.stored)


@pytest.mark.parametrize(
    ("expression", "values", "result"),
    [
        (of(Op.LESS, column("n"), literal("10")), {"n": "9"}, "t"),
        (of(Op.LESS, column("n"), column("p")), {"n": "9", "p": "10.00"}, "t"),
        (of(Op.EQUAL, column("n"), column("f")), {"n": "1", "f": "1"}, "t"),
        (of(Op.EQUAL, column("p"), column("f")), {"p": "0.10", "f": "0.1"}, "t"),
        (of(Op.AT_MOST, column("f"), literal("NaN")), {"f": "Infinity"}, "t"),
        (of(Op.LESS, column("m"), literal("ok")), {"m": "sad"}, "t"),
        (of(Op.EQUAL, column("c"), literal("a")), {"c": "a   "}, "t"),
        (of(Op.EQUAL, column("s"), literal("a")), {"s": "a "}, "f"),
        (of(Op.LESS, column("n"), literal("1")), {}, None),
        (of(Op.IS_NULL, column("n")), {}, "t"),
        (of(Op.NOT, column("b")), {}, None),
        (of(Op.NOT, column("b")), {"b": "f"}, "t"),
        (of(Op.LOWER, column("s")), {"s": "AbC"}, "abc"),
        (column("up"), {"s": "AbC"}, "abc"),
        (of(Op.LENGTH, column("c")), {"c": "ab  "}, "2"),
        (of(Op.LENGTH, column("s")), {"s": "é "}, "2"),
        (of(Op.PLUS, column("n"), literal("1")), {"n": "-1"}, "0"),
        (of(Op.JOIN, column("s"), literal("-"), column("c")), {"s": "a ", "c": "b   "}, "a -b"),
        (of(Op.JOIN, column("s"), column("n")), {"s": "a", "n": None}, None),
        (of(Op.COALESCE, column("s"), literal("")), {}, ""),
        (of(Op.EQUAL, of(Op.COALESCE, column("p"), literal("0")), literal("0.0")), {}, "t"),
    ],
)
def test_value(expression: Expression, values: dict[str, Value], result: Value) -> None:
    assert evaluate(expression, TABLE, row(**values), schema=SCHEMA) == result


def test_and_and_or_know_unknown() -> None:
    meaning: dict[Value, bool | None] = {"t": True, "f": False, None: None}
    for one, other in product(meaning, meaning):
        table = Table(
            name="t", columns=(Column(name="a", type="bool"), Column(name="b", type="bool"))
        )
        both = of(Op.AND, column("a"), column("b"))
        either = of(Op.OR, column("a"), column("b"))
        sides = {meaning[one], meaning[other]}
        all_of = False if False in sides else None if None in sides else True
        any_of = True if True in sides else None if None in sides else False
        assert meaning[evaluate(both, table, (one, other))] is all_of
        assert meaning[evaluate(either, table, (one, other))] is any_of


def test_a_predicate_is_true_and_a_check_is_not_false() -> None:
    positive = of(Op.LESS, literal("0"), column("n"))
    assert [holds(positive, TABLE, row(n=n)) for n in ("1", "0", None)] == [True, False, False]
    assert [refused(positive, TABLE, row(n=n)) for n in ("1", "0", None)] == [False, True, False]


def test_a_domains_check() -> None:
    condition = of(Op.LESS, column("value"), literal("10"))
    domain = Domain(name="d", base="int", checks=(Check(name="d_check", condition=condition),))
    assert refused(condition, table_of(domain), ("11",))
    assert not refused(condition, table_of(domain), ("9",))


@pytest.mark.parametrize(
    "expression",
    [
        Expression(op=Op.OPAQUE, text="random()", type="text"),
        of(Op.LESS, column("s"), literal("b")),
        of(Op.LOWER, column("s")),
        of(Op.EQUAL, column("j"), column("j")),
        of(Op.PLUS, column("n"), literal("1")),
        of(Op.JOIN, column("b"), column("s")),
    ],
)
def test_what_only_a_server_knows_is_asked(expression: Expression) -> None:
    values = row(s="É", j="{}", n="2147483647", b="t")
    with pytest.raises(NotModelled):
        evaluate(expression, TABLE, values, schema=SCHEMA)
    asked = []

    def ask(table: Table, part: Expression, given: Row) -> Value:
        asked.append((table, part, given))
        return "answer"

    assert evaluate(of(Op.COALESCE, expression), TABLE, values, ask, SCHEMA) == "answer"
    assert asked == [(TABLE, expression, values)]
