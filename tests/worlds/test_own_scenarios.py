"""``verify --schema``: scenarios on somebody's tables, without a line of code."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from verifier.cli import main

COMMAND = "import sys; from verifier.cli import main; sys.exit(main())"
SQL = Path(__file__).parents[2] / "fixtures" / "sql"


def verify(directory: Path, *arguments: str) -> tuple[int, str, str]:
    """Exit code, output, and the last line on stderr, of a run in ``directory``."""
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, "verify", "--servers", "embedded", *arguments],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done.returncode, done.stdout, (done.stderr.splitlines() or [""])[-1]


@pytest.mark.slow
def test_tables_of_somebody_elses_in_a_directory_of_theirs(tmp_path: Path) -> None:
    shutil.copy(SQL / "accounting.sql", tmp_path / "books.sql")
    (tmp_path / "rows.sql").write_text("INSERT INTO ledger.currency VALUES ('CHF', 2);\n")
    (tmp_path / "restore-verifier.toml").write_text('schema = "books.sql"\nseed = "rows.sql"\n')
    chosen = ("own_schema::rows_of_the_targets_own", "own_schema::duplicates_on_every_key")
    code, out, last = verify(tmp_path, *chosen, "first_load", "--", "-n1", "--maxschedchunk=1")
    assert code == 0, out + last
    assert "schema: books.sql; scenarios about the shop's tables are left out" in out
    assert "6 of 8 tables of books.sql have rows" in out
    assert "not generated: ledger.approval: four_eyes: a constraint trigger" in out
    assert (
        "ok     .      ok     ok     ok     .      ok     ok     .      .       own_schema" in out
    )
    assert "in 2 scenarios" in out
    assert "first_load" not in out
    assert {path.name for path in tmp_path.iterdir()} == {
        "books.sql",
        "rows.sql",
        "restore-verifier.toml",
    }


@pytest.mark.slow
def test_a_schema_that_cannot_be_loaded_ends_the_run(tmp_path: Path) -> None:
    (tmp_path / "bad.sql").write_text("CREATE TABLE a (id int);\nCREATE TABLE b (id nt);\n")
    chosen = ("own_schema::tables_that_are_loaded_already", "keys::tables_without_any_key")
    code, _, last = verify(tmp_path, *chosen, "--schema", "bad.sql")
    assert code == 2
    assert "--schema bad.sql cannot be loaded into PostgreSQL 18: line 2" in last


def test_rows_without_a_schema_are_refused(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.sql").touch()
    assert main(["verify", "keys", "--seed", "rows.sql", "--seed", "7"]) == 2
    told = capsys.readouterr().err.splitlines()[-1]
    assert "--seed names rows (rows.sql) and no --schema says of which tables" in told
