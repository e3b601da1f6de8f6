"""Rows that follow others, where some of those are rejected or stay as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tests.model.small import failed, key, merge, partly, refers, reject, table
from verifier.contract import Claim, Counts, Merge, Rejection
from verifier.model.allowed import breaches
from verifier.model.schema import Action, Row, Schema
from verifier.model.world import Observation, Options, SoftReference, World

Rows = Mapping[str, Sequence[Row]]
CASCADE = Action.CASCADE


def _wrong(
    schema: Schema, source: Rows, present: Rows, claim: Claim, after: Rows, **more: object
) -> list[str]:
    """What is forbidden of a restore that sets rows aside; tables without their schema."""

    def rows(given: Rows) -> dict[str, tuple[Row, ...]]:
        return {each.id: tuple(given.get(each.name, ())) for each in schema.tables}

    given = World(schema=schema, source=rows(source), present=rows(present), **more)  # type: ignore[arg-type]
    return [str(each) for each in breaches(given, claim, Observation(rows=rows(after)))]


def test_a_newer_row_of_the_target_stays_and_follows_its_parent() -> None:
    schema = Schema(
        tables=(
            table("shop", "id:integer code:text!", key("shop_pk", "id", primary=True),
                  key("shop_code", "code")),
            table("item", "id:integer shop:text updated:date", key("item_pk", "id", primary=True),
                  replace(refers("item_shop", "shop", "shop", "code"), on_update=CASCADE)),
        )
    )  # fmt: skip
    source: Rows = {"shop": [("1", "b")], "item": [("7", "b", "2024-01-01")]}
    present: Rows = {"shop": [("1", "a")], "item": [("7", "a", "2024-01-02")]}
    claim = Claim(success=True, exit_code=0, merges=(merge("item", "7", "7"),))
    options = Options(prefer="updated")

    def wrong(after: Row) -> list[str]:
        held: Rows = {"shop": [("1", "b")], "item": [after]}
        return _wrong(schema, source, present, claim, held, options=options)

    assert wrong(("7", "b", "2024-01-02")) == []
    assert wrong(("7", "b", "2024-01-03")) != []


SHOPS = Schema(
    tables=(
        table("shop", "id:integer name:text", key("shop_pk", "id", primary=True),
              key("shop_name", "name")),
        table("item", "id:integer shop:integer", key("item_pk", "id", primary=True),
              refers("item_shop", "shop", "shop")),
    )
)  # fmt: skip


def test_of_rows_with_one_key_as_many_are_rejected_as_are_named() -> None:
    # Shops 6, 8 and 9 are two rows of the target; 5 becomes the row that 6 would have become.
    source: Rows = {
        "shop": [("6", "a"), ("8", "a"), ("9", "a"), ("5", "b")],
        "item": [("3", "5"), ("3", "9")],
    }
    present: Rows = {"shop": [("6", "b"), ("8", "a")]}
    shops = [reject("shop", id) for id in ("6", "8", "9")]
    claim = replace(partly(*shops, reject("item", "3")), merges=(merge("shop", "5", "6"),))

    def wrong(*items: Row) -> list[str]:
        after: Rows = {**present, "item": items}
        lacks = frozenset({"shop_name", "item_pk"})
        # One of the target may be newer, so that it is not for sure that they are rejected.
        options = Options(prefer="at")
        return _wrong(SHOPS, source, present, claim, after, lacks=lacks, options=options)

    assert wrong(("3", "6")) == []
    assert wrong() != []
    assert wrong(("3", "8")) != []


def test_a_duplicate_of_a_row_that_is_two_rows_of_the_target_if_another_is_rejected() -> None:
    schema = Schema(
        tables=(
            table("shop", "id:integer code:text name:text", key("shop_pk", "id", primary=True),
                  key("shop_code", "code"), key("shop_name", "name")),
            table("note", "shop:text",
                  replace(refers("note_shop", "shop", "shop", "name"), on_update=CASCADE)),
        )
    )  # fmt: skip
    # A note refers to what 3 takes away; then 2 is 2 and 3, and 1 is a duplicate of it.
    source: Rows = {"shop": [("3", "x", None), ("2", "y", "b"), ("1", "y", "a")]}
    present: Rows = {"shop": [("3", "x", "b"), ("2", "y", None)], "note": [("b",)]}
    claim = failed(*(reject("shop", id) for id in ("3", "2", "1")), message="shop: shop_name")
    lacks = frozenset({"shop_code"})
    assert _wrong(schema, source, present, claim, present, lacks=lacks) == []
    fine: Rows = {"shop": [*source["shop"], ("4", "z", "z")]}
    claim = replace(claim, rejections=(*(claim.rejections or ()), reject("shop", "4")))
    assert _wrong(schema, fine, present, claim, present, lacks=lacks) != []


def test_a_child_of_a_rejected_row_whose_key_another_row_has_by_now() -> None:
    schema = Schema(
        tables=(
            *SHOPS.tables[:1],
            table("stock", "shop:integer kind:integer", key("stock_pk", "shop", primary=True),
                  refers("stock_shop", "shop", "shop"), refers("stock_kind", "kind", "kind")),
            table("lot", "id:integer stock:integer", key("lot_pk", "id", primary=True),
                  refers("lot_stock", "stock", "stock", "shop")),
            table("kind", "id:integer", key("kind_pk", "id", primary=True)),
        )
    )  # fmt: skip
    # Shop 7 is the target's 5, and so would its stock be that of 5, if it had a kind.
    source: Rows = {
        "shop": [("7", "a"), ("5", "a")],
        "stock": [("5", "1"), ("7", "9")],
        "lot": [("1", "7")],
        "kind": [("1",)],
    }
    present: Rows = {"shop": [("5", "a")]}
    lacks = frozenset({"shop_name", "stock_kind"})

    def wrong(claim: Claim, *lots: Row) -> list[str]:
        after: Rows = {**present, "stock": [("5", "1")], "lot": lots, "kind": [("1",)]}
        return _wrong(schema, source, present, claim, after, lacks=lacks)

    stock = replace(reject("stock", "7"), key={"shop": "7"})
    assert wrong(partly(stock), ("1", "5")) == []
    assert wrong(partly(stock, reject("lot", "1"))) == []
    assert wrong(partly(stock), ("1", "7")) != []
    assert wrong(partly(stock)) != []


def test_the_row_that_is_there_is_not_the_one_that_was_rejected() -> None:
    schema = Schema(
        tables=(table("shop", "id:integer# number:integer", key("shop_pk", "id", primary=True)),)
    )
    source: Rows = {"shop": [("1", "1"), ("1", "2")]}
    present: Rows = {"shop": [("1", "1")]}
    claim = replace(
        partly(reject("shop", "1")),
        counts={"public.shop": Counts(unchanged=1, rejected=1)},
        merges=(),
    )

    def wrong(**options: bool) -> list[str]:
        asked, lacks = Options(**options), frozenset({"shop_pk"})
        return _wrong(schema, source, present, claim, present, lacks=lacks, options=asked)

    assert wrong(strict_ids=True) == []
    assert wrong() != []


def test_a_row_that_collides_with_one_that_stays_because_it_is_newer() -> None:
    schema = Schema(
        tables=(
            table("shop", "id:integer name:text updated:date", key("shop_pk", "id", primary=True),
                  key("shop_name", "name")),
        )
    )  # fmt: skip
    source: Rows = {"shop": [("2", "b", "2024-01-01"), ("1", "a", "2024-01-01")]}
    claim = failed(reject("shop", "1"), message="shop: shop_name")

    def wrong(age: str) -> list[str]:
        present: Rows = {"shop": [("2", "a", age)]}
        options = Options(prefer="updated")
        return _wrong(schema, source, present, claim, present, options=options)

    assert wrong("2024-01-02") == []
    assert wrong("2023-01-01") != []


def test_what_is_a_row_of_the_target_by_a_key_and_by_its_parent_may_be_called_merged() -> None:
    stock = table(
        "stock", "shop:integer mark:text", key("stock_pk", "shop", primary=True),
        key("stock_mark", "mark"), refers("stock_shop", "shop", "shop"),
    )  # fmt: skip
    schema = Schema(tables=(*SHOPS.tables[:1], stock))
    source: Rows = {"shop": [("7", "a")], "stock": [("7", "m")]}
    present: Rows = {"shop": [("5", "a")], "stock": [("5", "m")]}
    own = Merge(table="public.stock", key={"shop": "7"}, survivor={"shop": "5"})

    def wrong(merges: tuple[Merge, ...], counts: Counts) -> list[str]:
        claim = Claim(
            success=True,
            exit_code=0,
            merges=(merge("shop", "7", "5"), *merges),
            counts={"public.shop": Counts(merged=1), "public.stock": counts},
        )
        return _wrong(schema, source, present, claim, present)

    assert wrong((own,), Counts(merged=1)) == []
    assert wrong((), Counts(unchanged=1)) == []
    assert wrong((), Counts(merged=1)) != []
    assert wrong((own,), Counts(unchanged=1)) != []
    assert wrong((replace(own, survivor={"shop": "7"}),), Counts(merged=1)) != []


def test_an_orphan_whose_parent_comes_to_be_by_a_merge_may_stay_or_be_rejected() -> None:
    stock = table("stock", "shop:integer", key("stock_pk", "shop", primary=True),
                  refers("stock_shop", "shop", "shop"))  # fmt: skip
    lot = table("lot", "id:integer stock:integer", key("lot_pk", "id", primary=True),
                refers("lot_stock", "stock", "stock", "shop"))  # fmt: skip
    schema = Schema(tables=(*SHOPS.tables[:1], stock, lot))
    source: Rows = {"shop": [("7", "a")], "stock": [("7",)], "lot": [("1", "5"), ("2", "6")]}
    present: Rows = {"shop": [("5", "a")]}

    def wrong(claim: Claim, *lots: Row) -> list[str]:
        after: Rows = {**present, "stock": [("5",)], "lot": lots}
        return _wrong(schema, source, present, claim, after, lacks=frozenset({"lot_stock"}))

    assert wrong(partly(reject("lot", "2")), ("1", "5")) == []
    assert wrong(partly(reject("lot", "1"), reject("lot", "2"))) == []
    assert wrong(partly(reject("lot", "1")), ("2", "6")) != []
    assert wrong(partly(), ("1", "5")) != []


def test_a_row_without_a_key_follows_where_its_reference_is_declared() -> None:
    log = table("log", "kind:text shops:integer[]")
    schema = Schema(tables=(log, *SHOPS.tables))
    source: Rows = {"shop": [("6", "a")], "log": [("shop", "{6,7}"), ("item", "{6}")]}
    present: Rows = {"shop": [("3", "a")], "log": [("shop", "{3,7}")]}
    claim = Claim(success=True, exit_code=0, merges=(merge("shop", "6", "3"),))
    soft = SoftReference(
        table="public.log", column="shops", parent="public.shop", condition=("kind", "shop")
    )

    def wrong(*logs: Row) -> list[str]:
        held: Rows = {"shop": [("3", "a")], "log": logs}
        options = Options(references=(soft,))
        return _wrong(schema, source, present, claim, held, options=options)

    assert wrong(("shop", "{3,7}"), ("item", "{6}")) == []
    assert wrong(("shop", "{3,7}"), ("shop", "{6,7}"), ("item", "{6}")) != []
    assert wrong(("shop", "{3,7}"), ("item", "{3}")) != []


def test_a_row_that_its_references_pull_apart_is_rejected() -> None:
    """By accident there is a row that it would name then."""
    schema = Schema(
        tables=(
            table("piece", "id:integer part:integer code:text",
                  key("piece_pk", "id", "part", primary=True), key("piece_code", "code")),
            table("bin", "n:integer piece:integer part:integer other:integer",
                  key("bin_pk", "n", primary=True),
                  refers("bin_part", "piece part", "piece", "id part"),
                  refers("bin_other", "piece other", "piece", "id part")),
        )
    )  # fmt: skip
    rest = [("2", "2", "a"), ("1", "3", "b"), ("2", "3", "c")]
    source: Rows = {"piece": [("1", "1", "a"), *rest], "bin": [("1", "1", "1", "3")]}
    named = Merge(
        table="public.piece", key={"id": "1", "part": "1"}, survivor={"id": "2", "part": "2"}
    )
    done = Claim(success=True, exit_code=0, merges=(named,))
    aside = Claim(
        success=True,
        exit_code=1,
        merges=(named,),
        rejections=(Rejection(table="public.bin", key={"n": "1"}, reason="pulled apart"),),
    )
    kept: Rows = {"piece": rest, "bin": [("1", "2", "2", "3")]}
    lacks = frozenset({"piece_code"})
    assert _wrong(schema, source, {}, done, kept, lacks=lacks) != []
    assert _wrong(schema, source, {}, aside, {"piece": rest}, lacks=lacks) == []
