"""Two servers that are already there: CI service containers, a staging machine.

Only databases and roles named ``rv_<12 hexadecimal digits>_…`` are ever created
or dropped. Each run of each side has such a number of its own, and

    rv_<number>_anchor   a database with one session of the run's in it, all along
    rv_<number>_user     the role that implementations get, if one may be created
    rv_<number>_s_…      databases of the source side (``t``: of the target side)

The anchor tells, from whatever machine, whether the run lives: a database with a
session in it cannot be dropped (55006), and a session ends with its process. The
anchor is made first and dropped last, so a number without one is a dead run's.
"""

from __future__ import annotations

import contextlib
import re
import secrets
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from verifier.dsn import Dsn, redact
from verifier.errors import ServerError, ServerUnavailable, UsageError
from verifier.servers import sessions
from verifier.servers.base import Side
from verifier.servers.pair import ServerPair
from verifier.servers.sessions import Login

OLDEST_MAJOR = 13
"""The first version with DROP DATABASE … WITH (FORCE)."""

_DATABASE = re.compile(r"rv_([0-9a-f]{12})_(anchor|[st]_.*)")
_ROLE = re.compile(r"rv_([0-9a-f]{12})_user")
_ANCHOR_ATTEMPTS = 5

_PROBE = """
SELECT (pg_postmaster_start_time(),
        (SELECT system_identifier FROM pg_control_system()))::text AS server,
       current_database() AS database,
       current_user AS account,
       rolcreatedb OR rolsuper AS creates_databases,
       rolcreaterole OR rolsuper AS creates_roles,
       pg_is_in_recovery() AS standby
FROM pg_roles WHERE rolname = current_user
"""


@dataclass(frozen=True, slots=True)
class _Found:
    """What a server says about itself and the account."""

    server: str
    """Differs between any two servers, a physical copy of one another included."""
    database: str
    account: str
    creates_databases: bool
    creates_roles: bool
    standby: bool
    version: str
    major: int


def _probe(side: Side, dsn: Dsn) -> _Found:
    """Look at a server; raises :class:`ServerUnavailable` in one sentence without a password."""
    patience = {} if "connect_timeout" in dsn.parameters else {"connect_timeout": 5}
    try:
        with sessions.connect(dsn, **patience) as session:
            row = session.cursor(row_factory=dict_row).execute(_PROBE).fetchall()[0]
            version, major = sessions.version(session)
            return _Found(**row, version=version, major=major)
    except psycopg.Error as error:
        seen = redact(sessions.words(error), dsn)
    raise ServerUnavailable(
        f"the {side} server {dsn} cannot be used: {seen}; "
        f"check host, port, account and password of --{side}-dsn"
    )


def _usable(side: Side, dsn: Dsn) -> _Found:
    found = _probe(side, dsn)
    if found.major < OLDEST_MAJOR:
        fault, remedy = f"is PostgreSQL {found.version}", f"use {OLDEST_MAJOR} or later"
    elif found.standby:
        fault, remedy = "is a read-only standby", "name its primary"
    elif not found.creates_databases:
        role = f'"{found.account}"'
        fault = f"does not let its account {role} create databases"
        remedy = f"let an administrator run ALTER ROLE {role} CREATEDB, or name another account"
    else:
        return found
    raise UsageError(f"the {side} server {dsn} {fault}; {remedy}")


def check(source: Dsn, target: Dsn) -> tuple[str, str]:
    """The versions of both servers, which are usable and not the same database.

    Raises :class:`ServerUnavailable` or :class:`UsageError` in one sentence.
    """
    one, other = _usable(Side.SOURCE, source), _usable(Side.TARGET, target)
    if (one.server, one.database) == (other.server, other.database):
        raise UsageError(
            f"--source-dsn and --target-dsn are the same database, {one.database!r} on one server; "
            f"name two servers, or two databases"
        )
    return one.version, other.version


class ExternalServer:
    """A server that is not ours: databases of our own prefix are all we touch."""

    kind = "external"
    controllable = False

    def __init__(self, side: Side, dsn: Dsn) -> None:
        self.side = side
        self.prefix = ""
        self.version = ""
        self.major = 0
        self._dsn = dsn
        self._number = ""
        self._login: Login | None = None
        self._anchor: psycopg.Connection[Any] | None = None

    def __repr__(self) -> str:
        return f"<external PostgreSQL {self.version}, {self.side}, {self._dsn}>"

    @property
    def admin(self) -> Dsn:
        return self._dsn

    @property
    def user(self) -> Dsn:
        return self._dsn if self._login is None else self._login.on(self._dsn)

    def launch(self) -> None:
        """Remove what dead runs left, hold an anchor, and create the user's account."""
        found = _usable(self.side, self._dsn)
        self.version, self.major = found.version, found.major
        try:
            with sessions.connect(self._dsn) as session:
                _remove_dead_runs(session)
                self._hold_anchor(session)
                if found.creates_roles:
                    self._login = self._make_login(session)
        except psycopg.Error as error:
            raise ServerUnavailable(
                f"the {self.side} server {self._dsn} cannot be prepared: "
                f"{redact(sessions.words(error), self._dsn)}"
            ) from error

    def _hold_anchor(self, session: psycopg.Connection[Any]) -> None:
        for _ in range(_ANCHOR_ATTEMPTS):
            number = secrets.token_hex(6)
            name = f"rv_{number}_anchor"
            session.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name))
            )
            try:
                self._anchor = sessions.connect(self._dsn.with_(dbname=name))
            except psycopg.OperationalError:
                # Another run, cleaning, may have dropped it before it was held.
                _drop(session, name)
                continue
            if self.major >= 14:
                self._anchor.execute("SET idle_session_timeout = 0")
            self._number, self.prefix = number, f"rv_{number}_{self.side[0]}_"
            return
        raise ServerUnavailable(
            f"the {self.side} server {self._dsn} lets databases be created but not connected to; "
            f"does its pg_hba.conf allow the account into databases named rv_*?"
        )

    def _make_login(self, session: psycopg.Connection[Any]) -> Login | None:
        """A role of this run, or ``None`` where the server would not let it in."""
        login = Login.invent(f"rv_{self._number}_user")
        try:
            login.create(session)
            entered = sessions.answers(
                login.on(self._dsn.with_(dbname=f"rv_{self._number}_anchor"))
            )
        except psycopg.errors.InsufficientPrivilege:
            entered = False
        if entered:
            return login
        session.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(login.user)))
        return None

    @property
    def _refusal(self) -> ServerError:
        return ServerError(
            f"the {self.side} server {self._dsn} is external and others may use it, so it is "
            f"neither stopped nor started; use --servers embedded or --servers docker for this"
        )

    def stop(self) -> None:
        raise self._refusal

    def start(self) -> None:
        raise self._refusal

    def alive(self) -> bool:
        return sessions.answers(self._dsn)

    def small_disk(self) -> str | None:
        return None

    def log(self, lines: int = 20) -> str:
        return f"(the log of {self._dsn} is kept on its own machine)"

    def close(self) -> None:
        """Drop the databases and the role of this run, the anchor last."""
        if self._anchor is None:
            return
        try:
            with sessions.connect(self._dsn) as session:
                for name in _databases(session):
                    if name.startswith(self.prefix):
                        _drop(session, name)
                if self._login is not None:
                    session.execute(
                        sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(self._login.user))
                    )
                self._anchor.close()
                _drop(session, f"rv_{self._number}_anchor")
        except psycopg.Error as error:
            seen = redact(sessions.words(error), self.admin, self.user)
            raise ServerError(
                f"databases named rv_{self._number}_* are left on the {self.side} server "
                f"{self._dsn}: {seen}; the next run there removes them"
            ) from None
        finally:
            self._anchor.close()
            self._anchor = None


def _databases(session: psycopg.Connection[Any]) -> list[str]:
    names = session.execute("SELECT datname FROM pg_database WHERE datname LIKE 'rv\\_%'")
    return [name for (name,) in names if _DATABASE.fullmatch(name)]


def _drop(session: psycopg.Connection[Any], name: str) -> None:
    session.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _remove_dead_runs(session: psycopg.Connection[Any]) -> None:
    # Roles before databases: an anchor is older than its role, so a listed role
    # whose anchor is not listed has lost it.
    listed = session.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE 'rv\\_%'")
    roles = {found[1]: found[0] for (name,) in listed if (found := _ROLE.fullmatch(name))}
    databases: dict[str, list[str]] = {number: [] for number in roles}
    for name in _databases(session):
        databases.setdefault(name[3:15], []).append(name)
    for number, names in databases.items():
        # What another account's run left is not ours to drop.
        with contextlib.suppress(psycopg.errors.InsufficientPrivilege):
            if _dead(session, f"rv_{number}_anchor"):
                for name in names:
                    _drop(session, name)
                if number in roles:
                    session.execute(
                        sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(roles[number]))
                    )


def _dead(session: psycopg.Connection[Any], anchor: str) -> bool:
    # Looking first saves the 5 s that DROP DATABASE waits for sessions to end.
    held = session.execute("SELECT FROM pg_stat_activity WHERE datname = %s", [anchor])
    if held.rowcount:
        return False
    try:
        session.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(anchor)))
    except psycopg.errors.ObjectInUse:
        return False
    return True


def start_pair(source: Dsn, target: Dsn) -> ServerPair:
    """Prepare both servers for a run; nothing is started."""
    return ServerPair(
        ExternalServer(Side.SOURCE, source), ExternalServer(Side.TARGET, target)
    ).launch()
