"""Outcomes that the contract allows, and such that it forbids, a world each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.model.small import (
    DONE,
    LIE,
    NO_KEYS,
    Rows,
    failed,
    found,
    key,
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
from verifier.model.schema import Action, Column, Expression, Op, Row, Schema, Table, column
from verifier.model.world import Observation, Options, World

SHOP = ("1", "a", "a@x", "1.10", "Ann")
ITEM = ("1", "1", "tea", "5")

# Two shops that collide on their code, an item of each, and a note of the second item.
TWINS: Rows = {
    "shop": [("1", "a", None, "1", "Ann"), ("2", "a", None, "2", "Bob")],
    "item": [("1", "1", "tea", "5"), ("2", "2", "cup", "6")],
    "note": [("1", "1"), ("2", "2")],
}
# The same where the items collide as soon as their shops are one.
DEEP: Rows = {**TWINS, "item": [("1", "1", "tea", "5"), ("2", "2", "tea", "6")]}


def twins(id: str, values: int, **more: list[tuple[str | None, ...]]) -> Rows:
    """``TWINS`` with one shop left."""
    survivor = (id, *TWINS["shop"][values][1:])
    items = [(item[0], id, *item[2:]) for item in TWINS["item"]]
    return {"shop": [survivor], "item": items, "note": TWINS["note"], **more}


@pytest.mark.parametrize(
    ("source", "present", "after"),
    [
        pytest.param({}, {}, {}, id="nothing"),
        pytest.param({"shop": [SHOP]}, {}, {"shop": [SHOP]}, id="inserted"),
        pytest.param(
            {"shop": [SHOP]}, {"shop": [("1", "b", None, "0", "x")]}, {"shop": [SHOP]}, id="updated"
        ),
        pytest.param(
            {"shop": [("7", "a", None, "1.10", "Ann")]},
            {"shop": [("1", "a", "m", "0", "x"), ("2", "b", None, "0", "y")]},
            {"shop": [("1", "a", None, "1.10", "Ann"), ("2", "b", None, "0", "y")]},
            id="merged into a row of the target",
        ),
        pytest.param(
            {"shop": [("1", "b", None, "0", "x"), ("2", "a", None, "0", "y")]},
            {"shop": [("1", "a", None, "0", "x"), ("2", "b", None, "0", "y")]},
            {"shop": [("1", "b", None, "0", "x"), ("2", "a", None, "0", "y")]},
            id="values swapped",
        ),
        pytest.param(TWINS, {}, twins("1", 0), id="the first survives"),
        pytest.param(TWINS, {}, twins("2", 1), id="the last survives"),
        pytest.param(TWINS, {}, twins("1", 1), id="the last survives under the first's key"),
        pytest.param(
            TWINS,
            {"shop": [("9", "a", None, "0", "x")]},
            twins("9", 0),
            id="the target's key survives",
        ),
        pytest.param(
            DEEP,
            {},
            twins("2", 1, item=[("1", "2", "tea", "5")], note=[("1", "1"), ("2", "1")]),
            id="children collide in turn",
        ),
        pytest.param(
            # Both collide with the target's row and not with each other: it becomes one of them.
            {"shop": [("5", "a", None, "1", "x"), ("6", None, "m", "2", "y")]},
            {"shop": [("1", "a", "m", "0", "z")]},
            {"shop": [("5", "a", None, "1", "x"), ("1", None, "m", "2", "y")]},
            id="two rows that would be the target's",
        ),
        pytest.param(
            {"log": [("1", "x"), ("1", "x"), (None, None)]},
            {"log": [("1", "x"), ("5", "t")]},
            {"log": [("1", "x"), ("1", "x"), (None, None), ("5", "t")]},
            id="rows without key are counted",
        ),
    ],
)
def test_allowed(source: Rows, present: Rows, after: Rows) -> None:
    given = world(source, present)
    assert found(given, DONE, after, (DONE, after)) == set()
    assert breaches(given, DONE, seen(after), (DONE, seen(after))) == []


COMPLETENESS, MERGING = "completeness: ", "merging: "
STRAYED = MERGING + "a merged row's child does not point to the survivor"


@pytest.mark.parametrize(
    ("source", "present", "after", "cause"),
    [
        pytest.param(
            {"shop": [SHOP]},
            {},
            {},
            COMPLETENESS + "a source row is neither restored, merged nor rejected",
            id="lost",
        ),
        pytest.param(
            {},
            {},
            {"shop": [SHOP]},
            COMPLETENESS
            + "the target holds a row that is neither in the source nor was there before",
            id="invented",
        ),
        pytest.param(
            {"shop": [SHOP]},
            {"shop": [("1", "b", None, "0", "x")]},
            {"shop": [("1", "b", None, "0", "x")]},
            COMPLETENESS + "the target still holds its own row instead of the source's",
            id="not updated",
        ),
        pytest.param(
            {"shop": [SHOP]},
            {},
            {"shop": [("1", "a", "a@x", "1.1", "Ann")]},
            "fidelity: a restored row differs from its source row",
            id="a digit lost",
        ),
        pytest.param(
            {"shop": [("1", "a", None, "1", "Ann")]},
            {},
            {"shop": [("1", "a", "", "1", "Ann")]},
            "fidelity: a restored row differs from its source row",
            id="NULL is no empty text",
        ),
        pytest.param(
            TWINS,
            {},
            {**twins("1", 0), "shop": [("1", "a", None, "1", "Bob")]},
            MERGING + "the survivor is a mixture of the rows that were merged",
            id="mixture",
        ),
        pytest.param(
            TWINS,
            {},
            {**twins("1", 0), "shop": [("1", "a", None, "1", "Ann"), ("2", "b", None, "2", "Bob")]},
            MERGING + "rows that collide on a unique key were not merged, but altered",
            id="altered",
        ),
        pytest.param(
            TWINS,
            {},
            {**twins("1", 0), "shop": []},
            MERGING + "rows that collide on a unique key have no survivor",
            id="no survivor",
        ),
        pytest.param(TWINS, {}, {**twins("1", 0), "item": TWINS["item"]}, STRAYED, id="strayed"),
        pytest.param(
            TWINS,
            {},
            {**twins("1", 0), "item": [("1", "1", "tea", "5"), ("2", None, "cup", "6")]},
            STRAYED,
            id="let go",
        ),
        pytest.param(
            TWINS,
            {},
            {**twins("1", 0), "item": [("1", "1", "tea", "5")], "note": [("1", "1")]},
            MERGING + "a merged row's child is missing",
            id="child missing",
        ),
        pytest.param(
            DEEP,
            {},
            twins("2", 1, item=[("1", "2", "tea", "5")], note=[("1", "1"), ("2", "2")]),
            STRAYED,
            id="strayed on the second level",
        ),
        pytest.param(
            {"shop": [("7", "a", None, "1", "Ann")]},
            {"shop": [("1", "a", None, "0", "x")]},
            {"shop": [("7", "a", None, "1", "Ann")]},
            "preservation: the primary key was changed in a row of the target",
            id="the target's key is lost",
        ),
        pytest.param(
            {},
            {"shop": [SHOP]},
            {},
            "preservation: a row of the target that is not in the backup was removed",
            id="removed",
        ),
        pytest.param(
            {"shop": [SHOP]},
            {"shop": [("2", "b", None, "0", "x")]},
            {"shop": [SHOP, ("2", "b", None, "0", "y")]},
            "preservation: a row of the target that is not in the backup was changed",
            id="changed",
        ),
        pytest.param(
            {"log": [("1", "x"), ("1", "x")]},
            {},
            {"log": [("1", "x")]},
            COMPLETENESS + "rows of a table without key are missing",
            id="once instead of twice",
        ),
        pytest.param(
            {"log": [("1", "x")]},
            {"log": [("1", "x")]},
            {"log": [("1", "x"), ("1", "x")]},
            COMPLETENESS + "rows of a table without key are there too often",
            id="twice instead of once",
        ),
        pytest.param(
            {},
            {"log": [("1", "x")]},
            {},
            "preservation: a row of a table without key is gone",
            id="the target's row without key removed",
        ),
    ],
)
def test_forbidden(source: Rows, present: Rows, after: Rows, cause: str) -> None:
    given = world(source, present)
    assert cause in found(given, DONE, after)
    assert LIE in {f"{each.guarantee}: {each.cause}" for each in breaches(given, DONE, seen(after))}


# -- rows that cannot be restored ----------------------------------------------------------------

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


def test_duplicates_down_a_tree() -> None:
    node = table(
        "node", "id:integer up:integer name:text", key("node_pk", "id", primary=True),
        key("node_name", "up", "name"), refers("node_up", "up", "node"),
    )  # fmt: skip
    root = ("1", None, "r")
    source = (root, ("2", "1", "a"), ("3", "1", "a"), ("4", "2", "b"), ("5", "3", "b"))
    below = (("6", "4", "c"), ("7", "5", "c"))
    given = World(
        schema=Schema(tables=(node,)), source={"public.node": (*below, *reversed(source))}
    )

    def broken(*rows: Row) -> set[Guarantee]:
        found = breaches(given, DONE, Observation(rows={"public.node": rows}))
        return {each.guarantee for each in found} - {Guarantee.HONESTY}

    assert broken(root, ("2", "1", "a"), ("4", "2", "b"), ("6", "4", "c")) == set()
    assert broken(root, ("3", "1", "a"), ("4", "3", "b"), ("7", "4", "c")) == set()
    two = (root, ("2", "1", "a"), ("4", "2", "b"), ("6", "4", "c"), ("7", None, "c"))
    assert Guarantee.MERGING in broken(*two)


@pytest.mark.parametrize(
    ("column", "deferrable", "right"),
    [("code:text!", False, True), ("code:text", False, False), ("code:text!", True, False)],
)
def test_values_that_change_hands_at_once(column: str, deferrable: bool, right: bool) -> None:
    """May be rejected, with what refers to them, if no row can be without one for a while."""
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


def test_the_newest_may_be_the_targets_where_that_is_asked_for() -> None:
    source: Rows = {"shop": [("1", "a", None, "1", "x")]}
    newer: Rows = {"shop": [("1", "a", None, "2", "y")]}
    kept = "completeness: the target still holds its own row instead of the source's"
    prefer = Options(prefer="rate")
    assert found(world(source, newer), DONE, newer) == {kept}
    assert found(world(source, newer, prefer), DONE, newer) == set()
    assert found(world(newer, source, prefer), DONE, source) == {kept}


# -- rules ---------------------------------------------------------------------------------------


def test_a_sequence_has_to_be_past_its_values() -> None:
    given = world({"item": [("7", None, "tea", "5")]})
    name = "public.item.id"

    def judged(before: int, after: int) -> set[Guarantee]:
        return {
            each.guarantee
            for each in breaches(
                given,
                DONE,
                seen(given_rows, sequences={name: after}),
                before=seen({}, sequences={name: before}),
            )
        }

    given_rows: Rows = {"item": [("7", None, "tea", "5")]}
    assert judged(1, 8) == set()
    assert judged(1, 7) == {Guarantee.INTEGRITY, Guarantee.HONESTY}


def test_a_sequence_that_was_behind_already_is_nobody_s_doing() -> None:
    rows: Rows = {"item": [("7", None, "tea", "5")]}
    behind = seen(rows, sequences={"public.item.id": 3})
    assert breaches(world(rows, rows), DONE, behind, before=behind) == []
    assert breaches(world(rows), DONE, behind, before=replace(behind, rows=seen({}).rows)) != []


def test_a_failure_moves_no_sequence() -> None:
    name = "public.item.id"
    claim = failed(*NAMED)
    before, after = (seen({}, sequences={name: number}) for number in (1, 2))
    assert breaches(world(ORPHAN), claim, before, before=before) == []
    found = breaches(world(ORPHAN), claim, after, before=before)
    assert [each.guarantee for each in found] == [Guarantee.ATOMICITY]


def test_what_is_left_switched_off() -> None:
    given = world({"shop": [SHOP]})
    after = seen({"shop": [SHOP]}, trouble=("trigger t of public.shop is off",))
    assert {each.guarantee for each in breaches(given, DONE, after)} == {
        Guarantee.INTEGRITY,
        Guarantee.HONESTY,
    }


def test_a_generated_column_is_what_its_row_makes_of_it() -> None:
    lower = Expression(op=Op.LOWER, arguments=(column("name"),))
    made = Table(
        name="t",
        columns=(
            Column(name="name", type="text"),
            Column(name="folded", type="text", generated=lower),
        ),
    )
    rows = {"public.t": (("Ann",),)}
    given = World(schema=Schema(tables=(made,)), source=rows)
    for value, right in (("ann", True), ("Ann", False)):
        after = Observation(rows=rows, generated={"public.t": ((value,),)})
        assert (breaches(given, DONE, after) == []) is right


# -- the same once more --------------------------------------------------------------------------


def test_a_second_restore_that_fails_or_changes_something() -> None:
    given, after = world({"log": [("1", "x")]}), {"log": [("1", "x")]}
    again = replace(DONE, success=False, exit_code=1, message="log: at")
    assert found(given, DONE, after, (again, after)) == {
        "idempotence: the second restore of the same backup failed"
    }
    assert found(given, DONE, after, (DONE, {"log": [("1", "x"), ("1", "x")]})) == {
        "idempotence: the second restore of the same backup changed the target"
    }
