"""Services under test, from the documented configuration to the verdict of the command."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.implementations.configuring import configured
from tests.implementations.conftest import MakeEndpoint, rows
from tests.test_cli import run
from verifier.contract import Merge
from verifier.implementations import Backup
from verifier.servers import Side

DOCUMENT = Path(__file__).parents[2] / "docs" / "adapters.md"
SERVICE = Path(__file__).parent / "sync_service.py"
TOKEN = "sesame-5417"
TABLES = """
    CREATE TABLE categories (id text PRIMARY KEY, name text NOT NULL);
    CREATE TABLE products (
        id text PRIMARY KEY, category text NOT NULL CONSTRAINT products_category
        REFERENCES categories);
"""
SOURCE = f"""{TABLES}
    INSERT INTO categories VALUES ('a', 'Tea'), ('b', 'Tea'), ('c', 'Coffee');
    INSERT INTO products VALUES ('1', 'a'), ('2', 'b'), ('3', 'c');
"""
TARGET = f"{TABLES} ALTER TABLE categories ADD CONSTRAINT categories_name UNIQUE (name);"
SCENARIO = f"""
import pytest
from verifier import Seed

def source(connection):
    connection.execute({SOURCE!r})

def target(connection):
    connection.execute({TARGET!r})

@pytest.mark.guarantee("merging")
def test_duplicates(scenario):
    scenario.begin(source=Seed("duplicates", source), target=Seed("stricter", target))
    scenario.restore().prove()
"""


def documented() -> str:
    """Every configuration of the section, with a service in Python in place of the one in Node."""
    text = DOCUMENT.read_text().partition("## HTTP services\n")[2]
    blocks = [block.partition("```")[0] for block in text.split("```toml\n")[1:]]
    command = json.dumps([sys.executable, str(SERVICE)])
    return "".join(blocks).replace('["node", "server.mjs"]', command)


def parts() -> tuple[str, str]:
    """The document's configuration in two: the last block makes an honest failure of a lie."""
    whole = documented()
    first, header, last = whole.rpartition("[implementations.shop-receive.restore.claim]")
    return first, header + last


@pytest.fixture
def verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """``verified(implementation)``: the command's exit code, what it said, and its report."""
    settings = 'servers = "embedded"\n'
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "test_duplicates.py").write_text(SCENARIO)
    (tmp_path / "restore-verifier.toml").write_text(settings + parts()[0])
    monkeypatch.setenv("SYNC_TOKEN", TOKEN)
    monkeypatch.setenv("PYTHONPATH", str(SERVICE.parents[2]))

    def verify(implementation: str) -> tuple[int, str, dict[str, Any]]:
        code, out, err = run(
            tmp_path,
            *("verify", "scenarios", "--implementation", implementation),
            *("--restore-report", "report.json"),
        )
        assert TOKEN not in out + err + (tmp_path / "report.json").read_text()
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


def test_the_same_service_tells_the_truth_to_who_reads_its_answer(
    endpoint: MakeEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNC_TOKEN", TOKEN)
    source, target = endpoint(Side.SOURCE, SOURCE), endpoint(Side.TARGET, TARGET)
    receive = configured(tmp_path, documented(), "shop-receive")
    backup = receive.backup(source)
    claim = receive.restore(backup, target)
    assert not claim.success
    assert claim.message.startswith("HTTP 200 OK: $.processedEvents[*].status is ['processed', ")
    for constraint in ("categories_name", "products_category"):
        assert f'"{constraint}"' in claim.message
    assert rows(target.dsn, "SELECT id FROM products ORDER BY id") == [("1",), ("3",)]


def test_what_was_merged_is_told_in_the_words_of_the_catalogue(
    endpoint: MakeEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNC_TOKEN", TOKEN)
    source, target = endpoint(Side.SOURCE, SOURCE), endpoint(Side.TARGET, TARGET)
    shop = configured(tmp_path, documented(), "shop-api")
    claim = shop.restore(shop.backup(source), target)
    assert claim.success, claim.message
    assert claim.merges == (
        Merge(table="public.categories", key={"id": "a"}, survivor={"id": "b"}),
    )
    assert claim.figures is not None
    assert claim.figures["public.products"]["inserted"] == 3
    refused = shop.restore(Backup((tmp_path / "restore-verifier.toml",)), target)
    assert not refused.success
    assert refused.message.startswith("HTTP 200 OK: $.success is False: ")
