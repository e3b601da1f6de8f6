"""The whole matrix: each faulty implementation, and pg_dump, against every scenario of the shop.

The scenarios themselves, run with the default implementation, are the row that is green;
those that write a world of their own are proved in ``test_scenarios_can_fail.py``.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from verifier.contract import Guarantee, Severity, Verdict
from verifier.implementations import names
from verifier.implementations.faulty import FAULTS

G = Guarantee
REPOSITORY = Path(__file__).parents[1]

BROKEN: dict[str, set[Guarantee]] = {
    "pg_dump": {
        G.COMPLETENESS, G.MERGING, G.ORDERING, G.INTEGRITY, G.IDEMPOTENCE, G.HONESTY, G.CONTAINMENT,
    },
    "faulty:upsert-by-id": {G.COMPLETENESS, G.MERGING},
    "faulty:backup-order": {G.COMPLETENESS, G.MERGING, G.ORDERING},
    "faulty:swallow-errors": {G.COMPLETENESS, G.MERGING, G.IDEMPOTENCE, G.HONESTY},
    "faulty:composite-upsert": {G.COMPLETENESS, G.MERGING, G.HONESTY, G.PRESERVATION},
    "faulty:drop-orphans": {G.COMPLETENESS, G.MERGING, G.HONESTY},
}  # fmt: skip
"""Over the whole run. Besides the guarantee that it was made for, a faulty restore breaks
those that follow from it: who does not merge also loses rows."""

CAUSES = {
    "faulty:upsert-by-id": (
        "merging::children_of_both_duplicates_reach_the_survivor",
        "source rows that collide on a unique key of the target have no survivor",
        "business_categories_businessType_domainId_name_key",
    ),
    "faulty:backup-order": (
        "ordering::variants_before_products_in_the_backup",
        "children were written before their parents in public.business_products",
        "product_variants_productId_fkey",
    ),
    "faulty:swallow-errors": (
        "merging::children_of_both_duplicates_reach_the_survivor",
        "success was claimed, but",
        "business_products_categoryId_fkey",
    ),
    "faulty:composite-upsert": (
        "merging::children_of_both_duplicates_reach_the_survivor",
        "source rows that collide on a unique key of the target have no survivor",
        "business_categories_businessType_domainId_name_key",
    ),
    "faulty:drop-orphans": (
        "refusal::orphan_variants_are_named",
        "a row that cannot be restored is not named",
        "product_variants_productId_fkey",
    ),
}
"""The scenario in which a fault shows, the finding that names it, and the constraint."""


def of_the_shop() -> list[str]:
    """The scenarios whose databases are the shop's, as pytest names them."""
    return [
        f"scenarios/{path.name}::{node.name}"
        for path in sorted((REPOSITORY / "scenarios").glob("test_*.py"))
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and "world" not in [arg.arg for arg in node.args.args]
    ]


def run(implementation: str, report: Path) -> tuple[int, dict[str, Any]]:
    environ = {k: v for k, v in os.environ.items() if not k.startswith("RESTORE_VERIFIER_")}
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", *of_the_shop(), "-q", "-p", "no:cacheprovider",
            "--servers", "embedded", "--implementation", implementation,
            "--restore-report", str(report),
        ],
        cwd=REPOSITORY,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert report.exists(), done.stdout + done.stderr
    return done.returncode, json.loads(report.read_text())


def test_every_built_in_implementation_is_in_the_matrix() -> None:
    assert set(BROKEN) >= {name for name in names() if name == "pg_dump" or ":" in name}
    assert set(CAUSES) == set(FAULTS)


@pytest.mark.slow
@pytest.mark.parametrize("implementation", BROKEN)
def test_matrix(implementation: str, tmp_path: Path) -> None:
    code, report = run(implementation, tmp_path / "report.json")
    found = {
        Guarantee(name)
        for name, verdict in report["guarantees"].items()
        if verdict == Verdict.BROKEN.value
    }
    assert found == BROKEN[implementation]
    assert code == (1 if found else 0)
    assert set(report["guarantees"]) == set(Guarantee)  # the catalogue exercises every one
    if implementation in FAULTS:
        assert FAULTS[implementation] in found
        _names_its_cause(report, FAULTS[implementation], *CAUSES[implementation])


def _names_its_cause(
    report: dict[str, Any], guarantee: Guarantee, scenario: str, title: str, constraint: str
) -> None:
    (row,) = [row for row in report["scenarios"] if row["scenario"] == scenario]
    assert row["verdicts"][guarantee.value] == Verdict.BROKEN.value
    finding = next(
        each
        for each in row["findings"]
        if each["guarantee"] == guarantee.value and each["severity"] != Severity.NOTE.name.lower()
    )
    assert finding["title"].startswith(title)
    assert finding["constraint"] == constraint
    assert finding["evidence"]
    # What it was made for comes first, unless it also lied about it.
    first = row["findings"][0]
    assert first["guarantee"] == guarantee.value or first["severity"] == "lie"
