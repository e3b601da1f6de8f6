"""``restore-verifier selftest``: whether the comparison sees what it has to see."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from verifier import selftest
from verifier.commands import console
from verifier.comparison import Mutated
from verifier.config import SELFTEST, Config
from verifier.dsn import libpq_set_aside, redact
from verifier.errors import RestoreVerifierError, UsageError
from verifier.report import selftest as terminal
from verifier.report.json import dumps
from verifier.report.literal import printable

NAME = SELFTEST
SUMMARY = "change a correctly restored database in many small ways, and see each of them found"

_ADVICE = {
    1: "trust no answer of identical until it is seen",
    2: "see the reasons above, mend them, and run again",
}


def add(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Applies one small change after the other to a correctly restored database and compares "
        "it with its source. Exit code 0: every change was seen, 1: one was missed, 2: one could "
        "not be tried."
    )
    console.add_settings(parser, NAME)
    parser.add_argument("--json", metavar="FILE", help="write the outcome to FILE")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, passed: list[str]) -> tuple[int, str]:
    if passed:
        raise UsageError(f"{NAME} takes no arguments, and got {len(passed)} of them")
    config = Config.load(console.given(options, NAME), os.environ, Path.cwd())
    json_file = console.destination("--json", options.json)
    dsns = [dsn for dsn in (config.source_dsn, config.target_dsn) if dsn is not None]
    tried = _Counter()
    try:
        with libpq_set_aside():
            outcome = selftest.run(config, tried.tell)
    except RestoreVerifierError as error:
        raise type(error)(redact(str(error), *dsns)) from None
    finally:
        tried.clear()
    trouble = ""
    if json_file is not None:
        trouble = console.written(dumps(terminal.to_plain(outcome)), json_file)
    console.show(terminal.lines(outcome, console.width()))
    code = outcome.exit_code or (2 if trouble else 0)
    said = (
        f"{terminal.sentence(outcome)}; {_ADVICE[outcome.exit_code]}" if outcome.exit_code else ""
    )
    return code, "; ".join(filter(None, [said, trouble]))


class _Counter:
    """The result that came in last, on a line of a terminal that the next one overwrites."""

    def __init__(self) -> None:
        self._count = 0
        self._shown = sys.stderr.isatty()

    def tell(self, result: Mutated) -> None:
        self._count += 1
        self._line(
            f"{self._count} of {len(selftest.MUTATIONS)}: {printable(result.name)}: {result.sight}"
        )

    def clear(self) -> None:
        self._line("")

    def _line(self, text: str) -> None:
        if self._shown:
            print(f"\r\x1b[K{text[: console.width() - 1]}", end="", file=sys.stderr, flush=True)
