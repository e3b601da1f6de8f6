"""The benchmark runs to its end and gets right answers; how long it takes is not looked at."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_every_contender_but_the_peer_gives_the_right_answer_in_every_state(tmp_path):
    out = tmp_path / "figures.json"
    script = ROOT / "benchmarks" / "diff.py"
    sizes = ["--rows", "2000", "--keys", "text,integer", "--rounds", "1"]
    run = subprocess.run(
        [sys.executable, script, *sizes, "--without-peer", "--out", out],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    timings = json.loads(out.read_text())["timings"]
    assert [each["wrong"] for each in timings] == [""] * len(timings)
    raced = {(each["key"], each["state"], each["contender"]) for each in timings}
    assert len(raced) == len(timings) == 2 * 4 * 3
    for each in timings:
        assert 1e7 < each["peak"] < 150e6
        assert len(each["seconds"]) == 1
    assert "NO ANSWER" not in run.stdout
    assert "2,000 rows, integer key" in run.stdout
