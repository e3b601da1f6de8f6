"""The matrix of implementations and guarantees: what was expected, and what it came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from itertools import chain

from verifier.contract import Finding, Guarantee, Proof, Severity, Verdict
from verifier.report.model import Row
from verifier.report.text import listed


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """The finding that a faulty implementation has to cause."""

    mistake: str
    """What the implementation does, in one sentence."""
    trap: str
    """The traps of ``docs/traps.md`` that it falls into."""
    guarantee: Guarantee
    title: str
    """How the finding's title begins."""
    scenario: str
    table: str = ""
    """As SQL writes it; empty where the finding may be about any."""
    constraint: str = ""

    def finding(self, proofs: tuple[Proof, ...]) -> Finding | None:
        """The finding, the first of its guarantee that breaks it and is meant."""
        for proof in proofs:
            if proof.scenario != self.scenario:
                continue
            for finding in proof.findings:
                if self._is(finding):
                    return finding
        return None

    def _is(self, finding: Finding) -> bool:
        return (
            finding.guarantee is self.guarantee
            and finding.verdict is Verdict.BROKEN
            and finding.severity > Severity.NOTE
            and finding.title.startswith(self.title)
            and self.table in ("", finding.table)
            and self.constraint in ("", finding.constraint)
        )


class Answer(StrEnum):
    """What the matrix says of one implementation."""

    CAUGHT = "caught"
    """A faulty one, by the guarantee that it was made to break and the finding that names it."""
    ESCAPED = "escaped"
    RIGHT = "right"
    """A right one, with nothing said against it but what it is known to break."""
    ACCUSED = "accused"
    UNKNOWN = "unknown"
    """A scenario proved nothing."""


@dataclass(frozen=True, kw_only=True)
class Examined:
    """One implementation, and what the panel came to with it."""

    implementation: str
    proofs: tuple[Proof, ...]
    expected: Expected | None
    """``None`` for a right one."""
    known: Mapping[str, frozenset[Guarantee]] = field(default_factory=dict)
    """By scenario, what a right one breaks as everybody knows."""
    missing: tuple[str, ...] = ()
    """Scenarios that proved nothing."""

    @cached_property
    def verdicts(self) -> Mapping[Guarantee, Verdict]:
        """The verdict on each guarantee that any scenario exercised."""
        return Row(self.implementation, self.proofs).verdicts

    @cached_property
    def finding(self) -> Finding | None:
        """The one that it had to cause, if it did."""
        return self.expected.finding(self.proofs) if self.expected else None

    @cached_property
    def broken(self) -> Mapping[str, frozenset[Guarantee]]:
        """By scenario, the guarantees that were found broken."""
        found = {
            proof.scenario: frozenset(
                each for each, verdict in proof.verdicts.items() if verdict is Verdict.BROKEN
            )
            for proof in self.proofs
        }
        return {scenario: guarantees for scenario, guarantees in found.items() if guarantees}

    @cached_property
    def accusations(self) -> Mapping[str, frozenset[Guarantee]]:
        """By scenario, the guarantees that were found broken and are known to be kept."""
        found = {
            scenario: guarantees - self.known.get(scenario, frozenset())
            for scenario, guarantees in self.broken.items()
        }
        return {scenario: guarantees for scenario, guarantees in found.items() if guarantees}

    @cached_property
    def answer(self) -> Answer:
        if self.expected is not None:
            if self.finding is not None:
                return Answer.CAUGHT
            return Answer.UNKNOWN if self.expected.scenario in self.missing else Answer.ESCAPED
        if self.accusations:
            return Answer.ACCUSED
        return Answer.UNKNOWN if self.missing or self._unknown else Answer.RIGHT

    @property
    def _unknown(self) -> bool:
        return Verdict.UNKNOWN in chain.from_iterable(p.verdicts.values() for p in self.proofs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """All of it."""

    source: str
    """Version of the source server."""
    target: str
    servers: str
    tested: tuple[Examined, ...]
    trouble: str = ""
    """What was said where a scenario proved nothing."""

    def of(self, *answers: Answer) -> tuple[Examined, ...]:
        return tuple(each for each in self.tested if each.answer in answers)

    @property
    def runs(self) -> int:
        """How often a scenario was run."""
        return sum(len(each.proofs) for each in self.tested)

    @property
    def faulty(self) -> tuple[Examined, ...]:
        return tuple(each for each in self.tested if each.expected is not None)

    @property
    def exit_code(self) -> int:
        """0: all caught and nobody accused; 1: one escaped or was accused; 2: unknown."""
        if self.of(Answer.ESCAPED, Answer.ACCUSED):
            return 1
        return 2 if self.of(Answer.UNKNOWN) or not self.tested else 0

    @property
    def sentence(self) -> str:
        """What it came to: how many were caught, and what else there is to say."""
        parts = []
        if self.faulty:
            caught = len(self.of(Answer.CAUGHT))
            parts.append(f"{caught} of {len(self.faulty)} caught")
        for answer, words in (
            (Answer.ESCAPED, "escaped"),
            (Answer.ACCUSED, "accused of what it keeps"),
            (Answer.UNKNOWN, "could not be looked at"),
        ):
            if found := [each.implementation for each in self.of(answer)]:
                parts.append(f"{words}: {listed(found)}")
        if right := [each.implementation for each in self.of(Answer.RIGHT)]:
            parts.append(f"nothing false is said against {listed(right)}")
        if self.trouble:
            parts.append(f"where something is missing, this was said: {self.trouble}")
        return "; ".join(parts) or "no implementation was run"
