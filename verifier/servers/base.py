"""What a PostgreSQL server is to the rest of the project."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from verifier.dsn import Dsn

if TYPE_CHECKING:
    from verifier.servers.databases import Databases


class Side(StrEnum):
    SOURCE = "source"
    TARGET = "target"


class Server(Protocol):
    """A running PostgreSQL server, wherever it comes from."""

    side: Side

    @property
    def kind(self) -> str:
        """``embedded``, ``docker`` or ``external``."""

    @property
    def version(self) -> str:
        """As the server tells it, ``18.4``."""

    @property
    def major(self) -> int: ...

    @property
    def admin(self) -> Dsn:
        """The account and database that databases are created from. May change after a restart."""

    @property
    def user(self) -> Dsn:
        """The account that implementations get: owns its databases, is no superuser.

        The same as :attr:`admin` where no account may be created (external servers
        whose account lacks CREATEROLE).
        """

    @property
    def controllable(self) -> bool:
        """Whether :meth:`stop` and :meth:`start` may be used: the server is ours alone."""

    def alive(self) -> bool:
        """Whether a query is answered within a few seconds."""

    def stop(self) -> None:
        """Stop at once, as a crash would (no checkpoint, sessions are cut)."""

    def start(self) -> None:
        """Start again after :meth:`stop`, and return when a query is answered.

        Raises :class:`~verifier.errors.ServerUnavailable` with the last log lines.
        """

    def small_disk(self) -> str | None:
        """A directory of the server's own on a disk of 16 MB, where it can be had.

        Made at the first call, and gone with the server.
        """

    def log(self, lines: int = 20) -> str:
        """The last lines that the server logged, as far as they can be had."""


class Pair(Protocol):
    """A source and a target server; leaving the ``with`` block removes both."""

    @property
    def source(self) -> Server: ...

    @property
    def target(self) -> Server: ...

    def databases(self, side: Side) -> Databases:
        """Makes and drops this run's databases on one side. What is left ends with the pair."""

    def close(self) -> None:
        """What leaving the ``with`` block does. Twice does no harm."""

    def __enter__(self) -> Pair: ...

    def __exit__(self, *exc: object) -> None: ...
