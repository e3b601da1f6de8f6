"""The command ``restore-verifier``: its parser, its exit code, and the last line on stderr.

Exit codes, whatever the subcommand: 0 kept, identical or done, 1 broken, different or rows
rejected, 2 could not verify or not begin. When it is not 0, the last line on stderr says why
in one sentence, and what to do.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NoReturn

from verifier import __version__
from verifier.commands import (
    backup,
    clean,
    convert,
    diff,
    fuzz,
    implementations,
    matrix,
    restore,
    scenarios,
    selftest,
    verify,
)
from verifier.commands.console import give_up_output
from verifier.dsn import Dsn, redact
from verifier.errors import RestoreVerifierError, UsageError
from verifier.interrupts import Stopped
from verifier.readers import suggestion
from verifier.report.literal import printable
from verifier.settings import PREFIX

PROGRAM = "restore-verifier"
_COMMANDS = (
    verify,
    scenarios,
    diff,
    backup,
    restore,
    convert,
    clean,
    selftest,
    matrix,
    fuzz,
    implementations,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    _ready_streams()
    try:
        code, sentence = _run(given)
        sys.stdout.flush()
    except RestoreVerifierError as error:
        code, sentence = 2, str(error)
    except Stopped as stopped:
        code, sentence = stopped.exit_code, str(stopped)
    except KeyboardInterrupt:
        code, sentence = 130, "interrupted; nothing can be said about what did not run"
    except BrokenPipeError:
        code, sentence = 2, "the reader of the output went away; let it read to the end"
    except Exception as error:
        # Python's own exit code for it is 1, which would be an answer.
        print(_hidden("".join(traceback.format_exception(error)), given), file=sys.stderr)
        code, sentence = 2, f"{type(error).__name__} inside, see above; please report it"
    give_up_output()
    if code:
        print(f"{PROGRAM}: {printable(_hidden(sentence, given))}", file=sys.stderr)
    return code


def _ready_streams() -> None:
    """Make both streams take whatever is printed: no name or value is worth a crash."""
    # A stream that was closed by the caller is none to Python, and as good as /dev/null.
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _hidden(text: str, given: Sequence[str]) -> str:
    """``text`` without the passwords that the arguments and the environment hold."""
    places = [*given, *(word.partition("=")[2] for word in given)]
    places += [value for name, value in os.environ.items() if name.startswith(PREFIX)]
    dsns = [Dsn({"password": os.environ.get("PGPASSWORD", "")})]
    for place in places:
        with suppress(UsageError):
            dsns.append(Dsn.parse(place))
    return redact(text, *dsns)


def _run(given: list[str]) -> tuple[int, str]:
    own, passed = _split(given)
    parser, commands = _parser()
    command = next((word for word in own if not word.startswith("-")), None)
    if command is not None and command not in commands:
        raise UsageError(
            f"unknown command {_harmless(command)!r}{suggestion(command, commands)}; "
            f"choose from {', '.join(commands)}"
        )
    options, unknown = parser.parse_known_args(own)
    if hasattr(options, "arguments"):  # argparse takes none that stands behind an option
        options.arguments += [word for word in unknown if not _is_option(word)]
        unknown = [word for word in unknown if _is_option(word)]
    if unknown:
        known = [*commands[command]._option_string_actions] if command else []
        word = _harmless(unknown[0])
        what = "option" if _is_option(word) else "argument"
        asked = f"{PROGRAM} {command}" if command else PROGRAM
        raise UsageError(
            f"unknown {what} {word}{suggestion(word, known)}; see {asked} --help"
            + (" (pytest's own options go after a lone --)" if command == verify.NAME else "")
        )
    if command is None:
        raise UsageError(f"no command given; choose from {', '.join(commands)}")
    run: Callable[[argparse.Namespace, list[str]], tuple[int, str]] = options.run
    return run(options, passed)


def _is_option(word: str) -> bool:
    return word.startswith("-") and word != "-"  # which stands for the standard input


def _split(given: list[str]) -> tuple[list[str], list[str]]:
    """What stands before the first lone ``--``, and what stands after it."""
    if "--" not in given:
        return given, []
    place = given.index("--")
    return given[:place], given[place + 1 :]


def _harmless(word: str) -> str:
    """``word`` without what may be a connection string's password."""
    return word.partition("=")[0].partition("://")[0]


class _Parser(argparse.ArgumentParser):
    """Reports an error as an error, in one sentence, and leaves the exit code to :func:`main`."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        for each in (None, "store"):
            self.register("action", each, _Once)

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see {self.prog} --help")


class _Once(argparse.Action):
    """Stores an option's value, and refuses a second one: one of the two would go unheeded."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        if option_string and getattr(namespace, self.dest) is not None:
            raise argparse.ArgumentError(self, "given twice; give it once")
        setattr(namespace, self.dest, values)


def _parser() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    parser = _Parser(
        prog=PROGRAM,
        description="Proves a PostgreSQL backup/restore implementation right or wrong.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND")
    found: dict[str, argparse.ArgumentParser] = {}
    for each in _COMMANDS:
        found[each.NAME] = commands.add_parser(each.NAME, help=each.SUMMARY, allow_abbrev=False)
        each.add(found[each.NAME])
    return parser, found
