"""``restore-verifier verify``: a pytest run with the exit codes of the contract."""

from __future__ import annotations

import argparse
from pathlib import Path

from verifier import catalogue
from verifier.commands import console
from verifier.config import VERIFY

NAME = VERIFY
SUMMARY = "run scenarios against an implementation and report every guarantee"
_PLUGIN = "verifier.plugin"
_SCENARIOS = "scenarios"


def add(parser: argparse.ArgumentParser) -> None:
    parser.usage = f"{parser.prog} [PATH ...] [options] [-- PYTEST-ARGUMENTS]"
    add_choice(parser)
    console.add_settings(parser, NAME)
    parser.add_argument(
        "--restore-report", metavar="FILE", help="write every verdict and finding to FILE, as JSON"
    )
    parser.set_defaults(run=run)


def add_choice(parser: argparse.ArgumentParser) -> None:
    """Give ``parser`` what chooses among the scenarios."""
    parser.add_argument(
        "paths",
        metavar="PATH",
        nargs="*",
        help="scenarios: files, directories, or names such as merging or "
        f"merging::duplicates_below_duplicates; by default {_SCENARIOS}/, "
        "and where there is none, all that come along",
    )
    parser.add_argument(
        "--select",
        metavar="EXPRESSION",
        help='those whose marks match, as -m of pytest: "merging and not slow"',
    )


def chosen(options: argparse.Namespace) -> list[str]:
    """pytest's arguments for the paths that ``options`` name, and those it needs to run them.

    Raises :class:`UsageError` for one that is not there.
    """
    paths = [_place(path) for path in options.paths] or [_default()]
    return [*catalogue.home(paths), *paths]


def _default() -> str:
    return _SCENARIOS if Path(_SCENARIOS).is_dir() else str(catalogue.scenarios())


def _place(path: str) -> str:
    return (
        path if Path(path.partition("::")[0]).exists() else catalogue.find(path, Path(_SCENARIOS))
    )


def run(options: argparse.Namespace, passed: list[str]) -> tuple[int, str]:
    arguments = ["-p", _PLUGIN, *chosen(options)]
    arguments += ["-m", options.select] if options.select is not None else []
    settings = {**console.given(options, NAME), "restore_report": options.restore_report}
    for name, value in settings.items():
        for each in value if isinstance(value, list) else [value]:
            if each is not None:
                arguments.append(f"--{name.replace('_', '-')}={each}")
    # pytest takes longer to load than two small databases take to compare.
    from verifier.invocation import run_pytest

    return run_pytest([*arguments, *passed])
