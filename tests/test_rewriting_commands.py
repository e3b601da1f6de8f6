"""``restore-verifier convert`` and ``clean`` on real databases: what they write, and never do."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.commands import ran
from tests.test_cli import started
from tests.test_restore_command import ORPHANS, ROWS, SCHEMA, SOURCE, TARGET, dumped
from verifier.programs import client
from verifier.servers import Database, Pair, Side

COMMANDS = ("convert", "clean")
LEFT = "SELECT relname FROM pg_class WHERE relname LIKE 'restore%'"


@pytest.fixture
def target(servers: Pair) -> Iterator[Database]:
    databases = servers.databases(Side.TARGET)
    made = databases.create("rewritten")
    made.execute(SCHEMA)
    made.execute(TARGET)
    yield made
    databases.drop(made)


@pytest.fixture
def backup(servers: Pair, tmp_path: Path) -> Iterator[Path]:
    yield from dumped(servers, tmp_path, SOURCE)


@pytest.fixture
def orphans(servers: Pair, tmp_path: Path) -> Iterator[Path]:
    yield from dumped(servers, tmp_path, SOURCE + ORPHANS)


@pytest.fixture
def rewrite(target, monkeypatch, capsys, tmp_path):
    """Runs a command; returns exit code, stdout, and the last line on stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RESTORE_VERIFIER_TARGET_DSN", target.dsn.conninfo)

    def rewritten(*arguments: str) -> tuple[int, str, str]:
        before = target.execute(ROWS)
        result = ran(capsys, target.dsn, *arguments)
        if arguments[0] in COMMANDS:
            assert target.execute(ROWS) == before, "the target is never written to"
        assert target.execute(LEFT) == []
        return result

    return rewritten


def psql(target: Database, path: Path) -> None:
    subprocess.run(
        [client("psql", server=18), "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-f", path],
        env={**os.environ, **target.dsn.environ},
        check=True,
        stdout=subprocess.DEVNULL,
    )


@pytest.mark.parametrize("style", ["rows", "set"])
def test_psql_restores_what_is_converted_and_a_second_time_changes_nothing(
    rewrite, target, backup, tmp_path, style
):
    code, out, _ = rewrite(
        "convert", "backup.sql", "-o", "out.sql", "--style", style, "--json", "o.json"
    )
    assert code == 0
    assert out.splitlines()[-1].startswith("WRITTEN: 5 rows of 2 tables written to out.sql, 1 merg")
    psql(target, tmp_path / "out.sql")
    assert target.execute("SELECT id, biz_id FROM item ORDER BY id") == [("i1", "b"), ("i2", "b")]
    versions = "SELECT xmin::text, id FROM biz UNION ALL SELECT xmin::text, id FROM item ORDER BY 2"
    before = target.execute(versions)
    psql(target, tmp_path / "out.sql")
    assert target.execute(versions) == before
    read = json.loads(Path("o.json").read_text())
    assert (read["schema"], read["success"], read["exit_code"]) == (1, True, 0)
    assert (read["written"], read["quarantine"]) == ("out.sql", None)
    assert read["target"] == str(target.dsn)
    assert read["tables"]["public.biz"]["merged"] == 1
    assert read["merges"][0]["survivor"] == {"id": "b"}
    assert (tmp_path / "out.sql").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("form", ["copy", "inserts"])
def test_what_is_cleaned_restores_without_a_merge(rewrite, target, backup, tmp_path, form):
    assert rewrite("clean", "backup.sql", "-o", "out.sql.gz", "--format", form)[0] == 0
    text = gzip.decompress((tmp_path / "out.sql.gz").read_bytes())
    assert (b"\nCOPY " in text) is (form == "copy")
    code, out, _ = rewrite("restore", "out.sql.gz")
    assert code == 0
    assert out.splitlines()[-1].startswith("RESTORED: 4 rows of 2 tables: 4 inserted (")
    assert (
        rewrite("restore", "backup.sql")[1]
        .splitlines()[-1]
        .startswith("RESTORED: 5 rows of 2 tables: 4 unchanged, 1 merged (")
    )


def test_rows_that_do_not_fit_are_set_aside_by_clean_without_being_asked(rewrite, target, orphans):
    code, out, last = rewrite("clean", "backup.sql", "-o", "out.sql", "--json", "o.json")
    assert code == 1
    assert "25 rejected, kept in backup.sql.rejected.jsonl" in out.splitlines()[-1]
    assert last.endswith("; mend them in that file, and restore it")
    read = json.loads(Path("o.json").read_text())
    assert (read["success"], read["exit_code"], len(read["rejections"])) == (True, 1, 25)
    assert (read["written"], read["quarantine"]) == ("out.sql", "backup.sql.rejected.jsonl")
    assert rewrite("restore", "out.sql")[0] == 0
    target.execute("INSERT INTO biz SELECT 'gone' || g, 'z', g FROM generate_series(1, 25) g")
    assert rewrite("restore", "backup.sql.rejected.jsonl")[0] == 0
    assert target.execute("SELECT count(*) FROM item WHERE label = 'orphan'") == [(25,)]


def test_clean_may_be_told_where_to_set_rows_aside(rewrite, orphans, tmp_path):
    code, out, _ = rewrite("clean", "backup.sql", "-o", "out.sql", "--quarantine", "r.jsonl")
    assert code == 1
    assert "kept in r.jsonl" in out
    assert {path.name for path in tmp_path.iterdir()} == {"backup.sql", "out.sql", "r.jsonl"}
    code, _, last = rewrite("clean", "backup.sql", "-o", "out.sql", "--quarantine", "r.jsonl")
    assert code == 2
    assert "it is there already, and may hold rows of another restore" in last


def test_convert_writes_nothing_when_rows_do_not_fit(rewrite, orphans, tmp_path):
    (tmp_path / "out.sql").write_text("earlier")
    code, out, last = rewrite("convert", "backup.sql", "-o", "out.sql", "--json", "o.json")
    assert code == 1
    assert out.splitlines()[-1].startswith("REJECTED: ")
    assert "set them aside with --quarantine" in last
    assert (tmp_path / "out.sql").read_text() == "earlier"
    read = json.loads(Path("o.json").read_text())
    assert (read["success"], read["written"], read["quarantine"]) == (False, None, None)
    code, _, _ = rewrite("convert", "backup.sql", "-o", "out.sql", "--quarantine", "r.jsonl")
    assert code == 1
    assert (tmp_path / "r.jsonl").exists()
    assert "earlier" not in (tmp_path / "out.sql").read_text()


@pytest.mark.parametrize("command", COMMANDS)
def test_the_standard_input_is_read(target, backup, tmp_path, command):
    arguments = ["-", "-o", "out.sql", "--target", target.dsn.conninfo]
    if command == "clean":
        arguments += ["--quarantine", "r.jsonl"]
    process = started(tmp_path, command, *arguments, stdin=subprocess.PIPE)
    out, err = process.communicate(backup.read_text(), timeout=60)
    assert (process.returncode, err) == (0, "")
    assert out.splitlines()[0] == "backup  standard input"


def test_an_archive_may_be_redirected(rewrite, target, tmp_path):
    """A file behind - can be rewound, but not by another program's standard input."""
    target.execute("INSERT INTO biz VALUES ('z', 'z', 'z', 1)")
    subprocess.run(
        [client("pg_dump", server=18), "-Fc", "--data-only", "-f", tmp_path / "a.dump"],
        env={**os.environ, **target.dsn.environ},
        check=True,
    )
    with open(tmp_path / "a.dump", "rb") as file:
        process = started(tmp_path, "restore", "-", target.dsn.conninfo, stdin=file)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert "1 unchanged" in out


def schema(target: Database, *options: str) -> str:
    return subprocess.run(
        [client("pg_dump", server=18), "--schema-only", *options],
        env={**os.environ, **target.dsn.environ},
        check=True,
        capture_output=True,
        text=True,
    ).stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_a_schema_may_stand_for_an_empty_database(rewrite, target, backup, tmp_path, command):
    made = schema(target, "--no-owner", "--no-privileges")
    assert "\n\\restrict " in made, "pg_dump frames its files with psql's commands"
    (tmp_path / "schema.sql").write_text(made)
    code, out, _ = rewrite(command, "backup.sql", "-o", "out.sql", "--schema", "schema.sql")
    assert code == 0
    assert "target  an empty database with the schema schema.sql" in out
    assert "       2        .          .       1         .  public.biz" in out.splitlines()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("CREATE TABLE x (id int);\n\\! touch canary\n", "line 2: \\! is a command of psql"),
        ("CREATE TABLE x (id int);\n\\i other.sql\n", "line 2: \\i is a command of psql"),
        ("CREATE TABLE x (t text);\nCOPY x FROM PROGRAM 'touch canary';", "permission denied"),
        ("hello", "line 1: syntax error"),
        ("ALTER SCHEMA public OWNER TO nobody_known;", 'role "nobody_known" does not exist'),
        ("CREATE TABLE x (t text);\nCOPY x FROM stdin;\na\n\\.\n", "line 2: it holds rows"),
    ],
)
def test_a_schema_is_run_by_the_server_and_never_by_a_shell(
    rewrite, backup, tmp_path, content, told
):
    (tmp_path / "schema.sql").write_text(content)
    code, _, last = rewrite("convert", "backup.sql", "-o", "out.sql", "--schema", "schema.sql")
    assert code == 2
    assert told in last
    assert "--schema-only --no-owner --no-privileges" in last
    assert {path.name for path in tmp_path.iterdir()} == {"backup.sql", "schema.sql"}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "takes one backup, and got 0 arguments"),
        (["backup.sql", "other.sql", "-o", "o"], "takes one backup, and got 2 arguments"),
        (["backup.sql"], "name one with -o OUT"),
        (["backup.sql", "-o", ""], "it is no name of a file"),
        (["backup.sql", "-o", "-"], "it is no name of a file"),
        (["backup.sql", "-o", "."], "it is a directory"),
        (["backup.sql", "-o", "pipe"], "it is there and no ordinary file"),
        (["backup.sql", "-o", "absent/o"], "No such file or directory"),
        (["backup.sql", "-o", "backup.sql"], "-o and FILE name the same file"),
        (["backup.sql", "-o", "o", "--json", "./o"], "--json and -o name the same file"),
        (["backup.sql", "-o", "o", "--quarantine", "o"], "--quarantine and -o name the same"),
        (["absent.sql", "-o", "o"], "FILE 'absent.sql' cannot be read"),
        (["backup.sql", "-o", "o", "--schema", "absent"], "--schema 'absent' cannot be read"),
        (["backup.sql", "-o", "o", "--schema", "."], "it is a directory"),
        (["backup.sql", "-o", "o", "--schema", "s", "--target", "dbname=x"], "both given"),
        (["backup.sql", "-o", "o", "--target", "host=127.0.0.1 port=1 dbname=a"], "refused"),
        (["backup.sql", "-o", "o", "--prefer", "newest:nowhere"], "nowhere"),
        (["backup.sql", "-o", "o", "--style", "odd", "--format", "odd"], "odd"),
        (["empty.sql", "-o", "o"], "empty.sql is empty"),
        (["cut.sql", "-o", "o"], "cut.sql"),
    ],
)
def test_what_cannot_be_done_is_told_and_nothing_is_left(
    rewrite, backup, tmp_path, command, arguments, told
):
    (tmp_path / "empty.sql").touch()
    (tmp_path / "cut.sql").write_bytes(backup.read_bytes()[:-200])
    (tmp_path / "s").touch()
    os.mkfifo(tmp_path / "pipe")
    before = {path.name for path in tmp_path.iterdir()}
    whole = backup.read_bytes()
    code, _, last = rewrite(command, *arguments)
    assert code == 2, last
    assert told in last or told == "odd"
    assert backup.read_bytes() == whole
    assert {path.name for path in tmp_path.iterdir()} == before


def test_clean_writes_no_json(rewrite, backup, tmp_path):
    code, _, last = rewrite("clean", str(backup), "-o", "out.json", "--format", "json")
    assert code == 2
    assert "clean writes no JSON; give --format copy" in last
    assert not (tmp_path / "out.json").exists()


def test_without_a_database_or_a_schema_nothing_can_be_said(rewrite, backup, monkeypatch):
    monkeypatch.delenv("RESTORE_VERIFIER_TARGET_DSN")
    code, _, last = rewrite("convert", "backup.sql", "-o", "out.sql")
    assert code == 2
    assert "give --target DSN or --schema FILE" in last


@pytest.mark.parametrize("command", COMMANDS)
def test_ctrl_c_leaves_the_earlier_file(target, backup, tmp_path, command):
    (tmp_path / "out.sql").write_text("earlier")
    before = {path.name for path in tmp_path.iterdir()}
    arguments = ["backup.sql", "-o", "out.sql", "--target", target.dsn.conninfo]
    with psycopg.connect(target.admin.conninfo) as blocker:
        blocker.execute("LOCK TABLE biz IN ACCESS EXCLUSIVE MODE")
        process = started(tmp_path, command, *arguments)
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        until = time.monotonic() + 30
        while blocker.execute(waiting).fetchone() == (0,) and time.monotonic() < until:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "restore-verifier: interrupted; out.sql was not written"
    assert (tmp_path / "out.sql").read_text() == "earlier"
    assert {path.name for path in tmp_path.iterdir()} == before
