"""One run through a scenario: freeze, back up, restore, observe, judge.

The source is frozen before the implementation is called, into a clone that its
account cannot connect to, and is out of reach while the implementation restores: a
backup that needs its source is no backup.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from verifier import oracle
from verifier.contract import Claim, Evidence, Finding, Guarantee, Proof, Severity, Verdict
from verifier.dsn import Dsn, redact
from verifier.errors import BackupError, ObservationError
from verifier.faults import Fault, Scene
from verifier.implementations import Backup, Endpoint
from verifier.servers import Database, Side

if TYPE_CHECKING:
    from verifier.scenario import Scenario


class Trial:
    """One run through a scenario: freeze, back up, restore, observe, judge."""

    def __init__(self, scenario: Scenario, fault: Fault | None) -> None:
        self._scenario, self._fault = scenario, fault
        self._implementation = scenario.implementation
        self._pair, self._control = scenario.pair, scenario.config.control_tables
        self._source, self._target = scenario.source, scenario.target

    def run(self) -> tuple[Proof, Claim]:
        """The proof, and the claim of the first restore.

        Raises :class:`~verifier.errors.ObservationError` when the oracle cannot look at
        what there is before the restore.
        """
        self._freeze()
        try:
            return self._through()
        except ObservationError as error:
            # What was seen until then stands; the rest is unknown.
            self._total.add(_unseen(self._scenario.focus or tuple(Guarantee), str(error)))
            return self._proof(), Claim(success=False, message=str(error))

    def _through(self) -> tuple[Proof, Claim]:
        try:
            backup = self._implementation.backup(self._endpoint(self._source))
        except BackupError as error:
            self._total.add([self._no_backup(error)])
            return self._proof(), Claim(success=False, message=str(error))
        first = self._first(backup)
        if self._fault is not None:
            if not first.claim.success:
                self._retry(backup)
        elif first.claim.success:
            again = self._restore(backup, self._target)
            self._merge(oracle.judge_again(first.after, again))
        return self._proof(), first.claim

    def _freeze(self) -> None:
        oracle.Probe(self._target.admin).install()
        before = oracle.take(self._target.admin)
        violations = oracle.violations(self._target.admin, before.schema)
        databases = self._pair.databases(Side.SOURCE)
        clone = self._scenario.keep(
            Side.SOURCE, databases.create("frozen", self._source, private=True)
        )
        frozen = oracle.take(clone.admin, before.schema, self._scenario.left_out)
        if self._fault is not None:
            self._untouched = self._scenario.keep(
                Side.TARGET, self._pair.databases(Side.TARGET).create("clean", self._target)
            )
        self._before = before
        unfit = oracle.unfit(self._target.admin, frozen, before)
        excluded = oracle.excluded(self._target.admin, frozen, before, unfit)
        self._judge = oracle.Judge(frozen, before, violations, self._control, unfit, excluded)
        self._total = oracle.Judgement()

    def _endpoint(self, database: Database) -> Endpoint:
        # A directory of its own for every call, empty whatever an earlier call left.
        workdir = Path(mkdtemp(prefix=f"{database.server.side}-", dir=self._scenario.workdir))
        left_out = self._scenario.left_out
        return Endpoint(database.dsn, database.server.major, workdir, self._control, left_out)

    # -- restores --------------------------------------------------------------------------

    def _first(self, backup: Backup) -> oracle.Restore:
        probe = oracle.Probe(self._target.admin)
        probe.reset()
        scene = Scene(self._target, probe, backup, self._scenario.workdir)
        with self._fault.strike(scene) if self._fault else nullcontext():
            claim = self._claim(backup, self._target)
        restore = self._observe(claim, self._target)
        self._merge(self._judge.judge(restore, disturbed=self._fault is not None))
        if self._fault is not None:
            self._total.exercised |= self._fault.exercises
            self._total.add(self._fault.findings(claim))
        return restore

    def _retry(self, backup: Backup) -> None:
        """Restore again after the fault, and hold that against a run without any fault."""
        retry = self._restore(backup, self._target)
        clean = self._restore(backup, self._untouched)
        self._merge(self._judge.judge(retry))
        self._merge(oracle.judge_retry(retry, clean))

    def _restore(self, backup: Backup, target: Database) -> oracle.Restore:
        oracle.Probe(target.admin).reset()
        return self._observe(self._claim(backup, target), target)

    def _claim(self, backup: Backup, target: Database) -> Claim:
        """Let the implementation restore; the source is out of its reach meanwhile."""
        endpoint = self._endpoint(target)
        with self._out_of_reach(self._source):
            try:
                claim = self._implementation.restore(backup, endpoint)
            except Exception as error:  # whatever someone's restore raises is its failure
                claim = Claim(success=False, message=f"{type(error).__name__}: {error}")
        self._total.add(_left_files(endpoint.workdir))
        return self._without_secrets(claim, endpoint.dsn)

    @contextmanager
    def _out_of_reach(self, database: Database) -> Iterator[None]:
        databases = self._pair.databases(Side.SOURCE)
        databases.shut(database)
        try:
            yield
        finally:
            databases.reopen(database)

    def _without_secrets(self, claim: Claim, dsn: Dsn) -> Claim:
        def clean(words: str) -> str:
            return redact(words, dsn, self._source.dsn)

        rejections = claim.rejections and tuple(
            replace(rejection, reason=clean(rejection.reason)) for rejection in claim.rejections
        )
        cleaned = replace(claim, message=clean(claim.message), rejections=rejections)
        if cleaned != claim:
            self._total.add(
                [
                    Finding(
                        guarantee=Guarantee.CONTAINMENT,
                        title="the claim holds the password of a database",
                        evidence=(Evidence("claim", words=cleaned.message),),
                    )
                ]
            )
        return cleaned

    def _observe(self, claim: Claim, target: Database) -> oracle.Restore:
        dsn = target.admin  # asked for again: a restarted server may have moved
        self._total.add(oracle.leftovers(dsn))
        after = oracle.take(dsn, self._before.schema)
        return oracle.Restore(
            after=after,
            claim=claim,
            writes=oracle.Probe(dsn).read(),
            violations=oracle.violations(dsn, after.schema),
        )

    # -- the proof -------------------------------------------------------------------------

    def _merge(self, judgement: oracle.Judgement) -> None:
        self._total.merge(judgement)

    def _no_backup(self, error: BackupError) -> Finding:
        return Finding(
            guarantee=Guarantee.COMPLETENESS,
            title="no backup could be made",
            evidence=(Evidence("claim", words=redact(str(error), self._source.dsn)),),
        )

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


def _left_files(workdir: Path) -> list[Finding]:
    left = sorted(path.name for path in workdir.iterdir())
    if not left:
        return []
    return [
        Finding(
            guarantee=Guarantee.RECOVERABILITY,
            severity=Severity.BREACH,
            title="the restore left files behind",
            evidence=(Evidence("work directory", {"files": ", ".join(left[:10])}),),
            count=len(left),
        )
    ]
