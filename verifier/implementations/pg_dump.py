"""pg_dump with psql or pg_restore, as people use them: what PostgreSQL's own tools keep."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from verifier import programs
from verifier.contract import Claim, Guarantee
from verifier.errors import BackupError, NotOffered
from verifier.implementations import process
from verifier.implementations.base import Backup, Endpoint


class DumpFormat(StrEnum):
    """What pg_dump calls its formats (``--format``)."""

    PLAIN = "plain"
    CUSTOM = "custom"
    DIRECTORY = "directory"
    TAR = "tar"


_FILES = {
    DumpFormat.PLAIN: "backup.sql",
    DumpFormat.CUSTOM: "backup.dump",
    DumpFormat.DIRECTORY: "backup.dir",
    DumpFormat.TAR: "backup.tar",
}
_CUSTOM, _TAR = b"PGDMP", b"ustar"
_TAR_AT = 257


class PgDump:
    """``pg_dump --data-only``, and ``psql -1 -v ON_ERROR_STOP=1`` or ``pg_restore -1``.

    The tables that describe the database itself are left out, as everybody learns to
    do after the first attempt: both sides have rows in ``_prisma_migrations``, and
    nothing else would ever be restored. Nothing is declared as not offered, so that a
    run shows what becomes of each guarantee.
    """

    name: str = "pg_dump"
    not_offered: Mapping[Guarantee, str] = MappingProxyType({})
    care: tuple[str, ...] = ("-1", "-v", "ON_ERROR_STOP=1")
    """What psql is told so that it restores all or nothing, and says so."""

    def __init__(
        self, *, timeout: float = process.TIMEOUT, form: DumpFormat = DumpFormat.PLAIN
    ) -> None:
        """``timeout``: seconds for the dump and for the restore, each."""
        self.timeout, self.form = timeout, form

    def backup(self, source: Endpoint) -> Backup:
        """Dump the data of ``source`` in COPY form, or as an archive.

        Raises :class:`BackupError`, and :class:`NotOffered` where rows are to be left out.
        """
        if source.leave_out:
            raise NotOffered("pg_dump leaves out whole tables, not rows of them")
        path = source.workdir / _FILES[self.form]
        arguments = ["--data-only", "--no-owner", "--no-privileges", "--no-password"]
        arguments.append(f"--format={self.form}")
        arguments += [f"--exclude-table={_pattern(name)}" for name in source.control_tables]
        done = process.run(
            [programs.client("pg_dump", server=source.major), *arguments, f"--file={path}"],
            environ=process.environ(source.dsn),
            cwd=source.workdir,
            timeout=self.timeout,
            secrets=[source.dsn],
        )
        if done.exit_code != 0:
            # Half a dump looks like a whole one to psql.
            if path.is_dir():
                shutil.rmtree(path)
            path.unlink(missing_ok=True)
            raise BackupError(
                f"tried to dump {source.dsn}: {_outcome('pg_dump', done, self.timeout)}"
            )
        return Backup((path,))

    def restore(self, backup: Backup, target: Endpoint) -> Claim:
        """Run the dump in one transaction; what the program's exit code says is the claim."""
        (path,) = backup.files
        name = "pg_restore" if _is_archive(path) else "psql"
        arguments: list[str | Path] = [programs.client(name, server=target.major)]
        if name == "psql":
            arguments += ["-X", *self.care, "--quiet", "--no-password", f"--file={path}"]
        else:
            arguments += ["--data-only", "--single-transaction", "--exit-on-error", "--no-owner"]
            arguments += ["--no-privileges", "--no-password"]
            arguments += [f"--dbname={target.dsn.database}", path]
        done = process.run(
            arguments,
            environ=process.environ(target.dsn),
            cwd=target.workdir,
            timeout=self.timeout,
            secrets=[target.dsn],
        )
        success = done.exit_code == 0
        return Claim(
            success=success,
            exit_code=done.exit_code,
            message=done.last_words() if success else _outcome(name, done, self.timeout),
        )


def _is_archive(path: Path) -> bool:
    """Whether it takes pg_restore: a directory, or a file of pg_dump's other formats."""
    if not path.is_file():
        return path.is_dir()
    with path.open("rb") as file:
        head = file.read(_TAR_AT + len(_TAR))
    return head.startswith(_CUSTOM) or head.endswith(_TAR)


def _pattern(name: str) -> str:
    """A pattern of pg_dump that matches this table name in every schema."""
    return '*."' + name.replace('"', '""') + '"'


def _outcome(program: str, done: process.Finished, timeout: float) -> str:
    """How ``program`` failed, in one sentence and its own last words."""
    words = done.last_words() or "without a word"
    if done.timed_out:
        return f"{program} was stopped after {timeout:g} s: {words}"
    return f"{program} ended with exit code {done.exit_code}: {words}"
