"""Every kind of rule is seen when a row breaks it, and not when none does."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from verifier.model.rules import violations
from verifier.model.schema import (
    Check,
    Column,
    Domain,
    Expression,
    ForeignKey,
    Identity,
    Key,
    Op,
    Partition,
    PartitionBy,
    Partitioning,
    Row,
    Schema,
    Table,
    column,
    literal,
)

POSITIVE = Expression(op=Op.LESS, arguments=(literal("0"), column("value")))
LIVE = Expression(op=Op.NOT, arguments=(column("gone"),))
SCHEMA = Schema(
    tables=(
        Table(
            name="p",
            columns=(
                Column(name="id", type="integer", identity=Identity.SERIAL),
                Column(name="code", type="numeric"),
                Column(name="gone", type="boolean", not_null=True),
            ),
            keys=(
                Key(name="p_pkey", parts=(column("id"),), primary=True),
                Key(
                    name="p_code",
                    parts=(column("code"),),
                    predicate=LIVE,
                    nulls_distinct=False,
                    constraint=False,
                ),
            ),
        ),
        Table(
            name="c",
            columns=(
                Column(name="a", type="bigint"),
                Column(name="b", type="positive"),
                Column(name="day", type="date"),
            ),
            foreign_keys=(
                ForeignKey(name="c_p", columns=("a",), parent="public.p", references=("id",)),
                ForeignKey(
                    name="c_full",
                    columns=("a", "b"),
                    parent="public.p",
                    references=("id", "code"),
                    full=True,
                ),
            ),
            checks=(
                Check(
                    name="c_check",
                    condition=Expression(op=Op.LESS, arguments=(column("a"), column("b"))),
                ),
            ),
            partitioning=Partitioning(
                by=PartitionBy.RANGE,
                column="day",
                parts=(Partition(name="c_1", values=("2024-01-01", "2025-01-01")),),
            ),
        ),
    ),
    domains=(
        Domain(
            name="positive",
            base="integer",
            checks=(Check(name="positive_check", condition=POSITIVE),),
        ),
    ),
)
PARENTS: tuple[Row, ...] = (("1", "2.0", "f"), ("2", "2", "t"), ("3", None, "f"))
CHILDREN: tuple[Row, ...] = (("1", "2", "2024-01-01"), (None, None, "2024-12-31"))


def broken(**more: tuple[Row, ...]) -> list[tuple[str, str]]:
    rows: Mapping[str, tuple[Row, ...]] = {
        "public.p": PARENTS + more.get("p", ()),
        "public.c": CHILDREN + more.get("c", ()),
    }
    return [(each.cause, each.rule) for each in violations(SCHEMA, rows)]


def test_right_rows_break_nothing() -> None:
    assert broken() == []


@pytest.mark.parametrize(
    ("rows", "cause", "rule"),
    [
        ({"p": (("1", "9", "t"),)}, "a unique key is there twice", "p_pkey"),
        ({"p": (("4", "2.00", "f"),)}, "a unique key is there twice", "p_code"),
        ({"p": (("4", None, "f"),)}, "a unique key is there twice", "p_code"),
        ({"p": ((None, "5", "f"),)}, "a NOT NULL column is NULL", "public.p.id"),
        ({"p": (("4", "5", None),)}, "a NOT NULL column is NULL", "public.p.gone"),
        ({"c": (("1", None, "2024-01-01"),)}, "a MATCH FULL reference is NULL in part", "c_full"),
        ({"c": (("1", "3", "2024-01-01"),)}, "a foreign key finds no parent", "c_full"),
        ({"c": ((None, None, "2025-01-01"),)}, "no partition takes the row", "public.c"),
        ({"c": (("2", "2", "2024-01-01"),)}, "a check is false", "c_check"),
    ],
)
def test_a_broken_rule(rows: dict[str, tuple[Row, ...]], cause: str, rule: str) -> None:
    assert broken(**rows) == [(cause, rule)]


def test_a_domains_check() -> None:
    found = broken(c=(("-1", "0", "2024-01-01"),))
    assert ("a domain's check is false", "positive_check") in found
    assert ("a foreign key finds no parent", "c_p") in found


def test_what_is_lacking_is_not_asked() -> None:
    rows: dict[str, tuple[Row, ...]] = {
        "public.p": (("1", "1", None), ("1", "1", "f"), ("1", "1", "f")),
        "public.c": (("7", None, "2024-01-01"),),
    }
    lacks = frozenset({"p_pkey", "p_code", "c_p", "c_full", "public.p.gone"})
    assert list(violations(SCHEMA, rows, lacks)) == []
