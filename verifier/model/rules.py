"""Which rules of a schema the rows of a database break."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from verifier.model.breach import NotModelled
from verifier.model.expressions import Ask, refuse, table_of
from verifier.model.keys import Keys, KeyValue, needed
from verifier.model.schema import Check, ForeignKey, Key, PartitionBy, Row, Schema, Table
from verifier.model.types import domain_of
from verifier.model.values import comparable


@dataclass(frozen=True)
class Violation:
    """A row that breaks a rule."""

    cause: str
    """The kind of rule that is broken, without names."""
    rule: str
    """The constraint's name, or ``table id.column`` where a column may not be NULL."""
    table: Table
    row: Row
    about: str = ""
    """What of the row it is about, where the rule does not say."""

    def __str__(self) -> str:
        return f"{self.cause}: {self.table.id} {self.row}, {self.about or self.rule}"


def violations(
    schema: Schema,
    rows: Mapping[str, tuple[Row, ...]],
    lacks: frozenset[str] = frozenset(),
    ask: Ask = refuse,
) -> Iterator[Violation]:
    """Every row that breaks a rule; ``lacks`` names those that nobody is held to.

    What is not modelled, and ``ask`` does not know either, is taken to be right.
    """
    keys = Keys(schema, ask)
    for table in schema.tables:
        held = rows.get(table.id, ())
        for row in held:
            yield from of_row(keys, table, row, lacks)
        for key in table.keys:
            if key.name not in lacks:
                yield from _duplicates(keys, table, key, held)
        for foreign_key in table.foreign_keys:
            if foreign_key.name not in lacks:
                yield from _orphans(keys, table, foreign_key, rows)


def of_row(
    keys: Keys,
    table: Table,
    row: Row,
    lacks: frozenset[str] = frozenset(),
    *,
    sure: bool = False,
) -> Iterator[Violation]:
    """The rules that a row breaks by itself.

    ``lacks``: names of rules that it is not held to, and ids of tables to whose partitions it is
    not. ``sure``: raise :class:`NotModelled` for a check that nobody can evaluate.
    """
    if len(row) != len(table.stored):
        yield Violation("a row has not the columns of its table", table.id, table, row)
        return
    for column, value in zip(table.stored, row, strict=True):
        if value is None and needed(table, column.name, keys.schema, lacks):
            rule = f"{table.id}.{column.name}"
            yield Violation("a NOT NULL column is NULL", rule, table, row)
        yield from _of_domain(keys, table, row, column.name, lacks, sure)
    for check in table.checks:
        if check.name not in lacks and _refuses(keys, check, table, row, sure):
            yield Violation("a check is false", check.name, table, row)
    if table.id not in lacks and not _has_partition(keys, table, row):
        yield Violation("no partition takes the row", table.id, table, row)


def _of_domain(
    keys: Keys, table: Table, row: Row, column: str, lacks: frozenset[str], sure: bool
) -> Iterator[Violation]:
    domain = domain_of(keys.types[table.id, column], keys.schema)
    value = row[table.places[column]]
    for check in domain.checks if domain else ():
        if not domain or check.name in lacks:
            continue
        if _refuses(keys, check, table_of(domain), (value,), sure):
            yield Violation("a domain's check is false", check.name, table, row, column)


def _refuses(keys: Keys, check: Check, table: Table, row: Row, sure: bool) -> bool:
    try:
        return keys.refuses(check, table, row)
    except NotModelled:
        if sure:
            raise
        return False


def _has_partition(keys: Keys, table: Table, row: Row) -> bool:
    """Whether a partitioned table has one for ``row``; those of hashes are complete."""
    parts = table.partitioning
    if parts is None or parts.by is PartitionBy.HASH or any(not p.values for p in parts.parts):
        return True
    type = keys.types[table.id, parts.column]
    value = comparable(type, keys.schema, row[table.places[parts.column]])
    for part in parts.parts:
        try:
            bounds = [comparable(type, keys.schema, bound) for bound in part.values]
        except (ValueError, ArithmeticError):
            return True  # MINVALUE, or an expression
        if parts.by is PartitionBy.LIST and value in bounds:
            return True
        if parts.by is PartitionBy.RANGE and value is not None:
            first, end = bounds
            if first <= value < end:  # type: ignore[operator]
                return True
    return False


def _duplicates(keys: Keys, table: Table, key: Key, rows: tuple[Row, ...]) -> Iterator[Violation]:
    seen: set[KeyValue] = set()
    for row in rows:
        try:
            value = keys.value(table, key, row)
        except NotModelled:
            continue
        if value is not None and value in seen:
            yield Violation("a unique key is there twice", key.name, table, row)
        if value is not None:
            seen.add(value)


def _orphans(
    keys: Keys, table: Table, key: ForeignKey, rows: Mapping[str, tuple[Row, ...]]
) -> Iterator[Violation]:
    parent = keys.schema.by_id[key.parent]
    there = Counter(keys.cells(parent, key.references, row) for row in rows.get(key.parent, ()))
    for row in rows.get(table.id, ()):
        cells = keys.cells(table, key.columns, row)
        missing = cells.count(None)
        if key.full and 0 < missing < len(cells):
            yield Violation("a MATCH FULL reference is NULL in part", key.name, table, row)
        elif not missing and not there[cells]:
            yield Violation("a foreign key finds no parent", key.name, table, row)
