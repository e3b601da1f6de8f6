"""What a fault is, what it may reach, and what it says when it did not strike."""

from __future__ import annotations

from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from verifier.contract import Claim, Evidence, Finding, Guarantee, Verdict
from verifier.dsn import Dsn
from verifier.faults.apart import OwnProcess
from verifier.implementations import Backup
from verifier.oracle import Probe
from verifier.servers import Database, Side

PATIENCE = 60.0
"""Seconds that a call may take until it reaches the place where a fault waits for it."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What a fault may reach while the implementation works."""

    source: Database
    target: Database
    probe: Probe
    backup: Backup | None
    """``None`` while it is made."""
    workdir: Path

    def database(self, side: Side) -> Database:
        return self.source if side is Side.SOURCE else self.target


@dataclass(frozen=True, slots=True)
class Way:
    """How the implementation is called while a fault strikes."""

    dsn: Dsn | None = None
    """Of the database by a detour on which the fault waits; ``None`` for the straight way."""
    process: OwnProcess | None = None
    """The process in which it is called; ``None`` for this one."""


class Fault(Protocol):
    """Something that goes wrong during a backup or a restore and is over afterwards.

    A fault may have an attribute ``side``, ``"source"`` for one that strikes while the
    backup is made; without it, it strikes while the backup is restored. One that writes to
    the source itself has a true attribute ``writes``.
    """

    @property
    def exercises(self) -> frozenset[Guarantee]:
        """Guarantees that only this fault puts to the test."""

    def strike(self, scene: Scene) -> AbstractContextManager[Way | None]:
        """Strike while the block runs, and heal when it is left."""

    def findings(self, claim: Claim) -> list[Finding]:
        """What the fault itself saw, after it was healed, of a call that says ``claim``."""


def side(fault: Fault | None) -> Side:
    """During which half of the way the fault strikes."""
    return Side(getattr(fault, "side", Side.TARGET))


def outlive_crash(database: Database) -> None:
    """Have what ``database`` holds reach the disk: seeds are committed without waiting for it."""
    with closing(database.administer()) as session:
        session.execute("CHECKPOINT")


def not_struck(
    why: str,
    *,
    table: str = "",
    words: str = "",
    guarantee: Guarantee = Guarantee.RECOVERABILITY,
) -> Finding:
    """The fault had no occasion, so nothing was put to the test."""
    return Finding(
        guarantee=guarantee,
        verdict=Verdict.UNKNOWN,
        title=f"the fault never struck: {why}",
        table=table,
        evidence=(Evidence("fault", words=words),) if words else (),
    )
