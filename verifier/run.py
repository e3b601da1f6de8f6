"""One process's part of a run: its configuration, its implementation, its servers."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cached_property
from typing import Any

import pytest

from verifier import catalogue
from verifier.config import VERIFY, Config, ServerKind, settings_of
from verifier.contract import Guarantee, Proof
from verifier.dsn import Dsn, libpq_set_aside, redact
from verifier.errors import RestoreVerifierError, ServerError, UsageError
from verifier.implementations import Implementation, implementation
from verifier.model.own import Own
from verifier.outcome import CARGO, attach
from verifier.readers import suggestion
from verifier.report.text import counted
from verifier.reporting import Reporter
from verifier.scenario import Scenario
from verifier.servers import Choice, Pair, choose
from verifier.settings import CONFIG, is_configured
from verifier.worlds.own import load

DEST = "restore_verifier_"
"""Before each setting's name among pytest's options."""
SCENARIO = pytest.StashKey[Scenario]()


class Run:
    """One process's part of a run: its configuration, its implementation, its servers."""

    settings: Config
    implementation: Implementation

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.pair: Pair | None = None
        self.secrets: list[Dsn] = []
        self.reporter = Reporter(config)
        self._cargo: dict[str, Any] | None = getattr(config, "workerinput", {}).get(CARGO)
        self._held = ExitStack()
        self._own: Own | None = None
        self._unloadable = ""
        """Why there are no tables of the user's own, in one sentence."""

    @property
    def is_worker(self) -> bool:
        return self._cargo is not None

    def prepare(self) -> None:
        """Read the configuration and find the implementation.

        Raises :class:`pytest.UsageError`.
        """
        with self._as_usage_error():
            self.settings = self._settings()
            aside = ExitStack()
            aside.enter_context(libpq_set_aside())
            self.config.add_cleanup(aside.close)
            self.secrets += self.settings.dsns
            if self.settings.seed.rows is not None and self.settings.schema is None:
                raise UsageError(
                    f"--seed names rows ({self.settings.seed.rows}) and no --schema says of which "
                    "tables; give both"
                )
            self.implementation = implementation(
                self.settings.implementation, self.settings.definitions
            )
            self.reporter.prepare(self.settings, self.implementation.name)

    def _settings(self) -> Config:
        if self._cargo is not None:
            return Config.from_plain(self._cargo["config"])
        names = [each.name for each in (CONFIG, *settings_of(VERIFY))]
        options = {name: self.config.getoption(DEST + name) for name in names}
        here, root = self.config.invocation_params.dir, self.config.rootpath
        # Scenarios may well lie in a project of their own, which is then pytest's root.
        return Config.load(options, os.environ, here if is_configured(here) else root)

    @cached_property
    def choice(self) -> Choice:
        """Where this run's servers come from; decided once, at the first need."""
        chosen = choose(self.settings)
        self.reporter.servers = chosen.reason.replace("→", "->")  # readable in any encoding
        return chosen

    def start(self) -> Pair:
        """Start a pair of servers. Raises the errors of :mod:`verifier.servers`."""
        pair = self.choice.start()
        for server in (pair.source, pair.target):
            self.secrets += (server.admin, server.user)
        return pair

    def shared(self) -> Pair:
        """The pair that the scenarios of this process share, started at the first need."""
        if self.pair is None:
            self.pair = self._held.enter_context(self.start())
            self.reporter.versions = (self.pair.source.version, self.pair.target.version)
        return self.pair

    def own(self) -> Own:
        """The user's own schema, loaded at the first need.

        Raises :class:`UsageError` for one that cannot be, after which the run ends.
        """
        if self._own is None:
            place = self.settings.schema or catalogue.schema()
            control = self.settings.control_tables
            try:
                self._own = load(self.shared(), place, self.settings.seed.rows, control)
            except UsageError as error:
                self._unloadable = str(error)
                raise
            if self.settings.schema is not None:
                self._say(self._own)
        return self._own

    def _say(self, own: Own) -> None:
        filled, there = len(own.pools), len(own.schema.tables)
        self.reporter.tables = f"{filled} of {counted(there, 'table')} of {own.place} have rows"
        self.reporter.unmade = tuple(self.hide(str(each)) for each in own.unmade)

    def hide(self, text: str) -> str:
        return redact(text, *self.secrets)

    @contextmanager
    def _as_usage_error(self) -> Iterator[None]:
        try:
            yield
        except RestoreVerifierError as error:
            self.reporter.refused = self.hide(str(error))
            raise pytest.UsageError(self.reporter.refused) from None

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Give a starting worker the configuration and the choice, in memory only."""
        with self._as_usage_error():
            kind = ServerKind(self.choice.kind)
        settings = replace(self.settings, servers=kind).to_plain()
        node.workerinput[CARGO] = {"config": settings}

    def pytest_report_header(self) -> str:
        parallel = self.config.pluginmanager.has_plugin("dsession")
        if parallel:
            with self._as_usage_error():
                _ = self.choice
        return self.reporter.header()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Start the shared servers before the first test, if any test needs them.

        A worker starts its own when its first scenario asks.
        """
        skipped = self.config.option.collectonly or self.config.option.setupplan
        if self.is_worker or skipped or session.testsfailed:
            return
        if any(_shares(item) for item in session.items):
            with self._as_usage_error():
                self.shared()
            self.reporter.announce()
        if self.settings.schema and any(_asks_for_own(item) for item in session.items):
            with self._as_usage_error():
                self.own()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if "scenario" in getattr(item, "fixturenames", ()):
            proofs = item.stash[SCENARIO].proofs if SCENARIO in item.stash else []
            blank = Proof(
                scenario=scenario_name(item),
                implementation=self.implementation.name,
                verdicts={},
                focus=focus(item),
            )
            attach(report, call, item, proofs=proofs, blank=blank, hide=self.hide)
        if report.failed and _shares(item):
            self._could_not_start(item.session, call)
            self.servers_gone(item.session)
        return report

    def _could_not_start(self, session: pytest.Session, call: pytest.CallInfo[None]) -> None:
        error = call.excinfo.value if call.excinfo else None
        if self.pair is None and isinstance(error, ServerError | UsageError):
            self.reporter.abort(session, self.hide(str(error)))
        elif self._unloadable:
            self.reporter.abort(session, self.hide(self._unloadable))

    def servers_gone(self, session: pytest.Session) -> bool:
        """Whether a shared server is gone; if so, the run ends after this test."""
        if self.pair is None:
            return False
        both = (self.pair.source, self.pair.target)
        for server, version in zip(both, self.reporter.versions, strict=True):
            if not server.alive():
                self.reporter.abort(
                    session,
                    f"the {server.side} server ({server.kind}, PostgreSQL {version}) is gone; "
                    "see its last log lines above the verdicts, and run again",
                    log=self.hide(server.log()),
                )
                return True
        return False

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """End the shared servers, after the fixtures that an interruption left to be ended."""
        self._held.close()


def focus(item: pytest.Item) -> tuple[Guarantee, ...]:
    """The guarantees that ``item`` is marked with, nearest mark first, each once.

    Raises pytest's own error of collection for an id that is none.
    """
    found: dict[Guarantee, None] = {}
    for name in (name for mark in item.iter_markers("guarantee") for name in mark.args):
        try:
            found[Guarantee(name)] = None
        except ValueError:
            hint = suggestion(str(name), Guarantee)
            raise pytest.Collector.CollectError(
                f"{item.nodeid}: unknown guarantee {name!r}{hint}; "
                f"choose from {', '.join(Guarantee)}"
            ) from None
    return tuple(found)


def scenario_name(item: pytest.Item) -> str:
    return f"{item.path.stem.removeprefix('test_')}::{item.name.removeprefix('test_')}"


def _asks_for_own(item: pytest.Item) -> bool:
    return "own" in getattr(item, "fixturenames", ())


def _shares(item: pytest.Item) -> bool:
    """Whether ``item`` is a scenario on the shared servers."""
    own = item.get_closest_marker("own_servers") is not None
    return "scenario" in getattr(item, "fixturenames", ()) and not own
