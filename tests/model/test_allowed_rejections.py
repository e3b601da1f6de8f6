"""Rows that have to be rejected, rows that may be, and what a failure has to leave."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.model.small import (
    DONE,
    NO_KEYS,
    Rows,
    failed,
    found,
    key,
    merge,
    partly,
    refers,
    reject,
    seen,
    table,
    world,
)
from verifier.contract import Claim, Guarantee
from verifier.model.allowed import breaches
from verifier.model.judging.ending import INVENTED
from verifier.model.schema import Action, Row, Schema
from verifier.model.world import Observation, Options, World

SHOP = ("1", "a", "a@x", "1.10", "Ann")
ITEM = ("1", "1", "tea", "5")
COMPLETENESS = "completeness: "

ORPHAN: Rows = {
    "shop": [SHOP],
    "item": [ITEM, ("2", "9", "cup", "5")],
    "note": [("1", "1"), ("2", "2")],
}
WITHOUT: Rows = {"shop": [SHOP], "item": [ITEM], "note": [("1", "1")]}
NAMED = (reject("item", "2"), reject("note", "2"))
UNNAMED = "completeness: a row that cannot be restored is not named: "


@pytest.mark.parametrize(
    ("claim", "after", "causes"),
    [
        pytest.param(failed(*NAMED), {}, set(), id="all or nothing"),
        pytest.param(partly(*NAMED), WITHOUT, set(), id="the rest is restored"),
        pytest.param(
            failed(NAMED[0]), {}, {UNNAMED + "its parent cannot be restored"}, id="child unnamed"
        ),
        pytest.param(
            DONE,
            WITHOUT,
            {UNNAMED + "its parent does not exist", UNNAMED + "its parent cannot be restored"},
            id="dropped without a word",
        ),
        pytest.param(
            failed(*NAMED, reject("item", "1")),
            {},
            {"completeness: a row was rejected that the target can take"},
            id="more than needed",
        ),
        pytest.param(
            partly(*NAMED),
            ORPHAN,
            {
                "integrity: a foreign key finds no parent",
                COMPLETENESS + INVENTED,
            },
            id="restored all the same",
        ),
        pytest.param(
            partly(*NAMED, reject("item", "77")),
            WITHOUT,
            {"honesty: the claim rejects a row that the source does not hold"},
            id="a row that there is not",
        ),
        pytest.param(
            failed(*NAMED),
            WITHOUT,
            {"atomicity: a failed restore left the target changed"},
            id="half of it is left",
        ),
    ],
)
def test_an_orphan_and_its_child(claim: Claim, after: Rows, causes: set[str]) -> None:
    assert found(world(ORPHAN), claim, after) == causes


@pytest.mark.parametrize(
    ("source", "present", "row"),
    [
        pytest.param(
            {"shop": [("1", "a", "m", "0", "x")]},
            {"shop": [("2", "a", None, "0", "y"), ("3", None, "m", "0", "z")]},
            ("shop", "1"),
            id="two rows of the target by two keys",
        ),
        pytest.param(
            {"shop": [("2", "a", "m", "0", "x")]},
            {"shop": [("2", "b", None, "0", "y"), ("3", None, "m", "0", "z")]},
            ("shop", "2"),
            id="two rows of the target by id and key",
        ),
        pytest.param({"item": [("1", None, "tea", "0")]}, {}, ("item", "1"), id="a check is false"),
    ],
)
def test_rows_that_have_to_be_rejected(source: Rows, present: Rows, row: tuple[str, str]) -> None:
    given = world(source, present)
    assert found(given, failed(reject(*row)), present) == set()
    assert found(given, partly(reject(*row)), present) == set()
    causes = found(given, DONE, present)
    assert any(cause.startswith(UNNAMED) for cause in causes)


def test_rows_that_are_two_rows_of_the_target_together() -> None:
    # The first is the target's by its code, the second by its mail, and they are one by their id.
    present: Rows = {"shop": [("2", "a", None, "0", "y"), ("3", None, "m", "0", "z")]}
    source: Rows = {"shop": [("1", "a", None, "0", "v"), ("1", None, "m", "0", "w")]}
    given = replace(world(source, present), lacks=NO_KEYS | {"shop_pk"})
    claim = failed(reject("shop", "1"), message="shop: shop_code")
    assert found(given, claim, present) == set()
    assert UNNAMED + "it matches two different rows of the target" in found(given, DONE, present)


@pytest.mark.parametrize(
    ("column", "deferrable", "right"),
    [
        ("code:character(1)!", False, True),
        ("code:character(1)", False, False),
        ("code:character(1)!", True, False),
        ("code:text!", False, False),
    ],
)
def test_values_that_change_hands_at_once(column: str, deferrable: bool, right: bool) -> None:
    """May be rejected, with what refers to them, if no row can hold another one for a while."""
    code = table(
        "code", f"id:integer {column}", key("code_pk", "id", primary=True),
        replace(key("code_code", "code"), deferrable=deferrable),
    )  # fmt: skip
    child = table(
        "child",
        "id:integer code:integer",
        key("child_pk", "id", primary=True),
        refers("child_code", "code", "code"),
    )
    present = {"public.code": (("1", "a"), ("2", "b")), "public.child": ()}
    given = World(
        schema=Schema(tables=(code, child)),
        source={"public.code": (("1", "b"), ("2", "a")), "public.child": (("1", "2"),)},
        present=present,
    )
    rejections = (reject("code", "1"), reject("code", "2"), reject("child", "1"))
    claim = failed(*rejections, message="code: code_code")
    assert (breaches(given, claim, Observation(rows=present)) == []) is right
    after = {**given.source}
    assert breaches(given, DONE, Observation(rows=after)) == []


def test_who_has_nothing_to_reject_may_not_fail() -> None:
    cause = "completeness: the restore failed although the target can take every row"
    assert found(world({"shop": [SHOP]}), failed(message="shop: shop_code"), {}) == {cause}


def test_a_row_whose_parent_only_the_target_has_is_no_orphan() -> None:
    given = world({"item": [ITEM]}, {"shop": [SHOP]})
    assert found(given, DONE, {"shop": [SHOP], "item": [ITEM]}) == set()
    assert found(given, failed(reject("item", "1")), {"shop": [SHOP]}) == {
        "completeness: a row was rejected that the target can take"
    }


def test_a_survivor_without_what_its_children_refer_to() -> None:
    code = table(
        "code", "id:integer name:text code:text", key("code_pk", "id", primary=True),
        key("code_name", "name"), key("code_code", "code"),
    )  # fmt: skip
    child = table(
        "child",
        "id:integer code:text",
        key("child_pk", "id", primary=True),
        refers("child_code", "code", "code", "code"),
    )
    codes = (("1", "x", "c"), ("2", "x", None))
    given = World(
        schema=Schema(tables=(code, child)),
        source={"public.code": codes, "public.child": (("1", "c"),)},
    )

    def guarantees(claim: Claim, survivor: Row, *children: Row) -> set[Guarantee]:
        after = Observation(rows={"public.code": (survivor,), "public.child": children})
        return {each.guarantee for each in breaches(given, claim, after)} - {Guarantee.HONESTY}

    assert guarantees(DONE, codes[0], ("1", "c")) == set()
    assert guarantees(partly(reject("child", "1")), codes[1]) == set()
    assert guarantees(DONE, codes[1], ("1", None)) == {Guarantee.MERGING}


def test_a_newer_row_of_the_target_without_what_is_referred_to() -> None:
    code = table(
        "code", "id:integer code:text t:integer", key("code_pk", "id", primary=True),
        key("code_code", "code"),
    )  # fmt: skip
    child = table(
        "child",
        "id:integer code:text",
        key("child_pk", "id", primary=True),
        refers("child_code", "code", "code", "code"),
    )
    present = {"public.code": (("1", None, "5"),), "public.child": ()}
    given = World(
        schema=Schema(tables=(code, child)),
        source={"public.code": (("1", "new", "3"),), "public.child": (("1", "new"),)},
        present=present,
        options=Options(prefer="t"),
    )
    claim = failed(reject("child", "1"), message="child: child_code")
    assert breaches(given, claim, Observation(rows=present)) == []
    strict = replace(given, options=Options())
    assert breaches(strict, claim, Observation(rows=present)) != []


@pytest.mark.parametrize("action", [Action.CASCADE, Action.NO_ACTION, Action.SET_NULL])
def test_a_row_of_the_target_keeps_what_it_refers_to(action: Action) -> None:
    code = table(
        "code", "id:integer code:text", key("code_pk", "id", primary=True), key("code_code", "code")
    )
    child = table(
        "child",
        "id:integer code:text",
        key("child_pk", "id", primary=True),
        replace(refers("child_code", "code", "code", "code"), on_update=action),
    )
    given = World(
        schema=Schema(tables=(code, child)),
        source={"public.code": (("1", "new"),)},
        present={"public.code": (("1", "old"),), "public.child": (("1", "old"),)},
    )

    def guarantees(claim: Claim, value: str, child: str | None) -> set[Guarantee]:
        rows: dict[str, tuple[Row, ...]] = {
            "public.code": (("1", value),),
            "public.child": (("1", child),),
        }
        found = breaches(given, claim, Observation(rows=rows))
        return {each.guarantee for each in found} - {Guarantee.HONESTY}

    assert guarantees(partly(reject("code", "1")), "old", "old") == set()
    follows = {Guarantee.PRESERVATION, Guarantee.COMPLETENESS}
    assert guarantees(DONE, "new", "new") == (set() if action is Action.CASCADE else follows)
    assert Guarantee.PRESERVATION in guarantees(DONE, "new", None)


def test_a_resumable_implementation_may_leave_a_part() -> None:
    half = seen({"shop": [SHOP]})
    claim = failed(*NAMED)
    assert breaches(world(ORPHAN), claim, half, resumable=True) == []
    assert {each.guarantee for each in breaches(world(ORPHAN), claim, half)} == {
        Guarantee.ATOMICITY
    }


def test_a_failure_moves_no_sequence() -> None:
    name = "public.item.id"
    claim = failed(*NAMED)
    before, after = (seen({}, sequences={name: number}) for number in (1, 2))
    assert breaches(world(ORPHAN), claim, before, before=before) == []
    found = breaches(world(ORPHAN), claim, after, before=before)
    assert [each.guarantee for each in found] == [Guarantee.ATOMICITY]


def test_what_was_rejected_may_fit_the_second_time() -> None:
    # The code that tears the second shop apart is given up by the row that the ninth becomes.
    source: Rows = {"shop": [("2", "x", None, "1", "s"), ("9", "q", "m", "1", "t")]}
    present: Rows = {"shop": [("2", "b", None, "0", "y"), ("3", "x", "m", "0", "z")]}
    first: Rows = {"shop": [("2", "b", None, "0", "y"), ("3", "q", "m", "1", "t")]}
    second: Rows = {"shop": [("2", "x", None, "1", "s"), ("3", "q", "m", "1", "t")]}
    claim = partly(reject("shop", "2"))
    given = world(source, present)
    assert found(given, claim, first) == set()
    assert found(given, claim, first, (DONE, second)) == set()
    spoilt: Rows = {"shop": [("2", "x", None, "1", "s"), ("3", "q", "m", "1", "u")]}
    assert found(given, claim, first, (DONE, spoilt)) != set()
    # Without a rejection, the first restore has to be the last word.
    assert any(
        cause.startswith("idempotence") for cause in found(given, DONE, first, (DONE, second))
    )


def test_a_row_that_the_targets_own_key_leaves_no_parent() -> None:
    arc = table("arc", "id:integer line:integer", key("arc_pk", "id", "line", primary=True))
    shop = table(
        "shop", "arc:integer line:integer other:integer name:text",
        key("shop_pk", "arc", "line", primary=True), key("shop_name", "name"),
        refers("shop_arc", "arc line", "arc", "id line"),
        refers("shop_other", "arc other", "arc", "id line"),
    )  # fmt: skip
    present = {"public.arc": (("4", "5"),), "public.shop": (("4", "5", "5", "b"),)}
    given = World(
        schema=Schema(tables=(arc, shop)),
        source={"public.arc": (("10", "9"),), "public.shop": (("10", "9", "9", "b"),)},
        present=present,
    )
    rejected = replace(reject("shop", "1"), key={"arc": "10", "line": "9"})
    claim = replace(failed(message="shop: shop_other"), rejections=(rejected,))
    assert breaches(given, claim, Observation(rows=present)) == []
    nameless = replace(claim, rejections=None)
    assert breaches(given, nameless, Observation(rows=present)) != []


def test_who_rejects_more_than_needed_need_not_reject_the_rest() -> None:
    # If the names change hands, the tenth is two rows of the target; if they do not, it is one.
    code = table(
        "code", "id:integer name:text!", key("code_pk", "id", primary=True), key("name", "name")
    )
    part = table(
        "part", "id:integer code:text size:text!", key("part_pk", "id", primary=True),
        key("part_size", "code", "size"),
        replace(refers("part_code", "code", "code", "name"), on_update=Action.CASCADE),
    )  # fmt: skip
    present = {
        "public.code": (("1", "a"), ("2", "b")),
        "public.part": (("10", "a", "x"), ("20", "b", "y")),
    }
    given = World(
        schema=Schema(tables=(code, part)),
        source={
            "public.code": (("1", "b"), ("2", "a")),
            "public.part": (("10", "a", "y"),),
        },
        present=present,
    )
    swapped = (reject("code", "1"), reject("code", "2"))
    claim = failed(*swapped, message="code: name")
    torn = failed(*swapped, reject("part", "10"), message="code: name")
    for said in (claim, torn):
        assert breaches(given, said, Observation(rows=present)) == []
    alone = failed(reject("part", "10"), message="part: part_size")
    assert breaches(given, alone, Observation(rows=present)) == []


def test_row_that_is_two_rows_of_the_target_only_if_another_is_rejected() -> None:
    """The first is the target's first by its key, and collides with the second, which becomes
    the source's second: whoever does not reject the one need not reject the other.
    """
    code = table(
        "code", "id:integer a:integer b:text",
        key("code_pk", "id", primary=True), key("code_a", "a"), key("code_b", "b"),
    )  # fmt: skip
    source = {"public.code": (("2", "1", "c"), ("1", "2", "b"))}
    present = {"public.code": (("2", "1", "b"), ("3", "2", "c"))}
    given = World(schema=Schema(tables=(code,)), source=source, present=present)
    written = {"public.code": (("2", "1", "c"), ("3", "2", "b"))}
    assert breaches(given, DONE, Observation(rows=written)) == []
    claim = failed(reject("code", "2"), reject("code", "1"), message="code: code_b")
    assert breaches(given, claim, Observation(rows=present)) == []


@pytest.mark.parametrize(
    ("name", "right"),
    [("a", True), ("b", False)],  # the row of the target has to stay what is referred to
)
@pytest.mark.parametrize("turned", [False, True])
def test_which_of_two_rows_of_one_key_is_rejected_is_seen_by_the_rest(
    name: str, right: bool, turned: bool
) -> None:
    shop = table("shop", "id:integer code:text name:text",
                 key("shop_pk", "id", primary=True), key("shop_code", "code"))  # fmt: skip
    item = table("item", "shop:text", refers("item_shop", "shop", "shop", "code"))
    rows: list[Row] = [("1", "a", "new"), ("1", "b", "newer")]
    given = World(
        schema=Schema(tables=(shop, item)),
        source={"public.shop": tuple(rows[::-1] if turned else rows)},
        present={"public.shop": (("2", "a", "old"),), "public.item": (("a",),)},
        lacks=frozenset({"shop_pk"}),
    )
    claim = replace(partly(reject("shop", "1")), merges=(merge("shop", "1", "2"),))
    after = {"public.shop": (("2", name, "new"),), "public.item": (("a",),)}
    assert (breaches(given, claim, Observation(rows=after)) == []) is right
