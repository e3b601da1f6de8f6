"""``restore-verifier backup`` on real databases: what it writes, and what it leaves alone."""

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
from tests.test_cli import run, started
from verifier.cli import main
from verifier.servers import Database, Pair, Side

SECRET = "s3cr3t-pa55"
CONTENT = """
CREATE TABLE biz (id text PRIMARY KEY, name text);
CREATE TABLE item (id int PRIMARY KEY, biz_id text NOT NULL REFERENCES biz);
CREATE TABLE bare (id int);
CREATE TABLE "_prisma_migrations" (id int);
INSERT INTO biz VALUES ('a', 'Tea'), ('demo-1', 'Demo'), ('demo-2', 'Demo');
INSERT INTO item VALUES (1, 'a'), (2, 'demo-1'), (3, 'demo-1');
INSERT INTO "_prisma_migrations" VALUES (1);
"""


@pytest.fixture
def source(servers: Pair) -> Iterator[Database]:
    databases = servers.databases(Side.SOURCE)
    made = databases.create("backed_up")
    made.execute(CONTENT)
    yield made
    databases.drop(made)


@pytest.fixture
def backup(source, monkeypatch, capsys, tmp_path):
    """Runs the command on ``source``; returns exit code, stdout, and the last line on stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RESTORE_VERIFIER_SOURCE_DSN", source.dsn.conninfo)

    def backed_up(*arguments: str) -> tuple[int, str, str]:
        return ran(capsys, source.dsn, "backup", *arguments)

    return backed_up


def test_a_backup_says_what_it_holds(backup, source, tmp_path):
    code, out, last = backup("out.sql", "--json", "out.json")
    assert (code, last) == (0, "")
    lines = out.splitlines()
    assert "   3         .  public.biz" in lines
    assert "   .         .  public.bare" in lines
    assert not any(line.endswith("  public._prisma_migrations") for line in lines)
    size = (tmp_path / "out.sql").stat().st_size
    assert lines[-1].startswith("BACKED UP: 6 rows of 3 tables in out.sql, ")
    read = json.loads((tmp_path / "out.json").read_text())
    assert (read["schema"], read["file"], read["bytes"]) == (1, "out.sql", size)
    assert read["source"] == str(source.dsn)
    assert read["tables"]["public.item"] == {"rows": 3, "left_out": 0}
    assert sorted(each.name for each in tmp_path.iterdir()) == ["out.json", "out.sql"]


@pytest.mark.parametrize(
    ("form", "row"),
    [
        ("inserts", "INSERT INTO public.biz (id, name) VALUES ('a', 'Tea');\n"),
        ("json", '"biz":[\n{"id":"a","name":"Tea"},\n'),
    ],
)
def test_what_is_backed_up_can_be_restored(backup, servers, tmp_path, capsys, form, row):
    assert backup("out.gz", "--format", form)[0] == 0
    assert row in gzip.decompress((tmp_path / "out.gz").read_bytes()).decode()
    target = servers.databases(Side.TARGET).create("backed_up")
    target.execute(CONTENT.partition("INSERT")[0])
    assert main(["restore", "out.gz", target.dsn.conninfo]) == 0, capsys.readouterr().err
    assert target.execute("SELECT count(*) FROM item") == [(3,)]
    servers.databases(Side.TARGET).drop(target)


def test_rows_are_left_out_with_what_refers_to_them(backup, tmp_path, monkeypatch):
    code, out, _ = backup("out.sql", "--exclude", "biz: id LIKE 'demo-%'", "--json", "out.json")
    assert code == 0
    lines = out.splitlines()
    assert "   1         2  public.biz" in lines
    assert "   1         2  public.item" in lines
    assert "2 rows of 3 tables" in lines[-1]
    assert "4 rows left out" in lines[-1]
    read = json.loads((tmp_path / "out.json").read_text())
    assert read["tables"]["public.biz"] == {"rows": 1, "left_out": 2}
    monkeypatch.setenv("RESTORE_VERIFIER_EXCLUDE", "biz: id = 'demo-1'\nitem: id = 1")
    assert "4 rows left out" in backup("out.sql")[1].splitlines()[-1]
    (tmp_path / "pyproject.toml").write_text("[tool.restore-verifier]\nexclude = ['bizz: true']\n")
    monkeypatch.setenv("RESTORE_VERIFIER_EXCLUDE", "")
    assert "left out" not in backup("out.sql")[1].splitlines()[-1]
    monkeypatch.delenv("RESTORE_VERIFIER_EXCLUDE")
    code, _, last = backup("out.sql")
    assert code == 2
    assert "bizz" in last
    assert "did you mean biz?" in last


def test_control_tables_are_backed_up_when_they_are_asked_for(backup):
    code, out, _ = backup("out.sql", "--control-tables", "bare")
    assert code == 0
    assert "   1         .  public._prisma_migrations" in out.splitlines()
    assert "   .         .  public.bare" not in out.splitlines()


def test_an_earlier_backup_stays_until_the_new_one_is_whole(backup, tmp_path):
    (tmp_path / "out.sql").write_text("of an earlier run")
    code, _, last = backup("out.sql", "--exclude", "biz: nonsense = 1")
    assert code == 2
    assert "nonsense" in last
    assert (tmp_path / "out.sql").read_text() == "of an earlier run"
    assert [each.name for each in tmp_path.iterdir()] == ["out.sql"]
    assert backup("out.sql")[0] == 0
    assert (tmp_path / "out.sql").read_text() != "of an earlier run"


@pytest.mark.parametrize("name", ["absent/out.sql", ".", "/dev/null", "pipe"])
def test_a_place_for_no_file_is_told_before_anybody_connects(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    assert main(["backup", "host=127.0.0.1 port=1 dbname=a", name]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"FILE '{name}' cannot be written" in line
    assert [each.name for each in tmp_path.iterdir()] == ["pipe"]


def test_no_connection_makes_no_backup(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out.json").write_text("of an earlier run")
    dsn = f"postgresql://ann:{SECRET}@127.0.0.1:1/a"
    assert main(["backup", dsn, "out.sql", "--json", "out.json"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "postgresql://ann:****@127.0.0.1:1/a" in line
    assert SECRET not in line
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_password_is_not_shown(source, capsys, tmp_path):
    wrong = source.dsn.with_(password=SECRET)
    assert main(["backup", wrong.conninfo, str(tmp_path / "out.sql")]) == 2
    said = capsys.readouterr()
    assert "password authentication failed" in said.err
    assert SECRET not in said.out + said.err


def test_a_table_that_may_not_be_read_makes_no_backup(backup, source, tmp_path):
    with psycopg.connect(source.admin.conninfo) as connection:
        connection.execute("ALTER TABLE bare OWNER TO CURRENT_USER")
        connection.execute("REVOKE ALL ON bare FROM PUBLIC")
    code, _, last = backup("out.sql")
    assert code == 2
    assert "bare" in last
    assert list(tmp_path.iterdir()) == []


def test_a_lock_is_not_waited_for_longer_than_asked(backup, source, tmp_path):
    with psycopg.connect(source.admin.conninfo) as blocker:
        blocker.execute("LOCK TABLE biz")
        begun = time.monotonic()
        code, _, last = backup("out.sql", "--lock-timeout", "0.5")
        assert time.monotonic() - begun < 20
    assert code == 2
    assert "lock" in last
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_report_that_cannot_be_written_does_not_hide_the_backup(backup, tmp_path):
    code, _, last = backup("out.sql", "--json", "/dev/full")
    assert code == 2
    assert "6 rows of 3 tables in out.sql" in last
    assert "/dev/full could not be written" in last
    assert (tmp_path / "out.sql").exists()


@pytest.mark.slow
def test_the_command_as_a_process(source, tmp_path):
    code, out, err = run(tmp_path, "backup", source.dsn.conninfo, "out.sql")
    assert (code, err) == (0, "")
    assert "BACKED UP" in out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_whoever_stops_a_backup_finds_no_half_of_it(source, tmp_path, number, exit_code):
    (tmp_path / "out.sql").write_text("of an earlier run")
    with psycopg.connect(source.admin.conninfo) as blocker:
        blocker.execute("LOCK TABLE biz")
        process = started(tmp_path, "backup", source.dsn.conninfo, "out.sql")
        waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        deadline = time.monotonic() + 20
        with psycopg.connect(source.admin.conninfo, autocommit=True) as connection:
            while not connection.execute(waiting).rowcount:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert process.returncode == exit_code
    assert err.splitlines() == ["restore-verifier: interrupted; no backup was made"]
    assert out == ""
    assert [each.name for each in tmp_path.iterdir()] == ["out.sql"]
    assert (tmp_path / "out.sql").read_text() == "of an earlier run"
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert str(tmp_path) not in listed.stdout
