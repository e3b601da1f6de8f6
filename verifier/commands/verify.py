"""``restore-verifier verify``: a pytest run with the exit codes of the contract."""

from __future__ import annotations

import argparse
from pathlib import Path

from verifier.catalogue import scenarios
from verifier.commands import console
from verifier.config import VERIFY
from verifier.errors import UsageError

NAME = VERIFY
SUMMARY = "run scenarios against an implementation and report every guarantee"
_PLUGIN = "verifier.plugin"


def add(parser: argparse.ArgumentParser) -> None:
    parser.usage = f"{parser.prog} [PATH ...] [options] [-- PYTEST-ARGUMENTS]"
    parser.add_argument(
        "paths",
        metavar="PATH",
        nargs="*",
        help=f"scenarios to run; all of {scenarios()}/ by default",
    )
    console.add_settings(parser, NAME)
    parser.add_argument(
        "--restore-report", metavar="FILE", help="write every verdict and finding to FILE, as JSON"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, passed: list[str]) -> tuple[int, str]:
    paths = options.paths or [str(scenarios())]
    for path in paths:
        if not Path(path.partition("::")[0]).exists():
            raise UsageError(f"there are no scenarios at {path}; name a file or directory of them")
    arguments = ["-p", _PLUGIN, *paths]
    settings = {**console.given(options, NAME), "restore_report": options.restore_report}
    for name, value in settings.items():
        if value is not None:
            arguments.append(f"--{name.replace('_', '-')}={value}")
    # pytest takes longer to load than two small databases take to compare.
    from verifier.commands.scenarios import run_pytest

    return run_pytest([*arguments, *passed])
