"""What is observed of a restore, and what the oracle makes of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from verifier.contract import Claim, Finding, Guarantee, Severity, Verdict
from verifier.oracle.collect import Findings
from verifier.oracle.probe import Writes
from verifier.oracle.snapshot import Snapshot


@dataclass(slots=True)
class Judgement:
    """What one restore showed: the findings, and which guarantees were put to the test."""

    findings: Findings = field(default_factory=Findings)
    exercised: set[Guarantee] = field(default_factory=set)

    def add(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            self.findings.add(finding)
            self.exercised.add(finding.guarantee)

    def merge(self, other: Judgement) -> None:
        """Take over another judgement of the same scenario."""
        self.findings.extend(other.findings)
        self.exercised |= other.exercised

    def verdicts(self) -> dict[Guarantee, Verdict]:
        """A verdict for each exercised guarantee, in the contract's order."""
        found = {guarantee: Verdict.KEPT for guarantee in Guarantee if guarantee in self.exercised}
        for finding in self.findings.worst_first():
            if finding.severity > Severity.NOTE:
                before = found.get(finding.guarantee, Verdict.KEPT)
                found[finding.guarantee] = Verdict.over((before, finding.verdict)) or before
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore:
    """Everything observed of one restore."""

    after: Snapshot
    claim: Claim
    writes: Writes
    violations: list[Finding]
    """Rules of the target that do not hold afterwards."""
    silent: bool = False
    """It was killed, and ``claim`` only says so: there are no words of its own to judge."""
