"""Findings about integrity: every rule of the target, proved by query.

``convalidated`` is never trusted: rows written with triggers off leave it true. The
unique keys are counted without index scans, because a damaged index would
otherwise be asked about itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from verifier.contract import Evidence, Finding, Guarantee
from verifier.dsn import Dsn
from verifier.oracle.catalog import Feed, ForeignKey, Schema, Table, UniqueKey
from verifier.oracle.collect import Findings
from verifier.oracle.diff import schema_changes
from verifier.oracle.session import looking
from verifier.oracle.snapshot import Snapshot

_SHOWN = 20
"""Rows of one broken rule that become findings; the last of them counts the rest."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Something that holds when a query finds no row."""

    title: str
    """What it means when it does find some."""
    table: str
    query: str
    constraint: str = ""
    columns: tuple[str, ...] = ()


def violations(dsn: Dsn, schema: Schema) -> list[Finding]:
    """Every row that breaks a rule of ``schema`` in the database at ``dsn``.

    Raises :class:`~verifier.errors.ObservationError` when it cannot be asked.
    """
    rules = list(_rules(schema))
    found: list[Finding] = []
    if not rules:
        return found
    with looking(dsn) as connection:
        for setting in ("enable_indexscan", "enable_indexonlyscan", "enable_bitmapscan"):
            connection.execute(sql.SQL("SET LOCAL {} = off").format(sql.Identifier(setting)))
        # All rules in one question; those that are broken are asked for their rows.
        asked = ", ".join(f"EXISTS ({rule.query})" for rule in rules)
        (answers,) = connection.execute(f"SELECT ARRAY[{asked}]".encode()).fetchone() or ((),)
        for rule, broken in zip(rules, answers, strict=True):
            if broken:
                found += _rows_against(connection, rule)
    return found


def judge_integrity(
    before: Snapshot, after: Snapshot, old: list[Finding], new: list[Finding], findings: Findings
) -> None:
    """Report what the restore broke; what was broken before it is not its doing."""
    for finding in new:
        if finding not in old:
            findings.add(finding)
    for change in schema_changes(before, after):
        title = "the restore changed the target's schema"
        findings.add(change.finding(Guarantee.INTEGRITY, title))


def _rows_against(connection: psycopg.Connection[Any], rule: Rule) -> Iterator[Finding]:
    query = f"SELECT count(*) OVER (), found.* FROM ({rule.query}) found LIMIT {_SHOWN}"
    cursor = connection.execute(f"SELECT * FROM ({query}) described LIMIT 0".encode())
    names = [column.name for column in cursor.description or ()][1:]
    # As text, because Python has no infinity and no years before Christ.
    with connection.cursor().copy(f"COPY ({query}) TO STDOUT".encode()) as copy:
        rows = list(copy.rows())
    for place, (total, *values) in enumerate(rows):
        row = dict(zip(names, values, strict=True))
        yield Finding(
            guarantee=Guarantee.INTEGRITY,
            title=rule.title,
            table=rule.table,
            constraint=rule.constraint,
            columns=rule.columns,
            key={name: row[name] for name in rule.columns if name in row},
            evidence=(Evidence("target", row),),
            count=1 + (int(total) - len(rows) if place == len(rows) - 1 else 0),
            sql=rule.query,
            database="target",
        )


def _rules(schema: Schema) -> Iterator[Rule]:
    for foreign_key in schema.foreign_keys:
        yield _no_orphans(schema, foreign_key)
    for table in schema.tables.values():
        for key in table.keys:
            yield _no_duplicates(table, key)
        for column in table.columns:
            if column.not_null:
                yield Rule(
                    "a NOT NULL column is NULL",
                    table.name,
                    f"SELECT * FROM {table.rows} WHERE {_name(column.name)} IS NULL",
                    columns=(column.name,),
                )
        for check in table.checks:
            yield Rule(
                "a check does not hold",
                table.name,
                f"SELECT * FROM {table.rows} WHERE ({check.expression}) IS FALSE",
                check.name,
            )
    for feed in schema.feeds:
        yield _not_behind(feed)


def _name(identifier: str) -> str:
    return sql.Identifier(identifier).as_string()


def _no_orphans(schema: Schema, foreign_key: ForeignKey) -> Rule:
    pairs = list(zip(foreign_key.columns, foreign_key.referenced, strict=True))
    joined = " AND ".join(f"p.{_name(theirs)} = c.{_name(ours)}" for ours, theirs in pairs)
    given = (" OR " if foreign_key.full else " AND ").join(
        f"c.{_name(ours)} IS NOT NULL" for ours, _ in pairs
    )
    child, parent = (schema.tables[name].rows for name in (foreign_key.child, foreign_key.parent))
    return Rule(
        f"an orphan: its parent in {foreign_key.parent} does not exist",
        foreign_key.child,
        f"SELECT c.* FROM {child} c WHERE ({given})"
        f" AND NOT EXISTS (SELECT FROM {parent} p WHERE {joined})",
        foreign_key.name,
        foreign_key.columns,
    )


def _no_duplicates(table: Table, key: UniqueKey) -> Rule:
    labels = [_name(name or f"part {place}") for place, name in enumerate(key.columns, 1)]
    pairs = zip(key.definitions, labels, strict=True)
    parts = ", ".join(f"{definition} AS {label}" for definition, label in pairs)
    given = " AND ".join(f"{label} IS NOT NULL" for label in labels)
    return Rule(
        "several rows share the value of a unique key",
        key.table,
        f"SELECT {', '.join(labels)}, count(*) AS rows"
        f" FROM (SELECT {parts} FROM {table.rows} WHERE {key.predicate or 'true'}) keys"
        f" WHERE {given if key.nulls_distinct else 'true'}"
        f" GROUP BY {', '.join(labels)} HAVING count(*) > 1",
        key.name,
        tuple(name for name in key.columns if name),
    )


def _not_behind(feed: Feed) -> Rule:
    """A sequence whose next value is taken already makes the next ordinary INSERT fail."""
    beyond, extreme = (">=", "max") if feed.increment > 0 else ("<=", "min")
    return Rule(
        f"sequence {feed.sequence} is behind its column: the next INSERT will fail",
        feed.table,
        f"SELECT next, used FROM (SELECT last_value::numeric + CASE WHEN is_called"
        f" THEN {feed.increment} ELSE 0 END AS next FROM {feed.sequence}) s,"
        f" (SELECT {extreme}({_name(feed.column)}) AS used FROM {feed.table}) t"
        f" WHERE used {beyond} next",
        columns=(feed.column,),
    )
