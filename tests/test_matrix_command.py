"""``restore-verifier matrix``: a run of it, and what it does not take."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.commands import ran
from verifier.dsn import Dsn
from verifier.matrix import pool

NOBODY = Dsn({"password": "of nobody"})


@pytest.mark.slow
def test_one_faulty_implementation_and_a_right_one(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file, page = tmp_path / "matrix.json", tmp_path / "matrix.md"
    code, said, last = ran(
        capsys, NOBODY, "matrix", "--servers", "embedded", "--jobs", "1",
        "--implementation", "faulty:password-in-message",
        "--json", str(file), "--markdown", str(page),
    )  # fmt: skip
    assert (code, last) == (0, "")
    assert said.splitlines()[-1] == "CAUGHT: 1 of 1 caught"
    told = json.loads(file.read_text())
    (tested,) = told["implementations"]
    assert tested["answer"] == "caught"
    assert tested["verdicts"]["containment"] == "broken"
    assert tested["finding"]["title"] == "the claim holds the password of a database"
    assert tested["broken"] == {
        "refusal::orphan_variants_are_named": ["containment"],
        "interruption::backup_cut_off_on_the_way[0.7]": ["containment"],
    }
    assert "`faulty:password-in-message`" in page.read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--implementation", "faulty:drop-orphan"],
            "'faulty:drop-orphan' is no part of the matrix (did you mean faulty:drop-orphans?)",
        ),
        (["--jobs", "0"], "--jobs"),
        (["--jobs", "many"], "--jobs"),
        (["--jobs", ""], "--jobs"),
        (["--json", "/nowhere/m.json"], "--json '/nowhere/m.json' cannot be written"),
        (["--markdown", ""], "--markdown '' cannot be written"),
        (["--source-version", "18", "--target-version", "eighteen"], "--target-version"),
        (["scenarios/"], "unknown argument scenarios/"),
        (["--", "-x"], "matrix takes no arguments, and got 1 of them"),
    ],
)
def test_what_cannot_be_right_is_refused_before_anything_is_run(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    code, said, last = ran(capsys, NOBODY, "matrix", *arguments)
    assert (code, said) == (2, "")
    assert words in last


def test_a_place_without_scenarios_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "scenarios", lambda: tmp_path / "scenarios")
    code, _, last = ran(capsys, NOBODY, "matrix", "--servers", "embedded")
    assert code == 2
    assert last.startswith(f"there are no scenarios at {tmp_path / 'scenarios'}; run it where")
