"""What the arguments of the commands name: a backup, a file to write, and a database."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from verifier.commands import console
from verifier.config import Config
from verifier.dsn import Dsn, is_dsn
from verifier.errors import UsageError
from verifier.report import file
from verifier.report.restore import STANDARD_INPUT
from verifier.settings import PREFIX

FILE = "FILE"


def told_apart(arguments: Sequence[str], command: str, order: Sequence[str]) -> dict[str, str]:
    """The arguments by what they are, in the ``order`` of the usage; the database may be lacking.

    Raises :class:`UsageError` where one is missing, one is too many, or they have changed
    places; without repeating what may hold a password.
    """
    usage = f"restore-verifier {command} {' '.join(order)}"
    (dsn,) = [place for place in order if place != FILE]
    if len(arguments) not in (1, 2):
        raise UsageError(
            f"{command} takes a file and a database, and got {len(arguments)} arguments; "
            f"write {usage}, or leave {dsn} out and set {PREFIX}{dsn}"
        )
    found = dict(zip(order if len(arguments) == 2 else (FILE,), arguments, strict=True))
    if is_dsn(found[FILE]):
        if len(found) == 1:
            raise UsageError(f"no {FILE} is given, only a connection string; write {usage}")
        swapped = not is_dsn(found[dsn])
        what = f"{FILE} and {dsn} have changed places" if swapped else f"{FILE} is a database, too"
        raise UsageError(f"{what}; write {usage} (a file of such a name is written ./NAME)")
    return found


def configured(
    options: argparse.Namespace, command: str, named: Mapping[str, str], place: str
) -> tuple[Config, Dsn]:
    """The settings, and the connection string of ``place`` (``TARGET_DSN``).

    Raises :class:`UsageError`.
    """
    given, called = console.given(options, command), {}
    name = place.lower()
    if place in named:
        if given[name] is not None:
            raise UsageError(f"{place} is given as an argument and as a flag; give it once")
        given[name], called[name] = named[place], place
    config = Config.load(given, os.environ, Path.cwd(), called)
    dsn: Dsn | None = getattr(config, name)
    if dsn is None:
        side = name.partition("_")[0]
        raise UsageError(
            f"no connection string for the {side}; give {place}, or set {PREFIX}{place}"
        )
    return config, dsn


def apart(files: Mapping[str, str | Path | None], kept: Path) -> None:
    """See that no file of an option is another's, or takes the place of what is to be ``kept``.

    Raises :class:`UsageError`.
    """
    seen: list[tuple[str, Path]] = [(FILE, kept)]
    for option, name in files.items():
        if not name:
            continue
        path = Path(name)
        for other, place in seen:
            if file.is_one(path, place):
                raise UsageError(
                    f"{option} and {other} name the same file; give each a file of its own"
                )
            if place.resolve() in path.resolve().parents:
                raise UsageError(f"{option} names a file within {other}; name one elsewhere")
        seen.append((option, path))


def backup(name: str) -> Path:
    """The backup to read, ``-`` being the standard input.

    Raises :class:`UsageError` when there is nothing to read.
    """
    if name != STANDARD_INPUT:
        return readable(name, FILE)
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError(f"{FILE} is -, and nothing is piped in; pipe a backup in")
    return Path(name)


def destination(name: str, what: str) -> Path:
    """The file to be written, seen to be writable; what is there stays until it is whole.

    Raises :class:`UsageError`.
    """
    path = Path(name)
    try:
        if name in ("", "-"):
            raise FileNotFoundError(None, "it is no name of a file")
        if path.is_dir():
            raise IsADirectoryError(None, "it is a directory")
        if not file.is_ordinary(path):
            raise FileExistsError(None, "it is there and no ordinary file")
        file.check(path)
    except OSError as error:
        raise UsageError(
            f"{what} {name!r} cannot be written: {error.strerror}; "
            "name a file in a directory that can be written to"
        ) from None
    return path


def readable(name: str, what: str, *, directory: bool = True) -> Path:
    """What ``name`` leads to, seen to be there and to be readable.

    Raises :class:`UsageError`; also for a directory, unless that may be one.
    """
    path = Path(name)
    try:
        if not name:
            raise FileNotFoundError(None, "no name is given")
        path.stat()
        if path.is_dir() and not directory:
            raise IsADirectoryError(None, "it is a directory")
        if not os.access(path, os.R_OK):
            raise PermissionError(None, "it may not be read")
    except OSError as error:
        raise UsageError(
            f"{what} {name!r} cannot be read: {error.strerror}; name a file that can"
        ) from None
    return path
