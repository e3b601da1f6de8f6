"""Materialised views after a restore: refreshed when asked for, else named as stale."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
import pytest

from tests.initial_load.conftest import Move
from verifier.initial_load import session, views
from verifier.initial_load.catalog import load
from verifier.servers import Side

# Names against the order: each view reads the one after it.
CHAIN = """
CREATE TABLE b (id int PRIMARY KEY, v int);
CREATE MATERIALIZED VIEW "M4" AS SELECT count(*) AS n FROM b;
CREATE VIEW plain AS SELECT n + 0 AS n FROM "M4";
CREATE MATERIALIZED VIEW m3 AS SELECT n FROM plain;
CREATE FUNCTION top() RETURNS bigint STABLE LANGUAGE sql BEGIN ATOMIC SELECT max(n) FROM m3; END;
CREATE MATERIALIZED VIEW m2 AS SELECT top() AS n;
CREATE MATERIALIZED VIEW m1 AS SELECT n FROM m2;
CREATE MATERIALIZED VIEW other AS SELECT 1 AS n;
CREATE MATERIALIZED VIEW empty AS SELECT count(*) AS n FROM b WITH NO DATA;
"""


def target(move: Move, script: str) -> None:
    move.target = move.database(Side.TARGET, script)


def refreshed(move: Move, *before: str) -> list[str]:
    conn = session.connect(move.target.dsn)
    try:
        for statement in before:
            conn.execute(statement.encode())
        names = views.refresh(conn)
        conn.commit()
        return names
    finally:
        conn.close()


def stale(move: Move, *tables: str) -> list[str]:
    conn = session.connect(move.target.dsn)
    try:
        known = load(conn).by_name
        return views.stale(conn, [known["public", name] for name in tables])
    finally:
        conn.close()


def values(move: Move, names: Sequence[str]) -> list[int]:
    return [move.rows(f"SELECT n FROM {name}")[0][0] for name in names]


def test_views_on_views_are_refreshed_in_order(move: Move) -> None:
    target(move, CHAIN)
    names = refreshed(move, "INSERT INTO b VALUES (1, 1), (2, 2)")
    assert names.index('public."M4"') < names.index("public.m3") < names.index("public.m2")
    assert sorted(names) == ['public."M4"', "public.m1", "public.m2", "public.m3", "public.other"]
    assert values(move, names) == [2 if name != "public.other" else 1 for name in names]
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        move.rows("SELECT * FROM empty")


def test_refresh_is_part_of_the_transaction(move: Move) -> None:
    target(move, CHAIN)
    conn = session.connect(move.target.dsn)
    conn.execute("INSERT INTO b VALUES (1, 1)")
    views.refresh(conn)
    conn.close()
    assert values(move, ['"M4"', "m1"]) == [0, 0]


def test_views_that_a_restore_made_stale_are_named(move: Move) -> None:
    target(
        move,
        CHAIN + "CREATE TABLE p (id int) PARTITION BY LIST (id);"
        "CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);"
        "CREATE MATERIALIZED VIEW mp AS SELECT * FROM p",
    )
    assert stale(move, "b") == ['public."M4"', "public.m1", "public.m2", "public.m3"]
    assert stale(move, "p1") == ["public.mp"]
    assert stale(move) == []


def test_every_view_that_cannot_be_refreshed_is_named(move: Move) -> None:
    target(
        move,
        "CREATE TABLE b (id int PRIMARY KEY, v int);"
        "CREATE MATERIALIZED VIEW zero AS SELECT 1 / v AS n FROM b;"
        "CREATE MATERIALIZED VIEW twice AS SELECT v AS n FROM b; CREATE UNIQUE INDEX ON twice (n);"
        "CREATE MATERIALIZED VIEW fine AS SELECT id AS n FROM b",
    )
    with pytest.raises(views.NotRefreshed) as refused:
        refreshed(move, "INSERT INTO b VALUES (1, 0), (2, 0)")
    assert "public.zero cannot be refreshed: division by zero" in str(refused.value)
    assert "public.twice cannot be refreshed: could not create unique index" in str(refused.value)
    assert "fine" not in str(refused.value)
    assert move.rows("SELECT * FROM b") == []


def test_views_of_another_owner_are_named(move: Move) -> None:
    target(move, "CREATE TABLE b (id int PRIMARY KEY)")
    with psycopg.connect(move.target.admin.conninfo) as admin:
        admin.execute("CREATE MATERIALIZED VIEW theirs AS SELECT id AS n FROM b")
        admin.execute("CREATE MATERIALIZED VIEW shut AS SELECT id AS n FROM b WITH NO DATA")
        owner = admin.info.user
    with pytest.raises(views.NotRefreshed) as refused:
        refreshed(move)
    said = f"public.theirs belongs to {owner}; restore as {owner}, or without --refresh"
    assert str(refused.value) == f"materialised view {said}"


def test_settings_of_the_account_decide_what_a_view_holds(move: Move) -> None:
    target(
        move,
        "CREATE TABLE b (at timestamptz);"
        "CREATE MATERIALIZED VIEW m AS SELECT at::date - date '2020-01-01' AS n FROM b",
    )
    name, account = move.target.name, move.target.dsn.parameters["user"]
    move.rows(f"""ALTER ROLE "{account}" IN DATABASE "{name}" SET timezone = 'Asia/Tokyo'""")
    refreshed(move, "INSERT INTO b VALUES ('2020-01-01 23:00Z')")
    assert values(move, ["m"]) == [1]


def test_restore_notes_the_views_that_it_made_stale(move: Move) -> None:
    sides = (Side.TARGET, Side.TARGET)
    claim = move(CHAIN, "INSERT INTO b VALUES (1, 1)", sides=sides)
    (note,) = claim.notes
    assert 'stale now: public."M4", public.m1, public.m2, public.m3 (' in note
    assert move.again().notes == ()
