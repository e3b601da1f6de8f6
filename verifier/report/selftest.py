"""The self-test's matrix of mutations and sights, for people and for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from verifier.comparison import Mutated, SelfTest, Sight
from verifier.report.literal import printable
from verifier.report.text import Line, Style

SCHEMA = 1
"""Of the plain form; a change that a reader would notice makes it the next number."""

_MARKS: Mapping[Sight, tuple[str, Style]] = {
    Sight.SEEN: ("seen", "good"),
    Sight.MISSED: ("MISSED", "bad"),
    Sight.UNCHANGED: ("NO CHANGE", "doubt"),
    Sight.UNKNOWN: ("?", "doubt"),
    Sight.SKIPPED: ("skipped", "faint"),
}
_MARK, _NAME = 9, 52
"""Columns of the mark and of the mutation's name."""
_ALWAYS_WHOLE = frozenset({Sight.MISSED, Sight.UNCHANGED, Sight.UNKNOWN})


def lines(result: SelfTest, width: int = 120) -> Iterator[Line]:
    """The whole report, at most ``width`` columns wide: matrix, skipped ones, kill rate.

    What was said of a mutation is cut to one line, except where it went wrong.
    """
    yield [(f"source PostgreSQL {result.source}, target PostgreSQL {result.target}", "")]
    tried = [each for each in result.results if each.sight is not Sight.SKIPPED]
    for area, group in groupby(tried, key=lambda each: each.area):
        members = list(group)
        yield []
        seen = sum(each.sight is Sight.SEEN for each in members)
        yield [(f"{printable(area)}: {seen} of {len(members)} seen", "strong")]
        for each in members:
            yield from mutation(each, width)
    skipped = [each for each in result.results if each.sight is Sight.SKIPPED]
    if skipped:
        yield []
        yield [(f"{len(skipped)} skipped", "strong")]
        for each in skipped:
            yield from mutation(each, width)
    yield []
    yield [_verdict(result), (printable(sentence(result)), "strong")]


def mutation(mutated: Mutated, width: int = 120) -> Iterator[Line]:
    """One mutation: whether it was seen, its name, and what was said of it."""
    mark, style = _MARKS[mutated.sight]
    name, words = printable(mutated.name), printable(mutated.words)
    head: Line = [(f"  {mark:<{_MARK}} ", style), (f"{name:<{_NAME}} ", "")]
    room = width - max(_MARK + 3 + max(len(name), _NAME) + 1, 0)
    if mutated.sight in _ALWAYS_WHOLE and len(words) > room:
        yield head
        inner = max(width - _MARK - 3, 20)
        for start in range(0, len(words), inner):
            yield [(f"{'':{_MARK + 3}}{words[start : start + inner]}", "faint")]
    else:
        yield [*head, (_cut(words, room), "faint")]


def sentence(result: SelfTest) -> str:
    """What the self-test came to: the kill rate, and what kept it from being the whole truth."""
    counts = Counter(each.sight for each in result.results)
    if not result.tried:
        return "no mutation was tried, nothing is proved"
    parts = [f"{result.seen} of {result.tried} seen ({_percent(result.seen, result.tried)} %)"]
    for sight, words in (
        (Sight.MISSED, "missed"),
        (Sight.UNCHANGED, "changed nothing and have to be corrected"),
        (Sight.UNKNOWN, "could not be looked at"),
        (Sight.SKIPPED, "skipped"),
    ):
        if counts[sight]:
            parts.append(f"{counts[sight]} {words}")
    return ", ".join(parts)


def to_plain(result: SelfTest) -> dict[str, Any]:
    """``result`` in dict, list, str, int and float, for JSON."""
    return {
        "schema": SCHEMA,
        "source": result.source,
        "target": result.target,
        "sentence": sentence(result),
        "exit_code": result.exit_code,
        "tried": result.tried,
        "seen": result.seen,
        "kill_rate": result.seen / result.tried if result.tried else None,
        "mutations": [
            {
                "area": each.area,
                "name": each.name,
                "sight": each.sight.value,
                "words": each.words,
            }
            for each in result.results
        ],
    }


def _verdict(result: SelfTest) -> tuple[str, Style]:
    verdicts: Mapping[int, tuple[str, Style]] = {
        0: ("SEEN: ", "good"),
        1: ("MISSED: ", "bad"),
        2: ("UNKNOWN: ", "doubt"),
    }
    return verdicts[result.exit_code]


def _percent(part: int, whole: int) -> str:
    """In tenths, never rounded up to 100."""
    tenths = part * 1000 // whole
    return f"{tenths // 10}" if tenths % 10 == 0 else f"{tenths // 10}.{tenths % 10}"


def _cut(text: str, room: int) -> str:
    if len(text) <= room:
        return text
    return f"{text[: room - 3]}..." if room > 3 else ""
