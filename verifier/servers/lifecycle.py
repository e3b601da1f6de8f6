"""How a run ends: whatever the way, the servers it started end with it.

===================  ==========================================================
the run ends by      what removes its servers
===================  ==========================================================
leaving the block    ``Pair.__exit__``
an error, Ctrl-C     the same, as the exception passes
an exit without it   an ``atexit`` callback
SIGTERM, SIGHUP      turned into :class:`Terminated`, then the same as an error
SIGKILL              the next run (see :mod:`verifier.servers.run`)
===================  ==========================================================
"""

from __future__ import annotations

import atexit
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType


class Terminated(KeyboardInterrupt, SystemExit):
    """The process was asked to end (SIGTERM, SIGHUP).

    Python exits on it with the signal's usual status, 128 plus its number. It is
    a ``KeyboardInterrupt`` as well because pytest takes a ``SystemExit`` inside a
    test for that test's failure and goes on; an interruption ends the session.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"terminated by {signal.Signals(number).name}")
        self.code = 128 + number


_asked: list[int] = []
"""The signals that asked this process to end."""


def _terminate(number: int, frame: FrameType | None) -> None:
    _asked.append(number)
    raise Terminated(number)


def heed() -> None:
    """Raise :class:`Terminated` again where one was raised and work goes on all the same.

    Python drops an exception that a signal raises within a finaliser or a callback of C code.
    """
    if _asked:
        raise Terminated(_asked[0])


def exit_on_termination() -> None:
    """Let SIGTERM and SIGHUP end the process by an exception instead of at once.

    Only in the main thread, where Python allows it, and only where nobody else
    has decided about the signal: a handler that is there (or ``nohup``) stays.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _terminate)


def at_exit(close: Callable[[], None]) -> Callable[[], None]:
    """Call ``close`` when the interpreter exits; the returned function takes that back.

    A forked child that exits does not call it: the servers are its parent's.
    """
    owner = os.getpid()

    def closing() -> None:
        if os.getpid() == owner:
            close()

    atexit.register(closing)
    return lambda: atexit.unregister(closing)
