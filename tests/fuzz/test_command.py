"""``restore-verifier fuzz``: what it refuses, what it survives, what it hands out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tests.commands import ran
from tests.fuzz.bad import Hangs
from tests.fuzz.test_telling import WORLD
from verifier.contract import Guarantee
from verifier.dsn import Dsn
from verifier.fuzz.apart import HANGS, Apart
from verifier.fuzz.searching import Known, Search
from verifier.fuzz.subject import subject
from verifier.model.world import BackupForm
from verifier.servers import Pair

NOBODY = Dsn({"password": "of nobody"})


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--implementation", "acme"], "there is no implementation 'acme'"),
        (["--minutes", "0"], "--minutes is '0'"),
        (["--world-timeout", "soon"], "--world-timeout is 'soon'"),
        (["--jobs", "0"], "--jobs is '0'"),
        (["--schema", "nowhere.sql"], "there is no such file"),
        (["--seed", __file__], "--schema"),
        (["--replay", "nowhere.json"], "--replay nowhere.json cannot be read"),
        (["--replay", __file__], "this is no world"),
        (["--json", ""], "--json '' cannot be written"),
        (["worlds"], "unknown argument worlds"),
    ],
)
def test_what_cannot_be_right_is_refused_before_a_server_starts(
    capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    code, said, last = ran(capsys, NOBODY, "fuzz", "--servers", "embedded", *arguments)
    assert (code, said) == (2, "")
    assert told in last


def _started(place: Path, *arguments: str) -> subprocess.Popen[str]:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", "import sys; from verifier.cli import main; sys.exit(main())"]
    return subprocess.Popen(
        [*command, "fuzz", "--servers", "embedded", "--jobs", "1", *arguments],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_the_search_goes_on_when_an_implementation_ends_its_process(tmp_path: Path) -> None:
    run = _started(
        tmp_path, "--implementation", "tests.fuzz.bad:Dies", "--minutes", "0.3", "--seed", "1",
        "--json", "told.json",
    )  # fmt: skip
    output, errors = run.communicate(timeout=300)
    assert run.returncode == 1, errors
    assert "honesty: the restore ended the process that it ran in" in output
    plain = json.loads((tmp_path / "told.json").read_text())
    failure = next(each for each in plain["failures"] if each["guarantee"] == "honesty")
    assert failure["tables"] <= 2
    assert plain["worlds"] > failure["worlds"], "others were tried as well"
    assert "Traceback" not in errors


def test_what_hangs_is_stopped_and_made_small(servers: Pair) -> None:
    apart = Apart(Hangs(), 1.0)
    tested = replace(subject(apart), forms=(BackupForm.INSERTS,))
    with Search(tested, servers, Known(), shrink_seconds=3) as search:
        (failure,) = search.consider(WORLD)
    assert failure.cause == (Guarantee.RECOVERABILITY, HANGS)
    assert failure.claim is None
    assert failure.world.size < WORLD.size


@pytest.mark.slow
def test_it_ends_within_seconds_when_it_is_told_to(tmp_path: Path) -> None:
    run = _started(tmp_path, "--minutes", "5", "--seed", "1")
    seen: set[psutil.Process] = set()
    until = time.monotonic() + 60
    while not any(each.name() == "postgres" for each in seen) and time.monotonic() < until:
        time.sleep(0.5)
        seen = set(psutil.Process(run.pid).children(recursive=True))
    time.sleep(3)
    began = time.monotonic()
    run.send_signal(signal.SIGINT)
    output, errors = run.communicate(timeout=60)
    assert time.monotonic() - began < 20
    assert run.returncode == 128 + signal.SIGINT
    assert "KEPT" in output or "UNKNOWN" in output or "BROKEN" in output
    assert errors.splitlines()[-1].startswith("restore-verifier: interrupted; ")
    _, left = psutil.wait_procs(seen, timeout=10)
    assert not left
