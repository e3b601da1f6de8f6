"""``restore-verifier fuzz``: worlds that nobody thought of, and the smallest in which it fails."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import time
from math import isinf
from pathlib import Path
from typing import TYPE_CHECKING

from verifier import readers
from verifier.commands import console
from verifier.config import FUZZ, Config
from verifier.dsn import libpq_set_aside, redact
from verifier.errors import RestoreVerifierError, UsageError
from verifier.report.json import dumps
from verifier.report.text import counted

if TYPE_CHECKING:
    from verifier.fuzz.pool import Found
    from verifier.fuzz.reporting import Report

NAME = FUZZ
SUMMARY = "invent databases and backups, and find the smallest that an implementation gets wrong"

_ADVICE = {
    1: "see each paragraph above, and run its script or its scenario",
    2: "see the remarks above, mend what they name, and run again",
}
_OUT = "fuzz"
_BAR = 20
"""Characters of the bar."""
_SPARSE = 30.0
"""Seconds between two lines of progress where there is no terminal."""
_jobs = readers.whole("a whole number, 1 or more", least=1)


def add(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Invents schemas, rows of a source and of a target, and backups, has an implementation "
        "restore them, and holds what it did against a model of the contract. Exit code 0: nothing "
        "was found, 1: a guarantee is broken, 2: could not run."
    )
    console.add_settings(parser, NAME)
    parser.add_argument(
        "--jobs", metavar="N", help="processes, each with servers of its own; one a processor"
    )
    parser.add_argument(
        "--out", metavar="DIR", help=f"where the files of each failure go; else {_OUT}"
    )
    parser.add_argument(
        "--database",
        metavar="DIR",
        help="where failing worlds are kept for the next run; else .restore-verifier/worlds",
    )
    parser.add_argument(
        "--replay",
        metavar="FILE",
        help="try the world of this file only, as an earlier run wrote it",
    )
    parser.add_argument("--json", metavar="FILE", help="write what was found to FILE")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, passed: list[str]) -> tuple[int, str]:
    if passed:
        raise UsageError(f"{NAME} takes no arguments, and got {len(passed)} of them")
    config = Config.load(console.given(options, NAME), os.environ, Path.cwd())
    jobs = _jobs(options.jobs, "--jobs") if options.jobs is not None else os.cpu_count() or 1
    json_file = console.destination("--json", options.json)
    if config.seed.rows is not None and config.schema is None:
        raise UsageError(f"--seed {config.seed.rows} has rows for --schema only; give that, too")
    _need()
    from verifier.fuzz import keeping, reporting, running
    from verifier.implementations import implementation

    implementation(config.implementation, config.definitions)  # refused before servers start
    seed = config.seed.number if config.seed.chosen else secrets.randbelow(2**31)
    wanted = running.Wanted(
        config=config,
        seed=seed,
        jobs=jobs,
        out=Path(options.out if options.out is not None else _OUT),
        database=Path(options.database) if options.database is not None else keeping.PLACE,
        replay=Path(options.replay) if options.replay is not None else None,
    )
    progress = _Progress(config.minutes * 60)
    if wanted.replay is None:
        progress.say(f"seed {seed}: --seed {seed} draws the same worlds")
    try:
        with libpq_set_aside():
            report = running.run(wanted, progress.tell)
    except RestoreVerifierError as error:
        raise type(error)(redact(str(error), *config.dsns)) from None
    finally:
        progress.clear()
    trouble = _written(report, wanted.out)
    if json_file is not None:
        trouble.append(console.written(dumps(reporting.to_plain(report)), json_file))
    console.show(reporting.lines(report, console.width()))
    if report.found.stopped is not None:
        raise report.found.stopped
    code = report.exit_code or (2 if any(trouble) else 0)
    said = f"{reporting.sentence(report)}; {_ADVICE[report.exit_code]}" if report.exit_code else ""
    return code, "; ".join(filter(None, [said, *dict.fromkeys(trouble)]))


def _need() -> None:
    """Raises :class:`UsageError` where the libraries of the extra ``fuzz`` are not installed."""
    try:
        import hypothesis  # noqa: F401
        import msgspec  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"{NAME} needs the library {error.name}; install restore-verifier[fuzz]"
        ) from None


def _written(report: Report, out: Path) -> list[str]:
    """Write the files of what was found; what went wrong, in words."""
    from verifier.fuzz.handing_out import put_aside

    try:
        for handout in report.handouts:
            handout.write()
        put_aside(report.found.tally.unjudged.values(), out)
    except OSError as error:
        return [
            f"the files of what was found could not be written to {out}: {error.strerror}; "
            "name another directory with --out"
        ]
    return []


class _Progress:
    """How far it is: a line of a terminal that the next one overwrites, else one now and then."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._terminal = sys.stderr.isatty()
        self._next = time.monotonic() + _SPARSE

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def tell(self, found: Found) -> None:
        now = time.monotonic()
        if self._terminal:
            line = f"{self._bar(found)} {_sofar(found)}"[: console.width() - 1]
            print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
        elif now >= self._next:
            self._next = now + _SPARSE
            self.say(_sofar(found))

    def clear(self) -> None:
        if self._terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def _bar(self, found: Found) -> str:
        done = min(int(_BAR * found.seconds / self._seconds), _BAR)
        return f"[{'#' * done}{'.' * (_BAR - done)}]"


def _sofar(found: Found) -> str:
    tally = found.tally
    rate = tally.worlds / found.seconds if found.seconds else 0.0
    told = f"{counted(tally.worlds, 'world')}, {rate:.1f} a second, "
    told += counted(len(found.failures), "failure")
    if isinf(found.left):
        return told  # a world that is replayed takes as long as it takes
    minutes, seconds = divmod(int(found.left), 60)
    return f"{told}, {minutes}:{seconds:02} left"
