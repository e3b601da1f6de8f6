"""The container engine: whether there is one, and whether it has an image."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import docker
from docker.errors import APIError, DockerException, ImageNotFound
from requests.exceptions import RequestException
from testcontainers.core.config import testcontainers_config
from testcontainers.core.docker_client import DockerClient, get_docker_host

T = TypeVar("T")

ANSWER_SECONDS = 2.0
"""How long an engine may take to answer before it counts as absent."""

PULL_SECONDS = 300.0

TROUBLE = (DockerException, RequestException, ConnectionError)
"""What the engine's client raises."""


def _within(seconds: float, act: Callable[[], T]) -> T:
    """``act()``, given up after ``seconds``: the client has no overall limit of its own.

    Raises ``TimeoutError``; the thread that hangs then does not keep the process alive.
    """
    outcome: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(act())
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if failure:
        raise failure[0]
    if not outcome:
        raise TimeoutError(f"no answer within {seconds:.0f} s")
    return outcome[0]


@contextlib.contextmanager
def connected(**options: Any) -> Iterator[docker.DockerClient]:
    """A client of the engine that testcontainers uses."""
    client = DockerClient(**options).client
    try:
        yield client
    finally:
        client.close()


def reason(error: BaseException) -> str:
    """The cause in the system's words where there is one, else in the engine's."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
        cause = cause.__cause__ or cause.__context__
    explanation = error.explanation if isinstance(error, APIError) else None
    return " ".join(str(explanation or error).split())


def _knock() -> None:
    """Connect to the engine's socket, if it has one on this machine.

    The client would report its absence, too, but leaves a socket unclosed.
    """
    scheme, _, path = (get_docker_host() or "unix:///var/run/docker.sock").partition("://")
    if scheme == "unix":
        with socket.socket(socket.AF_UNIX) as door:
            door.settimeout(ANSWER_SECONDS)
            door.connect(path)


def engine_trouble() -> str | None:
    """Why no engine can be used (``did not answer within 2 s``), or ``None``."""

    def ask() -> None:
        _knock()
        # Longer than the limit below, which is to strike first.
        with connected(timeout=2 * ANSWER_SECONDS) as client:
            client.ping()

    try:
        _within(ANSWER_SECONDS, ask)
    except TimeoutError:
        return f"did not answer within {ANSWER_SECONDS:.0f} s"
    except (*TROUBLE, OSError) as error:
        return f"cannot be used ({reason(error)})"
    return None


def image_trouble(image: str, *, seconds: float = PULL_SECONDS) -> str | None:
    """Make ``image`` present, pulling it if need be; returns why that failed, or ``None``."""
    image = testcontainers_config.hub_image_name_prefix + image

    def have() -> None:
        with connected() as client:
            try:
                client.images.get(image)
            except ImageNotFound:
                client.images.pull(image)

    try:
        _within(seconds, have)
    except (TimeoutError, *TROUBLE) as error:
        return f"the image {image} is not on this machine and cannot be pulled ({reason(error)})"
    return None
