"""What ``convert`` and ``clean`` share: a backup in, a file out, and a schema to go by."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from verifier.commands import console, places
from verifier.commands.restore import hidden, set_aside
from verifier.config import Config, ServerKind
from verifier.contract import Claim
from verifier.dsn import Dsn, libpq_set_aside, redact
from verifier.errors import RestoreVerifierError, UsageError
from verifier.interrupts import stoppable
from verifier.report import restore as report
from verifier.report import restore_json
from verifier.report.json import dumps
from verifier.servers import Database, Side, choose
from verifier.settings import PREFIX
from verifier.transfer import Progress, Restored, RestoreOptions
from verifier.worlds import script

Rewrite = Callable[[Path, Dsn, Path, RestoreOptions, Progress | None], Claim]
_TARGET = "target_dsn"


def add(parser: argparse.ArgumentParser, command: str) -> None:
    parser.usage = f"{parser.prog} {places.FILE} -o OUT (--target DSN | --schema FILE) [options]"
    parser.add_argument(
        "arguments", metavar=places.FILE, nargs="*", help="the backup (- is the standard input)"
    )
    parser.add_argument("-o", "--output", metavar="OUT", help="the file to write")
    parser.add_argument(
        "--target",
        metavar="DSN",
        help="the database that it is for: its keys and its rows count, and it is not changed "
        f"(also {PREFIX}{_TARGET.upper()})",
    )
    parser.add_argument(
        "--schema",
        metavar="FILE",
        help="or the schema of an empty database that it is for, as pg_dump --schema-only "
        "--no-owner --no-privileges writes it; run on a server of our own",
    )
    console.add_settings(parser, command)
    parser.add_argument(
        "--quarantine",
        metavar="FILE",
        nargs="?",
        const=True,
        help="keep the rows that do not fit in a new file; without a name, beside the backup",
    )
    parser.add_argument("--json", metavar="FILE", help="write everything that is said to FILE")


def run(
    options: argparse.Namespace,
    passed: list[str],
    command: str,
    rewrite: Callable[[Config], Rewrite],
) -> tuple[int, str]:
    """Rewrite the backup as the arguments say; the exit code and the last line."""
    arguments = [*options.arguments, *passed]
    if len(arguments) != 1:
        raise UsageError(
            f"{command} takes one backup, and got {len(arguments)} arguments; "
            f"write restore-verifier {command} {places.FILE} -o OUT --target DSN"
        )
    (name,) = arguments
    given = {**console.given(options, command), _TARGET: options.target}
    config = Config.load(given, os.environ, Path.cwd(), {_TARGET: "--target"})
    path = places.backup(name)
    if options.output is None:
        raise UsageError("no file to write is given; name one with -o OUT")
    out = places.destination(options.output, "-o")
    quarantine = set_aside(options.quarantine, name)
    places.apart(
        {"-o": out, "--quarantine": quarantine, "--json": options.json, "--schema": options.schema},
        path,
    )
    json_file = console.destination("--json", options.json)
    begun = time.monotonic()
    with (
        stoppable(f"{out} was not written"),
        libpq_set_aside(),
        console.progress() as bar,
        _target(config, options) as (target, shown),
    ):
        wanted = config.restore(quarantine=quarantine, dry_run=True)
        try:
            claim = rewrite(config)(path, target, out, wanted, bar)
        except RestoreVerifierError as error:
            raise type(error)(redact(str(error), target)) from None
        claim = hidden(claim, lambda text: redact(text, target))
    restored = Restored(
        file=name,
        target=shown,
        claim=claim,
        dry_run=True,
        quarantine=str(quarantine) if quarantine is not None and quarantine.exists() else None,
        written=str(out) if claim.success else None,
        seconds=time.monotonic() - begun,
    )
    return _told(restored, json_file)


def _told(restored: Restored, json_file: Path | None) -> tuple[int, str]:
    code = restored.claim.exit_code or 0
    troubles = []
    if json_file is not None:
        troubles.append(console.written(dumps(restore_json.document(restored, code)), json_file))
    troubles.append(console.shown(report.lines(restored, console.width())))
    said = [report.sentence(restored), *troubles, report.advice(restored)]
    return code or (2 if any(troubles) else 0), "; ".join(filter(None, said))


@contextmanager
def _target(config: Config, options: argparse.Namespace) -> Iterator[tuple[Dsn, str]]:
    """The database to go by, and how it is called in the report. Raises :class:`UsageError`."""
    if options.schema is not None:
        if options.target is not None:
            raise UsageError("--target and --schema are both given; give one of them")
        schema = places.readable(options.schema, "--schema", directory=False)
        embedded = Config(servers=ServerKind.EMBEDDED, rows=1)
        with choose(embedded).start() as pair:
            database = pair.databases(Side.TARGET).create("schema")
            _load(schema, database)
            yield database.dsn, f"an empty database with the schema {schema}"
        return
    if config.target_dsn is None:
        raise UsageError(
            "neither a database nor a schema is given to go by; give --target DSN or --schema FILE"
        )
    yield config.target_dsn, str(config.target_dsn)


def _load(schema: Path, database: Database) -> None:
    """Run the schema in a database of our own, all or nothing. Raises :class:`UsageError`.

    By the server and not by psql, which would run the commands of a shell that a file holds.
    """
    text = script.read(schema, "--schema")
    try:
        with database.connect(client_encoding="UTF8") as session, session.transaction():
            for piece in script.pieces(text):
                _run(piece, session)
    except UsageError as error:
        raise UsageError(
            f"--schema {str(schema)!r} cannot be loaded: {error}; "
            "make it with pg_dump --schema-only --no-owner --no-privileges"
        ) from None


def _run(piece: script.Piece, session: psycopg.Connection[Any]) -> None:
    if piece.data is not None:
        raise UsageError(f"line {piece.line}: it holds rows")
    try:
        piece.run(session)
    except psycopg.Error as error:
        raise UsageError(piece.place(error)) from None
