"""One run through a world: make it, back it up, restore, observe, and all of that again."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

from verifier.calls import Calls
from verifier.contract import Claim, Evidence, Finding, Guarantee
from verifier.errors import Unfit
from verifier.implementations import Backup, Implementation
from verifier.implementations.guest import Guest
from verifier.model.world import BackupForm, Observation, Options, World
from verifier.transfer import Ids, Reference, RestoreOptions
from verifier.worlds import backups, ddl
from verifier.worlds.ground import Ground

__all__ = ["Ground", "Run", "Unfit", "restore_options", "run"]


@runtime_checkable
class Askable(Protocol):
    """An implementation that takes the options of a restore."""

    def asked(self, options: RestoreOptions) -> Implementation:
        """A copy that restores with ``options``."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What became of a world."""

    world: World
    """With the rows of the source in the order in which its own backup has them, if one was made:
    those of a partitioned table come part by part."""
    before: Observation
    """The target before the restore."""
    claim: Claim
    observation: Observation
    again: tuple[Claim, Observation] | None = None
    """The same after the backup was restored once more; not after a restore that failed."""
    findings: tuple[Finding, ...] = ()
    """What the calls showed or left behind: passwords, files, processes, sessions."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """How long each phase took: ``make``, ``back up``, ``restore``, ``observe``."""


def run(ground: Ground, implementation: Implementation, world: World, *, again: bool = True) -> Run:
    """Have ``implementation`` restore ``world``, with the world's options if it takes any.

    Whatever it raises is a claim without success. Raises :class:`Unfit` for a world that
    cannot be made, :class:`~verifier.errors.NotOffered`, :class:`~verifier.errors.ServerDied`,
    and :class:`~verifier.errors.ServerError` for anything else about a server.
    """
    with tempfile.TemporaryDirectory(prefix="world-") as directory:
        try:
            return _Course(ground, implementation, world, Path(directory)).run(again)
        except BaseException:
            # Nobody has looked at what is there now.
            ground.target.distrust()
            raise


def restore_options(options: Options, directory: Path) -> RestoreOptions:
    """``options`` for the built-in restore; rejected rows go to a new file in ``directory``."""
    return RestoreOptions(
        ids=Ids.LOCAL if options.local_ids else Ids.SHARED,
        strict_ids=options.strict_ids,
        prefer=options.prefer,
        quarantine=directory / "rejected.jsonl" if options.quarantine else None,
        references=tuple(
            Reference(each.table, each.column, each.parent, condition=each.condition)
            for each in options.references
        ),
    )


class _Course:
    """One world's run."""

    def __init__(
        self, ground: Ground, implementation: Implementation, world: World, directory: Path
    ) -> None:
        self._ground, self._world, self._directory = ground, world, directory
        self._implementation = implementation
        self._findings: list[Finding] = []
        self._seconds: dict[str, float] = {}

    def run(self, again: bool) -> Run:
        world, target = self._world, self._ground.target
        with self._timed("make"):
            before = target.make(world.schema, world.present, {})
        with self._timed("back up"):
            backup = self._backup()
        if isinstance(backup, Claim):
            return self._told(before, backup, before)
        claim = self._restored(backup)
        after = self._observed()
        second = None
        if again and claim.success:
            second = self._restored(backup), self._observed()
        return self._told(before, claim, after, second)

    def _told(
        self,
        before: Observation,
        claim: Claim,
        after: Observation,
        second: tuple[Claim, Observation] | None = None,
    ) -> Run:
        return Run(
            world=self._world,
            before=before,
            claim=claim,
            observation=after,
            again=second,
            findings=tuple(self._findings),
            seconds=self._seconds,
        )

    def _backup(self) -> Backup | Claim:
        """The backup, or that none could be made."""
        world = self._world
        if world.form is not BackupForm.OWN:
            return Backup((backups.write(world, self._directory, self._ground.target.sequences),))
        source = self._ground.source
        held = source.make(ddl.of_source(world), world.source, world.positions).rows
        parted = {table.id for table in world.schema.tables if table.partitioning}
        rows = {id: held[id] if id in parted else rows for id, rows in world.source.items()}
        self._world = replace(world, source=rows)
        made = self._calls(self._implementation).backup(source.database)
        return made.backup or made.claim

    def _restored(self, backup: Backup) -> Claim:
        with self._timed("restore"):
            directory = Path(tempfile.mkdtemp(prefix="restore-", dir=self._directory))
            asked = _asked(self._implementation, restore_options(self._world.options, directory))
            return self._calls(asked).restore(backup, self._ground.target.database).claim

    def _observed(self) -> Observation:
        with self._timed("observe"):
            self._findings += map(_left_session, self._ground.target.leftovers())
            return self._ground.target.observe()

    def _calls(self, implementation: Implementation) -> Calls:
        servers = (self._ground.pair.source, self._ground.pair.target)
        dsns = tuple(server.user for server in servers)
        return Calls(implementation, self._directory, (), (), dsns, self._findings.extend)

    @contextmanager
    def _timed(self, phase: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self._seconds[phase] = self._seconds.get(phase, 0) + time.perf_counter() - began


def _asked(implementation: Implementation, options: RestoreOptions) -> Implementation:
    """``implementation`` with ``options``, if it takes any: those of others take none."""
    own = implementation.hosted if isinstance(implementation, Guest) else implementation
    if not isinstance(own, Askable):
        return implementation
    return own.asked(options)


def _left_session(words: str) -> Finding:
    return Finding(
        guarantee=Guarantee.RECOVERABILITY,
        title="the restore left a session behind",
        evidence=(Evidence("target", words=words),),
    )
