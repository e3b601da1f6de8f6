"""One scenario: a seed state, a restore, and the proof of what it did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from verifier.config import Config
from verifier.contract import Claim, Finding, Guarantee, Proof, Verdict
from verifier.errors import NotOffered, ObservationError
from verifier.faults import Fault
from verifier.implementations import Implementation
from verifier.report.terminal import render
from verifier.servers import Database, Pair, Side
from verifier.sweep import Striker, Sweep
from verifier.transfer import Exclude
from verifier.trial import Trial

Build = Callable[[psycopg.Connection[Any]], None]


@dataclass(frozen=True, slots=True)
class Seed:
    """A state that a database starts from: built once per server, cloned per scenario.

    ``name`` has to tell the state apart from every other one of the run.
    """

    name: str
    build: Build
    encoding: str = "UTF8"


def _nothing(connection: psycopg.Connection[Any]) -> None:
    """Leave the database empty."""


EMPTY = Seed("empty", _nothing)


class GuaranteeBroken(AssertionError):
    """A proof that is not ``kept``; its text lists every finding, worst first."""

    def __init__(self, proof: Proof) -> None:
        super().__init__(render(proof))
        self.proof = proof


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a restore came to."""

    proof: Proof
    claim: Claim
    """Of the first restore."""
    _keep: Callable[[Proof], None]

    def prove(self) -> None:
        """Record the proof; raise :class:`GuaranteeBroken` unless every guarantee is kept."""
        self._keep(self.proof)
        if self.proof.verdict not in (Verdict.KEPT, Verdict.NOT_OFFERED):
            raise GuaranteeBroken(self.proof)


class Scenario:
    """A source and a target database on two servers, and an implementation between them."""

    def __init__(
        self,
        name: str,
        pair: Pair,
        implementation: Implementation,
        config: Config,
        focus: tuple[Guarantee, ...],
        workdir: Path,
    ) -> None:
        self.name, self.implementation, self.focus = name, implementation, focus
        self.pair, self.config, self.workdir = pair, config, workdir
        self.proofs: list[Proof] = []
        self.left_out: tuple[Exclude, ...] = ()
        """Rows that are not to be moved, nor what depends on them."""
        self._seeds: dict[Side, Seed] = {Side.SOURCE: EMPTY, Side.TARGET: EMPTY}
        self._databases: dict[Side, Database] = {}
        self._made: list[tuple[Side, Database]] = []

    # -- the two databases ---------------------------------------------------------------

    def begin(self, *, source: Seed | None = None, target: Seed | None = None) -> None:
        """Choose what the databases start from; one that exists already is made anew."""
        for side, seed in ((Side.SOURCE, source), (Side.TARGET, target)):
            if seed is not None:
                self._seeds[side] = seed
                self._databases.pop(side, None)

    @property
    def source(self) -> Database:
        return self._database(Side.SOURCE)

    @property
    def target(self) -> Database:
        return self._database(Side.TARGET)

    def _database(self, side: Side) -> Database:
        if side not in self._databases:
            seed = self._seeds[side]
            databases = self.pair.databases(side)
            template = databases.template(seed.name, seed.build, encoding=seed.encoding)
            self._databases[side] = self.keep(side, databases.create(side.value, template))
        return self._databases[side]

    def keep(self, side: Side, database: Database) -> Database:
        """Have ``database`` dropped with the scenario."""
        self._made.append((side, database))
        return database

    def discard(self, side: Side, database: Database) -> None:
        """Drop a database that was to be dropped with the scenario already."""
        self._made.remove((side, database))
        self.pair.databases(side).drop(database)

    def close(self) -> None:
        """Drop what the scenario made."""
        while self._made:
            side, database = self._made.pop()
            self.pair.databases(side).drop(database)
        self._databases.clear()

    def leave_out(self, table: str, condition: str) -> None:
        """Rows of ``table`` that meet ``condition`` (SQL over its columns) are not to be moved.

        Nor is what depends on them through the source's foreign keys. An implementation is
        told by :attr:`Endpoint.leave_out`; which rows these are the oracle finds out itself.
        """
        self.left_out += (Exclude(table, condition),)

    # -- the restore -----------------------------------------------------------------------

    def restore(self, fault: Fault | None = None) -> Outcome:
        """Back the source up, restore it into the target, and judge what happened.

        Without a fault a restore that claims success is run a second time, for
        idempotence. With one, the fault is taken away afterwards and the same backup is
        restored again, for recoverability.
        """
        return self._outcome(Trial(self, fault))

    def sweep(self, striker: Striker, *, part: int = 0, of: int = 1) -> Outcome:
        """Restore once for every statement of the restore, with a fault before it.

        ``striker`` makes the fault, such as ``faults.kill``. Of the statements, those are
        taken whose number leaves the rest ``part`` when it is divided by ``of``.
        """
        return self._outcome(Sweep(self, striker, part, of))

    def _outcome(self, trial: Trial) -> Outcome:
        try:
            proof, claim = trial.run()
        except ObservationError as error:
            claim = Claim(success=False, message=str(error))
            proof = self._unknown(str(error))
        except NotOffered as error:
            claim = Claim(success=False, message=str(error))
            proof = self._not_offered(str(error))
        return Outcome(proof, claim, self.proofs.append)

    def _not_offered(self, reason: str) -> Proof:
        guarantees = self.focus or tuple(Guarantee)
        return Proof(
            scenario=self.name,
            implementation=self.implementation.name,
            verdicts=dict.fromkeys(guarantees, Verdict.NOT_OFFERED),
            focus=self.focus,
            reasons=dict.fromkeys(guarantees, f"in {self.name}: {reason}"),
        )

    def _unknown(self, reason: str) -> Proof:
        guarantees = self.focus or tuple(Guarantee)
        return Proof(
            scenario=self.name,
            implementation=self.implementation.name,
            verdicts=dict.fromkeys(guarantees, Verdict.UNKNOWN),
            findings=(
                Finding(
                    guarantee=guarantees[0],
                    verdict=Verdict.UNKNOWN,
                    title=f"the oracle could not look: {reason}",
                ),
            ),
            focus=self.focus,
        )
