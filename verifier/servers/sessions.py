"""Sessions with a server: connecting, waiting until a query is answered, making a login."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from verifier.dsn import Dsn
from verifier.errors import ServerUnavailable

START_SECONDS = 60.0
"""How long a server may take to answer its first query; a busy machine needs about 2 s."""

_PATIENCE = 3
"""Seconds for one attempt to connect, where a server that hangs must not hang the caller."""


def connect(dsn: Dsn, **options: Any) -> psycopg.Connection[Any]:
    """An autocommit session; ``options`` are psycopg's.

    A failure keeps psycopg's class and words but not its frames: their arguments
    hold the password, and pytest prints the arguments of every frame it shows.
    """
    options.setdefault("autocommit", True)
    try:
        return psycopg.connect(dsn.conninfo, **options)
    except psycopg.Error as error:
        raise error.with_traceback(None) from None


def words(error: psycopg.Error) -> str:
    """What ``error`` says, on one line and without libpq's question."""
    said = re.sub(r"\s*Is the server running[^?]*\?", "", str(error))
    return " ".join(said.split())


def answers(dsn: Dsn) -> bool:
    """Whether a query is answered within a few seconds."""
    try:
        with connect(dsn, connect_timeout=_PATIENCE) as session:
            session.execute("SELECT 1")
    except psycopg.Error:
        return False
    return True


def version(session: psycopg.Connection[Any]) -> tuple[str, int]:
    """The server's version as it tells it (``18.4``) and its major version."""
    text: str = session.execute("SHOW server_version").fetchall()[0][0]
    return text.split(maxsplit=1)[0], session.info.server_version // 10000


def await_answer(
    what: str,
    dsn: Callable[[], Dsn],
    *,
    ended: Callable[[], str | None],
    log: Callable[[], str],
    seconds: float = START_SECONDS,
) -> None:
    """Return when a query is answered over ``dsn()``.

    ``ended`` tells how the server ended (``exited with status 1``), or ``None``
    while it runs. Raises :class:`ServerUnavailable` with what was seen and the log.
    """
    deadline = time.monotonic() + seconds
    while True:
        end = ended()
        if end is not None:
            raise ServerUnavailable(
                f"{what} {end} before it answered a query; "
                f"look for the reason in its last log lines:\n{log()}"
            )
        try:
            with connect(dsn(), connect_timeout=_PATIENCE) as session:
                session.execute("SELECT 1")
            return
        except psycopg.OperationalError as error:
            seen = words(error)
        if time.monotonic() > deadline:
            raise ServerUnavailable(
                f"{what} runs but answered no query within {seconds:.0f} s ({seen}); "
                f"is the machine overloaded or the disk full? Its last log lines:\n{log()}"
            )
        time.sleep(0.02)


@dataclass(frozen=True, slots=True)
class Login:
    """A role that may log in, and its password."""

    user: str
    password: str

    @classmethod
    def invent(cls, user: str) -> Login:
        return cls(user, secrets.token_urlsafe(24))

    def create(self, session: psycopg.Connection[Any]) -> None:
        """Create the role without any power of its own, the session's account being a member.

        Being a member lets that account give it databases and work in them. The
        password travels as its SCRAM verifier, so that no server log can hold it.
        """
        verifier = session.pgconn.encrypt_password(
            self.password.encode(), self.user.encode(), b"scram-sha-256"
        )
        role = sql.Identifier(self.user)
        session.execute(
            sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {}").format(
                role, sql.Literal(verifier.decode())
            )
        )
        session.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(role))

    def on(self, dsn: Dsn) -> Dsn:
        """``dsn`` with this account in place of its own."""
        return dsn.with_(user=self.user, password=self.password)
