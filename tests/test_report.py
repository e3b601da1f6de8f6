"""The report: the matrix, the findings, the sentence, the exit code and the file."""

from __future__ import annotations

import json as standard_json
from dataclasses import replace

import pytest

from verifier.contract import Evidence, Finding, Guarantee, Proof, Severity, Verdict
from verifier.report import json, terminal
from verifier.report.literal import LONGEST, first_difference, literal
from verifier.report.model import About, Results
from verifier.report.terminal import Look
from verifier.report.text import plain

G = Guarantee
KEPT = Proof(
    scenario="load::first_time",
    implementation="ours",
    verdicts={G.COMPLETENESS: Verdict.KEPT, G.FIDELITY: Verdict.KEPT},
)
FINDING = Finding(
    guarantee=G.MERGING,
    title="a child points to a row that was merged away",
    table='public."business products"',
    constraint="products_category_fkey",
    key={"id": "p1"},
    columns=("categoryId", "name"),
    evidence=(
        Evidence("source", {"id": "p1", "name": "", "categoryId": "c1", "price": "1.10"}),
        Evidence("target", {"id": "p1", "name": None, "categoryId": "c2", "price": "1.10"}),
    ),
    count=3,
    sql="SELECT *\nFROM t WHERE id = 'p1'",
    database="target",
)
LIE = Finding(guarantee=G.HONESTY, title="success was claimed", severity=Severity.LIE)
NOTE = Finding(guarantee=G.IDEMPOTENCE, title="equal rows rewritten", severity=Severity.NOTE)
BROKEN = Proof(
    scenario="merging::children",
    implementation="ours",
    verdicts={G.COMPLETENESS: Verdict.KEPT, G.MERGING: Verdict.BROKEN, G.HONESTY: Verdict.BROKEN},
    findings=(FINDING, NOTE, LIE),
    focus=(G.MERGING,),
)
UNKNOWN = Proof(
    scenario="faults::stopped",
    implementation="ours",
    verdicts={G.ATOMICITY: Verdict.UNKNOWN},
    findings=(Finding(guarantee=G.ATOMICITY, title="no connection", verdict=Verdict.UNKNOWN),),
)
PARTLY = Proof(
    scenario="load::empty",
    implementation="ours",
    verdicts={G.COMPLETENESS: Verdict.KEPT, G.ATOMICITY: Verdict.NOT_OFFERED},
    reasons={G.ATOMICITY: "commits row by row"},
)


def collected(*proofs: Proof) -> Results:
    results = Results(about=About(implementation="ours", servers="embedded (no engine)"))
    for line, proof in enumerate(proofs):
        results.add(("test_file.py", line, proof.scenario), proof)
    return results


def shown(*proofs: Proof, look: Look | None = None) -> str:
    return plain(terminal.summary(collected(*proofs), look or Look()))


def cells(text: str, scenario: str) -> dict[Guarantee, str]:
    """The matrix cells of one scenario, read back from the text."""
    line = next(line for line in text.splitlines() if line.endswith(scenario))
    return dict(zip(Guarantee, line.split()[: len(Guarantee)], strict=True))


def test_each_verdict_has_a_mark_of_its_own():
    text = shown(KEPT, BROKEN, UNKNOWN, PARTLY)
    assert cells(text, "load::first_time")[G.COMPLETENESS] == "ok"
    assert cells(text, "load::first_time")[G.MERGING] == "."
    assert cells(text, "merging::children")[G.MERGING] == "BROKEN"
    assert cells(text, "faults::stopped")[G.ATOMICITY] == "?"
    assert cells(text, "load::empty")[G.ATOMICITY] == "n/o"


def test_over_the_run_the_worst_verdict_of_a_guarantee_wins():
    over = cells(shown(KEPT, BROKEN, UNKNOWN, PARTLY), "over the run (4)")
    assert over[G.COMPLETENESS] == "ok"
    assert over[G.MERGING] == "BROKEN"
    assert over[G.ATOMICITY] == "?"
    assert over[G.CONTAINMENT] == "."


def test_a_finding_is_shown_with_everything_needed_to_check_it():
    text = shown(BROKEN)
    for part in (
        'public."business products"',
        "products_category_fkey",
        "id = 'p1'",
        "categoryId, name",
        "3, the first is shown, and 2 more",
        "on the target",
        "SELECT *",
        "FROM t WHERE id = 'p1'",
    ):
        assert part in text


def test_only_the_differing_columns_are_shown_and_null_is_not_the_empty_string():
    lines = [line.split(maxsplit=1) for line in shown(BROKEN).splitlines()]
    assert ["source", "categoryId = 'c1', name = ''"] in lines
    assert ["target", "categoryId = 'c2', name = NULL"] in lines
    assert "price" not in shown(BROKEN)


def test_the_whole_row_is_shown_when_no_columns_are_named():
    proof = replace(BROKEN, findings=(replace(FINDING, columns=()),))
    assert "price = '1.10'" in shown(proof)


def test_rows_that_agree_in_the_named_columns_are_shown_whole():
    twins = tuple(Evidence("source", {"id": each, "name": "Tea"}) for each in ("a", "b"))
    text = shown(replace(BROKEN, findings=(replace(FINDING, columns=("name",), evidence=twins),)))
    assert "id = 'a', name = 'Tea'" in text
    assert "id = 'b', name = 'Tea'" in text
    assert "differs in" not in text


def test_an_implementations_message_is_shown_at_length_within_the_width():
    message = "duplicate key value violates unique constraint " * 4
    claim = (Evidence("claim", {"exit code": "1", "says": message}),)
    proof = replace(BROKEN, findings=(replace(FINDING, columns=(), evidence=claim),))
    text = shown(proof, look=Look(width=80))
    assert message in text.replace("\n" + " " * 16, "")
    assert max(map(len, text.splitlines()[:-1])) <= 80


def test_findings_stand_worst_first():
    text = shown(BROKEN)
    assert text.index("LIE honesty") < text.index("BROKEN merging") < text.index("note idempotence")


def test_the_number_of_findings_shown_is_limited_and_the_rest_counted():
    many = tuple(replace(FINDING, title=f"trouble {n}") for n in range(15))
    proof = replace(BROKEN, findings=many)
    text = shown(proof, look=Look(limit=10, details="out.json"))
    assert "trouble 9" in text
    assert "trouble 10" not in text
    assert "and 5 more findings, in out.json" in text
    assert "--restore-report" in shown(proof, look=Look(limit=10))


def test_a_note_about_kept_scenarios_is_told_once():
    first, second = (replace(KEPT, scenario=name, findings=(NOTE,)) for name in ("a::x", "b::y"))
    text = shown(first, second)
    assert text.count("equal rows rewritten") == 1
    assert "(2 scenarios)" in text


def test_why_a_guarantee_is_not_offered_is_told():
    assert "not offered: atomicity - commits row by row" in shown(PARTLY)


def test_without_a_terminal_the_report_is_plain_ascii():
    assert shown(KEPT, BROKEN, UNKNOWN, PARTLY).isascii()
    assert "✔" in shown(KEPT, look=Look(unicode=True))


@pytest.mark.parametrize("width", [80, 100, 120])
def test_the_report_fits_its_width(width):
    wide = {f"column_{n}": "x" * 50 for n in range(20)}
    proof = replace(
        BROKEN, findings=(replace(FINDING, columns=(), evidence=(Evidence("s", wide),)),)
    )
    text = shown(KEPT, proof, UNKNOWN, look=Look(width=width))
    body, _, sentence = text.rpartition("\n")
    assert sentence.startswith("BROKEN: ")
    assert max(map(len, body.splitlines())) <= width


def test_nothing_from_the_data_reaches_the_terminal_as_a_control_sequence():
    hostile = "\x1b]0;owned\x07\u202e\r\n\udcff"
    finding = replace(
        FINDING,
        title=hostile,
        table=hostile,
        key={hostile: hostile},
        columns=(),
        evidence=(Evidence(hostile, {hostile: hostile}),),
        sql=hostile,
    )
    text = shown(replace(BROKEN, scenario=hostile, findings=(finding,)))
    assert all(each.isprintable() or each == "\n" for each in text)
    text.encode()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "NULL"),
        ("", "''"),
        ("NULL", "'NULL'"),
        ("it's", "'it''s'"),
        ("a\\b", "'a\\b'"),
        ("a\nb\\", "E'a\\nb\\\\'"),
        ("\x00\x1b", "E'\\x00\\x1b'"),
        ("é✔", "'é✔'"),
    ],
)
def test_a_value_is_shown_as_sql_would_write_it(value, text):
    assert literal(value) == text


def test_a_long_value_is_cut_and_its_length_told():
    text = literal("x" * 5000)
    assert "(5000 characters)" in text
    assert len(text) < LONGEST + 40


def test_a_value_that_was_cut_before_keeps_the_length_that_it_had():
    length = "... (20000 characters, md5 0123456789abcdef0123456789abcdef)"
    assert literal(f"{'x' * 200}{length}") == f"'{'x' * LONGEST}'{length}"
    assert literal(f"short{length}") == f"'short'{length}"
    assert first_difference([{"v": f"{'x' * 99}{length}"}, {"v": "x" * 99}]) == {"v": 84}


def test_of_long_values_the_first_difference_is_always_shown():
    left, right = ("x" * 2000 + mark + "y" * 2000 for mark in "AB")
    finding = replace(
        FINDING,
        columns=("v",),
        evidence=(Evidence("source", {"v": left}), Evidence("target", {"v": right})),
    )
    text = shown(replace(BROKEN, findings=(finding,)))
    assert "xAy" in text
    assert "xBy" in text


@pytest.mark.parametrize(
    ("proofs", "failures", "code", "word"),
    [
        ([KEPT], [], 0, "KEPT"),
        ([KEPT, PARTLY], [], 0, "KEPT"),
        ([KEPT, UNKNOWN], [], 2, "UNKNOWN"),
        ([KEPT, UNKNOWN, BROKEN], [], 1, "BROKEN"),
        ([KEPT], ["test_x.py::test_y"], 1, "FAILED"),
    ],
)
def test_the_exit_code_and_the_last_line_agree(proofs, failures, code, word):
    results = collected(*proofs)
    results.failures += failures
    text = plain(terminal.summary(results, Look()))
    assert results.exit_code == code
    assert text.splitlines()[-1] == f"{word}: {results.sentence}"


def test_an_aborted_run_is_no_success():
    results = collected(KEPT)
    results.aborted = "the target server is gone"
    assert results.exit_code == 2
    assert results.sentence.startswith("the run was aborted: the target server is gone")


def test_a_proof_about_nothing_is_unknown():
    assert collected(replace(KEPT, verdicts={})).exit_code == 2


@pytest.mark.parametrize(
    ("proofs", "sentence"),
    [
        (
            [KEPT, PARTLY],
            "ours keeps completeness and fidelity in 2 scenarios; it does not offer atomicity",
        ),
        ([KEPT, BROKEN], "ours breaks merging and honesty in 1 of 2 scenarios"),
        ([KEPT, UNKNOWN], "could not verify atomicity in 1 of 2 scenarios"),
        ([], "no scenario was run, nothing was verified"),
        (
            [replace(KEPT, verdicts=dict.fromkeys(G, Verdict.KEPT))],
            "ours keeps every guarantee in 1 scenario",
        ),
    ],
)
def test_the_sentence_says_what_the_run_came_to(proofs, sentence):
    assert collected(*proofs).sentence == sentence


def test_several_proofs_of_one_scenario_make_one_row():
    again = replace(KEPT, verdicts={G.FIDELITY: Verdict.BROKEN}, findings=(FINDING,))
    results = Results()
    for proof in (KEPT, again):
        results.add(("test_file.py", 1, "x"), proof)
    (row,) = results.rows
    assert row.verdicts == {G.COMPLETENESS: Verdict.KEPT, G.FIDELITY: Verdict.BROKEN}
    assert row.findings == (FINDING,)


def test_scenarios_keep_their_order_however_they_come_in():
    one, two = Results(), Results()
    places = [("a.py", 9, "x", KEPT), ("a.py", 10, "y", BROKEN), ("b.py", 1, "z", UNKNOWN)]
    for file, line, name, proof in places:
        one.add((file, line, name), proof)
    for file, line, name, proof in reversed(places):
        two.add((file, line, name), proof)
    assert one.rows == two.rows
    assert [row.scenario for row in one.rows] == [proof.scenario for *_, proof in places]


@pytest.mark.parametrize("proof", [KEPT, BROKEN, UNKNOWN, PARTLY], ids=lambda proof: proof.scenario)
def test_a_proof_survives_the_plain_form(proof):
    plain = json.to_plain(proof)
    assert json.from_plain(plain) == proof
    assert json.from_plain(standard_json.loads(standard_json.dumps(plain))) == proof


def test_the_file_holds_the_verdicts_and_the_findings(tmp_path):
    path = tmp_path / "out.json"
    json.write(collected(KEPT, BROKEN), path)
    read = standard_json.loads(path.read_text())
    assert read["schema"] == json.SCHEMA
    assert (read["verdict"], read["exit_code"]) == ("broken", 1)
    assert read["about"]["implementation"] == "ours"
    assert read["guarantees"]["merging"] == "broken"
    broken = read["scenarios"][1]
    assert broken["verdicts"] == {"completeness": "kept", "merging": "broken", "honesty": "broken"}
    assert [each["severity"] for each in broken["findings"]] == ["lie", "breach", "note"]
    assert broken["findings"][1]["evidence"][1]["row"]["name"] is None
    assert broken["findings"][1]["sql"] == FINDING.sql


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "out.json"
    path.write_text("old")
    results = collected(KEPT)
    results.about = About(settings={"odd": object()})  # type: ignore[dict-item]
    with pytest.raises(TypeError):
        json.write(results, path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_rendered_proof_names_the_scenario_and_its_findings():
    text = terminal.render(BROKEN)
    assert text.startswith("merging::children: ours breaks merging and honesty")
    assert "products_category_fkey" in text
