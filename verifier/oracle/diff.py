"""The difference between two snapshots of one database, and between two rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from psycopg import sql

from verifier.contract import Evidence, Finding, Guarantee, Row, Severity
from verifier.oracle import documents, structure
from verifier.oracle.catalog import Table
from verifier.oracle.snapshot import Snapshot, TableRows, Values


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is not as it was."""

    what: str
    """``row added``, ``row removed``, ``row changed``, ``sequence moved``, ``schema changed`` …"""
    table: str
    key: Row
    before: Row | None
    after: Row | None
    query: str = ""
    """SQL that shows the row."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that differ, for a changed row."""
        if self.before is None or self.after is None:
            return ()
        return differing(self.before, self.after)

    def finding(
        self,
        guarantee: Guarantee,
        title: str,
        *,
        labels: tuple[str, str] = ("target before", "target"),
        severity: Severity = Severity.BREACH,
        database: str = "target",
    ) -> Finding:
        """This change of ``database``; ``labels`` name the state before and the one after."""
        rows = zip(labels, (self.before, self.after), strict=True)
        return Finding(
            guarantee=guarantee,
            severity=severity,
            title=f"{title}: {self.what}",
            table=self.table,
            key=self.key,
            columns=self.columns,
            evidence=tuple(Evidence(label, row) for label, row in rows if row is not None),
            sql=self.query,
            database=database if self.query else "",
        )


def differing(expected: Row, observed: Row, only: Iterable[str] | None = None) -> tuple[str, ...]:
    """The columns whose texts differ, in order; a column that one side lacks differs."""
    names = list(dict.fromkeys([*expected, *observed])) if only is None else list(only)
    missing = object()
    return tuple(
        name for name in names if expected.get(name, missing) != observed.get(name, missing)
    )


def paths(expected: Row, observed: Row, columns: Iterable[str], table: Table) -> tuple[str, ...]:
    """``columns``, with the path inside for documents: ``settings['theme']`` for ``settings``."""
    types = {column.name: column.type for column in table.columns}
    found: list[str] = []
    for name in columns:
        if types.get(name) in ("json", "jsonb"):
            found += documents.inside(name, expected.get(name), observed.get(name)) or [name]
        else:
            found.append(name)
    return tuple(found)


def identity_of(table: Table, row: Row) -> dict[str, str | None]:
    """The columns that name a row: its identity, or all of it where there is none."""
    key = table.identity
    names = [name for name in key.columns if name] if key else list(row)
    return {name: row[name] for name in names if name in row}


def changes(before: Snapshot, after: Snapshot, only: Iterable[str] | None = None) -> list[Change]:
    """Every difference between two snapshots of the same database.

    ``only`` limits the comparison to the rows of some tables; sequences, large objects and
    schema are compared when it is ``None``.
    """
    names = sorted(set(before.tables) | set(after.tables)) if only is None else sorted(only)
    found: list[Change] = []
    for name in names:
        if name not in after.tables:
            found.append(Change("table removed", name, {}, None, None))
        elif name not in before.tables:
            found.append(Change("table added", name, {}, None, None))
        elif before.tables[name].columns != after.tables[name].columns:
            found.append(Change("table given other columns", name, {}, None, None))
        else:
            table = before.schema.tables[name]
            found += _row_changes(table, before.tables[name], after.tables[name])
    if only is None:
        found += _sequence_changes(before, after)
        found += _object_changes(before, after)
        found += schema_changes(before, after)
    return found


def _row_changes(table: Table, before: TableRows, after: TableRows) -> Iterator[Change]:
    identity = table.identity
    columns = tuple(name for name in identity.columns if name) if identity else ()
    if not columns:
        yield from _multiset_changes(table, before, after)
        return
    old = {before.values(place, columns): place for place in range(len(before.rows))}
    new = {after.values(place, columns): place for place in range(len(after.rows))}
    for values, place in old.items():
        row, key = before.row(place), dict(zip(columns, values, strict=True))
        if values not in new:
            yield Change("row removed", table.name, key, row, None, select(table, key))
        elif before.rows[place] != after.rows[new[values]]:
            now = after.row(new[values])
            yield Change("row changed", table.name, key, row, now, select(table, key))
    for values, place in new.items():
        if values not in old:
            key = dict(zip(columns, values, strict=True))
            now = after.row(place)
            yield Change("row added", table.name, key, None, now, select(table, key))


def _multiset_changes(table: Table, before: TableRows, after: TableRows) -> Iterator[Change]:
    old, new = Counter(before.rows), Counter(after.rows)
    for values in (old - new).elements():
        row = dict(zip(before.columns, values, strict=True))
        yield Change("row removed", table.name, row, row, None, select(table, row))
    for values in (new - old).elements():
        row = dict(zip(after.columns, values, strict=True))
        yield Change("row added", table.name, row, None, row, select(table, row))


def _object_changes(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    old, new = before.large_objects, after.large_objects
    for number in sorted({*old, *new}):
        if old.get(number) != new.get(number):
            what = "added" if number not in old else "changed" if number in new else "removed"
            yield Change(f"large object {what}", "", {"large object": number}, None, None)


def _sequence_changes(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    for name in sorted(set(before.sequences) & set(after.sequences)):
        old, new = before.sequences[name], after.sequences[name]
        if old != new:
            yield Change("sequence moved", name, {}, _position(old), _position(new))


def _position(state: tuple[int, bool]) -> dict[str, str | None]:
    return {"last_value": str(state[0]), "is_called": "true" if state[1] else "false"}


def schema_changes(before: Snapshot, after: Snapshot) -> list[Change]:
    """What differs in the definitions and states that a data restore must leave alone."""
    found = structure.changes_within(before.schema.inventory, after.schema.inventory)
    return [
        Change(f"{each.kind} {each.name}", each.relation, {}, each.source, each.target)
        for each in found
    ]


def setting_changes(before: Snapshot, after: Snapshot) -> list[Change]:
    """What of one and the same database's settings was changed, and outlives the restore."""
    old, new = before.settings, after.settings
    return [
        Change(name, "", {}, {"set to": old.get(name)}, {"set to": new.get(name)})
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    ]


def rewritten(before: Snapshot, after: Snapshot) -> Mapping[str, int]:
    """Table → rows that were written again although their content is the same."""
    found: dict[str, int] = {}
    for name, rows in before.tables.items():
        if name not in after.tables:
            continue
        old, new = _versions(rows), _versions(after.tables[name])
        same = sum((old & new).values())
        kept_rows = sum((Counter(rows.rows) & Counter(after.tables[name].rows)).values())
        if kept_rows > same:
            found[name] = kept_rows - same
    return found


def _versions(rows: TableRows) -> Counter[tuple[Values, str]]:
    return Counter(zip(rows.rows, rows.versions, strict=True))


_WITHOUT_EQUALITY = frozenset(
    ("json", "xml", "point", "line", "lseg", "box", "path", "polygon", "circle")
)
"""Types without an ``=`` that means the same value."""


def where(table: Table, row: Row) -> str:
    """A SQL condition that finds a row of ``table`` by some of its columns."""
    types = {column.name: column.type.removesuffix("[]") for column in table.columns}
    conditions = []
    for name, value in row.items():
        column = sql.Identifier(name).as_string()
        if types.get(name) in _WITHOUT_EQUALITY:
            column = f"{column}::text"
        literal = "IS NULL" if value is None else f"= {sql.Literal(value).as_string()}"
        conditions.append(f"{column} {literal}")
    return " AND ".join(conditions) or "true"


def select(table: Table, *keys: Row) -> str:
    """The query that shows some rows of a table."""
    conditions = " OR ".join(where(table, key) for key in keys)
    return f"SELECT * FROM {table.rows} WHERE {conditions}"
