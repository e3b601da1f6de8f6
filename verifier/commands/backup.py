"""``restore-verifier backup``: a database's rows in one file, or fewer of them by rule."""

from __future__ import annotations

import argparse
import time

from verifier.commands import console, places
from verifier.config import BACKUP
from verifier.dsn import libpq_set_aside, redact
from verifier.errors import RestoreVerifierError
from verifier.interrupts import stoppable
from verifier.report import backup as report
from verifier.report.json import dumps
from verifier.settings import PREFIX

NAME = BACKUP
SUMMARY = "write the rows of a database to a file"
_DSN = "SOURCE_DSN"
_ORDER = (_DSN, places.FILE)


def add(parser: argparse.ArgumentParser) -> None:
    parser.usage = f"{parser.prog} [{_DSN}] {places.FILE} [options]"
    parser.description = (
        "Writes the rows of a database to FILE, as they were at one moment, compressed where its "
        "name ends in .gz or .zst. Exit code 0: done, 2: no backup was made. A password in an "
        "argument can be seen by everybody on the machine: leave it out and give it in PGPASSWORD "
        f"or a password file, or give the whole connection string in {PREFIX}{_DSN}."
    )
    parser.add_argument(
        "arguments",
        metavar="ARGUMENT",
        nargs="*",
        help=f"{_DSN}, as postgresql://USER@HOST:PORT/DATABASE, and {places.FILE}",
    )
    console.add_settings(parser, NAME)
    parser.add_argument("--json", metavar="FILE", help="write what was backed up to FILE")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, passed: list[str]) -> tuple[int, str]:
    named = places.told_apart([*options.arguments, *passed], NAME, _ORDER)
    config, source = places.configured(options, NAME, named, _DSN)
    path = places.destination(named[places.FILE], places.FILE)
    places.apart({"--json": options.json}, path)
    json_file = console.destination("--json", options.json)

    from verifier.implementations.initial_load import backup

    begun = time.monotonic()
    try:
        with (
            stoppable("no backup was made"),
            libpq_set_aside(),
            console.progress() as bar,
        ):
            done = backup(source, path, config.backup, bar)
    except RestoreVerifierError as error:
        raise type(error)(redact(str(error), source)) from None
    seconds, size = time.monotonic() - begun, path.stat().st_size
    troubles = []
    if json_file is not None:
        plain = report.to_plain(done, str(source), size, seconds)
        troubles.append(console.written(redact(dumps(plain), source), json_file))
    lines = report.lines(done, str(source), size, seconds, console.width())
    troubles.append(console.shown(lines))
    if not any(troubles):
        return 0, ""
    return 2, "; ".join(filter(None, [f"done: {report.sentence(done, size)}", *troubles]))
