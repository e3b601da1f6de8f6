"""Real containers; skipped by name where no engine answers or no image can be had."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.servers.conftest import RunPython, Scratch
from verifier.config import Config, ServerKind
from verifier.errors import ServerUnavailable
from verifier.servers import Pair, Side, choose, disks, docker, engine, sessions
from verifier.servers.run import Run

pytestmark = pytest.mark.slow

STARTS = """
import sys, time
from verifier.servers import docker
pair = docker.start_pair(*sys.stdin.readline().split())
print("ready", flush=True)
time.sleep(60)
"""


def _image(major: int) -> str:
    """The image that ``.ci`` builds, which has the official image's contract, or the official."""
    for image in (f"restore-verifier/postgres:{major}", f"postgres:{major}"):
        trouble = engine.image_trouble(image)
        if trouble is None:
            return image
    pytest.skip(f"NO CONTAINERS ARE TESTED: {trouble}")


@pytest.fixture(scope="module")
def images() -> tuple[str, str]:
    """An older version for the source than for the target."""
    trouble = engine.engine_trouble()
    if trouble is not None:
        pytest.skip(f"NO CONTAINERS ARE TESTED: the docker engine {trouble}")
    return _image(15), _image(18)


@pytest.fixture(scope="module")
def containers(images: tuple[str, str]) -> Iterator[Pair]:
    config = Config(servers=ServerKind.DOCKER, source_image=images[0], target_image=images[1])
    with choose(config).start() as started:
        yield started


def test_each_side_has_its_own_image(containers: Pair) -> None:
    assert (containers.source.major, containers.target.major) == (15, 18)
    assert containers.source.kind == "docker"
    assert containers.source.controllable


def test_a_container_is_reached_over_tcp_with_its_password_only(containers: Pair) -> None:
    for server in (containers.source, containers.target):
        for dsn in (server.admin, server.user):
            with sessions.connect(dsn) as session:
                assert session.execute("SHOW fsync").fetchall() == [("off",)]
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                sessions.connect(dsn.with_(password="wrong"))


def test_databases_in_containers_are_cloned_and_kept_private(containers: Pair) -> None:
    for side in Side:
        databases = containers.databases(side)
        template = databases.template("t", lambda session: session.execute("CREATE TABLE t ()"))
        clone = databases.create("clone", template)
        assert clone.execute("TABLE t") == []
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            databases.create("frozen", clone, private=True).connect()


def test_a_killed_container_keeps_its_data_and_is_found_again(containers: Pair) -> None:
    server = containers.target
    database = containers.databases(Side.TARGET).create("kept")
    database.execute("CREATE TABLE t AS SELECT generate_series(1, 1000) AS id")
    server.stop()
    assert not server.alive()
    assert server.log(5)
    server.stop()  # twice does no harm
    server.start()
    assert server.alive()
    assert database.execute("SELECT count(*) FROM t") == [(1000,)]
    assert "was not properly shut down" in server.log(100)
    assert server.admin.password not in server.log(1000)


@pytest.mark.usefixtures("in_scratch")
def test_the_next_run_removes_a_killed_runs_containers(
    images: tuple[str, str], scratch: Scratch, run_python: RunPython
) -> None:
    killed = run_python(STARTS)
    assert killed.process.stdin is not None
    killed.process.stdin.write(f"{images[0]} {images[1]}\n")
    killed.process.stdin.flush()
    assert killed.line(120) == "ready\n"
    (before,) = scratch.runs()
    run = Run()
    try:
        docker._remove_dead_runs(run)
        assert len(_containers(run)) == 2  # alive: left alone
        killed.process.kill()
        killed.ends()
        assert run.dead(before)
        docker._remove_dead_runs(run)
        assert _containers(run) == []
    finally:
        with engine.connected() as client:
            for left in _containers(run):
                client.containers.get(left).remove(force=True, v=True)
        run.close()


def _containers(run: Run) -> list[str]:
    label = f"{docker._BASE}={run.identity}"
    with engine.connected() as client:
        return [found.id for found in client.containers.list(all=True, filters={"label": label})]


def test_an_image_that_does_not_exist_is_one_sentence(images: tuple[str, str]) -> None:
    config = Config(servers=ServerKind.DOCKER, source_image="restore-verifier/absent:1")
    with pytest.raises(ServerUnavailable, match=r"^the image .*docker pull restore-v") as caught:
        choose(config)
    assert "\n" not in str(caught.value)


def test_a_container_that_ends_at_once_shows_its_log(images: tuple[str, str]) -> None:
    run = Run()
    server = docker.DockerServer(Side.SOURCE, run, images[1])
    try:
        server._container.with_command(["postgres", "--no-such-setting=1"])
        with pytest.raises(
            ServerUnavailable, match=r"ended with status \d+ (.|\n)*no.such.setting"
        ):
            server.launch()
    finally:
        server.close()
        run.close()


def test_a_container_has_a_small_disk(containers: Pair) -> None:
    database = containers.databases(Side.TARGET).create("disk")
    place = containers.target.small_disk()
    with psycopg.connect(database.admin.conninfo, autocommit=True) as admin:
        fill = f"head -c {disks.MEGABYTES + 1}M /dev/zero > {place}/all"
        with pytest.raises(psycopg.errors.ExternalRoutineException):
            admin.execute(f"COPY (SELECT 1) TO PROGRAM '{fill}'".encode())
        admin.execute(f"COPY (SELECT 1) TO PROGRAM 'rm {place}/all'".encode())
    containers.databases(Side.TARGET).drop(database)
