"""The backup's value wins over the target's triggers, which are as they were afterwards."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.initial_load.conftest import HEAD, TAIL, Move, assert_idempotent, assert_refused, total
from verifier.contract import Counts
from verifier.dsn import Dsn
from verifier.initial_load import restore

STATES = (
    "SELECT tgrelid::regclass::text, tgname::text, tgenabled::text, oid"
    " FROM pg_trigger ORDER BY oid"
)
TABLE = "CREATE TABLE t (id int PRIMARY KEY, v text, at timestamptz)"
ROWS = "INSERT INTO t VALUES (1, 'Tea', '2020-01-01Z'), (2, 'Milk', '2021-01-01Z')"


def trigger(
    body: str, when: str = "BEFORE INSERT OR UPDATE", name: str = "g", table: str = "t"
) -> str:
    return (
        f"CREATE FUNCTION {name}_f() RETURNS trigger LANGUAGE plpgsql AS"
        f" $f$BEGIN {body}; END$f$;"
        f"CREATE TRIGGER {name} {when} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}_f();"
    )


STAMP = trigger("new.at := now(); RETURN new")
AUDIT = "CREATE TABLE audit (id serial PRIMARY KEY, said text);" + trigger(
    "INSERT INTO audit (said) VALUES (new.v); RETURN new", "AFTER INSERT OR UPDATE"
)


@pytest.mark.parametrize(
    "interferes",
    [
        STAMP,
        trigger("new.v := lower(new.v); RETURN new"),
        trigger("RETURN NULL"),
        trigger("RAISE EXCEPTION 'not today'"),
    ],
    ids=["stamps", "rewrites", "drops", "refuses"],
)
def test_value_of_the_backup_wins(move: Move, interferes: str) -> None:
    claim = move(TABLE, ROWS, f"INSERT INTO t VALUES (1, 'old', '1999-01-01Z'); {interferes}")
    before = move.rows(STATES)
    assert total(claim) == Counts(inserted=1, updated=1), claim.message
    assert move.rows("SELECT v, extract(year FROM at)::int FROM t ORDER BY id") == [
        ("Tea", 2020),
        ("Milk", 2021),
    ]
    assert_idempotent(move, claim)
    assert move.rows(STATES) == before


def test_no_audit_row_is_written(move: Move) -> None:
    claim = move(TABLE, ROWS, AUDIT)
    assert move.rows("SELECT * FROM audit") == []
    assert move.rows("SELECT last_value, is_called FROM audit_id_seq") == [(1, False)]
    assert_idempotent(move, claim)
    move.rows("INSERT INTO t VALUES (3, 'new')")
    assert move.rows("SELECT said FROM audit") == [("new",)]


def test_rerun_alters_no_trigger(move: Move) -> None:
    claim = move(TABLE, ROWS, STAMP)
    place = "SELECT ctid::text, xmin::text FROM pg_trigger ORDER BY oid"
    before = move.rows(place)
    assert_idempotent(move, claim)
    assert move.rows(place) == before


STAYS = "INSERT INTO audit (said) VALUES (new.v || tg_name); RETURN new"
FOUR = (
    "CREATE TABLE audit (said text);"
    + "".join(
        trigger(STAYS, "AFTER INSERT OR UPDATE", f"g_{state}") for state in ("o", "d", "r", "a")
    )
    + "ALTER TABLE t DISABLE TRIGGER g_d, ENABLE REPLICA TRIGGER g_r, ENABLE ALWAYS TRIGGER g_a"
)


def test_only_ordinary_triggers_are_off_and_all_are_as_before(move: Move) -> None:
    claim = move(TABLE, ROWS, FOUR)
    assert [row[2] for row in move.rows(STATES)] == ["O", "D", "R", "A"]
    assert move.rows("SELECT said FROM audit") == [("Teag_a",), ("Milkg_a",)]
    assert claim.success, claim.message


def test_trigger_that_always_fires_and_changes_rows_is_blamed(move: Move) -> None:
    claim = move(TABLE, ROWS, f"{STAMP} ALTER TABLE t ENABLE ALWAYS TRIGGER g")
    assert "trigger g on public.t" in claim.message
    assert "always on; disable it" in claim.message
    assert_refused(move, claim)


def test_constraint_triggers_and_foreign_keys_stay_in_force(move: Move) -> None:
    claim = move(
        TABLE,
        ROWS,
        "CREATE FUNCTION no_milk() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN IF new.v = 'Milk' THEN RAISE EXCEPTION 'no milk here'; END IF; RETURN new; END$$;"
        "CREATE CONSTRAINT TRIGGER rule AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION no_milk();" + STAMP,
    )
    assert "no milk here" in claim.message
    before = move.rows(STATES)
    assert_refused(move, claim)
    assert move.rows(STATES) == before


def test_triggers_are_as_before_when_the_server_refuses_a_row(move: Move) -> None:
    claim = move(
        TABLE,
        ROWS,
        FOUR + ";CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN RAISE EXCEPTION 'stopped'; END$$;"
        "CREATE TRIGGER stop AFTER INSERT ON t EXECUTE FUNCTION stop();"
        "ALTER TABLE t ENABLE ALWAYS TRIGGER stop",
    )
    assert "stopped" in claim.message
    before = move.rows(STATES)
    assert_refused(move, claim)
    assert move.rows(STATES) == before
    assert move.rows("SELECT count(*) FROM audit") == [(0,)]


PARTITIONS = (
    "CREATE TABLE t (id int, r text, at timestamptz, PRIMARY KEY (id, r)) PARTITION BY LIST (r);"
    "CREATE TABLE t_a PARTITION OF t FOR VALUES IN ('a');"
    "CREATE TABLE t_b PARTITION OF t FOR VALUES IN ('b') PARTITION BY LIST (r);"
    "CREATE TABLE t_b1 PARTITION OF t_b FOR VALUES IN ('b')"
)


@pytest.mark.parametrize("root", [False, True], ids=["by leaf", "by root"])
def test_partitions_with_states_of_their_own(move: Move, root: bool) -> None:
    claim = move(
        PARTITIONS,
        "INSERT INTO t VALUES (1, 'a', '2020-01-01Z'), (2, 'b', '2021-01-01Z')",
        STAMP
        + "ALTER TABLE ONLY t_b DISABLE TRIGGER g; ALTER TABLE ONLY t_b1 DISABLE TRIGGER g;"
        + trigger("new.at := NULL; RETURN new", name="h", table="t_b1"),
    )
    if not root:  # as pg_dump writes them unless told otherwise
        insert = "INSERT INTO public.{} (id, r, at) VALUES ({}, '{}', '{}-01-01 00:00:00+00');\n"
        rows = insert.format("t_a", 1, "a", 2020) + insert.format("t_b1", 2, "b", 2021)
        move.path.write_text(HEAD + rows + TAIL)
        move.rows("DELETE FROM t")
        claim = move.again()
    before = move.rows(STATES)
    assert [row[2] for row in before if row[1] == "g"] == ["O", "O", "D", "D"]
    assert total(claim).inserted == 2, claim.message
    assert move.rows("SELECT id, extract(year FROM at)::int FROM t ORDER BY id") == [
        (1, 2020),
        (2, 2021),
    ]
    assert_idempotent(move, claim)
    assert move.rows(STATES) == before


# --- roles -------------------------------------------------------------------------------


@contextmanager
def role(move: Move, *grants: str) -> Iterator[Dsn]:
    """A plain role that may log in to the target, with ``grants`` (``{role}``)."""
    name = f"{move.target.name}_role"
    admin = psycopg.connect(move.target.admin.conninfo, autocommit=True)
    try:
        admin.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'plain'")
        for grant in grants:
            admin.execute(grant.format(role=name))
        yield move.target.dsn.with_(user=name, password="plain")
    finally:
        admin.execute(f"DROP OWNED BY {name} CASCADE; DROP ROLE {name}")
        admin.close()


def test_owner_without_superuser_rights_is_enough(move: Move) -> None:
    move(TABLE, ROWS, FOUR)
    move.rows("TRUNCATE t, audit")
    before = move.rows(STATES)
    tables = ("ALTER TABLE t OWNER TO {role}", "ALTER TABLE audit OWNER TO {role}")
    with role(move, *tables) as plain:
        claim = restore(move.path, plain)
        assert total(claim).inserted == 2, claim.message
        with psycopg.connect(plain.conninfo) as session:
            found = session.execute("SELECT said FROM audit").fetchall()
        assert found == [("Teag_a",), ("Milkg_a",)]
        assert move.rows(STATES) == before


def test_role_that_may_only_write_is_told_what_stayed_on(move: Move) -> None:
    move(TABLE, ROWS, STAMP)
    move.rows("TRUNCATE t")
    before = move.state()
    with role(move, "GRANT SELECT, INSERT, UPDATE ON t TO {role}") as plain:
        claim = restore(move.path, plain)
        assert (claim.success, claim.exit_code) == (False, 1)
        for part in ("trigger g on public.t", "restore as", "nothing was changed"):
            assert part in claim.message
        assert move.state() == before
        move.rows("ALTER TABLE t DISABLE TRIGGER g")
        assert restore(move.path, plain).success


def test_event_trigger_that_refuses_to_alter_tables(move: Move) -> None:
    claim = move(TABLE, ROWS, STAMP)
    move.rows("TRUNCATE t")
    with psycopg.connect(move.target.admin.conninfo, autocommit=True) as admin:
        admin.execute(
            "CREATE FUNCTION frozen() RETURNS event_trigger LANGUAGE plpgsql AS"
            " $$BEGIN RAISE EXCEPTION 'the schema is frozen'; END$$;"
            "CREATE EVENT TRIGGER frozen ON ddl_command_end WHEN TAG IN ('ALTER TABLE')"
            " EXECUTE FUNCTION frozen()"
        )
        claim = move.again()
        assert "the schema is frozen" in claim.message
        assert "trigger g on public.t: stayed on" in claim.message
        assert_refused(move, claim)
        admin.execute("DROP EVENT TRIGGER frozen")
    assert move.again().success


# --- a client that dies ------------------------------------------------------------------

_CHILD = """
import sys
from pathlib import Path
from verifier.dsn import Dsn
from verifier.initial_load import restore
restore(Path(sys.argv[1]), Dsn.parse(sys.stdin.readline()))
"""


def _waits(query: str, watcher: psycopg.Connection[Any], what: bool) -> None:
    for _ in range(400):
        row = watcher.execute(query).fetchone()
        if bool(row and row[0]) is what:
            return
        time.sleep(0.05)
    raise AssertionError(f"{query} was not {what} within 20 s")


@pytest.mark.slow
def test_triggers_are_as_before_when_the_client_is_killed(move: Move, tmp_path: Path) -> None:
    move(TABLE, ROWS, FOUR)
    move.rows(
        "TRUNCATE t, audit; CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN NULL; END$$;"
        "CREATE TRIGGER hold AFTER INSERT ON t EXECUTE FUNCTION hold();"
        "ALTER TABLE t ENABLE ALWAYS TRIGGER hold"
    )
    before = move.state(), move.rows(STATES)
    waiting = "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711"
    with move.target.connect() as watcher:
        watcher.execute("SELECT pg_advisory_lock(4711)")
        child = subprocess.Popen(
            [sys.executable, "-c", _CHILD, str(move.path)], stdin=subprocess.PIPE, text=True
        )
        assert child.stdin is not None
        child.stdin.write(move.target.dsn.conninfo + "\n")
        child.stdin.flush()
        _waits(f"{waiting} AND NOT granted", watcher, True)
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdin.close()
        watcher.execute("SELECT pg_advisory_unlock(4711)")
        _waits(waiting, watcher, False)
    assert (move.state(), move.rows(STATES)) == before
    assert move.again().success
    assert move.rows(STATES) == before[1]
