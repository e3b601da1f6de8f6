"""The matrix of implementations and guarantees, for people, for the documentation, as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Any

from verifier.contract import Guarantee
from verifier.report.json import finding_to_plain
from verifier.report.literal import printable
from verifier.report.matrix_model import Answer, Examined, Matrix
from verifier.report.terminal import Look, cells
from verifier.report.text import Line, Style, counted, listed

SCHEMA = 1
"""Of the plain form; a change that a reader would notice makes it the next number."""

_ANSWERS: Mapping[Answer, tuple[str, Style]] = {
    Answer.CAUGHT: ("caught", "good"),
    Answer.ESCAPED: ("ESCAPED", "bad"),
    Answer.RIGHT: ("right", "good"),
    Answer.ACCUSED: ("ACCUSED", "bad"),
    Answer.UNKNOWN: ("?", "doubt"),
}


def lines(matrix: Matrix, look: Look) -> Iterator[Line]:
    """The whole report: the matrix, what each was caught by, and the sentence as the last line."""
    yield [
        (
            f"source PostgreSQL {matrix.source}, target PostgreSQL {matrix.target}: "
            f"{printable(matrix.servers)}; {counted(matrix.runs, 'run')} of scenarios",
            "",
        )
    ]
    yield []
    head = "".join(f"{g[: look.cell]:<{look.cell + 1}}" for g in Guarantee)
    yield [(f"{head} {'':<8}implementation", "strong")]
    for each in matrix.tested:
        own = each.expected.guarantee if each.expected else None
        word, style = _ANSWERS[each.answer]
        yield [
            *cells(each.verdicts, look, own),
            (f" {word:<8}", style),
            (printable(each.implementation), ""),
        ]
    yield [("* the guarantee that it was made to break", "faint")]
    yield []
    for each in matrix.tested:
        yield from _told(each, look)
    yield []
    mark: Mapping[int, tuple[str, Style]] = {
        0: ("CAUGHT: ", "good"),
        1: ("BLIND: ", "bad"),
        2: ("UNKNOWN: ", "doubt"),
    }
    yield [mark[matrix.exit_code], (printable(matrix.sentence), "strong")]


def _told(tested: Examined, look: Look) -> Iterator[Line]:
    """By which finding it was caught, or what should have been found, or what was."""
    expected = tested.expected
    if expected is not None:
        what = tested.finding.title if tested.finding else f"no finding {expected.title!r}"
        texts = [f"{expected.guarantee}: {what} ({expected.scenario})"]
    else:
        texts = [f"{listed(sorted(g))} ({scenario})" for scenario, g in tested.accusations.items()]
    texts += [f"proved nothing: {scenario}" for scenario in tested.missing]
    for place, text in enumerate(texts):
        if not place:
            yield [(printable(tested.implementation), "strong")]
        for line in wrap(printable(text), look.width - 2):
            yield [(f"  {line}", "")]


def to_plain(matrix: Matrix) -> dict[str, Any]:
    """``matrix`` in dict, list, str, int and ``None``, for JSON."""
    return {
        "schema": SCHEMA,
        "source": matrix.source,
        "target": matrix.target,
        "servers": matrix.servers,
        "sentence": matrix.sentence,
        "exit_code": matrix.exit_code,
        "implementations": [_plain(each) for each in matrix.tested],
    }


def _plain(tested: Examined) -> dict[str, Any]:
    expected = tested.expected
    return {
        "implementation": tested.implementation,
        "answer": tested.answer.value,
        "verdicts": {each.value: verdict.value for each, verdict in tested.verdicts.items()},
        "broken": _sorted(tested.broken),
        "accusations": _sorted(tested.accusations if expected is None else {}),
        "missing": list(tested.missing),
        "expected": expected
        and {
            "mistake": expected.mistake,
            "trap": expected.trap,
            "guarantee": expected.guarantee.value,
            "title": expected.title,
            "scenario": expected.scenario,
            "table": expected.table,
            "constraint": expected.constraint,
        },
        "finding": tested.finding and finding_to_plain(tested.finding),
    }


def _sorted(found: Mapping[str, frozenset[Guarantee]]) -> dict[str, list[str]]:
    return {scenario: [g.value for g in Guarantee if g in found[scenario]] for scenario in found}
