"""A blow that falls at one moment of a call, on the way to the database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from verifier.contract import Claim, Finding, Guarantee
from verifier.faults.apart import OwnProcess
from verifier.faults.base import Scene, Way, not_struck
from verifier.faults.blows import Blow, Stage
from verifier.faults.moment import Moment, Traffic
from verifier.faults.proxy import After, Link, Proxy
from verifier.servers import Database, Side


class Interruption:
    """``blow`` at ``moment`` of the restore, or of the backup when ``side`` is the source."""

    exercises: frozenset[Guarantee] = frozenset()

    def __init__(self, blow: Blow, moment: Moment, *, side: Side = Side.TARGET) -> None:
        self.side, self._blow, self._moment = side, blow, moment
        self._proxy: Proxy | None = None
        self._ordinary = Traffic()

    @property
    def rehearsed(self) -> bool:
        """Whether it takes a call without fault, before, to know the moment."""
        return self._moment.rehearsed

    @contextmanager
    def rehearsal(self, scene: Scene, target: Database | None = None) -> Iterator[Way]:
        """Count while the block runs what a call without fault moves.

        It is a restore into another ``target`` than the scene's, or a backup.
        """
        database = target or scene.database(self.side)
        with Proxy(lambda: database.dsn) as proxy:
            yield Way(proxy.dsn)
        self._ordinary = proxy.traffic

    @contextmanager
    def strike(self, scene: Scene) -> Iterator[Way]:
        database = scene.database(self.side)
        process = OwnProcess() if self._blow.kills else None
        stage = Stage(database, process)
        moment = self._moment
        if self.rehearsed:
            moment = moment.within(self._ordinary, receiving=self.side is Side.SOURCE)

        def fall(links: Sequence[Link]) -> After:
            return self._blow.fall(stage, links)

        self._blow.prepare(stage)
        try:
            with Proxy(lambda: database.dsn, moment, fall) as self._proxy:
                yield Way(self._proxy.dsn, process)
        finally:
            self._blow.heal(stage)

    def findings(self, claim: Claim) -> list[Finding]:
        proxy = self._proxy
        assert proxy is not None, "it is asked after it struck"
        if proxy.trouble:
            return [not_struck(f"it could not, {self._moment}", words=proxy.trouble)]
        if proxy.struck:
            return []
        seen = f"{len(proxy.traffic.statements)} statements, {proxy.traffic.sent} bytes sent"
        seen += f" and {proxy.traffic.received} received"
        if proxy.traffic.opaque:
            seen += "; connections were encrypted, so that only bytes could be counted"
        why = f"nothing was seen {self._moment}"
        if self.rehearsed:
            before = self._ordinary
            seen += f"; the call without fault had {len(before.statements)} statements, "
            seen += f"{before.sent} bytes sent and {before.received} received"
        return [not_struck(why, words=seen)]
