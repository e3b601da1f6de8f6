"""Outcomes that the contract allows, and such that it forbids, a world each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.model.small import (
    DONE,
    LIE,
    Rows,
    found,
    key,
    refers,
    seen,
    table,
    world,
)
from verifier.contract import Guarantee
from verifier.model.allowed import breaches
from verifier.model.schema import Column, Expression, Op, Row, Schema, Table, column
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
