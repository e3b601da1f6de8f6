"""What the matrix says of proofs that are made by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from verifier.contract import Evidence, Finding, Guarantee, Proof, Severity, Verdict
from verifier.report import matrix as report
from verifier.report.matrix_model import Answer, Examined, Expected, Matrix
from verifier.report.matrix_page import markdown
from verifier.report.terminal import Look
from verifier.report.text import plain

G = Guarantee
MEANT = Finding(
    guarantee=G.MERGING,
    title="two rows collide: on a key",
    table="public.t",
    constraint="t_key",
    evidence=(Evidence("source", {"id": "1"}),),
)
EXPECTED = Expected(
    mistake="It does not merge.",
    trap="U01",
    guarantee=G.MERGING,
    title="two rows collide",
    scenario="merging::two",
    table="public.t",
    constraint="t_key",
)


def proof(*findings: Finding, scenario: str = "merging::two") -> Proof:
    broken = {finding.guarantee: finding.verdict for finding in findings}
    return Proof(
        scenario=scenario,
        implementation="it",
        verdicts={G.HONESTY: Verdict.KEPT, **broken},
        findings=findings,
    )


def faulty(*proofs: Proof, missing: tuple[str, ...] = ()) -> Examined:
    return Examined(implementation="faulty:it", proofs=proofs, expected=EXPECTED, missing=missing)


def right(*proofs: Proof, missing: tuple[str, ...] = ()) -> Examined:
    known = {"merging::two": frozenset({G.MERGING})}
    return Examined(
        implementation="right", proofs=proofs, expected=None, known=known, missing=missing
    )


def over(*tested: Examined) -> Matrix:
    return Matrix(source="18", target="18", servers="ours", tested=tested)


def test_caught_by_the_finding_that_is_meant() -> None:
    assert faulty(proof(MEANT)).answer is Answer.CAUGHT


@pytest.mark.parametrize(
    "found",
    [
        proof(),
        proof(replace(MEANT, guarantee=G.COMPLETENESS)),
        proof(replace(MEANT, title="something else")),
        proof(replace(MEANT, severity=Severity.NOTE)),
        proof(replace(MEANT, verdict=Verdict.UNKNOWN)),
        proof(replace(MEANT, table="public.u")),
        proof(replace(MEANT, constraint="t_pkey")),
        proof(MEANT, scenario="merging::three"),
    ],
)
def test_anything_else_that_is_found_does_not_catch_it(found: Proof) -> None:
    tested = faulty(found)
    assert tested.answer is Answer.ESCAPED
    assert over(tested).exit_code == 1
    assert over(tested).sentence == "0 of 1 caught; escaped: faulty:it"


def test_a_scenario_that_proved_nothing_is_no_escape() -> None:
    tested = faulty(missing=("merging::two",))
    assert tested.answer is Answer.UNKNOWN
    matrix = replace(over(tested), trouble="the server is gone")
    assert matrix.exit_code == 2
    assert matrix.sentence.endswith("this was said: the server is gone")


def test_a_right_one_may_break_what_it_is_known_to_break() -> None:
    assert right(proof(MEANT), proof(scenario="other::one")).answer is Answer.RIGHT


def test_the_same_anywhere_else_accuses_it() -> None:
    tested = right(proof(MEANT, scenario="other::one"))
    assert tested.answer is Answer.ACCUSED
    assert tested.accusations == {"other::one": {G.MERGING}}
    assert over(tested).exit_code == 1


def test_a_right_one_of_which_a_scenario_is_missing_is_unknown() -> None:
    unseen = replace(MEANT, guarantee=G.FIDELITY, verdict=Verdict.UNKNOWN)
    for tested in (right(missing=("merging::two",)), right(proof(unseen))):
        assert tested.answer is Answer.UNKNOWN
        assert over(tested).exit_code == 2


def test_an_escape_outweighs_what_is_unknown() -> None:
    assert over(faulty(proof()), right(missing=("merging::two",))).exit_code == 1


def test_nothing_at_all_proves_nothing() -> None:
    assert over().exit_code == 2
    assert over().sentence == "no implementation was run"


def test_the_report_stars_the_guarantee_and_ends_with_the_sentence() -> None:
    said = plain(report.lines(over(faulty(proof(MEANT)), right(proof())), Look(width=80)))
    lines = said.splitlines()
    assert lines[-1] == "CAUGHT: 1 of 1 caught; nothing false is said against right"
    assert ".    .    BROK*.    .    .    .    ok   .    .    .     caught  faulty:it" in lines
    assert "  merging: two rows collide: on a key (merging::two)" in lines
    assert max(map(len, lines)) <= 80


def test_the_report_names_what_should_have_been_found_and_what_should_not() -> None:
    accused = right(proof(MEANT, scenario="other::one"))
    lines = plain(report.lines(over(faulty(proof()), accused), Look())).splitlines()
    assert "  merging: no finding 'two rows collide' (merging::two)" in lines
    assert "  merging (other::one)" in lines
    assert lines[-1].startswith("BLIND: 0 of 1 caught; escaped: faulty:it; accused")


def test_plain_form_holds_the_finding_whole() -> None:
    (told,) = report.to_plain(over(faulty(proof(MEANT))))["implementations"]
    assert told["answer"] == "caught"
    assert told["expected"]["title"] == "two rows collide"
    assert told["finding"]["evidence"] == [{"label": "source", "row": {"id": "1"}, "words": ""}]


def test_page_has_a_row_for_each_with_the_own_guarantee_in_bold() -> None:
    page = markdown(over(faulty(proof(MEANT)), right(proof(MEANT)))).splitlines()
    assert "| `faulty:it` | · | · | **broken** | · | · | · | · | ok | · | · | · |" in page
    assert (
        "| `faulty:it` | It does not merge. | U01 | merging "
        "| two rows collide: on a key: `public.t` `t_key` | `merging::two` |" in page
    )
    assert "| `merging::two` | merging |" in page
