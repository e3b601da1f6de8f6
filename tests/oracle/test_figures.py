"""Single numbers that a claim gives, held against what the databases show."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.oracle.conftest import DATA, DONE, KEY, SCHEMA, Bench, findings
from verifier.contract import Guarantee, Severity
from verifier.oracle.repeats import judge_again

G = Guarantee
TWINS = "INSERT INTO category VALUES ('tea2', 'shop', 'd', 'Tea', NULL, 'red');"
MERGED = DATA.replace("'green'", "'red'")  # the last one of the two survives

RIGHT = {
    "what was inserted": {"public.product": {"inserted": 2}},
    "what was inserted, and nothing else": {"public.category": {"inserted": 2, "updated": 0}},
    "what was merged": {"public.category": {"merged": 1}},
    "all that were transferred": {"public.category": {"rows": 3}},
    "all that arrived as rows of their own": {"public.category": {"rows": 2}},
    "all in all": {"": {"rows": 14, "inserted": 13, "merged": 1}},
    "all in all, survivors": {"": {"rows": 13}},
    "a table of which nothing is restored": {"public.session": {"rows": 0, "rejected": 0}},
    "rows without a key": {"public.log": {"rows": 3}},
}
WRONG = {
    "too many": ({"public.category": {"rows": 4}}, "public.category", ("rows",)),
    "too few": ({"public.category": {"rows": 1}}, "public.category", ("rows",)),
    "one of two": (
        {"public.category": {"merged": 0, "inserted": 2}}, "public.category", ("merged",)),
    "too many in all": ({"": {"rows": 15}}, "", ("rows",)),
    "too few in all": ({"": {"rows": 12}}, "", ("rows",)),
    "a sum that is wrong": ({"": {"inserted": 14}}, "", ("inserted",)),
    "a table that nobody restores": ({"public.session": {"rows": 1}}, "public.session", ()),
    "a table that is not there": ({"public.nonsense": {"inserted": 1}}, "public.nonsense", ()),
}  # fmt: skip


@pytest.fixture
def twins(bench: Bench) -> Bench:
    """Two categories that the target takes for one, restored as they should be."""
    bench.begin(SCHEMA + DATA + TWINS, SCHEMA + KEY)
    bench.target.execute(MERGED)
    return bench


@pytest.mark.parametrize("what", RIGHT)
def test_a_number_that_is_so_is_no_finding(twins: Bench, what: str) -> None:
    claim = replace(DONE, figures=RIGHT[what])
    assert findings(twins.judge.judge(twins.observe(claim))) == []


@pytest.mark.parametrize("what", WRONG)
def test_a_number_that_is_not_so_is_a_finding_that_shows_both(twins: Bench, what: str) -> None:
    figures, table, columns = WRONG[what]
    claim = replace(DONE, figures=figures)
    (finding,) = findings(twins.judge.judge(twins.observe(claim)))
    assert (finding.guarantee, finding.severity) == (G.HONESTY, Severity.BREACH)
    assert (finding.table, finding.columns) == (table, columns)
    shown = {each.label: each.row for each in finding.evidence}
    (told,) = figures.values()
    assert shown["claim"] == {kind: str(number) for kind, number in told.items()}
    if columns:
        assert {"inserted", "updated", "unchanged", "merged", "rejected"} <= shown[
            "observed"
        ].keys()


def test_a_lost_row_was_not_transferred(bench: Bench) -> None:
    bench.begin(SCHEMA + DATA, SCHEMA + KEY)
    lost = DATA + "DELETE FROM product WHERE id = 'p2';"
    judgement = bench.restore(
        lost.replace(", ('p2', 1)", ""), replace(DONE, figures={"public.product": {"rows": 2}})
    )
    told = [each for each in findings(judgement) if "transferred rows" in each.title]
    assert [each.table for each in told] == ["public.product"]


def test_a_second_restore_that_says_it_wrote_is_held_to_it(bench: Bench) -> None:
    bench.begin(SCHEMA + DATA, SCHEMA + KEY)
    bench.target.execute(DATA)
    first = bench.observe()
    for figures, tables in (
        ({"public.product": {"updated": 2, "unchanged": 0}, "public.log": {"inserted": 0}}, 1),
        ({"": {"inserted": 0, "rows": 13}}, 0),
    ):
        again = judge_again(first.after, bench.observe(replace(DONE, figures=figures)))
        told = [each.title for each in findings(again)]
        assert told == tables * ["the second restore of the same backup says that it wrote rows"]
