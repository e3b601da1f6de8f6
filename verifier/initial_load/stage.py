"""The backup's rows in temporary tables of the target, typed by the target.

One staging table for each table of the backup, its columns named as the target's,
plus the row's position in the backup (its ordinal, from 1). So the target's own
index and check expressions can be evaluated on either side.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from verifier.errors import BackupRefused
from verifier.initial_load.catalog import Catalog, Column, Connection, Table, UniqueKey
from verifier.initial_load.reading.events import Rows, SetVal
from verifier.initial_load.reading.sql import read_sql
from verifier.initial_load.session import array, literal, run


@dataclass(slots=True)
class Staged:
    """One table of the backup."""

    table: Table
    number: int
    given: tuple[Column, ...]
    """The columns that the backup has values for, in its order."""
    columns: tuple[Column, ...]
    """All columns of the staging table: the given, those with a default, the generated."""
    ordinal: str
    """Quoted name of the ordinal, which no column of the table has."""
    total: int = 0
    """Rows in the backup."""

    @property
    def rows(self) -> str:
        return f"pg_temp.stage_{self.number}"

    @property
    def fate(self) -> str:
        return f"pg_temp.fate_{self.number}"

    @property
    def key(self) -> tuple[Column, ...]:
        """What identifies a row: the identity's columns, the whole row without one."""
        identity = self.table.identity
        if identity is None:
            return self.given
        return tuple(self.table.columns[name] for name in identity.plain)

    @property
    def identity(self) -> tuple[Column, ...]:
        return self.key if self.table.identity else ()

    @property
    def keys(self) -> tuple[UniqueKey, ...]:
        """The unique keys that can be evaluated on staged rows, the identity first."""
        names = {column.name for column in self.columns}
        identity = self.table.identity
        others = (key for key in self.table.keys if key is not identity and key.columns <= names)
        return (*((identity,) if identity else ()), *others)

    def key_json(self, alias: str) -> str:
        """SQL for the row's key as ``json``, column name → text."""
        names = array([literal(column.name) for column in self.key])
        return f"json_object({names}, {array([f'{alias}.{c.quoted}::text' for c in self.key])})"


@dataclass(slots=True)
class Content:
    """What a backup holds, after staging."""

    tables: list[Staged] = field(default_factory=list)
    sequences: dict[str, SetVal] = field(default_factory=dict)
    ignored: dict[str, int] = field(default_factory=dict)
    """Rows of control tables, which are left alone."""
    problems: list[str] = field(default_factory=list)
    """Why the backup does not fit the target; nothing may be written."""


class _Unfit(Exception):
    """A value that its column's type does not accept."""

    def __init__(self, table: Table) -> None:
        self.table = table


def stage(conn: Connection, catalog: Catalog, path: Path, control: Collection[str]) -> Content:
    """Read ``path`` into staging tables.

    A row with a value that its column's type does not accept is left out and
    recorded as rejected. Raises :class:`~verifier.errors.BackupRefused`.
    """
    as_text: set[int] = set()
    while True:
        conn.execute("SAVEPOINT staging")
        try:
            content = _Stager(conn, catalog, control, as_text).read(path)
        except _Unfit as unfit:
            # COPY stops at the first such value. All of them are wanted, so the
            # file is read again and this table's values are looked at one by one.
            conn.execute("ROLLBACK TO staging")
            as_text.add(unfit.table.oid)
        else:
            conn.execute("RELEASE staging")
            return content


class _Stager:
    def __init__(
        self, conn: Connection, catalog: Catalog, control: Collection[str], as_text: set[int]
    ) -> None:
        self.conn = conn
        self.catalog = catalog
        self.control = control
        self.as_text = as_text
        self.content = Content()
        self.staged: dict[tuple[str, str], Staged | None] = {}
        self.manager: AbstractContextManager[psycopg.Copy]
        self.copy: psycopg.Copy | None = None
        self.copying: Staged | None = None
        self.cursor = conn.cursor()

    def read(self, path: Path) -> Content:
        try:
            try:
                file = path.open("rb")
            except OSError as error:
                raise BackupRefused(f"{path.name} cannot be read: {error.strerror}") from error
            with file:
                for statement in read_sql(file, path.name):
                    if isinstance(statement, Rows):
                        self._insert(statement, path)
                    elif isinstance(statement, SetVal):
                        self.content.sequences[statement.sequence] = statement
            self._finish()
        except BaseException as error:
            self._abandon(error)
            raise
        for staged in self.content.tables:
            if staged.table.oid in self.as_text:
                _convert(self.conn, staged)
            run(self.conn, "ANALYZE {rows}", rows=staged.rows)
        return self.content

    def _insert(self, insert: Rows, path: Path) -> None:
        name = (insert.schema, insert.table)
        if insert.table in self.control:
            shown = f"{insert.schema}.{insert.table}"
            self.content.ignored[shown] = self.content.ignored.get(shown, 0) + insert.count
            return
        if name not in self.staged:
            self._finish()
            self.staged[name] = self._create(insert)
        staged = self.staged[name]
        if staged is None:
            return
        if insert.columns != tuple(column.name for column in staged.given):
            raise BackupRefused(
                f"{path.name}, line {insert.line}: the columns of {staged.table.quoted} "
                "are not those of its earlier rows"
            )
        self._write(staged, tuple(insert.values()))

    def _create(self, insert: Rows) -> Staged | None:
        table = self.catalog.by_name.get((insert.schema, insert.table))
        if table is None:
            self.content.problems.append(
                f"the target has no table {insert.schema}.{insert.table} (line {insert.line})"
            )
            return None
        problems = list(_drift(table, insert))
        self.content.problems += problems
        if problems:
            return None
        given = tuple(table.columns[name] for name in insert.columns)
        columns = tuple(c for c in table.columns.values() if c in given or not c.fed)
        ordinal = "restore ordinal"
        while ordinal in table.columns:
            ordinal += "_"
        staged = Staged(table, len(self.content.tables), given, columns, f'"{ordinal}"')
        self.content.tables.append(staged)
        definitions = [f"{staged.ordinal} bigint PRIMARY KEY", *map(_definition, columns)]
        run(
            self.conn,
            "CREATE TEMP TABLE {name} ({columns}) ON COMMIT DROP",
            name=f"stage_{staged.number}",
            columns=", ".join(definitions),
        )
        if table.oid in self.as_text:
            texts = [f"{staged.ordinal} bigint", *(f"{c.quoted} text" for c in given)]
            run(
                self.conn,
                "CREATE TEMP TABLE {name} ({columns}) ON COMMIT DROP",
                name=f"text_{staged.number}",
                columns=", ".join(texts),
            )
        return staged

    def _write(self, staged: Staged, rows: tuple[tuple[str | None, ...], ...]) -> None:
        if self.copying is not staged:
            self._finish()
            kind = "text" if staged.table.oid in self.as_text else "stage"
            names = ", ".join([staged.ordinal, *(column.quoted for column in staged.given)])
            self.manager = self.cursor.copy(
                sql.SQL("COPY {table} ({names}) FROM STDIN").format(
                    table=sql.SQL(f"pg_temp.{kind}_{staged.number}"), names=sql.SQL(names)
                )
            )
            self.copy = self.manager.__enter__()
            self.copying = staged
        assert self.copy is not None
        with self._blamed():
            for row in rows:
                staged.total += 1
                self.copy.write_row((str(staged.total), *row))

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

    @contextmanager
    def _blamed(self) -> Iterator[None]:
        staged = self.copying
        try:
            yield
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            if staged is None or staged.table.oid in self.as_text:
                raise
            raise _Unfit(staged.table) from error


def _drift(table: Table, insert: Rows) -> Iterator[str]:
    """Why rows with the columns of ``insert`` cannot be written to ``table``."""
    for name in insert.columns:
        column = table.columns.get(name)
        if column is None:
            yield f"{table.quoted} has no column {name!r} in the target (line {insert.line})"
        elif column.generated:
            yield f"{table.quoted}.{column.quoted} is a generated column in the target"
    identity = table.identity.columns if table.identity else frozenset()
    for column in table.columns.values():
        if column.name in insert.columns or column.generated:
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


_REASON = """
CREATE OR REPLACE FUNCTION pg_temp.restore_reason(value text, type text) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('SELECT %L::%s', value, type);
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  RETURN SQLERRM;
END $$
"""


def reason(conn: Connection, value: str, type_: str) -> str:
    """SQL for why the text ``value`` does not fit ``type_``, NULL if it does.

    For use inside the restore's transaction; slow, one subtransaction a value.
    """
    conn.execute(_REASON)
    return f"pg_temp.restore_reason({value}, {literal(type_)})"


def _convert(conn: Connection, staged: Staged) -> None:
    """Move the values that were staged as text to their types; reject rows that do not fit."""
    text = f"pg_temp.text_{staged.number}"
    for column in staged.given:
        run(
            conn,
            "WITH bad AS (SELECT b.*, {reason} AS {why} FROM {text} b"
            "             WHERE b.{column} IS NOT NULL AND {reason} IS NOT NULL),"
            "     gone AS (DELETE FROM {text} t USING bad WHERE t.{n} = bad.{n}) "
            "INSERT INTO pg_temp.restore_rejected "
            "SELECT {number}, bad.{n}, {key}, {what} || bad.{why}, '' FROM bad",
            reason=reason(conn, f"b.{column.quoted}", column.base),
            why='"restore reason"',
            text=text,
            column=column.quoted,
            n=staged.ordinal,
            number=str(staged.number),
            key=staged.key_json("bad"),
            what=literal(f"column {column.quoted}: "),
        )
    given = [column.quoted for column in staged.given]
    run(
        conn,
        "INSERT INTO {rows} ({names}) SELECT {values} FROM {text} b",
        rows=staged.rows,
        names=", ".join([staged.ordinal, *given]),
        values=", ".join(
            [f"b.{staged.ordinal}", *(f"b.{c.quoted}::{c.base}" for c in staged.given)]
        ),
        text=text,
    )
