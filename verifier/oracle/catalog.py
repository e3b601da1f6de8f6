"""What the oracle knows of a database's structure, read from ``pg_catalog`` alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from verifier.oracle import queries


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: str
    """As ``format_type`` prints it: ``numeric(10,2)``."""
    not_null: bool
    generated: bool
    has_default: bool
    """A default, an identity or a sequence fills it when it is left out."""


@dataclass(frozen=True, slots=True)
class UniqueKey:
    """A primary key, unique constraint or unique index."""

    name: str
    table: str
    primary: bool
    columns: tuple[str | None, ...]
    """Per key part its column, or ``None`` for an expression."""
    parts: tuple[str, ...]
    """Per key part the SQL that yields its canonical text."""
    predicate: str | None
    """SQL of a partial index's condition."""
    nulls_distinct: bool

    @property
    def opaque(self) -> bool:
        """Whether it takes the server to say what a row's key is (expression, predicate)."""
        return None in self.columns or self.predicate is not None


@dataclass(frozen=True, slots=True)
class ForeignKey:
    name: str
    child: str
    columns: tuple[str, ...]
    parent: str
    referenced: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    table: str
    columns: tuple[str, ...]
    expression: str


@dataclass(frozen=True, slots=True)
class Feed:
    """A sequence that feeds a column."""

    sequence: str
    table: str
    column: str
    increment: int


@dataclass(frozen=True, slots=True)
class Table:
    """An ordinary or partitioned table; partitions are read through their root."""

    name: str
    """As SQL writes it, ``public."InitialLoadSessions"``."""
    relname: str
    partitioned: bool
    columns: tuple[Column, ...]
    keys: tuple[UniqueKey, ...]
    """Valid ones only, the primary key first."""
    checks: tuple[Check, ...]

    @property
    def rows(self) -> str:
        """What to read it from: with its partitions, but without tables that inherit from it."""
        return self.name if self.partitioned else f"ONLY {self.name}"

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def identity(self) -> UniqueKey | None:
        """The key that tells rows apart: the primary key, else a whole plain unique key.

        A key with NULLs or a predicate does not identify every row, so it does not
        qualify; ``None`` makes the table a multiset of whole rows.
        """
        nullable = {column.name for column in self.columns if not column.not_null}
        for key in self.keys:
            if not key.opaque and not nullable.intersection(name for name in key.columns if name):
                return key
        return None


@dataclass(frozen=True, slots=True)
class Schema:
    tables: Mapping[str, Table]
    foreign_keys: tuple[ForeignKey, ...]
    sequences: tuple[str, ...]
    feeds: tuple[Feed, ...]
    fingerprint: Mapping[str, str]
    """Object → definition and state, of everything that a data restore must leave alone."""


def read(connection: psycopg.Connection[Any]) -> Schema:
    """The structure of the connection's database, without the probe's own schema."""
    columns: dict[str, list[Column]] = {}
    for table, *column in connection.execute(queries.COLUMNS):
        columns.setdefault(table, []).append(Column(*column))
    keys: dict[str, list[UniqueKey]] = {}
    for name, table, primary, names, parts, predicate, nulls_distinct in connection.execute(
        queries.unique_keys(connection.info.server_version)
    ):
        key = UniqueKey(name, table, primary, tuple(names), tuple(parts), predicate, nulls_distinct)
        keys.setdefault(table, []).append(key)
    checks: dict[str, list[Check]] = {}
    for name, table, names, expression in connection.execute(queries.CHECKS):
        checks.setdefault(table, []).append(Check(name, table, tuple(names), expression))
    tables = {
        table: Table(
            table,
            relname,
            partitioned,
            tuple(columns.get(table, ())),
            tuple(keys.get(table, ())),
            tuple(checks.get(table, ())),
        )
        for table, relname, partitioned in connection.execute(queries.TABLES)
    }
    foreign_keys = tuple(
        ForeignKey(name, child, tuple(names), parent, tuple(referenced))
        for name, child, names, parent, referenced in connection.execute(queries.FOREIGN_KEYS)
        if parent in tables  # not one of an extension's, nor a single partition
    )
    sequences = tuple(name for (name,) in connection.execute(queries.SEQUENCES))
    feeds = tuple(Feed(*row) for row in connection.execute(queries.FEEDS))
    fingerprint = {str(name): str(state) for name, state in connection.execute(queries.STATE)}
    return Schema(tables, foreign_keys, sequences, feeds, fingerprint)
