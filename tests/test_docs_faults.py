"""The page of the faults says what there is, and its example of a blow works."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from verifier import Faults, Moment
from verifier.config import Config
from verifier.contract import Guarantee, Verdict
from verifier.implementations import implementation
from verifier.scenario import Scenario
from verifier.servers import Pair

PAGE = (Path(__file__).parents[1] / "docs" / "faults.md").read_text(encoding="utf-8")


def test_every_fault_and_every_moment_is_on_the_page() -> None:
    made = {name for name in vars(Faults) if not name.startswith("_")}
    assert set(re.findall(r"^\| `(\w+)\(", PAGE, re.MULTILINE)) == made
    (moments,) = re.findall(r"\| moment \|.*?\n\n", PAGE, re.DOTALL)
    named = set(re.findall(r"`(\w+)=", moments))
    assert named == {each.name for each in fields(Moment)}


@pytest.mark.slow
def test_the_blow_of_the_page_falls_and_is_healed(servers: Pair, tmp_path: Path) -> None:
    (code,) = [
        each for each in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "fall" in each
    ]
    made: dict[str, Any] = {}
    exec(code, made)
    scenario = Scenario("page", servers, implementation("initial-load"), Config(), (), tmp_path)
    try:
        for side in (scenario.source, scenario.target):
            side.execute("CREATE TABLE item (id int PRIMARY KEY)")
        scenario.source.execute("INSERT INTO item SELECT generate_series(1, 50)")
        outcome = scenario.restore(fault=Faults().strike(made["Crowded"](), share=0.5))
        assert not outcome.claim.success
        assert outcome.proof.verdicts[Guarantee.RECOVERABILITY] is Verdict.KEPT
        outcome.prove()
        scenario.target.execute("SELECT")  # there is room again
    finally:
        scenario.close()
