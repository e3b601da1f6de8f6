"""One process's part of the matrix: some of the implementations, run by pytest.

All of them share one pair of servers and the templates on it, which is where the time goes.
"""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection

import pytest

from verifier import catalogue, plugin
from verifier.config import VERIFY, Config, settings_of
from verifier.contract import Proof
from verifier.implementations import implementation
from verifier.invocation import run_pytest
from verifier.matrix.panel import node
from verifier.outcome import CARGO
from verifier.report import json
from verifier.run import Run, scenario_name

Panels = Mapping[str, Sequence[str]]
"""Scenarios by implementation."""
_PARAMETER = "implementation_of_the_matrix"


@dataclass(frozen=True, slots=True)
class End:
    """A part is over."""

    exit_code: int
    sentence: str
    """What it came to, where that is not ``kept``."""
    output: str
    """pytest's last line."""
    proved: bool = False
    """Whether any scenario proved anything."""
    versions: tuple[str, str] = ("", "")
    """Of the source and the target server."""


def work(panels: Panels, settings: dict[str, object], channel: Connection) -> None:
    """Send the proof of every implementation's scenarios as they come, then the end.

    To be run in a process of its own, which is told to stop by SIGTERM.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits for this
    os.environ.pop("PYTEST_ADDOPTS", None)
    part, output = _Part(panels, channel.send), io.StringIO()
    nodes = dict.fromkeys(node(scenario) for panel in panels.values() for scenario in panel)
    with redirect_stdout(output), redirect_stderr(output):
        options = [*_options(Config.from_plain(settings)), *catalogue.home([*nodes])]
        code, sentence = run_pytest([*options, *nodes], part)
    last = output.getvalue().strip().splitlines()[-1:]
    channel.send(End(code, sentence, "".join(last), part.proved, part.versions))
    channel.close()


def _options(config: Config) -> list[str]:
    """pytest's options. Every setting is given: nobody's environment changes the matrix."""
    # What a project adds to its own runs (--exitfirst, -n) is not meant for this one, and
    # nobody reads its tracebacks and assertions.
    arguments = ["-p", plugin.__name__, "-p", "no:cacheprovider", "-p", "no:hypothesispytest"]
    arguments += ["-o", "addopts=", "-q", "--tb=no", "--assert=plain"]
    plain = config.to_plain()
    for setting in settings_of(VERIFY):
        value = plain[setting.name]
        if isinstance(value, list) and not setting.repeatable:
            value = ",".join(value)
        given = value if isinstance(value, list) else [value]
        arguments += [f"{setting.flag}={each}" for each in given if each is not None]
    return arguments


class _Part:
    """Has pytest run each implementation's scenarios, and tells what each of them came to."""

    def __init__(self, panels: Panels, tell: Callable[[Proof], None]) -> None:
        self.versions, self.proved = ("", ""), False
        self._panels, self._tell = panels, tell

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        metafunc.parametrize(_PARAMETER, list(self._panels), indirect=True)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave out scenarios that are not the implementation's, or have other parameters."""
        items[:] = [item for item in items if self._wanted(item)]

    def _wanted(self, item: pytest.Item) -> bool:
        assert isinstance(item, pytest.Function)
        name = str(item.callspec.params[_PARAMETER])
        return _own_name(scenario_name(item), name) in self._panels[name]

    @pytest.fixture(autouse=True)
    def implementation_of_the_matrix(self, request: pytest.FixtureRequest) -> None:
        """The implementation that this scenario is run with."""
        self._run(request.config).implementation = implementation(request.param)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self.versions = self._run(session.config).reporter.versions

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for plain in getattr(report, CARGO, {}).get("proofs", ()):
            proof = json.from_plain(plain)
            self.proved = True
            own = _own_name(proof.scenario, proof.implementation)
            self._tell(replace(proof, scenario=own))

    @staticmethod
    def _run(config: pytest.Config) -> Run:
        found = config.pluginmanager.get_plugin(f"{plugin.NAME}-run")
        assert isinstance(found, Run)
        return found


def _own_name(scenario: str, implementation: str) -> str:
    """The scenario's name without the implementation, which is one of its parameters here."""
    for with_it, without in (
        (f"[{implementation}]", ""),
        (f"[{implementation}-", "["),
        (f"-{implementation}]", "]"),
    ):
        scenario = scenario.replace(with_it, without)
    return scenario
