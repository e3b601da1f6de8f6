"""What a call of an implementation shows in the list of processes, and leaves there.

Every process that a call starts inherits a random mark in its environment, so that it is
found after the call whatever became of its parents. While the call runs, the command
lines of new processes are looked at from time to time, and those that the verifier starts
itself always: everybody on the machine can read them.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from time import monotonic, sleep

import psutil

from verifier.contract import Evidence, Finding, Guarantee
from verifier.dsn import Dsn, redact
from verifier.implementations.process import witnessed
from verifier.settings import CALL

_PERIOD = 0.025
"""Seconds between two looks at the list of processes."""
_GRACE = 0.5
"""Seconds that a process may take to end once the call is over."""
_BIRTH = 0.2
"""Seconds in which a process that was just started comes by its environment."""
_MERCY = 1.0
"""Seconds between SIGTERM and SIGKILL."""
_SHORT = 8
"""A password of fewer characters may be a word of anybody's command line."""


class Watch:
    """Watches the processes of one call within a ``with`` block.

    ``call`` is ``backup`` or ``restore``; ``dsns`` hold the passwords that nobody may see.
    """

    def __init__(self, call: str, *dsns: Dsn) -> None:
        self._call, self._dsns = call, dsns
        self._long = [each for dsn in dsns for each in dsn.secrets if len(each) >= _SHORT]
        self._shown: dict[str, None] = {}
        self._over = threading.Event()
        self._mark = secrets.token_hex(16)
        self._before: frozenset[int] = frozenset()

    def __enter__(self) -> Watch:
        self._before = frozenset(psutil.pids())
        os.environ[CALL] = self._mark
        self._watcher = threading.Thread(target=self._look, name="watch", daemon=True)
        self._watcher.start()
        self._witnessing = witnessed(self._see)
        self._witnessing.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._witnessing.__exit__(None, None, None)
        self._over.set()
        self._watcher.join()
        os.environ.pop(CALL, None)

    def _look(self) -> None:
        while not self._over.wait(_PERIOD):
            for process in self._new():
                with suppress(psutil.Error):
                    self._see(process.cmdline())

    def _see(self, arguments: Sequence[str]) -> None:
        line = " ".join(arguments)
        if any(secret in line for secret in self._long):
            self._shown[redact(line, *self._dsns)] = None

    def _new(self) -> Iterator[psutil.Process]:
        """Processes that were not there when the call began, whosoever."""
        for pid in psutil.pids():
            if pid not in self._before:
                with suppress(psutil.Error):
                    yield psutil.Process(pid)

    def _left(self) -> tuple[list[psutil.Process], bool]:
        """The call's processes that still run, and whether some may not be known for such yet."""
        found, unborn = [], False
        for process in self._new():
            with suppress(psutil.Error):
                if process.status() == psutil.STATUS_ZOMBIE:
                    continue
                environ: Mapping[str, str] = process.environ()
                # A process of PostgreSQL writes its title where its environment was.
                unborn |= not environ and not process.cmdline()
                if environ.get(CALL) == self._mark:
                    found.append(process)
        return found, unborn

    def end(self) -> list[str]:
        """End what the call left running; the command lines, without passwords."""
        began = monotonic()
        left, unborn = self._left()
        while monotonic() < began + (_GRACE if left else _BIRTH if unborn else 0):
            sleep(_PERIOD)
            left, unborn = self._left()
        lines = []
        for process in left:
            with suppress(psutil.Error):
                lines.append(redact(" ".join(process.cmdline()), *self._dsns))
                process.terminate()
        if left:
            _, stubborn = psutil.wait_procs(left, timeout=_MERCY)
            for process in stubborn:
                with suppress(psutil.Error):
                    process.kill()
            psutil.wait_procs(stubborn, timeout=_MERCY)
        return lines

    def findings(self) -> list[Finding]:
        """What was seen of the call, which is over; what it left running is ended."""
        found = [
            Finding(
                guarantee=Guarantee.CONTAINMENT,
                title="a password stands in the list of processes, where everybody can read it,"
                f" during the {self._call}",
                evidence=(Evidence("process", words=line[:1000]),),
            )
            for line in list(self._shown)[:1]
        ]
        lines = self.end()
        if lines:
            found.append(
                Finding(
                    guarantee=Guarantee.RECOVERABILITY,
                    title=f"the {self._call} left a process running",
                    evidence=(Evidence("process", words=lines[0][:1000]),),
                    count=len(lines),
                )
            )
        return found
