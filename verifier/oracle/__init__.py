"""What is true: the oracle observes databases over its own connections and judges.

``compare`` tells in what two databases differ. For the judgement of a restore, ``take``
reads a database, ``violations`` asks it for rules that do not hold, ``unfit`` for values
that its types refuse, ``excluded`` for rows that exclude each other,
:class:`Probe` watches the writes, and :class:`Judge` holds all of it against the
contract. Nothing here knows the built-in restore.
"""

from verifier.oracle.comparing import Progress, compare
from verifier.oracle.diff import changes
from verifier.oracle.fitting import excluded, unfit
from verifier.oracle.integrity import violations
from verifier.oracle.judgement import Judgement, Restore
from verifier.oracle.probe import Held, Probe, Writes
from verifier.oracle.recovery import leftovers
from verifier.oracle.repeats import judge_again, judge_retry
from verifier.oracle.snapshot import Snapshot, take
from verifier.oracle.source import judge_source, watermark
from verifier.oracle.verdict import Judge

__all__ = [
    "Held",
    "Judge",
    "Judgement",
    "Probe",
    "Progress",
    "Restore",
    "Snapshot",
    "Writes",
    "changes",
    "compare",
    "excluded",
    "judge_again",
    "judge_retry",
    "judge_source",
    "leftovers",
    "take",
    "unfit",
    "violations",
    "watermark",
]
