"""The built-in restore as an implementation under test."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from verifier.contract import Claim, Guarantee
from verifier.implementations.base import Backup, Endpoint
from verifier.initial_load import backup, restore
from verifier.transfer import BackupOptions, Format, RestoreOptions


class InitialLoad:
    """pg_dump's INSERT format, read as data and merged into the target in one transaction."""

    name = "initial-load"
    not_offered: Mapping[Guarantee, str] = MappingProxyType({})

    def backup(self, source: Endpoint) -> Backup:
        """Write ``backup.sql`` to the source's work directory."""
        options = BackupOptions(format=Format.INSERTS, control_tables=source.control_tables)
        return Backup((backup(source.dsn, source.workdir / "backup.sql", options).path,))

    def restore(self, backup: Backup, target: Endpoint) -> Claim:
        """Restore the backup's one file; leaves nothing but the rows behind."""
        (path,) = backup.files
        return restore(path, target.dsn, RestoreOptions(control_tables=target.control_tables))
