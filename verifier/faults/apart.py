"""A call of an implementation in a process of its own, which can be killed."""

from __future__ import annotations

import multiprocessing
import os
import pickle
from collections.abc import Collection, Mapping
from contextlib import suppress
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from typing import Any, cast

import psutil

from verifier.errors import ObservationError
from verifier.implementations import Implementation, implementation

_FORKS = multiprocessing.get_context("forkserver")
# What every such process needs is loaded once, in the server that they are forked from.
_FORKS.set_forkserver_preload(["__main__", "verifier.implementations.initial_load", __name__])
_SECONDS = 10.0
"""That killed processes may take to be gone."""


class Killed(Exception):
    """The process was killed before it returned."""


class Ended(RuntimeError):
    """The process ended by itself before the method returned."""


class Unsendable(ObservationError):
    """The implementation cannot be called in another process, so that nothing is seen of it."""


class OwnProcess:
    """Calls one method of an implementation in a process of its own, once."""

    def __init__(self) -> None:
        self._process: Any = None
        self._killed = False

    def call(self, called: Implementation, method: str, *arguments: object) -> Any:
        """What the method returns. Raises what it raises, or :class:`Killed`."""
        ours, theirs = _FORKS.Pipe(duplex=False)
        work = (_sendable(called), method, arguments)
        self._process = _FORKS.Process(target=_work, args=(theirs, dict(os.environ), work))
        with ours:
            try:
                self._process.start()
                theirs.close()
                wait([ours, self._process.sentinel])
                outcome = ours.recv() if ours.poll() else None
            except EOFError:
                outcome = None
            finally:
                self._end()
        if outcome is None:
            if self._killed:
                raise Killed
            raise Ended(f"its process ended with exit code {self._process.exitcode}")
        returned, value = outcome
        if not returned:
            raise value
        return value

    @property
    def started(self) -> bool:
        """Whether there is a process that can be killed."""
        return self._process is not None and self._process.pid is not None

    def kill(self, ports: Collection[int] = ()) -> None:
        """Kill the process and all that it has started, at once and without a word.

        Raises :class:`ObservationError` unless they hold the connections from ``ports``.
        """
        root = psutil.Process(self._process.pid)
        tree = [root, *root.children(recursive=True)]
        held = {port for each in tree for port in _ports(each)}
        self._killed = True
        for each in tree:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        psutil.wait_procs(tree, timeout=_SECONDS)
        if not held.issuperset(ports):
            raise ObservationError(
                "the connection is held by a process that was there before the call, "
                "such as a service, and only processes of the call are killed"
            )

    def _end(self) -> None:
        self._process.join(_SECONDS if not self._killed else None)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def start() -> None:
    """Have the processes' server run already, so that no call is taken for its starter."""
    forkserver.ensure_running()


def _ports(process: psutil.Process) -> list[int]:
    try:
        return [each.laddr.port for each in process.net_connections("tcp") if each.laddr]
    except psutil.Error:
        return []


def _sendable(called: Implementation) -> bytes | str:
    """The implementation itself where it can be sent to another process, else its name."""
    try:
        return pickle.dumps(called)
    except Exception:  # pickle raises nearly everything
        return called.name


def _received(sent: bytes | str) -> Implementation:
    # Only now, since making one may take what the environment holds.
    try:
        if isinstance(sent, str):
            return implementation(sent)
        return cast(Implementation, pickle.loads(sent))  # noqa: S301 - our own
    except Exception as error:
        said = f"{sent} is none by that name" if isinstance(sent, str) else error
        raise Unsendable(
            "the implementation cannot be made anew in a process of its own, in which it would be "
            f"killed ({type(error).__name__}: {said}); make the object picklable, or configure it "
            "in TOML"
        ) from None


def _work(
    results: Connection,
    environ: Mapping[str, str],
    work: tuple[bytes | str, str, tuple[object, ...]],
) -> None:
    """What the process does: call the method, and send what came of it."""
    os.environ.clear()
    os.environ.update(environ)
    sent, method, arguments = work
    try:
        outcome = (True, getattr(_received(sent), method)(*arguments))
    except BaseException as error:  # all of it is for the caller to judge
        outcome = (False, error)
    try:
        pickle.loads(pickle.dumps(outcome))  # noqa: S301 - our own; not every error survives it
    except Exception as refusal:
        said = f"{type(outcome[1]).__name__}: {outcome[1]}"
        if outcome[0]:
            said = f"what {method} returned cannot be sent to another process: {refusal}"
        outcome = (False, RuntimeError(said))
    results.send(outcome)
