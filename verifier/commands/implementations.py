"""``restore-verifier implementations``: what can be verified."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from verifier.commands import console
from verifier.config import Config
from verifier.errors import UsageError
from verifier.implementations import kinds
from verifier.settings import CONFIG

NAME = "implementations"
SUMMARY = "list the implementations that can be verified"


def add(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Lists the built-in implementations, those that the configuration adds, and those that "
        "are installed. Any other Python object can be verified as module:attribute."
    )
    parser.add_argument(CONFIG.flag, dest=CONFIG.name, metavar=CONFIG.metavar, help=CONFIG.help)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, passed: list[str]) -> tuple[int, str]:
    if passed:
        raise UsageError(f"{NAME} takes no arguments, and got {' '.join(passed)}")
    config = Config.load({CONFIG.name: options.config}, os.environ, Path.cwd())
    found = kinds(config.definitions)
    width = max(map(len, found))
    console.show([(f"{name:{width}}  ", ""), (kind, "faint")] for name, kind in found.items())
    return 0, ""
