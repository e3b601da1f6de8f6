"""The clauses of the contract as small worlds, with their end written out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.model import small
from verifier.model.breach import NotModelled
from verifier.model.restore import Expected, expect
from verifier.model.schema import (
    Check,
    Column,
    Expression,
    ForeignKey,
    Identity,
    Key,
    Op,
    Partition,
    PartitionBy,
    Partitioning,
    Schema,
    Table,
    column,
    literal,
)
from verifier.model.world import Options, SoftReference, World

A, B = "public.a", "public.b"
COLUMNS = {
    "id": Column(name="id", type="integer", not_null=True, identity=Identity.SERIAL),
    "name": Column(name="name", type="text"),
    "a": Column(name="a", type="integer"),
    "t": Column(name="t", type="integer"),
}


def table(name: str, *columns: str, keys: tuple[str, ...] = (), up: str = "") -> Table:
    """A table by ``id``; each of ``keys`` is unique, ``a`` refers to the table ``up``."""
    primary = Key(name=f"{name}_pk", parts=(column("id"),), primary=True)
    others = (Key(name=f"{name}_{one}", parts=(column(one),)) for one in keys)
    parent = ForeignKey(name=f"{name}_a", columns=("a",), parent=up, references=("id",))
    return Table(
        name=name,
        columns=tuple(COLUMNS[one] for one in ("id", *columns)),
        keys=(primary, *others),
        foreign_keys=(parent,) if up else (),
    )


NAMED = table("a", "name", "t", keys=("name",))
CHILD = table("b", "a", up=A)
SCHEMA = Schema(tables=(CHILD, NAMED))
LACKS = frozenset({"a_name", "b_a"})


def world(source: dict[str, object], present: dict[str, object], **options: object) -> World:
    def rows(side: dict[str, object]) -> dict[str, object]:
        return {name: tuple(given) for name, given in side.items()}  # type: ignore[arg-type]

    return World(
        schema=SCHEMA,
        source=rows(source),  # type: ignore[arg-type]
        present=rows(present),  # type: ignore[arg-type]
        lacks=LACKS,
        options=Options(**options),  # type: ignore[arg-type]
    )


def held(found: Expected, name: str) -> list[tuple[str | None, ...]]:
    return sorted(found.rows[name], key=str)


def test_duplicates_merge_into_the_last_and_children_follow() -> None:
    found = expect(
        world({A: [("1", "x", None), ("2", "x", None)], B: [("7", "1"), ("8", "2")]}, {})
    )
    assert (found.success, found.exit_code) == (True, 0)
    assert held(found, A) == [("2", "x", None)]
    assert held(found, B) == [("7", "2"), ("8", "2")]
    assert [(one.key, one.survivor) for one in found.merges] == [({"id": "1"}, {"id": "2"})]
    assert found.sequences == {f"{A}.id": 3, f"{B}.id": 9}


def test_survivor_keeps_the_key_of_the_target() -> None:
    found = expect(world({A: [("1", "x", "3")], B: [("7", "1")]}, {A: [("5", "x", None)]}))
    assert held(found, A) == [("5", "x", "3")]
    assert held(found, B) == [("7", "5")]
    assert found.counts[A].merged == 1


def test_row_that_is_two_rows_of_the_target_takes_its_children_along() -> None:
    found = expect(
        world(
            {A: [("1", "x", None)], B: [("7", "1")]},
            {A: [("1", "y", None), ("5", "x", None)]},
        )
    )
    assert (found.success, found.exit_code) == (False, 1)
    assert [(one.table, one.constraints) for one in found.rejections] == [
        (A, frozenset({"a_pk", "a_name"})),
    ]
    # The number 1 is in the target: it names the same row there.
    assert held(found, B) == []


def test_values_that_changed_hands_are_no_collisions() -> None:
    found = expect(
        world(
            {A: [("1", "y", None), ("2", "x", None)]},
            {A: [("1", "x", None), ("2", "y", None)]},
        )
    )
    assert held(found, A) == [("1", "y", None), ("2", "x", None)]
    assert found.counts[A].updated == 2


@pytest.mark.parametrize(("quarantine", "rows"), [(False, []), (True, [("1", "x", None)])])
def test_one_orphan_and_the_rest(quarantine: bool, rows: list[tuple[str, ...]]) -> None:
    found = expect(world({A: [("1", "x", None)], B: [("7", "9")]}, {}, quarantine=quarantine))
    assert (found.success, found.exit_code) == (quarantine, 1)
    assert [one.constraints for one in found.rejections] == [frozenset({"b_a"})]
    assert held(found, A) == rows


def test_newest_survives_and_a_newer_row_of_the_target_stays() -> None:
    found = expect(
        world(
            {A: [("1", "x", "9"), ("2", "x", "3"), ("4", "y", "1")]},
            {A: [("4", "z", "5")]},
            prefer="t",
        )
    )
    assert held(found, A) == [("1", "x", "9"), ("4", "z", "5")]
    assert (found.counts[A].inserted, found.counts[A].merged) == (1, 2)


def test_suspected_numbers_are_rejected_with_their_children() -> None:
    found = expect(
        world(
            {A: [("1", "x", None)], B: [("7", "1")]},
            {A: [("1", "y", None)]},
            strict_ids=True,
            quarantine=True,
        )
    )
    assert [one.table for one in found.rejections] == [A, B]
    assert held(found, A) == [("1", "y", None)]


def test_child_of_a_suspected_row_may_be_named_as_such_whatever_else_it_breaks() -> None:
    child = table("b", "a", "t", up=A)
    needed = replace(COLUMNS["t"], not_null=True)
    child = replace(child, columns=(*child.columns[:-1], needed))
    given = world(
        {A: [("1", "x", None)], B: [("7", "1", None)]}, {A: [("1", "y", None)]}, strict_ids=True
    )
    found = expect(replace(given, schema=Schema(tables=(child, NAMED))))
    assert [one.constraints for one in found.rejections] == [{"a_pk"}, {"public.b.t", "b_a"}]


def test_row_without_a_parent_whose_other_reference_is_null_in_part_breaks_both() -> None:
    pair = ForeignKey(
        name="b_pair", columns=("a", "t"), parent="public.c", references=("id", "t"), full=True
    )
    both = Key(name="c_both", parts=(column("id"), column("t")))
    child, parent = table("b", "a", "t", up=A), table("c", "t")
    schema = Schema(
        tables=(
            replace(child, foreign_keys=(*child.foreign_keys, pair)),
            replace(parent, keys=(*parent.keys, both)),
            NAMED,
        )
    )
    given = replace(world({B: [("7", "9", None)]}, {}), schema=schema)
    assert [one.constraints for one in expect(given).rejections] == [{"b_a", "b_pair"}]


def test_local_numbers_are_made_anew_and_references_follow() -> None:
    found = expect(
        world(
            {A: [("1", "x", None), ("2", "y", None)], B: [("1", "1"), ("2", "2")]},
            {A: [("1", "y", None)], B: [("1", "1")]},
            local_ids=True,
        )
    )
    assert held(found, A) == [("1", "y", None), ("2", "x", None)]
    assert held(found, B) == [("1", "1"), ("2", "2")]
    assert (found.counts[B].inserted, found.counts[B].merged) == (1, 1)


@pytest.mark.parametrize(
    ("end", "refusal"),
    [("9", ""), ("6", "rows of public.a break a rule with their new numbers")],
)
def test_partition_has_to_take_the_new_number_only(end: str, refusal: str) -> None:
    part = Partition(name="a_1", values=("5", end))
    parts = Partitioning(by=PartitionBy.RANGE, column="id", parts=(part,))
    given = world({A: [("1", "x", None)]}, {A: [("5", "y", None)]}, local_ids=True)
    found = expect(replace(given, schema=Schema(tables=(replace(NAMED, partitioning=parts),))))
    assert (found.success, found.refusal, found.rejections) == (not refusal, refusal, ())


@pytest.mark.parametrize(("number", "fits"), [(2**61 - 1, True), (2**61, False), (-(2**63), False)])
def test_numbers_that_are_moved_can_be_told_from_all_others(number: int, fits: bool) -> None:
    given = world({A: [(str(number), "x", None)]}, {}, local_ids=True)
    found = expect(given)
    assert (found.success, bool(found.refusal), found.rejections) == (fits, not fits, ())


def test_number_that_is_there_twice_is_one_row() -> None:
    schema = Schema(tables=(table("a"),))
    found = expect(
        World(
            schema=schema,
            source={A: (("1",), ("3",), ("3",))},
            present={A: (("1",), ("2",))},
            lacks=frozenset({"a_pk"}),
            options=Options(local_ids=True),
        )
    )
    # Without another key, rows are found whole: they are the target's two, in its order.
    assert held(found, A) == [("1",), ("2",)]
    assert [(one.key, one.survivor) for one in found.merges] == [({"id": "3"}, {"id": "2"})] * 2
    assert found.sequences == {f"{A}.id": 3}


def test_undeclared_text_follows_a_merge_where_it_is_declared() -> None:
    soft = SoftReference(table=B, column="a", parent=A)
    schema = Schema(tables=(table("b", "a"), NAMED))
    both = World(
        schema=schema,
        source={A: (("1", "x", None),), B: (("7", "1"), ("8", "6"))},
        present={A: (("5", "x", None),)},
        options=Options(references=(soft,)),
    )
    assert held(expect(both), B) == [("7", "5"), ("8", "6")]


def test_references_that_pull_one_column_in_a_circle_come_to_an_end() -> None:
    def pulled(name: str, *references: ForeignKey) -> Table:
        return small.table(name, "id:integer v:integer", small.key(f"{name}_v", "v"), *references)

    def above(name: str) -> Table:
        pk = small.key(f"{name}_pk", "id", primary=True)
        return small.table(name, "id:integer n:integer", pk, small.key(f"{name}_n", "n"))

    tables = (
        pulled("a", small.refers("a_1", "v", "p"), small.refers("a_2", "v", "b", "v")),
        pulled("b", small.refers("b_1", "v", "q"), small.refers("b_2", "v", "c", "v")),
        pulled("c", small.refers("c_1", "v", "a", "v")),
        above("p"),
        above("q"),
    )
    both = World(
        schema=Schema(tables=tables),
        source={each.id: (("1", "1"),) for each in tables},
        present={"public.p": (("5", "1"),), "public.q": (("7", "1"),)},
    )
    # 5 and 7 go round and round.
    with pytest.raises(NotModelled, match="without an end"):
        expect(both)


def test_rows_without_a_key_pair_off() -> None:
    plain = Table(name="a", columns=(COLUMNS["name"],))
    found = expect(
        World(
            schema=Schema(tables=(plain,)),
            source={A: (("x",), ("x",), ("y",))},
            present={A: (("x",), ("z",))},
        )
    )
    assert held(found, A) == [("x",), ("x",), ("y",), ("z",)]
    assert (found.counts[A].inserted, found.counts[A].unchanged) == (2, 1)


def test_value_that_nothing_can_stand_in_for() -> None:
    flag = Column(name="flag", type="boolean", not_null=True)
    one = Table(
        name="a",
        columns=(COLUMNS["id"], flag),
        keys=(
            Key(name="a_pk", parts=(column("id"),), primary=True),
            Key(name="a_flag", parts=(column("flag"),)),
        ),
    )
    found = expect(
        World(
            schema=Schema(tables=(one,)),
            source={A: (("1", "t"), ("2", "f"))},
            present={A: (("1", "f"), ("2", "t"))},
        )
    )
    assert {each.constraints for each in found.rejections} == {frozenset({"a_flag"})}


def test_check_that_a_row_breaks_after_a_merge_only() -> None:
    apart = Check(
        name="apart",
        condition=Expression(
            op=Op.NOT, arguments=(Expression(op=Op.EQUAL, arguments=(column("a"), column("id"))),)
        ),
    )
    tree = table("a", "name", "a", keys=("name",), up=A)
    tree = Table(
        name="a",
        columns=tree.columns,
        keys=tree.keys,
        foreign_keys=tree.foreign_keys,
        checks=(
            apart,
            Check(
                name="named",
                condition=Expression(
                    op=Op.NOT,
                    arguments=(Expression(op=Op.EQUAL, arguments=(column("name"), literal("no"))),),
                ),
            ),
        ),
    )
    found = expect(
        World(
            schema=Schema(tables=(tree,)),
            source={A: (("1", "x", None), ("2", "x", "1"), ("3", "no", None))},
            lacks=frozenset({"a_name", "named"}),
            options=Options(quarantine=True),
        )
    )
    assert sorted((one.key["id"], *one.constraints) for one in found.rejections) == [
        ("2", "apart"),
        ("3", "named"),
    ]
    assert held(found, A) == [("1", "x", None)]
