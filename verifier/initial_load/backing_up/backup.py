"""A backup: pg_dump's rows of one snapshot, with a manifest of what they are, or JSON of them.

::

    lock every table ─▶ snapshot ─▶ what is left out ─▶ pg_dump --snapshot ─▶ count ─▶ stream
                                                                                        │
        rename ◀─ manifest ◀─ do the counts agree? ◀─ rows of tables that lose some ◀───┘

JSON (:mod:`.json_file`) takes the same way without pg_dump, and has its counts in front.

What goes into the file is counted, hashed and compressed on the way and never held in
memory. The rows in the file have to be as many as the snapshot has, table by table; the
file appears under its name when that is so and everything is on the disk.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

import psycopg

from verifier.dsn import Dsn, redact
from verifier.errors import BackupError
from verifier.initial_load import catalog, output, session
from verifier.initial_load.backing_up import leaving_out, own_rows, pg_dump, remarks, snapshot
from verifier.initial_load.backing_up.counting import RowCounter
from verifier.initial_load.backing_up.json_file import Document
from verifier.initial_load.backing_up.leaving_out import LeftOut
from verifier.initial_load.backing_up.snapshot import Snapshot
from verifier.initial_load.catalog import Catalog, Connection
from verifier.initial_load.fingerprint import fingerprint
from verifier.initial_load.manifest import Manifest, Writer, own_version
from verifier.interrupts import stoppable
from verifier.transfer import BackedUp, BackupOptions, Format, Progress

_OPTIONS = (
    "--data-only",
    "--no-owner",
    "--no-privileges",
    # One on a large object is a statement of its own, and no data.
    "--no-comments",
    "--encoding=UTF8",
    "--no-password",
    # Rows go where the target's partitions say, which may have other bounds (trap O07).
    "--load-via-partition-root",
)
_ATTEMPTS = 20


class _Silent:
    """Progress that nobody watches."""

    def expect(self, rows: int) -> None:
        """So many rows will be written."""

    def advance(self, rows: int) -> None:
        """So many more rows are written."""

    def doing(self, what: str) -> None:
        """What is being written."""


def backup(
    dsn: Dsn,
    path: Path,
    options: BackupOptions | None = None,
    progress: Progress | None = None,
) -> BackedUp:
    """Back up the database ``dsn`` to ``path``, compressed if its name ends in .gz or .zst.

    Raises :class:`~verifier.errors.BackupError`, or :class:`~verifier.errors.UsageError` for
    what was asked for; a file that ``path`` was before is then as it was. Partitions
    count, and are written, as the table that they are partitions of.
    """
    output.check(path)
    job = _Job(dsn, path, options or BackupOptions(), progress or _Silent())
    with stoppable("no backup was made"):
        for _ in range(_ATTEMPTS):
            try:
                return job.run()
            except pg_dump.HeldUp:
                # With our locks gone, whoever waited for them gets his turn.
                continue
            except psycopg.Error as error:
                said = redact(str(error).strip().split("\n")[0], dsn)
                hint = f" ({error.diag.message_hint})" if error.diag.message_hint else ""
                raise BackupError(
                    f"backup of {dsn} failed: {said}{hint}; nothing was kept"
                ) from error
    raise BackupError(
        f"each of {_ATTEMPTS} attempts to back up {dsn} was overtaken by a session that wants to "
        "change a table; make the backup when no migration runs"
    )


@contextmanager
def _rolled_back(conn: Connection) -> Iterator[None]:
    """Our locks, snapshot and temporary tables end with the block."""
    try:
        yield
    finally:
        conn.close()


@dataclass(frozen=True, slots=True)
class _Job:
    dsn: Dsn
    path: Path
    options: BackupOptions
    progress: Progress

    def run(self) -> BackedUp:
        conn = snapshot.connect(self.dsn, self.options.lock_timeout)
        with _rolled_back(conn):
            self.progress.doing("locking tables")
            rules = self.options.exclude
            if rules:
                leaving_out.prepare(conn)
            held = snapshot.take(conn, self.options.control_tables, writing=bool(rules))
            # As pg_dump has it: then whatever depends on the search path is written in full.
            session.run(conn, "SET LOCAL search_path TO ''")
            shape = catalog.load(conn)
            if rules:
                self.progress.doing("looking for rows to leave out")
            left = leaving_out.decide(conn, held, shape, rules) if rules else LeftOut()
            write = self._json if self.options.format is Format.JSON else self._sql
            tables = write(conn, held, shape, left)
            notes = (*remarks.notes(conn, held), *left.notes)
        left_out = sorted((held.tables[oid].quoted, rows) for oid, rows in left.rows.items())
        return BackedUp(path=self.path, rows=tables, left_out=dict(left_out), notes=notes)

    def _json(
        self, conn: Connection, held: Snapshot, shape: Catalog, left: LeftOut
    ) -> dict[str, int]:
        """Write an application's JSON backup; the rows by table."""
        expected = self._expected(conn, held, left)
        document = Document(conn, held, shape, left, self.progress)
        with output.replacing(self.path) as file:
            return _agreed(held, expected, document.write(file, expected))

    def _sql(
        self, conn: Connection, held: Snapshot, shape: Catalog, left: LeftOut
    ) -> dict[str, int]:
        """Write what pg_dump writes, and a manifest; the rows by table."""
        program = pg_dump.program(conn)
        name = f"restore-verifier {secrets.token_hex(8)}"
        command: list[str | Path] = [program, *self._arguments(held, left)]
        with pg_dump.Dump(command, pg_dump.environ(self.dsn, conn, name), self.dsn) as dump:
            dump.started(conn)
            expected = self._expected(conn, held, left)
            with output.replacing(self.path) as file:
                writer = Writer(file)
                rows = self._stream(held, writer, dump, self._ours(conn, shape, left))
                tables = _agreed(held, expected, rows)
                manifest = Manifest(
                    tables=tables,
                    format=self.options.format,
                    schema=fingerprint(shape, held.tables),
                    server=conn.info.parameter_status("server_version") or "",
                    tool=pg_dump.version(program),
                    verifier=own_version(),
                    made=held.made.astimezone(UTC).isoformat(timespec="seconds"),
                    rules=left.rules,
                )
                writer.end(manifest)
        return tables

    def _expected(self, conn: Connection, held: Snapshot, left: LeftOut) -> dict[int, int]:
        """Rows that the file has to hold, by the oid of their table."""
        self.progress.doing("counting rows")
        expected = {
            oid: rows - left.rows.get(oid, 0) for oid, rows in snapshot.count(conn, held).items()
        }
        self.progress.expect(sum(expected.values()))
        return expected

    def _arguments(self, held: Snapshot, left: LeftOut) -> list[str]:
        found = [*_OPTIONS, f"--snapshot={held.id}"]
        if self.options.format is Format.INSERTS:
            found.append("--column-inserts")
        if self.options.lock_timeout is not None:
            found.append(f"--lock-wait-timeout={max(1, round(self.options.lock_timeout * 1000))}")
        ours = {table.oid for table in left.written}
        for table in held.tables.values():
            if table.root in ours and not table.partitioned:
                # Its rows alone: what positions its sequences stays.
                found.append(f"--exclude-table-data={pg_dump.pattern(table.schema, table.name)}")
        return [*found, *(f"--exclude-table={pg_dump.pattern(*name)}" for name in held.out)]

    def _ours(self, conn: Connection, shape: Catalog, left: LeftOut) -> Iterator[bytes]:
        """The rows that pg_dump is not asked for."""
        if left.written and self.options.format is Format.INSERTS:
            yield b"SET standard_conforming_strings = on;\n\n"
        for table in left.written:
            yield from own_rows.rows_of(conn, shape, table, left, self.options.format)

    def _stream(
        self, held: Snapshot, writer: Writer, dump: pg_dump.Dump, ours: Iterator[bytes]
    ) -> Mapping[tuple[str, str], int]:
        """Write what pg_dump writes, and ``ours`` before its end; the rows, by schema and table."""
        counter = RowCounter()
        names = {(table.schema, table.name): table.quoted for table in held.roots()}
        trailer: list[bytes] = []
        for piece in pg_dump.before_trailer(dump.pieces(), trailer):
            self._write(writer, counter, names, piece)
        for piece in ours:
            self._write(writer, counter, names, piece)
        for piece in trailer:
            self._write(writer, counter, names, piece)
        counter.end()
        return counter.rows

    def _write(
        self,
        writer: Writer,
        counter: RowCounter,
        names: Mapping[tuple[str, str], str],
        piece: bytes,
    ) -> None:
        table, total = counter.current, counter.total
        writer.write(piece)
        counter.feed(piece)
        if counter.current is not None and counter.current != table:
            self.progress.doing(names.get(counter.current, "rows"))
        if counter.total != total:
            self.progress.advance(counter.total - total)


def _agreed(
    held: Snapshot, expected: Mapping[int, int], written: Mapping[tuple[str, str], int]
) -> dict[str, int]:
    """Rows by table as SQL writes it, once the file has as many as the snapshot (trap S02)."""
    by_name = {(table.schema, table.name): table for table in held.roots()}
    stray = [f"{'.'.join(name)}" for name in written.keys() - by_name.keys()]
    differ = [
        f"{table.quoted} ({written.get(name, 0)} rows written, {expected[table.oid]} in the source)"
        for name, table in by_name.items()
        if written.get(name, 0) != expected[table.oid]
    ]
    if stray or differ:
        raise BackupError(
            f"the rows written are not those of the snapshot: {', '.join(differ + stray)};"
            " nothing was kept, make the backup again"
        )
    return {table.quoted: expected[table.oid] for table in held.roots()}
