"""``restore-verifier convert``: a backup as upserts that plain psql restores."""

from __future__ import annotations

import argparse
from pathlib import Path

from verifier.commands import rewriting
from verifier.config import CONVERT, Config
from verifier.contract import Claim
from verifier.dsn import Dsn
from verifier.transfer import Progress, RestoreOptions

NAME = CONVERT
SUMMARY = "write a backup as upserts, which psql restores without us"


def add(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Writes a backup as a file of upserts, duplicates merged and tables in order; restore it "
        "with psql -X -1 -v ON_ERROR_STOP=1 -f OUT, as often as you like. Exit code 0: done, "
        "1: rows were rejected, 2: could not begin: bad usage, no connection, an unreadable backup."
    )
    rewriting.add(parser, NAME)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, passed: list[str]) -> tuple[int, str]:
    return rewriting.run(options, passed, NAME, _rewrite)


def _rewrite(config: Config) -> rewriting.Rewrite:
    from verifier.implementations.initial_load import convert

    def rewrite(
        path: Path, target: Dsn, out: Path, wanted: RestoreOptions, progress: Progress | None
    ) -> Claim:
        return convert(path, target, out, config.style, wanted, progress)

    return rewrite
