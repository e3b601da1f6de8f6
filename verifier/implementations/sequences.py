"""Sequences after a row-by-row restore: past every value they feed, never back."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from verifier.implementations.target import Table

# A sequence feeds a column that owns it (serial, identity) or whose default calls it.
_SEQUENCES: LiteralString = """
    SELECT n.nspname, s.relname, q.seqincrement, tn.nspname, t.relname, a.attname
    FROM pg_sequence q
    JOIN pg_class s ON s.oid = q.seqrelid
    JOIN pg_namespace n ON n.oid = s.relnamespace
    LEFT JOIN (
        SELECT objid AS sequence, refobjid AS relation, refobjsubid AS place FROM pg_depend
        WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass
          AND deptype IN ('a', 'i') AND refobjsubid > 0
        UNION
        SELECT d.refobjid, f.adrelid, f.adnum
        FROM pg_depend d JOIN pg_attrdef f ON f.oid = d.objid
        WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass
    ) feeds ON feeds.sequence = s.oid
    LEFT JOIN pg_attribute a ON a.attrelid = feeds.relation AND a.attnum = feeds.place
          AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
    LEFT JOIN pg_class t ON t.oid = a.attrelid
    LEFT JOIN pg_namespace tn ON tn.oid = t.relnamespace
"""


def advance(
    connection: psycopg.Connection[tuple[Any, ...]],
    tables: Collection[Table],
    backup: Mapping[str, tuple[int, bool]],
) -> None:
    """Set the sequences that feed ``tables`` or are in ``backup`` past what they feed.

    ``backup`` holds ``last_value`` and ``is_called`` by the sequence as SQL writes it;
    one that the target does not have is passed over. By ALTER SEQUENCE, because a
    rollback undoes that, while it leaves a setval standing; only where it changes
    something, so that a second restore finds nothing to do.
    """
    states = dict(_resolved(connection, backup))
    steps: dict[Table, int] = {}
    nexts: dict[Table, list[int]] = {}
    for schema, name, step, table_schema, table_name, column in connection.execute(_SEQUENCES):
        sequence, table = Table(schema, name), Table(table_schema, table_name)
        if table not in tables and sequence not in states:
            continue
        steps[sequence] = step
        if column is not None:
            edge = _edge(connection, table, column, "max" if step > 0 else "min")
            nexts.setdefault(sequence, []).extend(value + step for value in edge)
    for sequence, step in steps.items():
        current = _next(step, *_state(connection, sequence))
        known = [current, *nexts.get(sequence, ())]
        if sequence in states:
            known.append(_next(step, *states[sequence]))
        goal = max(known) if step > 0 else min(known)
        if goal != current:
            connection.execute(
                sql.SQL("ALTER SEQUENCE {} RESTART WITH {}").format(
                    sequence.identifier, sql.Literal(goal)
                )
            )


def _resolved(
    connection: psycopg.Connection[tuple[Any, ...]], backup: Mapping[str, tuple[int, bool]]
) -> Iterator[tuple[Table, tuple[int, bool]]]:
    """``backup`` by the names in the catalogue."""
    query = """
        SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.oid = to_regclass(%s)
    """
    for written, state in backup.items():
        for schema, name in connection.execute(query, [written]):
            yield Table(schema, name), state


def _next(step: int, last_value: int, is_called: bool) -> int:
    return last_value + step if is_called else last_value


def _state(connection: psycopg.Connection[tuple[Any, ...]], sequence: Table) -> tuple[int, bool]:
    query = sql.SQL("SELECT last_value, is_called FROM {}").format(sequence.identifier)
    for last_value, is_called in connection.execute(query):
        return int(last_value), bool(is_called)
    raise AssertionError(f"{sequence} has no row")


def _edge(
    connection: psycopg.Connection[tuple[Any, ...]],
    table: Table,
    column: str,
    aggregate: LiteralString,
) -> Iterator[int]:
    """The highest (or lowest) value of ``column``; nothing when there is none."""
    query = sql.SQL("SELECT {}({}) FROM {}").format(
        sql.SQL(aggregate), sql.Identifier(column), table.identifier
    )
    return (int(value) for (value,) in connection.execute(query) if value is not None)
