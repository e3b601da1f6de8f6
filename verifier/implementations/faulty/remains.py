"""Mistakes about the end: what stays behind when a restore fails, and what it lets in."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from typing import Any
from weakref import finalize

import psycopg
from psycopg import sql

from verifier import programs
from verifier.contract import Claim
from verifier.errors import BackupRefused
from verifier.implementations import process
from verifier.implementations.base import Backup, Endpoint
from verifier.implementations.initial_load import InitialLoad
from verifier.implementations.row_by_row import Content, RowByRow
from verifier.implementations.target import Target


class CommitPerTable(RowByRow):
    """Commits after each table (H02)."""

    name = "faulty:commit-per-table"

    def filled(self, target: Target) -> None:
        target.connection.commit()


class LockFile(InitialLoad):
    """Locks the target by a file that only a success removes: a retry finds it locked (H10)."""

    name = "faulty:lock-file"

    def restore(self, backup: Backup, target: Endpoint) -> Claim:
        (path,) = backup.files
        lock = path.with_name(f"{target.dsn.database}.lock")
        if lock.exists():
            words = f"another restore into {target.dsn} is under way; wait for its end"
            return Claim(success=False, exit_code=1, message=words)
        lock.touch()
        claim = super().restore(backup, target)
        if claim.success:
            lock.unlink()
        return claim


class FilesLeft(InitialLoad):
    """Restores from a copy in the work directory, which a failure leaves there (H10)."""

    name = "faulty:files-left"

    def restore(self, backup: Backup, target: Endpoint) -> Claim:
        (path,) = backup.files
        copy = target.workdir / path.name
        shutil.copyfile(path, copy)
        claim = super().restore(Backup((copy,)), target)
        if claim.success:
            copy.unlink()
        return claim


class SessionLeft(InitialLoad):
    """Takes a lock of the session, which a failure leaves to the pool of connections (H10)."""

    name = "faulty:session-left"

    def restore(self, backup: Backup, target: Endpoint) -> Claim:
        session: psycopg.Connection[Any] = psycopg.connect(target.dsn.conninfo, autocommit=True)
        finalize(self, session.close)
        taken = session.execute("SELECT pg_try_advisory_lock(71)").fetchone()
        if taken != (True,):
            session.close()
            words = f"another restore into {target.dsn} is under way; wait for its end"
            return Claim(success=False, exit_code=1, message=words)
        claim = super().restore(backup, target)
        if claim.success:
            session.close()
        return claim


class SettingsLeft(InitialLoad):
    """Has the database forgo what makes a load slow, for good (F08, H08)."""

    name = "faulty:settings-left"

    def restore(self, backup: Backup, target: Endpoint) -> Claim:
        with psycopg.connect(target.dsn.conninfo, autocommit=True) as session:
            session.execute(
                sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(
                    sql.Identifier(target.dsn.database)
                )
            )
        return super().restore(backup, target)


class CopiedMigrations(InitialLoad):
    """Restores the tables that describe the target itself, such as its migrations (F18)."""

    name = "faulty:copied-migrations"

    def backup(self, source: Endpoint) -> Backup:
        return super().backup(replace(source, control_tables=()))

    def restore(self, backup: Backup, target: Endpoint) -> Claim:
        return super().restore(backup, replace(target, control_tables=()))


class LenientReader(RowByRow):
    """Restores what it could read of a backup that is cut off or holds anything else (H03)."""

    name = "faulty:lenient-reader"

    def read(self, backup: Backup, *, without: Collection[str] = ()) -> Content:
        content = Content()
        with suppress(BackupRefused):
            self.collect(content, backup, without)
        return content


class Rehearsal(InitialLoad):
    """Has psql try the backup in a transaction that is rolled back, and restores it then (H13)."""

    name = "faulty:rehearsal"

    def restore(self, backup: Backup, target: Endpoint) -> Claim:
        (path,) = backup.files
        process.run(
            [
                programs.client("psql", server=target.major),
                *("-X", "--quiet", "--no-password", "-c", "BEGIN", "-f", path, "-c", "ROLLBACK"),
            ],
            environ=process.environ(target.dsn),
            cwd=target.workdir,
            timeout=60.0,
            secrets=[target.dsn],
        )
        return super().restore(backup, target)
