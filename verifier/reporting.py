"""What a run came to: collected from pytest's reports, shown, written, and made the exit status."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from verifier import __version__
from verifier.config import VERIFY, Config, settings_of
from verifier.contract import Verdict
from verifier.errors import UsageError
from verifier.outcome import CARGO
from verifier.report import json, terminal
from verifier.report.file import prepare
from verifier.report.literal import printable
from verifier.report.model import About, Results
from verifier.report.text import Style

_MARKUP: Mapping[Style, dict[str, bool]] = {
    "": {},
    "good": {"green": True},
    "bad": {"red": True, "bold": True},
    "doubt": {"yellow": True},
    "faint": {"light": True},
    "strong": {"bold": True},
}


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


class Pointer:
    """What pytest shows of a broken proof: one line, as the findings stand in the summary.

    ``str()`` is the whole text, which is what a JUnit file gets.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        first = text.partition("\n")[0]
        self.message = first.partition(": ")[2] or first

    @property
    def reprcrash(self) -> Pointer:
        """pytest reads the message of its short summary from ``reprcrash.message``."""
        return self

    def toterminal(self, writer: Any) -> None:
        writer.line(self.message + (" (see below)" if "\n" in self.text else ""))

    def __str__(self) -> str:
        return self.text


class Reporter:
    """Listens to pytest, collects the proofs, and shows what they come to."""

    def __init__(self, config: pytest.Config) -> None:
        self.results = Results()
        self.refused = ""
        """Why nothing could be run at all, in one sentence."""
        self.servers = ""
        self.versions = ("", "")
        self.tables = ""
        """Which of the user's own tables were filled, in words."""
        self.unmade: tuple[str, ...] = ()
        self._config = config
        self._worker: dict[str, Any] | None = getattr(config, "workeroutput", None)
        self._settings: Config | None = None
        self._ended = False
        self._uncollected = False
        self._log = ""
        self._file: Path | None = None
        self._name = ""

    @property
    def sentence(self) -> str:
        """What the run came to, in one sentence; empty when it did not come to an end."""
        return self.refused or (self.results.sentence if self._ended else "")

    def prepare(self, settings: Config, implementation: str) -> None:
        """Learn what is run. Raises :class:`UsageError` for a report file with no place."""
        self._settings, self._name = settings, implementation
        file = self._config.getoption("--restore-report")
        if file is None or self._worker is not None:
            return
        self._file = self._config.invocation_params.dir / file
        try:
            prepare(self._file)
        except OSError as error:
            raise UsageError(
                f"--restore-report {file!r} cannot be written: {error.strerror}; "
                "name a file in an existing directory"
            ) from None

    def header(self) -> str:
        lines = [f"restore-verifier {__version__}: implementation {self._name}"]
        if self._settings is not None and self._settings.schema is not None:
            place = self._settings.schema
            lines.append(f"schema: {place}; scenarios about the shop's tables are left out")
        return "\n".join(lines + ([f"servers: {self.servers}"] if self.servers else []))

    def announce(self) -> None:
        """Say which servers were started, and why these."""
        writer = self._config.pluginmanager.get_plugin("terminalreporter")
        if writer is not None:
            source, target = self.versions
            writer.write_line(
                f"source PostgreSQL {source}, target PostgreSQL {target}: {self.servers}"
            )

    def abort(self, session: pytest.Session, sentence: str, log: str = "") -> None:
        """End the run after this test; the first reason given is the one that is told."""
        if not self.results.aborted:
            self.results.aborted, self._log = sentence, log
            session.shouldstop = sentence

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if self._worker is not None:
            return
        cargo = getattr(report, CARGO, None)
        if cargo is not None:
            path, line, name = cargo["order"]
            for plain in cargo["proofs"]:
                self.results.add((path, line, name), json.from_plain(plain))
        if report.failed and not (cargo and cargo["proved"]):
            self.results.failures.append(report.nodeid)
        elif report.failed:
            report.longrepr = Pointer(str(report.longrepr))  # type: ignore[assignment]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._uncollected |= report.failed

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a finished worker has to say."""
        said = getattr(node, "workeroutput", {}).get(CARGO, {})
        if any(said.get("versions", ())):
            self.versions = tuple(said["versions"])
        if said.get("tables"):
            self.tables, self.unmade = said["tables"], tuple(said["unmade"])
        if said.get("aborted") and not self.results.aborted:
            self.results.aborted, self._log = said["aborted"], said["log"]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._worker is not None:
            self._worker[CARGO] = {
                "versions": list(self.versions),
                "tables": self.tables,
                "unmade": list(self.unmade),
                "aborted": self.results.aborted,
                "log": self._log,
            }
            return
        self.results.about = self._about()
        whole = session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        if not whole and self.results.rows and not self.results.aborted:
            self.results.aborted = "it was interrupted before its end; run it again"
        self._ended = (whole and not self._uncollected) or bool(self.results.aborted)
        if self._uncollected and whole and self.results.exit_code != 1:
            # As it is without parallel workers: what cannot be read cannot be verified.
            session.exitstatus = pytest.ExitCode.INTERRUPTED
        if not self._ended or not self._spoken:
            return
        if whole or self.results.verdict is Verdict.BROKEN:  # nothing that was left out mends it
            session.exitstatus = pytest.ExitCode(self.results.exit_code)
        if self._file is None:
            return
        try:
            json.write(self.results, self._file)
        except OSError as error:
            self.refused = f"{self._file} cannot be written: {error.strerror}; make room for it"
            session.exitstatus = session.exitstatus or pytest.ExitCode.INTERRUPTED

    @property
    def _spoken(self) -> bool:
        """Whether any scenario was run, or was to be run."""
        return bool(self.results.rows or self.results.aborted)

    def _about(self) -> About:
        given = {each.key: getattr(self._settings, each.name) for each in settings_of(VERIFY)}
        return About(
            version=__version__,
            implementation=self._name,
            servers=self.servers,
            source=self.versions[0],
            target=self.versions[1],
            settings={name: _shown(value) for name, value in given.items() if value is not None},
            tables=self.tables,
            unmade=self.unmade,
        )

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self._spoken:
            return
        if self._log:
            terminalreporter.section("the server's last log lines")
            for each in self._log.splitlines():
                terminalreporter.write_line(printable(each))
        terminalreporter.section("restore verification")
        for line in terminal.summary(self.results, self._look(terminalreporter)):
            for text, style in line:
                terminalreporter.write(text, **_MARKUP[style])
            terminalreporter.write_line("")
        if self.refused:
            terminalreporter.write_line(self.refused, red=True)

    def _look(self, writer: pytest.TerminalReporter) -> terminal.Look:
        screen = bool(writer.isatty)
        encoding = getattr(sys.__stdout__, "encoding", None) or ""
        return terminal.Look(
            width=shutil.get_terminal_size().columns if screen else 120,
            unicode=screen and encoding.lower().replace("-", "") == "utf8",
            details=str(self._file or ""),
        )
