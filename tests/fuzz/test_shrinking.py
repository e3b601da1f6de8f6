"""A failing world is made small, and stays one that can be."""

from __future__ import annotations

import time

from verifier.fuzz import edits
from verifier.fuzz.shrinking import shrink
from verifier.model.possible import trouble
from verifier.model.schema import (
    Column,
    ForeignKey,
    Identity,
    Key,
    Row,
    Schema,
    Table,
    Trigger,
    column,
)
from verifier.model.world import BackupForm, Options, World


def table(name: str, *parents: str, own: tuple[Key, ...] = ()) -> Table:
    """``name (id, label, …)`` with a column and a foreign key for each parent."""
    return Table(
        name=name,
        columns=(
            Column(name="id", type="uuid", not_null=True),
            Column(name="label", type="text"),
            Column(name="extra", type="numeric(10,2)", default="0"),
            *(Column(name=f"{each}_id", type="uuid") for each in parents),
        ),
        keys=(Key(name=f"{name}_pkey", parts=(column("id"),), primary=True), *own),
        foreign_keys=tuple(
            ForeignKey(
                name=f"{name}_{each}",
                columns=(f"{each}_id",),
                parent=f"public.{each}",
                references=("id",),
            )
            for each in parents
        ),
        triggers=(Trigger.SHOUT,),
    )


def uuid(number: int) -> str:
    return f"{number:08d}-0000-4000-8000-000000000000"


def rows(count: int, first: int, *parents: int) -> tuple[Row, ...]:
    return tuple(
        (uuid(first + n), f"label {n}", f"{n}.50", *(uuid(each + n % 3) for each in parents))
        for n in range(count)
    )


LABEL = Key(name="shop_label", parts=(column("label"),))
SCHEMA = Schema(
    tables=(
        table("shop", own=(LABEL,)),
        table("item", "shop"),
        table("part", "item"),
        table("other", "shop", "part"),
    )
)
WORLD = World(
    schema=SCHEMA,
    source={
        "public.shop": rows(6, 10),
        "public.item": rows(8, 20, 10),
        "public.part": rows(9, 30, 20),
        "public.other": rows(5, 40, 10, 30),
    },
    present={"public.shop": rows(4, 12), "public.other": rows(2, 50, 12, 0)[:0]},
    lacks=frozenset({"shop_label", "item_shop"}),
    order=("public.part", "public.item"),
    form=BackupForm.COPY,
    options=Options(quarantine=True),
)


def test_the_world_of_these_tests_is_possible() -> None:
    assert trouble(WORLD) == []


def fails(world: World) -> bool:
    """As if a child of a shop that the target also has were lost."""
    if "public.item" not in world.schema.by_id or "public.shop" not in world.schema.by_id:
        return False
    item = world.schema.by_id["public.item"]
    if not item.foreign_keys:
        return False
    shops = {row[0] for row in world.present.get("public.shop", ())}
    at = item.places[item.foreign_keys[0].columns[0]]
    return any(row[at] in shops for row in world.source.get("public.item", ()))


def test_what_the_failure_does_not_need_is_gone() -> None:
    small = shrink(WORLD, fails, near="public.item")
    assert small.finished
    world = small.world
    assert fails(world)
    assert trouble(world) == []
    assert sorted(world.schema.by_id) == ["public.item", "public.shop"]
    assert world.size == 3  # a shop on either side, and its item
    assert {len(each.columns) for each in world.schema.tables} == {1}
    assert all(not each.triggers for each in world.schema.tables)
    assert (world.lacks, world.order, world.options) == (frozenset(), (), Options())
    assert world.source["public.item"] == (("1",),)
    assert {each.type for t in world.schema.tables for each in t.columns} == {"integer"}


def test_it_takes_few_tries() -> None:
    assert shrink(WORLD, fails, near="public.item").tries < 150


def test_every_world_on_the_way_is_possible() -> None:
    seen = []

    def watched(world: World) -> bool:
        seen.append(world)
        return fails(world)

    shrink(WORLD, watched)
    assert len(seen) > 30
    assert [each for each in seen if trouble(each)] == []


def test_the_time_is_kept() -> None:
    def slow(world: World) -> bool:
        time.sleep(0.05)
        return fails(world)

    began = time.monotonic()
    small = shrink(WORLD, slow, seconds=0.3)
    assert time.monotonic() - began < 1
    assert not small.finished
    assert fails(small.world)


def test_a_row_takes_along_those_that_refer_to_it() -> None:
    world = edits.without_rows(WORLD, [(edits.SOURCE, "public.item", n) for n in range(3)])
    assert len(world.source["public.item"]) == 5
    assert "public.part" not in world.source  # of items 0 to 2
    assert "public.other" not in world.source  # which referred to the parts
    assert trouble(world) == []


def test_a_foreign_key_that_a_source_lacks_takes_nothing_along() -> None:
    shops = [(edits.SOURCE, "public.shop", n) for n in range(6)]
    world = edits.without_rows(WORLD, shops)
    assert len(world.source["public.item"]) == 8  # item_shop is lacking
    assert "public.other" not in world.source


def test_a_column_takes_along_what_reads_it() -> None:
    shop = SCHEMA.by_id["public.shop"]
    world = edits.without_columns(WORLD, shop, {"label"})
    left = world.schema.by_id["public.shop"]
    assert [key.name for key in left.keys] == ["shop_pkey"]
    assert left.triggers == ()  # no text is left that it could write in capitals
    assert world.source["public.shop"][0] == (uuid(10), "0.50")
    assert world.lacks == {"item_shop"}


def test_a_key_takes_along_the_foreign_keys_to_it() -> None:
    shop = SCHEMA.by_id["public.shop"]
    bare = Table(name="shop", columns=shop.columns, keys=(LABEL,))
    world = edits.with_table(WORLD, bare)
    assert world.schema.by_id["public.item"].foreign_keys == ()
    assert [key.name for key in world.schema.by_id["public.other"].foreign_keys] == ["other_part"]


def test_a_script_of_somebodys_own_gets_the_statements() -> None:
    own = Schema(tables=SCHEMA.tables, script="CREATE TABLE …;\n")
    world = World(schema=own, source=WORLD.source, present=WORLD.present, lacks=WORLD.lacks)
    smaller = edits.without_tables(world, {"public.other"})
    assert smaller.schema.script.splitlines()[-1] == 'DROP TABLE "public"."other" CASCADE;'
    less = edits.without_columns(smaller, smaller.schema.by_id["public.part"], {"extra"})
    assert less.schema.script.splitlines()[-1] == (
        'ALTER TABLE "public"."part" DROP COLUMN "extra" CASCADE;'
    )


def test_numbers_that_a_sequence_made_stay_numbers() -> None:
    numbered = Table(
        name="t",
        columns=(Column(name="id", type="bigint", identity=Identity.ALWAYS),),
        keys=(Key(name="t_pkey", parts=(column("id"),), primary=True),),
    )
    world = World(
        schema=Schema(tables=(numbered,)),
        source={"public.t": (("5000",), ("70",))},
        positions={"public.t.id": 6000},
    )
    small = shrink(
        world,
        lambda each: (
            bool(each.schema.tables[0].columns[0].identity)
            and each.schema.tables[0].keys != ()
            and each.positions != {}
            and len(each.source.get("public.t", ())) == 2
        ),
    )
    assert small.world.source == {"public.t": (("2",), ("1",))}


def test_names_are_made_plain_where_the_failure_does_not_need_them() -> None:
    odd = Table(
        name="Odd Name",
        schema="else",
        columns=(Column(name="a b", type="int"), Column(name="ORDER", type="int")),
        keys=(Key(name="Odd Name_k", parts=(column("a b"),)),),
        foreign_keys=(
            ForeignKey(
                name="Odd f", columns=("ORDER",), parent="else.Odd Name", references=("a b",)
            ),
        ),
    )
    world = World(
        schema=Schema(tables=(odd,)),
        source={"else.Odd Name": (("1", "1"),)},
        lacks=frozenset({"Odd f"}),
        order=("else.Odd Name",),
    )
    small = shrink(world, lambda each: bool(each.lacks and each.order and each.source)).world
    (table,) = small.schema.tables
    assert table.id == "public.t1"
    assert {key.name for key in (*table.keys, *table.foreign_keys)} >= small.lacks
    assert small.source == {"public.t1": ((None, None),)}
    assert trouble(small) == []
