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
from verifier.worlds import ddl, reading, rows
from verifier.worlds.asking import Asker
from verifier.worlds.detaching import Detached
from verifier.worlds.spelling import of_table

_USES = 200
"""Worlds in one database; each leaves dead rows in its catalogue."""
_PARTING = 1.0
"""Seconds in which the sessions of those who are done have to end."""
_RECOVERY = 5.0
"""Seconds in which a server that crashed has to answer again."""
_OTHERS = """
FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'
AND pid <> pg_backend_pid() AND pid <> {}
"""
_SESSIONS = "SELECT format('pid %s, %s, %s', pid, state, left(query, 80))" + _OTHERS
_CUT = "SELECT pg_terminate_backend(pid)" + _OTHERS
Rows = Mapping[str, tuple[Row, ...]]
"""Table id → rows."""


class Site:
    """One side's database, which holds the schema and rows of one world at a time."""

    def __init__(self, server: Server, databases: Databases) -> None:
        self._server, self._databases = server, databases
        self._database: Database | None = None
        self._observer: reading.Connection | None = None
        self._maker: reading.Connection | None = None
        self._seen = reading.Structure(Schema(tables=()))
        self._intact = False
        self._uses = 0
        self._detached = Detached()

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

        A schema that a script makes is made once, and filled again and again.
        Raises :class:`~verifier.errors.Unfit` and :class:`~verifier.errors.ServerDied`.
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

        A session that bars the way is cut. Raises :class:`~verifier.errors.ServerDied`.
        """
        try:
            observation = self._seen.observe(self._observing())
        except psycopg.OperationalError:
            observation = self._insisted()
        except psycopg.Error as error:
            observation = self._seen.unseen(words(error))
        self._intact = not observation.trouble
        return observation

    def leftovers(self) -> list[str]:
        """The sessions that others still have here, after a while in which they might end.

        None are seen of a server that does not answer.
        """
        deadline = time.monotonic() + _PARTING
        try:
            while sessions := reading.ask(self._observing(), self._others(_SESSIONS))[0]:
                if time.monotonic() > deadline:
                    return [str(words) for (words,) in sessions]
                time.sleep(0.002)
        except psycopg.Error:
            pass
        return []

    def asker(self) -> Asker:
        """Evaluates expressions for rows of the world's tables, until the next one is made."""
        return Asker(self._making(), self._seen.schema)

    def distrust(self) -> None:
        """Make the next world in another database: nobody knows what became of this one."""
        self._intact = False

    def discard(self) -> None:
        """Drop the database together with everything that holds on to it."""
        for session in (self._observer, self._maker):
            if session is not None:
                session.close()
        database, self._database = self._database, None
        self._observer = self._maker = None
        self._intact, self._uses = False, 0
        if database is not None:
            self._databases.drop(database)

    def _made(self, schema: Schema, content: Rows, given: Mapping[str, int]) -> Observation:
        again = self._intact and self._seen.schema == schema
        self._intact = False
        self._uses += 1
        if schema.script:
            script = self._filled(schema, content, again=again)
        else:
            # Foreign keys come last: so the server itself says whether the rows fit.
            fill = rows.fill(schema, content)
            script = [self._cleared(), ddl.tables(schema), fill, ddl.links(schema)]
        script += rows.positions(schema, content, given)
        self._seen = reading.Structure(schema)
        observation = self._seen.made(self._making(), "".join(script), self._observing())
        self._intact = True
        return observation

    def _filled(self, schema: Schema, content: Rows, *, again: bool) -> list[str]:
        """What fills the tables that the schema's script has made, which it is run for once."""
        if not again:
            reading.ask(self._making(), self._cleared())
            # In a session of its own, whose settings are nobody else's.
            self.database.execute(ddl.create(schema))
            self._detached = Detached.read(self._observing())
        empty = f"TRUNCATE {', '.join(map(of_table, schema.tables))} RESTART IDENTITY;\n"
        return [self._detached.before, empty, rows.fill(schema, content), self._detached.after]

    def _cleared(self) -> str:
        """What takes away another world."""
        return "" if self._uses == 1 else "DROP OWNED BY CURRENT_USER CASCADE;\n"

    def _is_usable(self) -> bool:
        """Whether there is a database that nobody else holds on to."""
        used_up = self._database is None or self._uses >= _USES or not self._intact
        return not used_up and self._is_ours() and not self.leftovers()

    def _is_ours(self) -> bool:
        """Whether the account is ours alone. What it owns may be dropped then, which would
        take from another one what it was granted on other databases."""
        accounts = {dsn.parameters.get("user") for dsn in (self._server.user, self._server.admin)}
        return len(accounts) == 2

    def _insisted(self) -> Observation:
        """What there is, once the server answers and nobody else is there."""
        deadline = time.monotonic() + _RECOVERY
        while not self._server.alive() and time.monotonic() < deadline:
            time.sleep(0.05)
        try:
            reading.ask(self._observing(), self._others(_CUT))
            return self._seen.observe(self._observing())
        except psycopg.Error as error:
            self._raise_if_dead(error)
            return self._seen.unseen(words(error))

    def _observing(self) -> psycopg.Connection[Any]:
        """The administrator's session, which sees everything and runs nothing."""
        if self._observer is None or self._observer.closed:
            self._observer = reading.observer(self.database.admin)
        return self._observer

    def _making(self) -> psycopg.Connection[Any]:
        """A session of the account that implementations get. Whatever a schema has that can be
        run (checks, defaults, triggers) runs here."""
        if self._maker is None or self._maker.closed:
            self._maker = reading.connect(self.database.dsn)
        return self._maker

    def _others(self, query: str) -> str:
        """``query`` about the sessions that are not ours."""
        return query.format(0 if self._maker is None else self._maker.info.backend_pid)

    def _raise_if_dead(self, error: psycopg.Error) -> None:
        server = self._server
        if isinstance(error, psycopg.OperationalError) and not server.alive():
            raise ServerDied(
                f"the {server.side} server was running and is gone ({words(error)}); "
                f"look for the reason in its last log lines:\n{server.log()}"
            ) from None


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
