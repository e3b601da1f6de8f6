"""Running a program: bounded output, a deadline, nothing left behind, no secret shown."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.waiting import eventually
from verifier.dsn import Dsn
from verifier.errors import UsageError
from verifier.implementations import process
from verifier.settings import CALL

DSN = Dsn.parse("postgresql://app:s3cr3t%20word@db.example:5433/shop")


def run(
    *arguments: str, cwd: Path, timeout: float = 20, environ: dict[str, str] | None = None
) -> process.Finished:
    return process.run(
        arguments, environ=environ or dict(os.environ), cwd=cwd, timeout=timeout, secrets=[DSN]
    )


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie that nobody has reaped yet does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def gone(pid: int) -> bool:
    return eventually(lambda: not alive(pid), seconds=5)


def test_exit_code_and_both_streams_are_returned(tmp_path: Path) -> None:
    done = run("sh", "-c", "echo out; echo err >&2; exit 7", cwd=tmp_path)
    assert (done.exit_code, done.stdout, done.stderr, done.timed_out) == (
        7,
        "out\n",
        "err\n",
        False,
    )
    assert done.last_words() == "err"


def test_last_words_are_those_of_stdout_when_stderr_is_silent(tmp_path: Path) -> None:
    done = run("sh", "-c", "seq 1 50; exit 1", cwd=tmp_path)
    assert done.last_words(lines=2) == "49\n50"


def test_a_program_ended_by_a_signal_has_the_shells_exit_code(tmp_path: Path) -> None:
    assert run("sh", "-c", "kill -9 $$", cwd=tmp_path).exit_code == 137


def test_a_program_has_no_input_to_wait_for(tmp_path: Path) -> None:
    assert run("cat", cwd=tmp_path, timeout=5).exit_code == 0


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at /proc")
@pytest.mark.parametrize("trap", ["", "trap '' TERM; "], ids=["polite", "deaf to SIGTERM"])
def test_a_timeout_ends_the_program_and_its_children(tmp_path: Path, trap: str) -> None:
    script = f"{trap}sleep 300 & echo $! > child; echo $$ > leader; echo working; wait; sleep 300"
    began = time.monotonic()
    done = run("sh", "-c", script, cwd=tmp_path, timeout=0.5)
    assert time.monotonic() - began < 6
    assert (done.exit_code, done.timed_out, done.stdout) == (124, True, "working\n")
    for name in ("leader", "child"):
        assert gone(int((tmp_path / name).read_text()))


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at /proc")
def test_what_a_program_leaves_in_the_background_neither_blocks_nor_survives(
    tmp_path: Path,
) -> None:
    began = time.monotonic()
    done = run("sh", "-c", "sleep 300 & echo $! > child; echo done", cwd=tmp_path, timeout=60)
    assert time.monotonic() - began < 5
    assert (done.exit_code, done.timed_out, done.stdout) == (0, False, "done\n")
    assert gone(int((tmp_path / "child").read_text()))


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at /proc")
def test_what_is_left_in_the_background_stays_for_a_caller_that_looks_for_it(
    tmp_path: Path,
) -> None:
    environ = {**os.environ, CALL: "a mark"}
    done = run("sh", "-c", "sleep 300 & echo $! > child; echo done", cwd=tmp_path, environ=environ)
    child = int((tmp_path / "child").read_text())
    assert (done.exit_code, done.stdout, alive(child)) == (0, "done\n", True)
    os.kill(child, signal.SIGKILL)
    run("sh", "-c", "sleep 300 & echo $! > child; wait", cwd=tmp_path, timeout=0.3, environ=environ)
    assert gone(int((tmp_path / "child").read_text())), "not so after a timeout"


def test_how_much_is_kept_can_be_chosen_and_what_was_cut_is_told(tmp_path: Path) -> None:
    def lines(number: int, keep: int) -> process.Finished:
        return process.run(
            ["sh", "-c", f"seq 1 {number}; echo few >&2"],
            environ=os.environ, cwd=tmp_path, timeout=20, keep=keep,
        )  # fmt: skip

    whole = lines(1000, 4000)
    assert (len(whole.stdout), whole.cut) == (3893, ())
    exactly = lines(1000, 3893)
    assert (len(exactly.stdout), exactly.cut) == (3893, ())
    part = lines(1000, 3892)
    assert (part.stdout[:4], part.stderr, part.cut) == ("2\n3\n", "few\n", ("stdout",))
    assert lines(1_000_000, 100_000).stdout.endswith("\n1000000\n")


def test_a_program_that_closes_its_streams_is_still_waited_for(tmp_path: Path) -> None:
    script = "exec >/dev/null 2>/dev/null; sleep 0.5; touch finished; exit 3"
    assert run("sh", "-c", script, cwd=tmp_path).exit_code == 3
    assert (tmp_path / "finished").exists()


def test_a_gigabyte_of_output_stays_bounded_and_the_end_of_it_is_kept(tmp_path: Path) -> None:
    # A process of its own, so that its peak is the peak of this run alone.
    program = (
        "import os, re, resource, sys; from pathlib import Path\n"
        "from verifier.implementations import process\n"
        "done = process.run(['sh', '-c', 'head -c 1000000000 /dev/zero; echo; echo the end'],\n"
        "                   environ=os.environ, cwd=Path(sys.argv[1]), timeout=60)\n"
        "assert done.exit_code == 0, done\n"
        "assert done.stdout.endswith('the end\\n') and len(done.stdout) <= process.KEPT\n"
        # Linux hands ru_maxrss on from the process that started this one; not so VmHWM.
        "status = Path('/proc/self/status')\n"
        "print(re.search(r'VmHWM:\\s*(\\d+)', status.read_text())[1] if status.exists()\n"
        "      else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    done = run(sys.executable, "-c", program, str(tmp_path), cwd=Path.cwd(), timeout=60)
    assert done.exit_code == 0, done.stderr
    kilobytes = int(done.stdout) // (1024 if sys.platform == "darwin" else 1)
    assert kilobytes < 200_000


def test_passwords_are_hidden_in_both_streams(tmp_path: Path) -> None:
    script = "echo connecting as s3cr3t word; echo postgresql://app:s3cr3t%20word@db >&2"
    done = run("sh", "-c", script, cwd=tmp_path)
    assert done.stdout == "connecting as ****\n"
    assert done.stderr == "postgresql://app:****@db\n"


def test_a_password_cut_in_half_by_the_bound_is_not_shown(tmp_path: Path) -> None:
    # The kept tail begins in the middle of the first line, inside the password.
    rest = process.KEPT - len("et word\n")
    script = f"printf 's3cr3t word\\n'; head -c {rest} /dev/zero | tr '\\0' x"
    done = run("sh", "-c", script, cwd=tmp_path)
    assert "word" not in done.stdout
    assert done.stdout == "x" * rest


def test_a_program_that_cannot_be_started_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"tried to start no-such-program .*No such file"):
        run("no-such-program", cwd=tmp_path)


def test_environ_leads_to_the_dsn_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOSTADDR", "10.0.0.1")
    monkeypatch.setenv("PGSERVICE", "production")
    monkeypatch.setenv("PGDATABASE", "production")
    monkeypatch.setenv("PGPASSFILE", "/home/app/.pgpass")
    found = process.environ(DSN)
    assert {name: value for name, value in found.items() if name.startswith("PG")} == {
        "PGHOST": "db.example",
        "PGPORT": "5433",
        "PGUSER": "app",
        "PGPASSWORD": "s3cr3t word",
        "PGDATABASE": "shop",
        "PGPASSFILE": "/home/app/.pgpass",
    }
    assert found["PATH"] == os.environ["PATH"]
