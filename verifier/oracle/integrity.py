"""Findings about integrity: every rule of the target, proved by query.

``convalidated`` is never trusted: rows written with triggers off leave it true. The
unique keys are counted without index scans, because a damaged index would
otherwise be asked about itself; only exclusion constraints of large tables need theirs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from verifier.contract import Evidence, Finding, Guarantee
from verifier.dsn import Dsn
from verifier.oracle.catalog import Exclusion, Feed, ForeignKey, Schema, Table, UniqueKey
from verifier.oracle.collect import Findings
from verifier.oracle.diff import schema_changes, setting_changes
from verifier.oracle.session import looking
from verifier.oracle.snapshot import Snapshot, TableRows

_ROWS_TO_PAIR = 3000
"""Up to so many rows every pair is looked at; it takes a second or two."""
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
    indexed: bool = False
    """Whether it may use an index on a large table, where it would take every pair of rows."""
    source: str = ""
    """What :attr:`each_row` is read from."""
    each_row: str = ""
    """SQL that is true for a row against it, where it takes no other row to tell."""


_NO_INDEXES = "; ".join(
    f"SET LOCAL {setting} = off"
    for setting in ("enable_indexscan", "enable_indexonlyscan", "enable_bitmapscan")
)
"""For the time of a transaction: a damaged index must not be asked about itself."""


def violations(dsn: Dsn, schema: Schema) -> list[Finding]:
    """Every row that breaks a rule of ``schema`` in the database at ``dsn``.

    Raises :class:`~verifier.errors.ObservationError` when it cannot be asked.
    """
    found: list[Finding] = []
    with looking(dsn) as connection:
        for rule in broken(connection, list(rules(schema))):
            found += _rows_against(connection, rule)
    return found


def broken(connection: psycopg.Connection[Any], asked: Sequence[Rule]) -> list[Rule]:
    """Those of some rules that do not hold; all of them in one or two questions."""
    found: list[Rule] = []
    large = [rule for rule in asked if rule.indexed and _is_large(connection, rule.table)]
    for some in (large, [rule for rule in asked if rule not in large]):
        if some is not large:
            connection.execute(_NO_INDEXES.encode())
        if some:
            rows: dict[str, list[Rule]] = defaultdict(list)
            for rule in some:
                rows[rule.table if rule.each_row else ""].append(rule)
            others = rows.pop("", [])
            parts = [_one_scan(these) for these in rows.values()]
            parts.append(f"ARRAY[{', '.join(f'EXISTS ({r.query})' for r in others)}]::boolean[]")
            query = f"SELECT {' || '.join(parts)}"
            (answers,) = connection.execute(query.encode()).fetchone() or ((),)
            ordered = [rule for these in (*rows.values(), others) for rule in these]
            found += [rule for rule, yes in zip(ordered, answers, strict=True) if yes]
    return found


def count_against(connection: psycopg.Connection[Any], rule: Rule) -> int:
    """How many rows (or groups of them) are against a rule."""
    if not (rule.indexed and _is_large(connection, rule.table)):
        connection.execute(_NO_INDEXES.encode())
    query = f"SELECT count(*) FROM ({rule.query}) against"
    (rows,) = connection.execute(query.encode()).fetchone() or (0,)
    return int(rows)


def _is_large(connection: psycopg.Connection[Any], table: str) -> bool:
    query = f"SELECT count(*) FROM (SELECT FROM {table} LIMIT {_ROWS_TO_PAIR + 1}) few"
    (rows,) = connection.execute(query.encode()).fetchone() or (0,)
    return int(rows) > _ROWS_TO_PAIR


def _one_scan(asked: Sequence[Rule]) -> str:
    """SQL of whether rules about the rows of one table are broken, as an array."""
    answers = ", ".join(f"coalesce(bool_or({rule.each_row}), false)" for rule in asked)
    return f"(SELECT ARRAY[{answers}] FROM {asked[0].source})"


def judge_integrity(
    source: Snapshot,
    before: Snapshot,
    after: Snapshot,
    old: list[Finding],
    new: list[Finding],
    findings: Findings,
) -> None:
    """Report what the restore broke; what was broken before it is not its doing."""
    for finding in new:
        if finding not in old:
            findings.add(finding)
    _judge_ends(source, before, after, findings)
    for change in schema_changes(before, after):
        title = "the restore changed the target's schema"
        findings.add(change.finding(Guarantee.INTEGRITY, title))
    for change in setting_changes(before, after):
        title = "the restore changed the target's settings"
        findings.add(change.finding(Guarantee.INTEGRITY, title))


def _judge_ends(source: Snapshot, before: Snapshot, after: Snapshot, findings: Findings) -> None:
    """A sequence that was moved so far that it has no value left makes INSERTs fail, too.

    One that had none left in the source, or in the target before, may well have none now, and
    so may one whose column is at its end.
    """
    for feed in after.schema.feeds:
        now = after.sequences.get(feed.sequence)
        stood = (each.sequences.get(feed.sequence, (0, False)) for each in (source, before))
        if now is None or feed.has_next(*now) or not all(feed.has_next(*each) for each in stood):
            continue
        if feed.table in after.tables and not _is_used_up(feed, after.tables[feed.table]):
            findings.add(
                Finding(
                    guarantee=Guarantee.INTEGRITY,
                    title=f"sequence {feed.sequence} is at its end: the next INSERT will fail",
                    table=feed.table,
                    columns=(feed.column,),
                    evidence=(Evidence("target", {"last_value": str(now[0])}),),
                )
            )


def _is_used_up(feed: Feed, rows: TableRows) -> bool:
    """Whether the column holds a value after which the sequence has none."""
    column = rows.columns.index(feed.column)
    given = (values[column] for values in rows.rows)
    return any(value is not None and not feed.has_next(int(value), True) for value in given)


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


def rules(schema: Schema) -> Iterator[Rule]:
    """Everything that has to hold in a database with this schema."""
    for foreign_key in schema.foreign_keys:
        yield _no_orphans(schema, foreign_key)
    for exclusion in schema.exclusions:
        yield _no_overlaps(schema.tables[exclusion.table], exclusion)
    for table in schema.tables.values():
        for key in (key for key in table.keys if key.valid):
            yield _no_duplicates(table, key)
        for column in table.columns:
            if column.not_null:
                # Not "IS NULL": the planner takes the catalogue's word for that.
                null = f"num_nulls({_name(column.name)}) > 0"
                yield _row_rule("a NOT NULL column is NULL", table, null, columns=(column.name,))
        for check in table.checks:
            false = f"({check.expression}) IS FALSE"
            yield _row_rule("a check does not hold", table, false, check.name)
    for check in schema.domain_checks:
        (column_name,) = check.columns
        yield Rule(
            "a domain's check does not hold",
            check.table,
            # The expression calls the value VALUE, which reads as the name of a column, too.
            f"SELECT value AS {_name(column_name)} FROM (SELECT {_name(column_name)} AS value"
            f" FROM {schema.tables[check.table].rows}) v WHERE ({check.expression}) IS FALSE",
            check.name,
            check.columns,
        )
    for feed in schema.feeds:
        yield _not_behind(feed)


def _row_rule(
    title: str, table: Table, against: str, constraint: str = "", columns: tuple[str, ...] = ()
) -> Rule:
    query = f"SELECT * FROM {table.rows} WHERE {against}"
    return Rule(title, table.name, query, constraint, columns, source=table.rows, each_row=against)


def _name(identifier: str) -> str:
    return sql.Identifier(identifier).as_string()


def _no_orphans(schema: Schema, foreign_key: ForeignKey) -> Rule:
    pairs = list(zip(foreign_key.columns, foreign_key.referenced, strict=True))
    same = [
        f"p.{_name(theirs)} OPERATOR({operator}) c.{_name(ours)}"
        for (ours, theirs), operator in zip(pairs, foreign_key.operators, strict=True)
    ]
    covered = ""
    if foreign_key.period:
        (ours, theirs), _ = pairs[-1], same.pop()
        covered = f" HAVING range_agg(p.{_name(theirs)}) @> c.{_name(ours)}"
    joined = " AND ".join(same)
    given = (" OR " if foreign_key.full else " AND ").join(
        f"c.{_name(ours)} IS NOT NULL" for ours, _ in pairs
    )
    child = schema.tables[foreign_key.child].rows
    parent = foreign_key.partition or schema.tables[foreign_key.parent].rows
    return Rule(
        f"an orphan: its parent in {foreign_key.referred} does not exist",
        foreign_key.child,
        f"SELECT c.* FROM {child} c WHERE ({given})"
        f" AND NOT EXISTS (SELECT FROM {parent} p WHERE {joined}{covered})",
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


def _no_overlaps(table: Table, exclusion: Exclusion) -> Rule:
    pairs = " AND ".join(
        f"a.part{place} OPERATOR({operator}) b.part{place}"
        for place, operator in enumerate(exclusion.operators, 1)
    )
    parts = ", ".join(f"{part} AS part{n}" for n, part in enumerate(exclusion.parts, 1))
    rows = (
        f"(SELECT tableoid, ctid AS place, {parts}, to_json(t)::text AS row"
        f" FROM {table.rows} t WHERE {exclusion.predicate or 'true'})"
    )
    return Rule(
        "rows exclude each other",
        table.name,
        f"SELECT a.row AS one, b.row AS other FROM {rows} a JOIN {rows} b"
        f" ON (a.tableoid, a.place) < (b.tableoid, b.place) AND {pairs}",
        exclusion.name,
        exclusion.columns,
        indexed=True,
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
