"""How far a comparison, a backup or a restore is: a bar on a terminal, by rows.

A comparison counts the rows that it reads on both sides together, a backup and a restore
each row once. Anywhere but on a terminal there is silence.
"""

from __future__ import annotations

import shutil
import sys
from threading import Lock
from types import TracebackType

from tqdm import tqdm

from verifier.report.literal import printable

_LONGEST = 40
"""Characters of what is being done that are shown."""


class Bar:
    """Takes in progress from several threads at once, within a ``with`` block."""

    def __init__(self) -> None:
        self._lock = Lock()
        size = shutil.get_terminal_size()  # has an answer for a terminal that tells none, too
        self._bar = tqdm(
            unit=" rows",
            unit_scale=True,
            file=sys.stderr,
            disable=not sys.stderr.isatty(),
            leave=False,
            ncols=size.columns,
            nrows=size.lines,
        )

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._lock:
            self._bar.close()

    def expect(self, rows: int) -> None:
        """About so many rows there will be."""
        with self._lock:
            self._bar.total = rows
            self._bar.refresh()

    def advance(self, rows: int) -> None:
        """So many more rows are done."""
        with self._lock:
            if self._bar.total is not None:  # an estimate: there may be more
                self._bar.total = max(self._bar.total, self._bar.n + rows)
            self._bar.update(rows)

    def doing(self, what: str) -> None:
        """What is worked at now."""
        shown = printable(what)
        short = shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 3]}..."
        with self._lock:
            self._bar.set_description_str(short)
