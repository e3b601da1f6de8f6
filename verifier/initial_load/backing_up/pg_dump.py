"""pg_dump as a child process whose output comes in pieces, and who is gone at the end."""

from __future__ import annotations

import os
import re
import selectors
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from verifier import programs
from verifier.dsn import Dsn, redact
from verifier.errors import BackupError, ServerUnavailable
from verifier.initial_load.catalog import Connection

_CHUNK = 1 << 18
_PAUSE = 0.1  # seconds between two looks at whether pg_dump is held up
_MERCY = 5.0  # seconds to end in
TRAILER = b"\n--\n-- PostgreSQL database dump complete\n--\n"
_TAIL = 1 << 12
"""Bytes at the end that hold the trailer and the \\unrestrict behind it."""


class HeldUp(Exception):
    """Somebody waits for our locks, and pg_dump waits for him: nobody would ever move."""


def program(conn: Connection) -> Path:
    """The pg_dump for the server of ``conn``; raises :class:`BackupError`."""
    try:
        return programs.client("pg_dump", server=conn.info.server_version // 10000)
    except ServerUnavailable as error:
        raise BackupError(str(error)) from error


def version(path: Path) -> str:
    """``pg_dump (PostgreSQL) 18.4``."""
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def pattern(schema: str, name: str) -> str:
    """pg_dump's pattern for the one relation that is spelled exactly so."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in (schema, name))


def environ(dsn: Dsn, conn: Connection, name: str) -> dict[str, str]:
    """The environment that takes pg_dump where ``conn`` is, as the same user, called ``name``.

    Not by arguments, which everybody can see in the process list.
    """
    info = conn.info
    found = {**os.environ, **dsn.environ, "LC_ALL": "C", "PGAPPNAME": name}
    # pg_dump pins what values print by, but for the form of amounts (trap F08).
    found["PGOPTIONS"] = f"{found.get('PGOPTIONS', '')} -c lc_monetary=C".strip()
    # Where the connection string names several hosts, the one that answered.
    found |= {"PGHOST": info.host, "PGPORT": str(info.port), "PGUSER": info.user}
    found |= {"PGDATABASE": info.dbname}
    if found.get("PGHOSTADDR"):
        found["PGHOSTADDR"] = info.hostaddr
    if info.password:
        found["PGPASSWORD"] = info.password
    return found


class Dump:
    """A running pg_dump; leaving the block ends it and its session, whatever it was doing."""

    def __init__(
        self, arguments: Sequence[str | Path], environment: Mapping[str, str], dsn: Dsn
    ) -> None:
        self._dsn = dsn
        self._name = environment["PGAPPNAME"]
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the block)
        try:
            self._process = subprocess.Popen(
                [*arguments],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=self._said,
            )
        except OSError as error:
            self._said.close()
            raise BackupError(f"{arguments[0]} cannot be started: {error.strerror}") from error

    def __enter__(self) -> Dump:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._process.stdout is not None
        try:
            if self._process.poll() is None:
                self._process.terminate()
                try:
                    self._process.wait(_MERCY)
                except subprocess.TimeoutExpired:
                    self._process.kill()
        finally:
            self._process.wait()
            self._process.stdout.close()
            self._said.close()

    def started(self, conn: Connection) -> None:
        """Wait until pg_dump writes, by when it has locked every table itself.

        Raises :class:`HeldUp` when it would wait for ever, see there. ``conn`` holds the
        snapshot.
        """
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as streams:
            streams.register(self._process.stdout, selectors.EVENT_READ)
            while not streams.select(_PAUSE):
                if self._held_up(conn):
                    raise HeldUp

    def _held_up(self, conn: Connection) -> bool:
        # The list of sessions is read once a transaction unless it is asked for anew.
        conn.execute("SELECT pg_catalog.pg_stat_clear_snapshot()")
        found = conn.execute(
            "SELECT d.pid FROM pg_catalog.pg_stat_activity d,"
            " LATERAL unnest(pg_catalog.pg_blocking_pids(d.pid)) w(pid)"
            " WHERE d.application_name = %s"
            "   AND pg_catalog.pg_backend_pid() = ANY (pg_catalog.pg_blocking_pids(w.pid))",
            [self._name],
        ).fetchone()
        if found is None:
            return False
        # Its server process would go on waiting for the lock when pg_dump is gone.
        conn.execute("SELECT pg_catalog.pg_terminate_backend(%s)", [found[0]])
        return True

    def pieces(self) -> Iterator[bytes]:
        """What pg_dump writes, up to its end. Raises :class:`BackupError` if it failed."""
        assert self._process.stdout is not None
        number = self._process.stdout.fileno()
        while piece := os.read(number, _CHUNK):
            yield piece
        if self._process.wait() != 0:
            raise BackupError(
                f"pg_dump of {self._dsn} failed with exit code {self._process.returncode}: "
                + self.words()
            )

    def words(self) -> str:
        """pg_dump's last lines on stderr, without passwords."""
        self._said.seek(0)
        lines = self._said.read().decode("utf-8", "replace").strip().splitlines()[-5:]
        return redact("; ".join(lines) or "it said nothing", self._dsn)


def before_trailer(pieces: Iterator[bytes], rest: list[bytes]) -> Iterator[bytes]:
    """``pieces`` up to pg_dump's last lines, which go into ``rest``.

    Raises :class:`BackupError` when they are missing.
    """
    tail = b""
    for piece in pieces:
        tail += piece
        if len(tail) > _TAIL + _CHUNK:
            yield tail[:-_TAIL]
            tail = tail[-_TAIL:]
    at = tail.rfind(TRAILER)
    if at < 0 or not re.fullmatch(rb"(\n?\\unrestrict [^\n]*)?\s*", tail[at + len(TRAILER) :]):
        raise BackupError("pg_dump ended without its last line; try again")
    yield tail[: at + 1]
    rest.append(tail[at + 1 :])
