"""The user's own tables in a scenario, in the mixed states that their keys let them be in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from verifier.errors import ObservationError, Unfit
from verifier.model.own import Own
from verifier.model.world import World
from verifier.scenario import Scenario
from verifier.servers import Database
from verifier.servers.sessions import words
from verifier.worlds import ddl
from verifier.worlds.asking import Asker
from verifier.worlds.filling import fill
from verifier.worlds.reflect import AS_TEXT
from verifier.worlds.states import States


class OwnTables:
    """Fills a scenario's databases with the tables of ``--schema``, or of one that comes along.

    Each method makes one world, and skips the scenario where the schema has nothing that it is
    about. Raises :class:`ObservationError` for rows that a server refuses.
    """

    def __init__(self, scenario: Scenario, own: Own) -> None:
        self.own = own
        """The schema, its values, and what cannot be made of it."""
        self._scenario = scenario

    def every_value(self) -> None:
        """The source holds every value that is known to fit; the target is empty."""
        self._make(States.every_value)

    def children_first(self) -> None:
        """In the source rows stand before those that they refer to; the target is empty."""
        self._make(States.children_first)

    def loaded(self) -> None:
        """Both hold the same."""
        self._make(States.loaded)

    def rows_of_their_own(self) -> None:
        """Both have rows in common, some of them changed, and rows that the other has not."""
        self._make(States.rows_of_their_own)

    def duplicates(self) -> None:
        """The source has duplicates on every unique key of the target, with children each."""
        self._make(States.duplicates)

    def under_another_id(self) -> None:
        """Both hold the same things, under primary keys of their own."""
        self._make(States.under_another_id)

    def orphans(self) -> None:
        """The source has an orphan of every foreign key, with a child."""
        self._make(States.orphans)

    def swapped(self) -> None:
        """Both hold the same rows, of which two have each other's unique key."""
        self._make(States.swapped)

    def _make(self, state: Callable[[States], World]) -> None:
        schema = self.own.schema
        try:
            self._scenario.target.execute(schema.script)
            with _session(self._scenario.target) as session:
                world = state(States(self.own, Asker(session, schema)))
                fill(session, schema, world.present)
            self._scenario.source.execute(ddl.of_source(world).script)
            with _session(self._scenario.source) as session:
                fill(session, schema, world.source)
        except Unfit as error:
            pytest.skip(f"NOT VERIFIED on these tables: {error}")
        except psycopg.Error as error:
            raise ObservationError(
                f"the tables of {self.own.place} cannot be filled: {words(error)}"
            ) from None


def _session(database: Database) -> psycopg.Connection[Any]:
    session = database.connect(client_encoding="UTF8")
    session.execute(AS_TEXT.encode())
    return session
