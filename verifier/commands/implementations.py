"""``restore-verifier implementations``: what can be verified."""

from __future__ import annotations

import argparse

from verifier.commands import console
from verifier.errors import UsageError
from verifier.implementations import names

NAME = "implementations"
SUMMARY = "list the implementations that can be verified"


def add(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, passed: list[str]) -> tuple[int, str]:
    if passed:
        raise UsageError(f"{NAME} takes no arguments, and got {' '.join(passed)}")
    console.show([(name, "")] for name in names())
    return 0, ""
