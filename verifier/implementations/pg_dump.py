"""pg_dump and psql, as people use them: what PostgreSQL's own tools keep and do not keep."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from verifier import programs
from verifier.contract import Claim, Guarantee
from verifier.errors import BackupError, NotOffered
from verifier.implementations import process
from verifier.implementations.base import Backup, Endpoint


class PgDump:
    """``pg_dump --data-only`` and ``psql -1 -v ON_ERROR_STOP=1``.

    The tables that describe the database itself are left out, as everybody learns to
    do after the first attempt: both sides have rows in ``_prisma_migrations``, and
    nothing else would ever be restored. Nothing is declared as not offered, so that a
    run shows what becomes of each guarantee.
    """

    name: str = "pg_dump"
    not_offered: Mapping[Guarantee, str] = MappingProxyType({})

    def __init__(self, *, timeout: float = 600.0) -> None:
        """``timeout``: seconds for the dump and for the restore, each."""
        self.timeout = timeout

    def backup(self, source: Endpoint) -> Backup:
        """Dump the data of ``source`` in COPY form.

        Raises :class:`BackupError`, and :class:`NotOffered` where rows are to be left out.
        """
        if source.leave_out:
            raise NotOffered("pg_dump leaves out whole tables, not rows of them")
        path = source.workdir / "backup.sql"
        arguments = ["--data-only", "--no-owner", "--no-privileges", "--no-password"]
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
            path.unlink(missing_ok=True)
            raise BackupError(
                f"tried to dump {source.dsn}: {_outcome('pg_dump', done, self.timeout)}"
            )
        return Backup((path,))

    def restore(self, backup: Backup, target: Endpoint) -> Claim:
        """Run the dump in one transaction; what psql's exit code says is the claim."""
        (path,) = backup.files
        done = process.run(
            [
                programs.client("psql", server=target.major),
                "-X", "-1", "-v", "ON_ERROR_STOP=1", "--quiet", "--no-password", "-f", path,
            ],
            environ=process.environ(target.dsn),
            cwd=target.workdir,
            timeout=self.timeout,
            secrets=[target.dsn],
        )  # fmt: skip
        success = done.exit_code == 0
        return Claim(
            success=success,
            exit_code=done.exit_code,
            message=done.last_words() if success else _outcome("psql", done, self.timeout),
        )


def _pattern(name: str) -> str:
    """A pattern of pg_dump that matches this table name in every schema."""
    return '*."' + name.replace('"', '""') + '"'


def _outcome(program: str, done: process.Finished, timeout: float) -> str:
    """How ``program`` failed, in one sentence and its own last words."""
    words = done.last_words() or "without a word"
    if done.timed_out:
        return f"{program} was stopped after {timeout:g} s: {words}"
    return f"{program} ended with exit code {done.exit_code}: {words}"
