"""A target database as a restore sees it that writes one row at a time.

Asks the target itself for keys, references and sequences, and knows how to write
one row. Deliberately apart from the catalogue queries of the engine and of the
oracle: what is wrong there must not be wrong here in the same way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, LiteralString, NamedTuple

import psycopg
from psycopg import sql

from verifier.errors import BackupRefused


class Table(NamedTuple):
    """A table by its names as the catalogue spells them."""

    schema: str
    name: str

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row of a backup: column name to text, ``None`` for NULL."""

    table: Table
    values: Mapping[str, str | None]

    def key(self, columns: Iterable[str]) -> tuple[str | None, ...]:
        return tuple(self.values.get(column) for column in columns)


class Key(NamedTuple):
    """A unique index that ``ON CONFLICT`` can name."""

    columns: tuple[str, ...]
    not_null: bool
    """Whether no column can be NULL: a NULL equals nothing, so no row is found by it."""


class Column(NamedTuple):
    """What a column of the target takes."""

    kind: str
    """The type as SQL writes it."""
    nullable: bool


class Reference(NamedTuple):
    """A foreign key."""

    name: str
    definition: str
    """What stands behind ``ADD CONSTRAINT name``."""
    child: Table
    columns: tuple[str, ...]
    parent: Table
    parent_columns: tuple[str, ...]


class Outcome(StrEnum):
    """What writing a row came to; the names are those of ``contract.Counts``."""

    INSERTED = "inserted"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


_TABLES: LiteralString = """
    SELECT n.nspname, c.relname, format('%I.%I', n.nspname, c.relname),
           array(SELECT a.attname::text FROM pg_attribute a
                 WHERE a.attrelid = c.oid AND a.attidentity = 'a')
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
"""

# Deferrable, partial, expression and exclusion indexes, and invalid ones, cannot
# be named by their columns in ON CONFLICT.
_KEYS: LiteralString = """
    SELECT n.nspname, c.relname,
           array_agg(a.attname::text ORDER BY k.place), bool_and(a.attnotnull)
    FROM pg_index i
    JOIN pg_class c ON c.oid = i.indrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN generate_series(0, i.indnkeyatts - 1) AS k(place)
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[k.place]
    WHERE i.indisunique AND i.indisvalid AND i.indimmediate AND NOT i.indisexclusion
      AND i.indpred IS NULL AND i.indexprs IS NULL
    GROUP BY n.nspname, c.relname, i.indexrelid, i.indisprimary
    ORDER BY i.indisprimary DESC, i.indexrelid
"""

_COLUMNS: LiteralString = """
    SELECT attname::text, format_type(atttypid, atttypmod), NOT attnotnull
    FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped
"""

_REFERENCES: LiteralString = """
    SELECT f.conname, pg_get_constraintdef(f.oid), cn.nspname, c.relname, pn.nspname, p.relname,
           array_agg(ca.attname::text ORDER BY k.place),
           array_agg(pa.attname::text ORDER BY k.place)
    FROM pg_constraint f
    JOIN pg_class c ON c.oid = f.conrelid JOIN pg_namespace cn ON cn.oid = c.relnamespace
    JOIN pg_class p ON p.oid = f.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace
    CROSS JOIN generate_subscripts(f.conkey, 1) AS k(place)
    JOIN pg_attribute ca ON ca.attrelid = c.oid AND ca.attnum = f.conkey[k.place]
    JOIN pg_attribute pa ON pa.attrelid = p.oid AND pa.attnum = f.confkey[k.place]
    WHERE f.contype = 'f' AND f.conparentid = 0
    GROUP BY f.oid, cn.nspname, c.relname, pn.nspname, p.relname
    ORDER BY f.oid
"""


class Target:
    """An open transaction on the target, and what its catalogue said at the start."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        self.connection = connection
        # Rows are compared as text, and a setting of the target may round that.
        connection.execute("SET LOCAL extra_float_digits = 1")
        self._names: dict[Table, str] = {}
        self._fixed: dict[Table, frozenset[str]] = {}
        for schema, name, written, fixed in connection.execute(_TABLES):
            self._names[Table(schema, name)] = written
            self._fixed[Table(schema, name)] = frozenset(fixed)
        self._keys: dict[Table, list[Key]] = {}
        for schema, name, columns, not_null in connection.execute(_KEYS):
            self._keys.setdefault(Table(schema, name), []).append(Key(tuple(columns), not_null))
        self.references = [
            Reference(name, told, Table(cs, c), tuple(columns), Table(ps, p), tuple(parent_columns))
            for name, told, cs, c, ps, p, columns, parent_columns in connection.execute(_REFERENCES)
        ]
        self._columns: dict[Table, dict[str, Column]] = {}
        self._statements: dict[tuple[Table, tuple[str, ...], Key], bytes] = {}

    def written(self, table: Table) -> str:
        """The table as SQL writes it. Raises :class:`BackupRefused` when there is none."""
        try:
            return self._names[table]
        except KeyError:
            raise BackupRefused(
                f"the backup holds rows of {table.schema}.{table.name}, which the target "
                "does not have; bring the target's schema up to date"
            ) from None

    def keys(self, table: Table) -> list[Key]:
        """Every key of ``table``, the primary key first."""
        return self._keys.get(table, [])

    def identity(self, table: Table) -> Key:
        """What tells the rows of ``table`` apart: the primary key, else a key without NULLs."""
        for key in self.keys(table):
            if key.not_null:
                return key
        raise BackupRefused(
            f"{self.written(table)} has no key that a row could be found by; "
            "give it a primary key, or leave it out of the backup"
        )

    def columns(self, table: Table) -> Mapping[str, Column]:
        """The columns of ``table`` by name."""
        if table not in self._columns:
            found = self.connection.execute(_COLUMNS, [self.written(table)])
            self._columns[table] = {name: Column(kind, null) for name, kind, null in found}
        return self._columns[table]

    def run(self, form: LiteralString, *parts: sql.Composable) -> None:
        """Run a statement that is put together from ``form`` and names."""
        self.connection.execute(sql.SQL(form).format(*parts))

    def insert(self, row: TableRow, *, unless_there: bool = False) -> Outcome:
        """Write ``row`` as a new one; ``unless_there`` leaves one with any equal key as it is."""
        skip = sql.SQL(" ON CONFLICT DO NOTHING" if unless_there else "")
        written = self.connection.execute(
            self._insert(row.table, tuple(row.values)) + skip, list(row.values.values())
        )
        return Outcome.INSERTED if written.rowcount else Outcome.UNCHANGED

    def upsert(self, row: TableRow, on: Key) -> Outcome:
        """Write ``row`` over the one with the same key, unless that is equal already."""
        columns = tuple(row.values)
        statement = self._statements.get((row.table, columns, on))
        if statement is None:
            statement = self._upsert(row.table, columns, on).as_bytes(self.connection)
            self._statements[row.table, columns, on] = statement
        found = self.connection.execute(statement, list(row.values.values())).fetchone()
        if found is None:
            return Outcome.UNCHANGED
        return Outcome.INSERTED if found[0] else Outcome.UPDATED

    def _upsert(self, table: Table, columns: tuple[str, ...], on: Key) -> sql.Composed:
        assigned = [
            name for name in columns if name not in on.columns and name not in self._fixed[table]
        ]
        action: sql.Composable = sql.SQL("NOTHING")
        if assigned:
            # As text: json, point and xml have no equality, and -0 equals 0.
            action = sql.SQL("UPDATE SET {} WHERE ({}) IS DISTINCT FROM ({})").format(
                _list("{0} = EXCLUDED.{0}", assigned),
                _list("old.{0}::text", assigned),
                _list("EXCLUDED.{0}::text", assigned),
            )
        conflict = sql.SQL(" ON CONFLICT ({}) DO {} RETURNING xmax = 0")
        return self._insert(table, columns) + conflict.format(_list("{0}", on.columns), action)

    def _insert(self, table: Table, columns: tuple[str, ...]) -> sql.Composed:
        return sql.SQL("INSERT INTO {} AS old ({}) OVERRIDING SYSTEM VALUE VALUES ({})").format(
            table.identifier,
            _list("{0}", columns),
            sql.SQL(", ").join([sql.Placeholder()] * len(columns)),
        )


def _list(form: LiteralString, columns: Iterable[str]) -> sql.Composed:
    """``form`` once for each column, with commas between."""
    return sql.SQL(", ").join(sql.SQL(form).format(sql.Identifier(name)) for name in columns)
