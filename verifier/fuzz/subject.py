"""An implementation as it is put to worlds: which backups it can read, what it promises."""

from __future__ import annotations

from dataclasses import dataclass

from verifier.implementations import Implementation
from verifier.implementations.configured import Configured
from verifier.implementations.guest import Guest
from verifier.implementations.initial_load import InitialLoad
from verifier.implementations.pg_dump import DumpFormat, PgDump
from verifier.implementations.row_by_row import RowByRow
from verifier.model.world import BackupForm

_OWN = (BackupForm.OWN,)
_SQL = (BackupForm.COPY, BackupForm.INSERTS)


@dataclass(frozen=True)
class Subject:
    """An implementation under test."""

    implementation: Implementation
    forms: tuple[BackupForm, ...]
    """The backups that it is given."""
    promises: bool
    """It promises what the built-in implementation does (``docs/restore.md``), and is asked
    for it; of others only the contract is demanded."""

    @property
    def name(self) -> str:
        return self.implementation.name


def subject(implementation: Implementation) -> Subject:
    """``implementation``, with what can be known of it.

    Of somebody else's, the backup is its own, unless its configuration says that a built-in
    implementation makes it.
    """
    own = implementation.hosted if isinstance(implementation, Guest) else implementation
    if isinstance(own, InitialLoad):
        return Subject(implementation, (*_SQL, BackupForm.JSON, BackupForm.OWN), promises=True)
    if isinstance(own, RowByRow):
        return Subject(implementation, (*_SQL, BackupForm.OWN), promises=False)
    if isinstance(own, Configured):
        return Subject(implementation, _made_by(own.backs_up), promises=False)
    return Subject(implementation, _made_by(own), promises=False)


def _made_by(maker: object) -> tuple[BackupForm, ...]:
    """The forms of a backup that may stand in for one that ``maker`` makes."""
    if isinstance(maker, PgDump) and maker.form is DumpFormat.PLAIN:
        return (BackupForm.COPY, BackupForm.OWN)
    if isinstance(maker, InitialLoad) and maker.file == "backup.sql":
        return (BackupForm(maker.format), BackupForm.OWN)
    if isinstance(maker, RowByRow):
        return (BackupForm.INSERTS, BackupForm.OWN)
    return _OWN
