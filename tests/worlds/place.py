"""A source and two targets on real servers, in which one world after the other is restored."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg

from verifier.contract import Claim
from verifier.faults import Blow, Moment
from verifier.faults.apart import Killed, OwnProcess
from verifier.faults.blows import Stage
from verifier.faults.proxy import Proxy
from verifier.implementations import Backup, Endpoint
from verifier.implementations.initial_load import InitialLoad, restore
from verifier.model.schema import Row, Schema, Table
from verifier.model.world import BackupForm, Observation, Options, World
from verifier.programs import client
from verifier.servers import Database, Pair, Side
from verifier.transfer import RestoreOptions
from verifier.worlds import backups, ddl
from verifier.worlds.ground import Site
from verifier.worlds.rows import fill, inserts, numbered
from verifier.worlds.run import restore_options
from verifier.worlds.spelling import literal, of_table

Bags = dict[str, Counter[Row]]
"""Table id → its rows, in no order."""


def bags(rows: Mapping[str, tuple[Row, ...]]) -> Bags:
    return {table: Counter(found) for table, found in rows.items() if found}


class Case:
    """A world that tells itself as SQL when a test fails."""

    def __init__(self, world: World) -> None:
        self.world = world

    def __repr__(self) -> str:
        world = self.world
        plain = replace(world, form=BackupForm.COPY)
        parts = {
            f"target; {world.options}": ddl.create(world.schema),
            "its rows": fill(world.schema, world.present),
            f"the backup ({world.form}), of a source without {', '.join(sorted(world.lacks))}": (
                backups.dump(plain).partition("row_security = off;\n")[2]
            ),
        }
        return "".join(f"\n-- {title}\n{text}" for title, text in parts.items())


def copied(path: Path, schema: Schema) -> dict[str, tuple[Row, ...]]:
    """The rows of a backup whose COPY blocks hold plain values only."""
    blocks = re.findall(
        r"^COPY (\S+) \((.*)\) FROM stdin;\n((?:.*\n)*?)\\\.$", path.read_text(), re.M
    )
    by_name = {of_table(table): table for table in schema.tables}
    found = {}
    for name, columns, lines in blocks:
        table = by_name[name]
        assert columns.split(", ") == list(table.places)
        cells = (line.split("\t") for line in lines.splitlines())
        found[table.id] = tuple(
            tuple(None if cell == r"\N" else cell for cell in row) for row in cells
        )
    return found


@dataclass(frozen=True)
class Restored:
    """A world, and what became of it."""

    world: World
    path: Path
    before: Observation
    claim: Claim
    after: Observation


class Place:
    """Where worlds are restored by the built-in implementation."""

    def __init__(self, pair: Pair, directory: Path) -> None:
        self.source = Site(pair.source, pair.databases(Side.SOURCE))
        self.target = Site(pair.target, pair.databases(Side.TARGET))
        self.other = Site(pair.target, pair.databases(Side.TARGET))
        """Another target, for what is made of a result."""
        self.control: tuple[str, ...] = ()
        self._directory = directory

    def close(self) -> None:
        for site in (self.source, self.target, self.other):
            site.discard()

    def run(self, world: World) -> Restored:
        """Make the world, back it up, restore it."""
        before = self.target.make(world.schema, world.present, {})
        path = self.back_up(world)
        claim = self.restore(path, world.options)
        return Restored(world, path, before, claim, self.target.observe())

    def back_up(self, world: World) -> Path:
        """The backup of the world's source; its target was made before."""
        if world.form is not BackupForm.OWN:
            return backups.write(world, self.workdir(), self.target.sequences)
        self.source.make(ddl.of_source(world), world.source, world.positions)
        return self.own_backup(self.source.database)

    def own_backup(self, database: Database) -> Path:
        """What the built-in implementation makes of a database."""
        endpoint = Endpoint(database.dsn, database.server.major, self.workdir(), self.control)
        return InitialLoad().backup(endpoint).files[0]

    def restore(self, path: Path, asked: Options, site: Site | None = None, **more: Any) -> Claim:
        """Restore into the target; ``more`` are options of the command's own."""
        options = replace(self.options(asked), **more)
        return restore(path, (site or self.target).database.dsn, options)

    def struck(
        self, blow: Blow, statement: int, path: Path, asked: Options
    ) -> tuple[Claim | None, str]:
        """Restore while ``blow`` falls in front of a statement.

        Returns the claim, ``None`` if it was killed, and the last statement that it sent.
        """
        database = self.target.database
        called = InitialLoad(to_restore=self.options(asked))
        process = OwnProcess() if blow.kills else None
        stage = Stage(database, process)
        with Proxy(
            lambda: database.dsn,
            Moment(statement=statement),
            lambda links: blow.fall(stage, links),
        ) as proxy:
            backup = Backup((path,))
            endpoint = Endpoint(proxy.dsn, database.server.major, self.workdir(), self.control)
            claim: Claim | None = None
            if process is None:
                claim = called.restore(backup, endpoint)
            else:
                with suppress(Killed):
                    claim = process.call(called, "restore", backup, endpoint)
            return claim, proxy.traffic.statements[-1]

    def upsert(self, table: Table, row: Row) -> bool:
        """Insert a row into the target, or give the row with its key these values.

        Whether the target's constraints allow it. Its sequences follow.
        """
        assert table.primary is not None
        taken = ", ".join(f"{name} = excluded.{name}" for name in table.places)
        (insert,) = inserts(table, [row])
        key = ", ".join(table.primary.columns)
        begin = insert.rstrip(";\n")
        past = "".join(
            f"; SELECT setval('{self.target.sequences[f'{table.id}.{column}']}', max({column}))"
            f" FROM {of_table(table)}"
            for _, column in numbered(Schema(tables=(table,)))
        )
        return self._allowed(f"{begin} ON CONFLICT ({key}) DO UPDATE SET {taken}{past}")

    def delete(self, table: Table, row: Row) -> bool:
        """Delete the row of the target with this row's key, if its constraints allow it."""
        assert table.primary is not None
        same = " AND ".join(
            f"{name} = {literal(row[table.places[name]])}" for name in table.primary.columns
        )
        return self._allowed(f"DELETE FROM {of_table(table)} WHERE {same}")

    def _allowed(self, statement: str) -> bool:
        try:
            self.target.database.execute(statement)
        except psycopg.IntegrityError:
            return False
        return True

    def options(self, asked: Options) -> RestoreOptions:
        """``asked`` for the built-in commands, with a new file for rejected rows."""
        options = restore_options(asked, self.workdir())
        return replace(options, control_tables=self.control, lock_timeout=10.0)

    def workdir(self) -> Path:
        """A new directory."""
        return Path(tempfile.mkdtemp(dir=self._directory))

    def versions(self, schema: Schema, site: Site | None = None) -> list[tuple[Any, ...]]:
        """Every row of the target with its place and the transaction that wrote it."""
        with (site or self.target).database.administer() as session:
            queries = [
                f"SELECT tableoid::regclass::text, ctid::text, xmin::text, t::text"
                f" FROM {of_table(table)} t"
                for table in schema.tables
            ]
            return sorted(session.execute(" UNION ALL ".join(queries)).fetchall())

    def psql(self, path: Path) -> None:
        """Have plain psql run a file on the target, in one transaction."""
        database = self.target.database
        subprocess.run(
            [
                client("psql", server=database.server.major),
                *("-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-o", os.devnull, "-f", str(path)),
            ],
            env={**os.environ, **database.dsn.environ},
            check=True,
        )
