"""A restore struck at every one of its statements, in turn.

One backup is restored once without a fault, through a proxy that counts the statements.
Then each of them is the last one of a restore into a fresh copy of the target, which has
changed all or nothing, and after which the same restore ends like the one without a fault.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from verifier import oracle
from verifier.calls import Told
from verifier.contract import Claim, Evidence, Finding, Guarantee, Severity
from verifier.faults import Interruption, Proxy, Scene, Traffic, Way
from verifier.implementations import Backup
from verifier.servers import Database, Side
from verifier.trial import Trial

if TYPE_CHECKING:
    from verifier.scenario import Scenario

_COMMIT = re.compile(r"\s*(commit|end)\b", re.IGNORECASE)


class Striker(Protocol):
    """What makes a fault for a moment, such as :meth:`~verifier.Faults.kill`."""

    def __call__(self, **moment: Any) -> Interruption: ...


@dataclass(slots=True)
class Tally:
    """What a sweep came to."""

    points: int = 0
    rows_lost: int = 0
    """Rows of the target that a struck restore took away, and rows that its re-run lacks."""
    false_successes: int = 0
    unequal: int = 0
    """Re-runs that did not end like a clean run."""

    def __str__(self) -> str:
        return (
            f"{self.points} points, {self.rows_lost} rows lost, "
            f"{self.false_successes} false successes, {self.unequal} unequal re-runs"
        )


class Sweep(Trial):
    """Strikes at every statement whose number leaves the rest ``part`` when divided by ``of``."""

    def __init__(self, scenario: Scenario, striker: Striker, part: int, of: int) -> None:
        super().__init__(scenario, None)
        self._fault_side = Side.TARGET
        self._striker, self._part, self._of = striker, part, of
        self._tally = Tally()

    def _through(self) -> Claim:
        made = self._back_up()
        if made.backup is None:
            return made.claim
        with Proxy(lambda: self._untouched.dsn) as proxy:
            clean = self._restore(made.backup, self._untouched, Way(proxy.dsn))
        self._total.merge(self._judge.judge(clean))
        if not clean.claim.success:
            return clean.claim  # there is no end that a re-run could be held against
        self._total.exercised |= {Guarantee.ATOMICITY, Guarantee.RECOVERABILITY}
        for moment in self._moments(proxy.traffic):
            self._strike(made.backup, clean, moment)
        self._total.add([self._note(proxy.traffic)])
        return clean.claim

    def _moments(self, traffic: Traffic) -> Iterator[dict[str, int]]:
        """Before each statement, and after those that end a transaction."""
        for number, statement in enumerate(traffic.statements, 1):
            if number % self._of == self._part % self._of:
                yield {"statement": number}
                if _COMMIT.match(statement) or number == len(traffic.statements):
                    yield {"answer": number}

    def _strike(self, backup: Backup, clean: oracle.Restore, moment: dict[str, int]) -> None:
        databases = self._pair.databases(Side.TARGET)
        target = self._scenario.keep(Side.TARGET, databases.create("swept", self._target))
        fault = self._striker(**moment)
        probe = oracle.Probe(target.admin)
        scene = Scene(self._source, target, probe, backup, self._scenario.workdir)
        with fault.strike(scene) as way:
            told = self._told(backup, target, way)
        restore = self._observe(told, target) if told.claim.success else self._look(told, target)
        judgement = self._judge.judge(
            restore, disturbed=True, resumable=self._resumable, clean=clean.after
        )
        self._total.merge(judgement)
        self._total.add(fault.findings(told.claim))
        retry = self._look(self._told(backup, target, None), target)
        self._total.merge(oracle.judge_retry(retry, clean))
        self._count(restore, retry, clean)
        self._scenario.discard(Side.TARGET, target)

    def _look(self, told: Told, target: Database) -> oracle.Restore:
        """As much of a restore as is held against another one."""
        self._total.add(oracle.leftovers(target.admin))
        after = self._after(target)
        nothing = oracle.Writes(0, {}, frozenset())
        return oracle.Restore(
            after=after, claim=told.claim, writes=nothing, violations=[], silent=told.silent
        )

    def _count(self, restore: oracle.Restore, retry: oracle.Restore, clean: oracle.Restore) -> None:
        tally, gone = self._tally, "row removed"
        unequal = oracle.changes(clean.after, retry.after)
        lost = [each for each in oracle.changes(self._before, restore.after) if each.what == gone]
        lost += [each for each in unequal if each.what == gone]
        tally.points += 1
        tally.rows_lost += len(lost)
        tally.unequal += bool(unequal) or retry.claim.success != clean.claim.success
        if restore.claim.success:
            tally.false_successes += bool(oracle.changes(clean.after, restore.after))

    def _note(self, traffic: Traffic) -> Finding:
        seen = {"statements": str(len(traffic.statements)), "part": f"{self._part} of {self._of}"}
        return Finding(
            guarantee=Guarantee.RECOVERABILITY,
            severity=Severity.NOTE,
            title=f"swept: {self._tally}",
            evidence=(Evidence("a restore without a fault", seen),),
        )
