"""From the backup's events to staging tables: COPY, typed by the target."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

import psycopg
from psycopg import sql

from verifier.errors import BackupRefused
from verifier.initial_load import values
from verifier.initial_load.catalog import Catalog, Column, Connection, Table
from verifier.initial_load.large_objects import LargeObjects
from verifier.initial_load.reading.events import Event, LargeObject, Rows, SetVal
from verifier.initial_load.session import run
from verifier.initial_load.stage import Content, Staged
from verifier.transfer import Progress

_COPY_LINE = re.compile(r"\bline (\d+)")
_COPY_COLUMN = re.compile(r"\bline \d+, column (.+?)(?::|, null input$|$)")


class Unfit(Exception):
    """Values that the target does not take; the message says which, where and what to do."""


class _Again(Exception):
    """A value that its column's type does not accept; the message says which and where."""

    def __init__(self, table: Table, fine: Collection[int], said: str) -> None:
        super().__init__(said)
        self.table = table
        self.fine = fine
        """Tables by oid that were staged before, with values that fit."""


def stage(
    conn: Connection,
    catalog: Catalog,
    events: Callable[[], Iterator[Event]],
    control: Collection[str],
    progress: Progress | None = None,
    *,
    once: bool = False,
) -> Content:
    """Read the backup that ``events`` opens into staging tables.

    A row with a value that its column's type does not accept is left out and
    recorded as rejected; of a backup that can be read only ``once``, the first such
    value is an error. Raises :class:`~verifier.errors.BackupRefused` and :class:`Unfit`.
    """
    as_text: set[int] = set()
    while True:
        conn.execute("SAVEPOINT staging")
        try:
            content = _Stager(conn, catalog, control, as_text, progress).read(events())
        except _Again as unfit:
            if once:
                raise Unfit(
                    f"{unfit}; the backup cannot be read a second time to name every such row: "
                    "give it as a file"
                ) from unfit
            # COPY stops at the first such value. All of them are wanted, so the file is
            # read again and the values are looked at one by one: this table's, and those
            # of all that follow, or each of them could make it necessary once more.
            conn.execute("ROLLBACK TO staging")
            as_text |= catalog.tables.keys() - unfit.fine
        else:
            conn.execute("RELEASE staging")
            return content


class _Stager:
    def __init__(
        self,
        conn: Connection,
        catalog: Catalog,
        control: Collection[str],
        as_text: set[int],
        progress: Progress | None,
    ) -> None:
        self.conn = conn
        self.catalog = catalog
        self.control = control
        self.as_text = as_text
        self.progress = progress
        self.content = Content(LargeObjects(conn))
        self.staged: dict[tuple[str, str], Staged | None] = {}
        self.manager: AbstractContextManager[psycopg.Copy]
        self.copy: psycopg.Copy | None = None
        self.copying: tuple[Staged, tuple[str, ...]] | None = None
        self.blocks: list[tuple[int, int, bool]] = []
        self.copied = 0
        self.cursor = conn.cursor()

    def read(self, events: Iterator[Event]) -> Content:
        try:
            for event in events:
                match event:
                    case Rows():
                        self._take(event)
                    case SetVal():
                        self.content.sequences[event.sequence] = event
                    case LargeObject():
                        self._finish()
                        self.content.objects.add(event)
                    case _:
                        pass
            self._finish()
            self.content.objects.finish()
        except BaseException as error:
            self._abandon(error)
            raise
        for staged in self.content.tables:
            if staged.table.oid in self.as_text:
                values.convert(self.conn, staged)
            self._analyze(staged)
        return self.content

    def _take(self, rows: Rows) -> None:
        self.content.objects.pause()
        name = (rows.schema, rows.table)
        if rows.table in self.control:
            shown = f"{rows.schema}.{rows.table}"
            self.content.ignored[shown] = self.content.ignored.get(shown, 0) + rows.count
            return
        if name not in self.staged:
            self._finish()
            self.staged[name] = self._create(rows)
            if self.progress:
                self.progress.doing(f"reading {rows.schema}.{rows.table}")
        staged = self.staged[name]
        if staged is None:
            return
        if set(rows.columns) != {column.name for column in staged.given}:
            raise BackupRefused(
                f"line {rows.line}: the columns of {staged.table.quoted} "
                "are not those of its earlier rows"
            )
        self._write(staged, rows)
        staged.total += rows.count
        if self.progress:
            self.progress.advance(rows.count)

    def _create(self, rows: Rows) -> Staged | None:
        table = self.catalog.by_name.get((rows.schema, rows.table))
        if table is None:
            self.content.problems.append(
                f"the target has no table {rows.schema}.{rows.table} (line {rows.line})"
            )
            return None
        problems = list(_drift(table, rows))
        self.content.problems += problems
        if problems:
            return None
        given = tuple(table.columns[name] for name in rows.columns)
        columns = tuple(c for c in table.columns.values() if c in given or not c.fed)
        ordinal = "restore ordinal"
        while ordinal in table.columns:
            ordinal += "_"
        staged = Staged(table, len(self.content.tables), given, columns, f'"{ordinal}"')
        self.content.tables.append(staged)
        # Fed here and not by the client, which passes the rows on as they come.
        number = f"{staged.ordinal} bigint GENERATED BY DEFAULT AS IDENTITY (CACHE 1000)"
        self._table(f"stage_{staged.number}", [number, *map(_definition, columns)])
        if table.oid in self.as_text:
            self._table(
                f"text_{staged.number}", [number, *(f"{column.quoted} text" for column in given)]
            )
        return staged

    def _analyze(self, staged: Staged) -> None:
        """Statistics of the columns that rows are matched by; of others nothing is asked."""
        keys = {name for key in staged.keys for name in key.columns}
        for foreign in self.catalog.foreign_keys:
            keys |= set(foreign.columns) if foreign.child == staged.table.oid else set()
            keys |= set(foreign.references) if foreign.parent == staged.table.root else set()
        names = [column.quoted for column in staged.columns if column.name in keys]
        run(
            self.conn,
            "ANALYZE {rows} ({names})",
            rows=staged.rows,
            names=", ".join([staged.ordinal, *names]),
        )

    def _table(self, name: str, columns: list[str]) -> None:
        run(
            self.conn,
            "CREATE TEMP TABLE {name} ({columns}) ON COMMIT DROP",
            name=name,
            columns=", ".join(columns),
        )

    def _write(self, staged: Staged, rows: Rows) -> None:
        kind = "text" if staged.table.oid in self.as_text else "stage"
        if not rows.columns:
            self._finish()
            run(
                self.conn,
                "INSERT INTO {table} ({n}) SELECT {first} + generate_series(1, {count})",
                table=f"pg_temp.{kind}_{staged.number}",
                n=staged.ordinal,
                first=str(staged.total),
                count=str(rows.count),
            )
            return
        if self.copying != (staged, rows.columns):
            self._finish()
            names = ", ".join(staged.table.columns[name].quoted for name in rows.columns)
            self.manager = self.cursor.copy(
                sql.SQL("COPY {table} ({names}) FROM STDIN").format(
                    table=sql.SQL(f"pg_temp.{kind}_{staged.number}"), names=sql.SQL(names)
                )
            )
            self.copy = self.manager.__enter__()
            self.copying = (staged, rows.columns)
            self.blocks, self.copied = [], 0
        assert self.copy is not None
        self.blocks.append((self.copied, rows.line, rows.by_line))
        self.copied += rows.count
        with self._blamed():
            self.copy.write(rows.data)

    def _finish(self) -> None:
        if self.copy is not None:
            self.copy = None
            with self._blamed():
                self.manager.__exit__(None, None, None)
            self.copying = None

    def _abandon(self, error: BaseException) -> None:
        """End a COPY that is still open; ``error`` is already on its way up."""
        if self.copy is not None:
            self.copy = None
            # Ending it early is an error of its own, which says less than the first.
            with suppress(psycopg.Error, type(error)):
                self.manager.__exit__(type(error), error, error.__traceback__)
        with suppress(psycopg.Error, type(error)):
            self.content.objects.abandon(error)

    @contextmanager
    def _blamed(self) -> Iterator[None]:
        copying = self.copying
        try:
            yield
        except (psycopg.errors.BadCopyFileFormat, psycopg.errors.CharacterNotInRepertoire) as error:
            table = copying[0].table.quoted if copying else ""
            raise BackupRefused(
                f"{self._place(error)}: {error.diag.message_primary} (a row of {table}); "
                "the file is damaged or was changed; make the backup again"
            ) from error
        except psycopg.errors.UntranslatableCharacter as error:
            table = copying[0].table.quoted if copying else ""
            raise Unfit(
                f"{self._place(error)}: {table}: {error.diag.message_primary}, which is the "
                "target's; restore into a database whose encoding is UTF8"
            ) from error
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            if copying is None or copying[0].table.oid in self.as_text:
                raise
            unfit = copying[0].table
            fine = {staged.table.oid for staged in self.content.tables} - {unfit.oid}
            found = _COPY_COLUMN.search(error.diag.context or "")
            column = f", column {found[1]}" if found else ""
            said = f"{self._place(error)}: {unfit.quoted}{column}: {error.diag.message_primary}"
            raise _Again(unfit, fine, said) from error

    def _place(self, error: psycopg.Error) -> str:
        """Where in the file the row is that ``error`` is about."""
        found = _COPY_LINE.search(error.diag.context or "")
        row = int(found[1]) - 1 if found else 0
        first, line, by_line = max(block for block in self.blocks if block[0] <= row)
        ahead = row - first
        return f"line {line + ahead}" if by_line else f"row {ahead + 1} from line {line} on"


def _drift(table: Table, rows: Rows) -> Iterator[str]:
    """Why rows with the columns of ``rows`` cannot be written to ``table``."""
    for name in rows.columns:
        column = table.columns.get(name)
        if column is None:
            yield f"{table.quoted} has no column {name!r} in the target (line {rows.line})"
        elif column.generated:
            yield f"{table.quoted}.{column.quoted} is a generated column in the target"
    identity = table.identity.columns if table.identity else frozenset()
    for column in table.columns.values():
        if column.name in rows.columns or column.generated:
            continue
        if column.not_null and column.default is None and not column.fed:
            yield (
                f"{table.quoted}.{column.quoted} is NOT NULL without a default in the target "
                "and the backup has no values for it"
            )
        elif column.name in identity and column.fed:
            yield f"the backup has no values for the key column {table.quoted}.{column.quoted}"


def _definition(column: Column) -> str:
    parts = [column.quoted, column.base]
    if column.collation:
        parts.append(f"COLLATE {column.collation}")
    if column.generated:
        # Stored in any case: a virtual column of the target may be part of a check.
        parts.append(f"GENERATED ALWAYS AS ({column.default}) STORED")
    elif column.default is not None and not column.fed:
        parts.append(f"DEFAULT {column.default}")
    return " ".join(parts)
