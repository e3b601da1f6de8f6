"""The services that a call needs: started for it, waited for, and ended after it.

A service gets a process group of its own, which ends with the call whatever way the call
ends. The end of what it printed is kept, for the errors.
"""

from __future__ import annotations

import os
import selectors
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import SystemRandom

from verifier.implementations import process
from verifier.implementations.http.answers import Hide
from verifier.implementations.http.calls import Caller, Request
from verifier.implementations.http.failure import Failed

LOOPBACK = "127.0.0.1"
_PAUSE = 0.05
_AFTERMATH = 0.1
_PATIENCE = 5.0
"""Seconds that one look at a service's health may take; the next one may be luckier."""
_CHUNK = 64 * 1024
_IN_PIPE = 1024 * 1024
"""Bytes that may still be in its pipe when a service has ended."""
_LINES = 12
_PORTS = range(20_000, 32_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """A service with everything filled in."""

    name: str
    command: tuple[str, ...] = field(default=(), repr=False)
    """Empty for a service that somebody else has started."""
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    """All of it, and not only what is added to the caller's."""
    directory: Path = Path()
    port: int = 0
    """Where it is to listen, on loopback."""
    health: str = ""
    """The URL that answers 2xx when it is ready; empty: it is ready when it can be reached."""
    timeout: float
    """Seconds until it must be ready."""


class Service:
    """A service of one call: what starts it, knows whether it is ready, and ends it."""

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        self._program: subprocess.Popen[bytes] | None = None
        self._tail = process.Tail(process.KEPT)
        self._ended = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)

    def start(self) -> None:
        """Start it, if it has a command. :meth:`end` is to be called in any case.

        Raises :class:`Failed`, and ``UsageError`` when there is no such program.
        """
        launch = self.launch
        if launch.command:
            _check_free(launch)
            self._program = process.start(
                launch.command,
                environ=launch.environ,
                cwd=launch.directory,
                stderr=subprocess.STDOUT,
            )
            self._reader.start()

    def _read(self) -> None:
        """Keep the end of what it prints; a pipe that nobody empties would stop it."""
        assert self._program is not None
        assert self._program.stdout is not None
        left = _IN_PIPE
        with self._program.stdout as stream, selectors.DefaultSelector() as waiting:
            waiting.register(stream, selectors.EVENT_READ)
            # A process that left the group may hold the pipe open, or even go on printing.
            while left > 0:
                if waiting.select(_PAUSE):
                    chunk = os.read(stream.fileno(), _CHUNK)
                    if not chunk:
                        return
                    self._tail.add(chunk)
                    left -= len(chunk) if self._ended.is_set() else 0
                elif self._ended.is_set():
                    return

    def wait(self, hide: Hide) -> None:
        """Return when it is ready. Raises :class:`Failed` with its last words if it never is."""
        caller, seen = Caller(self.launch.timeout, hide), ""
        while True:
            found = self._found(caller)
            late = time.monotonic() >= caller.deadline
            # A look that began too late to see anything tells nothing.
            seen = seen if late and seen else found
            if fate := self.fate():
                raise Failed(f"{fate} before it was ready")
            if not found:
                return
            if late:
                raise Failed(
                    f"the service {self.launch.name} was not ready within "
                    f"{self.launch.timeout:g} s: {seen}{self._words()}"
                )
            time.sleep(_PAUSE)

    def _found(self, caller: Caller) -> str:
        """What keeps it from being ready; empty when nothing does."""
        left = min(_PATIENCE, caller.left)
        if self._program is None and not self.launch.health:
            return ""
        if self.launch.health:
            request = Request(method="GET", url=self.launch.health, timeout=left)
            try:
                answer = caller.fetch(request, limit=_CHUNK)
            except Failed as failed:
                return str(failed)
            return "" if answer.ok else f"{answer.asked} answered {answer.said()}"
        try:
            with socket.create_connection((LOOPBACK, self.launch.port), left):
                return ""
        except OSError as error:
            return f"port {self.launch.port} of {LOOPBACK}: {error.strerror or error}"

    def fate(self, patience: float = 0) -> str:
        """How it has ended within ``patience`` seconds, with its last words; empty if it runs."""
        try:
            code = None if self._program is None else self._program.wait(patience)
        except subprocess.TimeoutExpired:
            code = None
        if code is None:
            return ""
        self._reader.join(2 * _PAUSE)  # its last words may still be in the pipe
        code = 128 - code if code < 0 else code
        return f"the service {self.launch.name} ended with exit code {code}{self._words()}"

    def _words(self) -> str:
        if self._program is None:
            return ""
        said = self._tail.text().strip().splitlines()[-_LINES:]
        last = "\n".join(said)
        return f" (it printed last: {last})" if said else " (it printed nothing)"

    def end(self) -> None:
        """End whatever is left of its process group."""
        if self._program is None:
            return
        try:
            process.end(self._program)
        finally:
            self._ended.set()
            self._reader.join()


@contextmanager
def running(launches: Sequence[Launch], hide: Hide) -> Iterator[None]:
    """Every service, ready, for the time of a ``with`` block; one after the other, in order.

    Raises what :meth:`Service.start` and :meth:`Service.wait` raise, and adds to a
    :class:`Failed` of the block which services had ended by then.
    """
    with ExitStack() as held:
        services = [Service(launch) for launch in launches]
        for service in services:
            held.callback(service.end)
            service.start()
            service.wait(hide)
        try:
            yield
        except Failed as failed:
            # A connection is lost a little before whoever held it is known to have ended.
            fates = [fate for service in services if (fate := service.fate(_AFTERMATH))]
            raise Failed("; ".join([str(failed), *fates])) from None


def free_ports(number: int) -> list[int]:
    """As many ports of loopback that nobody listens on, each another one.

    Until a service listens there nothing keeps its port free. So it is none of those that the
    system hands out to connections, of which many come and go in the meantime. Raises
    :class:`Failed` where there are not as many.
    """
    found: list[int] = []
    for port in SystemRandom().sample(_PORTS, len(_PORTS)):
        if len(found) == number:
            break
        if not _in_the_way(port):
            found.append(port)
    if len(found) < number:
        raise Failed(f"{number} ports of {LOOPBACK} are needed, and {len(found)} are free")
    return found


def _in_the_way(port: int) -> str:
    """What keeps a service from listening on ``port``; empty when nothing does."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            return error.strerror or str(error)
        return ""


def _check_free(launch: Launch) -> None:
    """Whoever listens there already would answer in the place of the service."""
    if found := _in_the_way(launch.port):
        raise Failed(
            f"the service {launch.name} cannot listen on port {launch.port} of {LOOPBACK}: "
            f"{found}; end what listens there, or leave out `port` for a free one"
        )
