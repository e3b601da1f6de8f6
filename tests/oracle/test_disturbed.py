"""What a restore may say whose COMMIT was not answered, and was done."""

from __future__ import annotations

import pytest

from verifier.contract import Claim
from verifier.oracle.collect import Findings
from verifier.oracle.disturbed import judge_committed

HONEST = [
    "the connection was lost during COMMIT: whether the backup is restored is unknown; look",
    "tried to restore: server closed the connection unexpectedly; no commit was confirmed",
    # psql's own words
    "psql ended with exit code 2: server closed the connection unexpectedly\n"
    "\tThis probably means the server terminated abnormally\n"
    "\tbefore or while processing the request.",
    "PrismaClientKnownRequestError: P1017 Server has closed the connection.",
    "Error: read ECONNRESET",
    "it may have been committed",
]
WRONG = [
    "",
    "the restore failed",
    "the connection to the target was lost; nothing was changed",
    "server closed the connection unexpectedly; no rows were restored",
    "connection reset: all changes were rolled back",
]


@pytest.mark.parametrize("words", HONEST)
def test_who_leaves_it_open_is_honest(words: str) -> None:
    findings = Findings()
    judge_committed(Claim(success=False, exit_code=2, message=words), findings)
    assert findings.worst_first() == []


@pytest.mark.parametrize("words", WRONG)
def test_who_denies_it_is_not(words: str) -> None:
    findings = Findings()
    judge_committed(Claim(success=False, exit_code=2, message=words), findings)
    (found,) = findings.worst_first()
    assert "reported as failed, and not as unknown" in found.title
