"""Gathering findings so that a thousand equal ones stay readable."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from verifier.contract import Finding, Guarantee, Severity, Verdict

SHOWN = 5
"""Findings of one sort that are shown one by one; the last of them counts the rest."""

# What causes comes before what follows from it.
_CAUSES = (
    Guarantee.MERGING,
    Guarantee.ORDERING,
    Guarantee.FIDELITY,
    Guarantee.INTEGRITY,
    Guarantee.CONTAINMENT,
    Guarantee.COMPLETENESS,
    Guarantee.PRESERVATION,
    Guarantee.ATOMICITY,
    Guarantee.RECOVERABILITY,
    Guarantee.IDEMPOTENCE,
    Guarantee.HONESTY,
)


class Findings:
    """Findings as they come, handed out worst first."""

    def __init__(self) -> None:
        self._sorts: dict[tuple[Guarantee, str, str, str], list[Finding]] = defaultdict(list)

    def add(self, finding: Finding) -> None:
        sort = (finding.guarantee, finding.title, finding.table, finding.constraint)
        self._sorts[sort].append(finding)

    def extend(self, other: Findings) -> None:
        """Add everything that another collection holds."""
        for sort, findings in other._sorts.items():
            self._sorts[sort] += findings

    def broken(self, *guarantees: Guarantee) -> list[Finding]:
        """The findings that break one of ``guarantees``, worst first."""
        return [
            finding
            for finding in self.worst_first()
            if finding.guarantee in guarantees
            and finding.severity > Severity.NOTE
            and finding.verdict is Verdict.BROKEN
        ]

    def worst_first(self) -> list[Finding]:
        """All findings; of each sort the first few, the last of which counts the rest."""
        shown: list[Finding] = []
        for findings in self._sorts.values():
            head = findings[:SHOWN]
            rest = sum(finding.count for finding in findings[SHOWN:])
            head[-1] = replace(head[-1], count=head[-1].count + rest)
            shown += head
        return sorted(
            shown,
            key=lambda finding: (-finding.severity, _CAUSES.index(finding.guarantee)),
        )
