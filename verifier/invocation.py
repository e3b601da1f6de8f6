"""One pytest run of scenarios, and what it came to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

_REPORTER = "restore-verifier"


def run_pytest(arguments: Sequence[str], *plugins: object) -> tuple[int, str]:
    """Run pytest; the contract's exit code and the sentence that explains it."""
    witness = _Witness()
    code = int(pytest.main([*arguments], plugins=[witness, *plugins]))
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
