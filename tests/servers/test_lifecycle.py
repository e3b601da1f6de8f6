"""However a run ends, no server outlives it."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import pytest

from tests.servers.conftest import REPORTS, STARTS_A_PAIR, RunPython, Scratch
from tests.waiting import eventually
from verifier.servers import Pair, processes, sessions
from verifier.servers.run import Run

pytestmark = pytest.mark.slow

WAITS = "time.sleep(60)\n"


def test_servers_end_with_a_program_that_never_closed_them(
    scratch: Scratch, run_python: RunPython
) -> None:
    child = run_python(STARTS_A_PAIR + REPORTS + "raise ValueError('of the test')\n")
    child.servers()
    assert child.ends() == 1
    assert scratch.runs() == []
    assert scratch.processes() == set()


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (signal.SIGTERM, 128 + signal.SIGTERM),
        (signal.SIGHUP, 128 + signal.SIGHUP),
        (signal.SIGINT, -signal.SIGINT),
    ],
)
def test_servers_end_when_a_signal_ends_the_run(
    scratch: Scratch, run_python: RunPython, number: signal.Signals, status: int
) -> None:
    child = run_python(STARTS_A_PAIR + REPORTS + WAITS)
    child.servers()
    os.killpg(child.process.pid, number)  # the whole group, as a terminal does
    assert child.ends() == status
    assert scratch.runs() == []
    assert scratch.processes() == set()


def test_servers_end_when_a_signal_arrives_while_they_start(
    scratch: Scratch, run_python: RunPython
) -> None:
    child = run_python(STARTS_A_PAIR)
    assert eventually(lambda: bool(scratch.processes()))
    child.process.terminate()
    assert child.ends() == 128 + signal.SIGTERM
    assert scratch.runs() == []
    assert scratch.processes() == set()


def test_a_terminated_pytest_session_ends_at_once_and_takes_its_servers_along(
    scratch: Scratch, run_python: RunPython
) -> None:
    suite = scratch.path / "test_suite.py"
    suite.write_text(
        "import os, signal, time, pytest\n"
        "from verifier.servers import embedded\n"
        "@pytest.fixture(scope='session')\n"
        "def pair():\n"
        "    with embedded.start_pair(18, 16) as pair:\n"
        "        yield pair\n"
        "def test_cut_off(pair):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    time.sleep(30)\n"
        "def test_never_reached(pair):\n"
        "    pass\n"
    )
    options = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(scratch.path))
    child = run_python(str(suite), arguments=options)
    output, _ = child.process.communicate(timeout=30)
    assert child.process.returncode == 2  # interrupted
    assert "Terminated" in output
    assert "passed" not in output
    assert scratch.runs() == []
    assert scratch.processes() == set()


@pytest.mark.usefixtures("in_scratch")
@pytest.mark.parametrize("postmasters", ["alive", "killed"])
def test_the_next_run_removes_what_a_killed_run_left(
    scratch: Scratch, run_python: RunPython, postmasters: str
) -> None:
    killed = run_python(STARTS_A_PAIR + REPORTS + WAITS)
    killed.servers()
    killed.process.kill()
    killed.ends()
    assert len(scratch.runs()) == 1
    if postmasters == "killed":  # their backends are orphans that may go on for a while
        for data in scratch.base.glob("*/*/data"):
            pid = processes.postmaster(data)
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
    else:
        assert len(scratch.processes()) > 2

    following = Run()
    try:
        assert scratch.runs() == [following.id]
        assert scratch.processes() == set()
    finally:
        following.close()


def test_two_runs_at_once_do_not_disturb_each_other(
    scratch: Scratch, run_python: RunPython
) -> None:
    asks = "sys.stdin.readline()\nprint(pair.source.alive(), pair.target.alive(), flush=True)\n"
    first = run_python(STARTS_A_PAIR + REPORTS + asks)
    one = first.servers()
    second = run_python(STARTS_A_PAIR + REPORTS)
    other = second.servers()
    assert set(one).isdisjoint(other)
    assert second.ends() == 0
    first.answer()
    assert first.line() == "True True\n"
    assert first.ends() == 0
    assert scratch.runs() == []


def test_a_forked_child_that_exits_leaves_its_parents_servers_alone(
    scratch: Scratch, run_python: RunPython
) -> None:
    forks = (
        "import os\n"
        "child = os.fork()\n"
        "if not child: sys.exit()\n"
        "os.waitpid(child, 0)\n"
        "print(pair.source.alive(), pair.target.alive(), flush=True)\n"
    )
    child = run_python(STARTS_A_PAIR + forks)
    assert child.line() == "True True\n"
    assert child.ends() == 0
    assert scratch.runs() == []


def test_a_handler_that_somebody_else_installed_stays(
    scratch: Scratch, run_python: RunPython
) -> None:
    own = "import signal\nsignal.signal(signal.SIGTERM, lambda *_: print('mine', flush=True))\n"
    sends = "signal.raise_signal(signal.SIGTERM)\nprint(pair.source.alive(), flush=True)\n"
    child = run_python(own + STARTS_A_PAIR + sends)
    assert [child.line(), child.line()] == ["mine\n", "True\n"]
    assert child.ends() == 0
    assert scratch.runs() == []


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_no_server_process_inherits_the_lock_of_the_run(pair: Pair) -> None:
    with sessions.connect(pair.source.admin) as session:
        data = Path(session.execute("SHOW data_directory").fetchall()[0][0])
    lock = data.parents[1] / "lock"
    assert lock in _open_files(os.getpid())
    servers = processes.running(lock.parent)
    assert len(servers) > 2
    for pid in servers:
        assert lock not in _open_files(pid)


def test_a_server_is_in_no_session_that_a_terminal_interrupts(pair: Pair) -> None:
    with sessions.connect(pair.source.admin) as session:
        data = Path(session.execute("SHOW data_directory").fetchall()[0][0])
    pid = processes.postmaster(data)
    assert pid is not None
    assert os.getsid(pid) == pid != os.getsid(0)


def _open_files(pid: int) -> set[Path]:
    found = set()
    with contextlib.suppress(FileNotFoundError):  # a session's process that has ended meanwhile
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                found.add(entry.readlink())
    return found
