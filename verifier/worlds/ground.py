"""The databases that worlds are made in, one a side, used again from world to world.

Whatever cannot be made good by dropping what the account owns (sessions that somebody left,
settings, a server that restarted) ends with the database, and there is another one.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import Any

import psycopg

from verifier.errors import ServerDied, Unfit
from verifier.model.schema import Row, Schema
from verifier.model.world import Observation
from verifier.servers import Database, Databases, Pair, Server, Side
from verifier.servers.sessions import words
from verifier.worlds import ddl, reading, rows, triggers
from verifier.worlds.asking import Asker
from verifier.worlds.spelling import name, of_table

_USES = 200
"""Worlds in one database; each leaves dead rows in its catalogue."""
_PARTING = 1.0
"""Seconds in which the sessions of those who are done have to end."""
_RECOVERY = 20.0
"""Seconds in which a server that crashed has to answer again."""
_OTHERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
)
Rows = Mapping[str, tuple[Row, ...]]
"""Table id → rows."""


class Site:
    """One side's database, which holds the schema and rows of one world at a time."""

    def __init__(self, server: Server, databases: Databases) -> None:
        self._server, self._databases = server, databases
        self._database: Database | None = None
        self._session: reading.Connection | None = None
        self._seen = reading.Structure(Schema(tables=()))
        self._intact = False
        self._uses = 0

    @property
    def database(self) -> Database:
        """Where the world is."""
        assert self._database is not None, "no world was made yet"
        return self._database

    @property
    def sequences(self) -> Mapping[str, str]:
        """The names of the sequences by ``table id.column``, as SQL writes them."""
        return self._seen.sequences

    def make(self, schema: Schema, content: Rows, given: Mapping[str, int]) -> Observation:
        """Make ``schema`` hold ``content``, with its sequences at ``given``; what is there then.

        Raises :class:`Unfit`, and :class:`~verifier.errors.ServerDied`.
        """
        if self._is_usable():
            # What fails may be due to another world's leftovers.
            with contextlib.suppress(psycopg.Error):
                return self._made(schema, content, given)
        try:
            self.discard()
            self._database = self._databases.create("world")
            return self._made(schema, content, given)
        except psycopg.Error as error:
            self._raise_if_dead(error)
            self.discard()
            raise Unfit(
                f"the world cannot be made on the {self._server.side} server: "
                f"{words(error)}; correct its schema or its rows"
            ) from None

    def observe(self) -> Observation:
        """What there is now, with what became of the structure.

        Raises :class:`~verifier.errors.ServerDied`.
        """
        try:
            try:
                observation = self._seen.observe(self._connected())
            except psycopg.OperationalError:  # the session was cut, by a crash perhaps
                self._await_server()
                observation = self._seen.observe(self._connected())
        except psycopg.Error as error:
            self._raise_if_dead(error)
            observation = self._seen.unseen(words(error))
        self._intact = not observation.trouble
        return observation

    def asker(self) -> Asker:
        """Evaluates expressions for rows of the world's tables, until the next one is made."""
        return Asker(self._connected(), self._seen.schema)

    def distrust(self) -> None:
        """Make the next world in another database: nobody knows what became of this one."""
        self._intact = False

    def discard(self) -> None:
        """Drop the database together with everything that holds on to it."""
        if self._session is not None:
            self._session.close()
        database, self._database, self._session = self._database, None, None
        self._intact, self._uses = False, 0
        if database is not None:
            self._databases.drop(database)

    def _made(self, schema: Schema, content: Rows, given: Mapping[str, int]) -> Observation:
        session = self._connected()
        again = self._intact and self._seen.schema == schema
        self._intact = False
        self._uses += 1
        inserts = rows.fill(schema, content)
        if again:
            parts = [_emptied(schema), *_unenforced(inserts)]
        else:
            parts = [*self._owned(schema, inserts)]
        parts += rows.positions(schema, content, given)
        self._seen = reading.Structure(schema)
        observation = self._seen.made(session, "".join(parts))
        self._intact = True
        return observation

    def _owned(self, schema: Schema, inserts: str) -> list[str]:
        """What makes ``schema`` as the account that implementations get, in place of another."""
        user = self._server.user.parameters["user"]
        role, back = f"SET ROLE {name(user)};\n", "RESET ROLE;\n"
        begin = [role] if self._uses == 1 else [f"DROP OWNED BY {name(user)} CASCADE;\n", role]
        if schema.script:
            # Its settings end with it, and those that we need are set again.
            return [*begin, schema.script, ";\n", back, reading.PIN, *_unenforced(inserts)]
        # Foreign keys come last: so the server itself says whether the rows fit.
        return [*begin, ddl.tables(schema), inserts, ddl.links(schema), back]

    def _is_usable(self) -> bool:
        """Whether there is a database that nobody else holds on to."""
        if self._database is None or self._uses >= _USES or not self._intact:
            return False
        deadline = time.monotonic() + _PARTING
        try:
            while reading.ask(self._connected(), _OTHERS) != [[("0",)]]:
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.002)
        except psycopg.Error:
            return False
        return True

    def _connected(self) -> psycopg.Connection[Any]:
        if self._session is None or self._session.closed:
            self._session = reading.connect(self.database.admin)
        return self._session

    def _await_server(self) -> None:
        deadline = time.monotonic() + _RECOVERY
        while not self._server.alive() and time.monotonic() < deadline:
            time.sleep(0.05)

    def _raise_if_dead(self, error: psycopg.Error) -> None:
        server = self._server
        if isinstance(error, psycopg.OperationalError) and not server.alive():
            raise ServerDied(
                f"the {server.side} server was running and is gone ({words(error)}); "
                f"look for the reason in its last log lines:\n{server.log()}"
            ) from None


def _emptied(schema: Schema) -> str:
    tables = [of_table(table) for table in schema.tables]
    tables += [triggers.AUDIT] if triggers.audited(schema) else []
    return f"TRUNCATE {', '.join(tables)} RESTART IDENTITY;\n"


def _unenforced(inserts: str) -> list[str]:
    """``inserts`` in whatever order, and without triggers."""
    replica = "SET session_replication_role = "
    return [f"{replica}replica;\n", inserts, f"{replica}origin;\n"]


class Ground:
    """A source and a target for one world after the other, on the servers of ``pair``.

    Leaving the ``with`` block drops both databases. It can be made anew on the same pair at
    any time, also while the databases of another one still stand.
    """

    def __init__(self, pair: Pair) -> None:
        self.source = Site(pair.source, pair.databases(Side.SOURCE))
        self.target = Site(pair.target, pair.databases(Side.TARGET))
        self.pair = pair

    def close(self) -> None:
        """What leaving the ``with`` block does."""
        for site in (self.source, self.target):
            site.discard()

    def __enter__(self) -> Ground:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
