"""What was measured, as text: a table for each size, growth, and what becomes of the claims."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import shop
from contenders import BEST, DEFAULT, DIGESTS, OURS, TEXTS
from timing import Timing

_WORDS = {state.name: state.words for state in shop.STATES}
MEGABYTE = 1_000_000


def of_one_size(timings: Sequence[Timing]) -> Iterator[str]:
    """The table of one size and one kind of key."""
    yield f"{timings[0].rows:,} rows, {timings[0].key} key"
    yield _line("", "", "seconds", "/ ours", "/ text", "peak MB", "rounds, settings")
    for state, found in groupby(timings, lambda each: each.state):
        yield from _state(_WORDS[state], list(found))
    yield ""


def summary(timings: Sequence[Timing]) -> Iterator[str]:
    """Growth and claims, over everything that was measured."""
    yield from _growth(timings)
    yield from _claims(timings)


def _line(*cells: str) -> str:
    state, contender, *numbers, note = cells
    figures = "".join(f"{cell:>9}" for cell in numbers)
    return f"  {state:<17} {contender:<23}{figures}  {note}".rstrip()


def _state(words: str, found: Sequence[Timing]) -> Iterator[str]:
    ours, text = (_seconds(found, name) for name in (OURS, TEXTS))
    for number, each in enumerate(found):
        note = " ".join(f"{seconds:.2f}" for seconds in each.seconds)
        note += f"  {each.settings}" if each.settings else ""
        yield _line(
            "" if number else words,
            each.contender,
            "-" if each.best is None else f"{each.best:.2f}",
            _ratio(each.best, ours),
            _ratio(each.best, text),
            f"{each.peak / MEGABYTE:.0f}",
            f"NO ANSWER: {each.wrong}" if each.wrong else note,
        )


def _seconds(found: Sequence[Timing], contender: str) -> float | None:
    return next((each.best for each in found if each.contender == contender), None)


def _ratio(one: float | None, other: float | None) -> str:
    return f"{one / other:.2f}" if one is not None and other is not None else "-"


def _growth(timings: Sequence[Timing]) -> Iterator[str]:
    """How many times longer a row takes in the largest table than in the smallest."""
    sizes = sorted({each.rows for each in timings})
    if len(sizes) < 2:
        return
    small, large = sizes[0], sizes[-1]
    yield f"time for a row, {large:,} rows against {small:,} (1.00: linear)"
    found = {(each.key, each.state, each.contender, each.rows): each.best for each in timings}
    for key, state, contender in dict.fromkeys(k[:3] for k in found):
        few, many = (found.get((key, state, contender, rows)) for rows in (small, large))
        if few is not None and many is not None:
            ratio = (many / large) / (few / small)
            yield f"  {key + ' key':<12} {_WORDS[state]:<17} {contender:<23} {ratio:>6.2f}"
    yield ""


def _claims(timings: Sequence[Timing]) -> Iterator[str]:
    """At every size, so that nobody has to take the word of the one that looks best."""
    yield "claims"
    for (key, rows), group in groupby(timings, lambda each: (each.key, each.rows)):
        found = list(group)
        place = f"{rows:,} rows, {key} key"
        for state in ("equal", "ten"):
            those = [each for each in found if each.state == state]
            ours = _seconds(those, OURS)
            for rival in (DEFAULT, BEST):
                theirs = _seconds(those, rival)
                if ours is not None and theirs is not None:
                    yield _claim(
                        f"at least 3 times faster than {rival}, {_WORDS[state]}",
                        place,
                        theirs / ours,
                        theirs / ours >= 3,
                    )
        equal = [each for each in found if each.state == "equal"]
        ours = _seconds(equal, OURS)
        for bare in (TEXTS, DIGESTS):
            limit = _seconds(equal, bare)
            if ours is not None and limit is not None:
                claim = f"at most 1.3 times the {bare}, identical"
                yield _claim(claim, place, ours / limit, ours / limit <= 1.3)
        peak = max(each.peak for each in found if each.contender == OURS) / MEGABYTE
        yield _claim("client memory below 150 MB, whatever differs", place, peak, peak < 150)


def _claim(claim: str, place: str, figure: float, holds: bool) -> str:
    return f"  {claim:<64} {place:<30} {figure:>7.2f}  {'holds' if holds else 'DOES NOT HOLD'}"
