"""A source and a target through all that happens to them in months, held to the model.

Rows change on both sides, backups are made, cleaned, restored and restored again; a restore is
killed at any statement; somebody empties the target. What the target holds is known at any
time: what it held before a restore or what the model says of it, and nothing between.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.worlds.conftest import WORLDS
from tests.worlds.history import LACKS, POOLS, SCHEMA, SESSIONS, WITH_SESSIONS, identity
from tests.worlds.place import Place, bags, copied
from verifier.contract import Claim
from verifier.faults.blows import Blow, Kill, Terminate
from verifier.implementations.initial_load import clean
from verifier.model.compare import differences
from verifier.model.restore import Expected, expect
from verifier.model.rules import violations
from verifier.model.schema import Row
from verifier.model.world import BackupForm, Observation, Options, World
from verifier.transfer import Format
from verifier.worlds.spelling import of_table

Rows = Mapping[str, tuple[Row, ...]]
NOTHING: Rows = {table.id: () for table in SCHEMA.tables}
STATEMENTS = 150
"""Of the longest restore here, and some more: then nothing is killed."""


Written = tuple[str, Row]


@st.composite
def written(draw: st.DrawFn) -> Written:
    """A table's id and a row of it."""
    table = draw(st.sampled_from(SCHEMA.tables))
    pools = POOLS[table.name]
    return table.id, tuple(draw(st.sampled_from(pools[column.name])) for column in table.stored)


def without(rows: Rows, written: Written) -> Rows:
    """``rows`` but for the one with the key of the row that is ``written``."""
    id, row = written
    table = SCHEMA.by_id[id]
    key = identity(table, row)
    return {**rows, id: tuple(each for each in rows[id] if identity(table, each) != key)}


def with_(rows: Rows, written: Written) -> Rows:
    """``rows`` with the one that is ``written``."""
    id, row = written
    return {**rows, id: (*without(rows, written)[id], row)}


ROWS = written()
ORDERS = st.permutations(list(NOTHING))
FORMS = st.sampled_from(BackupForm)
BLOWS = st.sampled_from([Kill(), Terminate()])
OPTIONS = st.builds(
    Options,
    quarantine=st.booleans(),
    strict_ids=st.booleans(),
    prefer=st.sampled_from(["", "", "version"]),
)


class History(RuleBasedStateMachine):
    place: Place

    def __init__(self) -> None:
        super().__init__()
        self.source, self.target = NOTHING, NOTHING
        self.sessions = 0
        self.kept: World | None = None
        """What the last backup holds, :attr:`path`."""
        self.path = Path()
        self.killed: Options | None = None
        """How a restore was run that was killed, until it is run again."""

    @initialize()
    def begin(self) -> None:
        self.place.target.make(WITH_SESSIONS, {}, {})

    # -- the two sides ---------------------------------------------------------------------

    @rule(written=ROWS)
    def write_to_source(self, written: Written) -> None:
        """Insert a row, or give the row with its key these values."""
        self.source = with_(self.source, written)

    @rule(written=ROWS)
    def delete_from_source(self, written: Written) -> None:
        self.source = without(self.source, written)

    @rule(written=ROWS)
    def write_to_target(self, written: Written) -> None:
        """The same, if the target lets it."""
        id, row = written
        if self.place.upsert(SCHEMA.by_id[id], row):
            self.target = with_(self.target, written)

    @rule(written=ROWS)
    def delete_from_target(self, written: Written) -> None:
        id, row = written
        if self.place.delete(SCHEMA.by_id[id], row):
            self.target = without(self.target, written)

    @rule()
    def leave_a_session(self) -> None:
        """Another program dies, and leaves the row by which it keeps others from running."""
        self.place.target.database.execute(f"INSERT INTO {of_table(SESSIONS)} VALUES ('running')")
        self.sessions += 1

    @rule()
    def clear(self) -> None:
        """Empty the target, with the sessions' rows."""
        names = ", ".join(map(of_table, WITH_SESSIONS.tables))
        self.place.target.database.execute(f"TRUNCATE {names}")
        self.target, self.sessions = NOTHING, 0

    # -- backups ---------------------------------------------------------------------------

    @rule(form=FORMS, order=ORDERS)
    def back_up(self, form: BackupForm, order: list[str]) -> None:
        world = World(schema=SCHEMA, source=self.source, lacks=LACKS, order=tuple(order), form=form)
        self.path = self.place.back_up(world)
        self.kept, self.killed = world, None

    @precondition(lambda self: self.kept is not None)
    @rule()
    def clean(self) -> None:
        """The backup without duplicates and orphans takes its place."""
        expected = self._expected(Options(quarantine=True))
        out = self.place.workdir() / "clean.sql"
        options = self.place.options(Options(quarantine=True))
        claim = clean(self.path, self.place.target.database.dsn, out, Format.COPY, options)
        assert claim.success, claim.message
        assert self.kept is not None
        self.kept = replace(self.kept, source=copied(out, SCHEMA), form=BackupForm.COPY)
        self.path, self.killed = out, None
        again = self._expected(Options())
        assert again.success, again.rejections
        assert bags(again.rows) == bags(expected.rows)

    # -- restores --------------------------------------------------------------------------

    @precondition(lambda self: self.kept is not None)
    @rule(options=OPTIONS)
    def restore(self, options: Options) -> None:
        expected = self._expected(options)
        claim = self.place.restore(self.path, options)
        self._hold(options, expected, claim)

    @precondition(lambda self: self.kept is not None)
    @rule(options=OPTIONS, blow=BLOWS, statement=st.integers(1, STATEMENTS))
    def kill(self, options: Options, blow: Blow, statement: int) -> None:
        """A restore is struck in front of a statement, if it comes so far."""
        expected = self._expected(options)
        claim, last = self.place.struck(blow, statement, self.path, options)
        if claim is not None and (claim.success or claim.exit_code == 1):
            self._hold(options, expected, claim)
            return
        if claim is not None:
            # In front of COMMIT, and nowhere else, nobody is left who could say whether it is done.
            unknown = "lost during COMMIT: whether the backup is restored is unknown"
            assert (unknown in claim.message) is (last == "COMMIT"), (last, claim.message)
            assert claim.message.endswith("; nothing was changed") is (last != "COMMIT")
        self.killed = options  # and the target is as it was, see below

    @precondition(lambda self: self.killed is not None)
    @rule()
    def retry(self) -> None:
        """What was killed is run again."""
        assert self.killed is not None
        self.restore(self.killed)

    def _expected(self, options: Options) -> Expected:
        return expect(self._world(options))

    def _world(self, options: Options) -> World:
        assert self.kept is not None
        return replace(self.kept, present=self.target, options=options)

    def _hold(self, options: Options, expected: Expected, claim: Claim) -> None:
        """Hold the target to what was expected of a restore that came to its end."""
        world, observation = self._world(options), self.place.target.observe()
        assert not differences(world, expected, claim, _without_sessions(observation))
        self.target, self.killed = expected.rows, None

    # -- at any time -----------------------------------------------------------------------

    @invariant()
    def target_is_as_it_has_to_be(self) -> None:
        site = self.place.target
        observation = site.observe()
        assert bags(_without_sessions(observation).rows) == bags(self.target)
        assert len(observation.rows[SESSIONS.id]) == self.sessions
        assert not observation.trouble
        assert not list(violations(SCHEMA, observation.rows))
        assert not site.leftovers()


def _without_sessions(observation: Observation) -> Observation:
    rows = {table: found for table, found in observation.rows.items() if table != SESSIONS.id}
    return replace(observation, rows=rows)


def test_history(place: Place) -> None:
    place.control = (SESSIONS.name,)

    class Here(History):
        pass

    Here.place = place
    run_state_machine_as_test(Here, settings=WORLDS)
