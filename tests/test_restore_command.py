"""``restore-verifier restore`` on real databases: exit codes, reports, what it never does."""

from __future__ import annotations

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
from verifier.commands.restore import hidden
from verifier.config import Config, ServerKind
from verifier.contract import Claim, Merge, Rejection
from verifier.programs import client
from verifier.servers import Database, Pair, Side, choose

SECRET = "s3cr3t-pa55"
SCHEMA = """
CREATE TABLE biz (id text PRIMARY KEY, bt text, name text, price int);
CREATE TABLE item (id text PRIMARY KEY, biz_id text NOT NULL, label text);
CREATE TABLE "_prisma_migrations" (id int PRIMARY KEY);
"""
SOURCE = """
INSERT INTO biz VALUES ('a', 'r', 'Tea', 10), ('b', 'r', 'Tea', 12), ('c', 'r', 'Cake', 1);
INSERT INTO item VALUES ('i1', 'a', 'of a'), ('i2', 'b', E'\\x1b[31mof b');
INSERT INTO "_prisma_migrations" VALUES (1);
"""
ORPHANS = "INSERT INTO item SELECT 'x' || g, 'gone' || g, 'orphan' FROM generate_series(1, 25) g;"
TARGET = """
CREATE UNIQUE INDEX biz_k ON biz (bt, name);
ALTER TABLE item ADD CONSTRAINT item_biz FOREIGN KEY (biz_id) REFERENCES biz;
"""
ROWS = (
    "SELECT 'biz', b::text FROM biz b UNION ALL SELECT 'item', i::text FROM item i"
    """ UNION ALL SELECT 'm', m::text FROM "_prisma_migrations" m ORDER BY 1, 2"""
)


@pytest.fixture
def target(servers: Pair) -> Iterator[Database]:
    databases = servers.databases(Side.TARGET)
    made = databases.create("restored")
    made.execute(SCHEMA)
    made.execute(TARGET)
    yield made
    databases.drop(made)


@pytest.fixture
def backup(servers: Pair, tmp_path: Path) -> Iterator[Path]:
    """What pg_dump makes of the source: one duplicate with a child, no orphans."""
    yield from dumped(servers, tmp_path, SOURCE)


@pytest.fixture
def orphans(servers: Pair, tmp_path: Path) -> Iterator[Path]:
    """The same with 25 children whose parents are gone."""
    yield from dumped(servers, tmp_path, SOURCE + ORPHANS)


def dumped(servers: Pair, directory: Path, content: str) -> Iterator[Path]:
    databases = servers.databases(Side.SOURCE)
    made = databases.create("restored")
    made.execute(SCHEMA)
    made.execute(content)
    path = directory / "backup.sql"
    program = client("pg_dump", server=made.server.major)
    subprocess.run(
        [program, "--data-only", "--column-inserts", f"--file={path}"],
        env={**os.environ, **made.dsn.environ},
        check=True,
    )
    yield path
    databases.drop(made)


@pytest.fixture
def restore(target, monkeypatch, capsys, tmp_path):
    """Runs the command on ``target``; returns exit code, stdout, and the last line on stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RESTORE_VERIFIER_TARGET_DSN", target.dsn.conninfo)

    def restored(*arguments: str) -> tuple[int, str, str]:
        return ran(capsys, target.dsn, "restore", *arguments)

    return restored


def test_a_restore_says_what_became_of_every_row(restore, target, backup):
    code, out, last = restore("backup.sql", "--json", "out.json")
    assert (code, last) == (0, "")
    lines = out.splitlines()
    assert "       2        .          .       1         .  public.biz" in lines
    assert "    id = 'a' -> id = 'b'  (biz_k)" in lines
    assert lines[-1].startswith("RESTORED: ")
    assert target.execute("SELECT id, biz_id FROM item ORDER BY id") == [("i1", "b"), ("i2", "b")]
    assert target.execute('SELECT * FROM "_prisma_migrations"') == []
    read = json.loads(Path("out.json").read_text())
    assert (read["schema"], read["success"], read["exit_code"]) == (1, True, 0)
    assert (read["file"], read["dry_run"], read["quarantine"]) == ("backup.sql", False, None)
    assert read["target"] == str(target.dsn)
    assert read["tables"]["public.biz"] == {
        "inserted": 2,
        "updated": 0,
        "unchanged": 0,
        "merged": 1,
        "rejected": 0,
    }
    (merge,) = read["merges"]
    assert (merge["key"], merge["survivor"]) == ({"id": "a"}, {"id": "b"})
    assert (merge["table"], merge["constraint"]) == ("public.biz", "biz_k")
    assert read["rejections"] == []


def test_the_same_again_changes_nothing(restore, backup):
    assert restore("backup.sql")[0] == 0
    code, out, _ = restore("backup.sql")
    assert code == 0
    assert "       .        .          2       1         .  public.biz" in out.splitlines()


def test_rejected_rows_are_all_told_and_nothing_is_written(restore, target, orphans):
    before = target.execute(ROWS)
    code, out, last = restore("backup.sql", "--json", "out.json")
    assert code == 1
    assert target.execute(ROWS) == before
    assert "item_biz: 25 rows" in out
    assert sum(line.startswith("    id = 'x") for line in out.splitlines()) == 20
    assert "  and 5 more; --json FILE holds them all" in out
    assert "REJECTED: " in out.splitlines()[-1]
    assert "nothing was changed" in last
    assert "--quarantine" in last
    read = json.loads(Path("out.json").read_text())
    assert (read["success"], read["exit_code"]) == (False, 1)
    assert {each["key"]["id"] for each in read["rejections"]} == {f"x{n}" for n in range(1, 26)}
    assert {(each["table"], each["constraint"]) for each in read["rejections"]} == {
        ("public.item", "item_biz")
    }
    assert all("gone" in each["reason"] for each in read["rejections"])
    assert read["tables"]["public.item"]["rejected"] == 25


def test_control_tables_are_restored_when_they_are_asked_for(restore, target, backup):
    assert restore("backup.sql", "--control-tables", "")[0] == 0
    assert target.execute('SELECT * FROM "_prisma_migrations"') == [(1,)]


def test_the_target_as_an_argument_wins_over_nothing_else(restore, target, backup, monkeypatch):
    monkeypatch.setenv("RESTORE_VERIFIER_TARGET_DSN", "postgresql://127.0.0.1:1/nowhere")
    assert restore("backup.sql", target.dsn.conninfo)[0] == 0
    assert restore("--json", "x.json", "backup.sql", target.dsn.conninfo)[0] == 0
    code, out, last = restore("backup.sql")
    assert code == 2
    assert "127.0.0.1:1/nowhere" in last
    assert out.splitlines()[-1].startswith("FAILED: ")


def test_the_standard_input(target, backup, tmp_path):
    process = started(tmp_path, "restore", "-", target.dsn.conninfo, stdin=subprocess.PIPE)
    out, err = process.communicate(backup.read_text(), timeout=60)
    assert (process.returncode, err) == (0, "")
    assert out.splitlines()[0] == "backup  standard input"
    assert len(target.execute(ROWS)) == 4


def test_the_standard_input_has_no_place_for_a_quarantine(restore, monkeypatch):
    with open("/dev/null") as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        code, _, last = restore("-", "--quarantine")
    assert code == 2
    assert "--quarantine names no file" in last


def test_a_flag_switches_off_what_the_environment_switches_on(restore, backup, monkeypatch):
    monkeypatch.setenv("RESTORE_VERIFIER_STRICT_IDS", "true")
    nowhere = "host=127.0.0.1 port=1 dbname=a"
    assert "leave one of the two out" in restore("backup.sql", nowhere, "--ids", "local")[2]
    switched = restore("backup.sql", nowhere, "--ids", "local", "--no-strict-ids")
    assert "Connection refused" in switched[2]


def test_a_file_may_be_named_like_a_connection_string(restore, backup, tmp_path):
    backup.rename(tmp_path / "old dbname=x")
    assert restore("old dbname=x")[0] == 2
    assert restore("./old dbname=x")[0] == 0


@pytest.mark.parametrize("closed", [True, False])
def test_nothing_is_piped_in(restore, monkeypatch, closed):
    ours, theirs = os.openpty()
    with open(theirs) as terminal:
        monkeypatch.setattr("sys.stdin", None if closed else terminal)
        code, _, last = restore("-")
    os.close(ours)
    assert code == 2
    assert "nothing is piped in" in last


@pytest.mark.parametrize(
    "content", [b"", b"\x00\xff\xfe", b"hello\n", b"\x1f\x8b\x08", b"PGDMP", b"INSERT INTO biz"]
)
def test_what_is_no_backup_is_refused(restore, target, tmp_path, content):
    (tmp_path / "b.sql").write_bytes(content)
    before = target.execute(ROWS)
    code, out, last = restore("b.sql", "--json", "out.json")
    assert code == 2
    assert "nothing was changed" in last
    assert target.execute(ROWS) == before
    assert out.splitlines()[-1].startswith("FAILED: ")
    assert json.loads(Path("out.json").read_text())["exit_code"] == 2


def test_an_earlier_backup_or_file_of_rows_is_never_written_over(restore, backup, tmp_path):
    whole = backup.read_bytes()
    (tmp_path / "backup.sql.rejected.jsonl").write_text("rows")
    code, _, last = restore("backup.sql", "--quarantine")
    assert code == 2
    assert "it is there already, and may hold rows of another restore" in last
    for option in ("--json", "--quarantine"):
        assert restore("backup.sql", option, "backup.sql")[0] == 2
        assert restore("backup.sql", option, str(tmp_path / "x" / ".." / "backup.sql"))[0] == 2
    (tmp_path / "link").symlink_to("absent")
    assert restore("backup.sql", "--quarantine", "link")[0] == 2
    code, _, last = restore("backup.sql", "--quarantine", "x", "--json", "./x")
    assert "--json and --quarantine name the same file" in last
    assert backup.read_bytes() == whole
    assert (tmp_path / "backup.sql.rejected.jsonl").read_text() == "rows"
    assert not (tmp_path / "x").exists()


def test_a_quarantine_that_cannot_be_written_is_told_before_anybody_connects(backup, capsys):
    nowhere = "host=127.0.0.1 port=1 dbname=a"
    assert main(["restore", str(backup), nowhere, "--quarantine", "/nonexistent/q"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "--quarantine '/nonexistent/q' cannot be written: No such file or directory" in line


def test_a_quarantine_takes_the_rejected_rows_and_gives_them_back(restore, target, orphans):
    code, out, last = restore("backup.sql", "--quarantine", "--json", "out.json")
    assert code == 1
    assert target.execute("SELECT count(*) FROM biz") == [(2,)]
    assert out.count("25 rejected, kept in backup.sql.rejected.jsonl") == 1
    assert last.endswith("; mend them in that file, and restore it")
    assert json.loads(Path("out.json").read_text())["quarantine"] == "backup.sql.rejected.jsonl"
    assert len(Path("backup.sql.rejected.jsonl").read_text().splitlines()) >= 25
    target.execute("INSERT INTO biz SELECT 'gone' || g, 'z', g FROM generate_series(1, 25) g")
    code, out, _ = restore("backup.sql.rejected.jsonl")
    assert code == 0, out
    assert target.execute("SELECT count(*) FROM item WHERE label = 'orphan'") == [(25,)]


def test_a_quarantine_that_is_not_needed_is_not_made(restore, backup, tmp_path):
    code, out, _ = restore("backup.sql", "--quarantine", "q.jsonl")
    assert code == 0
    assert "set aside" not in out
    assert not (tmp_path / "q.jsonl").exists()


def test_a_dry_run_writes_nothing_and_says_so(restore, target, backup):
    before = target.execute(ROWS)
    code, out, _ = restore("backup.sql", "--dry-run", "--json", "out.json")
    assert code == 0
    assert target.execute(ROWS) == before
    assert "would be restored: 4 inserted, 1 merged" in out
    assert "       2        .          .       1         .  public.biz" in out.splitlines()
    assert out.splitlines()[-1].startswith("DRY RUN: ")
    assert json.loads(Path("out.json").read_text())["dry_run"] is True


def test_a_dry_run_tells_what_would_be_rejected(restore, target, orphans, tmp_path):
    before = target.execute(ROWS)
    code, out, _ = restore("backup.sql", "--dry-run", "--quarantine", "q.jsonl")
    assert code == 1
    assert "item_biz: 25 rows" in out
    assert target.execute(ROWS) == before
    assert not (tmp_path / "q.jsonl").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--prefer", "newest:nowhere"], "nowhere"),
        (["--reference", "item.nowhere -> biz"], "nowhere"),
        (["--reference", "item.label -> nowhere"], "nowhere"),
    ],
)
def test_a_name_that_the_target_does_not_have_is_told(restore, target, backup, arguments, told):
    before = target.execute(ROWS)
    code, _, last = restore("backup.sql", *arguments)
    assert code == 2, last
    assert told in last
    assert target.execute(ROWS) == before


def test_a_lock_is_not_waited_for_longer_than_asked(restore, target, backup):
    with psycopg.connect(target.admin.conninfo) as blocker:
        blocker.execute("LOCK TABLE biz IN ROW EXCLUSIVE MODE")
        begun = time.monotonic()
        code, _, last = restore("backup.sql", "--lock-timeout", "0.5")
        assert time.monotonic() - begun < 20
    assert code in (1, 2)
    assert "lock" in last
    assert "nothing was changed" in last


def test_a_wrong_password_is_not_shown(target, backup, capsys, monkeypatch):
    monkeypatch.chdir(backup.parent)
    wrong = target.dsn.with_(password=SECRET)
    assert main(["restore", str(backup), wrong.conninfo, "--json", "out.json"]) == 2
    said = capsys.readouterr()
    assert "password authentication failed" in said.err
    assert SECRET not in said.out + said.err + Path("out.json").read_text()


def test_a_password_in_the_rows_is_not_shown(restore, target, tmp_path):
    row = f"('x{target.dsn.password}y', 'gone', NULL)"
    text = f"INSERT INTO public.item (id, biz_id, label) VALUES {row};"
    trailer = "\n--\n-- PostgreSQL database dump complete\n--\n"
    (tmp_path / "b.sql").write_text(text + trailer)
    code, out, last = restore("b.sql", "--json", "out.json")
    assert code == 1
    assert "id = 'x****y'" in out
    assert "x****y" in last
    assert "x****y" in (tmp_path / "out.json").read_text()
    assert (target.dsn.password or "?") not in (tmp_path / "out.json").read_text()


def test_a_password_is_hidden_wherever_a_claim_may_hold_it():
    def hide(text: str) -> str:
        return text.replace(SECRET, "****")

    claim = Claim(
        success=False,
        message=f"m {SECRET}",
        merges=(Merge(table="t", key={"a": SECRET, "b": None}, survivor={"a": f"x{SECRET}"}),),
        rejections=(Rejection(table="t", key={"a": SECRET}, reason=f"r {SECRET}"),),
        notes=(f"n {SECRET}",),
    )
    assert SECRET not in str(hidden(claim, hide))
    assert "****" in str(hidden(claim, hide))
    assert hidden(Claim(success=True), hide).success


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_report_that_cannot_be_written_does_not_hide_that_rows_were(restore, target, backup):
    code, _, last = restore("backup.sql", "--json", "/dev/full")
    assert code == 2
    assert "5 rows of 2 tables" in last
    assert "/dev/full could not be written: No space left on device" in last
    assert len(target.execute(ROWS)) == 4


@pytest.mark.slow
def test_a_reader_that_goes_away_is_told_what_was_done(target, backup, tmp_path):
    process = started(tmp_path, "restore", str(backup), target.dsn.conninfo)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    err = process.stderr.read()
    assert process.wait(60) == 2
    process.stderr.close()
    (line,) = err.splitlines()
    assert "5 rows of 2 tables" in line
    assert "reader of the output went away" in line
    assert len(target.execute(ROWS)) == 4


@pytest.mark.slow
def test_the_command_as_a_process(target, backup, tmp_path):
    code, out, err = run(tmp_path, "restore", str(backup), target.dsn.conninfo)
    assert (code, err) == (0, "")
    assert "RESTORED" in out
    assert "\x1b" not in out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_whoever_stops_a_restore_finds_the_target_as_it_was(
    target, backup, tmp_path, number, exit_code
):
    before = target.execute(ROWS)
    with psycopg.connect(target.admin.conninfo) as blocker:
        blocker.execute("LOCK TABLE item IN ROW EXCLUSIVE MODE")
        files = sorted(each.name for each in tmp_path.iterdir())
        dsn = target.dsn.with_(application_name="stopped").conninfo
        process = started(tmp_path, "restore", str(backup), dsn, "--json", "o.json")
        _wait(target, "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'", some=True)
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
        assert process.returncode == exit_code
        (line,) = err.splitlines()
        assert line == (
            "restore-verifier: interrupted; the transaction was rolled back, nothing was changed"
        )
        assert out == ""
        _wait(target, "SELECT FROM pg_stat_activity WHERE application_name = 'stopped'", some=False)
    assert target.execute(ROWS) == before
    assert sorted(each.name for each in tmp_path.iterdir()) == files
    code, _, err = run(tmp_path, "restore", str(backup), target.dsn.conninfo)
    assert code == 0, err


@pytest.fixture
def late(backup, tmp_path):
    """A restore whose COMMIT waits, on a server of its own; and what lets it through."""
    config = Config(servers=ServerKind.EMBEDDED, source_version=18, target_version=18)
    with choose(config).start() as pair:
        target = pair.databases(Side.TARGET).create("late")
        target.execute(SCHEMA)
        with psycopg.connect(pair.target.admin.conninfo, autocommit=True) as admin:
            # Each COMMIT waits for a standby that is not there.
            admin.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
            admin.execute("SELECT pg_reload_conf()")
            process = started(tmp_path, "restore", str(backup), target.dsn.conninfo)
            _wait(target, "SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'", some=True)

            def let_through() -> None:
                admin.execute("SET synchronous_commit = local")
                admin.execute("ALTER SYSTEM RESET synchronous_standby_names")
                admin.execute("SELECT pg_reload_conf()")

            yield process, target, let_through


@pytest.mark.slow
def test_whoever_stops_a_restore_too_late_is_told_that_it_is_done(late):
    process, target, let_through = late
    process.send_signal(signal.SIGTERM)
    time.sleep(1)
    assert process.poll() is None
    let_through()
    out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")
    assert "RESTORED" in out
    assert len(target.execute(ROWS)) == 5


@pytest.mark.slow
def test_whoever_insists_on_stopping_a_commit_is_told_that_its_end_is_unknown(late):
    process, target, let_through = late
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    let_through()
    assert (process.returncode, out) == (130, "")
    (line,) = err.splitlines()
    assert "interrupted; COMMIT was under way: whether the backup is restored is unknown" in line
    assert len(target.execute(ROWS)) == 5, "the server had committed, and nobody was lied to"


def _wait(database: Database, query: str, *, some: bool) -> None:
    """Until ``query`` finds some rows, or none; at most 20 seconds."""
    deadline = time.monotonic() + 20
    with psycopg.connect(database.admin.conninfo, autocommit=True) as connection:
        while bool(connection.execute(query).rowcount) is not some:
            assert time.monotonic() < deadline, query
            time.sleep(0.05)
