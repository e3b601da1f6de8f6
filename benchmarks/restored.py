"""What the restores took, as text: what becomes of the claims, a table for each size, growth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import restorers
from restorers import COPY, OURS_COPY, OURS_INSERTS, UPSERTS, Restorer
from restoring import Timing

MEGABYTE = 1_000_000
_CLAIMED = 1_000_000
"""Rows at which the ratios are claimed."""
_LINEAR = 1.25
"""A row takes at most so many times longer in the larger shop."""

Found = Mapping[tuple[str, bool], Timing]


def of_one_size(timings: Sequence[Timing]) -> Iterator[str]:
    """The table of one size: medians of the rounds, the most of memory and files."""
    found = _found(timings)
    limit = _seconds(found, COPY)
    yield f"{timings[0].rows:,} rows"
    yield _line("", "seconds", "/ COPY", "cpu s", "client MB", "server MB", "temp MB", "rounds")
    for each in timings:
        figures = (
            _figure(each.median, 2),
            _ratio(each.median, limit),
            _figure(each.median_cpu, 1),
            f"{each.client / MEGABYTE:.0f}",
            f"{each.server / MEGABYTE:.0f}",
            f"{each.temporary / MEGABYTE:.0f}",
        )
        note = " ".join(f"{seconds:.2f}" for seconds in each.seconds)
        yield _line(_words(each), *figures, f"FAILED: {each.wrong}" if each.wrong else note)
    yield ""


def growth(timings: Sequence[Timing]) -> Iterator[str]:
    """How many times longer a row takes in the largest shop than in the smallest."""
    sizes = _sizes(timings)
    if len(sizes) < 2:
        return
    yield f"time for a row, {sizes[-1]:,} rows against {sizes[0]:,} (1.00: linear)"
    for each in timings:
        if each.rows == sizes[0] and (ratio := _grown(timings, each)) is not None:
            yield f"  {_words(each):<33}{ratio:>8.2f}"
    yield ""


def claims(timings: Sequence[Timing]) -> Iterator[str]:
    """Each claim at every size, so that a small run shows where it stands, too."""
    yield f"claims (for {_CLAIMED:,} rows)"
    for rows in _sizes(timings):
        found = _found([each for each in timings if each.rows == rows])
        copy, upserts, repeated = (
            _seconds(found, restorer, again)
            for restorer, again in ((COPY, False), (UPSERTS, False), (UPSERTS, True))
        )
        ours, inserts = _seconds(found, OURS_COPY), _seconds(found, OURS_INSERTS)
        again = _seconds(found, OURS_INSERTS, True)
        yield _most("COPY dump: at most 1.3 times bare psql COPY", rows, _over(ours, copy), 1.3)
        yield _least(
            "INSERT dump: at least 5 times faster than the upserts",
            rows,
            _over(upserts, inserts),
            5,
        )
        yield _least(
            "again: at least 12 times faster than the upserts again",
            rows,
            _over(repeated, again),
            12,
        )
        memory = [each.client / MEGABYTE for each in found.values() if _is_ours(each)]
        yield _most("client memory below 200 MB", rows, max(memory, default=None), 200)
    yield from _linear(timings)
    yield ""


def _linear(timings: Sequence[Timing]) -> Iterator[str]:
    grown = [
        ratio
        for each in timings
        if _is_ours(each) and each.rows == _sizes(timings)[0]
        if (ratio := _grown(timings, each)) is not None
    ]
    words = f"linear growth: at most {_LINEAR} times longer for a row"
    yield _most(words, _sizes(timings)[-1], max(grown, default=None), _LINEAR)


def _most(claim: str, rows: int, figure: float | None, limit: float) -> str:
    return _claim(claim, rows, figure, figure is not None and figure <= limit)


def _least(claim: str, rows: int, figure: float | None, limit: float) -> str:
    return _claim(claim, rows, figure, figure is not None and figure >= limit)


def _claim(claim: str, rows: int, figure: float | None, holds: bool) -> str:
    outcome = "not measured" if figure is None else "holds" if holds else "DOES NOT HOLD"
    return f"  {claim:<56}{rows:>12,} rows {_figure(figure, 2):>8}  {outcome}"


def _line(words: str, *cells: str) -> str:
    *numbers, note = cells
    return f"  {words:<33}{''.join(f'{cell:>10}' for cell in numbers)}  {note}".rstrip()


def _words(timing: Timing) -> str:
    return _restorer(timing).words + (", again" if timing.again else "")


def _restorer(timing: Timing) -> Restorer:
    return next(each for each in restorers.ALL if each.name == timing.restorer)


def _is_ours(timing: Timing) -> bool:
    return _restorer(timing).ours


def _sizes(timings: Sequence[Timing]) -> list[int]:
    return sorted({each.rows for each in timings})


def _found(timings: Sequence[Timing]) -> Found:
    return {(each.restorer, each.again): each for each in timings}


def _seconds(found: Found, restorer: Restorer, again: bool = False) -> float | None:
    timing = found.get((restorer.name, again))
    return timing.median if timing else None


def _grown(timings: Sequence[Timing], small: Timing) -> float | None:
    rows = _sizes(timings)[-1]
    large = _found([each for each in timings if each.rows == rows])[small.restorer, small.again]
    if small.median is None or large.median is None or small.rows == rows:
        return None
    return (large.median / large.rows) / (small.median / small.rows)


def _over(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other is not None else None


def _ratio(one: float | None, other: float | None) -> str:
    return _figure(_over(one, other), 2)


def _figure(figure: float | None, digits: int) -> str:
    return "-" if figure is None else f"{figure:.{digits}f}"
