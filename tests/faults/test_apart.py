"""Implementations that are called in a process of their own, and killed there."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.waiting import until
from verifier.contract import Guarantee
from verifier.errors import BackupError, ObservationError
from verifier.faults.apart import Killed, OwnProcess

pytestmark = pytest.mark.slow


class Odd(Exception):
    """Cannot be made again from what it keeps."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


class Doing:
    """Does something in its process that tests can look at; its methods are no restore's."""

    name = "initial-load"
    not_offered: Mapping[Guarantee, str] = {}

    def pid(self) -> int:
        return os.getpid()

    def variable(self, name: str) -> str | None:
        return os.environ.get(name)

    def fail(self) -> None:
        raise BackupError("the disk is full")

    def fail_oddly(self) -> None:
        raise Odd(1, 2)

    def exit(self) -> None:
        os._exit(7)

    def unsendable(self) -> Any:
        return threading.Lock()

    def hang(self, started: Path, port: int = 0) -> None:
        with socket.socket() as connection:
            if port:
                connection.connect(("127.0.0.1", port))
            command = [sys.executable, "-c", "import time; time.sleep(60)"]
            child = subprocess.Popen(command, start_new_session=True)
            started.write_text(f"{os.getpid()} {child.pid}")
            time.sleep(60)


def call(method: str, *arguments: object) -> Any:
    return OwnProcess().call(Doing(), method, *arguments)  # type: ignore[arg-type]


def test_it_is_another_process_with_the_environment_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_THIS_CALL", "yes")
    assert call("pid") != os.getpid()
    assert call("variable", "OF_THIS_CALL") == "yes"


def test_what_it_raises_is_raised() -> None:
    with pytest.raises(BackupError, match="the disk is full"):
        call("fail")


def test_an_error_that_cannot_be_sent_comes_in_its_words() -> None:
    with pytest.raises(RuntimeError, match="Odd: 1 and 2"):
        call("fail_oddly")


def test_a_process_that_ends_by_itself_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="ended with exit code 7"):
        call("exit")


def test_what_cannot_be_sent_back_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="what unsendable returned cannot be sent"):
        call("unsendable")


def test_what_cannot_be_sent_there_is_made_by_its_name() -> None:
    called = Doing()
    called.held = threading.Lock()  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="'InitialLoad' object has no attribute 'pid'"):
        OwnProcess().call(called, "pid")  # type: ignore[arg-type]


def hanging(tmp_path: Path, port: int = 0) -> tuple[OwnProcess, threading.Thread, list[object]]:
    process, ended = OwnProcess(), list[object]()

    def run() -> None:
        try:
            process.call(Doing(), "hang", tmp_path / "started", port)  # type: ignore[arg-type]
        except Killed:
            ended.append("killed")

    thread = threading.Thread(target=run)
    thread.start()
    started = tmp_path / "started"
    until(lambda: started.exists() and started.read_text(), seconds=30)
    return process, thread, ended


def pids(tmp_path: Path) -> list[int]:
    return [int(pid) for pid in (tmp_path / "started").read_text().split()]


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_killed_it_is_gone_with_all_that_it_started(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        process, thread, ended = hanging(tmp_path, server.getsockname()[1])
        connection, (_, port) = server.accept()
        with connection:
            process.kill([port])
    thread.join(30)
    assert ended == ["killed"]
    assert not any(alive(pid) for pid in pids(tmp_path))


def test_a_connection_of_somebody_else_is_told(tmp_path: Path) -> None:
    process, thread, ended = hanging(tmp_path)
    with pytest.raises(ObservationError, match="held by a process that was there before"):
        process.kill([1])
    thread.join(30)
    assert ended == ["killed"]
    for pid in pids(tmp_path):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
