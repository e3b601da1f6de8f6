"""Who restores a shop: commands, the backup that each of them reads, and what it is called."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import upserts

from verifier.dsn import Dsn, without_libpq
from verifier.errors import RestoreVerifierError
from verifier.programs import client
from verifier.servers import Database


class Backup(StrEnum):
    """A file with the shop's rows."""

    COPY = "copy.sql"
    INSERTS = "inserts.sql"
    UPSERTS = "upserts.sql"
    OWN = "own.backup"


@dataclass(frozen=True, slots=True)
class Restorer:
    """One way to restore one kind of backup."""

    name: str
    """As ``--only`` has it."""
    words: str
    backup: Backup
    ours: bool
    again: bool
    """Whether the same backup can be restored once more into the same database."""

    def command(self, file: Path, major: int) -> Sequence[str | Path]:
        if self.ours:
            return [_PROGRAM, "restore", file]
        return [client("psql", server=major), *_PSQL, file]

    def environ(self, target: Dsn) -> Mapping[str, str]:
        if self.ours:
            return {"RESTORE_VERIFIER_TARGET_DSN": target.conninfo}
        return target.environ


_PROGRAM = Path(sys.executable).with_name("restore-verifier")
_PSQL = ("-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-f")

COPY = Restorer("copy", "psql, COPY dump", Backup.COPY, ours=False, again=False)
INSERTS = Restorer("inserts", "psql, INSERT dump", Backup.INSERTS, ours=False, again=False)
UPSERTS = Restorer("upserts", "psql, row-by-row upserts", Backup.UPSERTS, ours=False, again=True)
OURS_COPY = Restorer("ours-copy", "ours, COPY dump", Backup.COPY, ours=True, again=True)
OURS_INSERTS = Restorer("ours-inserts", "ours, INSERT dump", Backup.INSERTS, ours=True, again=True)
OURS_OWN = Restorer("ours-own", "ours, own backup", Backup.OWN, ours=True, again=True)

ALL = (COPY, OURS_COPY, OURS_OWN, OURS_INSERTS, INSERTS, UPSERTS)
"""The limit first: nothing that writes the same rows is expected to be faster."""


def back_up(source: Database, backup: Backup, directory: Path) -> Path:
    """Make one kind of backup of the shop. Raises :class:`RestoreVerifierError`."""
    file = directory / backup
    if backup is Backup.UPSERTS:
        upserts.write(directory / Backup.INSERTS, file)
        return file
    if backup is Backup.OWN:
        command = [_PROGRAM, "backup", file]
        environ = {"RESTORE_VERIFIER_SOURCE_DSN": source.dsn.conninfo}
    else:
        rows = ["--column-inserts"] if backup is Backup.INSERTS else []
        plain = ["--data-only", "--no-owner", "--no-privileges", *rows, "-f", file]
        command = [client("pg_dump", server=source.server.major), *plain]
        environ = source.dsn.environ
    run = subprocess.run(
        [str(each) for each in command],
        env={**without_libpq(os.environ), **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if run.returncode:
        said = run.stderr.strip()[-300:]
        raise RestoreVerifierError(f"{backup} was not made: {Path(command[0]).name} said: {said}")
    return file
