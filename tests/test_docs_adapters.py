"""The examples of docs/adapters.md are run as they stand there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from verifier import programs
from verifier.config import Config
from verifier.implementations import claims, kinds, patterns, placeholders
from verifier.settings import OWN_FILE

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/adapters.md").read_text()
COMMAND = "import sys; from verifier.cli import main; sys.exit(main())"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def acme(tmp_path: Path) -> Path:
    """A folder outside of this repository, with the files of the complete example."""
    (tmp_path / OWN_FILE).write_text(blocks("toml")[0])
    scripts = [text for text in blocks("sh") if text.startswith("#!")]
    for name, text in zip(("backup.sh", "restore.sh"), scripts, strict=True):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios/test_tea.py").write_text(blocks("python")[0])
    return tmp_path


def run(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("RESTORE_", "PYTEST_"))}
    path = f"{Path(sys.executable).parent}:{programs.newest('psql').parent}:{os.environ['PATH']}"
    return subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments],
        cwd=directory,
        env=inherited | {"PYTHONPATH": str(ROOT), "PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("workers", [[], ["-n", "1"]], ids=["alone", "parallel"])
def test_the_complete_example_gets_its_verdict_with_one_command(
    acme: Path, workers: list[str]
) -> None:
    assert len((acme / OWN_FILE).read_text().splitlines()) < 20
    done = run(acme, "verify", "--restore-report", "report.json", "--", *workers)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((acme / "report.json").read_text())
    assert (report["about"]["implementation"], report["verdict"]) == ("acme", "kept")
    assert report["guarantees"]["honesty"] == "kept"
    assert report["not_offered"] == {"idempotence": "a second restore needs an empty database"}


@pytest.mark.slow
def test_the_complete_example_without_its_safeguard_is_caught(acme: Path) -> None:
    script = (acme / "restore.sh").read_text()
    (acme / "restore.sh").write_text(script.replace("--set=ON_ERROR_STOP=1", ""))
    scenario = (acme / "scenarios/test_tea.py").read_text()
    # The target has grown a rule that a row of the source breaks.
    stricter = scenario.replace('target=Seed("empty", empty)', 'target=Seed("strict", strict)') + (
        "\n\ndef strict(connection):\n    empty(connection)\n"
        "    connection.execute(\"ALTER TABLE tea ADD CHECK (name <> 'black')\")\n"
    )
    (acme / "scenarios/test_tea.py").write_text(stricter)
    done = run(acme, "verify")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "BROKEN honesty: a failure was claimed with exit code 0" in done.stdout
    assert 'violates check constraint "tea_name_check"' in done.stdout


@pytest.mark.slow
def test_our_own_commands_keep_what_is_asked_of_them(tmp_path: Path) -> None:
    (tmp_path / OWN_FILE).write_text('servers = "embedded"\n' + blocks("toml")[2])
    names = (
        "first_load::demo_businesses_stay_behind",
        "merging::duplicates_below_duplicates",
        "faults::client_that_is_killed",
    )
    options = ("--implementation", "commands", "--restore-report", "report.json")
    done = run(tmp_path, "verify", *names, *options, "--", "-k", "not end")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["verdict"], len(report["scenarios"])) == ("kept", len(names))
    assert not report["not_offered"]


def test_a_command_that_is_missing_ends_the_run_before_it_begins(acme: Path) -> None:
    (acme / "restore.sh").unlink()
    done = run(acme, "verify")
    assert done.returncode == 2
    assert f"there is no program {acme}/restore.sh" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stdout + done.stderr
    assert "PostgreSQL" not in done.stdout, "no server was started"


def test_scenarios_may_lie_in_another_project(acme: Path) -> None:
    elsewhere = acme / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "pytest.ini").write_text("[pytest]\n")
    (acme / "scenarios" / "test_tea.py").rename(elsewhere / "test_tea.py")
    done = run(acme, "verify", str(elsewhere), "--", "--collect-only", "-p", "no:cacheprovider")
    assert f"rootdir: {elsewhere}" in done.stdout
    assert "implementation acme" in done.stdout, "found where the command is run"


def test_what_can_be_asked_for_is_listed(acme: Path) -> None:
    done = run(acme, "implementations")
    assert done.returncode == 0
    assert re.search(r"^acme +configured: command$", done.stdout, re.MULTILINE)


def test_the_halves_of_different_makers_can_be_configured(tmp_path: Path) -> None:
    toml = (
        blocks("toml")[1].replace("node dist/restore.js", "true").replace("pg_dump -F", "true -F")
    )
    (tmp_path / OWN_FILE).write_text(toml)
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme/__init__.py").touch()
    (tmp_path / "acme/backups.py").write_text(
        "class Restore:\n    name, not_offered = 'x', {}\n"
        "    def backup(self, source): ...\n    def restore(self, backup, target): ...\n"
    )
    done = run(tmp_path, "implementations")
    assert "initial-load, restored by command" in done.stdout, done.stderr
    assert "command, restored by initial-load" in done.stdout
    assert re.search(r"^both-in-python +configured: python$", done.stdout, re.MULTILINE)


def test_the_claims_can_be_read() -> None:
    document, lines = blocks("json")
    said = claims.of_text(document)
    assert said.figures["business_categories"] == {"inserted": 6}
    assert said.figures[""] == {"rows": 12}
    assert len(said.rejections or ()) == len(said.merges or ()) == 1
    assert claims.of_lines(lines.splitlines()).message == "done"
    claim = tomllib.loads(blocks("toml")[3])["claim"]
    assert len(patterns.read(claim["patterns"], "claim")) == 3


def test_every_placeholder_is_told() -> None:
    for name in (*placeholders.known("source", "backup"), *placeholders.known("target")):
        part = name.partition(".")[2]
        assert f"`{{{name}}}`" in PAGE or f"`.{part}`" in PAGE or f"{{source.{part}}}" in PAGE, name


def test_every_key_of_a_claim_is_told() -> None:
    for kind in claims.KINDS:
        assert f"`{kind}`" in PAGE


def test_a_file_that_configures_nothing_lists_the_built_in_ones(tmp_path: Path) -> None:
    assert set(kinds(Config.load({}, {}, tmp_path).definitions).values()) == {"built in"}
