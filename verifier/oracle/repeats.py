"""The judgement of a restore that is run again: after a success, and after a fault."""

from __future__ import annotations

from verifier.contract import Claim, Evidence, Finding, Guarantee, Severity
from verifier.oracle.collect import Findings
from verifier.oracle.diff import changes, rewritten
from verifier.oracle.judgement import Judgement, Restore
from verifier.oracle.snapshot import Snapshot


def judge_again(first: Snapshot, second: Restore) -> Judgement:
    """The second restore of the same backup has to change nothing and to say so."""
    judgement = Judgement(exercised={Guarantee.IDEMPOTENCE})
    if not second.claim.success:
        judgement.findings.add(
            Finding(
                guarantee=Guarantee.IDEMPOTENCE,
                title="the second restore of the same backup failed",
                evidence=(second.claim.evidence(),),
            )
        )
    for change in changes(first, second.after):
        harmless = change.what == "sequence moved"  # numbers drawn and not used
        judgement.findings.add(
            change.finding(
                Guarantee.IDEMPOTENCE,
                "the second restore of the same backup changed the target",
                labels=("after the first run", "after the second"),
                severity=Severity.NOTE if harmless else Severity.BREACH,
            )
        )
    _says_it_wrote(second.claim, judgement.findings)
    for table, count in rewritten(first, second.after).items():
        judgement.findings.add(
            Finding(
                guarantee=Guarantee.IDEMPOTENCE,
                severity=Severity.NOTE,
                title="waste: the second restore rewrote equal rows",
                table=table,
                count=count,
            )
        )
    return judgement


def judge_retry(retry: Restore, clean: Restore) -> Judgement:
    """A retry after a fault has to end like ``clean``, the same restore without any fault.

    A retry that claims success and does not is a lie about what is in the target.
    """
    judgement = Judgement(exercised={Guarantee.RECOVERABILITY})
    if retry.claim.success != clean.claim.success:
        judgement.findings.add(
            Finding(
                guarantee=Guarantee.RECOVERABILITY,
                title="after the fault, the restore did not end as it does without one",
                evidence=(
                    retry.claim.evidence("retry"),
                    clean.claim.evidence("clean run"),
                ),
            )
        )
    labels = ("clean run", "retry")
    for change in changes(clean.after, retry.after):
        title = "after the fault, the retry did not end like a clean run"
        found = change.finding(Guarantee.RECOVERABILITY, title, labels=labels)
        judgement.findings.add(found)
        if retry.claim.success and clean.claim.success:
            title = "the retry claimed success and did not end like a clean run"
            found = change.finding(Guarantee.HONESTY, title, labels=labels, severity=Severity.LIE)
            judgement.findings.add(found)
    return judgement


def _says_it_wrote(claim: Claim, findings: Findings) -> None:
    told = {
        table: {"inserted": counts.inserted, "updated": counts.updated}
        for table, counts in (claim.counts or {}).items()
    }
    for table, figures in (claim.figures or {}).items():
        told[table] = {word: figures[word] for word in ("inserted", "updated") if word in figures}
    for table, numbers in told.items():
        if any(numbers.values()):
            findings.add(
                Finding(
                    guarantee=Guarantee.IDEMPOTENCE,
                    title="the second restore of the same backup says that it wrote rows",
                    table=table,
                    evidence=(Evidence("claim", {word: str(n) for word, n in numbers.items()}),),
                )
            )
