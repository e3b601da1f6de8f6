"""Run a program to its end: bounded output, a deadline, nothing left running that hangs.

The only place where implementations start programs. Secrets do not belong into
``arguments``, where every user of the machine can read them, but into ``environ``.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from verifier.dsn import Dsn, redact, without_libpq
from verifier.errors import UsageError
from verifier.settings import CALL

KEPT = 64 * 1024
"""Bytes of each output stream that are kept, unless told otherwise: the last ones, where the
errors are."""

TIMEOUT = 600.0
"""Seconds that a backup or a restore may take where nobody said otherwise."""

Witness = Callable[[Sequence[str]], None]

_CHUNK = 64 * 1024
_PAUSE = 0.1
_TIMED_OUT = 124
# What a program started in the background may go on doing once the program itself
# has ended, and what a program may do between SIGTERM and SIGKILL. Seconds.
_AFTERMATH = 1.0
_MERCY = 2.0
_WITNESSES: list[Witness] = []


@dataclass(frozen=True, slots=True)
class Finished:
    """A program that has ended, by itself or by force."""

    exit_code: int
    """As a shell tells it: 128 + n for a program that signal n has ended, and as
    timeout(1) tells it: 124 for one that was stopped at its deadline."""
    stdout: str
    stderr: str
    """The end of each stream, passwords hidden."""
    timed_out: bool = False
    cut: tuple[str, ...] = ()
    """Which of ``stdout`` and ``stderr`` were longer than what is kept of them."""

    def last_words(self, lines: int = 12, characters: int = 2000) -> str:
        """The end of what was said on stderr, or on stdout if that stayed empty."""
        said = (self.stderr.strip() or self.stdout.strip()).splitlines()[-lines:]
        return "\n".join(said)[-characters:]


def environ(dsn: Dsn) -> dict[str, str]:
    """The caller's environment, with ``dsn`` in place of libpq's variables."""
    return without_libpq(os.environ) | dsn.environ


@contextmanager
def witnessed(witness: Witness) -> Iterator[None]:
    """Have ``witness`` told the arguments of every program that is started here meanwhile.

    Who looks at the machine's list of processes from time to time misses those that are
    gone by then.
    """
    _WITNESSES.append(witness)
    try:
        yield
    finally:
        _WITNESSES.remove(witness)


def start(
    arguments: Sequence[str | Path], *, environ: Mapping[str, str], cwd: Path, stderr: int
) -> subprocess.Popen[bytes]:
    """Start ``arguments`` in ``cwd`` with no input and a process group of its own.

    What it prints is to be read from the pipe ``stdout``, and :func:`end` is to be called.
    Raises :class:`UsageError` when the program cannot be started.
    """
    command = [str(argument) for argument in arguments]
    for witness in _WITNESSES:
        witness(command)
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=dict(environ),
            cwd=cwd,
            start_new_session=True,
        )
    except OSError as error:
        raise UsageError(
            f"tried to start {arguments[0]} in {cwd}: {error.strerror}; "
            "check that it is installed, executable and on the PATH"
        ) from error


def run(
    arguments: Sequence[str | Path],
    *,
    environ: Mapping[str, str],
    cwd: Path,
    timeout: float,
    secrets: Sequence[Dsn] = (),
    keep: int = KEPT,
) -> Finished:
    """Run ``arguments`` in ``cwd`` with no input, for at most ``timeout`` seconds.

    Of each stream the last ``keep`` bytes are kept. The program gets a process group of its
    own, and whatever is left of the group is killed before this returns or raises; only what
    a program that ended by itself has left running stays, where whoever called us looks for
    such processes and ends them (:data:`~verifier.settings.CALL` in ``environ``). Raises
    :class:`UsageError` when the program cannot be started.
    """
    program = start(arguments, environ=environ, cwd=cwd, stderr=subprocess.PIPE)
    assert program.stdout is not None
    assert program.stderr is not None
    kept = {program.stdout: Tail(keep), program.stderr: Tail(keep)}
    watched = False
    try:
        timed_out = _follow(program, kept, time.monotonic() + timeout)
        watched = not timed_out and CALL in environ
    finally:
        if not watched:
            end(program)
        for stream in kept:
            stream.close()
    stdout, stderr = (redact(tail.text(), *secrets) for tail in kept.values())
    code = _TIMED_OUT if timed_out else program.returncode
    named = zip(("stdout", "stderr"), kept.values(), strict=True)
    cut = tuple(name for name, tail in named if tail.cut)
    return Finished(code if code >= 0 else 128 - code, stdout, stderr, timed_out, cut)


class Tail:
    """The last bytes of a stream."""

    def __init__(self, keep: int) -> None:
        self.cut = False
        self._keep, self._data = keep, bytearray()

    def add(self, chunk: bytes) -> None:
        self._data += chunk
        self.cut = self.cut or len(self._data) > self._keep
        if len(self._data) > 2 * self._keep:  # seldom, since what is kept is moved for it
            del self._data[: -self._keep]

    def text(self) -> str:
        tail = self._data[-self._keep :]
        if self.cut:
            # The first line may begin in the middle of a password, which nothing would find.
            tail = tail.partition(b"\n")[2] or tail
        return tail.decode("utf-8", "replace")


def _follow(
    program: subprocess.Popen[bytes], kept: Mapping[IO[bytes], Tail], deadline: float
) -> bool:
    """Read both streams until the program has ended; whether the deadline came first."""
    ended = False
    with selectors.DefaultSelector() as streams:
        for stream, tail in kept.items():
            streams.register(stream, selectors.EVENT_READ, tail)
        while streams.get_map() or not ended:
            if not ended and program.poll() is not None:
                ended = True
                deadline = min(deadline, time.monotonic() + _AFTERMATH)
            left = deadline - time.monotonic()
            if left <= 0:
                return program.poll() is None
            if not streams.get_map():
                with suppress(subprocess.TimeoutExpired):
                    program.wait(left)
            for key, _ in streams.select(min(left, _PAUSE)) if streams.get_map() else ():
                chunk = os.read(key.fd, _CHUNK)
                key.data.add(chunk)
                if not chunk:
                    streams.unregister(key.fileobj)
    return False


def end(program: subprocess.Popen[bytes]) -> None:
    """End what is left of the program's group, politely at first while the leader lives."""
    if program.poll() is None:
        _signal(program, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            program.wait(_MERCY)
    _signal(program, signal.SIGKILL)
    program.wait()


def _signal(program: subprocess.Popen[bytes], number: signal.Signals) -> None:
    # Nothing left is what is wanted; macOS says "not permitted" when only zombies are left.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(program.pid, number)
