"""A source, a target and the built-in restore between them, on real servers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from verifier.contract import Claim, Counts
from verifier.implementations.base import Endpoint
from verifier.implementations.initial_load import InitialLoad
from verifier.initial_load import restore
from verifier.servers import Database, Pair, Side
from verifier.transfer import BackupOptions, Format, RestoreOptions

HEAD = """--
-- PostgreSQL database dump
--

SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
"""
TAIL = """
--
-- PostgreSQL database dump complete
--
"""


class Move:
    """Two databases; what is in them is written in SQL."""

    def __init__(self, servers: Pair, directory: Path) -> None:
        self._servers = servers
        self._made: list[tuple[Side, Database]] = []
        self.directory = directory
        self.control: tuple[str, ...] = ()
        self.options = RestoreOptions()
        self.format = Format.COPY
        self.path = directory / "backup.sql"
        self.target: Database

    def database(self, side: Side, *scripts: str) -> Database:
        database = self._servers.databases(side).create("initial_load")
        self._made.append((side, database))
        for script in filter(None, scripts):
            database.execute(script)
        return database

    def drop(self) -> None:
        for side, database in self._made:
            self._servers.databases(side).drop(database)

    def __call__(
        self, both: str, source: str, target: str = "", *, sides: tuple[Side, Side] | None = None
    ) -> Claim:
        """Run ``both`` and one script on each side, back the source up, restore it."""
        ours, theirs = sides or (Side.SOURCE, Side.TARGET)
        origin = self.database(ours, both, source)
        self.target = self.database(theirs, both, target)
        self.path = (
            InitialLoad(BackupOptions(format=self.format)).backup(self._endpoint(origin)).files[0]
        )
        return self.again()

    def again(self) -> Claim:
        options = replace(self.options, control_tables=self.control)
        return restore(self.path, self.target.dsn, options)

    def load(self, statements: str, target: str) -> Claim:
        """Restore a backup that holds ``statements`` into a target made by ``target``."""
        self.target = self.database(Side.TARGET, target)
        self.path.write_text(HEAD + statements + TAIL, encoding="utf-8")
        return self.again()

    def leave_out(self, lines: str) -> None:
        """Take the lines that match ``lines`` out of the backup, and what would tell of that.

        For backups of :attr:`format` ``INSERTS``, which have one statement a line.
        """
        text = self.path.read_text()
        self.path.write_text(re.sub(f"(?m)^({lines}|-- restore-verifier ).*\n", "", text))

    @contextmanager
    def holding(self, statement: str) -> Iterator[int]:
        """Another session that has run ``statement`` and not ended its transaction; its pid."""
        with psycopg.connect(self.target.dsn.conninfo) as holder:
            holder.execute(statement)
            yield holder.info.backend_pid

    def _endpoint(self, database: Database) -> Endpoint:
        return Endpoint(database.dsn, database.server.major, self.directory, self.control)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.target.execute(query)

    def state(self) -> list[tuple[Any, ...]]:
        """Every row with its place and writing transaction, and every sequence."""
        tables = self.rows(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"
        )
        sequences = self.rows(
            "SELECT format('%I.%I', schemaname, sequencename) FROM pg_sequences ORDER BY 1"
        )
        found: list[tuple[Any, ...]] = []
        for (name,) in tables:
            query = f"SELECT '{name}', ctid::text, xmin::text, t::text FROM ONLY {name} t"
            found += self.rows(query)
        for (name,) in sequences:
            found += self.rows(f"SELECT '{name}', last_value, is_called FROM {name}")
        return sorted(found, key=str)


@pytest.fixture
def move(servers: Pair, tmp_path: Path) -> Iterator[Move]:
    moving = Move(servers, tmp_path)
    yield moving
    moving.drop()


def total(claim: Claim) -> Counts:
    """The counts of all tables together."""
    counts = (claim.counts or {}).values()
    return Counts(
        inserted=sum(count.inserted for count in counts),
        updated=sum(count.updated for count in counts),
        unchanged=sum(count.unchanged for count in counts),
        merged=sum(count.merged for count in counts),
        rejected=sum(count.rejected for count in counts),
    )


def assert_idempotent(move: Move, first: Claim) -> None:
    """The second restore writes nothing and says so."""
    assert first.success, first.message
    before = move.state()
    second = move.again()
    assert second.success, second.message
    assert (total(second).inserted, total(second).updated) == (0, 0)
    assert total(second).merged == total(first).merged
    assert move.state() == before


def assert_refused(move: Move, claim: Claim, *, exit_code: int = 1) -> None:
    """The restore failed, wrote nothing, and a re-run says the same."""
    assert (claim.success, claim.exit_code) == (False, exit_code), claim.message
    assert "nothing was changed" in claim.message
    before = move.state()
    assert move.again() == claim
    assert move.state() == before
