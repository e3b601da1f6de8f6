"""A source and a target that start side by side and end together."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from verifier.servers import lifecycle
from verifier.servers.base import Server, Side
from verifier.servers.databases import Databases

USER = "restore_user"
"""The account that implementations get on servers that are ours alone."""


SETTINGS = {
    # The data lives as long as the run: nothing has to survive a power failure. It
    # does have to survive the crash of a server, which scenarios cause on purpose:
    # with synchronous_commit off, commits of the last 0.6 s would be lost, and with
    # full_page_writes off a SIGKILL could leave a page half written. Without fsync
    # both cost next to nothing.
    "fsync": "off",
    "autovacuum": "on",
    "max_connections": "100",
    # CREATE DATABASE and DROP DATABASE walk all of it; more makes cloning slower.
    "shared_buffers": "16MB",
    # Every clone asks for a checkpoint; the last log lines should say why a server died.
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] ",
    "log_timezone": "UTC",
    "timezone": "UTC",
}
"""Of every server that is ours alone, embedded or in a container."""


class Provided(Server, Protocol):
    """What a provider implements beyond :class:`Server`."""

    prefix: str
    """Of the name of every database made for this run on this side."""

    def launch(self) -> None:
        """Bring the server to the point where databases can be made."""

    def close(self) -> None:
        """Take back everything that :meth:`launch` and later calls made. Twice does no harm."""


class ServerPair:
    """The :class:`~verifier.servers.base.Pair` of every provider."""

    def __init__(
        self, source: Provided, target: Provided, *, finish: Callable[[], None] = lambda: None
    ) -> None:
        self._provided = (source, target)
        self._finish = finish
        self._databases: dict[Side, Databases] = {}
        self._closed = False
        self._forget_exit: Callable[[], None] = lambda: None

    @property
    def source(self) -> Server:
        return self._provided[0]

    @property
    def target(self) -> Server:
        return self._provided[1]

    def launch(self) -> ServerPair:
        """Start both at once. If one fails, both are closed and its error is raised."""
        lifecycle.exit_on_termination()
        self._forget_exit = lifecycle.at_exit(self.close)
        try:
            with ThreadPoolExecutor(2, "server") as pool:
                for started in [pool.submit(server.launch) for server in self._provided]:
                    started.result()
        except BaseException:
            self.close()
            raise
        self._databases = {
            server.side: Databases(server, prefix=server.prefix) for server in self._provided
        }
        return self

    def databases(self, side: Side) -> Databases:
        """The databases of this run on one side; they end with the pair."""
        return self._databases[side]

    def close(self) -> None:
        """Remove both servers, or from external ones everything that was made there."""
        if self._closed:
            return
        with contextlib.ExitStack() as last:
            last.callback(self._finish)
            for server in self._provided:
                last.callback(server.close)
            for databases in self._databases.values():
                last.callback(databases.disconnect)
        self._closed = True
        self._forget_exit()

    def __enter__(self) -> ServerPair:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
