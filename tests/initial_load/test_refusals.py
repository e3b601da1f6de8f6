"""A restore that cannot be right says why, names every row and changes nothing."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path

import psycopg
import pytest

from tests.initial_load.conftest import Move, assert_refused
from verifier.contract import Counts
from verifier.dsn import Dsn
from verifier.initial_load import restore
from verifier.transfer import RestoreOptions


def test_every_orphan_and_what_depends_on_it_is_named(move: Move) -> None:
    claim = move(
        "CREATE TABLE p (id serial PRIMARY KEY, name text);"
        "CREATE TABLE c (id serial PRIMARY KEY, pid int);"
        "CREATE TABLE g (id int PRIMARY KEY, cid int)",
        "INSERT INTO p (name) VALUES ('good'), ('bad');"
        "INSERT INTO c (pid) VALUES (1), (99), (98), (NULL), (2), (77);"
        "INSERT INTO g VALUES (1, 2), (2, 1), (3, 5)",
        "ALTER TABLE c ADD FOREIGN KEY (pid) REFERENCES p; ALTER TABLE g ADD FOREIGN KEY (cid)"
        " REFERENCES c; ALTER TABLE p ADD CONSTRAINT good CHECK (name <> 'bad');"
        "INSERT INTO p VALUES (77, 'of the target')",
    )
    named = [(r.table, r.key["id"], r.constraint) for r in claim.rejections or ()]
    assert named == [
        ("public.p", "2", "good"),
        ("public.c", "2", "c_pid_fkey"),
        ("public.c", "3", "c_pid_fkey"),
        ("public.c", "5", "c_pid_fkey"),
        ("public.g", "1", "g_cid_fkey"),
        ("public.g", "3", "g_cid_fkey"),
    ]
    reasons = {(r.table, r.key["id"]): r.reason for r in claim.rejections or ()}
    assert reasons["public.c", "2"] == "has no parent: public.p (id) = (99)"
    assert reasons["public.c", "5"] == "its parent is rejected: public.p (id) = (2)"
    assert claim.counts == {
        "public.p": Counts(rejected=1),
        "public.c": Counts(rejected=3),
        "public.g": Counts(rejected=2),
    }
    assert "5 more rows" in claim.message
    assert_refused(move, claim)


def test_sequences_stay_when_the_end_of_the_restore_fails(move: Move) -> None:
    move.options = RestoreOptions(quarantine=Path("/nonexistent/rejected.jsonl"))
    claim = move(
        "CREATE TABLE t (id serial PRIMARY KEY, v int)",
        "INSERT INTO t (v) SELECT generate_series(1, 9)",
        "ALTER TABLE t ADD CHECK (v < 9)",
    )
    assert "could not be kept" in claim.message
    assert move.rows("SELECT last_value, is_called FROM t_id_seq") == [(1, False)]
    assert move.rows("SELECT FROM t") == []


def test_sequences_stay_when_the_restore_fails(move: Move) -> None:
    claim = move(
        "CREATE TABLE t (id serial PRIMARY KEY, v int)",
        "INSERT INTO t (v) SELECT generate_series(1, 9)",
        "ALTER TABLE t ADD CHECK (v < 9)",
    )
    assert move.rows("SELECT last_value, is_called FROM t_id_seq") == [(1, False)]
    assert_refused(move, claim)


@pytest.mark.parametrize(
    ("rule", "part"),
    [
        ("ALTER v TYPE int USING v::int", "invalid input syntax for type integer"),
        ("ALTER v TYPE varchar(3)", "does not fit character varying(3)"),
        ("ALTER n TYPE numeric(4,1)", "does not fit numeric(4,1)"),
        ("ALTER v SET NOT NULL", "column v is NULL"),
    ],
)
def test_values_that_the_target_would_refuse_or_change(move: Move, rule: str, part: str) -> None:
    claim = move(
        "CREATE TABLE t (id int PRIMARY KEY, v text, n numeric)",
        "INSERT INTO t VALUES (1, '1', 1), (2, 'long', 1.25), (3, NULL, 1), (4, 'more', 10000)",
        f"ALTER TABLE t {rule}",
    )
    assert claim.rejections
    assert all(part in rejection.reason for rejection in claim.rejections)
    assert {r.key["id"] for r in claim.rejections} == ({"3"} if "NULL" in rule else {"2", "4"})
    assert_refused(move, claim)


def test_structure_that_does_not_fit_is_named_completely(move: Move) -> None:
    claim = move(
        "CREATE TABLE t (id int PRIMARY KEY, old int); CREATE TABLE gone (id int)",
        "INSERT INTO t VALUES (1, 1); INSERT INTO gone VALUES (1)",
        'DROP TABLE gone; ALTER TABLE t DROP old, ADD "isNew" int NOT NULL',
    )
    for name in ("public.gone", "'old'", '"isNew"'):
        assert name in claim.message
    assert_refused(move, claim)


@pytest.mark.parametrize("restricted", [True, False])
def test_truncation_at_any_byte_is_refused(move: Move, restricted: bool) -> None:
    claim = move(
        "CREATE TABLE t (id serial PRIMARY KEY, v text)",
        "INSERT INTO t (v) VALUES ('plain'), (E'two\\nlines; --'), ('-- PostgreSQL database dump"
        " complete'), (E'-- x\\n-- PostgreSQL database dump complete\\n--\\n'), ('é—ü')",
    )
    assert claim.success
    whole = move.path.read_bytes()
    if not restricted:  # as pg_dump's versions before August 2025 wrote it
        whole = b"".join(
            line
            for line in whole.splitlines(keepends=True)
            if not line.startswith((b"\\restrict ", b"\\unrestrict ", b"-- restore-verifier "))
        )
    move.rows("DELETE FROM t")
    before = move.state()
    places = set(random.Random(1).sample(range(len(whole)), 10))
    # Every statement boundary, and places in the last lines.
    places |= {place for place in range(len(whole)) if whole[:place].endswith((b";", b";\n"))}
    end = len(whole.rstrip()) if restricted else whole.rindex(b"complete") + 8
    places = {place for place in places | set(range(end - 80, end, 17)) if place < end}
    for place in sorted(places):
        move.path.write_bytes(whole[:place])
        claim = move.again()
        assert (claim.success, claim.exit_code) == (False, 2), place
    assert move.state() == before


@pytest.mark.parametrize(
    "hostile",
    [
        "\\! touch {canary}",
        "COPY public.t FROM PROGRAM 'touch {canary}';",
        "DROP TABLE public.t;",
        "INSERT INTO public.t (id) VALUES (pg_sleep(1));",
        "INSERT INTO public.t (id) VALUES ((SELECT 1));",
        "INSERT INTO public.t (id) SELECT 1;",
        "INSERT INTO public.t (id) VALUES (1) ON CONFLICT DO NOTHING;",
        "INSERT INTO public.t (id) VALUES (1); DELETE FROM public.t;",
        "SELECT pg_catalog.set_config('search_path', 'evil', false);",
        "SELECT pg_catalog.pg_terminate_backend(1);",
        "DO $$BEGIN END$$;",
        "BEGIN;",
        "\\copy public.t from program 'touch {canary}'",
        "\\i /etc/passwd",
        "\\connect other",
        "\\unrestrict abc",
    ],
)
def test_anything_but_data_is_refused_by_line(move: Move, tmp_path: Path, hostile: str) -> None:
    canary = tmp_path / "canary"
    first = "INSERT INTO public.t (id) VALUES (7);\n"
    claim = move.load(first + hostile.format(canary=canary), "CREATE TABLE t (id int PRIMARY KEY)")
    assert claim.exit_code == 2
    assert "line 8" in claim.message
    assert not canary.exists()
    assert move.rows("SELECT * FROM t") == []


@pytest.mark.parametrize("content", [b"", b"\n\n", b"hello", b"\x1f\x8b\x08", b"PGDMP\x01\x0f"])
def test_what_is_no_backup_is_refused(move: Move, content: bytes) -> None:
    assert move.load("", "CREATE TABLE t (id int)").success
    move.path.write_bytes(content)
    assert_refused(move, move.again(), exit_code=2)


def test_file_of_comments_is_no_backup(move: Move) -> None:
    move.load("", "CREATE TABLE t (id int)")
    move.path.write_text("-- hello\n\n-- nothing here\n")
    claim = move.again()
    assert "nothing of a pg_dump plain backup" in claim.message
    assert_refused(move, claim, exit_code=2)


def test_wrong_password_is_a_failed_claim_that_hides_it(move: Move) -> None:
    move.load("", "CREATE TABLE t (id int)")
    claim = restore(move.path, move.target.dsn.with_(password="s3cret%x"))
    assert (claim.success, claim.exit_code) == (False, 2)
    assert "s3cret" not in claim.message
    assert "password" in claim.message


def test_missing_file_is_a_failed_claim(move: Move) -> None:
    move.load("", "CREATE TABLE t (id int)")
    move.path.unlink()
    assert_refused(move, move.again(), exit_code=2)


def test_write_that_the_server_refuses_names_table_and_constraint(move: Move) -> None:
    claim = move(
        "CREATE TABLE bk (id int PRIMARY KEY)",
        "INSERT INTO bk VALUES (1)",
        # No staged row has the table's own oid.
        "ALTER TABLE bk ADD CONSTRAINT nowhere CHECK (tableoid <> 'bk'::regclass)",
    )
    assert "public.bk: nowhere" in claim.message
    assert_refused(move, claim)


def test_deferred_violation_fails_before_commit(move: Move) -> None:
    claim = move(
        "CREATE TABLE t (id int PRIMARY KEY)",
        "INSERT INTO t VALUES (1)",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN RAISE EXCEPTION ''not today''; END'; CREATE CONSTRAINT TRIGGER g AFTER INSERT ON t"
        " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION f()",
    )
    assert "not today" in claim.message
    assert_refused(move, claim)


def test_lost_connection_is_a_failed_claim_and_a_rerun_is_clean(move: Move) -> None:
    first = move("CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    assert first.success
    move.rows("DELETE FROM t")
    claims = []
    with psycopg.connect(move.target.dsn.conninfo) as holder:
        holder.execute("LOCK TABLE t")
        thread = threading.Thread(target=lambda: claims.append(move.again()))
        thread.start()
        waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        waiting += " AND datname = current_database()"
        deadline = time.monotonic() + 10
        while not (found := move.rows(waiting)) and time.monotonic() < deadline:
            time.sleep(0.01)
        move.rows(f"SELECT pg_terminate_backend({found[0][0]})")
        thread.join()
    assert (claims[0].success, claims[0].exit_code) == (False, 2)
    assert "connection to the target was lost" in claims[0].message
    assert move.rows("SELECT * FROM t") == []
    assert move.again().success


def test_claim_never_shows_the_password(move: Move) -> None:
    dsn = Dsn.parse("postgresql://nobody:s3cret@127.0.0.1:1/none")
    claim = restore(move.path, dsn)
    assert claim.exit_code == 2
    assert "s3cret" not in claim.message
