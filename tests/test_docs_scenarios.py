"""The page of the scenarios is what they say of themselves, and each of them says enough."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.wrong import SCENARIOS, scenarios_of

REPOSITORY = Path(__file__).parents[1]
PAGE = REPOSITORY / "docs" / "scenarios.md"
TO_LIST = """
import json
from dataclasses import asdict
from verifier.listing import scenarios
from verifier.report.catalogue import markdown
found = scenarios(["scenarios"], None, [])
print(json.dumps([markdown(found), [asdict(each) for each in found]]))
"""


@pytest.fixture(scope="module")
def listing():
    """The page as it would be written now, and every scenario by its name."""
    run = subprocess.run(
        [sys.executable, "-c", TO_LIST], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    page, found = json.loads(run.stdout)
    return page, {each["name"]: each for each in found}


def test_the_page_is_as_it_would_be_written_now(listing) -> None:
    wanted = "restore-verifier scenarios --markdown > docs/scenarios.md"
    assert PAGE.read_text(encoding="utf-8") == listing[0], f"run {wanted}"


def test_every_scenario_is_listed_and_there_are_many(listing) -> None:
    named = {name.replace("test_", "") for name in scenarios_of(SCENARIOS.glob("test_*.py"))}
    assert {name.replace("test_", "") for name in listing[1]} == named
    assert len(named) >= 60


def test_every_scenario_says_in_one_sentence_what_breaks_in_the_field(listing) -> None:
    wrong = {
        name: each["sentence"]
        for name, each in listing[1].items()
        if not each["sentence"].endswith(".") or ". " in each["sentence"]
    }
    assert wrong == {}


def test_every_scenario_has_a_guarantee_and_a_trap(listing) -> None:
    assert [name for name, each in listing[1].items() if not each["guarantees"]] == []
    assert [name for name, each in listing[1].items() if not each["traps"]] == []
