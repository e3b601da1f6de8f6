"""The proofs of a run, collected; every writer reads from here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from verifier.contract import Finding, Guarantee, Proof, Verdict
from verifier.report.text import counted, listed

Order = tuple[str, int, str]
"""Where a scenario stands: file, line, name. Keeps parallel runs in the same order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What was run against what, in words; holds no secret."""

    version: str = ""
    """Of this project."""
    implementation: str = ""
    servers: str = ""
    """Where PostgreSQL came from, and why."""
    source: str = ""
    """Version of the source server, as it told it."""
    target: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    tables: str = ""
    """Which tables of the user's own were filled, where a schema was given."""
    unmade: tuple[str, ...] = ()
    """What of that schema could not be, a line each."""


@dataclass(frozen=True, slots=True)
class Row:
    """One scenario: all of its proofs put together."""

    scenario: str
    proofs: tuple[Proof, ...]

    @property
    def verdicts(self) -> Mapping[Guarantee, Verdict]:
        """The verdict on each exercised guarantee, over all proofs of the scenario."""
        return _over(proof.verdicts for proof in self.proofs)

    @property
    def verdict(self) -> Verdict:
        return Verdict.over(proof.verdict for proof in self.proofs) or Verdict.UNKNOWN

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Worst first; equally bad ones in the order in which they were found."""
        return worst_first(chain.from_iterable(proof.findings for proof in self.proofs))

    @property
    def focus(self) -> tuple[Guarantee, ...]:
        return tuple(dict.fromkeys(chain.from_iterable(proof.focus for proof in self.proofs)))


@dataclass(slots=True)
class Results:
    """Takes in what happens during a run and answers what it means."""

    about: About = field(default_factory=About)
    failures: list[str] = field(default_factory=list)
    """Tests that failed otherwise than by a proof."""
    aborted: str = ""
    """Why the run was cut short, in one sentence; empty when it was not."""
    _proofs: dict[Order, list[Proof]] = field(default_factory=dict)

    def add(self, order: Order, proof: Proof) -> None:
        """Take in one proof of the scenario that stands at ``order``."""
        self._proofs.setdefault(order, []).append(proof)

    @property
    def rows(self) -> Sequence[Row]:
        """One row per scenario, in the order of files and lines, however they came in."""
        return [
            Row(proofs[0].scenario, tuple(proofs)) for _, proofs in sorted(self._proofs.items())
        ]

    @property
    def over(self) -> Mapping[Guarantee, Verdict]:
        """The verdict on each guarantee that any scenario exercised."""
        return _over(row.verdicts for row in self.rows)

    @property
    def verdict(self) -> Verdict | None:
        """The verdict over the run; ``None`` when no scenario was run."""
        return Verdict.over(row.verdict for row in self.rows)

    @property
    def reasons(self) -> Mapping[Guarantee, str]:
        """Why guarantees are not offered, in the implementation's words."""
        found: dict[Guarantee, str] = {}
        for row in self.rows:
            for proof in row.proofs:
                found.update(proof.reasons)
        return {each: found[each] for each in Guarantee if each in found}

    @property
    def exit_code(self) -> int:
        """``0`` kept, ``1`` broken or a failed test, ``2`` could not verify."""
        if self.verdict is Verdict.BROKEN or self.failures:
            return 1
        return 2 if self.aborted or self.verdict is Verdict.UNKNOWN else 0

    @property
    def sentence(self) -> str:
        """The verdict in one sentence."""
        parts = [f"the run was aborted: {self.aborted}"] if self.aborted else []
        parts += self._troubles()
        if self.failures:
            parts.append(f"{counted(len(self.failures), 'test')} failed outside of any proof")
        return "; ".join(parts or self._kept())

    def _troubles(self) -> list[str]:
        name = self.about.implementation or "the implementation"
        rows, parts = self.rows, []
        for verdict, says in (
            (Verdict.BROKEN, f"{name} breaks"),
            (Verdict.UNKNOWN, "could not verify"),
        ):
            hit = [row for row in rows if row.verdict is verdict]
            which = [g for g in Guarantee if any(row.verdicts.get(g) is verdict for row in hit)]
            if hit:
                parts.append(
                    f"{says} {listed(which) or 'anything'} "
                    f"in {len(hit)} of {counted(len(rows), 'scenario')}"
                )
        return parts

    def _kept(self) -> list[str]:
        rows, over = self.rows, self.over
        if not rows:
            return ["no scenario was run, nothing was verified"]
        name = self.about.implementation or "the implementation"
        kept = [each for each in over if over[each] is Verdict.KEPT]
        what = "every guarantee" if len(kept) == len(Guarantee) else listed(kept) or "nothing"
        parts = [f"{name} keeps {what} in {counted(len(rows), 'scenario')}"]
        left = [each for each in over if over[each] is Verdict.NOT_OFFERED]
        return parts + ([f"it does not offer {listed(left)}"] if left else [])


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The gravest findings first; equally grave ones stay in order."""
    return tuple(sorted(findings, key=lambda finding: -finding.severity))


def _over(each: Iterable[Mapping[Guarantee, Verdict]]) -> Mapping[Guarantee, Verdict]:
    """The verdict on each guarantee over several scenarios, in the contract's order."""
    several = list(each)
    found = {g: Verdict.over(one[g] for one in several if g in one) for g in Guarantee}
    return {guarantee: verdict for guarantee, verdict in found.items() if verdict is not None}
