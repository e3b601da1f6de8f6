"""A pytest plugin: what the built-in implementation does in a scenario, held against the model.

``pytest scenarios -p tests.model.beside``. Every restore that nothing disturbs is predicted
from the rows of the frozen source and of the target before; a test fails where the
restore ends otherwise. What the model does not know is counted by its reason, at the end.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from time import perf_counter
from typing import Any

import psycopg
import pytest

from tests.model import catalogued
from tests.model.catalogued import Before
from verifier import trial
from verifier.calls import Told
from verifier.implementations import Backup
from verifier.implementations.initial_load import InitialLoad
from verifier.model.breach import NotModelled
from verifier.model.compare import differences
from verifier.oracle import Restore
from verifier.servers import Database, Side
from verifier.trial import Trial
from verifier.worlds import reading

WHOLE, FLOOR = 150, 180
"""Of so many scenarios, at least so many restores are to be compared."""
_SENT = "beside_the_model"


class Beside:
    """Watches the restores of this process, and sums up those of all."""

    def __init__(self) -> None:
        self.equal, self.unknown = 0, Counter[str]()
        self.different: list[str] = []
        self.scenarios, self.seconds = 0, 0.0
        self._new: list[str] = []
        self._calm = False
        self._grounds: tuple[Trial | None, catalogued.Ground | None] = (None, None)

    @contextmanager
    def timed(self) -> Iterator[None]:
        began = perf_counter()
        yield
        self.seconds += perf_counter() - began

    # -- around a restore ------------------------------------------------------------------

    @contextmanager
    def calm(self, calm: bool) -> Iterator[None]:
        """Whether nothing disturbs the restores of the block."""
        outer, self._calm = self._calm, calm
        try:
            yield
        finally:
            self._calm = outer

    def look(self, judged: Trial, target: Database) -> Before | None:
        """What there is before a restore; ``None`` where the model cannot say what it does."""
        if not isinstance(judged._implementation, InitialLoad):
            return None
        try:
            if not self._calm:
                raise NotModelled("a fault strikes it")
            if judged._scenario.left_out:
                raise NotModelled("rows are left out of the backup")
            if getattr(judged._fault, "writes", False):
                raise NotModelled("the source changes while it is backed up")
            return self._ground(judged, target).before(target.admin)
        except (NotModelled, psycopg.Error, UnicodeDecodeError) as why:
            self._unknown(why)
            return None

    def _ground(self, judged: Trial, target: Database) -> catalogued.Ground:
        known, ground = self._grounds
        if known is not judged or ground is None:
            ground = catalogued.Ground(target.admin, judged._clone.admin, judged._control)
            self._grounds = judged, ground
        return ground

    def compare(self, before: Before, told: Told, target: Database) -> None:
        """Hold what the restore did against the model."""
        try:
            with closing(reading.connect(target.admin)) as session:
                expected = before.expect(session)
                after = before.ground.observe(session)
        except (NotModelled, psycopg.Error, UnicodeDecodeError) as why:
            self._unknown(why)
            return
        found = differences(before.world, expected, told.claim, after)
        if found:
            self._new.append("\n".join(f"{each.cause}: {each.words}" for each in found))
        else:
            self.equal += 1

    def _unknown(self, why: Exception) -> None:
        said = str(why) if isinstance(why, NotModelled) else f"it cannot be read: {why}"
        self.unknown[said.split("\n")[0]] += 1

    # -- pytest ----------------------------------------------------------------------------

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        self._new = []
        yield
        if self._new:
            self.different += [f"{item.name}: {each.splitlines()[0]}" for each in self._new]
            pytest.fail("the restore is not what the model expects:\n" + "\n\n".join(self._new))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.scenarios += report.when == "call" and report.nodeid.startswith("scenarios/")

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        sent = json.loads(getattr(node, "workeroutput", {}).get(_SENT, "[0, {}, [], 0]"))
        self.equal += sent[0]
        self.unknown.update(sent[1])
        self.different += sent[2]
        self.seconds += sent[3]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output[_SENT] = json.dumps([self.equal, self.unknown, self.different, self.seconds])
        elif self._too_few():
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _too_few(self) -> bool:
        return self.scenarios >= WHOLE and self.equal + len(self.different) < FLOOR

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        write = terminalreporter.write_line
        write(
            f"model: {self.equal} restores compared and equal, {len(self.different)} different,"
            f" {self.unknown.total()} not modelled, {self.seconds:.1f} s"
        )
        for why, count in self.unknown.most_common():
            write(f"  {count:4} {why}")
        for each in self.different:
            write(f"  {each}")
        if self._too_few():
            write(f"model: FAILED: at least {FLOOR} restores of all scenarios are to be compared")


def pytest_configure(config: pytest.Config) -> None:
    beside = Beside()
    config.pluginmanager.register(beside, "beside-the-model")
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    _watch(beside, patch)


def _watch(beside: Beside, patch: pytest.MonkeyPatch) -> None:
    first, restore, told, observe = Trial._first, Trial._restore, Trial._told, Trial._observe
    pending: dict[int, Before] = {}

    def watched_first(self: Trial, backup: Backup) -> Restore:
        with beside.calm(self._fault_side is not Side.TARGET):
            return first(self, backup)

    def watched_restore(self: Trial, *arguments: Any, **named: Any) -> Restore:
        with beside.calm(True):
            return restore(self, *arguments, **named)

    def watched_told(self: Trial, backup: Backup, target: Database, way: Any) -> Told:
        with beside.timed():
            before = beside.look(self, target)
        said = told(self, backup, target, way)
        if before is not None:
            pending[id(said)] = before
        return said

    def watched_observe(self: Trial, said: Told, target: Database) -> Restore:
        seen = observe(self, said, target)
        before = pending.pop(id(said), None)
        if before is not None:
            with beside.timed():
                beside.compare(before, said, target)
        return seen

    for name, watched in (
        ("_first", watched_first),
        ("_restore", watched_restore),
        ("_told", watched_told),
        ("_observe", watched_observe),
    ):
        patch.setattr(trial.Trial, name, watched)
