"""One process's part of the matrix: the panel, run by pytest with some of the implementations.

All of them share one pair of servers and the templates on it, which is where the time goes.
"""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection

import pytest

from verifier import plugin
from verifier.commands.scenarios import run_pytest
from verifier.config import VERIFY, Config, settings_of
from verifier.contract import Proof
from verifier.implementations import implementation
from verifier.matrix.panel import node
from verifier.outcome import CARGO
from verifier.report import json
from verifier.run import Run, scenario_name

_KEPT = 4000
"""Characters of pytest's output that are kept, for the case that it failed itself."""


@dataclass(frozen=True, slots=True)
class End:
    """A part is over."""

    exit_code: int
    sentence: str
    """What it came to, where that is not ``kept``."""
    output: str
    proved: bool = False
    """Whether any scenario proved anything."""
    versions: tuple[str, str] = ("", "")
    """Of the source and the target server."""


def work(
    names: Sequence[str], panel: Sequence[str], settings: dict[str, object], channel: Connection
) -> None:
    """Send the proof of every scenario of ``panel`` with every one of ``names``, then the end.

    To be run in a process of its own, which is told to stop by SIGTERM.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits for this
    os.environ.pop("PYTEST_ADDOPTS", None)
    part, output = _Part(names, panel, channel.send), io.StringIO()
    with redirect_stdout(output), redirect_stderr(output):
        code, sentence = run_pytest(_arguments(panel, Config.from_plain(settings)), part)
    channel.send(End(code, sentence, output.getvalue()[-_KEPT:], part.proved, part.versions))
    channel.close()


def _arguments(panel: Sequence[str], config: Config) -> list[str]:
    """pytest's arguments. Every setting is given: nobody's environment changes the matrix."""
    # What a project adds to its own runs (--exitfirst, -n) is not meant for this one.
    arguments = ["-p", plugin.__name__, "-p", "no:cacheprovider", "-o", "addopts="]
    arguments += ["-q", "--tb=no", *dict.fromkeys(map(node, panel))]
    plain = config.to_plain()
    for setting in settings_of(VERIFY):
        value = plain[setting.name]
        if value is not None:
            given = ",".join(value) if isinstance(value, list) else value
            arguments.append(f"{setting.flag}={given}")
    return arguments


class _Part:
    """Has pytest run each scenario with each of ``names``, and tells what each came to."""

    def __init__(
        self, names: Sequence[str], panel: Sequence[str], tell: Callable[[Proof], None]
    ) -> None:
        self.versions, self.proved = ("", ""), False
        self._names, self._panel, self._tell = names, panel, tell

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        metafunc.parametrize("implementation_of_the_matrix", self._names, indirect=True)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave out what has other parameters than the panel says."""
        items[:] = [
            item
            for item in items
            if any(_own_name(scenario_name(item), name) in self._panel for name in self._names)
        ]

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
