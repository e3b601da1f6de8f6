"""The database that every mutation has a place in, and its correct restore."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import psycopg

from verifier import programs
from verifier.dsn import Dsn
from verifier.errors import ServerError
from verifier.implementations import process
from verifier.servers import Database, sessions

_EXTENSIONS = ("citext", "hstore", "pg_trgm", "vector")
"""Those that the world makes use of, where both servers offer them in the same version."""
_SECONDS = 300.0


def features(servers: Sequence[Dsn]) -> frozenset[str]:
    """What all ``servers`` can hold beyond the common ground: ``xml``, names of extensions.

    Raises :class:`ServerError` where the account is no superuser.
    """
    return frozenset.intersection(*map(_features, servers))


def _features(dsn: Dsn) -> frozenset[str]:
    with sessions.connect(dsn) as session:
        ((superuser,),) = session.execute(
            "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
        ).fetchall()
        if not superuser:
            raise ServerError(
                f"the self-test looks at everything and changes catalogues, which the account"
                f" of {dsn} may not; give a superuser's connection string"
            )
        available = session.execute(
            "SELECT name FROM pg_available_extensions WHERE name = ANY (%s)", [list(_EXTENSIONS)]
        ).fetchall()
        found = {name for (name,) in available}
        try:
            session.execute("SELECT '<a/>'::xml")
        except psycopg.errors.FeatureNotSupported:
            return frozenset(found)
        return frozenset({*found, "xml"})


def build(database: Database, major: int, features: frozenset[str]) -> None:
    """Make the world in an empty ``database``, as its administrator.

    ``major`` is the older server's version: nothing that it lacks is made.
    """
    script = (files("verifier.selftest") / "world.sql").read_bytes()
    with sessions.connect(database.admin, client_encoding="UTF8") as session:
        session.execute(
            "SELECT set_config('selftest.major', %s, false),"
            " set_config('selftest.features', %s, false)",
            [str(major), ",".join(sorted(features))],
        )
        session.execute(script)


def restore(source: Database, target: Database) -> None:
    """Fill the empty ``target`` with what ``pg_dump | psql`` make of ``source``.

    Raises :class:`ServerError` when either program fails.
    """
    major = max(source.server.major, target.server.major)
    with tempfile.TemporaryDirectory(prefix="restore-verifier-") as name:
        directory = Path(name)
        dump = directory / "world.sql"
        _run(
            source.admin,
            programs.client("pg_dump", server=major),
            ["--no-password", "--no-owner", f"--file={dump}"],
            directory,
        )
        _run(
            target.admin,
            # Of the same release: a dump may hold commands that an older psql does not know.
            programs.client("psql", server=major),
            ["-X", "-1", "--quiet", "--no-password", "-v", "ON_ERROR_STOP=1", "-f", str(dump)],
            directory,
        )


def _run(dsn: Dsn, program: Path, arguments: list[str], cwd: Path) -> None:
    done = process.run(
        [program, *arguments],
        environ=process.environ(dsn),
        cwd=cwd,
        timeout=_SECONDS,
        secrets=[dsn],
    )
    if done.exit_code:
        raise ServerError(
            f"the self-test's own restore failed: {program.name} on {dsn} ended with exit code"
            f" {done.exit_code}: {done.last_words()}; look at the two servers' versions"
        )
