"""Files that psql restores without us, and backups made clean: both hold what a restore writes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.initial_load.conftest import Move
from verifier.contract import Claim
from verifier.dsn import Dsn
from verifier.initial_load import restore
from verifier.initial_load.convert import convert
from verifier.initial_load.export import clean
from verifier.programs import client
from verifier.servers import Side
from verifier.transfer import Format, RestoreOptions, Style

WORLDS = {
    "duplicates with children on both levels": (
        "CREATE TABLE biz (id text PRIMARY KEY, bt text, name text, price numeric(10,2));"
        "CREATE TABLE item (id text PRIMARY KEY, biz_id text NOT NULL REFERENCES biz, label text);"
        "CREATE TABLE leaf (id serial PRIMARY KEY, item_id text REFERENCES item)",
        "INSERT INTO biz VALUES ('a', 'r', 'Tea', 1), ('b', 'r', 'Tea', 2.50), ('c', 'r', 'X', 3);"
        "INSERT INTO item VALUES ('i1', 'a', 'x'), ('i2', 'b', 'x'), ('i3', 'c', 'it''s \\ ü');"
        "INSERT INTO leaf (item_id) VALUES ('i1'), ('i2'), (NULL)",
        "CREATE UNIQUE INDEX ON biz (bt, name); CREATE UNIQUE INDEX ON item (biz_id, label);"
        "INSERT INTO biz VALUES ('t', 'r', 'Tea', 9), ('own', 'r', 'Own', 1)",
    ),
    "tree, children first": (
        "CREATE TABLE cat (id int PRIMARY KEY, parent int REFERENCES cat, name text)",
        "INSERT INTO cat VALUES (1, NULL, 'root'), (5, 1, 'a'), (2, 5, 'b'), (8, 8, 'own');"
        "UPDATE cat SET name = 'ROOT' WHERE id = 1",
        "INSERT INTO cat VALUES (2, NULL, 'old')",
    ),
    "cycle of two tables": (
        "CREATE TABLE dept (id int PRIMARY KEY, boss int);"
        "CREATE TABLE emp (id int PRIMARY KEY, dept int NOT NULL REFERENCES dept)",
        "INSERT INTO dept VALUES (1, 2), (2, 1); INSERT INTO emp VALUES (1, 1), (2, 2)",
        "ALTER TABLE dept ADD FOREIGN KEY (boss) REFERENCES emp",
    ),
    "no key, only key, identity and generated": (
        "CREATE TABLE log (at date, msg text); CREATE TABLE only_key (a int, b text,"
        " PRIMARY KEY (a, b)); CREATE TABLE gen (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
        " a int, b int GENERATED ALWAYS AS (a * 2) STORED); CREATE TABLE empty ()",
        "INSERT INTO log VALUES ('2024-01-01', 'x'), ('2024-01-01', 'x'), (NULL, E'a\\tb\\nc');"
        "INSERT INTO only_key VALUES (1, 'a'), (1, 'b'); INSERT INTO gen (a) VALUES (1), (2);"
        "INSERT INTO empty DEFAULT VALUES; INSERT INTO empty DEFAULT VALUES",
        "INSERT INTO log VALUES ('2024-01-01', 'x'); INSERT INTO empty DEFAULT VALUES",
    ),
    "values that print in many ways": (
        "CREATE TYPE mood AS ENUM ('sad', 'it''s'); CREATE TABLE v (id int PRIMARY KEY, f float8,"
        ' j json, b bytea, t text[], r int4range, m mood, "Odd {} name" timestamptz, n numeric)',
        "INSERT INTO v VALUES (1, '-0', '{\"b\": 1, \"a\":2}', '\\x005c27',"
        ' \'{"a,b",NULL,"NULL"}\','
        " '[1,5)', 'it''s', 'infinity', 'NaN'), (2, 0.1,"
        " NULL, NULL, '{}', 'empty', NULL, NULL, 1.10)",
        "INSERT INTO v (id, n) VALUES (2, 1.1)",
    ),
}


def psql(dsn: Dsn, file: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [client("psql", server=18), "-X", "-1", "-q", "-v", "ON_ERROR_STOP=1", "-f", file],
        env={**os.environ, **dsn.environ},
        capture_output=True,
        text=True,
        check=False,
    )


def content(move: Move) -> list[tuple[Any, ...]]:
    """Every row without its place, and what every sequence gives next."""
    rows = [(row[0], row[-1]) for row in move.state() if row[0].count("_seq") == 0]
    names = move.rows("SELECT format('%I.%I', schemaname, sequencename) FROM pg_sequences")
    return sorted(rows + [(name, move.rows(f"SELECT nextval('{name}')")) for (name,) in names])


def expected(move: Move, world: tuple[str, str, str]) -> list[tuple[Any, ...]]:
    """What the target holds after a restore; leaves a fresh target behind."""
    claim = move(*world)
    assert claim.success, claim.message
    restored = content(move)
    move.target = move.database(Side.TARGET, world[0], world[2])
    return restored


@pytest.mark.parametrize("style", list(Style))
@pytest.mark.parametrize("world", WORLDS.values(), ids=list(WORLDS))
def test_psql_restores_the_file_as_we_would(
    move: Move, tmp_path: Path, world: tuple[str, str, str], style: Style
) -> None:
    wanted = expected(move, world)
    out = tmp_path / "upserts.sql"
    before = move.state()
    claim = convert(move.path, move.target.dsn, out, style, RestoreOptions(dry_run=True))
    assert (claim.success, claim.exit_code) == (True, 0), claim.message
    assert move.state() == before
    first = psql(move.target.dsn, out)
    assert (first.returncode, first.stderr) == (0, "")
    between = move.state()
    again = psql(move.target.dsn, out)
    assert (again.returncode, again.stderr) == (0, "")
    assert move.state() == between
    assert content(move) == wanted


@pytest.mark.parametrize("form", [Format.COPY, Format.INSERTS])
@pytest.mark.parametrize("world", WORLDS.values(), ids=list(WORLDS))
def test_clean_backup_restores_to_the_same_and_merges_nothing(
    move: Move, tmp_path: Path, world: tuple[str, str, str], form: Format
) -> None:
    wanted = expected(move, world)
    out = tmp_path / "clean.sql.gz"
    cleaned = clean(move.path, move.target.dsn, out, form, RestoreOptions(dry_run=True))
    assert (cleaned.success, cleaned.exit_code) == (True, 0), cleaned.message
    claim = restore(out, move.target.dsn)
    assert claim.success, claim.message
    assert claim.merges == ()
    assert content(move) == wanted


def orphans(move: Move) -> Claim:
    return move(
        "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, pid int)",
        "INSERT INTO p VALUES (1); INSERT INTO c VALUES (1, 1), (2, 9)",
        "ALTER TABLE c ADD FOREIGN KEY (pid) REFERENCES p",
    )


def test_orphans_are_set_aside_by_clean(move: Move, tmp_path: Path) -> None:
    assert not orphans(move).success
    out, aside = tmp_path / "clean.sql", tmp_path / "aside.jsonl"
    options = RestoreOptions(dry_run=True, quarantine=aside)
    claim = clean(move.path, move.target.dsn, out, Format.COPY, options)
    assert (claim.success, claim.exit_code) == (True, 1)
    assert '"2"' in aside.read_text()
    assert restore(out, move.target.dsn).success
    assert move.rows("SELECT id FROM c") == [(1,)]


def test_rejected_rows_leave_no_file(move: Move, tmp_path: Path) -> None:
    orphans(move)
    out = tmp_path / "out.sql"
    claim = convert(move.path, move.target.dsn, out, Style.SET, RestoreOptions(dry_run=True))
    assert (claim.success, claim.exit_code) == (False, 1)
    assert list(tmp_path.glob("*out*")) == []


def test_what_upserts_cannot_do_is_refused(move: Move, tmp_path: Path) -> None:
    move(
        "CREATE TABLE sw (id int PRIMARY KEY, slug text UNIQUE)",
        "INSERT INTO sw VALUES (1, 'b'), (2, 'a')",
    )
    move.rows("TRUNCATE sw; INSERT INTO sw VALUES (1, 'a'), (2, 'b')")
    out = tmp_path / "out.sql"
    claim = convert(move.path, move.target.dsn, out, Style.ROWS, RestoreOptions(dry_run=True))
    assert (claim.success, claim.exit_code) == (False, 2)
    assert "sw_slug_key" in claim.message
    assert not out.exists()


@pytest.mark.parametrize("style", list(Style))
@pytest.mark.parametrize("key", ["(lower(code))", "(code)", "(code) WHERE code <> ''"])
def test_row_that_no_upsert_could_find_is_not_changed(
    move: Move, tmp_path: Path, style: Style, key: str
) -> None:
    table = "CREATE TABLE t (code text, v int);"
    index = f"CREATE UNIQUE INDEX t_code ON t {key};"
    claim = move(table, "INSERT INTO t VALUES ('a', 1)", index + "INSERT INTO t VALUES ('a', 2)")
    assert claim.success, claim.message
    move.rows("UPDATE t SET v = 2")
    out = tmp_path / "out.sql"
    claim = convert(move.path, move.target.dsn, out, style, RestoreOptions(dry_run=True))
    assert (claim.success, claim.exit_code) == (False, 2)
    assert "public.t has no key whose columns are all NOT NULL" in claim.message
    assert not out.exists()


@pytest.mark.parametrize("style", list(Style))
@pytest.mark.parametrize(
    ("key", "written"), [("", False), ("ON UPDATE CASCADE", True), ("DEFERRABLE", True)]
)
def test_code_that_changes_with_its_references(
    move: Move, tmp_path: Path, style: Style, key: str, written: bool
) -> None:
    world = (
        "CREATE TABLE p (id int PRIMARY KEY, code text UNIQUE);"
        f"CREATE TABLE c (id int PRIMARY KEY, code text REFERENCES p (code) {key})",
        "INSERT INTO p VALUES (1, 'new'); INSERT INTO c VALUES (1, 'new')",
        "INSERT INTO p VALUES (1, 'old'); INSERT INTO c VALUES (1, 'old')",
    )
    wanted = expected(move, world)
    out = tmp_path / "out.sql"
    claim = convert(move.path, move.target.dsn, out, style, RestoreOptions(dry_run=True))
    assert (claim.success, out.exists()) == (written, written), claim.message
    if written:
        assert psql(move.target.dsn, out).stderr == ""
        assert content(move) == wanted
    else:
        assert claim.exit_code == 2
        assert "rows of public.c in the target refer to" in claim.message


@pytest.mark.parametrize(
    "rule", ["CHECK (up > 0 OR root)", "CHECK (id > 0)", "UNIQUE NULLS NOT DISTINCT (up, root)"]
)
def test_reference_within_a_table_that_another_rule_reads(
    move: Move, tmp_path: Path, rule: str
) -> None:
    world = (
        f"CREATE TABLE t (id int PRIMARY KEY, up int REFERENCES t, root bool, {rule})",
        "INSERT INTO t VALUES (3, NULL, true), (2, 3, false), (1, 2, false)",
        "",
    )
    wanted = expected(move, world)
    out = tmp_path / "out.sql"
    claim = convert(move.path, move.target.dsn, out, Style.ROWS, RestoreOptions(dry_run=True))
    # Without the reference, which is written when all rows are there, they break the rule.
    assert claim.success is (rule == "CHECK (id > 0)"), claim.message
    if claim.success:
        assert psql(move.target.dsn, out).stderr == ""
        assert content(move) == wanted
    else:
        assert claim.exit_code == 2
        assert "convert with --style set" in claim.message


def test_target_that_changed_since_stops_psql_and_keeps_its_rows(
    move: Move, tmp_path: Path
) -> None:
    move("CREATE TABLE t (id int PRIMARY KEY, k text UNIQUE)", "INSERT INTO t VALUES (1, 'x')")
    out = tmp_path / "out.sql"
    convert(move.path, move.target.dsn, out, Style.ROWS, RestoreOptions(dry_run=True))
    move.rows("UPDATE t SET id = 2")
    done = psql(move.target.dsn, out)
    assert done.returncode == 3
    assert "t_k_key" in done.stderr
    assert move.rows("SELECT * FROM t") == [(2, "x")]
