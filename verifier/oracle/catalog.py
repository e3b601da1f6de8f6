"""What the oracle knows of a database's structure, read from ``pg_catalog`` alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from verifier.oracle import queries, structure


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: str
    """As ``format_type`` prints it: ``numeric(10,2)``."""
    not_null: bool
    generated: bool
    has_default: bool
    """A default, an identity or a sequence fills it when it is left out."""
    canonical: str | None
    """SQL of one text for all values that are equal; ``None``: their text is that already."""
    nested: bool
    """Whether there are values inside its values: an array or a composite."""
    always: bool
    """``GENERATED ALWAYS AS IDENTITY``, which no UPDATE can change."""


@dataclass(frozen=True, slots=True)
class UniqueKey:
    """A primary key, unique constraint or unique index."""

    name: str
    table: str
    primary: bool
    columns: tuple[str | None, ...]
    """Per key part its column, or ``None`` for an expression."""
    parts: tuple[str, ...]
    """Per key part the SQL that yields one text for all values that are equal."""
    definitions: tuple[str, ...]
    """Per key part the SQL that yields its value."""
    predicate: str | None
    """SQL of a partial index's condition."""
    nulls_distinct: bool
    valid: bool = True
    """Otherwise (``CREATE INDEX CONCURRENTLY`` failed late) it refuses new duplicates all the
    same, and says nothing of the rows that were there before."""
    deferrable: bool = False

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
    """The whole table, also where one of its partitions is meant."""
    referenced: tuple[str, ...]
    full: bool
    """``MATCH FULL``: a reference is NULL as a whole or not at all."""
    operators: tuple[str, ...] = ()
    """Per column the operator (parent, child) that says it is the same, with its schema."""
    period: bool = False
    """The last column is a ``PERIOD``, which several parents may cover (PostgreSQL 18)."""
    partition: str | None = None
    """The partition of :attr:`parent` that is referred to by itself, if it is one."""
    bounds: str | None = None
    """SQL over a row of :attr:`parent` that says whether it belongs to that partition."""
    cascades: bool = False
    """The server changes children along with their parent (``ON UPDATE CASCADE``)."""
    acts: bool = False
    """The server does anything ``ON UPDATE``, also where a key is only spelled otherwise."""

    @property
    def referred(self) -> str:
        """The table that the constraint names."""
        return self.partition or self.parent


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    table: str
    columns: tuple[str, ...]
    expression: str


@dataclass(frozen=True, slots=True)
class Exclusion:
    """An exclusion constraint, or a key ``WITHOUT OVERLAPS`` (PostgreSQL 18)."""

    name: str
    table: str
    columns: tuple[str, ...]
    parts: tuple[str, ...]
    """Per part the SQL of its value."""
    operators: tuple[str, ...]
    """Per part the operator that must not hold for all of them, with its schema."""
    predicate: str | None


@dataclass(frozen=True, slots=True)
class Feed:
    """A sequence that feeds a column."""

    sequence: str
    table: str
    column: str
    increment: int
    last: int | None
    """The last value that both the sequence and its column have room for; ``None``: it cycles."""

    def has_next(self, last_value: int, called: bool) -> bool:
        """Whether the next INSERT gets a value, where the sequence stands so."""
        following = last_value + (self.increment if called else 0)
        return self.last is None or (self.last - following) * self.increment >= 0


@dataclass(frozen=True, slots=True)
class Table:
    """An ordinary or partitioned table; partitions are read through their root."""

    name: str
    """As SQL writes it, ``public."InitialLoadSessions"``."""
    relname: str
    partitioned: bool
    columns: tuple[Column, ...]
    keys: tuple[UniqueKey, ...]
    """Whatever the server holds new rows to, the primary key first."""
    checks: tuple[Check, ...]
    shared: frozenset[str] | None = None
    """The columns that rows can be told apart by, if not all: those that the source has too."""

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
        usable = {
            column.name
            for column in self.columns
            if column.not_null and (self.shared is None or column.name in self.shared)
        }
        for key in self.keys:
            if (
                key.valid
                and not key.opaque
                and usable.issuperset(name for name in key.columns if name)
            ):
                return key
        return None


@dataclass(frozen=True, slots=True)
class Schema:
    tables: Mapping[str, Table]
    foreign_keys: tuple[ForeignKey, ...]
    exclusions: tuple[Exclusion, ...]
    domain_checks: tuple[Check, ...]
    """Checks of the domains that columns have as their type, one for each column."""
    sequences: tuple[str, ...]
    feeds: tuple[Feed, ...]
    inventory: structure.Inventory
    """Everything else, which a data restore must leave alone, by kind and name."""

    def linked(self, table: str) -> frozenset[str]:
        """The columns of ``table`` that foreign keys compare, at either end."""
        ends = [(key.child, key.columns) for key in self.foreign_keys]
        ends += [(key.parent, key.referenced) for key in self.foreign_keys]
        return frozenset(column for name, columns in ends if name == table for column in columns)

    def partitions(self, table: str) -> Mapping[str, str]:
        """The partitions of ``table`` that are referred to by themselves, with their bounds.

        A hash partition's say nothing to another server than its own.
        """
        return {
            key.partition: key.bounds
            for key in self.foreign_keys
            if key.parent == table and key.partition and key.bounds
            if "satisfies_hash_partition" not in key.bounds
        }


def read(
    connection: psycopg.Connection[Any], *, materialised: bool = False, inventory: bool = True
) -> Schema:
    """The structure of the connection's database, without the probe's own schema.

    With ``materialised`` its materialised views are among the tables; without
    ``inventory`` everything is left out but what it takes to read and judge rows.
    """
    about = queries.with_materialised if materialised else str
    columns: dict[str, list[Column]] = {}
    for table, *column in connection.execute(about(queries.COLUMNS).encode()):
        columns.setdefault(table, []).append(Column(*column))
    keys: dict[str, list[UniqueKey]] = {}
    for name, table, primary, names, parts, definitions, *rest in connection.execute(
        about(queries.unique_keys(connection.info.server_version)).encode()
    ):
        key = UniqueKey(name, table, primary, tuple(names), tuple(parts), tuple(definitions), *rest)
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
        for table, relname, partitioned in connection.execute(about(queries.TABLES).encode())
    }
    foreign_keys = tuple(
        ForeignKey(name, child, tuple(names), parent, tuple(referenced), full, tuple(same), *rest)
        for name, child, names, parent, referenced, full, same, *rest in connection.execute(
            queries.FOREIGN_KEYS
        )
        if parent in tables  # not one of an extension's
    )
    exclusions = tuple(
        Exclusion(name, table, tuple(names), tuple(parts), tuple(operators), predicate)
        for name, table, names, parts, operators, predicate in connection.execute(
            queries.EXCLUSIONS
        )
    )
    domain_checks = tuple(
        Check(name, table, (column,), expression)
        for name, table, column, expression in connection.execute(queries.DOMAIN_CHECKS)
    )
    sequences = tuple(name for (name,) in connection.execute(queries.SEQUENCES))
    feeds = tuple(Feed(*row) for row in connection.execute(queries.FEEDS))
    others = structure.read(connection) if inventory else {}
    return Schema(tables, foreign_keys, exclusions, domain_checks, sequences, feeds, others)
