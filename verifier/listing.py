"""The scenarios of some files, asked of pytest, which collects them and runs none."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from io import StringIO

import pytest

from verifier import marking
from verifier.errors import UsageError
from verifier.report.catalogue import Listed
from verifier.run import focus, scenario_name

_WRONG = re.compile(r"(?:E  +|ERROR: )(.+)")
"""A line of pytest's output that tells an error."""


def scenarios(paths: Sequence[str], select: str | None, arguments: Sequence[str]) -> list[Listed]:
    """The scenarios in ``paths`` whose marks match ``select``, in pytest's order.

    ``arguments`` go to pytest as they are. Raises :class:`UsageError` when there are none, and
    when they cannot be collected.
    """
    collector, said = _Collector(), StringIO()
    asked = ["--collect-only", "--quiet", "-p", "verifier.plugin", "-p", "no:cacheprovider"]
    asked += ["-m", select] if select is not None else []
    with redirect_stdout(said), redirect_stderr(said):
        code = pytest.main([*asked, *arguments, *paths], plugins=[collector])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise UsageError(f"the scenarios cannot be collected: {_reason(said.getvalue())}")
    if not collector.found:
        which = "" if select is None else f" that matches {select!r}"
        raise UsageError(
            f"there is no scenario in {' '.join(paths)}{which}; "
            "see restore-verifier scenarios without any option for all"
        )
    return list(collector.found.values())


def _reason(said: str) -> str:
    """What pytest found wrong, of all that it said."""
    words = [line.strip() for line in said.splitlines() if line.strip()]
    marked = [found[1] for found in map(_WRONG.match, words) if found]
    return (marked or words or ["pytest said nothing"])[0]


class _Collector:
    """Takes down what pytest selected, one entry for all runs of a scenario."""

    def __init__(self) -> None:
        self.found: dict[str, Listed] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            if isinstance(item, pytest.Function) and "scenario" in item.fixturenames:
                self._take(item)

    def _take(self, item: pytest.Function) -> None:
        name = scenario_name(item).partition("[")[0]
        if name in self.found:
            known = self.found[name]
            self.found[name] = replace(known, runs=known.runs + 1)
            return
        need = marking.need(item)
        self.found[name] = Listed(
            name=name,
            sentence=" ".join((inspect.getdoc(item.function) or "").split()),
            guarantees=focus(item),
            traps=marking.traps(item),
            slow=item.get_closest_marker(marking.SLOW) is not None,
            needs=f"{need.since}: {need.reason}" if need else "",
        )
