"""What keeps a restore from working is said before anything is written, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from tests.initial_load.conftest import Move
from verifier.contract import Claim
from verifier.dsn import Dsn
from verifier.initial_load import preflight, restore, session
from verifier.initial_load.catalog import load
from verifier.transfer import Format


@contextmanager
def role(move: Move, *statements: str) -> Iterator[Dsn]:
    """A plain role that may log in to the target; ``statements`` run first (``{role}``)."""
    name = f"{move.target.name}_role"
    admin = psycopg.connect(move.target.admin.conninfo, autocommit=True)
    try:
        admin.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'plain'")
        for statement in statements:
            admin.execute(statement.format(role=name, database=move.target.name))
        yield move.target.dsn.with_(user=name, password="plain")
    finally:
        admin.execute(f"REASSIGN OWNED BY {name} TO CURRENT_USER; DROP OWNED BY {name}")
        admin.execute(f"DROP ROLE {name}")
        admin.close()


def state(move: Move) -> list[tuple[Any, ...]]:
    """Every row with its place, whatever policies there are."""
    with psycopg.connect(move.target.admin.conninfo) as admin:
        return [
            *admin.execute("SELECT 'p', ctid::text, xmin::text, p::text FROM p"),
            *admin.execute("SELECT 'c', ctid::text, xmin::text, c::text FROM c"),
        ]


def refused(move: Move, dsn: Dsn, *parts: str) -> Claim:
    before = state(move)
    claim = restore(move.path, dsn)
    assert (claim.success, claim.exit_code) == (False, 1), claim.message
    for part in (*parts, "nothing was changed"):
        assert part in claim.message
    assert "\n" not in claim.message
    assert state(move) == before
    return claim


def only_children(move: Move) -> None:
    move.leave_out("INSERT INTO public.p |SELECT pg_cat")


SCHEMA = (
    "CREATE TABLE p (id serial PRIMARY KEY, v text);"
    "CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p);"
)
ROWS = "INSERT INTO p (v) VALUES ('a'), ('b'); INSERT INTO c VALUES (1, 1)"
DML = "GRANT SELECT, INSERT, UPDATE ON p, c TO {role}"


def test_every_missing_right_is_named(move: Move) -> None:
    move(
        SCHEMA + "CREATE SCHEMA s; CREATE TABLE s.x (id serial)",
        ROWS + "; INSERT INTO s.x VALUES (1)",
    )
    with role(move, "GRANT SELECT ON p TO {role}", "GRANT INSERT (id) ON c TO {role}") as plain:
        name = plain.parameters["user"]
        refused(
            move,
            plain,
            f"{name} has no INSERT, UPDATE on public.p; GRANT INSERT, UPDATE ON public.p TO {name}",
            f"{name} has no SELECT, INSERT, UPDATE on public.c, s.x; "
            f"GRANT SELECT, INSERT, UPDATE ON public.c, s.x TO {name}",
            f"GRANT USAGE ON SCHEMA s TO {name}",
            f"GRANT SELECT ON SEQUENCE public.p_id_seq, s.x_id_seq TO {name}",
        )


def test_rights_by_column_are_enough_to_insert(move: Move) -> None:
    move("CREATE TABLE t (id int PRIMARY KEY, v text)", "INSERT INTO t VALUES (1, 'x')")
    move.rows("DELETE FROM t")
    with role(move, "GRANT SELECT, UPDATE, INSERT (id, v) ON t TO {role}") as plain:
        assert restore(move.path, plain).success


def test_parents_that_cannot_be_read_are_named(move: Move) -> None:
    move.format = Format.INSERTS
    move(SCHEMA, ROWS)
    only_children(move)
    with role(move, "GRANT SELECT, INSERT, UPDATE ON c TO {role}") as plain:
        refused(move, plain, "has no SELECT on public.p;")
    with role(
        move, "GRANT SELECT, INSERT, UPDATE ON c TO {role}", "GRANT SELECT ON p TO {role}"
    ) as plain:
        assert restore(move.path, plain).success


def test_sequences_that_cannot_be_moved_are_named(move: Move) -> None:
    move(SCHEMA, ROWS)
    move.rows("TRUNCATE p, c RESTART IDENTITY")
    with role(move, DML) as plain, psycopg.connect(plain.conninfo) as conn:
        owner, name = move.target.dsn.parameters["user"], plain.parameters["user"]
        assert preflight.immovable(conn, ["public.p_id_seq", "public.gone"]) == [
            f"sequence public.p_id_seq has to move on and {name} does not own it; "
            f"restore as {owner}"
        ]
        refused(move, plain, "no SELECT on public.p_id_seq; GRANT SELECT ON SEQUENCE")
        move.rows(f"GRANT SELECT ON SEQUENCE p_id_seq TO {name}")
        refused(move, plain, "sequence public.p_id_seq has to move on", f"restore as {owner}")
    with psycopg.connect(move.target.dsn.conninfo) as conn:
        assert preflight.immovable(conn, ["public.p_id_seq"]) == []


# --- row-level security ------------------------------------------------------------------

HALF = "ALTER TABLE p ENABLE ROW LEVEL SECURITY; CREATE POLICY half ON p USING (v = 'a')"


def test_owner_is_not_held_back_by_policies(move: Move) -> None:
    claim = move(SCHEMA, ROWS, HALF)
    assert claim.success, claim.message
    assert move.rows("SELECT v FROM p ORDER BY v") == [("a",), ("b",)]


def test_forced_policies_are_refused(move: Move) -> None:
    move(SCHEMA, ROWS, HALF + "; ALTER TABLE p FORCE ROW LEVEL SECURITY")
    refused(
        move,
        move.target.dsn,
        "row-level security of public.p is forced upon its owner",
        "restore with a role that has BYPASSRLS",
    )
    move.rows("ALTER TABLE p ALTER id DROP DEFAULT; DROP SEQUENCE p_id_seq")
    with role(move, "ALTER ROLE {role} BYPASSRLS", DML) as able:
        assert restore(move.path, able).success


def test_policies_that_apply_to_another_role_are_refused(move: Move) -> None:
    move(SCHEMA, ROWS, HALF)
    with role(move, DML) as plain:
        refused(
            move,
            plain,
            f"row-level security of public.p applies to {plain.parameters['user']}",
            f"restore as its owner {move.target.dsn.parameters['user']}, or with a role",
        )


def test_policies_on_a_parent_that_is_only_read_are_refused(move: Move) -> None:
    move.format = Format.INSERTS
    move(SCHEMA, ROWS, HALF)
    only_children(move)
    with role(move, DML) as plain:
        refused(move, plain, "row-level security of public.p applies to")


# --- sessions ----------------------------------------------------------------------------


def test_read_only_account_is_refused(move: Move) -> None:
    move(SCHEMA, ROWS)
    setting = "ALTER ROLE {role} IN DATABASE {database} SET default_transaction_read_only = on"
    with role(move, DML, setting) as plain:
        refused(move, plain, "are read-only (default_transaction_read_only)")


def test_account_without_temporary_tables_is_refused(move: Move) -> None:
    move(SCHEMA, ROWS)
    with role(move, DML, "REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC") as plain:
        refused(move, plain, "may not make temporary tables", "GRANT TEMPORARY ON DATABASE")


def test_account_that_switches_foreign_keys_off_is_refused(move: Move) -> None:
    move(SCHEMA, ROWS)
    setting = "ALTER ROLE {role} IN DATABASE {database} SET session_replication_role = replica"
    with role(move, DML, setting) as plain:
        refused(move, plain, "session_replication_role = replica")


def test_good_account_has_nothing_to_be_told(move: Move) -> None:
    move(SCHEMA, ROWS)
    conn = session.connect(move.target.dsn)
    assert preflight.unready(conn) == []
    assert preflight.denied(conn, load(conn).tables.values()) == []
    conn.close()


# --- who holds a lock --------------------------------------------------------------------


@pytest.fixture
def holder(move: Move) -> Iterator[psycopg.Connection[Any]]:
    move(SCHEMA, ROWS)
    with psycopg.connect(move.target.dsn.conninfo, application_name="report job") as conn:
        yield conn


def held(move: Move, *names: str) -> list[str]:
    with psycopg.connect(move.target.dsn.conninfo) as conn:
        return preflight.holders(conn, names)


def test_holder_of_a_table_is_named(move: Move, holder: psycopg.Connection[Any]) -> None:
    holder.execute("UPDATE p SET v = v; SELECT * FROM c")
    (said,) = held(move, "public.p", "public.c")
    shape = r"public\.p, held by pid (\d+) \(report job, idle in transaction since \d{4}-.* UTC\)"
    found = re.fullmatch(shape, said)
    assert found, said
    assert int(found[1]) == holder.info.backend_pid
    assert held(move, "public.c") == []  # readers are not waited for
    holder.rollback()
    assert held(move, "public.p", "public.c") == []


def test_other_restore_is_named(move: Move, holder: psycopg.Connection[Any]) -> None:
    holder.execute("SELECT pg_advisory_xact_lock(%s)", [session.LOCK])
    (said,) = held(move, "public.p")
    assert said.startswith(f"the lock of another restore, held by pid {holder.info.backend_pid} (")


def test_holder_of_another_account_is_named(move: Move, holder: psycopg.Connection[Any]) -> None:
    holder.execute("LOCK TABLE p")
    with role(move) as plain, psycopg.connect(plain.conninfo) as conn:
        (said,) = preflight.holders(conn, ["public.p"])
    assert said == f"public.p, held by pid {holder.info.backend_pid} (report job, state hidden)"
