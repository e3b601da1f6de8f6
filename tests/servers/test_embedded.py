from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.servers.conftest import REPORTS, REPOSITORY, STARTS_A_PAIR, RunPython, Scratch
from verifier import programs
from verifier.dsn import Dsn
from verifier.errors import ServerUnavailable, UsageError
from verifier.servers import Pair, Server, Side, embedded, processes, sessions
from verifier.servers.account import Account
from verifier.servers.embedded import EmbeddedServer
from verifier.servers.run import Run

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the account")


def ask(dsn: Dsn, query: str) -> list[tuple[object, ...]]:
    with sessions.connect(dsn) as session:
        return session.execute(query.encode()).fetchall()


@pytest.fixture(params=list(Side))
def server(request: pytest.FixtureRequest, pair: Pair) -> Server:
    found: Server = getattr(pair, request.param)
    return found


def test_source_and_target_are_two_servers_of_the_versions_asked_for(pair: Pair) -> None:
    assert (pair.source.major, pair.target.major) == (18, 16)
    assert pair.source.version.startswith("18.")
    assert ask(pair.target.admin, "SHOW server_version") == [(pair.target.version,)]
    assert pair.source.admin.parameters["port"] != pair.target.admin.parameters["port"]


def test_reachable_over_tcp_on_loopback_only_with_the_password(server: Server) -> None:
    assert server.admin.parameters["host"] == "127.0.0.1"
    assert ask(server.admin, "SHOW listen_addresses") == [("127.0.0.1",)]
    for dsn in (server.admin, server.user):
        assert ask(dsn, "SELECT 1") == [(1,)]
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            sessions.connect(dsn.with_(password="wrong"))


@as_root
def test_servers_need_no_shared_memory_of_the_system(run_python: RunPython) -> None:
    tiny = 'mount -t tmpfs -o size=64k none /dev/shm && exec "$@"'
    if subprocess.run(["unshare", "-m", "sh", "-c", tiny, "sh", "true"], check=False).returncode:
        pytest.skip("NOT TESTED: nothing can be mounted here, not even in a namespace")
    child = run_python(STARTS_A_PAIR + REPORTS, "unshare", "-m", "sh", "-c", tiny, "sh")
    assert len(child.servers()) == 2
    assert child.ends() == 0


def test_the_users_account_has_no_power_of_its_own(server: Server) -> None:
    rights = "SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = "
    assert ask(server.user, f"{rights} current_user") == [(False, False, False)]


def test_nothing_waits_for_the_disk(server: Server) -> None:
    assert ask(server.admin, "SHOW fsync") == [("off",)]


def test_passwords_are_in_no_log_argument_or_representation(server: Server) -> None:
    secrets = [server.admin.password, server.user.password]
    lines = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    for secret in secrets:
        assert secret
        assert len(secret) > 20
        for place in (lines, server.log(1000), repr(server), str(server.admin)):
            assert secret not in place


def test_a_failed_connection_shows_no_password_in_any_frame(server: Server) -> None:
    wrong = server.user.with_(password="-".join(("not", "the", "password")))
    with pytest.raises(psycopg.OperationalError) as caught:
        sessions.connect(wrong)
    shown = str(caught.getrepr(style="long", showlocals=False, funcargs=True))
    assert "sessions.py" in shown
    assert "not-the-password" not in shown


@pytest.fixture(scope="module")
def own() -> Iterator[Pair]:
    """Servers that these tests may stop."""
    with embedded.start_pair(18, 16) as started:
        yield started


@pytest.mark.parametrize("side", list(Side))
def test_a_server_stopped_like_a_crash_keeps_what_was_committed(own: Pair, side: Side) -> None:
    server = own.source if side is Side.SOURCE else own.target
    database = own.databases(side).create("kept")
    with database.connect() as cut:
        database.execute("CREATE TABLE t AS SELECT generate_series(1, 1000) AS id")
        server.stop()
        assert not server.alive()
        with pytest.raises(psycopg.OperationalError):
            cut.execute("SELECT 1")
    server.start()
    assert server.alive()
    assert database.execute("SELECT count(*) FROM t") == [(1000,)]
    assert "was not properly shut down" in server.log(100)


def test_a_postmaster_that_was_killed_is_seen_and_can_be_started_again(own: Pair) -> None:
    data = Path(str(ask(own.source.admin, "SHOW data_directory")[0][0]))
    pid = processes.postmaster(data)
    assert pid is not None
    with sessions.connect(own.source.admin):
        os.kill(pid, signal.SIGKILL)
        assert not own.source.alive()
        own.source.start()
    assert own.source.alive()


def test_a_restarted_server_moves_when_its_port_was_taken_meanwhile(own: Pair) -> None:
    server = own.source
    database = own.databases(Side.SOURCE).create("moved")
    before = int(server.admin.parameters["port"])
    server.stop()
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", before))
        squatter.listen()
        server.start()
        assert int(server.admin.parameters["port"]) != before
        assert database.execute("SELECT current_database()") == [(database.name,)]


def test_a_server_that_cannot_start_shows_its_last_log_lines(own: Pair) -> None:
    data = Path(str(ask(own.target.admin, "SHOW data_directory")[0][0]))
    own.target.stop()
    (data / "postgresql.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(ServerUnavailable, match=r"ended with status 1 (.|\n)*no_such_setting"):
        own.target.start()
    (data / "postgresql.conf").write_text("")
    own.target.start()
    assert own.target.alive()


def _server(run: Run, binaries: Path) -> EmbeddedServer:
    return EmbeddedServer(Side.SOURCE, run, Account.choose(), binaries)


def test_a_version_that_is_not_embedded_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match=r"PostgreSQL 17 is not among .* 16 and 18"):
        embedded.start_pair(17, 18)


@as_root
def test_root_runs_its_servers_as_an_unprivileged_account(pair: Pair) -> None:
    data = Path(str(ask(pair.source.admin, "SHOW data_directory")[0][0]))
    assert data.stat().st_uid == Account.choose().uid != 0
    assert data.stat().st_mode & 0o077 == 0
    assert data.parent.stat().st_uid == 0


@as_root
def test_a_normal_user_runs_servers_as_oneself(scratch: Scratch, run_python: RunPython) -> None:
    account = Account.choose()
    os.chown(scratch.path, account.uid, account.gid)
    become = ("setpriv", f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups")
    tried = subprocess.run(
        [*become, sys.executable, "-c", "import psycopg, verifier.servers"],
        cwd=REPOSITORY,
        capture_output=True,
        check=False,
    )
    if tried.returncode:
        pytest.skip(f"uid {account.uid} cannot run this Python, which is in a private directory")
    owner = "import pathlib\nprint(pathlib.Path(pair.source._data).stat().st_uid, flush=True)\n"
    child = run_python(STARTS_A_PAIR + REPORTS + owner, *become)
    assert len(child.servers()) == 2
    assert int(child.line()) == account.uid
    assert child.ends() == 0
    assert scratch.runs() == []


@as_root
def test_programs_below_a_private_directory_are_copied_not_opened_up(scratch: Scratch) -> None:
    tree = programs.embedded()[18].parent
    private = scratch.path / "home"
    private.mkdir(0o700)
    for path in (tree, tree.parent.parent / f"{tree.parent.name}.libs"):
        shutil.copytree(path, private / path.relative_to(tree.parent.parent))
    run = Run()
    try:
        there = private / tree.relative_to(tree.parent.parent)
        binaries = Account.choose().programs(there, run.make("programs"))
        assert run.directory in binaries.parents
        server = _server(run, binaries)
        server.launch()
        assert server.alive()
        assert private.stat().st_mode & 0o777 == 0o700
        server.close()
    finally:
        run.close()


@as_root
@pytest.mark.usefixtures("in_scratch")
def test_a_temporary_directory_that_the_account_cannot_reach_is_named(scratch: Scratch) -> None:
    scratch.path.chmod(0o700)
    with pytest.raises(ServerUnavailable, match="set TMPDIR"):
        embedded.start_pair(18, 18)
    assert scratch.runs() == []
