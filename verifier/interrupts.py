"""Ctrl-C, SIGTERM and a lost terminal: work that is told to stop leaves nothing half done.

Work that ends in one step, such as a COMMIT, cannot be told to stop once that step is taken:
who interrupts it then would be told that nothing was changed when everything was.
:func:`no_way_back` is called just before it. From there on a first signal is not heeded, and
the work comes to its end; a second one ends it, with the words that nobody knows.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_OURS_TO_TAKE = (signal.SIG_DFL, signal.default_int_handler)


class Stopped(KeyboardInterrupt):
    """The work was told to stop; the words say what became of it."""

    def __init__(self, words: str, exit_code: int = 128 + signal.SIGINT) -> None:
        super().__init__(words)
        self.exit_code = exit_code


class _Work:
    """Work that can be told to stop."""

    def __init__(self, outcome: str) -> None:
        self.outcome = outcome
        self.unknown = ""
        """What is said of an end that nobody knows; empty as long as there is a way back."""
        self.unheeded = 0

    def stop(self, number: int, frame: FrameType | None) -> None:
        """The handler of every signal."""
        if self.unknown and not self.unheeded:
            self.unheeded = number
            return
        words = f"interrupted; {self.unknown or self.outcome}"
        raise Stopped(words, 128 + number)


_work: list[_Work] = []
"""The work that is under way, innermost last."""


@contextmanager
def stoppable(outcome: str) -> Iterator[None]:
    """Let a signal end the block by an exception, so that transactions and files end with it.

    Raises :class:`Stopped`, with ``outcome`` to say what became of the work. A signal that
    somebody else handles, or ignores (``nohup``), is left to him; so is every signal in a
    thread, where Python allows no handlers.
    """
    work = _Work(outcome)
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in _SIGNALS:
            if signal.getsignal(number) in _OURS_TO_TAKE:
                before[number] = signal.signal(number, work.stop)
    _work.append(work)
    try:
        yield
    finally:
        _work.remove(work)
        for number, handler in before.items():
            signal.signal(number, handler)


def no_way_back(unknown: str) -> None:
    """The step that ends the work comes now; ``unknown`` is said if it is interrupted."""
    for work in _work:
        work.unknown = unknown
