"""Findings about a restore that a fault struck, and that did not claim success."""

from __future__ import annotations

import re

from verifier.contract import Claim, Finding, Guarantee
from verifier.oracle.collect import Findings

_OPEN = re.compile(
    r"\b(unknown|uncertain|unclear|in doubt|whether|may have|might have|not (be )?(known|certain|"
    r"confirmed)|no commit was confirmed)\b",
    re.IGNORECASE,
)
"""Words of a claim that leaves open whether the restore was committed."""
_LOST = re.compile(
    r"\b(connection|server|socket|network)\b.*\b(lost|closed|reset|terminated|broken|gone|refused|"
    r"unexpectedly|aborted|timed out)|ECONNRESET|EPIPE|P10(01|08|17)",
    re.IGNORECASE | re.DOTALL,
)
"""Words about a lost connection, after which nobody can know."""
_DENIED = re.compile(
    r"\b(nothing|no rows?|none)\b[^.;]*\b(changed|restored|written|committed|kept|saved|imported|"
    r"loaded)\b|\brolled back\b",
    re.IGNORECASE,
)
"""Words of a claim that the target is as it was."""


def judge_committed(claim: Claim, findings: Findings) -> None:
    """The target is as after a whole restore although the restore did not claim success.

    A connection that is lost during COMMIT leaves nobody to ask; who says so is honest. Who
    says that it failed sends its user to restore once more, or to report a loss.
    """
    said = claim.message
    if _OPEN.search(said) or (_LOST.search(said) and not _DENIED.search(said)):
        return
    findings.add(
        Finding(
            guarantee=Guarantee.HONESTY,
            title="a restore that was committed is reported as failed, and not as unknown",
            evidence=(claim.evidence(),),
        )
    )
