"""The matrix as a page of the documentation, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from verifier.contract import Guarantee, Verdict
from verifier.report.matrix_model import Answer, Examined, Expected, Matrix
from verifier.report.text import listed, markdown_row

_MARKS = {
    Verdict.KEPT: "ok",
    Verdict.BROKEN: "broken",
    Verdict.UNKNOWN: "?",
    Verdict.NOT_OFFERED: "not offered",
    None: "·",
}
_INTRODUCTION = """\
# The matrix

A verifier that never says no proves nothing. Every faulty implementation is a mistake made in
the field, and a small change to a restore that is right. It has to be found broken in the
guarantee that it was made to break, by the finding that names the cause; and nothing may be
said against a right restore where it is right.

`restore-verifier matrix` runs all of it and ends with 0 when every faulty one was caught and no
right one accused, with 1 when one escaped or was accused, with 2 when it could not run. This
page is what `restore-verifier matrix --markdown docs/matrix.md` wrote; `tests/test_matrix.py`
runs the same and holds the page to it.

Every faulty implementation is run with four scenarios that together put all eleven guarantees
to the test, and with the one in which its mistake shows; a right one with all of them. Those
that are made from a restore row by row (upserts by primary key, parents first, the first bad
row ends it) cannot merge either, which is why so many of them break `merging`, and
`completeness` with it.
"""


def markdown(matrix: Matrix) -> str:
    """The page: what each breaks, what each was caught by, what pg_dump does not keep."""
    return "\n".join(
        [_INTRODUCTION, *_cells(matrix), "", *_faults(matrix), "", *_right(matrix), ""]
    )


def _cells(matrix: Matrix) -> Iterator[str]:
    yield "## What each breaks"
    yield ""
    yield "**Bold** is the guarantee that it was made to break; `·` was not put to the test."
    yield ""
    yield markdown_row("", *Guarantee)
    yield markdown_row(*["---"] * (len(Guarantee) + 1))
    for each in matrix.tested:
        own = each.expected.guarantee if each.expected else None
        marks = [(g, _MARKS[each.verdicts.get(g)]) for g in Guarantee]
        yield markdown_row(
            f"`{each.implementation}`", *(f"**{m}**" if g is own else m for g, m in marks)
        )


def _faults(matrix: Matrix) -> Iterator[str]:
    yield "## The faulty ones"
    yield ""
    yield f"{len(matrix.of(Answer.CAUGHT))} of {len(matrix.faulty)} caught. The traps are those of"
    yield "[`traps.md`](traps.md)."
    yield ""
    yield markdown_row(
        "implementation", "what it does", "trap", "breaks", "caught by", "in the scenario"
    )
    yield markdown_row(*["---"] * 6)
    for each in matrix.tested:
        if each.expected is not None:
            yield _fault(each, each.expected)


def _fault(tested: Examined, expected: Expected) -> str:
    found = tested.finding
    about = "**not caught**"
    if found is not None:
        where = [f"`{part}`" for part in (found.table, found.constraint) if part]
        about = ": ".join([found.title, *([" ".join(where)] if where else [])])
    return markdown_row(
        f"`{tested.implementation}`",
        expected.mistake,
        expected.trap,
        expected.guarantee,
        about,
        f"`{expected.scenario}`",
    )


def _right(matrix: Matrix) -> Iterator[str]:
    yield "## The right ones"
    for each in matrix.tested:
        if each.expected is not None:
            continue
        scenarios = len({proof.scenario for proof in each.proofs})
        yield ""
        if not each.broken:
            yield f"`{each.implementation}` keeps every guarantee in all {scenarios} scenarios."
            continue
        yield f"`{each.implementation}`, in {scenarios} scenarios, breaks this and nothing else:"
        yield ""
        yield markdown_row("scenario", "breaks")
        yield markdown_row("---", "---")
        for scenario, broken in sorted(each.broken.items()):
            yield markdown_row(f"`{scenario}`", listed([g for g in Guarantee if g in broken]))
