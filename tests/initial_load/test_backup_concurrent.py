"""Backups while others write, migrate and lock (traps S01 to S03)."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.initial_load.backups import Hooks, by_psql, dumping, manifest, taken, waiting
from tests.initial_load.conftest import Move
from tests.waiting import until
from verifier.errors import BackupError
from verifier.initial_load import backup
from verifier.programs import client
from verifier.servers import Database, Side
from verifier.transfer import BackupOptions, Exclude, Format

SIDES = [pytest.param(Side.SOURCE, id="16"), pytest.param(Side.TARGET, id="18")]
FAMILY = (
    "CREATE TABLE parent (id serial PRIMARY KEY, amount int NOT NULL);"
    "CREATE TABLE child (id serial PRIMARY KEY, parent int NOT NULL REFERENCES parent);"
    "CREATE TABLE account (id int PRIMARY KEY, amount int NOT NULL)"
)
TOTAL = 1000


class Writer:
    """Adds a parent with a child, moves money and deletes the oldest, over and over."""

    def __init__(self, database: Database) -> None:
        self.rounds = 0
        self._database = database
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def _write(self) -> None:
        with self._database.connect() as session:
            while not self._stop.is_set():
                with session.transaction():
                    row = session.execute(
                        "INSERT INTO parent (amount) VALUES (1) RETURNING id"
                    ).fetchone()
                    session.execute("INSERT INTO child (parent) VALUES (%s)", row)
                    session.execute("UPDATE account SET amount = amount - 1 WHERE id = 1")
                    session.execute("UPDATE account SET amount = amount + 1 WHERE id = 2")
                    if self.rounds % 3 == 0:
                        session.execute("DELETE FROM child WHERE id = (SELECT min(id) FROM child)")
                self.rounds += 1

    def more(self) -> None:
        """Return when a good deal was written since."""
        now = self.rounds
        until(lambda: self.rounds > now + 30)

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("form", Format)
def test_a_backup_is_of_one_moment(move: Move, tmp_path: Path, side: Side, form: Format) -> None:
    source = move.database(side, FAMILY, f"INSERT INTO account VALUES (1, {TOTAL}), (2, 0)")
    with Writer(source) as writer:
        writer.more()
        # Between the snapshot and the counts, and between those and pg_dump's rows.
        hooks = Hooks(counting_rows=writer.more)
        done = backup(source.dsn, tmp_path / "b.sql", BackupOptions(format=form), hooks)
        writer.more()
    target = move.database(side, FAMILY)
    assert taken(done.path, target) == ""  # every child has its parent
    counts = "SELECT (SELECT count(*) FROM parent), (SELECT count(*) FROM child)"
    ((parents, children),) = target.execute(counts)
    if form is not Format.JSON:
        assert done.rows == manifest(done.path).tables
    assert (parents, children) == (done.rows["public.parent"], done.rows["public.child"])
    assert 0 < parents < source.execute(counts)[0][0]
    assert target.execute("SELECT sum(amount) FROM account") == [(TOTAL,)]
    # S03: positions may be ahead of the rows, and never behind them.
    assert target.execute("INSERT INTO parent (amount) VALUES (1) RETURNING true") == [(True,)]


@contextmanager
def migrating(database: Database, *statements: str) -> Iterator[psycopg.Connection[Any]]:
    """A session that has done ``statements`` and not committed them."""
    with psycopg.connect(database.dsn.conninfo) as session:
        for statement in statements:
            session.execute(statement.encode())
        yield session


def meanwhile(database: Database, started: Callable[[], Any], *statements: str) -> Any:
    """What ``started`` returns when ``statements`` commit once it waits for their lock."""
    with ThreadPoolExecutor(1) as threads, migrating(database, *statements) as session:
        result = threads.submit(started)
        until(lambda: waiting(database) or result.done())
        session.commit()
        return result.result()


FIVE = "CREATE TABLE q (id int, v int); INSERT INTO q SELECT n, n FROM generate_series(1, 5) n"
MIGRATIONS = [
    pytest.param(["LOCK TABLE q", "ALTER TABLE q ALTER v TYPE bigint"], 5, id="alter type"),
    pytest.param(["TRUNCATE q", "INSERT INTO q VALUES (6, 6)"], 1, id="truncate"),
]


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(("migration", "rows"), MIGRATIONS)
def test_a_migration_that_commits_as_the_backup_starts_loses_nothing(
    move: Move, tmp_path: Path, side: Side, migration: list[str], rows: int
) -> None:
    source = move.database(side, FIVE)
    path = tmp_path / "b.sql"
    done = meanwhile(source, lambda: backup(source.dsn, path), *migration)
    assert done.rows == {"public.q": rows}
    target = move.database(side, "CREATE TABLE q (id int, v bigint)")
    by_psql(path, target)
    assert sorted(target.execute("SELECT * FROM q")) == sorted(source.execute("SELECT * FROM q"))


@pytest.mark.parametrize(("migration", "rows"), MIGRATIONS)
def test_the_same_migration_makes_pg_dump_lose_rows(
    move: Move, migration: list[str], rows: int
) -> None:
    """Trap S02 itself: the reason for locks before the snapshot."""
    source = move.database(Side.SOURCE, FIVE)

    def dump() -> bytes:
        return subprocess.run(
            [client("pg_dump", server=16), "--data-only"],
            env=source.dsn.environ,
            capture_output=True,
            check=True,
        ).stdout

    assert b"COPY public.q (id, v) FROM stdin;\n\\.\n" in meanwhile(source, dump, *migration)


@pytest.mark.parametrize("side", SIDES)
def test_a_migration_between_the_locks_of_both_has_its_way_and_the_backup_starts_again(
    move: Move, tmp_path: Path, side: Side
) -> None:
    """It waits for our locks, and pg_dump would wait for it: for ever."""
    source = move.database(side, FIVE)
    with ThreadPoolExecutor(1) as threads:

        def migrate() -> None:
            threads.submit(source.execute, "ALTER TABLE q ALTER v TYPE bigint")
            until(lambda: waiting(source))

        rule = BackupOptions(exclude=(Exclude("q", "id = 1"),))
        hooks = Hooks(looking_for_rows_to_leave_out=migrate)
        done = backup(source.dsn, tmp_path / "b.sql", rule, hooks)
    assert done.rows == {"public.q": 4}
    assert source.execute("SELECT pg_typeof(v)::text FROM q LIMIT 1") == [("bigint",)]
    assert hooks.phases.count("locking tables") == 2
    until(lambda: not dumping(source))


def test_a_table_that_is_made_before_the_snapshot_is_locked_too(move: Move, tmp_path: Path) -> None:
    source = move.database(Side.SOURCE, FIVE)
    query = (
        "SELECT count(*) FROM pg_locks WHERE relation = 'w'::regclass AND granted"
        " AND mode = 'AccessShareLock'"
    )
    seen: list[Any] = []
    hooks = Hooks(looking_for_rows_to_leave_out=lambda: seen.extend(source.execute(query)))
    rule = BackupOptions(exclude=(Exclude("q", "id = 1"),))

    def started() -> Any:
        return backup(source.dsn, tmp_path / "b.sql", rule, hooks)

    done = meanwhile(source, started, "LOCK TABLE q", "CREATE TABLE w (id int)")
    assert done.rows == {"public.q": 4, "public.w": 0}
    assert seen == [(1,)]


def test_tables_that_come_and_go_meanwhile_do_no_harm(move: Move, tmp_path: Path) -> None:
    source = move.database(Side.SOURCE, FIVE)
    stop = threading.Event()

    def churn() -> None:
        with source.connect() as session:
            while not stop.is_set():
                session.execute("CREATE TABLE IF NOT EXISTS w (id int)")
                session.execute("INSERT INTO w VALUES (1)")
                time.sleep(0.05)
                session.execute("ALTER TABLE w RENAME TO w2")
                session.execute("DROP TABLE w2")
                time.sleep(0.05)

    with ThreadPoolExecutor(1) as threads:
        churning = threads.submit(churn)
        try:
            for number in range(10):
                done = backup(source.dsn, tmp_path / f"{number}.sql")
                assert done.rows["public.q"] == 5
                assert manifest(done.path).tables == done.rows
        finally:
            stop.set()
        churning.result()


@pytest.mark.parametrize("side", SIDES)
def test_a_lock_that_stays_is_named_with_its_holder(move: Move, tmp_path: Path, side: Side) -> None:
    source = move.database(side, FIVE)
    dsn = source.dsn.with_(application_name="nightly migration")
    with psycopg.connect(dsn.conninfo) as session:
        session.execute("LOCK TABLE q")
        pid = session.info.backend_pid
        start = time.monotonic()
        with pytest.raises(BackupError) as caught:
            backup(source.dsn, tmp_path / "b.sql", BackupOptions(lock_timeout=0.3))
    assert 0.3 <= time.monotonic() - start < 10
    said = str(caught.value)
    assert f"public.q is locked by process {pid} (nightly migration, idle in transaction)" in said
    assert list(tmp_path.iterdir()) == []


def test_without_a_lock_timeout_it_waits(move: Move, tmp_path: Path) -> None:
    source = move.database(Side.SOURCE, FIVE)
    source.execute(f"ALTER DATABASE \"{source.name}\" SET lock_timeout = '50ms'")

    def started() -> Any:
        return backup(source.dsn, tmp_path / "b.sql")

    with ThreadPoolExecutor(1) as threads, migrating(source, "LOCK TABLE q") as session:
        result = threads.submit(started)
        until(lambda: waiting(source))
        time.sleep(0.3)
        assert not result.done()
        session.commit()
        assert result.result().rows == {"public.q": 5}


@pytest.mark.parametrize(
    "setting",
    ["idle_in_transaction_session_timeout", "idle_session_timeout", "transaction_timeout"],
)
def test_timeouts_of_the_account_do_not_end_a_long_backup(
    move: Move, tmp_path: Path, setting: str
) -> None:
    source = move.database(Side.TARGET, FIVE)
    source.execute(f"ALTER DATABASE \"{source.name}\" SET {setting} = '200ms'")
    hooks = Hooks(locking_tables=lambda: time.sleep(0.4), counting_rows=lambda: time.sleep(0.4))
    assert backup(source.dsn, tmp_path / "b.sql", progress=hooks).rows == {"public.q": 5}


def test_others_write_and_read_while_it_runs(move: Move, tmp_path: Path) -> None:
    source = move.database(Side.SOURCE, FIVE)

    def write() -> None:
        source.execute("SET lock_timeout = '1s'; INSERT INTO q VALUES (6, 6); DELETE FROM q")

    done = backup(source.dsn, tmp_path / "b.sql", progress=Hooks(counting_rows=write))
    assert done.rows == {"public.q": 5}


def test_a_backup_whose_session_is_ended_leaves_nothing(move: Move, tmp_path: Path) -> None:
    source = move.database(
        Side.SOURCE,
        "CREATE TABLE q (v text); INSERT INTO q SELECT repeat('x', 1000)"
        " FROM generate_series(1, 20000)",
    )

    def end() -> None:
        source.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    for phase in ("locking_tables", "counting_rows", "advance"):
        with pytest.raises(BackupError):
            backup(source.dsn, tmp_path / "b.sql", progress=Hooks(**{phase: end}))
        assert list(tmp_path.iterdir()) == []
        until(lambda: not dumping(source))
