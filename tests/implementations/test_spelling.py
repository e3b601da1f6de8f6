"""The tables and columns that a foreign claim means, found in the target's catalogue."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.implementations.conftest import MakeEndpoint
from verifier.contract import Claim, Merge, Rejection
from verifier.dsn import Dsn
from verifier.implementations.spelling import resolved
from verifier.servers import Side

SCHEMA = """
    CREATE TABLE tea ("Id" text PRIMARY KEY, name text);
    CREATE TABLE "Cup" (a int, b int, PRIMARY KEY (a, b));
    CREATE TABLE "odd.name" (id int PRIMARY KEY);
    CREATE SCHEMA shop;
    CREATE TABLE shop.pot (id int PRIMARY KEY);
    CREATE TABLE pot (id int PRIMARY KEY);
    CREATE TABLE pair (id int);
    CREATE TABLE "PAIR" (id int);
"""
CLAIM = Claim(success=True)


@pytest.fixture(scope="module")
def spellings() -> dict[str, str]:
    return {
        "tea": "public.tea",
        "TEA": "public.tea",
        "public.tea": "public.tea",
        '"public"."tea"': "public.tea",
        "shop_1.public.tea": "public.tea",
        "cup": 'public."Cup"',
        'public."Cup"': 'public."Cup"',
        '"odd.name"': 'public."odd.name"',
        "shop.pot": "shop.pot",
        "pot": "pot",
        "pair": "public.pair",
        "PAIR": 'public."PAIR"',
        "Pair": "Pair",
        "nonsense": "nonsense",
        "a.b.c.d": "a.b.c.d",
        'a"': 'a"',
        "Teas": "public.tea",
        "": "",
    }


def test_names_are_found_where_there_is_no_doubt(
    endpoint: MakeEndpoint, spellings: dict[str, str]
) -> None:
    target = endpoint(Side.TARGET, SCHEMA).dsn
    figures = {name: {"rows": 1} for name in spellings}
    claim = resolved(replace(CLAIM, figures=figures), target, {"Teas": "tea"})
    expected: dict[str, dict[str, int]] = {}
    for spelled in spellings.values():
        told = expected.setdefault(spelled, {"rows": 0})
        told["rows"] += 1
    assert claim.figures == expected

    keys = (
        ("tea", {"": "7"}, {"Id": "7"}),
        ("tea", {"id": "7"}, {"Id": "7"}),
        ("tea", {"nmae": "7"}, {"nmae": "7"}),
        ("cup", {"": "7"}, {}),
        ("cup", {"A": "1", "b": "2"}, {"a": "1", "b": "2"}),
        ("nonsense", {"": "7", "x": "1"}, {"x": "1"}),
    )
    said = replace(
        CLAIM,
        rejections=tuple(Rejection(table=t, key=key, reason="r") for t, key, _ in keys),
        merges=(Merge(table="TEA", key={"": "2"}, survivor={"": "1"}),),
    )
    found = resolved(said, target)
    assert [each.key for each in found.rejections or ()] == [right for _, _, right in keys]
    assert found.merges == (Merge(table="public.tea", key={"Id": "2"}, survivor={"Id": "1"}),)


def test_a_database_that_is_gone_leaves_the_claim_as_it_is(tmp_path: Path) -> None:
    nowhere = Dsn.parse(f"host={tmp_path} port=1 dbname=x")
    claim = replace(CLAIM, figures={"tea": {"rows": 1}})
    assert resolved(claim, nowhere) == claim
