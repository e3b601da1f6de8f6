"""The page about the traps names every one of them once, and nothing that is not there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
PAGE = (REPOSITORY / "docs" / "traps.md").read_text(encoding="utf-8")
FAMILIES = {"U": 14, "O": 9, "F": 18, "H": 15, "S": 4}

LINES = dict(re.findall(r"^\| ([A-Z]\d\d) \|(.*)$", PAGE, re.MULTILINE))
IDS = re.findall(r"^\| ([A-Z]\d\d) \|", PAGE, re.MULTILINE)
NAMES = sorted(set(re.findall(r"`([\w/.]+::\w+)`", PAGE)))


def functions_of(path: Path) -> list[ast.FunctionDef]:
    """A module's functions."""
    if not path.exists():
        return []
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return [node for node in body if isinstance(node, ast.FunctionDef)]


def shown() -> set[str]:
    """The traps that scenarios are marked with."""
    return {
        str(ast.literal_eval(given))
        for path in (REPOSITORY / "scenarios").glob("test_*.py")
        for function in functions_of(path)
        for mark in function.decorator_list
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.trap"
        for given in mark.args
    }


def test_every_trap_is_there_once() -> None:
    every = [f"{family}{n:02}" for family, last in FAMILIES.items() for n in range(1, last + 1)]
    assert every == IDS


def test_scenarios_are_marked_with_traps_that_there_are() -> None:
    assert shown() <= set(IDS)


def test_a_trap_without_a_scenario_says_why_and_no_other_one_does() -> None:
    without = {trap for trap, line in LINES.items() if "*no scenario*" in line}
    assert without == set(IDS) - shown()


@pytest.mark.parametrize("name", NAMES)
def test_what_shows_it_exists(name: str) -> None:
    module, _, test = name.partition("::")
    assert test in [function.name for function in functions_of(REPOSITORY / module)]
