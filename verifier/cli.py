"""The command ``restore-verifier``: one thin function per subcommand.

Exit codes, whatever the subcommand: 0 kept, 1 broken, 2 could not verify. When it
is not 0, the last line on stderr says why in one sentence, and what to do.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import pytest

from verifier import __version__
from verifier.config import SETTINGS, suggestion
from verifier.errors import RestoreVerifierError, UsageError
from verifier.implementations import names

PROGRAM = "restore-verifier"
_PLUGIN = "verifier.plugin"
_SCENARIOS = "scenarios"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code, sentence = _run(given)
        sys.stdout.flush()
    except RestoreVerifierError as error:
        code, sentence = 2, str(error)
    except KeyboardInterrupt:
        code, sentence = 130, "interrupted; nothing can be said about what did not run"
    except BrokenPipeError:
        # Python would complain once more when it flushes the output at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code, sentence = 2, "the reader of the output went away; let it read to the end"
    if code:
        print(f"{PROGRAM}: {sentence}", file=sys.stderr)
    return code


def _run(given: list[str]) -> tuple[int, str]:
    own, passed = _split(given)
    parser, commands = _parser()
    command = next((word for word in own if not word.startswith("-")), None)
    if command is not None and command not in commands:
        raise UsageError(
            f"unknown command {command!r}{suggestion(command, commands)}; "
            f"choose from {', '.join(commands)}"
        )
    options, unknown = parser.parse_known_args(own)
    if unknown:
        known = [*commands[command]._option_string_actions] if command else []
        word = unknown[0].partition("=")[0]
        what = "option" if word.startswith("-") else "argument"
        raise UsageError(
            f"unknown {what} {word}{suggestion(word, known)}; "
            f"see {PROGRAM} --help (pytest's own options go after a lone --)"
        )
    if command is None:
        raise UsageError(f"no command given; choose from {', '.join(commands)}")
    run: Callable[[argparse.Namespace, list[str]], tuple[int, str]] = options.run
    return run(options, passed)


def _split(given: list[str]) -> tuple[list[str], list[str]]:
    """What stands before the first lone ``--``, and what stands after it."""
    if "--" not in given:
        return given, []
    place = given.index("--")
    return given[:place], given[place + 1 :]


class _Parser(argparse.ArgumentParser):
    """Reports an error as an error, in one sentence, and leaves the exit code to :func:`main`."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see {self.prog} --help")


def _parser() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    parser = _Parser(
        prog=PROGRAM,
        description="Proves a PostgreSQL backup/restore implementation right or wrong.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND")
    verify = commands.add_parser(
        "verify",
        help="run scenarios against an implementation and report every guarantee",
        usage=f"{PROGRAM} verify [PATH ...] [options] [-- PYTEST-ARGUMENTS]",
        allow_abbrev=False,
    )
    verify.add_argument(
        "paths",
        metavar="PATH",
        nargs="*",
        help=f"scenarios to run; all of {_SCENARIOS}/ by default",
    )
    for setting in SETTINGS:
        verify.add_argument(
            setting.flag,
            dest=setting.name,
            metavar=setting.metavar,
            help=f"{setting.help} (also {setting.variable})",
        )
    verify.add_argument(
        "--restore-report", metavar="FILE", help="write every verdict and finding to FILE, as JSON"
    )
    verify.set_defaults(run=_verify)
    listing = commands.add_parser(
        "implementations", help="list the implementations that can be verified", allow_abbrev=False
    )
    listing.set_defaults(run=_implementations)
    return parser, {"verify": verify, "implementations": listing}


def _implementations(options: argparse.Namespace, passed: list[str]) -> tuple[int, str]:
    if passed:
        raise UsageError(f"implementations takes no arguments, and got {' '.join(passed)}")
    for name in names():
        print(name)
    return 0, ""


def _verify(options: argparse.Namespace, passed: list[str]) -> tuple[int, str]:
    paths = options.paths or [_SCENARIOS]
    for path in paths:
        if not Path(path.partition("::")[0]).exists():
            raise UsageError(f"there are no scenarios at {path}; name a file or directory of them")
    arguments = ["-p", _PLUGIN, *paths]
    for name in (*(setting.name for setting in SETTINGS), "restore_report"):
        value = getattr(options, name)
        if value is not None:
            arguments.append(f"--{name.replace('_', '-')}={value}")
    witness = _Witness()
    code = int(pytest.main([*arguments, *passed], plugins=[witness]))
    return _meaning(code, witness.sentence)


class _Witness:
    """Remembers the configuration of the pytest run, where the outcome can be read."""

    def __init__(self) -> None:
        self.config: pytest.Config | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        self.config = config

    @property
    def sentence(self) -> str:
        """What the run came to; empty when the plugin cannot tell."""
        reporter: Any = self.config.pluginmanager.get_plugin(PROGRAM) if self.config else None
        return str(reporter.sentence) if reporter else ""


def _meaning(code: int, sentence: str) -> tuple[int, str]:
    """The contract's exit code for pytest's, and the sentence that explains it."""
    if code == pytest.ExitCode.OK:
        return 0, ""
    if sentence:
        return (1 if code == pytest.ExitCode.TESTS_FAILED else 2), sentence
    return 2, {
        pytest.ExitCode.INTERRUPTED: "the run was interrupted; see above, and run it again",
        pytest.ExitCode.NO_TESTS_COLLECTED: "no scenario was selected; nothing was verified",
        pytest.ExitCode.USAGE_ERROR: "pytest could not start; see its message above",
    }.get(pytest.ExitCode(code), "pytest failed inside; see above")
