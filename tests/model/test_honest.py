"""Claims that say what is so, and claims that do not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.model.small import (
    DONE,
    NO_KEYS,
    Rows,
    counts,
    failed,
    found,
    key,
    merge,
    refers,
    reject,
    table,
    world,
)
from verifier.contract import Claim, Counts, Merge
from verifier.model.allowed import breaches
from verifier.model.schema import Check, Domain, Expression, Op, Row, Schema, column, literal
from verifier.model.world import Observation, World

SOURCE: Rows = {
    "shop": [
        ("1", "a", None, "1", "Ann"),
        ("2", "a", None, "2", "Bob"),
        ("3", "c", None, "3", "Cid"),
        ("4", "d", None, "4", "Dan"),
        ("5", "e", None, "5", "Eve"),
    ],
    "log": [("1", "x"), ("2", "y")],
}
PRESENT: Rows = {
    "shop": [("3", "c", None, "3", "Cid"), ("4", "d", None, "0", "x")],
    "log": [("1", "x")],
}
AFTER: Rows = {"shop": [SOURCE["shop"][0], *SOURCE["shop"][2:]], "log": SOURCE["log"]}
SHOP = Counts(inserted=2, updated=1, unchanged=1, merged=1)
LOG = Counts(inserted=1, unchanged=1)
MERGED = (merge("shop", "2", "1"),)
NAMELESS = "honesty: the failure does not name a table and the rule that was broken"
COUNTS = "honesty: the claimed counts are not the observed ones"


@pytest.mark.parametrize(
    ("said", "causes"),
    [
        ({}, set()),
        ({"counts": counts(shop=SHOP, log=LOG), "merges": MERGED}, set()),
        ({"counts": counts(shop=SHOP, log=LOG, note=Counts())}, set()),
        ({"counts": counts(shop=SHOP)}, {COUNTS}),
        ({"counts": counts(shop=replace(SHOP, updated=2, unchanged=0), log=LOG)}, {COUNTS}),
        ({"counts": counts(shop=replace(SHOP, inserted=3, merged=0), log=LOG)}, {COUNTS}),
        (
            {"counts": counts(shop=SHOP, log=LOG, other=Counts(inserted=1))},
            {"honesty: the claim counts rows of a table that is not restored"},
        ),
        ({"figures": {"public.shop": {"inserted": 2}, "": {"unchanged": 2, "rows": 4}}}, set()),
        ({"figures": {"": {"rows": 7}}}, set()),
        ({"figures": {"public.shop": {"inserted": 5}}}, {COUNTS}),
        (
            {"figures": {"": {"rows": 3}}},
            {"honesty: the claimed number of transferred rows is not what is observed"},
        ),
        (
            {"merges": ()},
            {"honesty: a row was merged into another one, and the claim does not name it"},
        ),
        (
            {"merges": (*MERGED, merge("shop", "3", "4"))},
            {"honesty: the claim names a merge that did not happen"},
        ),
        (
            {"merges": (merge("shop", "2", "5"),)},
            {"honesty: the claim names a merge that did not happen"},
        ),
        ({"exit_code": None}, set()),
        ({"exit_code": 1}, {"honesty: success was claimed with a failing exit code"}),
    ],
)
def test_a_success(said: dict[str, Any], causes: set[str]) -> None:
    assert found(world(SOURCE, PRESENT), replace(DONE, **said), AFTER) == causes


def test_rows_that_become_one_count_as_it_once() -> None:
    # They have one id already, so that both look like the row that is inserted.
    shops = [("1", "a", None, "1", "Ann"), ("1", "a", None, "2", "Bob")]
    given = replace(world({"shop": shops}), lacks=NO_KEYS | {"shop_pk"})
    for told, causes in (
        (Counts(inserted=1, merged=1), set()),
        (Counts(inserted=2), {COUNTS}),
    ):
        claim = replace(DONE, counts=counts(shop=told))
        assert found(given, claim, {"shop": shops[1:]}) == causes


def test_of_equal_rows_as_many_count_as_merged_as_are_named() -> None:
    # The first shop becomes the second, and takes both notes to the target's own of that shop.
    note = table("note", "shop:integer", key("note_pk", "shop", primary=True),
                 refers("note_shop", "shop", "shop"))  # fmt: skip
    shop = table("shop", "id:integer code:text", key("shop_pk", "id", primary=True),
                 key("shop_code", "code"))  # fmt: skip
    present: dict[str, tuple[Row, ...]] = {"public.shop": (("2", "a"),), "public.note": (("2",),)}
    given = World(
        schema=Schema(tables=(shop, note)),
        source={"public.shop": (("1", "a"),), "public.note": (("1",), ("1",))},
        present=present,
        lacks=frozenset({"note_pk"}),
    )
    one = Merge(table="public.note", key={"shop": "1"}, survivor={"shop": "2"})
    for named, told, right in (
        ((one,), Counts(unchanged=1, merged=1), True),
        ((one,), Counts(merged=2), False),
        ((one, one), Counts(merged=2), True),
        ((one, one), Counts(unchanged=1, merged=1), False),
    ):
        merges = (merge("shop", "1", "2"), *named)
        claim = replace(DONE, merges=merges, counts=counts(shop=Counts(merged=1), note=told))
        assert (breaches(given, claim, Observation(rows=present)) == []) is right


def test_rejected_rows_are_counted() -> None:
    source: Rows = {"item": [("1", "9", "tea", "5"), ("2", None, "cup", "5")]}
    claim = Claim(success=True, exit_code=1, rejections=(reject("item", "1"),))
    for told, causes in (
        (Counts(inserted=1, rejected=1), set()),
        (Counts(inserted=1), {COUNTS}),
    ):
        said = replace(claim, counts=counts(item=told))
        assert found(world(source), said, {"item": source["item"][1:]}) == causes


@pytest.mark.parametrize(
    ("claim", "cause"),
    [
        (
            failed(reject("item", "1"), message="").reworded(str),
            "honesty: a failure was claimed without a word about the cause",
        ),
        (
            replace(failed(reject("item", "1")), exit_code=0),
            "honesty: a failure was claimed with exit code 0",
        ),
        (
            replace(failed(message="something went wrong"), rejections=()),
            NAMELESS,
        ),
    ],
)
def test_a_failure(claim: Claim, cause: str) -> None:
    given = world({"item": [("1", "9", "tea", "5")]})
    assert cause in found(given, claim, {})
    assert found(given, failed(reject("item", "1")), {}) == set()


def test_a_failure_may_name_the_check_of_a_domain() -> None:
    condition = Expression(op=Op.LESS, arguments=(literal("0"), column("value")))
    check = Check(name="above_zero", condition=condition)
    stock = Schema(
        tables=(table("stock", "count:positive", key("stock_key", "count")),),
        domains=(Domain(name="positive", base="integer", checks=(check,)),),
    )
    given = World(schema=stock, source={"public.stock": (("0",),)}, lacks=frozenset({"above_zero"}))
    for message, nameless in (
        ("stock: breaks above_zero", False),
        ("stock: something is wrong", True),
    ):
        claim = replace(failed(), message=message)
        assert (NAMELESS in found(given, claim, {})) is nameless


def test_the_second_run_says_that_it_wrote_nothing() -> None:
    given = world(SOURCE, PRESENT)
    still = replace(
        DONE, counts=counts(shop=Counts(unchanged=4, merged=1), log=Counts(unchanged=2))
    )
    wrote = replace(DONE, counts=counts(shop=Counts(unchanged=3, updated=1, merged=1)))
    figured = replace(DONE, figures={"": {"inserted": 1}})
    says = {"idempotence: the second restore of the same backup says that it wrote rows"}
    assert found(given, DONE, AFTER, (still, AFTER)) == set()
    assert found(given, DONE, AFTER, (wrote, AFTER)) == says
    assert found(given, DONE, AFTER, (figured, AFTER)) == says


def test_a_key_that_comes_without_its_blanks_is_the_row_s() -> None:
    given = world({"item": [("1", "9", "tea", "5")]})
    assert found(given, failed(reject("item", "01")), {}) == set()
