"""What a search came to, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap

from verifier.fuzz.failure import Failure
from verifier.fuzz.handing_out import Handout
from verifier.fuzz.pool import Found
from verifier.fuzz.telling import words
from verifier.report.literal import printable
from verifier.report.text import Line, Style, counted

SCHEMA = 1
"""Of the plain form; a change that a reader would notice makes it the next number."""


@dataclass(frozen=True)
class Report:
    """A search, and the files of what was found."""

    implementation: str
    seed: int
    found: Found
    handouts: Sequence[Handout]
    gone: int = 0
    """Worlds that failed in an earlier run and no longer do."""

    @property
    def exit_code(self) -> int:
        if self.found.failures:
            return 1
        tally = self.found.tally
        slips = bool(tally.unjudged or tally.undrawn or self.found.ended)
        return 0 if tally.worlds and not slips else 2


def sentence(report: Report) -> str:
    """What it came to, in one sentence."""
    found = report.found
    failures = counted(len(found.failures), "distinct failure")
    tally = found.tally
    tried = counted(tally.worlds, "world")
    if tally.interrupted:
        tried += f" ({tally.interrupted:,} interrupted as well)"
    if not tally.worlds and not found.failures:
        return "no world was tried, nothing is proved"
    rate = f", {tally.worlds / found.seconds:.1f} a second" if found.seconds else ""
    if not found.failures:
        return f"nothing found in {tried}{rate}{_open(found)}"
    return f"{failures} in {tried}{rate}; something was wrong in {tally.failing:,}"


def _open(found: Found) -> str:
    """What keeps it from being proved that there is nothing."""
    said = ""
    if found.tally.unjudged:
        said += f"; {counted(len(found.tally.unjudged), 'world')} could not be judged"
    if found.tally.undrawn:
        said += f"; {counted(found.tally.undrawn.total(), 'world')} could not be drawn"
    if found.ended:
        said += "; it ended before its time"
    return said


_MARKS: Mapping[int, tuple[str, Style]] = {
    0: ("KEPT", "good"),
    1: ("BROKEN", "bad"),
    2: ("UNKNOWN", "doubt"),
}


def lines(report: Report, width: int) -> Iterator[Line]:
    """Every failure with its paragraph and files, then what was tried."""
    for handout in report.handouts:
        yield from _failure(handout, report.found, width)
    yield from _remarks(report, width)
    yield []
    mark, style = _MARKS[report.exit_code]
    yield [(f"{mark}: ", style), (sentence(report), "strong")]


def _failure(handout: Handout, found: Found, width: int) -> Iterator[Line]:
    failure = handout.failure
    breach = failure.breach
    yield [(f"{breach.guarantee}: {printable(breach.cause)}", "bad")]
    for text in (words.paragraph(failure), _about(failure, found)):
        yield from _wrapped(text, width, "")
    if failure.interrupted is None:
        yield from _wrapped(words.agreement(failure.agreement), width, "faint")
    for other in failure.breaches[1:]:
        yield from _wrapped(f"In the same world: {other.guarantee}: {other.cause}", width, "faint")
    yield [
        (f"    {handout.directory / handout.name}.sql, .md, .json, ", "faint"),
        (handout.scenario, "faint"),
    ]
    yield []


def _about(failure: Failure, found: Found) -> str:
    size = counted(failure.world.size, "row")
    tables = counted(len(failure.world.schema.tables), "table")
    seen = counted(max(found.seen[failure.cause], 1), "world")
    small = "" if failure.finished else " (the time for more was up)"
    return (
        f"Seen in {seen}, first with {failure.first_size:,} rows; here, {size} in {tables}{small}."
    )


def _remarks(report: Report, width: int) -> Iterator[Line]:
    tally = report.found.tally
    said = [f"not made of the schema: {text}" for text in report.found.unmade]
    if report.gone:
        said.append(f"{counted(report.gone, 'world')} of an earlier run no longer fails")
    said += [f"{counted(number, 'time')}: {text}" for text, number in tally.remarks.most_common(5)]
    said += [
        f"held to the contract alone in {counted(number, 'world')}: {text}"
        for text, number in tally.unmodelled.most_common(5)
    ]
    said += [f"not judged, please report its unjudged_*.json: {text}" for text in tally.unjudged]
    said += [
        f"not drawn {counted(number, 'time')}, please report it with the seed: {text}"
        for text, number in tally.undrawn.most_common(5)
    ]
    if report.found.ended:
        said.append(f"it ended before its time: {report.found.ended}")
    for text in said:
        yield from _wrapped(text, width, "doubt")


def _wrapped(text: str, width: int, style: Style) -> Iterator[Line]:
    for line in wrap(printable(text), max(width - 4, 40)):
        yield [(f"    {line}", style)]


def to_plain(report: Report) -> dict[str, object]:
    """For ``--json``."""
    found = report.found
    return {
        "schema": SCHEMA,
        "exit_code": report.exit_code,
        "message": sentence(report),
        "implementation": report.implementation,
        "seed": report.seed,
        "versions": {"source": found.versions[0], "target": found.versions[1]},
        "unmade": list(found.unmade),
        "worlds": found.tally.worlds,
        "interrupted": found.tally.interrupted,
        "failing": found.tally.failing,
        "seconds": round(found.seconds, 3),
        "unmodelled": dict(found.tally.unmodelled),
        "remarks": dict(found.tally.remarks),
        "unjudged": list(found.tally.unjudged),
        "undrawn": dict(found.tally.undrawn),
        "ended": found.ended,
        "no_longer_failing": report.gone,
        "failures": [_plain(each, found) for each in report.handouts],
    }


def _plain(handout: Handout, found: Found) -> dict[str, object]:
    failure = handout.failure
    oracle = failure.agreement
    return {
        "guarantee": failure.breach.guarantee.value,
        "cause": failure.breach.cause,
        "table": failure.breach.table,
        "words": failure.breach.words,
        "also": [{"guarantee": e.guarantee.value, "cause": e.cause} for e in failure.breaches[1:]],
        "worlds": max(found.seen[failure.cause], 1),
        "tables": len(failure.world.schema.tables),
        "rows": failure.world.size,
        "finished": failure.finished,
        "oracle": oracle.verdict.value if oracle and oracle.verdict else None,
        "files": str(handout.directory / handout.name),
        "paragraph": words.paragraph(failure),
    }
