"""``restore-verifier verify``: a pytest run with the exit codes of the contract."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from verifier.commands import console
from verifier.config import VERIFY
from verifier.errors import UsageError

NAME = VERIFY
SUMMARY = "run scenarios against an implementation and report every guarantee"
_PLUGIN = "verifier.plugin"
_REPORTER = "restore-verifier"
_SCENARIOS = "scenarios"


def add(parser: argparse.ArgumentParser) -> None:
    parser.usage = f"{parser.prog} [PATH ...] [options] [-- PYTEST-ARGUMENTS]"
    parser.add_argument(
        "paths",
        metavar="PATH",
        nargs="*",
        help=f"scenarios to run; all of {_SCENARIOS}/ by default",
    )
    console.add_settings(parser, NAME)
    parser.add_argument(
        "--restore-report", metavar="FILE", help="write every verdict and finding to FILE, as JSON"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, passed: list[str]) -> tuple[int, str]:
    paths = options.paths or [_SCENARIOS]
    for path in paths:
        if not Path(path.partition("::")[0]).exists():
            raise UsageError(f"there are no scenarios at {path}; name a file or directory of them")
    arguments = ["-p", _PLUGIN, *paths]
    settings = {**console.given(options, NAME), "restore_report": options.restore_report}
    for name, value in settings.items():
        if value is not None:
            arguments.append(f"--{name.replace('_', '-')}={value}")
    witness = _Witness()
    code = int(pytest.main([*arguments, *passed], plugins=[witness]))
    return _meaning(code, witness.sentence)


class _Witness:
    """Remembers the configuration of the pytest run, where the outcome can be read."""

    def __init__(self) -> None:
        self.config: pytest.Config | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        self.config = config

    @property
    def sentence(self) -> str:
        """What the run came to; empty when the plugin cannot tell."""
        reporter: Any = self.config.pluginmanager.get_plugin(_REPORTER) if self.config else None
        return str(reporter.sentence) if reporter else ""


def _meaning(code: int, sentence: str) -> tuple[int, str]:
    """The contract's exit code for pytest's, and the sentence that explains it."""
    if code == pytest.ExitCode.OK:
        return 0, ""
    if sentence:
        return (1 if code == pytest.ExitCode.TESTS_FAILED else 2), sentence
    return 2, {
        pytest.ExitCode.INTERRUPTED: "the run was interrupted; see above, and run it again",
        pytest.ExitCode.NO_TESTS_COLLECTED: "no scenario was selected; nothing was verified",
        pytest.ExitCode.USAGE_ERROR: "pytest could not start; see its message above",
    }.get(pytest.ExitCode(code), "pytest failed inside; see above")
