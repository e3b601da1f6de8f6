"""reladiff, the tool that people would take instead, in an environment of its own.

It pins old versions of what it needs, which should not mix with the project's own
environment: on first use a virtual environment is made in ``.bench/`` at the project's
root, and reladiff installed there.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from measuring import Finished

VERSION = "0.6.0"
_CACHE = Path(__file__).parent.parent / ".bench"

ENVIRONMENT = {"COLUMNS": "1000000", "NO_COLOR": "1", "TERM": "dumb", "PYTHONHASHSEED": "0"}
"""Makes it print one line a row, without colours, and take columns in the same order each time:
else that is another one on every run, and with it what it sees."""

TUNINGS: Sequence[tuple[str, ...]] = (
    ("-j", "1"),
    ("-j", "2"),
    ("-j", "4"),
    ("-j", "8"),
    ("-j", "2", "--bisection-factor", "4"),
    ("-j", "2", "--bisection-factor", "8"),
    ("-j", "4", "--bisection-factor", "128"),
    ("-j", "4", "--bisection-threshold", "65536"),
)
"""Settings among which its best are looked for."""
LEAN = ("--assume-unique-key", "--skip-sort-results", "--stats", "--json")
"""Cheaper in any case: nothing about duplicates, no order, counts in place of rows (which it
prints at a millisecond each)."""


class PeerError(Exception):
    """reladiff gave no answer; says what it said."""


def installed() -> Path:
    """The program, installed if need be. Needs a package index the first time."""
    home = _CACHE / f"reladiff-{VERSION}"
    program = home / "bin" / "reladiff"
    if not program.exists():
        shutil.rmtree(home, ignore_errors=True)
        _CACHE.mkdir(exist_ok=True)
        (_CACHE / ".gitignore").write_text("*\n")
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        wanted = f"reladiff[postgresql]=={VERSION}"
        subprocess.run([home / "bin" / "pip", "install", "--quiet", wanted], check=True)
    return program


def command(
    program: Path,
    places: tuple[str, str],
    table: str,
    key: Sequence[str],
    settings: Sequence[str] = (),
    columns: Sequence[str] = ("%",),
) -> list[str | Path]:
    """Asks about ``columns`` (patterns) of ``table`` in the databases at two URLs.

    It takes passwords in these arguments only, where everybody on the machine can read them.
    That will do for servers that last as long as the benchmark, and for nothing else.
    """
    keys = [word for name in key for word in ("-k", name)]
    extra = [word for name in columns for word in ("-c", name)]
    return [program, places[0], table, places[1], table, *keys, *extra, *settings]


def differing(finished: Finished, keys: int = 1) -> int:
    """How many rows it found to differ; raises :class:`PeerError` when it does not tell.

    Its exit code is 0 whatever happens, so its words have to be read. ``keys`` is the number
    of key columns, by which the two lines of a changed row are one.
    """
    if finished.overdue:
        raise PeerError(f"stopped after {finished.seconds:.0f} s")
    if finished.exit_code:
        raise PeerError(f"ended with {finished.exit_code}: {_last(finished.stderr)}")
    if " ERROR - " in finished.stderr or "Traceback" in finished.stderr:
        raise PeerError(_last(finished.stderr))
    if finished.stdout.startswith("{"):
        return int(json.loads(finished.stdout)["total"])
    lines = [each for each in finished.stdout.splitlines() if each[:2] in ("+ ", "- ")]
    return len({tuple(each[2:].split(", ")[:keys]) for each in lines})


def _last(said: str) -> str:
    lines = [line for line in said.splitlines() if line.strip()]
    errors = [line.partition(" ERROR - ")[2] for line in lines if " ERROR - " in line]
    return (errors or lines or ["it said nothing"])[-1].strip()[:200]
