"""Mixed states of any schema: each is possible, and is what it says it is."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from verifier.errors import Unfit
from verifier.model.keys import Keys
from verifier.model.own import Group, Own, Pool
from verifier.model.possible import trouble
from verifier.model.rules import violations
from verifier.model.schema import Column, Key, Row, Schema, Table, column
from verifier.model.world import World
from verifier.servers import Pair
from verifier.worlds.own import load
from verifier.worlds.states import States

SQL = Path(__file__).parents[2] / "fixtures" / "sql"
SCHEMAS = ("issue_tracker", "accounting", "event_store")
STATES = (
    "every_value",
    "children_first",
    "loaded",
    "rows_of_their_own",
    "duplicates",
    "under_another_id",
    "orphans",
    "swapped",
)


@pytest.fixture(scope="module")
def worlds(servers: Pair) -> dict[tuple[str, str], World]:
    """By schema and state."""
    found = {}
    for schema in SCHEMAS:
        own = load(servers, SQL / f"{schema}.sql")
        found |= {(schema, state): getattr(States(own), state)() for state in STATES}
    return found


def broken(world: World, *, target: bool = False) -> Counter[str]:
    """How many rows of a side break each rule of the target."""
    rows = world.present if target else world.source
    return Counter(each.rule for each in violations(world.schema, rows))


def count(rows: dict[str, tuple[Row, ...]]) -> int:
    return sum(map(len, rows.values()))


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("state", STATES)
def test_every_state_is_possible(
    worlds: dict[tuple[str, str], World], schema: str, state: str
) -> None:
    world = worlds[schema, state]
    assert trouble(world) == []
    assert count(world.source) > 15
    assert {table for table, rows in world.source.items() if rows} >= {
        table for table, rows in world.present.items() if rows
    }


@pytest.mark.parametrize("schema", SCHEMAS)
def test_every_key_has_duplicates_and_every_reference_an_orphan(
    worlds: dict[tuple[str, str], World], schema: str
) -> None:
    tables = [
        table
        for table in worlds[schema, "loaded"].schema.tables
        if table.id in worlds[schema, "loaded"].source
    ]
    keys = {key.name for table in tables for key in table.keys if not key.primary}
    # These hold the whole of the table's own primary key, or of another one's.
    assert keys - broken(worlds[schema, "duplicates"]).keys() == set()
    references = {key.name for table in tables for key in table.foreign_keys}
    assert references == broken(worlds[schema, "orphans"]).keys() & references


@pytest.mark.parametrize("schema", SCHEMAS)
def test_what_two_sides_have_in_common(worlds: dict[tuple[str, str], World], schema: str) -> None:
    loaded, other, changed = (
        worlds[schema, state] for state in ("loaded", "under_another_id", "rows_of_their_own")
    )
    assert loaded.source == loaded.present
    assert count(other.source) == count(other.present)
    assert other.source != other.present
    keys = Keys(other.schema)
    for table in other.schema.tables:
        for key in table.keys if not any(table.foreign_keys) else ():
            if not key.primary and key.columns:
                there, here = (
                    {keys.value(table, key, row) for row in side.get(table.id, ())}
                    for side in (other.source, other.present)
                )
                assert there == here, key
    for side, rest in ((changed.source, changed.present), (changed.present, changed.source)):
        assert any(set(rows) - set(rest[table]) for table, rows in side.items())


def test_rows_stand_before_those_that_they_refer_to(
    worlds: dict[tuple[str, str], World],
) -> None:
    source = worlds["issue_tracker", "children_first"].source
    tables = [*source]
    assert tables.index("public.issues") < tables.index("public.projects")
    assert tables.index("public.issue_labels") < tables.index("public.issues")


def test_every_choice_is_used_where_keys_let_it(
    worlds: dict[tuple[str, str], World], servers: Pair
) -> None:
    own = load(servers, SQL / "issue_tracker.sql")
    comments = worlds["issue_tracker", "every_value"].source["public.comments"]
    table = own.schema.by_id["public.comments"]
    for group in own.pools["public.comments"].groups:
        used = {tuple(row[table.places[name]] for name in group.columns) for row in comments}
        assert used == set(group.choices[:30]), group.columns


def bare(*keys: Key) -> States:
    table = Table(name="t", columns=(Column(name="id", type="integer"),), keys=keys)
    pool = Pool(groups=(Group(columns=("id",), choices=(("1",), ("2",), ("3",)), open=True),))
    return States(Own(schema=Schema(tables=(table,)), pools={"public.t": pool}))


@pytest.mark.parametrize("state", STATES[1:])
def test_a_schema_that_has_nothing_of_a_kind_says_so(state: str) -> None:
    if state in ("loaded", "rows_of_their_own"):
        assert getattr(bare(), state)().source["public.t"]
        return
    with pytest.raises(Unfit, match="no table"):
        getattr(bare(Key(name="t_pkey", parts=(column("id"),), primary=True)), state)()


def test_a_schema_without_any_table() -> None:
    with pytest.raises(Unfit, match="no table of the schema can have rows"):
        States(Own(schema=Schema(tables=()), pools={}))
