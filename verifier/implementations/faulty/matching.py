"""Mistakes about which rows are one row, and about what hangs on them."""

from __future__ import annotations

import psycopg
from psycopg import sql

from verifier.implementations.row_by_row import Content, RowByRow
from verifier.implementations.target import Key, Outcome, Table, TableRow, Target

Identity = tuple[Table, tuple[str | None, ...]]


class UpsertById(RowByRow):
    """Takes the primary key for the identity of a row, whatever else is unique (trap U01)."""

    name = "faulty:upsert-by-id"


class CompositeUpsert(RowByRow):
    """Upserts by a composite business key and overwrites the id with the incoming one (U03).

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


class FirstDuplicateWins(RowByRow):
    """Skips a row that is there under another id, and then the children of what was skipped (U02).

    ``ON CONFLICT DO NOTHING`` in a loop that takes a missing parent for one more duplicate.
    """

    name = "faulty:first-duplicate-wins"

    def write(self, target: Target, row: TableRow) -> Outcome | None:
        try:
            with target.connection.transaction():
                return super().write(target, row)
        except (psycopg.errors.UniqueViolation, psycopg.errors.ForeignKeyViolation):
            return None


class OneLevel(RowByRow):
    """Merges duplicates and re-points their children, which may then be duplicates, too (U02).

    The map of duplicates is made once, from the rows as the backup has them.
    """

    name = "faulty:one-level"

    def begin(self, target: Target, content: Content) -> None:
        self._survivors: dict[Identity, Identity] = {}
        for table, rows in content.rows.items():
            identity = target.identity(table)
            for key in target.keys(table):
                first: dict[tuple[str | None, ...], Identity] = {}
                for row in rows:
                    values, own = row.key(key.columns), (table, row.key(identity.columns))
                    if None not in values and first.setdefault(values, own) != own:
                        self._survivors[own] = first[values]

    def write(self, target: Target, row: TableRow) -> Outcome | None:
        if (row.table, row.key(target.identity(row.table).columns)) in self._survivors:
            return None
        values = dict(row.values)
        for key in target.references:
            parent = (key.parent, row.key(key.columns))
            if key.child == row.table and parent in self._survivors:
                _, survivor = self._survivors[parent]
                values |= zip(key.columns, survivor, strict=True)
        return super().write(target, TableRow(row.table, values))


class DoNothing(RowByRow):
    """Inserts with a bare ``ON CONFLICT DO NOTHING``: what is there stays as old as it is (U04)."""

    name = "faulty:do-nothing"

    def write(self, target: Target, row: TableRow) -> Outcome | None:
        return target.insert(row, unless_there=True)


class NullKeys(RowByRow):
    """Upserts by a key in which NULLs are, or inserts where there is no key (U06, U09).

    Every run adds the rows with a NULL once more, and all rows without a key.
    """

    name = "faulty:null-keys"

    def write(self, target: Target, row: TableRow) -> Outcome | None:
        keys = target.keys(row.table)
        return target.upsert(row, on=_preferred(keys)) if keys else target.insert(row)


def _preferred(keys: list[Key]) -> Key:
    return next((key for key in keys if key.not_null), keys[0])


class TruncateFirst(RowByRow):
    """Empties the tables of the backup before it fills them, and whatever refers to them (O06)."""

    name = "faulty:truncate-first"

    def begin(self, target: Target, content: Content) -> None:
        tables = [table.identifier for table in content.rows if target.written(table)]
        if tables:
            target.run("TRUNCATE {} CASCADE", sql.SQL(", ").join(tables))
