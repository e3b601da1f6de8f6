"""``restore-verifier matrix``: whether the verifier says no where it has to, and only there."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from verifier import readers
from verifier.commands import console
from verifier.config import MATRIX, Config
from verifier.contract import Proof
from verifier.dsn import libpq_set_aside, redact
from verifier.errors import RestoreVerifierError, UsageError
from verifier.report import matrix as report
from verifier.report import matrix_page
from verifier.report.json import dumps
from verifier.report.literal import printable
from verifier.report.terminal import Look

NAME = MATRIX
SUMMARY = "run every faulty implementation, and see each of them caught by its own guarantee"

_ADVICE = {
    1: "trust no verdict until that is mended",
    2: "see what proved nothing, mend it, and run again",
}
_PROCESSORS = min(os.cpu_count() or 2, 4)
_jobs = readers.whole("a whole number, 1 or more", least=1)


def add(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Runs scenarios that exercise every guarantee with every faulty implementation, and with "
        "the right ones. Exit code 0: every faulty one was caught by the guarantee that it was "
        "made to break, and no right one accused; 1: one escaped or was accused; 2: could not run."
    )
    console.add_settings(parser, NAME)
    parser.add_argument(
        "--implementation",
        metavar="NAME",
        action="append",
        help="run this implementation only; repeatable",
    )
    parser.add_argument(
        "--jobs",
        metavar="N",
        help="processes that share the work, each with servers of its own; one a processor",
    )
    parser.add_argument("--json", metavar="FILE", help="write the matrix to FILE")
    parser.add_argument(
        "--markdown", metavar="FILE", help="write the matrix to FILE as a page of documentation"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, passed: list[str]) -> tuple[int, str]:
    if passed:
        raise UsageError(f"{NAME} takes no arguments, and got {len(passed)} of them")
    config = Config.load(console.given(options, NAME), os.environ, Path.cwd())
    jobs = _jobs(options.jobs, "--jobs") if options.jobs is not None else _PROCESSORS
    json_file = console.destination("--json", options.json)
    page = console.destination("--markdown", options.markdown)
    # pytest and the rooms take longer to load than the other commands to run.
    from verifier import matrix

    tested = matrix.selection(options.implementation or ())
    dsns = [dsn for dsn in (config.source_dsn, config.target_dsn) if dsn is not None]
    counter = _Counter(sum(len(matrix.scenarios_for(each)) for each in tested.values()))
    try:
        with libpq_set_aside():
            found = matrix.run(config, tested, min(jobs, len(tested)), counter.tell)
    except RestoreVerifierError as error:
        raise type(error)(redact(str(error), *dsns)) from None
    finally:
        counter.clear()
    trouble = []
    if json_file is not None:
        trouble.append(console.written(dumps(report.to_plain(found)), json_file))
    if page is not None:
        trouble.append(console.written(matrix_page.markdown(found), page))
    console.show(report.lines(found, Look(width=console.width())))
    code = found.exit_code or (2 if any(trouble) else 0)
    said = f"{found.sentence}; {_ADVICE[found.exit_code]}" if found.exit_code else ""
    return code, "; ".join(filter(None, [said, *trouble]))


class _Counter:
    """How far it is, on a line of a terminal that the next one overwrites."""

    def __init__(self, whole: int) -> None:
        self._count, self._whole = 0, whole
        self._shown = sys.stderr.isatty()

    def tell(self, proof: Proof) -> None:
        self._count += 1
        what = f"{printable(proof.implementation)}, {printable(proof.scenario)}"
        self._line(f"{self._count} of {self._whole}: {what}")

    def clear(self) -> None:
        self._line("")

    def _line(self, text: str) -> None:
        if self._shown:
            print(f"\r\x1b[K{text[: console.width() - 1]}", end="", file=sys.stderr, flush=True)
