"""Faults that strike while an implementation restores.

A fault is active within :meth:`Fault.strike` and healed when that block is left; the
scenario then looks at what the restore left behind and tries again. Each fault
strikes at the same place on every run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psycopg

from verifier.contract import Claim, Evidence, Finding, Guarantee, Verdict
from verifier.implementations import Backup
from verifier.oracle import Probe
from verifier.servers import Database

_PATIENCE = 60.0
"""Seconds that a restore may take until it reaches the place where a fault waits for it."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What a fault may reach while the implementation restores."""

    target: Database
    probe: Probe
    backup: Backup
    workdir: Path


class Fault(Protocol):
    """Something that goes wrong during a restore and is over afterwards."""

    @property
    def exercises(self) -> frozenset[Guarantee]:
        """Guarantees that only this fault puts to the test."""

    def strike(self, scene: Scene) -> AbstractContextManager[None]:
        """Strike while the block runs, and heal when it is left."""

    def findings(self, claim: Claim) -> list[Finding]:
        """What the fault itself saw, after it was healed, of a restore that says ``claim``."""


class TargetStopped:
    """The target server stops, as in a crash, when the restore is about to write ``table``.

    Only for servers that are the scenario's own (``@pytest.mark.own_servers``).
    """

    exercises: frozenset[Guarantee] = frozenset()

    def __init__(self, before_writing: str) -> None:
        self._table = before_writing
        self._struck = False
        self._over = threading.Event()

    @contextmanager
    def strike(self, scene: Scene) -> Iterator[None]:
        server = scene.target.server
        # The seed was committed without waiting for the disk; a crash must not take it.
        with closing(psycopg.connect(scene.target.admin.conninfo, autocommit=True)) as session:
            session.execute("CHECKPOINT")
        with scene.probe.hold(self._table) as held:

            def stop_when_held() -> None:
                if held.wait(_PATIENCE, given_up=self._over.is_set):
                    self._struck = True
                    server.stop()

            watcher = threading.Thread(target=stop_when_held, name="fault")
            watcher.start()
            try:
                yield
            finally:
                self._over.set()
                watcher.join()
                if self._struck:
                    server.start()

    def findings(self, claim: Claim) -> list[Finding]:
        if self._struck:
            return []
        title = "the fault never struck: the restore did not write the table that it waited at"
        return [
            Finding(
                guarantee=Guarantee.RECOVERABILITY,
                verdict=Verdict.UNKNOWN,
                title=title,
                table=self._table,
            )
        ]


class BackupCut:
    """Only the first part of the backup arrives; then the whole of it, for the retry."""

    exercises = frozenset({Guarantee.CONTAINMENT})

    def __init__(self, keep: float) -> None:
        """``keep``: the share of each file that arrives, between 0 and 1."""
        self._keep = keep

    @contextmanager
    def strike(self, scene: Scene) -> Iterator[None]:
        with _replaced(scene, lambda content: content[: int(len(content) * self._keep)]):
            yield

    def findings(self, claim: Claim) -> list[Finding]:
        return _accepted(claim, "a backup of which the end was missing")


class BackupPoisoned:
    """A command for psql to run in a shell stands at the head of the backup.

    It makes a file; that file must never exist.
    """

    exercises = frozenset({Guarantee.CONTAINMENT})

    def __init__(self) -> None:
        self._executed: Path | None = None

    @contextmanager
    def strike(self, scene: Scene) -> Iterator[None]:
        canary = scene.workdir / "canary"
        command = f"\\! touch '{canary}'\n".encode()
        with _replaced(scene, lambda content: command + content):
            yield
        if canary.exists():
            self._executed = canary

    def findings(self, claim: Claim) -> list[Finding]:
        if self._executed is None:
            return _accepted(claim, "a backup that holds a shell command")
        return [
            Finding(
                guarantee=Guarantee.CONTAINMENT,
                title="the restore executed a shell command that stood in the backup",
                evidence=(Evidence("backup", {"line 1": "\\! touch …/canary"}),),
            )
        ]


def _accepted(claim: Claim, what: str) -> list[Finding]:
    if not claim.success:
        return []
    return [
        Finding(
            guarantee=Guarantee.CONTAINMENT,
            title=f"the restore accepted {what}",
            evidence=(claim.evidence(),),
        )
    ]


@contextmanager
def _replaced(scene: Scene, change: Callable[[bytes], bytes]) -> Iterator[None]:
    """The backup's files with other content, and as they were afterwards."""
    originals = {path: path.read_bytes() for path in scene.backup.files}
    try:
        for path, content in originals.items():
            path.write_bytes(change(content))
        yield
    finally:
        for path, content in originals.items():
            path.write_bytes(content)
