"""A migration of the source that is committed while a backup waits for its table."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg

from verifier.contract import Claim, Finding, Guarantee
from verifier.faults.base import Scene, not_struck
from verifier.servers import Side

_PERIOD = 0.02
"""Seconds between two looks at who waits."""

# Who waits for the migration, also behind others; the server's own workers give way by themselves.
_WAITS = """
SELECT FROM pg_stat_activity
WHERE backend_type = 'client backend' AND %s = ANY (pg_blocking_pids(pid)) LIMIT 1
"""


class Migrating:
    """A session has run ``script`` when the backup begins, and commits once the backup waits.

    What waits for a lock has taken its snapshot before, as pg_dump does, or takes it after.
    A rewritten table is empty to the older snapshot, without an error: PostgreSQL's
    rewriting ``ALTER TABLE`` and ``TRUNCATE`` go by no snapshot. ``script`` has to leave the
    rows' values as they are, since the backup may rightly hold those before or after it.
    """

    exercises: frozenset[Guarantee] = frozenset()
    side = Side.SOURCE
    writes = True
    """Changes of the source are the fault's own."""

    def __init__(self, script: str) -> None:
        self._script = script
        self._committed = False

    @contextmanager
    def strike(self, scene: Scene) -> Iterator[None]:
        over = threading.Event()
        with (
            closing(scene.source.connect(autocommit=False)) as session,
            closing(psycopg.connect(scene.source.admin.conninfo, autocommit=True)) as admin,
        ):
            session.execute(self._script.encode())
            pid = session.info.backend_pid

            def commit_when_waited_for() -> None:
                while not over.wait(_PERIOD):
                    if admin.execute(_WAITS, (pid,)).rowcount:
                        session.commit()
                        self._committed = True
                        return

            watcher = threading.Thread(target=commit_when_waited_for, name="fault")
            watcher.start()
            try:
                yield
            finally:
                over.set()
                watcher.join()

    def findings(self, claim: Claim) -> list[Finding]:
        if self._committed:
            return []
        return [not_struck("the backup did not wait for the migration", words=self._script)]
