"""What a mutation of the self-test is, and how the tables of them are written."""

from __future__ import annotations

from dataclasses import dataclass

from verifier.selftest.witnesses import rows_of

ROWS = "rows"
"""The kind of a place where rows differ; its name is the table's."""

LARGE_OBJECT = "large object"
"""The kind of a large object's place; its name is the number."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """One small change to a correctly restored database."""

    area: str
    """``data``, ``structure`` or ``state``."""
    name: str
    """What is changed, in words."""
    sql: str
    """Run by the administrator in one transaction."""
    where: tuple[str, str]
    """What the comparison has to name: :data:`ROWS` and a table as SQL writes it, or kind
    and name of an :class:`~verifier.comparison.ObjectChange`."""
    witness: str
    """A query whose result has to change; it shares nothing with the oracle."""
    since: int = 13
    """The first major version that has it."""
    needs: str = ""
    """The optional feature (``xml``, an extension's name) that both servers must have."""


def in_rows(name: str, table: str, sql: str, since: int = 13, needs: str = "") -> Mutation:
    """A mutation of the rows of ``table``, with triggers and foreign keys out of the way."""
    sql = f"SET LOCAL session_replication_role = replica; {sql}"
    return Mutation("data", name, sql, (ROWS, table), rows_of(table), since, needs)


def in_value(
    name: str, table: str, row: int, assignment: str, since: int = 13, needs: str = ""
) -> Mutation:
    """A mutation of one row of ``public.table``, found by its id."""
    table = f"public.{table}"
    sql = f"UPDATE {table} SET {assignment} WHERE id = {row}"  # noqa: S608
    return in_rows(name, table, sql, since, needs)


def in_object(
    name: str, where: tuple[str, str], witness: str, sql: str, since: int = 13, needs: str = ""
) -> Mutation:
    """A mutation of a definition."""
    return Mutation("structure", name, sql, where, witness, since, needs)


def in_state(
    name: str, where: tuple[str, str], witness: str, sql: str, since: int = 13
) -> Mutation:
    """A mutation of what neither a row nor a definition shows."""
    return Mutation("state", name, sql, where, witness, since)
