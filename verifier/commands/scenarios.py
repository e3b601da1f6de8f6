"""``restore-verifier scenarios``: what is put to the test, and what breaks in the field."""

from __future__ import annotations

import argparse

from verifier.commands import console, verify
from verifier.report import catalogue

NAME = "scenarios"
SUMMARY = "list the scenarios, each with what breaks in the field"


def add(parser: argparse.ArgumentParser) -> None:
    parser.usage = f"{parser.prog} [PATH ...] [options] [-- PYTEST-ARGUMENTS]"
    verify.add_choice(parser)
    parser.add_argument(
        "--markdown", action="store_true", help="as the page that docs/scenarios.md is"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, passed: list[str]) -> tuple[int, str]:
    paths = verify.chosen(options)
    from verifier.listing import scenarios

    found = scenarios(paths, options.select, passed)
    if options.markdown:
        console.show([(line, "")] for line in catalogue.markdown(found).splitlines())
    else:
        console.show(catalogue.lines(found, console.width()))
    return 0, ""
