"""What a restore is asked to do otherwise: set aside, look only, prefer the newest, be strict."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.initial_load.conftest import Move, assert_idempotent, assert_refused, total
from verifier.contract import Counts
from verifier.initial_load import ledger
from verifier.transfer import RestoreOptions

FAMILY = """
CREATE TABLE p (id int PRIMARY KEY, name text);
CREATE TABLE c (id int PRIMARY KEY, pid int);
CREATE TABLE g (id int PRIMARY KEY, cid int);
"""
RULES = """
ALTER TABLE p ADD CONSTRAINT good CHECK (name <> 'bad');
ALTER TABLE c ADD FOREIGN KEY (pid) REFERENCES p;
ALTER TABLE g ADD FOREIGN KEY (cid) REFERENCES c;
"""
ROWS = """
INSERT INTO p VALUES (1, 'good'), (2, 'bad');
INSERT INTO c VALUES (1, 1), (2, 2), (3, NULL);
INSERT INTO g VALUES (1, 1), (2, 2), (3, 3);
"""


@pytest.fixture
def aside(tmp_path: Path) -> Path:
    return tmp_path / "rejected.jsonl"


def test_quarantine_commits_the_rest_and_keeps_rows_with_their_reason(
    move: Move, aside: Path
) -> None:
    move.options = RestoreOptions(quarantine=aside)
    claim = move(FAMILY, ROWS, RULES)
    assert (claim.success, claim.exit_code) == (True, 1)
    assert {(r.table, r.key["id"]) for r in claim.rejections or ()} == {
        ("public.p", "2"),
        ("public.c", "2"),
        ("public.g", "2"),
    }
    assert (claim.counts or {})["public.g"] == Counts(inserted=2, rejected=1)
    assert move.rows("SELECT id FROM g ORDER BY 1") == [(1,), (3,)]
    kept = [json.loads(line) for line in aside.read_text().splitlines()]
    assert {"public.p": {"id": "2", "name": "bad"}}.items() <= {
        line["table"]: line["row"] for line in kept if "row" in line
    }.items()
    assert all(line["reason"] for line in kept if "row" in line)


def test_quarantined_rows_are_taken_back_in(move: Move, aside: Path) -> None:
    move.options = RestoreOptions(quarantine=aside)
    move(FAMILY, ROWS, RULES)
    move.rows("ALTER TABLE p DROP CONSTRAINT good")
    move.options, move.path = RestoreOptions(), aside
    claim = move.again()
    assert claim.success, claim.message
    assert total(claim) == Counts(inserted=3)
    assert move.rows("SELECT id, name FROM p ORDER BY 1") == [(1, "good"), (2, "bad")]
    assert move.rows("SELECT id, cid FROM g ORDER BY 1") == [(1, 1), (2, 2), (3, 3)]
    assert_idempotent(move, claim)


def test_quarantine_without_rejections_makes_no_file(move: Move, aside: Path) -> None:
    move.options = RestoreOptions(quarantine=aside)
    claim = move(FAMILY, ROWS)
    assert (claim.success, claim.exit_code) == (True, 0)
    assert not aside.exists()


def test_quarantine_that_cannot_be_written_changes_nothing(move: Move, tmp_path: Path) -> None:
    move.options = RestoreOptions(quarantine=tmp_path / "no" / "such" / "file")
    claim = move(FAMILY, ROWS, RULES)
    assert move.rows("SELECT * FROM p") == []
    assert f"could not be kept in {move.options.quarantine}: No such file" in claim.message
    assert_refused(move, claim, exit_code=2)


def test_survivor_that_is_set_aside_leaves_the_other_duplicate(move: Move, aside: Path) -> None:
    move.options = RestoreOptions(quarantine=aside)
    claim = move(
        "CREATE TABLE p (id int PRIMARY KEY, code text, v int);"
        "CREATE TABLE c (id int PRIMARY KEY, pid int)",
        "INSERT INTO p VALUES (1, 'x', 1), (2, 'x', -1), (3, 'y', 1);"
        "INSERT INTO c VALUES (1, 1), (2, 2), (3, 3)",
        "CREATE UNIQUE INDEX ON p (code); ALTER TABLE p ADD CONSTRAINT positive CHECK (v > 0);"
        "ALTER TABLE c ADD FOREIGN KEY (pid) REFERENCES p",
    )
    assert claim.success
    assert move.rows("SELECT id FROM p ORDER BY 1") == [(1,), (3,)]
    assert move.rows("SELECT id, pid FROM c ORDER BY 1") == [(1, 1), (3, 3)]
    assert total(claim) == Counts(inserted=4, rejected=2)


def test_dry_run_says_what_a_run_does_and_writes_nothing(move: Move) -> None:
    move.options = RestoreOptions(dry_run=True)
    planned = move(
        "CREATE TABLE p (id serial PRIMARY KEY, code text, v int);"
        "CREATE TABLE c (id int PRIMARY KEY, pid int REFERENCES p)",
        "INSERT INTO p VALUES (1, 'x', 1), (2, 'x', 2), (3, 'y', 1), (4, 'z', 1);"
        "INSERT INTO c VALUES (1, 1), (2, 2), (3, 3)",
        "CREATE UNIQUE INDEX ON p (code); INSERT INTO p VALUES (3, 'y', 9), (4, 'z', 1)",
    )
    assert planned.success
    assert "would be restored" in planned.message
    assert move.rows("SELECT id, v FROM p ORDER BY 1") == [(3, 9), (4, 1)]
    assert move.rows("SELECT last_value, is_called FROM p_id_seq") == [(1, False)]
    move.options = RestoreOptions()
    done = move.again()
    assert (done.counts, done.merges) == (planned.counts, planned.merges)
    assert total(done) == Counts(inserted=4, updated=1, unchanged=1, merged=1)


def test_dry_run_names_every_rejected_row(move: Move) -> None:
    move.options = RestoreOptions(dry_run=True)
    claim = move(FAMILY, ROWS, RULES)
    assert len(claim.rejections or ()) == 3
    assert_refused(move, claim)


RECENT = "CREATE TABLE a (id int PRIMARY KEY, code text, v text, at date);"


def test_newest_duplicate_survives_whatever_the_order(move: Move) -> None:
    move.options = RestoreOptions(prefer="at")
    claim = move(
        RECENT,
        "INSERT INTO a VALUES (1, 'x', 'newest', '2025-03-01'), (2, 'x', 'old', '2024-01-01'),"
        " (3, 'x', 'undated', NULL), (5, 'y', 'tie', '2024-01-01'), (4, 'y', 'tie', '2024-01-01')",
        "CREATE UNIQUE INDEX ON a (code)",
    )
    assert move.rows("SELECT id, v FROM a ORDER BY 1") == [(1, "newest"), (5, "tie")]
    assert_idempotent(move, claim)


def test_newest_is_what_the_backup_says_and_no_merge_changes(move: Move) -> None:
    move.options = RestoreOptions(prefer="day")
    claim = move(
        "CREATE TABLE shop (id int PRIMARY KEY, name int);"
        "CREATE TABLE visit (day int PRIMARY KEY, shop int REFERENCES shop,"
        " up int REFERENCES visit)",
        "INSERT INTO shop VALUES (1, 1), (2, 1), (3, 1);"
        "INSERT INTO visit VALUES (1, 2, NULL), (3, 1, NULL), (2, 3, 3)",
        "ALTER TABLE shop ADD UNIQUE (name); ALTER TABLE visit ADD UNIQUE (shop);"
        "INSERT INTO shop VALUES (4, NULL); INSERT INTO visit VALUES (1, 4, NULL)",
    )
    assert claim.success, claim.message
    assert [merge.key for merge in claim.merges if merge.table == "public.visit"] == [
        {"day": "3"},
        {"day": "2"},
    ]
    assert move.rows("SELECT * FROM visit") == [(1, 3, None)]
    assert_idempotent(move, claim)


def test_newer_row_of_the_target_stays_and_is_named(move: Move) -> None:
    move.options = RestoreOptions(prefer="at")
    claim = move(
        RECENT,
        "INSERT INTO a VALUES (1, 'x', 'old', '2024-01-01'), (2, 'y', 'new', '2025-01-01'),"
        " (3, 'z', 'same', '2024-01-01')",
        "INSERT INTO a VALUES (1, 'x', 'NEWER', '2025-01-01'), (2, 'y', 'old', '2024-01-01'),"
        " (3, 'z', 'same', '2024-01-01')",
    )
    assert move.rows("SELECT v FROM a ORDER BY id") == [("NEWER",), ("new",), ("same",)]
    assert total(claim) == Counts(updated=1, unchanged=1, merged=1)
    assert [dict(merge.key) for merge in claim.merges or ()] == [{"id": "1"}]
    assert_idempotent(move, claim)


def test_duplicates_that_all_stay_behind_a_newer_row_are_merged_into_it(move: Move) -> None:
    move.options = RestoreOptions(prefer="at")
    claim = move(
        RECENT,
        "INSERT INTO a VALUES (1, 'x', 'old', '2024-01-01'), (2, 'x', 'new', '2024-02-01')",
        "CREATE UNIQUE INDEX a_code ON a (code);"
        "INSERT INTO a VALUES (1, 'x', 'NEWER', '2025-01-01')",
    )
    assert total(claim) == Counts(merged=2)
    assert [(dict(one.key), dict(one.survivor)) for one in claim.merges or ()] == [
        ({"id": "1"}, {"id": "1"}),
        ({"id": "2"}, {"id": "1"}),
    ]
    assert_idempotent(move, claim)


def test_survivor_without_a_key_is_the_newer_row_of_the_target(move: Move) -> None:
    move.options = RestoreOptions(prefer="at")
    claim = move(
        "CREATE TABLE a (code text UNIQUE, at int)",
        "INSERT INTO a VALUES ('x', 1)",
        "INSERT INTO a VALUES ('x', 2)",
    )
    assert [dict(one.survivor) for one in claim.merges or ()] == [{"code": "x", "at": "2"}]
    assert_idempotent(move, claim)


def test_row_that_collides_with_a_newer_row_that_stays_is_rejected(move: Move) -> None:
    move.options = RestoreOptions(prefer="at")
    claim = move(
        RECENT,
        "INSERT INTO a VALUES (1, 'y', 'old', '2024-01-01'), (2, 'x', 'new', '2025-06-01')",
        "CREATE UNIQUE INDEX a_code ON a (code);"
        "INSERT INTO a VALUES (1, 'x', 'NEWER', '2025-01-01')",
    )
    assert [(dict(r.key), r.constraint) for r in claim.rejections or ()] == [
        ({"id": "2"}, "a_code")
    ]
    assert_refused(move, claim)


def test_recency_column_that_no_table_has_is_refused(move: Move) -> None:
    move.options = RestoreOptions(prefer="updatedat")
    claim = move(RECENT, "INSERT INTO a VALUES (1, 'x', 'v', NULL)")
    assert "'updatedat'" in claim.message
    assert_refused(move, claim, exit_code=2)


def test_recency_column_may_be_that_of_an_empty_table(move: Move) -> None:
    move.options = RestoreOptions(prefer="at")
    claim = move(
        "CREATE TABLE a (id int PRIMARY KEY, at date); CREATE TABLE b (id int PRIMARY KEY)",
        "INSERT INTO b VALUES (1)",
    )
    assert total(claim) == Counts(inserted=1)


NUMBERED = "CREATE TABLE cust (id serial PRIMARY KEY, email text UNIQUE, name text);"


def test_same_number_and_nothing_else_in_common_is_a_suspected_collision(move: Move) -> None:
    claim = move(
        NUMBERED,
        "INSERT INTO cust VALUES (1, 'alice@x', 'Alice'), (2, 'carol@x', 'Carol R')",
        "INSERT INTO cust VALUES (1, 'bob@x', 'Bob'), (2, 'carol@x', 'Carol')",
    )
    assert total(claim) == Counts(updated=2)
    assert ["public.cust: 1 rows" in note and "id = '1'" in note for note in claim.notes] == [True]
    assert move.again().notes == ()


def test_strict_ids_reject_what_is_only_suspected_otherwise(move: Move) -> None:
    move.options = RestoreOptions(strict_ids=True)
    claim = move(
        NUMBERED + "CREATE TABLE ord (id serial PRIMARY KEY, cid int REFERENCES cust, what text)",
        "INSERT INTO cust VALUES (1, 'alice@x', 'Alice'), (2, 'carol@x', 'Carol R');"
        "INSERT INTO ord VALUES (1, 1, 'of alice'), (2, 2, 'same'), (3, 2, 'new')",
        "INSERT INTO cust VALUES (1, 'bob@x', 'Bob'), (2, 'carol@x', 'Carol');"
        "INSERT INTO ord VALUES (1, 1, 'of bob'), (2, 2, 'same')",
    )
    # The order's customer is not here: its number is somebody else's.
    assert {(r.table, r.key["id"]) for r in claim.rejections or ()} == {
        ("public.cust", "1"),
        ("public.ord", "1"),
    }
    assert_refused(move, claim)


def test_strict_ids_count_no_key_that_only_the_target_has_a_value_for(move: Move) -> None:
    move.options = RestoreOptions(strict_ids=True)
    claim = move(
        "CREATE TABLE cust (id serial PRIMARY KEY, name text)",
        "INSERT INTO cust VALUES (1, 'Alice')",
        "ALTER TABLE cust ADD slug text UNIQUE; INSERT INTO cust VALUES (1, 'Bob', 'bob')",
    )
    assert ["--strict-ids" in one.reason for one in claim.rejections or ()] == [True]
    assert_refused(move, claim)


@pytest.mark.parametrize(
    ("column", "success"),
    [
        ("slug text GENERATED ALWAYS AS (lower(name)) STORED UNIQUE", True),
        ("code text DEFAULT 'x', slug text GENERATED ALWAYS AS (code) STORED UNIQUE", False),
    ],
)
def test_strict_ids_count_a_key_that_is_generated_of_the_backup(
    move: Move, column: str, success: bool
) -> None:
    move.options = RestoreOptions(strict_ids=True)
    claim = move(
        "CREATE TABLE cust (id serial PRIMARY KEY, name text, note text)",
        "INSERT INTO cust VALUES (1, 'Alice', 'new')",
        f"ALTER TABLE cust ADD {column.replace(', ', ', ADD ')};"
        "INSERT INTO cust (id, name, note) VALUES (1, 'Alice', 'old')",
    )
    assert claim.success is success


def test_lock_that_another_session_holds_ends_in_time(move: Move) -> None:
    move("CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    move.rows("DELETE FROM t")
    move.options = replace(move.options, lock_timeout=0.2)
    with move.holding("LOCK TABLE t") as holder:
        claim = move.again()
        assert (claim.success, claim.exit_code) == (False, 1)
        assert f"pid {holder}" in claim.message
    assert move.again().success


def test_parent_only_as_the_row_that_is_overwritten_is_an_orphan_by_name(move: Move) -> None:
    claim = move(
        "CREATE TABLE p (id int PRIMARY KEY, code text UNIQUE);"
        "CREATE TABLE c (id int PRIMARY KEY, code text)",
        "INSERT INTO p VALUES (1, 'B'); INSERT INTO c VALUES (1, 'A'), (2, 'B')",
        "INSERT INTO p VALUES (1, 'A');"
        "ALTER TABLE c ADD CONSTRAINT c_code FOREIGN KEY (code) REFERENCES p (code)",
    )
    assert [(r.table, dict(r.key), r.constraint) for r in claim.rejections or ()] == [
        ("public.c", {"id": "1"}, "c_code")
    ]
    assert_refused(move, claim)


def test_row_that_would_take_a_code_from_children_in_the_target_is_rejected(move: Move) -> None:
    claim = move(
        "CREATE TABLE p (id int PRIMARY KEY, code text UNIQUE);"
        "CREATE TABLE c (id int PRIMARY KEY, code text)",
        "INSERT INTO p VALUES (1, 'B')",
        "INSERT INTO p VALUES (1, 'A'); INSERT INTO c VALUES (7, 'A');"
        "ALTER TABLE c ADD CONSTRAINT c_code FOREIGN KEY (code) REFERENCES p (code)",
    )
    assert [(r.table, dict(r.key), r.constraint) for r in claim.rejections or ()] == [
        ("public.p", {"id": "1"}, "c_code")
    ]
    assert_refused(move, claim)


def test_rows_that_meet_one_target_row_by_different_keys_both_arrive(move: Move) -> None:
    claim = move(
        "CREATE TABLE t (a text UNIQUE, f2 int UNIQUE)",
        "INSERT INTO t VALUES ('y', 3), ('x', 1)",
        "INSERT INTO t VALUES ('y', 1)",
    )
    assert move.rows("SELECT * FROM t ORDER BY f2") == [("x", 1), ("y", 3)]
    assert_idempotent(move, claim)


def test_list_of_merges_is_bounded_and_says_so(move: Move, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "LISTED", 3)
    claim = move(
        "CREATE TABLE t (id int PRIMARY KEY, k text)",
        "INSERT INTO t SELECT n, 'x' FROM generate_series(1, 6) n",
        "CREATE UNIQUE INDEX ON t (k)",
    )
    assert total(claim) == Counts(inserted=1, merged=5)
    assert [merge.key["id"] for merge in claim.merges or ()] == ["1", "2", "3"]
    assert claim.notes == ("2 more rows were merged and are not listed one by one",)
