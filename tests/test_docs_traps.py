"""The page about the traps names every one of them once, and nothing that is not there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
PAGE = (REPOSITORY / "docs" / "traps.md").read_text(encoding="utf-8")
FAMILIES = {"U": 14, "O": 9, "F": 18, "H": 15, "S": 4}

LINES = re.findall(r"^\| ([A-Z]\d\d) \|(.*)$", PAGE, re.MULTILINE)
IDS = [trap for trap, _ in LINES]
NAMES = sorted(set(re.findall(r"`([\w/.]+::\w+)`", PAGE)))


def functions_of(path: Path) -> set[str]:
    """The names of a module's test functions."""
    if not path.exists():
        return set()
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return {node.name for node in body if isinstance(node, ast.FunctionDef)}


def test_every_trap_is_there_once() -> None:
    every = [f"{family}{n:02}" for family, last in FAMILIES.items() for n in range(1, last + 1)]
    assert every == IDS


def test_every_trap_is_shown_or_says_what_is_not_done() -> None:
    assert [trap for trap, line in LINES if "::" not in line and "*not done*" not in line] == []


@pytest.mark.parametrize("name", NAMES)
def test_what_shows_it_exists(name: str) -> None:
    module, _, test = name.partition("::")
    if module.endswith(".py"):
        assert test in functions_of(REPOSITORY / module)
    else:
        assert f"test_{test}" in functions_of(REPOSITORY / "scenarios" / f"test_{module}.py")
