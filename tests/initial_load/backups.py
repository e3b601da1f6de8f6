"""What the tests of backups look at: the file, who runs, and databases restored by psql."""

from __future__ import annotations

import gzip
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zstandard

from verifier.initial_load import restore
from verifier.initial_load.manifest import Checked, Manifest
from verifier.programs import client
from verifier.servers import Database

TABLES = (
    "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c"
    " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r'"
    " AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1"
)

ROWS_OF_A_LARGE_TABLE = (
    "CREATE TABLE t (id int, v text);"
    "INSERT INTO t SELECT n, repeat('x', 1000) FROM generate_series(1, 20000) n"
)


class Broken(Exception):
    """What a test ends a backup with."""


def opened(path: Path) -> Any:
    """The backup's bytes as a stream, whatever it is compressed by."""
    match path.suffix:
        case ".gz":
            return gzip.open(path)
        case ".zst":
            return zstandard.open(path, "rb")
        case _:
            return path.open("rb")


def manifest(path: Path) -> Manifest:
    """The backup's manifest, once all of the backup agrees with it."""
    with opened(path) as file:
        checked = Checked(file, path.name)
        while checked.read(1 << 16):
            pass
    assert checked.manifest is not None
    return checked.manifest


def by_psql(path: Path, database: Database) -> str:
    """Restore with plain psql in one transaction; what it complained of."""
    with opened(path) as file:
        done = subprocess.run(
            [client("psql", server=database.server.major), "-Xq1", "-v", "ON_ERROR_STOP=1",
             "-o", os.devnull],
            env={**os.environ, **database.admin.environ},
            input=file.read(),
            capture_output=True,
            check=False,
        )  # fmt: skip
    assert (done.returncode == 0) == (b"ERROR" not in done.stderr), done.stderr
    return done.stderr.decode()


def taken(path: Path, database: Database) -> str:
    """Restore into an empty database: with psql, or with ours what psql cannot read, JSON.

    What they complained of.
    """
    with opened(path) as file:
        if file.read(1) != b"{":
            return by_psql(path, database)
    claim = restore(path, database.dsn)
    return "" if claim.success else claim.message


def content(database: Database) -> dict[str, list[str]]:
    """Every row of every table, and the number behind every sequence's last, as text."""
    found = {}
    with database.connect() as session:
        session.execute("SET extra_float_digits = 3; SET search_path = ''; SET TimeZone = 'UTC'")
        for (table,) in session.execute(TABLES).fetchall():
            rows = session.execute(f"SELECT t::text FROM ONLY {table} t")
            found[table] = sorted(row[0] for row in rows)
        query = (
            "SELECT format('%I.%I', schemaname, sequencename) FROM pg_catalog.pg_sequences"
            " ORDER BY 1"
        )
        for (name,) in session.execute(query).fetchall():
            following = f"SELECT (last_value + is_called::int)::text FROM {name}"
            found[name] = [row[0] for row in session.execute(following)]
    return found


def dumping(database: Database) -> int:
    """Sessions of pg_dump's in ``database`` that were started for a backup."""
    query = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name LIKE 'restore-verifier %'"
    )
    return int(database.execute(query)[0][0])


def children() -> list[str]:
    """Programs called pg_dump that this process started and that are there, ended or not."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().partition("(")[2].rpartition(")")
        except OSError:
            continue
        if name.startswith("pg_dump") and int(rest.split()[1]) == os.getpid():
            found.append(name)
    return found


def waiting(database: Database) -> int:
    """Sessions in ``database`` that wait for a lock on a table."""
    query = (
        "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
        " WHERE NOT l.granted AND d.datname = current_database()"
    )
    return int(database.execute(query)[0][0])


class Hooks:
    """Progress that runs something when a backup comes to a phase, and remembers it all."""

    def __init__(self, **hooks: Callable[[], object]) -> None:
        self.hooks = {name.replace("_", " "): hook for name, hook in hooks.items()}
        self.phases: list[str] = []
        self.expected = 0
        self.rows = 0

    def expect(self, rows: int) -> None:
        self.expected = rows

    def advance(self, rows: int) -> None:
        self.rows += rows
        self._run("advance")

    def doing(self, what: str) -> None:
        self.phases.append(what)
        self._run(what)

    def _run(self, name: str) -> None:
        hook = self.hooks.pop(name, None)
        if hook is not None:
            hook()
