"""Databases of a run: made from nothing or cloned from a template, and dropped at the end."""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from verifier.dsn import Dsn
from verifier.errors import ServerError
from verifier.servers import sessions
from verifier.servers.base import Server

_NAME_BYTES = 63
_SHUT_SECONDS = 10.0


@dataclass(frozen=True)
class Database:
    """One database on one server."""

    server: Server
    name: str

    @property
    def dsn(self) -> Dsn:
        """With the user's account. Ask again after a restart: the port may have changed."""
        return self.server.user.with_(dbname=self.name)

    @property
    def admin(self) -> Dsn:
        """With the administrator's account."""
        return self.server.admin.with_(dbname=self.name)

    def connect(self, **options: Any) -> psycopg.Connection[Any]:
        """An autocommit session as the user; ``options`` are psycopg's."""
        return sessions.connect(self.dsn, **options)

    def administer(self) -> psycopg.Connection[Any]:
        """An autocommit session as the administrator."""
        return sessions.connect(self.admin)

    def execute(
        self, query: str | sql.SQL | sql.Composed, parameters: Sequence[Any] | None = None
    ) -> list[tuple[Any, ...]]:
        """Run one query, or a script without parameters, as the user; returns its rows, if any."""
        statement = query.encode() if isinstance(query, str) else query
        # What encode() made of the query, whatever the database's own encoding.
        with self.connect(client_encoding="UTF8") as session:
            cursor = session.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []


class Databases:
    """Makes the databases of one run on one server; leaving the ``with`` block drops them.

    Every name is ``<prefix><number>_<hint>``, and nothing else is ever dropped.
    """

    def __init__(self, server: Server, *, prefix: str) -> None:
        self._server = server
        self._prefix = prefix
        self._numbers = itertools.count(1)
        self._made: dict[str, Database] = {}
        self._templates: dict[str, Database] = {}
        self._session: psycopg.Connection[Any] | None = None
        self._lock = threading.RLock()

    def template(
        self, name: str, build: Callable[[psycopg.Connection[Any]], None], *, encoding: str = "UTF8"
    ) -> Database:
        """The database that ``build`` made, built on the first call for this ``name``.

        ``build`` gets an autocommit session as the user, the owner. Afterwards
        nobody can connect to the template, so that it can always be cloned.
        """
        with self._lock:
            if name not in self._templates:
                database = self.create(f"template_{name}", encoding=encoding)
                try:
                    with database.connect() as session:
                        build(session)
                except BaseException:
                    self.drop(database)
                    raise
                self.shut(database)
                self._templates[name] = database
            return self._templates[name]

    def create(
        self,
        hint: str,
        template: Database | None = None,
        *,
        private: bool = False,
        encoding: str = "UTF8",
    ) -> Database:
        """A new database, empty and in ``encoding`` or a clone of ``template``, owned by the user.

        With ``private`` it is the administrator's, and the user cannot connect
        (where user and administrator are one account, that cannot be had).
        A template with sessions in it cannot be cloned: PostgreSQL waits 5 s for
        them to end, then this raises ``psycopg.errors.ObjectInUse``.
        """
        slug = re.sub(r"[^a-z0-9]+", "_", hint.lower()).strip("_")
        name = f"{self._prefix}{next(self._numbers)}_{slug}"[:_NAME_BYTES]
        database = Database(self._server, name)
        with self._lock:
            self._made[name] = database
            self._run(
                "CREATE DATABASE {} {} {} ALLOW_CONNECTIONS {}",
                sql.Identifier(name),
                sql.SQL("") if private else self._owner(),
                self._copy_of(template, encoding),
                sql.SQL("false" if private else "true"),
            )
            if private:
                self._run("REVOKE ALL ON DATABASE {} FROM PUBLIC", sql.Identifier(name))
                self.reopen(database)
        return database

    def _owner(self) -> sql.Composable:
        user, admin = (
            dsn.parameters.get("user") for dsn in (self._server.user, self._server.admin)
        )
        if user is None or user == admin:
            return sql.SQL("")
        return sql.SQL("OWNER {}").format(sql.Identifier(user))

    def _copy_of(self, template: Database | None, encoding: str) -> sql.Composable:
        if template is None:
            # Not template1, which may hold anything on a server that is not ours.
            form = "TEMPLATE template0"
            theirs = self._run(
                "SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = 'template0'"
            )[0][0]
            if encoding != theirs:
                # The one locale that goes with every encoding.
                form += " ENCODING {} LC_COLLATE 'C' LC_CTYPE 'C'"
                form += " LOCALE_PROVIDER libc" if self._server.major >= 15 else ""
            return sql.SQL(form).format(sql.Literal(encoding))
        parts: list[sql.Composable] = [sql.SQL("TEMPLATE {}").format(sql.Identifier(template.name))]
        # Copying files takes a quarter of the time of copying through the log
        # (10 ms, 40 ms), but it takes a checkpoint, which on a server that others
        # use may be long and is not ours to ask for.
        if self._server.controllable and self._server.major >= 15:
            parts.append(sql.SQL("STRATEGY file_copy"))
        return sql.SQL(" ").join(parts)

    def drop(self, database: Database) -> None:
        """Drop a database of this run, cutting its sessions."""
        self._ours(database)
        with self._lock:
            self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", sql.Identifier(database.name))
            self._made.pop(database.name, None)
            self._templates = {
                name: kept for name, kept in self._templates.items() if kept != database
            }

    def shut(self, database: Database) -> None:
        """Let nobody connect, and return when no session is left.

        A superuser's session cannot be cut by an account that is none.
        """
        self._ours(database)
        deadline = time.monotonic() + _SHUT_SECONDS
        with self._lock:
            self._allow(database, "false")
            while self._run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {}",
                sql.Literal(database.name),
            ):
                if time.monotonic() > deadline:
                    raise ServerError(
                        f"sessions in {database.name} did not end within {_SHUT_SECONDS:.0f} s; "
                        f"look at pg_stat_activity on the {self._server.side} server"
                    )
                time.sleep(0.005)

    def reopen(self, database: Database) -> None:
        """Take :meth:`shut` back."""
        self._ours(database)
        with self._lock:
            self._allow(database, "true")

    def _allow(self, database: Database, value: str) -> None:
        self._run(
            "ALTER DATABASE {} WITH ALLOW_CONNECTIONS {}",
            sql.Identifier(database.name),
            sql.SQL(value),
        )

    def _ours(self, database: Database) -> None:
        if database.server is not self._server or not database.name.startswith(self._prefix):
            raise ServerError(
                f"{database.name} was not made by this run on the {self._server.side} server "
                f"(its databases begin with {self._prefix}); it is left alone"
            )

    def _run(self, statement: str, *parts: sql.Composable) -> list[tuple[Any, ...]]:
        query = sql.SQL(statement).format(*parts)
        cursor = self._connected().execute(query)
        return cursor.fetchall() if cursor.description else []

    def _connected(self) -> psycopg.Connection[Any]:
        """The administrator's session, a new one if the server was restarted meanwhile."""
        if self._session is not None:
            try:
                self._session.execute("SELECT 1")
            except psycopg.OperationalError:
                self.disconnect()
        if self._session is None:
            self._session = sessions.connect(self._server.admin)
        return self._session

    def disconnect(self) -> None:
        """Close the administrator's session; the next use opens another."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def close(self) -> None:
        """Drop everything that was made."""
        with self._lock:
            for database in list(self._made.values()):
                self.drop(database)
            self.disconnect()

    def __enter__(self) -> Databases:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
