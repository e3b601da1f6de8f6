"""Mistakes about values: what a row becomes on its way, and what is set besides it."""

from __future__ import annotations

import json

from psycopg import sql

from verifier.implementations.row_by_row import Content, RowByRow
from verifier.implementations.target import Outcome, TableRow, Target

_NUMBERS = ("smallint", "integer", "bigint", "numeric", "real", "double precision")
_TIMES = ("timestamp", "time ")


class _Carried(RowByRow):
    """Carries every value through :meth:`carry`; NULL stays NULL."""

    def carry(self, value: str, kind: str, *, nullable: bool) -> str | None:
        """What becomes of ``value``, which goes into a column of type ``kind``."""
        raise NotImplementedError

    def write(self, target: Target, row: TableRow) -> Outcome | None:
        columns = target.columns(row.table)
        carried: dict[str, str | None] = {}
        for name, value in row.values.items():
            column = columns.get(name)
            carried[name] = (
                value
                if value is None or column is None
                else self.carry(value, column.kind, nullable=column.nullable)
            )
        return super().write(target, TableRow(row.table, carried))


class JsonTransport(_Carried):
    """Carries rows as JSON between programs whose every number is a float of 64 bits (F06)."""

    name = "faulty:json-transport"

    def carry(self, value: str, kind: str, *, nullable: bool) -> str | None:
        if kind.startswith(_NUMBERS) and not kind.endswith("[]"):
            number = float(value)
            if number.is_integer():
                return str(int(number))
            spoken = json.dumps(number)
            return "0" if spoken in ("NaN", "Infinity", "-Infinity") else spoken
        if kind.startswith(_TIMES) and "." in value:
            whole, _, rest = value.partition(".")
            digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
            return f"{whole}.{digits[:3]}{rest[len(digits) :]}"
        return value


class EmptyIsNull(_Carried):
    """Takes an empty text for no value, as a CSV file without quotes does (H04)."""

    name = "faulty:empty-is-null"

    def carry(self, value: str, kind: str, *, nullable: bool) -> str | None:
        return value or (None if nullable else value)


class TouchesUpdatedAt(RowByRow):
    """Sets "updatedAt" to the time of the restore in every row that is there already (F04)."""

    name = "faulty:touches-updated-at"

    def write(self, target: Target, row: TableRow) -> Outcome | None:
        outcome = super().write(target, row)
        if outcome is Outcome.INSERTED or "updatedAt" not in row.values:
            return outcome
        identity = target.identity(row.table)
        target.run(
            'UPDATE {} SET "updatedAt" = now() WHERE ({}) = ({})',
            row.table.identifier,
            sql.SQL(", ").join(map(sql.Identifier, identity.columns)),
            sql.SQL(", ").join(map(sql.Literal, row.key(identity.columns))),
        )
        return Outcome.UPDATED


class SequencesAsInTheBackup(RowByRow):
    """Sets every sequence to where it stood in the source, however far the target's was (F03)."""

    name = "faulty:sequences-as-in-the-backup"

    def advance(self, target: Target, content: Content) -> None:
        setval(target, content)


class SetvalFirst(RowByRow):
    """Sets the sequences before the rows are in; no rollback takes that back (F03)."""

    name = "faulty:setval-first"

    def begin(self, target: Target, content: Content) -> None:
        setval(target, content)


def setval(target: Target, content: Content) -> None:
    """Set the target's sequences to where the backup says that they stood."""
    for written, (value, called) in content.sequences.items():
        target.connection.execute(
            "SELECT setval(to_regclass(%s), %s, %s)", [written, value, called]
        )
