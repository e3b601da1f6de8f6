"""A whole database at one moment: every row of every table as PostgreSQL's own text.

Values are read with ``COPY … TO STDOUT``, that is through each type's output
function, so nothing (``char(n)`` padding, ``-0``, ``infinity``) is lost on the way
into Python.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from verifier.dsn import Dsn
from verifier.oracle import catalog
from verifier.oracle.catalog import Check, Schema, Table, UniqueKey
from verifier.oracle.selection import PLACE, left_out
from verifier.oracle.session import looking
from verifier.transfer import Exclude

Values = tuple[str | None, ...]

_LARGE_OBJECTS = """
SELECT oid::text, encode(sha256(lo_get(oid)), 'hex') FROM pg_largeobject_metadata ORDER BY oid
"""

# Those of the account that owns the database count wherever they were set: it is the one
# that restores. A server's other accounts are not its concern.
_SETTINGS = """
SELECT format('%s of %s%s', split_part(given, '=', 1), coalesce(r.rolname, 'every account'),
              CASE s.setdatabase WHEN 0 THEN ' in every database' ELSE '' END),
       substr(given, strpos(given, '=') + 1)
FROM pg_database d
JOIN pg_db_role_setting s
  ON s.setdatabase = d.oid OR (s.setdatabase = 0 AND s.setrole = d.datdba)
LEFT JOIN pg_roles r ON r.oid = s.setrole
CROSS JOIN unnest(s.setconfig) given
WHERE d.datname = current_database()
UNION ALL
SELECT 'connection limit', datconnlimit::text FROM pg_database WHERE datname = current_database()
UNION ALL
SELECT format('default privileges on %s of %s in %s', defaclobjtype, pg_get_userbyid(defaclrole),
              CASE defaclnamespace WHEN 0 THEN 'every schema'
                   ELSE defaclnamespace::regnamespace::text END),
       defaclacl::text
FROM pg_default_acl
"""


@dataclass(frozen=True, slots=True)
class TableRows:
    """The rows of one table; the lists run parallel to ``rows``."""

    table: str
    columns: tuple[str, ...]
    rows: list[Values]
    keys: Mapping[str, list[Values | None]]
    """Unique key → each row's key values; ``None`` where a partial index leaves the row out."""
    refused: Mapping[str, frozenset[int]]
    """Check constraint → positions of the rows for which it is false."""
    versions: list[str]
    """``xmin`` of each row: it changes whenever the row is rewritten."""
    canonical: Mapping[str, list[str | None]] = field(default_factory=dict)
    """Column of a foreign key → texts to compare by, where equal values print differently."""
    inside: Mapping[str, frozenset[int]] = field(default_factory=dict)
    """Partition that is referred to by itself → positions of the rows that belong there."""

    def row(self, position: int) -> dict[str, str | None]:
        """One row by column name."""
        return dict(zip(self.columns, self.rows[position], strict=True))

    def values(self, position: int, columns: tuple[str, ...]) -> Values:
        """Some values of one row, in the order of ``columns``."""
        row = self.rows[position]
        return tuple(row[self.columns.index(column)] for column in columns)

    def reference(self, position: int, columns: tuple[str, ...]) -> Values:
        """The values by which a foreign key finds this row, or this row's parent."""
        plain = zip(columns, self.values(position, columns), strict=True)
        return tuple(
            self.canonical[column][position] if column in self.canonical else value
            for column, value in plain
        )


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One database: its structure, its rows and large objects, and where its sequences stand."""

    schema: Schema
    tables: Mapping[str, TableRows]
    sequences: Mapping[str, tuple[int, bool]] = field(default_factory=dict)
    """Name → ``last_value``, ``is_called``."""
    large_objects: Mapping[str, str] = field(default_factory=dict)
    """Number → SHA-256 of the content."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """What the database gives to every session and every object that comes after, by name.
    A copy of the database has its own."""


def take(dsn: Dsn, rules: Schema | None = None, without: Collection[Exclude] = ()) -> Snapshot:
    """Read the database at ``dsn`` within one snapshot.

    ``rules`` is the schema whose unique keys and checks the rows are read against:
    the target's, also when the rows are the source's. ``None`` means the database's own.
    Rows that ``without`` leaves out are passed over, and so is what depends on them.

    Raises :class:`~verifier.errors.ObservationError` when it cannot be read.
    """
    with looking(dsn) as connection:
        schema = catalog.read(connection)
        out = left_out(connection, schema, without)
        tables = {
            name: _read_table(connection, table, rules or schema, out.get(name, frozenset()))
            for name, table in schema.tables.items()
        }
        objects = dict(connection.execute(_LARGE_OBJECTS).fetchall())
        sequences = _read_sequences(connection, schema)
        settings = dict(connection.execute(_SETTINGS).fetchall())
        return Snapshot(schema, tables, sequences, objects, settings)


def _applicable(table: Table, rules: Table) -> tuple[list[UniqueKey], list[Check]]:
    """The keys and checks of ``rules`` that can be evaluated on ``table``'s columns.

    An expression or a predicate may use any column, so it needs all of them.
    """
    here = set(table.names)
    alike = set(rules.names) <= here
    keys = [
        key
        for key in rules.keys
        if alike or (key.predicate is None and here.issuperset(name or "" for name in key.columns))
    ]
    return keys, [check for check in rules.checks if here.issuperset(check.columns)]


def _decidable(table: Table, rules: Schema) -> Mapping[str, str]:
    """The partitions of ``rules`` whose bounds can be evaluated on ``table``'s columns."""
    theirs = rules.tables.get(table.name, table).names
    absent = [name for name in theirs if name not in table.names]
    return {
        partition: bounds
        for partition, bounds in rules.partitions(table.name).items()
        if not any(name in bounds for name in absent)
    }


def _read_table(
    connection: psycopg.Connection[Any], table: Table, rules: Schema, out: Collection[str]
) -> TableRows:
    keys, checks = _applicable(table, rules.tables.get(table.name, table))
    linked = rules.linked(table.name)
    partitions = _decidable(table, rules)
    loose = [column for column in table.columns if column.canonical and column.name in linked]
    selected = [sql.Identifier(name).as_string() for name in table.names]
    selected.append("xmin::text")
    for key in keys:
        selected += [f"({key.predicate or 'true'})", *key.parts]
    selected += [f"(({check.expression}) IS FALSE)" for check in checks]
    selected += [f"(({bounds}) IS TRUE)" for bounds in partitions.values()]
    selected += [column.canonical or "" for column in loose]
    query = f"SELECT {', '.join(selected)} FROM {table.rows}"
    if out:
        query += f" WHERE {PLACE} <> ALL ({sql.Literal(sorted(out)).as_string()})"

    width = len(table.names)
    rows: list[Values] = []
    versions: list[str] = []
    held: dict[str, list[Values | None]] = {key.name: [] for key in keys}
    refused: dict[str, set[int]] = {check.name: set() for check in checks}
    belonging: dict[str, set[int]] = {partition: set() for partition in partitions}
    canonical: dict[str, list[str | None]] = {column.name: [] for column in loose}
    with connection.cursor().copy(f"COPY ({query}) TO STDOUT".encode()) as copy:
        for position, record in enumerate(copy.rows()):
            rows.append(record[:width])
            versions.append(record[width])
            at = width + 1
            for key in keys:
                inside, values = record[at] == "t", record[at + 1 : at + 1 + len(key.parts)]
                held[key.name].append(values if inside else None)
                at += 1 + len(key.parts)
            for check, answer in zip(checks, record[at:], strict=False):
                if answer == "t":
                    refused[check.name].add(position)
            at += len(checks)
            for partition, answer in zip(partitions, record[at:], strict=False):
                if answer == "t":
                    belonging[partition].add(position)
            for column, value in zip(loose, record[at + len(partitions) :], strict=True):
                canonical[column.name].append(value)
    return TableRows(
        table.name,
        table.names,
        rows,
        held,
        {name: frozenset(positions) for name, positions in refused.items()},
        versions,
        canonical,
        {name: frozenset(positions) for name, positions in belonging.items()},
    )


def _read_sequences(
    connection: psycopg.Connection[Any], schema: Schema
) -> dict[str, tuple[int, bool]]:
    states: dict[str, tuple[int, bool]] = {}
    for name in schema.sequences:
        query = f"SELECT last_value, is_called FROM {name}"
        for last_value, is_called in connection.execute(query.encode()):
            states[name] = (last_value, is_called)
    return states
