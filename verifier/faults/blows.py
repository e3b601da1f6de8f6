"""What happens at the moment at which a fault strikes on the way to a database."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Protocol

from verifier.errors import ObservationError
from verifier.faults.apart import OwnProcess
from verifier.faults.base import outlive_crash
from verifier.faults.proxy import After, Link
from verifier.servers import Database

_SECONDS = 10.0
"""That a terminated session may take to be gone."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a blow falls: the database behind the proxy, and the process of the call."""

    database: Database
    process: OwnProcess | None


class Blow(Protocol):
    """Falls once, at a moment of a call."""

    @property
    def kills(self) -> bool:
        """Whether the implementation has to be called in a process of its own."""

    def prepare(self, stage: Stage) -> None:
        """Before the call."""

    def fall(self, stage: Stage, links: Sequence[Link]) -> After:
        """At the moment; ``links`` are the connections there are, the struck one first."""

    def heal(self, stage: Stage) -> None:
        """After the call."""


class _Plain:
    kills = False

    def prepare(self, stage: Stage) -> None:
        """Nothing."""

    def heal(self, stage: Stage) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class Cut(_Plain):
    """Every connection is reset; the network is there again at once."""

    def fall(self, stage: Stage, links: Sequence[Link]) -> After:
        return After(cut=True)


@dataclass(frozen=True, slots=True)
class Stall(_Plain):
    """Nothing passes for ``seconds``; then everything does again, or with ``cut`` it is reset."""

    seconds: float
    cut: bool = False

    def fall(self, stage: Stage, links: Sequence[Link]) -> After:
        return After(silent=self.seconds, cut=self.cut)


@dataclass(frozen=True, slots=True)
class Terminate(_Plain):
    """The administrator ends the sessions (``pg_terminate_backend``)."""

    def fall(self, stage: Stage, links: Sequence[Link]) -> After:
        pids = [link.backend.pid for link in links if link.backend.pid is not None]
        if not pids:
            raise ObservationError("no session is known: the connection is encrypted")
        with closing(stage.database.administer()) as admin:
            admin.execute("SELECT pg_terminate_backend(p) FROM unnest(%s) p", (pids,))
            until = monotonic() + _SECONDS
            query = "SELECT FROM pg_stat_activity WHERE pid = ANY(%s)"
            while admin.execute(query, (pids,)).fetchone() is not None and monotonic() < until:
                sleep(0.005)
        return After()


@dataclass(frozen=True, slots=True)
class Kill(_Plain):
    """The client, and every process that the call has started, is killed by SIGKILL."""

    kills = True

    def fall(self, stage: Stage, links: Sequence[Link]) -> After:
        assert stage.process is not None
        stage.process.kill([link.peer for link in links])
        return After(cut=True)  # what the dead client had sent goes nowhere


@dataclass(frozen=True, slots=True)
class Restart(_Plain):
    """The server stops as in a crash and starts again; for servers of the scenario's own."""

    def prepare(self, stage: Stage) -> None:
        outlive_crash(stage.database)

    def fall(self, stage: Stage, links: Sequence[Link]) -> After:
        stage.database.server.stop()
        stage.database.server.start()
        return After()


@dataclass(frozen=True, slots=True)
class Run(_Plain):
    """The owner of the database runs ``script`` in another session; ``undo`` takes it back."""

    script: str
    undo: str = ""

    def fall(self, stage: Stage, links: Sequence[Link]) -> After:
        # The restore stands still meanwhile, so a lock of its own would be waited for in vain.
        with closing(stage.database.connect(client_encoding="UTF8")) as session:
            session.execute("SET lock_timeout = '5s'")
            session.execute(self.script.encode())
        return After()

    def heal(self, stage: Stage) -> None:
        if self.undo:
            stage.database.execute(self.undo)
