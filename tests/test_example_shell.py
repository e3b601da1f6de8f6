"""A folder of somebody else's: the wheel, twenty lines of TOML and two shell scripts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "shell"
SCENARIOS = (
    "first_load::empty_source_leaves_a_loaded_target_alone",
    "keys::tables_of_nothing_but_their_key",
    "keys::primary_key_that_is_checked_at_the_end",
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, and nothing else of the clone, in a directory of its own."""
    directory = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "wheel", "--no-deps", f"--wheel-dir={directory}", ROOT], check=True, cwd=directory
    )
    (wheel,) = directory.glob("*.whl")
    subprocess.run(
        [*pip, "install", "--no-deps", f"--target={directory / 'site'}", wheel], check=True
    )
    return directory / "site"


@pytest.mark.slow
def test_a_shell_script_gets_its_verdict_by_one_command(installed: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    shutil.copytree(EXAMPLE, theirs)
    environ = {k: v for k, v in os.environ.items() if not k.startswith("RESTORE_VERIFIER_")}
    report = tmp_path / "report.json"
    done = subprocess.run(
        [
            sys.executable, installed / "bin" / "restore-verifier", "verify", *SCENARIOS,
            "--servers", "embedded", "--restore-report", report,
        ],
        cwd=theirs,
        env={**environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stderr.splitlines()[-1].startswith("restore-verifier: upserts breaks ")
    assert str(ROOT) not in done.stdout, "the scenarios are the wheel's"
    proofs = {each["scenario"]: each for each in json.loads(report.read_text())["scenarios"]}
    assert set(proofs) == set(SCENARIOS)
    # psql says what is wrong, and the script passes it on.
    deferrable = proofs["keys::primary_key_that_is_checked_at_the_end"]
    assert deferrable["verdicts"]["completeness"] == "broken"
    assert "ON CONFLICT does not support deferrable" in json.dumps(deferrable["findings"])
    sequences = proofs["first_load::empty_source_leaves_a_loaded_target_alone"]
    assert sequences["findings"][0]["severity"] == "lie"
    assert "is behind its column" in sequences["findings"][0]["title"]
    assert sequences["verdicts"]["idempotence"] == "not offered"
    names = {each.name for each in EXAMPLE.iterdir()}
    assert {each.name for each in theirs.iterdir()} == names, "nothing is left in their folder"


def test_the_configuration_of_the_example_is_twenty_lines() -> None:
    assert len((EXAMPLE / "restore-verifier.toml").read_text().splitlines()) <= 20
