"""One run through a scenario: freeze, back up, restore, observe, judge.

The source is frozen before the implementation is called, into a clone that its
account cannot connect to, and is out of reach while the implementation restores: a
backup that needs its source is no backup.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from verifier import oracle
from verifier.calls import Calls, Told
from verifier.contract import Claim, Finding, Guarantee, Proof, Verdict
from verifier.errors import ObservationError
from verifier.faults import Fault, Interruption, Scene, Way, Writing
from verifier.faults.base import side
from verifier.implementations import Backup
from verifier.servers import Database, Side

if TYPE_CHECKING:
    from verifier.scenario import Scenario


class Trial:
    """One run through a scenario: freeze, back up, restore, observe, judge."""

    def __init__(self, scenario: Scenario, fault: Fault | None) -> None:
        self._scenario, self._fault = scenario, fault
        self._fault_side = side(fault) if fault is not None else None
        self._implementation = scenario.implementation
        self._resumable = bool(getattr(self._implementation, "resumable", False))
        self._pair, self._control = scenario.pair, scenario.config.control_tables
        self._source, self._target = scenario.source, scenario.target
        self._total = oracle.Judgement()
        dsns = (self._source.dsn, self._target.dsn)
        self._calls = Calls(
            self._implementation,
            scenario.workdir,
            self._control,
            scenario.left_out,
            dsns,
            self._total.add,
        )
        self._cleaned: oracle.Restore | None = None

    def run(self) -> tuple[Proof, Claim]:
        """The proof, and the claim of the first restore.

        Raises :class:`~verifier.errors.ObservationError` when the oracle cannot look at
        what there is before the restore.
        """
        self._freeze()
        try:
            claim = self._through()
        except ObservationError as error:
            # What was seen until then stands; the rest is unknown.
            self._total.add(_unseen(self._scenario.focus or tuple(Guarantee), str(error)))
            claim = Claim(success=False, message=str(error))
        return self._proof(), claim

    def _through(self) -> Claim:
        made = self._struck_backup() if self._fault_side is Side.SOURCE else self._back_up()
        if made.backup is None:
            return made.claim
        first = self._first(made.backup)
        if self._fault_side is Side.TARGET:
            if not first.claim.success:
                self._retry(made.backup, first)
        elif first.claim.success:
            again = self._restore(made.backup, self._target)
            self._total.merge(oracle.judge_again(first.after, again))
        elif self._resumable:
            again = self._restore(made.backup, self._target)
            self._total.merge(oracle.judge_retry(again, first))
        return first.claim

    def _freeze(self) -> None:
        oracle.Probe(self._target.admin).install()
        self._before = oracle.take(self._target.admin)
        self._violations = oracle.violations(self._target.admin, self._before.schema)
        databases = self._pair.databases(Side.SOURCE)
        self._clone = self._scenario.keep(
            Side.SOURCE, databases.create("frozen", self._source, private=True)
        )
        if self._fault_side is Side.TARGET:
            self._untouched = self._scenario.keep(
                Side.TARGET, self._pair.databases(Side.TARGET).create("clean", self._target)
            )
        self._expect()

    def _expect(self) -> None:
        """Read what the restored target is held against."""
        before, target = self._before, self._target.admin
        self._frozen = oracle.take(self._clone.admin, before.schema, self._scenario.left_out)
        unfit = oracle.unfit(target, self._frozen, before)
        excluded = oracle.excluded(target, self._frozen, before, unfit)
        self._judge = oracle.Judge(
            self._frozen, before, self._violations, self._control, unfit, excluded
        )

    # -- backups ---------------------------------------------------------------------------

    def _back_up(self, way: Way | None = None) -> Told:
        """A backup without a fault; that none can be made is a finding."""
        made = self._undisturbed(way)
        if made.backup is None:
            self._total.add([_no_backup(Guarantee.COMPLETENESS, "no backup could be made", made)])
        return made

    def _undisturbed(self, way: Way | None = None) -> Told:
        mark = oracle.watermark(self._source.admin)
        made = self._calls.backup(self._source, way)
        self._total.add(oracle.leftovers(self._source.admin, call="backup", side="source"))
        self._total.add(self._changed_source(mark))
        return made

    def _changed_source(self, mark: str) -> list[Finding]:
        """The backup only reads; what else it did to the source is a finding."""
        theirs = getattr(self._fault, "writes", False)  # not the implementation's
        if theirs or oracle.watermark(self._source.admin) == mark:
            return []
        now = oracle.take(self._source.admin, self._before.schema, self._scenario.left_out)
        return oracle.judge_source(self._frozen, now)

    def _struck_backup(self) -> Told:
        """A backup that the fault strikes, and another one unless it was made all the same."""
        fault, scene = self._fault, self._scene()
        assert fault is not None
        if isinstance(fault, Interruption) and fault.rehearsed:
            with fault.rehearsal(scene) as way:
                made = self._back_up(way)
            if made.backup is None:
                return made
        mark = oracle.watermark(self._source.admin)
        with fault.strike(scene) as struck:
            made = self._calls.backup(self._source, struck)
        self._total.exercised |= fault.exercises | {Guarantee.RECOVERABILITY}
        self._total.add(fault.findings(made.claim))
        self._total.add(self._changed_source(mark))
        self._total.add(oracle.leftovers(self._source.admin, call="backup", side="source"))
        if made.backup is not None:
            return made  # whole, or the restored rows will show it
        made = self._undisturbed()
        if made.backup is None:
            title = "after the fault, no backup could be made"
            self._total.add([_no_backup(Guarantee.RECOVERABILITY, title, made)])
        return made

    # -- restores --------------------------------------------------------------------------

    def _scene(self, backup: Backup | None = None) -> Scene:
        probe = oracle.Probe(self._target.admin)
        return Scene(self._source, self._target, probe, backup, self._scenario.workdir)

    def _first(self, backup: Backup) -> oracle.Restore:
        fault = self._fault if self._fault_side is Side.TARGET else None
        scene = self._scene(backup)
        if fault is not None:
            self._run_clean(backup, fault, scene)
        scene.probe.reset()
        with fault.strike(scene) if fault else nullcontext() as way:
            told = self._told(backup, self._target, way)
        restore = self._observe(told, self._target)
        if isinstance(self._fault, Writing):
            self._fault.replay(self._clone, self._target)
            self._expect()
        judgement = self._judge.judge(
            restore,
            disturbed=fault is not None,
            resumable=self._resumable,
            clean=self._cleaned.after if self._cleaned else None,
        )
        self._total.merge(judgement)
        if fault is not None:
            self._total.exercised |= fault.exercises
            self._total.add(fault.findings(told.claim))
        return restore

    def _run_clean(self, backup: Backup, fault: Fault, scene: Scene) -> None:
        """The same restore without any fault, into a target that nothing has happened to.

        It comes first, so that nothing that a struck one leaves can stand in its way.
        """
        counted: AbstractContextManager[Way | None] = nullcontext()
        if isinstance(fault, Interruption) and fault.rehearsed:
            counted = fault.rehearsal(scene, self._untouched)
        with counted as way:
            self._cleaned = self._restore(backup, self._untouched, way)

    def _retry(self, backup: Backup, first: oracle.Restore) -> None:
        """Restore again after the fault, and hold that against the run without any fault."""
        retry, clean = self._restore(backup, self._target), self._cleaned
        assert clean is not None
        # A claim tells what it did to the target as it found it, which may have been changed.
        untouched = not oracle.changes(self._before, first.after)
        self._total.merge(self._judge.judge(retry if untouched else clean))
        self._total.merge(oracle.judge_retry(retry, clean))

    def _restore(self, backup: Backup, target: Database, way: Way | None = None) -> oracle.Restore:
        oracle.Probe(target.admin).reset()
        return self._observe(self._told(backup, target, way), target)

    def _told(self, backup: Backup, target: Database, way: Way | None) -> Told:
        """Let the implementation restore; the source is out of its reach meanwhile."""
        with self._out_of_reach(self._source):
            return self._calls.restore(backup, target, way)

    @contextmanager
    def _out_of_reach(self, database: Database) -> Iterator[None]:
        databases = self._pair.databases(Side.SOURCE)
        databases.shut(database)
        try:
            yield
        finally:
            databases.reopen(database)

    def _observe(self, told: Told, target: Database) -> oracle.Restore:
        dsn = target.admin  # asked for again: a restarted server may have moved
        self._total.add(oracle.leftovers(dsn))
        after = self._after(target)
        return oracle.Restore(
            after=after,
            claim=told.claim,
            writes=oracle.Probe(dsn).read(),
            violations=oracle.violations(dsn, after.schema),
            silent=told.silent,
        )

    def _after(self, target: Database) -> oracle.Snapshot:
        after = oracle.take(target.admin, self._before.schema)
        # The settings of a database are not cloned with it.
        own = target is self._target
        return after if own else replace(after, settings=self._before.settings)

    # -- the proof -------------------------------------------------------------------------

    def _proof(self) -> Proof:
        scenario, refused = self._scenario, self._implementation.not_offered
        verdicts: dict[Guarantee, Verdict] = dict(self._total.verdicts())
        verdicts |= {
            guarantee: Verdict.NOT_OFFERED for guarantee in refused if guarantee in verdicts
        }
        return Proof(
            scenario=scenario.name,
            implementation=self._implementation.name,
            verdicts=verdicts,
            findings=tuple(
                finding
                for finding in self._total.findings.worst_first()
                if finding.guarantee not in refused
            ),
            focus=scenario.focus,
            reasons=_reasons(refused, verdicts),
        )


def _no_backup(guarantee: Guarantee, title: str, made: Told) -> Finding:
    return Finding(guarantee=guarantee, title=title, evidence=(made.claim.evidence(),))


def _reasons(
    refused: Mapping[Guarantee, str], verdicts: Mapping[Guarantee, Verdict]
) -> dict[Guarantee, str]:
    return {guarantee: reason for guarantee, reason in refused.items() if guarantee in verdicts}


def _unseen(guarantees: Iterable[Guarantee], reason: str) -> list[Finding]:
    return [
        Finding(
            guarantee=guarantee,
            verdict=Verdict.UNKNOWN,
            title=f"the oracle could not look: {reason}",
        )
        for guarantee in guarantees
    ]
