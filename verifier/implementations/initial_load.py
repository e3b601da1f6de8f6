"""The built-in restore as an implementation under test, and for the commands."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Self

from verifier import initial_load
from verifier.contract import Claim, Guarantee
from verifier.dsn import Dsn
from verifier.implementations.base import Backup, Endpoint
from verifier.transfer import BackedUp, BackupOptions, Format, Progress, RestoreOptions, Style

_SQL = (Format.COPY, Format.INSERTS)


def backup(
    source: Dsn, path: Path, options: BackupOptions, progress: Progress | None = None
) -> BackedUp:
    """Back up ``source`` to ``path``. Raises :class:`~verifier.errors.RestoreVerifierError`."""
    return initial_load.backup(source, path, options, progress)


def restore(
    path: Path, target: Dsn, options: RestoreOptions, progress: Progress | None = None
) -> Claim:
    """Restore the backup ``path`` into ``target``; the claim says whether it succeeded."""
    return initial_load.restore(path, target, options, progress)


def convert(
    path: Path,
    target: Dsn,
    out: Path,
    style: Style,
    options: RestoreOptions,
    progress: Progress | None = None,
) -> Claim:
    """Write the backup ``path`` to ``out`` as upserts for ``target``, which stays as it is."""
    return initial_load.convert(path, target, out, style, options, progress)


def clean(
    path: Path,
    target: Dsn,
    out: Path,
    form: Format,
    options: RestoreOptions,
    progress: Progress | None = None,
) -> Claim:
    """Write the backup ``path`` to ``out`` as ``target`` would take it, which stays as it is."""
    return initial_load.clean(path, target, out, form, options, progress)


class InitialLoad:
    """A backup with a manifest, read as data and merged into the target in one transaction."""

    name = "initial-load"
    not_offered: Mapping[Guarantee, str] = MappingProxyType({})

    def __init__(
        self,
        to_back_up: BackupOptions | None = None,
        to_restore: RestoreOptions | None = None,
        *,
        compress: str = "",
    ) -> None:
        """With options of its own; the control tables are those of the endpoint.

        ``compress``: ``gz`` or ``zst``, else the backup is not compressed.
        """
        self._to_back_up = to_back_up or BackupOptions()
        self._to_restore = to_restore or RestoreOptions()
        self.format = self._to_back_up.format
        kind = "sql" if self.format in _SQL else self.format
        self.file = f"backup.{kind}" + (f".{compress}" if compress else "")
        """What the backup is called; its name says how it is compressed."""

    def asked(self, options: RestoreOptions) -> Self:
        """The same, for restores with ``options``."""
        other = copy.copy(self)
        other._to_restore = options
        return other

    def backup(self, source: Endpoint) -> Backup:
        """Write the backup to the source's work directory."""
        options = replace(
            self._to_back_up,
            control_tables=source.control_tables,
            exclude=(*self._to_back_up.exclude, *source.leave_out),
        )
        return Backup((backup(source.dsn, source.workdir / self.file, options).path,))

    def restore(self, backup: Backup, target: Endpoint) -> Claim:
        """Restore the backup's one file; leaves nothing but the rows behind."""
        (path,) = backup.files
        options = replace(self._to_restore, control_tables=target.control_tables)
        return restore(path, target.dsn, options)
