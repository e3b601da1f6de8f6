"""Mistakes about the order of writing, and about what is switched off meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from verifier.implementations.row_by_row import Content, RowByRow
from verifier.implementations.target import Table, TableRow, Target


class BackupOrder(RowByRow):
    """Trusts the order of the backup, which knows nothing of the target's foreign keys (O01)."""

    name = "faulty:backup-order"

    def order(self, target: Target, tables: Sequence[Table]) -> Sequence[Table]:
        return tables

    def sort(self, target: Target, table: Table, rows: Sequence[TableRow]) -> Sequence[TableRow]:
        return rows


class ConstraintsDeferred(BackupOrder):
    """Has every foreign key checked at the end, instead of writing parents first (O03)."""

    name = "faulty:constraints-deferred"

    def begin(self, target: Target, content: Content) -> None:
        self._alter(target, "DEFERRABLE INITIALLY DEFERRED")

    def end(self, target: Target, content: Content) -> None:
        super().end(target, content)
        self._alter(target, "NOT DEFERRABLE")

    def _alter(self, target: Target, when: str) -> None:
        for key in target.references:
            target.run(
                "ALTER TABLE {} ALTER CONSTRAINT {} " + when,
                key.child.identifier,
                sql.Identifier(key.name),
            )


class ForeignKeysNotValid(BackupOrder):
    """Drops the foreign keys, loads, and adds them again without looking at the rows (O04)."""

    name = "faulty:foreign-keys-not-valid"

    def begin(self, target: Target, content: Content) -> None:
        for key in target.references:
            target.run(
                "ALTER TABLE {} DROP CONSTRAINT {}",
                key.child.identifier,
                sql.Identifier(key.name),
            )

    def end(self, target: Target, content: Content) -> None:
        for key in target.references:
            target.run(
                "ALTER TABLE {} ADD CONSTRAINT {} " + f"{key.definition} NOT VALID",
                key.child.identifier,
                sql.Identifier(key.name),
            )
        super().end(target, content)


class TriggersOffAndOn(RowByRow):
    """Switches every trigger off and then every trigger on, the ones that were off, too (O05)."""

    name = "faulty:triggers-off-and-on"

    def begin(self, target: Target, content: Content) -> None:
        for table in content.rows:
            target.run("ALTER TABLE {} DISABLE TRIGGER USER", table.identifier)

    def end(self, target: Target, content: Content) -> None:
        super().end(target, content)
        for table in content.rows:
            target.run("ALTER TABLE {} ENABLE TRIGGER USER", table.identifier)
