"""Somebody who goes on writing to the source while it is backed up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

import psycopg

from verifier.contract import Claim, Finding, Guarantee
from verifier.faults.base import Scene, Way, not_struck
from verifier.faults.proxy import After, Link, Proxy
from verifier.servers import Database, Side

_MOST = 500
"""Transactions; a backup of more statements has been written into often enough."""


class Writing:
    """A transaction of ``step`` is committed before each statement of the backup.

    ``step`` is SQL in which ``{n}`` stands for the number of the transaction, from 1. A
    backup is of one moment, so what is restored has to be the source after some number of
    them: ``reached`` is a query that tells the number from the restored rows. The oracle
    plays so many into its clone of the source, and expects exactly that.
    """

    exercises: frozenset[Guarantee] = frozenset()
    side = Side.SOURCE
    writes = True
    """Changes of the source are the fault's own."""

    def __init__(self, step: str, reached: str) -> None:
        self._step, self._reached = step, reached
        self._written = 0
        self._proxy: Proxy | None = None

    @contextmanager
    def strike(self, scene: Scene) -> Iterator[Way]:
        with closing(scene.source.connect()) as session:

            def write(links: Sequence[Link]) -> After:
                if self._written < _MOST:
                    self._play(session, self._written + 1)
                    self._written += 1
                return After()

            with Proxy(lambda: scene.source.dsn, strike=write, every=True) as self._proxy:
                yield Way(self._proxy.dsn)

    def replay(self, frozen: Database, target: Database) -> None:
        """Bring the frozen source to the moment that the restored rows are of."""
        with closing(target.administer()) as session:
            (number,) = session.execute(self._reached.encode()).fetchone() or (0,)
        with closing(frozen.administer()) as session:
            for each in range(1, min(int(number or 0), self._written) + 1):
                self._play(session, each)

    def _play(self, session: psycopg.Connection, number: int) -> None:
        script = self._step.replace("{n}", str(number))
        session.execute(f"BEGIN; {script}; COMMIT".encode())

    def findings(self, claim: Claim) -> list[Finding]:
        if self._written:
            return []
        proxy = self._proxy
        assert proxy is not None, "it is asked after it struck"
        if proxy.trouble:
            return [not_struck("its step could not be run", words=proxy.trouble)]
        what = "no statement of the backup was seen"
        return [not_struck(f"{what} (encrypted)" if proxy.traffic.opaque else what)]
