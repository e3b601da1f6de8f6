"""The matrix of scenarios and guarantees, and the findings below it, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap

from verifier.contract import Finding, Guarantee, Proof, Severity, Verdict
from verifier.report.literal import first_difference, pairs, printable
from verifier.report.model import Results, Row
from verifier.report.text import Line, Style, field, listed, plain

_WORDS = 1200
"""Characters of a message that are printed."""
LIMIT = 10
"""Findings of one scenario that are printed."""
_STYLES: Mapping[Verdict | None, Style] = {
    Verdict.KEPT: "good",
    Verdict.BROKEN: "bad",
    Verdict.UNKNOWN: "doubt",
    Verdict.NOT_OFFERED: "faint",
    None: "faint",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How the reader's end looks: its width in columns, and whether marks may be Unicode."""

    width: int = 120
    unicode: bool = False
    limit: int = LIMIT
    details: str = ""
    """The file with everything that was not printed, if there is one."""

    @property
    def cell(self) -> int:
        """Width of a guarantee's column: wide where names of 40 characters still fit."""
        return 6 if self.width >= 115 else 4

    def mark(self, verdict: Verdict | None) -> str:
        return {
            Verdict.KEPT: "✔" if self.unicode else "ok",
            Verdict.BROKEN: "BROKEN"[: self.cell],
            Verdict.UNKNOWN: "?",
            Verdict.NOT_OFFERED: "n/o",
            None: "·" if self.unicode else ".",
        }[verdict]


def render(proof: Proof) -> str:
    """One proof with its findings as plain text, for an error message."""
    row = Row(proof.scenario, (proof,))
    return plain(_findings(row, Look(width=100), implementation=proof.implementation))


def summary(results: Results, look: Look) -> Iterator[Line]:
    """The whole report: matrix, findings, and the verdict in one sentence as the last line."""
    rows = results.rows
    yield from _about(results, look)
    if rows:
        yield from matrix(rows, results.over, look)
    for guarantee, reason in results.reasons.items():
        yield [(f"not offered: {guarantee} - {printable(reason)}", "faint")]
    for row in rows:
        if row.verdict in (Verdict.BROKEN, Verdict.UNKNOWN):
            yield []
            yield from _findings(row, look, implementation=results.about.implementation)
    yield from _notes(rows)
    yield []
    code = results.exit_code
    word = {0: "KEPT", 1: "BROKEN", 2: "UNKNOWN"}[code]
    if code == 1 and results.verdict is not Verdict.BROKEN:
        word = "FAILED"
    style: Style = "good" if code == 0 else "bad" if code == 1 else "doubt"
    yield [(f"{word}: ", style), (printable(results.sentence), "strong")]


def matrix(rows: Sequence[Row], over: Mapping[Guarantee, Verdict], look: Look) -> Iterator[Line]:
    """Scenarios by guarantees; the names stand last, so that none of them has to be cut short."""
    cell = look.cell
    yield [("".join(f"{g[:cell]:<{cell + 1}}" for g in Guarantee) + " scenario", "strong")]
    for row in rows:
        yield [*cells(row.verdicts, look), (f" {printable(row.scenario)}", "")]
    yield [*cells(over, look), (f" over the run ({len(rows)})", "strong")]
    marks = {
        look.mark(Verdict.KEPT): "kept",
        look.mark(Verdict.UNKNOWN): "unknown",
        look.mark(Verdict.NOT_OFFERED): "not offered",
        look.mark(None): "not exercised",
    }
    yield [("   ".join(f"{mark} {word}" for mark, word in marks.items()), "faint")]


def cells(
    verdicts: Mapping[Guarantee, Verdict], look: Look, starred: Guarantee | None = None
) -> Line:
    """A row's verdicts, one cell for each guarantee; a star stands behind the ``starred`` one."""
    row: list[tuple[str, Style]] = []
    for guarantee in Guarantee:
        verdict = verdicts.get(guarantee)
        mark = look.mark(verdict) + ("*" if guarantee is starred else "")
        row.append((f"{mark:<{look.cell + 1}}", _STYLES[verdict]))
    return row


def _about(results: Results, look: Look) -> Iterator[Line]:
    about = results.about
    servers = [
        f"{side} PostgreSQL {version}"
        for side, version in (("source", about.source), ("target", about.target))
        if version
    ]
    parts = [about.implementation, *servers, about.servers]
    text = ", ".join(part for part in parts if part)
    if text:
        yield [(printable(text), "")]
    if about.tables:
        yield [(printable(about.tables), "")]
    for each in about.unmade[: look.limit]:
        yield [(f"  not generated: {printable(each)}", "faint")]
    more = len(about.unmade) - look.limit
    if more > 0:
        where = f" (see {look.details})" if look.details else ""
        yield [(f"  and {more} more{where}", "faint")]
    if text or about.tables:
        yield []


def _findings(row: Row, look: Look, *, implementation: str) -> Iterator[Line]:
    broken = [g for g, verdict in row.verdicts.items() if verdict is Verdict.BROKEN]
    unknown = [g for g, verdict in row.verdicts.items() if verdict is Verdict.UNKNOWN]
    says = []
    if broken:
        says.append(f"{implementation or 'the implementation'} breaks {listed(broken)}")
    if unknown or not broken:
        says.append(f"could not verify {listed(unknown) or 'anything'}")
    yield [(printable(row.scenario), "strong"), (f": {'; '.join(says)}", "")]
    findings = row.findings
    for finding in findings[: look.limit]:
        yield from _finding(finding, look)
    more = len(findings) - look.limit
    if more > 0:
        where = f"in {look.details}" if look.details else "with --restore-report FILE"
        yield [(f"  and {more} more findings, {where}", "faint")]


def _finding(finding: Finding, look: Look) -> Iterator[Line]:
    word, style = _word(finding)
    first, *rest = wrap(
        f"{finding.guarantee}: {printable(finding.title)}", look.width - len(word) - 3
    )
    yield [(f"  {word} ", style), (first, "")]
    for line in rest:
        yield [(f"    {line}", "")]
    if finding.table:
        yield from field("table", [printable(finding.table)], look.width)
    if finding.constraint:
        yield from field("constraint", [printable(finding.constraint)], look.width)
    if finding.key:
        yield from field("key", pairs(finding.key), look.width)
    yield from _evidence(finding, look)
    if finding.count > 1:
        more = f", the first is shown, and {finding.count - 1} more" if finding.evidence else ""
        yield from field("rows", [f"{finding.count}{more}"], look.width)
    if finding.sql:
        where = f"on the {printable(finding.database)}" if finding.database else ""
        lines = [printable(line) for line in finding.sql.strip().splitlines()]
        yield from field("see it", [where, *lines] if where else lines, look.width, separate=True)


def _evidence(finding: Finding, look: Look) -> Iterator[Line]:
    """The rows: the differing columns only where these differ, else the whole rows."""
    rows = [each.row for each in finding.evidence if not each.words]
    cut = [{name: row[name] for name in finding.columns if name in row} for row in rows]
    differ = bool(finding.columns) and (len(rows) < 2 or any(row != cut[0] for row in cut))
    if finding.columns:
        label = "differs in" if differ else "columns"
        yield from field(label, [printable(each) for each in finding.columns], look.width)
    starts = first_difference(cut) if differ else {}
    shown = iter(cut if differ else rows)
    for each in finding.evidence:
        if each.words:
            said = printable(each.words)
            cut_short = said if len(said) <= _WORDS else f"{said[:_WORDS]} ..."
            lines = wrap(cut_short, look.width - 16)
            yield from field(each.label, [*pairs(each.row), *lines], look.width, separate=True)
        else:
            yield from field(each.label, pairs(next(shown), starts), look.width)


def _word(finding: Finding) -> tuple[str, Style]:
    if finding.verdict is Verdict.UNKNOWN:
        return "UNKNOWN", "doubt"
    if finding.severity is Severity.NOTE:
        return "note", "faint"
    return ("LIE" if finding.severity is Severity.LIE else "BROKEN"), "bad"


def _notes(rows: Sequence[Row]) -> Iterator[Line]:
    """What is worth knowing about scenarios that were kept, each note once."""
    seen: dict[tuple[Guarantee, str], int] = {}
    for row in rows:
        if row.verdict in (Verdict.KEPT, Verdict.NOT_OFFERED):
            for key in dict.fromkeys((each.guarantee, each.title) for each in row.findings):
                seen[key] = seen.get(key, 0) + 1
    if seen:
        yield []
    for (guarantee, title), count in seen.items():
        times = f" ({count} scenarios)" if count > 1 else ""
        yield [("note ", "faint"), (f"{guarantee}: {printable(title)}{times}", "")]
