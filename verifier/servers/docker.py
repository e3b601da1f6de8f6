"""PostgreSQL servers in containers, from the official images as they are.

testcontainers starts them. Their end does not depend on its reaper (Ryuk), which
is one more image that a machine may be unable to get: every container is labelled
with its run, and each run first removes the containers of dead runs.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import time
from collections.abc import Iterator

from docker.errors import APIError, NotFound
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import Reaper
from testcontainers.core.docker_client import get_docker_host
from testcontainers.core.exceptions import ContainerConnectException
from testcontainers.core.utils import inside_container

from verifier.dsn import Dsn
from verifier.errors import ServerError, ServerUnavailable
from verifier.servers import disks, sessions
from verifier.servers.base import Side
from verifier.servers.engine import TROUBLE, connected, image_trouble, reason
from verifier.servers.pair import SETTINGS, USER, ServerPair
from verifier.servers.run import Run
from verifier.servers.sessions import Login

try:
    from testcontainers.community.postgres import PostgresContainer
except ImportError:  # testcontainers before 4.15
    from testcontainers.postgres import PostgresContainer

_REAPER_SECONDS = 20.0
_START_SECONDS = 120.0
_PORT = 5432
_RUN = "restore-verifier.run"
_BASE = "restore-verifier.base"
_SMALL = "/small"
"""A file system of every container that takes memory only as it is filled."""


class _Container(PostgresContainer):
    """testcontainers' container without its own wait, which shows the password to ``ps``."""

    def with_small_disk(self) -> _Container:
        """With a small file system at :data:`_SMALL`."""
        options = {_SMALL: f"size={disks.MEGABYTES}m"}
        if hasattr(self, "tmpfs"):
            self.tmpfs.update(options)
        else:  # testcontainers before 4.14
            self._kwargs["tmpfs"] = options
        return self

    def _connect(self) -> None:
        """Leave waiting to :meth:`DockerServer.start`: both sides wait at the same time."""


class DockerServer:
    """One container."""

    kind = "docker"
    controllable = True

    def __init__(self, side: Side, run: Run, image: str) -> None:
        self.side = side
        self.prefix = f"rv_{run.id}_{side[0]}_"
        self.version = ""
        self.major = 0
        self._image = image
        self._admin = Login.invent("postgres")
        self._user = Login.invent(USER)
        self._place = ("", 0)
        self._started = False
        self._container = _Container(
            image,
            username=self._admin.user,
            password=self._admin.password,
            dbname="postgres",
            labels={_RUN: run.id, _BASE: run.identity},
        ).with_small_disk()
        self._container.with_command(
            ["postgres", *(word for item in SETTINGS.items() for word in ("-c", "=".join(item)))]
        )

    def __repr__(self) -> str:
        return f"<PostgreSQL {self.version} of {self._image}, {self.side}, port {self._place[1]}>"

    @property
    def admin(self) -> Dsn:
        host, port = self._place
        return self._admin.on(Dsn({"host": host, "port": str(port), "dbname": "postgres"}))

    @property
    def user(self) -> Dsn:
        return self._user.on(self.admin)

    def launch(self) -> None:
        """Start the container, wait until PostgreSQL answers, and create the user's account."""
        try:
            self._container.start()
        except TROUBLE as error:
            raise ServerUnavailable(
                f"{self._name()} cannot be started: {reason(error)}; "
                f"does 'docker run {self._image}' work?"
            ) from error
        self._started = True
        self._await()
        with sessions.connect(self.admin) as session:
            self.version, self.major = sessions.version(session)
            self._user.create(session)

    def _await(self) -> None:
        places: Iterator[tuple[str, int]] = iter(())

        def next_place() -> Dsn:
            nonlocal places
            self._place = next(places)
            return self.admin

        if self._ended() is None:
            with contextlib.suppress(*TROUBLE):  # ended meanwhile: the wait says how
                places = itertools.cycle(self._places())
        sessions.await_answer(
            self._name(),
            next_place,
            ended=self._ended,
            log=self.log,
            seconds=_START_SECONDS,
        )

    def _places(self) -> list[tuple[str, int]]:
        """Where the server may be reached, likeliest first.

        With an engine on this machine that is the published port, or, from inside
        a container next to it, its own address. testcontainers' guess is for
        engines elsewhere and for whoever overrides it: inside a container that runs
        an engine of its own, it guesses the address of the machine outside.
        """
        client = self._container.get_docker_client()
        found = client.get_container(self._container.get_container_id())
        published = [("127.0.0.1", int(client.port(found["Id"], _PORT)))]
        networks = found["NetworkSettings"]["Networks"].values()
        inside = [(net["IPAddress"], _PORT) for net in networks if net["IPAddress"]]
        host = get_docker_host() or "unix:"
        overridden = (
            testcontainers_config.tc_host_override or testcontainers_config.connection_mode_override
        )
        if host.startswith(("unix:", "npipe:")) and not overridden:
            return published + (inside if inside_container() else [])
        mapped = client.get_connection_mode().use_mapped_port
        port = published[0][1] if mapped else _PORT
        return [(self._container.get_container_host_ip(), port)]

    def _ended(self) -> str | None:
        try:
            container = self._container.get_wrapped_container()
            container.reload()
        except TROUBLE as error:
            return f"is gone ({reason(error)})"
        state = container.attrs["State"]
        return None if state["Running"] else f"ended with status {state['ExitCode']}"

    def _name(self) -> str:
        return f"the {self.side} container of {self._image}"

    def alive(self) -> bool:
        return self._started and self._ended() is None and sessions.answers(self.admin)

    def stop(self) -> None:
        container = self._container.get_wrapped_container()
        with contextlib.suppress(NotFound, APIError):  # not running: 409, removed: 404
            container.kill("SIGKILL")
        while self._ended() is None:
            time.sleep(0.02)

    def start(self) -> None:
        try:
            self._container.get_wrapped_container().start()
        except TROUBLE as error:
            raise ServerUnavailable(
                f"{self._name()} cannot be started again: {reason(error)}"
            ) from error
        self._await()

    def small_disk(self) -> str | None:
        # The engine forgets the mode of the mount when it starts a container again.
        self._container.get_wrapped_container().exec_run(["chmod", "1777", _SMALL], user="root")
        return _SMALL

    def close(self) -> None:
        """Remove the container and its volumes."""
        try:
            with contextlib.suppress(NotFound):
                self._container.stop()
        except TROUBLE as error:
            raise ServerError(
                f"{self._name()} could not be removed: {reason(error)}; the next run removes it"
            ) from error

    def log(self, lines: int = 20) -> str:
        try:
            logged = self._container.get_wrapped_container().logs(tail=lines)
        except TROUBLE as error:
            return f"(no log: {reason(error)})"
        text: str = logged.decode(errors="replace")
        return text.rstrip("\n")


def _remove_dead_runs(run: Run) -> None:
    with connected() as client:
        mine = {"label": f"{_BASE}={run.identity}"}
        for container in client.containers.list(all=True, filters=mine, ignore_removed=True):
            if run.dead(container.labels.get(_RUN, "")):
                with contextlib.suppress(NotFound, APIError):  # another run removes it, too
                    container.remove(force=True, v=True)


def _start_reaper() -> None:
    """Start testcontainers' reaper where its image can be had, else do without."""
    if testcontainers_config.ryuk_disabled:
        return
    if image_trouble(testcontainers_config.ryuk_image, seconds=_REAPER_SECONDS) is None:
        try:
            Reaper.get_instance()
            return
        except (*TROUBLE, ContainerConnectException, OSError) as error:
            trouble = reason(error)
            logging.getLogger(__name__).info("running without a reaper: %s", trouble)
    testcontainers_config.ryuk_disabled = True


def start_pair(source: str, target: str) -> ServerPair:
    """Start a source and a target of these images, side by side."""
    with contextlib.ExitStack() as undo:
        run = Run()
        undo.callback(run.close)
        _remove_dead_runs(run)
        _start_reaper()
        sides = []
        for side, image in zip(Side, (source, target), strict=True):
            sides.append(DockerServer(side, run, image))
            undo.callback(sides[-1].close)
        undo.pop_all()
    return ServerPair(*sides, finish=run.close).launch()
