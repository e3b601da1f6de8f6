"""Mistakes about what is said: of rows that are not there, and of failures."""

from __future__ import annotations

from dataclasses import replace

import psycopg

from verifier.contract import Claim, Counts, Rejection
from verifier.implementations.base import Backup, Endpoint
from verifier.implementations.initial_load import InitialLoad
from verifier.implementations.pg_dump import PgDump
from verifier.implementations.row_by_row import RowByRow
from verifier.implementations.target import Outcome, TableRow, Target
from verifier.transfer import quoted


class SwallowErrors(RowByRow):
    """Catches the error of each row, goes on, and counts the row as transferred (H15)."""

    name = "faulty:swallow-errors"

    def write(self, target: Target, row: TableRow) -> Outcome | None:
        try:
            with target.connection.transaction():
                return super().write(target, row)
        except psycopg.Error:
            return Outcome.INSERTED


class DropOrphans(RowByRow):
    """Skips rows whose parent is missing, without a word (O04)."""

    name = "faulty:drop-orphans"

    def write(self, target: Target, row: TableRow) -> Outcome | None:
        try:
            with target.connection.transaction():
                return super().write(target, row)
        except psycopg.errors.ForeignKeyViolation:
            return None


class _Told(InitialLoad):
    """Restores right, and says something else about it: what :meth:`tell` makes of the claim."""

    def restore(self, backup: Backup, target: Endpoint) -> Claim:
        return self.tell(super().restore(backup, target), backup, target)

    def tell(self, claim: Claim, backup: Backup, target: Endpoint) -> Claim:
        raise NotImplementedError


class CountsTheSent(_Told):
    """Counts the rows that were sent, whatever the server did with them (H15)."""

    name = "faulty:counts-the-sent"

    def tell(self, claim: Claim, backup: Backup, target: Endpoint) -> Claim:
        counts = {
            table: Counts(inserted=each.inserted + each.updated + each.unchanged + each.merged)
            for table, each in (claim.counts or {}).items()
        }
        return replace(claim, counts=counts)


class NamelessFailure(_Told):
    """Answers a failure with a status alone, as a service does that logs the cause (H15)."""

    name = "faulty:nameless-failure"

    def tell(self, claim: Claim, backup: Backup, target: Endpoint) -> Claim:
        if claim.success:
            return claim
        return Claim(success=False, exit_code=1, message="500 Internal Server Error")


class RejectsTheBatch(_Told):
    """Rejects all rows that were sent together with one that cannot be restored (H02)."""

    name = "faulty:rejects-the-batch"

    def tell(self, claim: Claim, backup: Backup, target: Endpoint) -> Claim:
        first = {each.table: each for each in reversed(claim.rejections or ())}
        if not first:
            return claim
        batch: list[Rejection] = []
        for table, rows in RowByRow().read(backup).rows.items():
            cause = first.get(f"{quoted(table.schema)}.{quoted(table.name)}")
            if cause is not None:
                batch += [
                    replace(cause, key={name: row.values.get(name) for name in cause.key})
                    for row in rows
                ]
        return replace(claim, rejections=tuple(batch))


class PasswordInMessage(_Told):
    """Tells where it failed by the connection string, password and all."""

    name = "faulty:password-in-message"

    def tell(self, claim: Claim, backup: Backup, target: Endpoint) -> Claim:
        if claim.success:
            return claim
        return replace(claim, message=f"{claim.message} [{target.dsn.conninfo}]")


class PsqlGoesOn(PgDump):
    """Runs psql without a transaction and without ON_ERROR_STOP: it ends with 0 (H01)."""

    name = "faulty:psql-goes-on"
    care = ()
