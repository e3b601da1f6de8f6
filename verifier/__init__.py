"""Proves a PostgreSQL backup/restore implementation right or wrong.

The names here are the public ones: a scenario, an implementation under test, a fault or a
comparison of one's own needs no other module.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from verifier.comparison import (
        Comparison,
        Ignore,
        ObjectChange,
        Part,
        RowChange,
        Selection,
        State,
        TableComparison,
    )
    from verifier.contract import (
        Claim,
        Counts,
        Evidence,
        Finding,
        Guarantee,
        Merge,
        Proof,
        Rejection,
        Row,
        Severity,
        Verdict,
    )
    from verifier.dsn import Dsn
    from verifier.errors import (
        BackupError,
        BackupRefused,
        NotOffered,
        ObservationError,
        RestoreVerifierError,
        ServerDied,
        ServerError,
        ServerUnavailable,
        UsageError,
    )
    from verifier.faults import (
        After,
        BackupCut,
        BackupPoisoned,
        Blow,
        Fault,
        Faults,
        Held,
        Interruption,
        Link,
        Meanwhile,
        Moment,
        Scene,
        Stage,
        TargetStopped,
        Way,
    )
    from verifier.implementations import Backup, Endpoint, Implementation
    from verifier.oracle import compare
    from verifier.scenario import GuaranteeBroken, Outcome, Scenario, Seed
    from verifier.servers import Database
    from verifier.transfer import Exclude, Ids, Reference, RestoreOptions

__version__ = "0.1.0"

__all__ = [
    "After",
    "Backup",
    "BackupCut",
    "BackupError",
    "BackupPoisoned",
    "BackupRefused",
    "Blow",
    "Claim",
    "Comparison",
    "Counts",
    "Database",
    "Dsn",
    "Endpoint",
    "Evidence",
    "Exclude",
    "Fault",
    "Faults",
    "Finding",
    "Guarantee",
    "GuaranteeBroken",
    "Held",
    "Ids",
    "Ignore",
    "Implementation",
    "Interruption",
    "Link",
    "Meanwhile",
    "Merge",
    "Moment",
    "NotOffered",
    "ObjectChange",
    "ObservationError",
    "Outcome",
    "Part",
    "Proof",
    "Reference",
    "Rejection",
    "RestoreOptions",
    "RestoreVerifierError",
    "Row",
    "RowChange",
    "Scenario",
    "Scene",
    "Seed",
    "Selection",
    "ServerDied",
    "ServerError",
    "ServerUnavailable",
    "Severity",
    "Stage",
    "State",
    "TableComparison",
    "TargetStopped",
    "UsageError",
    "Verdict",
    "Way",
    "__version__",
    "compare",
]

# Loaded when they are first asked for: comparing two databases takes nothing of what it
# takes to run scenarios, and a small comparison is done sooner than that is loaded.
_HOMES = {
    "verifier.comparison": (
        "Comparison",
        "Ignore",
        "ObjectChange",
        "Part",
        "RowChange",
        "Selection",
        "State",
        "TableComparison",
    ),
    "verifier.contract": (
        "Claim",
        "Counts",
        "Evidence",
        "Finding",
        "Guarantee",
        "Merge",
        "Proof",
        "Rejection",
        "Row",
        "Severity",
        "Verdict",
    ),
    "verifier.dsn": ("Dsn",),
    "verifier.errors": (
        "BackupError",
        "BackupRefused",
        "NotOffered",
        "ObservationError",
        "RestoreVerifierError",
        "ServerDied",
        "ServerError",
        "ServerUnavailable",
        "UsageError",
    ),
    "verifier.faults": (
        "After",
        "BackupCut",
        "BackupPoisoned",
        "Blow",
        "Fault",
        "Faults",
        "Held",
        "Interruption",
        "Link",
        "Meanwhile",
        "Moment",
        "Scene",
        "Stage",
        "TargetStopped",
        "Way",
    ),
    "verifier.implementations": ("Backup", "Endpoint", "Implementation"),
    "verifier.oracle": ("compare",),
    "verifier.scenario": ("GuaranteeBroken", "Outcome", "Scenario", "Seed"),
    "verifier.servers": ("Database",),
    "verifier.transfer": ("Exclude", "Ids", "Reference", "RestoreOptions"),
}


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
