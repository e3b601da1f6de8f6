"""A backup by pg_dump: data only, every row an INSERT with its columns named."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from verifier.dsn import Dsn, redact
from verifier.errors import BackupError
from verifier.programs import client

_OPTIONS = (
    "--data-only",
    "--column-inserts",
    "--no-owner",
    "--no-privileges",
    "--encoding=UTF8",
    "--no-password",
)


def pattern(table: str) -> str:
    """pg_dump's pattern for the table ``table``, spelled exactly so, in any schema."""
    return '*."' + table.replace('"', '""') + '"'


def dump(dsn: Dsn, path: Path, *, major: int, control_tables: Iterable[str] = ()) -> Path:
    """Back up the database ``dsn`` (server version ``major``) to ``path``.

    The file appears under its name only when pg_dump has succeeded. Raises
    :class:`~verifier.errors.BackupError` with pg_dump's last lines.
    """
    program = client("pg_dump", server=major)
    part = path.with_name(path.name + ".part")
    command = [str(program), *_OPTIONS, f"--file={part}"]
    command += [f"--exclude-table={pattern(table)}" for table in control_tables]
    # The environment, because arguments are visible in the process list.
    environment = {**os.environ, **dsn.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        if done.returncode != 0:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()[-5:]
            raise BackupError(
                f"pg_dump of {dsn} failed with exit code {done.returncode}: "
                + redact("; ".join(said) or "it said nothing", dsn)
            )
        part.replace(path)
    except OSError as error:
        raise BackupError(f"pg_dump of {dsn} to {path} failed: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
    return path
