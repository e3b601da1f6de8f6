"""Real servers for the tests of the servers, and runs in processes of their own."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from verifier.config import Config, ServerKind
from verifier.servers import Pair, choose, processes

REPOSITORY = Path(__file__).parents[2]

STARTS_A_PAIR = """
import json, sys, time
from verifier.servers import Side, embedded
pair = embedded.start_pair(18, 16)
pair.databases(Side.SOURCE).create("something")
"""

REPORTS = "print(json.dumps([str(pair.source.admin), str(pair.target.admin)]), flush=True)\n"


@pytest.fixture(scope="session")
def pair() -> Iterator[Pair]:
    """Embedded 18 and 16, shared: for tests that neither stop nor reconfigure them."""
    config = Config(servers=ServerKind.EMBEDDED, source_version=18, target_version=16)
    with choose(config).start() as started:
        yield started


@dataclass
class Scratch:
    """A temporary directory of its own, so that only this test's runs are in it."""

    path: Path

    @property
    def base(self) -> Path:
        return next(self.path.glob("restore-verifier-*"))

    def runs(self) -> list[str]:
        """What is there besides the two files that every run shares."""
        return sorted(
            path.name for path in self.base.iterdir() if path.name not in ("sweep.lock", "identity")
        )

    def processes(self) -> set[int]:
        return processes.running(self.path)


@pytest.fixture
def scratch() -> Iterator[Scratch]:
    # Not tmp_path: root's servers run as another account, which cannot get in there.
    path = Path(os.path.realpath(tempfile.mkdtemp(prefix="rv-test-")))
    path.chmod(0o755)
    yield Scratch(path)
    processes.end(path)
    shutil.rmtree(path)


@dataclass
class Child:
    """A Python process that uses the servers."""

    process: subprocess.Popen[str]

    def line(self, seconds: float = 30) -> str:
        """The next line it prints."""
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        text = self.process.stdout.readline() if ready else ""
        assert text, f"nothing printed within {seconds} s; status {self.process.poll()}"
        return text

    def answer(self) -> None:
        """End the line that it reads."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def servers(self) -> list[str]:
        shown: list[str] = json.loads(self.line())
        return shown

    def ends(self, seconds: float = 30) -> int:
        return self.process.wait(seconds)


RunPython = Callable[..., Child]


@pytest.fixture
def run_python(scratch: Scratch) -> Iterator[RunPython]:
    """Run ``code`` in a new process (group) below ``scratch``; what still runs is killed."""
    with ExitStack() as running:

        def run(code: str, *prefix: str, arguments: tuple[str, ...] = ("-c",)) -> Child:
            process = subprocess.Popen(
                [*prefix, sys.executable, *arguments, code],
                cwd=REPOSITORY,
                env={**os.environ, "TMPDIR": str(scratch.path), "PYTHONDONTWRITEBYTECODE": "1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
            running.enter_context(process)  # closes its pipe and waits for it
            running.callback(process.kill)
            return Child(process)

        yield run


@pytest.fixture
def in_scratch(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of this process are in ``scratch``, too."""
    monkeypatch.setenv("TMPDIR", str(scratch.path))
    monkeypatch.setattr("tempfile.tempdir", str(scratch.path))
