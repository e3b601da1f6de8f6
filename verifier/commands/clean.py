"""``restore-verifier clean``: a backup without duplicates and orphans."""

from __future__ import annotations

import argparse
from pathlib import Path

from verifier.commands import rewriting
from verifier.config import CLEAN, Config
from verifier.contract import Claim
from verifier.dsn import Dsn
from verifier.transfer import Progress, RestoreOptions

NAME = CLEAN
SUMMARY = "write a backup with duplicates merged and orphans set aside"


def add(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Writes a backup in which duplicates are merged, their children follow, and rows that do "
        "not fit are set aside in a file of their own. Exit code 0: done, 1: rows were set "
        "aside, 2: could not begin: bad usage, no connection, an unreadable backup."
    )
    rewriting.add(parser, NAME)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, passed: list[str]) -> tuple[int, str]:
    if options.quarantine is None:
        options.quarantine = True  # asked for or not: what does not fit is never dropped
    return rewriting.run(options, passed, NAME, _rewrite)


def _rewrite(config: Config) -> rewriting.Rewrite:
    from verifier.implementations.initial_load import clean

    def rewrite(
        path: Path, target: Dsn, out: Path, wanted: RestoreOptions, progress: Progress | None
    ) -> Claim:
        return clean(path, target, out, config.format, wanted, progress)

    return rewrite
