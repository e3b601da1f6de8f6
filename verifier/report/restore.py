"""A restore for people: the tables, what was merged, what was rejected, the outcome."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from itertools import groupby
from textwrap import wrap

from verifier.contract import Counts, Merge, Rejection, Row
from verifier.report.literal import pairs, printable
from verifier.report.text import Line, Style, aligned, counted, section
from verifier.transfer import Restored

_MERGES = 10
_REJECTIONS = 20
"""How many of each are printed."""
_WORDS = tuple(each.name for each in fields(Counts))
_STYLES: Mapping[str, Style] = {
    "RESTORED": "good",
    "WRITTEN": "good",
    "IN PART": "doubt",
    "DRY RUN": "good",
    "REJECTED": "bad",
    "FAILED": "bad",
}
STANDARD_INPUT = "-"


def lines(restored: Restored, width: int) -> Iterator[Line]:
    """The whole report, ``width`` columns wide; the last line is the outcome in one sentence."""
    file = "standard input" if restored.file == STANDARD_INPUT else restored.file
    for label, place in (("backup", file), ("target", restored.target)):
        yield [(f"{label}  ", "faint"), (printable(place), "")]
    claim = restored.claim
    if claim.counts:
        yield []
        yield from _overview(claim.counts)
    yield from _merged(claim.merges or (), width)
    yield from _rejected(claim.rejections or (), width)
    yield from section("notes", claim.notes, width)
    yield []
    word = _word(restored)
    style = "doubt" if claim.success and claim.rejections else _STYLES[word]
    seconds = f" ({restored.seconds:,.1f} s)"
    yield [
        (f"{word}: ", style),
        (printable(sentence(restored)), "strong"),
        (seconds, "faint"),
    ]


def sentence(restored: Restored) -> str:
    """What became of the restore, in one sentence."""
    claim = restored.claim
    return claim.message or _totals(claim.counts or {}) or "nothing was said about it"


def advice(restored: Restored) -> str:
    """What to do about it, where the outcome is not what was asked for."""
    if not restored.claim.rejections:
        return ""
    if restored.quarantine is not None:
        return "mend them in that file, and restore it"
    if restored.claim.success and restored.written is None:
        return "mend the rows, or leave --dry-run out to set them aside"
    return "mend the rows, or set them aside with --quarantine"


def _word(restored: Restored) -> str:
    rejected = bool(restored.claim.rejections)
    if not restored.claim.success:
        return "REJECTED" if rejected else "FAILED"
    if restored.written is not None:
        return "WRITTEN"
    if restored.dry_run:
        return "DRY RUN"
    return "IN PART" if rejected else "RESTORED"


def _totals(counts: Mapping[str, Counts]) -> str:
    """``3 rows inserted, 1 merged``."""
    totals = [(sum(getattr(each, word) for each in counts.values()), word) for word in _WORDS]
    found = [f"{number:,} {word}" for number, word in totals if number]
    return f"{counted(len(counts), 'table')}: {', '.join(found) or 'no rows'}" if counts else ""


def _overview(counts: Mapping[str, Counts]) -> Iterator[Line]:
    """One line for each table; the names stand last, uncut."""
    cells = [
        [f"{number:,}" if (number := getattr(each, word)) else "." for word in _WORDS]
        for each in counts.values()
    ]
    widths = [max(map(len, column)) for column in zip(_WORDS, *cells, strict=True)]
    yield [(f"{aligned(_WORDS, widths)}  table", "strong")]
    for table, row in zip(counts, cells, strict=True):
        style: Style = "bad" if counts[table].rejected else ""
        yield [(aligned(row, widths), style), (f"  {printable(table)}", "")]


def _merged(merges: Sequence[Merge], width: int) -> Iterator[Line]:
    if not merges:
        return
    yield []
    yield [("merged", "strong"), (f": {counted(len(merges), 'row')}", "")]
    for table, group in groupby(merges[:_MERGES], key=lambda each: each.table):
        yield from _broken(printable(table), width)
        for each in group:
            by = f"  ({printable(each.constraint)})" if each.constraint else ""
            yield from _broken(f"{_key(each.key)} -> {_key(each.survivor)}{by}", width, indent=4)
    yield from _more(len(merges) - _MERGES)


def _rejected(rejections: Sequence[Rejection], width: int) -> Iterator[Line]:
    if not rejections:
        return
    yield []
    yield [("rejected", "strong"), (f": {counted(len(rejections), 'row')}", "")]
    totals = Counter(map(_cause, rejections))
    reasons: dict[tuple[str, str], set[str]] = {}
    groups: dict[tuple[str, str], list[Rejection]] = {}
    for place, each in enumerate(rejections):
        reasons.setdefault(_cause(each), set()).add(each.reason)
        if place < _REJECTIONS:
            groups.setdefault(_cause(each), []).append(each)
    for cause, group in groups.items():
        one = group[0].reason if len(reasons[cause]) == 1 else ""
        named = cause[1] if cause[1] != one else ""
        head = ": ".join(filter(None, [cause[0], one, named]))
        yield from _broken(
            f"{printable(head)}: {counted(totals[cause], 'row')}", width, style="bad"
        )
        for each in group:
            said = "" if one else f": {printable(each.reason)}"
            yield from _broken(f"{_key(each.key)}{said}", width, indent=4)
    yield from _more(len(rejections) - _REJECTIONS)


def _key(key: Row) -> str:
    return ", ".join(pairs(key)) or "a row without a key"


def _cause(rejection: Rejection) -> tuple[str, str]:
    """The table and the constraint; where there is none, the reason in its place."""
    return rejection.table, rejection.constraint or rejection.reason


def _broken(text: str, width: int, *, indent: int = 2, style: Style = "") -> Iterator[Line]:
    """``text`` over as many lines as it takes, broken within a word only where one is too long."""
    room = max(20, width - indent - 2)
    for no, line in enumerate(wrap(text, room, break_on_hyphens=False)):
        yield [(f"{' ' * (indent + 2 * bool(no))}{line}", style)]


def _more(number: int) -> Iterator[Line]:
    if number > 0:
        yield [(f"  and {number:,} more; --json FILE holds them all", "faint")]
