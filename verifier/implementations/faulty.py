"""Restores that are wrong on purpose, to prove that the oracle sees it.

Each is a mistake made in the field, and each is :class:`RowByRow` with one step
changed. :data:`FAULTS` says which guarantee each one breaks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import psycopg

from verifier.contract import Guarantee
from verifier.implementations.row_by_row import RowByRow
from verifier.implementations.target import Outcome, Table, TableRow, Target


class UpsertById(RowByRow):
    """Takes the primary key for the identity of a row, whatever else is unique in the target."""

    name = "faulty:upsert-by-id"


class BackupOrder(RowByRow):
    """Trusts the order of the backup, which knows nothing of the target's foreign keys."""

    name = "faulty:backup-order"

    def order(self, target: Target, tables: Sequence[Table]) -> Sequence[Table]:
        return tables

    def sort(self, target: Target, table: Table, rows: Sequence[TableRow]) -> Sequence[TableRow]:
        return rows


class SwallowErrors(RowByRow):
    """Catches the error of each row, goes on, and counts the row as transferred."""

    name = "faulty:swallow-errors"

    def write(self, target: Target, row: TableRow) -> Outcome | None:
        try:
            with target.connection.transaction():
                return super().write(target, row)
        except psycopg.Error:
            return Outcome.INSERTED


class CompositeUpsert(RowByRow):
    """Upserts by a composite business key and overwrites the id with the incoming one.

    The children of the row that loses its id are left without a parent.
    """

    name = "faulty:composite-upsert"

    def write(self, target: Target, row: TableRow) -> Outcome | None:
        identity = target.identity(row.table)
        for key in target.keys(row.table):
            # A NULL equals nothing: such a row is found by its primary key alone.
            if key != identity and len(key.columns) > 1 and None not in row.key(key.columns):
                return target.upsert(row, on=key)
        return target.upsert(row, on=identity)


class DropOrphans(RowByRow):
    """Skips rows whose parent is missing, without a word."""

    name = "faulty:drop-orphans"

    def write(self, target: Target, row: TableRow) -> Outcome | None:
        try:
            with target.connection.transaction():
                return super().write(target, row)
        except psycopg.errors.ForeignKeyViolation:
            return None


FAULTS: Mapping[str, Guarantee] = MappingProxyType(
    {
        UpsertById.name: Guarantee.MERGING,
        BackupOrder.name: Guarantee.ORDERING,
        SwallowErrors.name: Guarantee.HONESTY,
        CompositeUpsert.name: Guarantee.MERGING,
        DropOrphans.name: Guarantee.COMPLETENESS,
    }
)
"""The guarantee that each faulty implementation was made to break."""
