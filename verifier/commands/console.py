"""What the commands share: settings as flags, lines on a screen, files for their outcome."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from verifier.config import settings_of
from verifier.errors import RestoreVerifierError, UsageError
from verifier.report import file
from verifier.report.text import Line, Style
from verifier.settings import CONFIG

if TYPE_CHECKING:
    from verifier.progress import Bar

WIDTH = 120
"""Columns of an output that is no terminal."""
_COLOURS: Mapping[Style, str] = {
    "good": "32",
    "bad": "1;31",
    "doubt": "33",
    "faint": "2",
    "strong": "1",
}


def add_settings(parser: argparse.ArgumentParser, command: str) -> None:
    """Give ``parser`` a flag for each setting of ``command``, and one for where they are."""
    for setting in (CONFIG, *settings_of(command)):
        about = f"{setting.help} (also {setting.variable})"
        if not setting.metavar:
            parser.add_argument(setting.flag, dest=setting.name, action=_Switch, help=about)
            continue
        parser.add_argument(
            setting.flag,
            dest=setting.name,
            metavar=setting.metavar,
            action="append" if setting.repeatable else "store",
            help=about,
        )


class _Switch(argparse.BooleanOptionalAction):
    """``--refresh`` or ``--no-refresh``, once: one of two would go unheeded."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        if getattr(namespace, self.dest) is not None:
            raise argparse.ArgumentError(self, "given twice; give it once")
        setattr(namespace, self.dest, not (option_string or "").startswith("--no-"))


def given(options: argparse.Namespace, command: str) -> dict[str, object]:
    """What the command line says of each setting of ``command``; ``None``: nothing."""
    return {each.name: getattr(options, each.name) for each in (CONFIG, *settings_of(command))}


def width() -> int:
    """Columns of the screen."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDTH


def show(lines: Iterable[Line]) -> None:
    """Print ``lines``, in colour on a terminal that wants it.

    Raises :class:`RestoreVerifierError` when the output takes no more.
    """
    try:
        _print(lines)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise RestoreVerifierError(
            f"the report could not be written to the output: {error.strerror}; "
            "make room for it, and run again"
        ) from None


def shown(lines: Iterable[Line]) -> str:
    """Like :func:`show` for work that is done by then; returns what went wrong, in words."""
    try:
        show(lines)
    except BrokenPipeError:
        trouble = "the reader of the output went away before the end of the report"
    except RestoreVerifierError as error:
        trouble = str(error)
    else:
        return ""
    give_up_output()
    return trouble


def give_up_output() -> None:
    """Drop what the output did not take; Python would complain of it once more at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print(lines: Iterable[Line]) -> None:
    colourful = (
        sys.stdout.isatty()
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM", "") not in ("", "dumb")
    )
    for line in lines:
        if colourful:
            print("".join(_painted(text, style) for text, style in line))
        else:
            print("".join(text for text, _ in line).rstrip())


def _painted(text: str, style: Style) -> str:
    return f"\x1b[{_COLOURS[style]}m{text}\x1b[0m" if style in _COLOURS else text


def progress() -> AbstractContextManager[Bar | None]:
    """A bar, where there is a terminal to show it on."""
    if not sys.stderr.isatty():
        return nullcontext()
    from verifier.progress import Bar

    return Bar()


def destination(flag: str, name: str | None) -> Path | None:
    """The file that ``flag`` names, seen to be writable before the work begins.

    Raises :class:`UsageError`.
    """
    if name is None:
        return None
    path = Path(name)
    try:
        if not name:
            raise FileNotFoundError(None, "no name is given")
        if name == "-":  # elsewhere it stands for the output, which has the report on it
            raise FileNotFoundError(None, "it is no name of a file")
        file.prepare(path)
    except OSError as error:
        raise UsageError(
            f"{flag} {name!r} cannot be written: {error.strerror}; "
            "name a file in a directory that can be written to"
        ) from None
    return path


def written(text: str, path: Path) -> str:
    """Write ``text`` to ``path``; returns what went wrong, in words, or nothing."""
    try:
        file.write(text, path)
    except OSError as error:
        return f"{path} could not be written: {error.strerror}; make room for it, and run again"
    return ""
