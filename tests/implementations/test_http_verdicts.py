"""Services under test, from the documented configuration to the verdict of the command."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.test_cli import run

DOCUMENT = Path(__file__).parents[2] / "docs" / "adapters-http.md"
SERVICE = Path(__file__).parent / "sync_service.py"
SCENARIO = """
import pytest
from verifier import Seed

TABLES = '''
    CREATE TABLE categories (id text PRIMARY KEY, name text NOT NULL);
    CREATE TABLE products (
        id text PRIMARY KEY, category text NOT NULL CONSTRAINT products_category
        REFERENCES categories);
'''

def source(connection):
    connection.execute(TABLES + '''
        INSERT INTO categories VALUES ('a', 'Tea'), ('b', 'Tea'), ('c', 'Coffee');
        INSERT INTO products VALUES ('1', 'a'), ('2', 'b'), ('3', 'c');
    ''')

def target(connection):
    connection.execute(TABLES + '''
        ALTER TABLE categories ADD CONSTRAINT categories_name UNIQUE (name);
    ''')

@pytest.mark.guarantee("merging")
def test_duplicates(scenario):
    scenario.begin(source=Seed("duplicates", source), target=Seed("stricter", target))
    scenario.restore().prove()
"""


def documented() -> str:
    """Every configuration of the document, with a service in Python in place of the one in Node."""
    text = DOCUMENT.read_text()
    blocks = [block.partition("```")[0] for block in text.split("```toml\n")[1:]]
    command = json.dumps([sys.executable, str(SERVICE)])
    return "".join(blocks).replace('["node", "server.mjs"]', command)


@pytest.fixture
def verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """``verified(implementation)``: the command's exit code, what it said, and its report."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "test_duplicates.py").write_text(SCENARIO)
    (tmp_path / "restore-verifier.toml").write_text(documented())
    monkeypatch.setenv("SYNC_TOKEN", "sesame-5417")
    monkeypatch.setenv("PYTHONPATH", str(SERVICE.parents[2]))

    def verify(implementation: str) -> tuple[int, str, dict[str, Any]]:
        code, out, err = run(
            tmp_path,
            *("verify", "scenarios", "--implementation", implementation),
            *("--servers", "embedded", "--restore-report", "report.json"),
        )
        assert "sesame-5417" not in out + err + (tmp_path / "report.json").read_text()
        return code, out + err, json.loads((tmp_path / "report.json").read_text())

    return verify


@pytest.mark.slow
def test_a_restore_by_services_that_keeps_the_contract_is_green(verified: Any) -> None:
    code, said, report = verified("shop-api")
    assert (code, report["verdict"]) == (0, "kept"), said
    (scenario,) = report["scenarios"]
    kept = {"merging", "completeness", "idempotence", "honesty"}
    assert {scenario["verdicts"][guarantee] for guarantee in kept} == {"kept"}
    assert scenario["findings"] == []


@pytest.mark.slow
def test_a_service_that_answers_200_although_writes_failed_is_a_liar(verified: Any) -> None:
    code, said, report = verified("shop-receive")
    assert (code, report["verdict"]) == (1, "broken"), said
    worst = report["scenarios"][0]["findings"][0]
    assert (worst["guarantee"], worst["severity"]) == ("honesty", "lie")
    assert (worst["table"], worst["constraint"]) == ("public.products", "products_category")
    words = worst["evidence"][0]["words"]
    assert words.startswith('HTTP 200 OK: {"success": true, "processedCount": 6')
