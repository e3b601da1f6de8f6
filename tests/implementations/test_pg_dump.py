"""pg_dump and psql on real servers."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from tests.implementations.conftest import MakeEndpoint, execute, rows
from verifier.errors import BackupError, NotOffered
from verifier.implementations import Backup, Endpoint, implementation
from verifier.implementations.pg_dump import PgDump
from verifier.servers import Pair, Side
from verifier.transfer import Exclude

SCHEMA = """
    CREATE TABLE "Shop" (id int PRIMARY KEY, name text, price numeric(10,2), doc json);
    CREATE TABLE visit (id serial PRIMARY KEY, shop int REFERENCES "Shop", at timestamptz);
"""
DATA = """
    INSERT INTO "Shop" VALUES
        (1, E'Tea\\nhouse', 1.10, '{"b": 1,  "a": null}'), (2, '', NULL, NULL);
    INSERT INTO visit (shop, at) VALUES (1, '2024-01-01 00:00:00.000001+00'), (2, 'infinity');
"""


def test_a_round_trip_restores_rows_and_sequences(endpoint: MakeEndpoint) -> None:
    source, target = endpoint(Side.SOURCE, SCHEMA, DATA), endpoint(Side.TARGET, SCHEMA)
    tool = implementation("pg_dump")
    claim = tool.restore(tool.backup(source), target)
    assert (claim.success, claim.exit_code) == (True, 0)
    assert (claim.counts, claim.merges, claim.rejections) == (None, None, None)
    for query in (
        'SELECT s::text FROM "Shop" s ORDER BY id',
        "SELECT v::text FROM visit v ORDER BY id",
        "SELECT last_value::text, is_called::text FROM visit_id_seq",
    ):
        assert rows(source.dsn, query) == rows(target.dsn, query) != []


def test_tables_that_describe_the_database_are_left_out_however_they_are_spelt(
    endpoint: MakeEndpoint,
) -> None:
    control = ("_prisma_migrations", 'InitialLoad"Sessions')
    names = ("public._prisma_migrations", 'public."InitialLoad""Sessions"', "public.initialload")
    schema = "".join(f"CREATE TABLE {name} (id text PRIMARY KEY);" for name in names)
    data = "".join(f"INSERT INTO {name} VALUES ('moved');" for name in names)
    source = endpoint(Side.SOURCE, schema, data, control_tables=control)
    target = endpoint(Side.TARGET, schema, control_tables=control)
    assert PgDump().restore(PgDump().backup(source), target).success
    assert [rows(target.dsn, f"SELECT id FROM {name}") for name in names] == [[], [], [("moved",)]]


def test_rows_are_not_left_out_and_it_says_so(endpoint: MakeEndpoint) -> None:
    source = endpoint(Side.SOURCE, SCHEMA, DATA)
    with pytest.raises(NotOffered, match="whole tables, not rows"):
        PgDump().backup(replace(source, leave_out=(Exclude("visit", "shop = 1"),)))
    assert list(source.workdir.iterdir()) == []


def test_a_refused_restore_names_the_constraint_and_keeps_nothing(endpoint: MakeEndpoint) -> None:
    source = endpoint(Side.SOURCE, SCHEMA, DATA)
    target = endpoint(
        Side.TARGET,
        SCHEMA,
        "ALTER TABLE visit ADD CONSTRAINT past CHECK (at < 'infinity')",
        "INSERT INTO \"Shop\" VALUES (9, 'there before')",
    )
    claim = PgDump().restore(PgDump().backup(source), target)
    assert (claim.success, claim.exit_code) == (False, 3)
    assert 'new row for relation "visit" violates check constraint "past"' in claim.message
    assert "Failing row contains (2, 2, infinity)" in claim.message
    assert rows(target.dsn, 'SELECT id FROM "Shop"') == [(9,)]


def test_a_psqlrc_and_inherited_variables_change_nothing(
    endpoint: MakeEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = endpoint(Side.SOURCE, SCHEMA, DATA), endpoint(Side.TARGET, SCHEMA)
    (tmp_path / "psqlrc").write_text(f"\\! touch {tmp_path}/psqlrc_was_read\n")
    with monkeypatch.context() as caller:
        caller.setenv("PSQLRC", str(tmp_path / "psqlrc"))
        caller.setenv("PGHOSTADDR", "192.0.2.1")
        caller.setenv("PGOPTIONS", "-c default_transaction_read_only=on")
        assert PgDump().restore(PgDump().backup(source), target).success
    assert not (tmp_path / "psqlrc_was_read").exists()
    assert rows(target.dsn, "SELECT count(*) FROM visit") == [(2,)]


def test_a_failed_dump_says_why_and_leaves_no_file(servers: Pair, endpoint: MakeEndpoint) -> None:
    source = endpoint(Side.SOURCE, SCHEMA, DATA)
    # Found out only when the rows of the tables before it are in the file already.
    execute(
        servers.source.admin.with_(dbname=source.dsn.database),
        "CREATE TABLE zz_hidden (id int)",
        "ALTER TABLE zz_hidden ENABLE ROW LEVEL SECURITY",
        "GRANT SELECT ON zz_hidden TO PUBLIC",
    )
    with pytest.raises(BackupError) as caught:
        PgDump().backup(source)
    assert "row-level security policy for table" in str(caught.value)
    assert_no_password(str(caught.value), source)
    assert list(source.workdir.iterdir()) == []


def test_a_database_that_is_not_there_is_a_failed_claim(endpoint: MakeEndpoint) -> None:
    source = endpoint(Side.SOURCE, SCHEMA, DATA)
    nowhere = Endpoint(source.dsn.with_(dbname="nowhere"), source.major, source.workdir)
    claim = PgDump().restore(PgDump().backup(source), nowhere)
    assert (claim.success, claim.exit_code) == (False, 2)
    assert 'database "nowhere" does not exist' in claim.message
    with pytest.raises(BackupError, match='database "nowhere" does not exist'):
        PgDump().backup(nowhere)


def test_a_wrong_password_fails_at_once_and_is_not_shown(endpoint: MakeEndpoint) -> None:
    source = endpoint(Side.SOURCE, SCHEMA, DATA)
    wrong = Endpoint(source.dsn.with_(password="n0t-the-passw0rd"), source.major, source.workdir)
    claim = PgDump(timeout=20).restore(PgDump().backup(source), wrong)
    assert (claim.success, claim.exit_code) == (False, 2)
    assert "password authentication failed" in claim.message
    with pytest.raises(BackupError, match="password authentication failed") as caught:
        PgDump(timeout=20).backup(wrong)
    for shown in (claim.message, repr(claim), str(caught.value), repr(caught.value)):
        assert "n0t-the-passw0rd" not in shown


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="looks at /proc")
def test_no_password_is_in_any_command_line_nor_claim(endpoint: MakeEndpoint) -> None:
    source, target = endpoint(Side.SOURCE, SCHEMA, DATA), endpoint(Side.TARGET, SCHEMA)
    tool = PgDump(timeout=0.8)
    backup = tool.backup(source)
    with psycopg.connect(target.dsn.conninfo) as other, watched_command_lines() as seen:
        other.execute('LOCK TABLE "Shop"')
        claim = tool.restore(backup, target)
        with pytest.raises(BackupError) as caught:
            tool.backup(target)
    assert any("psql" in line for line in seen)
    assert any("pg_dump" in line for line in seen)
    for shown in (*seen, claim.message, repr(claim), str(caught.value), repr(target)):
        assert_no_password(shown, target)


def test_a_restore_that_waits_too_long_is_stopped_and_fails(endpoint: MakeEndpoint) -> None:
    source, target = endpoint(Side.SOURCE, SCHEMA, DATA), endpoint(Side.TARGET, SCHEMA)
    backup = PgDump().backup(source)
    with psycopg.connect(target.dsn.conninfo) as other:
        other.execute('LOCK TABLE "Shop"')
        claim = PgDump(timeout=0.5).restore(backup, target)
    assert (claim.success, claim.exit_code) == (False, 124)
    assert claim.message.startswith("psql was stopped after 0.5 s")
    assert rows(target.dsn, 'SELECT * FROM "Shop"') == []


def test_a_backup_that_is_no_sql_fails(endpoint: MakeEndpoint) -> None:
    target = endpoint(Side.TARGET, SCHEMA)
    path = target.workdir / "noise.sql"
    path.write_bytes(os.urandom(2000).replace(b";", b"") + b";\n")
    claim = PgDump().restore(Backup((path,)), target)
    assert not claim.success
    assert claim.exit_code
    assert claim.message


@contextmanager
def watched_command_lines() -> Iterator[set[str]]:
    """Collect the command lines of all processes while the block runs."""
    seen: set[str] = set()
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
                except OSError:  # it has ended in between
                    continue
            time.sleep(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        stop.set()
        watcher.join()


def assert_no_password(shown: str, *endpoints: Endpoint) -> None:
    for found in endpoints:
        assert found.dsn.password
        assert found.dsn.password not in shown
