"""Commands in processes of their own, with the time they took and the memory they had."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

_STOPWATCH = Path(__file__).with_name("stopwatch.py")


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that has ended, by itself or by force."""

    seconds: float
    """From its start to its end, the start of its interpreter included."""
    peak: int
    """Bytes that it had in memory at most."""
    cpu: float
    """Seconds of the processor that it took: what other work on the machine disturbs less."""
    exit_code: int
    """Negative: the signal that ended it."""
    overdue: bool
    """Whether it was ended at its deadline."""
    stdout: str
    stderr: str
    files: Mapping[str, str]
    """What it wrote to its directory, by name."""


def measure(
    command: Sequence[str | Path],
    environ: Mapping[str, str],
    *,
    deadline: float = 3600.0,
    memory: int = 0,
    watching: Callable[[int], AbstractContextManager[object]] = nullcontext,
) -> Finished:
    """Run ``command`` in an empty directory, for at most ``deadline`` seconds.

    ``memory`` is the address space that it may take, in bytes (0: any); what asks for more
    is refused, which keeps the machine alive. ``watching`` is entered for the time that it
    runs, with the process that started it and is not to be counted.
    """
    with tempfile.TemporaryDirectory(prefix="restore-verifier-benchmark-") as name:
        directory = Path(name)
        report, out, err = (directory / each for each in ("report", "out", "err"))
        work = directory / "work"
        work.mkdir()
        stopwatch = [sys.executable, "-I", "-S", _STOPWATCH, report, str(deadline), str(memory)]
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(
                [str(each) for each in (*stopwatch, *command)],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                cwd=work,
                env={**_plain(), **environ},
            )
            with process, watching(process.pid):
                code = process.wait()
        if code:
            raise RuntimeError(f"the stopwatch ended with {code}: {err.read_text()[-500:]}")
        told = json.loads(report.read_text())
        return Finished(
            **told,
            stdout=out.read_text(errors="replace"),
            stderr=err.read_text(errors="replace"),
            files={each.name: each.read_text(errors="replace") for each in work.iterdir()},
        )


def _plain() -> dict[str, str]:
    """The caller's environment without what would lead a contender elsewhere."""
    left_out = ("PG", "RESTORE_VERIFIER_", "BENCHMARK")
    return {name: text for name, text in os.environ.items() if not name.startswith(left_out)}
