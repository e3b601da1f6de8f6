"""The whole matrix, run as ``restore-verifier matrix`` runs it, and the page that tells of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from verifier import matrix
from verifier.config import Config, ServerKind
from verifier.contract import Guarantee, Severity, Verdict
from verifier.implementations import implementation, names
from verifier.implementations.faulty import FAULTY
from verifier.matrix.panel import EVERYBODY, RIGHT
from verifier.report.matrix_model import Answer, Examined, Matrix
from verifier.report.matrix_page import markdown

PAGE = Path(__file__).parents[1] / "docs" / "matrix.md"


@pytest.fixture(scope="module")
def ran() -> Matrix:
    return matrix.run(Config(servers=ServerKind.EMBEDDED), matrix.selection(()), jobs=2)


def of(ran: Matrix, name: str) -> Examined:
    (found,) = [each for each in ran.tested if each.implementation == name]
    return found


def test_every_built_in_implementation_is_in_the_matrix() -> None:
    assert set(names()) >= set(matrix.selection(())) == {*FAULTY, *RIGHT}
    assert set(names()) == set(matrix.selection(())), "one is installed that the test knows not"
    assert all(implementation(name).name == name for name in matrix.selection(()))


def test_every_guarantee_has_a_faulty_implementation_that_breaks_it() -> None:
    assert {faulty.breaks for faulty in FAULTY.values()} == set(Guarantee)
    assert len(FAULTY) >= 20


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTY)
def test_faulty_implementation_is_caught_by_its_own_guarantee(ran: Matrix, name: str) -> None:
    tested, faulty = of(ran, name), FAULTY[name]
    assert tested.answer is Answer.CAUGHT
    finding = tested.finding
    assert finding is not None
    assert finding.guarantee is faulty.breaks
    assert finding.severity > Severity.NOTE
    assert finding.title.startswith(faulty.title)
    assert faulty.table in ("", finding.table)
    assert faulty.constraint in ("", finding.constraint)
    assert finding.evidence
    assert tested.verdicts[faulty.breaks] is Verdict.BROKEN
    assert tested.missing == ()


@pytest.mark.slow
def test_the_gravest_findings_stand_first(ran: Matrix) -> None:
    lied = 0
    for proof in (proof for tested in ran.tested for proof in tested.proofs):
        found = [finding.severity for finding in proof.findings]
        assert found == sorted(found, reverse=True), (proof.implementation, proof.scenario)
        lied += Severity.LIE in found
    assert lied > len(FAULTY) / 2  # most mistakes of the field end in a lie somewhere


@pytest.mark.slow
def test_initial_load_is_green_everywhere(ran: Matrix) -> None:
    tested = of(ran, "initial-load")
    assert tested.answer is Answer.RIGHT
    assert dict(tested.verdicts) == dict.fromkeys(Guarantee, Verdict.KEPT)
    assert {proof.scenario for proof in tested.proofs} >= {
        *EVERYBODY,
        *(faulty.scenario for faulty in FAULTY.values()),
    }


@pytest.mark.slow
def test_the_scenarios_that_everybody_runs_exercise_every_guarantee(ran: Matrix) -> None:
    proofs = [p for p in of(ran, "initial-load").proofs if p.scenario in EVERYBODY]
    assert {guarantee for proof in proofs for guarantee in proof.verdicts} == set(Guarantee)


@pytest.mark.slow
def test_pg_dump_breaks_what_it_is_known_to_break_and_nothing_else(ran: Matrix) -> None:
    tested = of(ran, "pg_dump")
    assert tested.answer is Answer.RIGHT
    assert dict(tested.broken) == dict(RIGHT["pg_dump"])


@pytest.mark.slow
def test_the_run_says_how_many_were_caught(ran: Matrix) -> None:
    assert ran.exit_code == 0
    assert ran.sentence.startswith(f"{len(FAULTY)} of {len(FAULTY)} caught")


@pytest.mark.slow
def test_the_page_tells_what_the_run_showed(ran: Matrix) -> None:
    again = "write it anew: restore-verifier matrix --servers embedded --markdown docs/matrix.md"
    assert markdown(ran) == PAGE.read_text(encoding="utf-8"), again
