"""Services that are started for a call: ready, never ready, gone at once, in the way, and ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.implementations.peers import answer, serving
from tests.implementations.test_process import alive, gone
from verifier.errors import UsageError
from verifier.implementations.http.failure import Failed
from verifier.implementations.http.services import Launch, free_ports, running

LOOKS_AT_PROC = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="looks at /proc, or starts setsid(1)"
)
REPOSITORY = Path(__file__).parents[2]
SERVER = """
import http.server, os, subprocess, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *words): pass
with open("pids", "a") as file:
    print(os.getpid(), subprocess.Popen(["sleep", "300"]).pid, file=file, flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def launch(place: Path, *command: str, timeout: float = 20, **more: object) -> Launch:
    return Launch(
        name="receiver", command=command, environ=os.environ | {"SHOP": "tea"}, directory=place,
        timeout=timeout, **more,  # type: ignore[arg-type]
    )  # fmt: skip


def server(place: Path, port: int) -> Launch:
    command = (sys.executable, "-c", SERVER, str(port))
    return launch(place, *command, port=port, health=f"http://127.0.0.1:{port}/health")


def failure(*launches: Launch) -> str:
    with pytest.raises(Failed) as caught, running(launches, str):
        pytest.fail("nothing is ready")
    return str(caught.value)


def pids(place: Path) -> list[int]:
    return [int(pid) for pid in (place / "pids").read_text().split()]


@LOOKS_AT_PROC
@pytest.mark.slow
def test_services_are_ready_in_the_block_and_gone_with_their_children_after_it(
    tmp_path: Path,
) -> None:
    ports = free_ports(2)
    with running([server(tmp_path, port) for port in ports], str):
        for port in ports:
            assert httpx.get(f"http://127.0.0.1:{port}/", trust_env=False).status_code == 200
        assert len(pids(tmp_path)) == 4
        assert all(map(alive, pids(tmp_path)))
    assert all(map(gone, pids(tmp_path)))


@LOOKS_AT_PROC
@pytest.mark.slow
def test_an_error_in_the_block_ends_them_and_passes(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), running([server(tmp_path, free_ports(1)[0])], str):
        raise ZeroDivisionError
    assert all(map(gone, pids(tmp_path)))


@LOOKS_AT_PROC
def test_a_service_that_never_gets_healthy_is_ended_and_told_of(tmp_path: Path) -> None:
    script = "sleep 300 & echo $$ $! > pids; echo warming up for $SHOP; wait"
    with serving(answer(503, b"no database yet")) as peer:
        health = f"{peer.url}/health"
        one = launch(tmp_path, "sh", "-c", script, port=free_ports(1)[0], health=health, timeout=1)
        words = failure(one)
    assert words == (
        f"the service receiver was not ready within 1 s: GET {health} answered HTTP 503 Service "
        "Unavailable: no database yet (it printed last: warming up for tea)"
    )
    assert all(map(gone, pids(tmp_path)))


def test_a_service_that_never_listens_is_told_of(tmp_path: Path) -> None:
    port = free_ports(1)[0]
    words = failure(launch(tmp_path, "sleep", "300", port=port, timeout=0.3))
    assert words == (
        f"the service receiver was not ready within 0.3 s: port {port} of 127.0.0.1: "
        "Connection refused (it printed nothing)"
    )


def test_a_service_that_ends_at_once_is_told_of_with_its_last_words(tmp_path: Path) -> None:
    began = time.monotonic()
    script = "echo starting; echo 'Error: listen EADDRINUSE' >&2; exit 3"
    words = failure(launch(tmp_path, "sh", "-c", script, port=free_ports(1)[0], timeout=60))
    assert words == (
        "the service receiver ended with exit code 3 (it printed last: starting\n"
        "Error: listen EADDRINUSE) before it was ready"
    )
    assert time.monotonic() - began < 5


def test_a_service_that_ends_during_the_call_is_told_of_with_the_failure(tmp_path: Path) -> None:
    script = f"""
import os, socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
listener.accept()[0].close()  # whoever looks whether it is ready
connection, _ = listener.accept()
print("out of memory", file=sys.stderr, flush=True)
os.kill(os.getpid(), {int(signal.SIGKILL)})
"""
    port = free_ports(1)[0]
    one = launch(tmp_path, sys.executable, "-c", script, str(port), port=port)

    def call() -> None:
        with socket.create_connection(("127.0.0.1", port)) as connection, suppress(OSError):
            connection.recv(1)
        raise Failed("the connection was lost")

    with pytest.raises(Failed) as caught, running([one], str):
        call()
    assert str(caught.value) == (
        "the connection was lost; the service receiver ended with exit code 137 "
        "(it printed last: out of memory)"
    )


def test_a_port_that_is_taken_is_not_mistaken_for_the_service(tmp_path: Path) -> None:
    with serving(answer(200, {"status": "somebody else"})) as peer:
        words = failure(server(tmp_path, peer.port))
    assert f"cannot listen on port {peer.port} of 127.0.0.1: Address already in use" in words
    assert "end what listens there" in words
    assert not (tmp_path / "pids").exists()


@LOOKS_AT_PROC
@pytest.mark.slow
def test_the_first_service_ends_when_the_second_one_fails(tmp_path: Path) -> None:
    failure(server(tmp_path, free_ports(1)[0]), launch(tmp_path, "false", port=free_ports(1)[0]))
    assert all(map(gone, pids(tmp_path)))


def test_a_program_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    one = launch(tmp_path, "no-such-program", port=free_ports(1)[0])
    with pytest.raises(UsageError, match="tried to start no-such-program"), running([one], str):
        pass


def test_a_service_that_prints_without_end_is_neither_stopped_nor_remembered(
    tmp_path: Path,
) -> None:
    script = "head -c 200000000 /dev/zero | tr '\\0' x; echo; echo the end; exit 1"
    words = failure(launch(tmp_path, "sh", "-c", script, port=free_ports(1)[0]))
    assert words.endswith("(it printed last: the end) before it was ready")
    assert len(words) < 1000


@LOOKS_AT_PROC
@pytest.mark.parametrize("program", ["sleep 4", "timeout 4 yes"])
def test_a_process_that_left_its_group_does_not_keep_the_call_from_ending(
    tmp_path: Path, program: str
) -> None:
    began = time.monotonic()
    failure(launch(tmp_path, "sh", "-c", f"setsid {program} & exit 1", port=free_ports(1)[0]))
    assert time.monotonic() - began < 3.5


def test_a_service_of_somebody_else_is_waited_for_and_left_alone() -> None:
    with serving(answer(503, b"starting"), answer(200, {})) as peer:
        one = Launch(name="staging", health=f"{peer.url}/health", timeout=5)
        with running([one], str):
            assert len(peer.requests) == 2
        with socket.create_connection(("127.0.0.1", peer.port), 1):
            pass


@LOOKS_AT_PROC
@pytest.mark.slow
def test_ctrl_c_ends_the_services(tmp_path: Path) -> None:
    program = f"""
import time
from pathlib import Path
from tests.implementations.test_http_services import server
from verifier.implementations.http.services import free_ports, running
with running([server(Path({str(tmp_path)!r}), free_ports(1)[0])], str):
    print("ready", flush=True)
    time.sleep(60)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=REPOSITORY, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        assert all(map(alive, pids(tmp_path)))
        process.send_signal(signal.SIGINT)
        process.wait(20)
    assert all(map(gone, pids(tmp_path)))
