"""Whatever a restore is given: refused before the target changes, in one sentence."""

from __future__ import annotations

import errno
import os
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.initial_load.backups import waiting
from tests.initial_load.conftest import HEAD, TAIL, Move, assert_idempotent, assert_refused, total
from tests.waiting import until
from verifier.contract import Claim
from verifier.errors import BackupError
from verifier.initial_load import clean, convert, plan, restore, session
from verifier.initial_load.reading import read
from verifier.initial_load.reading.events import Event
from verifier.transfer import Format, RestoreOptions, Style


@contextmanager
def piped(content: bytes, path: Path) -> Iterator[Path]:
    """A named pipe through which ``content`` comes."""
    os.mkfifo(path)

    def feed() -> None:
        # Whoever reads may have enough before the end.
        try:
            with path.open("wb") as pipe:
                pipe.write(content)
        except BrokenPipeError:
            pass

    thread = threading.Thread(target=feed, daemon=True)
    thread.start()
    yield path
    thread.join(10)
    assert not thread.is_alive()


def refused(move: Move, claim: Claim, *parts: str, exit_code: int) -> None:
    """The claim is one sentence that says ``parts``."""
    assert (claim.success, claim.exit_code) == (False, exit_code), claim.message
    for part in (*parts, "nothing was changed"):
        assert part in claim.message
    assert "\n" not in claim.message
    assert "Traceback" not in claim.message
    assert (move.target.dsn.password or "?") not in claim.message


# --- what can be read only once -----------------------------------------------------------


def test_pipe_is_read_like_a_file(move: Move, tmp_path: Path) -> None:
    table = "CREATE TABLE t (id int PRIMARY KEY, v text)"
    move.load("INSERT INTO public.t (id, v) VALUES (1, 'x');\n", table)
    with piped(move.path.read_bytes(), tmp_path / "pipe") as pipe:
        claim = restore(pipe, move.target.dsn)
    assert claim.success, claim.message
    assert total(claim).unchanged == 1


@pytest.mark.parametrize(
    ("rows", "place"),
    [
        (
            "INSERT INTO public.t VALUES (1, 2);\n\nINSERT INTO public.t VALUES (2, 'x');\n",
            "row 2 from line 7 on",
        ),
        ("COPY public.t (id, n) FROM stdin;\n1\t2\n3\t4\n2\tx\n5\tz\n\\.\n", "line 10"),
    ],
)
def test_value_that_does_not_fit_in_a_pipe_is_named_by_line_and_column(
    move: Move, tmp_path: Path, rows: str, place: str
) -> None:
    rows = rows.replace("t VALUES", "t (id, n) VALUES")
    move.load("", "CREATE TABLE t (id int PRIMARY KEY, n int)")
    content = (HEAD + rows + TAIL).encode()
    with piped(content, tmp_path / "pipe") as pipe:
        claim = restore(pipe, move.target.dsn)
    refused(
        move,
        claim,
        f"{place}: public.t, column n: invalid input syntax for type integer",
        "the backup cannot be read a second time to name every such row: give it as a file",
        exit_code=1,
    )
    move.path.write_bytes(content)
    assert [r.key["id"] for r in move.again().rejections or ()][:1] == ["2"]


# --- what the system does not give --------------------------------------------------------


def test_file_that_cannot_be_read_is_not_blamed_on_the_quarantine(
    move: Move, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    move.load("", "CREATE TABLE t (id int PRIMARY KEY)")
    move.options = RestoreOptions(quarantine=tmp_path / "aside")

    def fails(path: Path, **options: object) -> Iterator[Event]:
        raise OSError(errno.EIO, "Input/output error", str(path))

    monkeypatch.setattr(plan, "read", fails)
    refused(move, move.again(), "backup.sql cannot be read:", "Input/output error", exit_code=2)


# --- values that the target cannot take ----------------------------------------------------


def test_number_that_the_target_made_and_cannot_change_is_a_rejected_row(move: Move) -> None:
    claim = move(
        "CREATE TABLE t (name text PRIMARY KEY, no int GENERATED ALWAYS AS IDENTITY)",
        "INSERT INTO t (name) VALUES ('a'), ('b')",
        "INSERT INTO t (name) VALUES ('b'), ('new'), ('a')",
    )
    assert {(r.key["name"], r.reason) for r in claim.rejections or ()} == {
        ("a", "no is GENERATED ALWAYS and cannot be changed"),
        ("b", "no is GENERATED ALWAYS and cannot be changed"),
    }
    assert_refused(move, claim)


def test_characters_that_the_targets_encoding_lacks_are_told_by_line(move: Move) -> None:
    table, copy = "CREATE TABLE t (id int PRIMARY KEY, v text)", "COPY public.t (id, v) FROM stdin;"
    move.load(f"{copy}\n1\té\n2\t日本\n\\.\n", table)
    latin, owner = f"{move.target.name}_latin1", move.target.dsn.parameters["user"]
    with psycopg.connect(move.target.admin.conninfo, autocommit=True) as admin:
        admin.execute(
            f"CREATE DATABASE {latin} TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C'"
            f" LC_CTYPE 'C' OWNER {owner}"
        )
        try:
            dsn = move.target.dsn.with_(dbname=latin)
            with psycopg.connect(dsn.conninfo, client_encoding="UTF8") as latin1:
                latin1.execute(table)
                latin1.commit()
                claim = restore(move.path, dsn)
                assert latin1.execute("SELECT FROM t").rowcount == 0
                refused(
                    move,
                    claim,
                    "line 9: public.t: character with byte sequence",
                    'no equivalent in encoding "LATIN1", which is the target\'s; restore into a',
                    exit_code=1,
                )
                move.path.write_text(move.path.read_text().replace("日本", "ü"))
                latin1.rollback()
                assert restore(move.path, dsn).success
                assert latin1.execute("SELECT v FROM t").fetchall() == [("é",), ("ü",)]
        finally:
            admin.execute(f"DROP DATABASE {latin} WITH (FORCE)")


def test_every_problem_of_a_newer_schema_is_named(move: Move) -> None:
    known, rows = "", ""
    for number in range(50):
        known += f"CREATE TABLE t{number} (id int PRIMARY KEY);"
        rows += f"COPY public.t{number} (id, new{number}) FROM stdin;\n1\t1\n\\.\n"
        rows += f"COPY public.new{number} (id) FROM stdin;\n1\n\\.\n"
    claim = move.load(rows, known)
    refused(
        move,
        claim,
        *(f"public.t{number} has no column 'new{number}'" for number in range(50)),
        *(f"the target has no table public.new{number} (line " for number in range(50)),
        "migrate the target to the schema that the backup was made from",
        exit_code=1,
    )


def test_values_of_many_tables_that_do_not_fit_take_two_readings(
    move: Move, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = [f"t{number}" for number in range(30)]
    move.load("", ";".join(f"CREATE TABLE {each} (id int PRIMARY KEY, v int)" for each in tables))
    rows = (f"COPY public.{each} (id, v) FROM stdin;\n1\tx\n2\t2\n\\.\n" for each in tables)
    move.path.write_text(HEAD + "".join(rows) + TAIL)
    readings = []
    monkeypatch.setattr(
        plan, "read", lambda path, **options: readings.append(path) or read(path, **options)
    )
    claim = move.again()
    assert {rejection.table for rejection in claim.rejections or ()} == {
        f"public.{each}" for each in tables
    }
    assert len(readings) == 2
    assert_refused(move, claim)


def test_ten_thousand_rejected_rows_are_one_short_sentence(move: Move, tmp_path: Path) -> None:
    table = "CREATE TABLE t (id int PRIMARY KEY, v text CONSTRAINT good CHECK (v <> 'bad'))"
    rows = "".join(f"{number}\t{'bad' if number % 2 else 'good'}\n" for number in range(20_000))
    claim = move.load(f"COPY public.t (id, v) FROM stdin;\n{rows}\\.\n", table)
    refused(move, claim, "public.t (id=1): ", "[good] (and 9,999 more rows)", exit_code=1)
    assert len(claim.rejections or ()) == 10_000
    assert len(claim.message) < 200
    move.options = RestoreOptions(quarantine=tmp_path / "aside")
    claim = move.again()
    assert (claim.success, claim.exit_code) == (True, 1)
    assert len(claim.message) < 400
    assert len((tmp_path / "aside").read_text().splitlines()) == 10_002


@pytest.mark.parametrize(
    "rows",
    [
        "INSERT INTO public.{0} ({0}) VALUES ({1});\n",
        "COPY public.{0} ({0}) FROM stdin;\n{1}\n\\.\n",
    ],
)
def test_name_as_long_as_can_be(move: Move, rows: str) -> None:
    name = '"' + "ü" * 31 + 'x"'  # 63 bytes
    claim = move.load(rows.format(name, 7), f"CREATE TABLE {name} ({name} serial PRIMARY KEY)")
    assert claim.success, claim.message
    assert move.rows(f"SELECT {name} FROM {name}") == [(7,)]
    assert_idempotent(move, claim)


# --- what the target does meanwhile ---------------------------------------------------------

TABLE = "CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE u (id int PRIMARY KEY);"
ROWS = "COPY public.t (id, v) FROM stdin;\n1\tx\n\\.\nCOPY public.u (id) FROM stdin;\n1\n\\.\n"
SLOW = """
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN PERFORM pg_sleep(10); RETURN NULL; END $$;
CREATE TRIGGER slow AFTER INSERT ON u EXECUTE FUNCTION slow();
ALTER TABLE u ENABLE ALWAYS TRIGGER slow;
"""


def prepared(move: Move, schema: str = "") -> None:
    """A target with ``TABLE``, and a backup of ``ROWS`` that is not restored yet."""
    move.load("", TABLE + schema)
    move.path.write_text(HEAD + ROWS + TAIL)


@pytest.mark.parametrize(
    ("setting", "said", "advice", "exit_code"),
    [
        ("statement_timeout=200", "canceling statement due to statement timeout",
         "raise the account's statement_timeout", 1),
        ("transaction_timeout=300", "terminating connection due to transaction timeout",
         "raise the account's transaction_timeout", 2),
    ],
)  # fmt: skip
def test_timeout_of_the_account_strikes_in_the_middle(
    move: Move, setting: str, said: str, advice: str, exit_code: int
) -> None:
    prepared(move, SLOW)
    before = move.state()
    claim = restore(move.path, move.target.dsn.with_(options=f"-c {setting}"))
    refused(move, claim, said, advice, exit_code=exit_code)
    assert move.state() == before
    move.rows("DROP TRIGGER slow ON u")
    assert move.again().success


def test_timeout_that_strikes_in_a_check_is_told_as_what_it_is(move: Move) -> None:
    prepared(
        move,
        "CREATE FUNCTION slowly(int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS"
        " $$BEGIN PERFORM pg_sleep(1); RETURN true; END$$;"
        "ALTER TABLE u ADD CONSTRAINT slow CHECK (slowly(id))",
    )
    claim = restore(move.path, move.target.dsn.with_(options="-c statement_timeout=200"))
    refused(move, claim, "canceling statement due to statement timeout", exit_code=1)


def test_deadlock_with_another_session_names_it_and_a_rerun_is_clean(move: Move) -> None:
    prepared(move)
    before = move.state()
    with ThreadPoolExecutor() as pool, psycopg.connect(move.target.dsn.conninfo) as other:
        pid = other.info.backend_pid
        other.execute("LOCK TABLE u IN ROW EXCLUSIVE MODE")
        restoring = pool.submit(move.again)
        until(lambda: waiting(move.target))
        other.execute("LOCK TABLE t IN ROW EXCLUSIVE MODE")
        claim = restoring.result(20)
    refused(
        move, claim, "deadlock detected", f"blocked by process {pid}",
        "run the restore again, when nobody else writes", exit_code=1,
    )  # fmt: skip
    assert move.state() == before
    assert move.again().success


def test_another_restore_that_is_waited_for_is_named(move: Move) -> None:
    prepared(move)
    move.options = RestoreOptions(lock_timeout=0.05)
    with move.holding(f"SELECT pg_advisory_xact_lock({session.LOCK})") as pid:
        claim = move.again()
    refused(move, claim, f"the lock of another restore, held by pid {pid} (", exit_code=1)
    assert move.again().success


def test_database_that_is_dropped_meanwhile_is_a_lost_connection(move: Move) -> None:
    prepared(move)
    holder = psycopg.connect(move.target.dsn.conninfo)
    holder.execute("LOCK TABLE u")
    with ThreadPoolExecutor() as pool:
        restoring = pool.submit(move.again)
        until(lambda: waiting(move.target))
        with psycopg.connect(move.target.server.admin.conninfo, autocommit=True) as admin:
            admin.execute(f"DROP DATABASE {move.target.name} WITH (FORCE)")
        claim = restoring.result(20)
    holder.close()
    refused(move, claim, "the connection to the target was lost: ", exit_code=2)
    refused(move, move.again(), "no restore on ", "does not exist", exit_code=2)


def test_event_trigger_that_allows_no_table_is_named(move: Move) -> None:
    prepared(move)
    with psycopg.connect(move.target.admin.conninfo, autocommit=True) as admin:
        admin.execute(
            "CREATE FUNCTION frozen() RETURNS event_trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'the schema is frozen'; END $$;"
            "CREATE EVENT TRIGGER frozen ON ddl_command_start EXECUTE FUNCTION frozen()"
        )
        claim = move.again()
        refused(move, claim, "frozen (raised by PL/pgSQL function frozen()", exit_code=1)
        assert_refused(move, claim)
        admin.execute("DROP EVENT TRIGGER frozen")
    assert move.again().success


# --- full disks -----------------------------------------------------------------------------


@contextmanager
def small_disk(size: str) -> Iterator[Path]:
    """A file system of that size."""
    place = Path(tempfile.mkdtemp(prefix="rv-disk-"))
    place.chmod(0o755)
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", place],
        capture_output=True,
        check=False,
    )
    try:
        if made.returncode:
            pytest.skip("no file system can be mounted here")
        yield place
    finally:
        if not made.returncode:
            subprocess.run(["umount", place], check=True)
        place.rmdir()


def grow(place: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=100m", place], check=True)


@pytest.mark.parametrize("full", ["the table's", "the staging's"])
def test_full_disk_of_the_target_is_one_sentence_and_a_rerun_is_clean(
    move: Move, full: str
) -> None:
    move.load("", TABLE)
    rows = "".join(f"{number}\t{'x' * 900}\n" for number in range(6000))
    move.path.write_text(f"{HEAD}COPY public.t (id, v) FROM stdin;\n{rows}\\.\n{TAIL}")
    space, dsn = f"{move.target.name}_small", move.target.dsn
    with (
        small_disk("3m") as disk,
        psycopg.connect(move.target.admin.conninfo, autocommit=True) as admin,
    ):
        process = Path("/proc") / str(admin.info.backend_pid)
        os.chown(disk, process.stat().st_uid, -1)
        admin.execute(f"CREATE TABLESPACE {space} LOCATION '{disk}'")
        admin.execute(f"GRANT CREATE ON TABLESPACE {space} TO {dsn.parameters['user']}")
        try:
            if full == "the table's":
                move.rows(f"ALTER TABLE t SET TABLESPACE {space}")
            else:
                dsn = dsn.with_(options=f"-c temp_tablespaces={space}")
            before = move.state()
            refused(
                move, restore(move.path, dsn), "No space left on device",
                "make room on the server's disk, and run the restore again", exit_code=1,
            )  # fmt: skip
            assert move.state() == before
            grow(disk)
            claim = restore(move.path, dsn)
            assert claim.success, claim.message
            assert total(claim).inserted == 6000
            move.rows("DROP TABLE t")
        finally:
            admin.execute(f"DROP TABLESPACE {space}")


def test_full_disk_under_the_quarantine_changes_nothing(move: Move) -> None:
    table = "CREATE TABLE t (id int PRIMARY KEY, v text CHECK (v <> 'bad'))"
    rows = "".join(f"{number}\t{'bad' if number % 2 else 'good'}\n" for number in range(6000))
    with small_disk("64k") as disk:
        aside = disk / "rejected.jsonl"
        move.options = RestoreOptions(quarantine=aside)
        claim = move.load(f"COPY public.t (id, v) FROM stdin;\n{rows}\\.\n", table)
        refused(
            move, claim, f"could not be kept in {aside}: No space left on device; make room",
            exit_code=2,
        )  # fmt: skip
        assert_refused(move, claim, exit_code=2)
        assert list(disk.iterdir()) == []
        grow(disk)
        assert (move.again().success, len(aside.read_text().splitlines())) == (True, 3002)


@pytest.mark.parametrize("write", [clean, convert])
def test_full_disk_under_a_file_that_is_written_leaves_none(
    move: Move, write: Callable[..., Claim]
) -> None:
    prepared(move)
    rows = "".join(f"{number}\t{'x' * 90}\n" for number in range(2000))
    move.path.write_text(f"{HEAD}COPY public.t (id, v) FROM stdin;\n{rows}\\.\n{TAIL}")
    form = Format.COPY if write is clean else Style.ROWS
    with small_disk("64k") as disk:
        arguments = (move.path, move.target.dsn, disk / "out.sql", form, RestoreOptions())
        with pytest.raises(BackupError, match=r"^the disk is full: .*out\.sql cannot be written"):
            write(*arguments)
        assert list(disk.iterdir()) == []
        grow(disk)
        assert write(*arguments).success


@pytest.mark.parametrize("write", [clean, convert])
def test_file_is_not_written_without_the_quarantine_of_its_rows(
    move: Move, tmp_path: Path, write: Callable[..., Claim]
) -> None:
    move.load("", "CREATE TABLE t (id int PRIMARY KEY, v text CHECK (v <> 'bad'))")
    move.path.write_text(f"{HEAD}COPY public.t (id, v) FROM stdin;\n1\tbad\n2\tx\n\\.\n{TAIL}")
    out, form = tmp_path / "out.sql", Format.COPY if write is clean else Style.ROWS
    options = RestoreOptions(quarantine=tmp_path / "none" / "aside", dry_run=True)
    claim = write(move.path, move.target.dsn, out, form, options)
    refused(move, claim, "the rejected rows could not be kept in ", exit_code=2)
    assert not out.exists()
