"""The restore contract as plain data: guarantees, verdicts, claims and findings.

Every other module speaks in these terms. Nothing here touches a database, and
nothing here imports the rest of the project. ``docs/contract.md`` explains each
guarantee; the ids in :class:`Guarantee` never change their meaning.

Rows travel as :data:`Row`: a mapping from column name to PostgreSQL's own text
form under pinned settings (``None`` is NULL). Tables are named as SQL would
write them, schema first and quoted where needed: ``public."InitialLoadSessions"``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from typing import TypeVar

Row = Mapping[str, str | None]


class Guarantee(StrEnum):
    """What a restore must keep; each id is stable for ever."""

    COMPLETENESS = "completeness"
    FIDELITY = "fidelity"
    MERGING = "merging"
    ORDERING = "ordering"
    INTEGRITY = "integrity"
    IDEMPOTENCE = "idempotence"
    ATOMICITY = "atomicity"
    HONESTY = "honesty"
    PRESERVATION = "preservation"
    RECOVERABILITY = "recoverability"
    CONTAINMENT = "containment"


class Verdict(StrEnum):
    """The answer about one guarantee; ``UNKNOWN`` is never a pass."""

    KEPT = "kept"
    BROKEN = "broken"
    UNKNOWN = "unknown"
    NOT_OFFERED = "not offered"

    @staticmethod
    def over(verdicts: Iterable[Verdict]) -> Verdict | None:
        """The verdict over several: broken beats unknown beats kept beats not offered.

        Returns ``None`` for no verdict at all: nothing was exercised.
        """
        seen = set(verdicts)
        for verdict in (Verdict.BROKEN, Verdict.UNKNOWN, Verdict.KEPT, Verdict.NOT_OFFERED):
            if verdict in seen:
                return verdict
        return None


class Severity(IntEnum):
    """How bad a finding is; reports put the highest first."""

    NOTE = 0
    """Worth knowing, breaks nothing (equal rows rewritten, a fault that never struck)."""
    BREACH = 1
    """A guarantee is broken, or could not be looked at."""
    LIE = 2
    """Success was claimed and the target is wrong: the gravest finding there is."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a finding rests on: a row or some words, with where it was seen (``target`` …)."""

    label: str
    row: Row = field(default_factory=dict)
    words: str = ""
    """What somebody said, such as an implementation's message; ``row`` goes with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One broken (or unanswerable) guarantee with everything needed to check it by hand."""

    guarantee: Guarantee
    title: str
    """One sentence: what is wrong, without the values."""
    verdict: Verdict = Verdict.BROKEN
    """``BROKEN``, or ``UNKNOWN`` when the oracle could not look."""
    severity: Severity = Severity.BREACH
    table: str = ""
    constraint: str = ""
    key: Row = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    """The columns whose values differ, if the finding is about values."""
    evidence: tuple[Evidence, ...] = ()
    count: int = 1
    """Rows with the same trouble; ``evidence`` shows the first of them."""
    sql: str = ""
    """A query that shows the trouble, to be run on ``database``."""
    database: str = ""
    """``source`` or ``target``: where ``sql`` is meant to run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A source row that an implementation says it did not restore, and why."""

    table: str
    key: Row
    reason: str
    constraint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """A source row that an implementation says it merged into a survivor."""

    table: str
    key: Row
    survivor: Row
    """Key of the surviving row in the target."""
    constraint: str = ""


Named = TypeVar("Named", Rejection, Merge)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Rows of one table by what the implementation says it did with them."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    merged: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What an implementation says happened. ``None`` means that it says nothing about it."""

    success: bool
    exit_code: int | None = None
    message: str = ""
    """The implementation's own words; for a failure they must name the cause."""
    counts: Mapping[str, Counts] | None = None
    """Per table, keyed as SQL writes the name."""
    figures: Mapping[str, Mapping[str, int]] | None = None
    """Single numbers, where not everything is counted: per table (``""`` for all tables
    together) by the names of the fields of :class:`Counts`, or ``rows`` for rows that are called
    transferred without a word about what became of them."""
    merges: tuple[Merge, ...] | None = None
    rejections: tuple[Rejection, ...] | None = None
    notes: tuple[str, ...] = ()
    """What else whoever restored should know, a sentence each: suspected collisions of ids,
    cells that still hold a merged-away id, tables left alone."""

    def evidence(self, label: str = "claim") -> Evidence:
        """The claim's exit code and words."""
        code = {} if self.exit_code is None else {"exit code": str(self.exit_code)}
        return Evidence(label, code, self.message)

    def reworded(self, change: Callable[[str], str]) -> Claim:
        """The claim with ``change`` made to every text that the implementation chose itself.

        Keys are values of rows, and stay as they are.
        """

        def named(each: Named) -> Named:
            return replace(each, table=change(each.table), constraint=change(each.constraint))

        return replace(
            self,
            message=change(self.message),
            counts=self.counts and {change(name): told for name, told in self.counts.items()},
            figures=self.figures and {change(name): told for name, told in self.figures.items()},
            merges=self.merges and tuple(map(named, self.merges)),
            rejections=self.rejections
            and tuple(replace(named(each), reason=change(each.reason)) for each in self.rejections),
            notes=tuple(map(change, self.notes)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The outcome of one scenario for one implementation."""

    scenario: str
    implementation: str
    verdicts: Mapping[Guarantee, Verdict]
    """Only the guarantees that the scenario exercised; the rest were not put to the test."""
    findings: tuple[Finding, ...] = ()
    """Worst first."""
    focus: tuple[Guarantee, ...] = ()
    """The guarantees that the scenario was written for."""
    reasons: Mapping[Guarantee, str] = field(default_factory=dict)
    """Why a guarantee is not offered, in the implementation's words."""

    @property
    def verdict(self) -> Verdict:
        """The verdict over every exercised guarantee; ``UNKNOWN`` when there is none."""
        return Verdict.over(self.verdicts.values()) or Verdict.UNKNOWN
