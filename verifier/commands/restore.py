"""``restore-verifier restore``: a backup, merged into a database, all or nothing."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from verifier.commands import console, places
from verifier.config import RESTORE
from verifier.contract import Claim, Row
from verifier.dsn import is_dsn, libpq_set_aside, redact
from verifier.errors import UsageError
from verifier.interrupts import stoppable
from verifier.report import file, restore_json
from verifier.report import restore as report
from verifier.report.json import dumps
from verifier.settings import PREFIX
from verifier.transfer import Ids, Restored

NAME = RESTORE
SUMMARY = "merge a backup into a database, in one transaction"
_DSN = "TARGET_DSN"
_ORDER = (places.FILE, _DSN)
_REJECTED = ".rejected.jsonl"


def add(parser: argparse.ArgumentParser) -> None:
    parser.usage = f"{parser.prog} {places.FILE} [{_DSN}] [options]"
    parser.description = (
        "Merges a backup into a database, all or nothing. Exit code 0: done, 1: rows were "
        "rejected, or the target refused them, 2: could not begin: bad usage, no connection, an "
        "unreadable backup. A password in an argument can be seen by everybody on the machine: "
        "leave it out and give it in PGPASSWORD or a password file, or give the whole connection "
        f"string in {PREFIX}{_DSN}."
    )
    parser.add_argument(
        "arguments",
        metavar="ARGUMENT",
        nargs="*",
        help=f"{places.FILE} (- is the standard input), and {_DSN}, as "
        "postgresql://USER@HOST:PORT/DATABASE",
    )
    console.add_settings(parser, NAME)
    parser.add_argument(
        "--quarantine",
        metavar="FILE",
        nargs="?",
        const=True,
        help="commit what can be restored, and keep every rejected row, with its reason, in a new "
        f"file that can be restored in its turn; without a name, beside the backup: *{_REJECTED}",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="say what would be restored, merged and rejected, and write nothing",
    )
    parser.add_argument("--json", metavar="FILE", help="write everything that is said to FILE")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, passed: list[str]) -> tuple[int, str]:
    arguments = [*options.arguments, *passed]
    if isinstance(options.quarantine, str) and all(map(is_dsn, arguments)):
        raise UsageError(
            f"no {places.FILE} is given, and --quarantine takes the word behind it for its own "
            f"file; write {NAME} {' '.join(_ORDER)} --quarantine"
        )
    named = places.told_apart(arguments, NAME, _ORDER)
    config, target = places.configured(options, NAME, named, _DSN)
    if config.strict_ids and config.ids is Ids.LOCAL:
        raise UsageError(
            "--strict-ids asks about rows that have the same number in both databases, which "
            "--ids local takes for no identity; leave one of the two out"
        )
    name = named[places.FILE]
    path = places.backup(name)
    if config.models is not None:
        places.readable(str(config.models), "--models", directory=False)
    quarantine = set_aside(options.quarantine, name)
    places.apart(
        {"--models": config.models, "--quarantine": quarantine, "--json": options.json}, path
    )
    json_file = console.destination("--json", options.json)

    from verifier.implementations.initial_load import restore

    wanted = config.restore(quarantine=quarantine, dry_run=options.dry_run)
    begun = time.monotonic()
    with (
        stoppable("the transaction was rolled back, nothing was changed"),
        libpq_set_aside(),
        console.progress() as bar,
    ):
        claim = restore(path, target, wanted, bar)
    restored = Restored(
        file=name,
        target=str(target),
        claim=hidden(claim, lambda text: redact(text, target)),
        dry_run=options.dry_run,
        quarantine=str(quarantine) if quarantine is not None and quarantine.exists() else None,
        seconds=time.monotonic() - begun,
    )
    return _told(restored, json_file)


def _told(restored: Restored, json_file: Path | None) -> tuple[int, str]:
    """Report ``restored``; returns the exit code and the last line."""
    sentence = report.sentence(restored)
    code = restored.claim.exit_code
    if code is None:
        code = 0 if restored.claim.success else 1
    troubles = []
    with stoppable(f"the restore had come to its end: {sentence}"):
        if json_file is not None:
            text = dumps(restore_json.document(restored, code))
            troubles.append(console.written(text, json_file))
        troubles.append(console.shown(report.lines(restored, console.width())))
    said = "; ".join(filter(None, [sentence, *troubles, report.advice(restored)]))
    return code or (2 if any(troubles) else 0), said


def set_aside(given: str | bool | None, backup: str) -> Path | None:
    """The file for rejected rows: not there yet, and seen to be writable.

    Raises :class:`UsageError`. Rows of an earlier restore are never written over.
    """
    if given is None:
        return None
    if given is True and backup == report.STANDARD_INPUT:
        raise UsageError(
            "--quarantine names no file, and the standard input is none to put it beside; name one"
        )
    name = str(Path(backup)) + _REJECTED if given is True else str(given)
    path = Path(name)
    try:
        if name in ("", "-"):
            raise FileNotFoundError(None, "it is no name of a file")
        if os.path.lexists(path):
            raise FileExistsError(None, "it is there already, and may hold rows of another restore")
        file.check(path)
    except OSError as error:
        raise UsageError(
            f"--quarantine {name!r} cannot be written: {error.strerror}; "
            "name a new file in a directory that can be written to"
        ) from None
    return path


def hidden(claim: Claim, hide: Callable[[str], str]) -> Claim:
    """``claim`` with passwords hidden in every value and every word; names stay as they are."""

    def row(values: Mapping[str, str | None]) -> Row:
        return {name: value and hide(value) for name, value in values.items()}

    return replace(
        claim,
        message=hide(claim.message),
        merges=tuple(
            replace(each, key=row(each.key), survivor=row(each.survivor))
            for each in claim.merges or ()
        ),
        rejections=tuple(
            replace(each, key=row(each.key), reason=hide(each.reason))
            for each in claim.rejections or ()
        ),
        notes=tuple(map(hide, claim.notes)),
    )
