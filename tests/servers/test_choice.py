from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers.conftest import Scratch
from verifier.config import Config, ServerKind
from verifier.dsn import Dsn
from verifier.errors import ServerUnavailable, UsageError
from verifier.servers import Pair, choose

NOWHERE = Dsn.parse("postgresql://user:secret@127.0.0.1:1/db")


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/absent.sock")


@pytest.fixture
def silent_engine(monkeypatch: pytest.MonkeyPatch, scratch: Scratch) -> Iterator[None]:
    """A socket that takes connections and never answers."""
    path = scratch.path / "silent.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
        yield


@pytest.mark.usefixtures("no_engine")
def test_without_an_engine_auto_is_embedded_and_says_why() -> None:
    choice = choose(Config())
    assert choice.kind is ServerKind.EMBEDDED
    assert choice.reason.startswith("embedded 18 → 18: the docker engine cannot be used (no such")


@pytest.mark.usefixtures("silent_engine")
def test_an_engine_that_does_not_answer_is_given_two_seconds() -> None:
    began = time.monotonic()
    choice = choose(Config(source_version=16))
    assert 1.9 < time.monotonic() - began < 4
    assert choice.reason == "embedded 16 → 18: the docker engine did not answer within 2 s"


@pytest.mark.usefixtures("no_engine")
def test_docker_asked_for_without_an_engine_is_one_sentence_with_a_way_out() -> None:
    with pytest.raises(ServerUnavailable, match=r"^the docker engine .*; start it, or use ") as no:
        choose(Config(servers=ServerKind.DOCKER))
    assert "\n" not in str(no.value)


@pytest.mark.usefixtures("no_engine")
def test_an_image_asked_for_is_never_replaced_by_an_embedded_server() -> None:
    with pytest.raises(ServerUnavailable, match="the docker engine cannot be used"):
        choose(Config(source_image="postgres:18"))


@pytest.mark.usefixtures("no_engine")
def test_a_version_that_only_docker_has_names_both_reasons() -> None:
    with pytest.raises(UsageError, match=r"docker engine cannot .* PostgreSQL 15 is not among"):
        choose(Config(target_version=15))


def test_both_connection_strings_choose_external(pair: Pair) -> None:
    choice = choose(Config(source_dsn=pair.source.admin, target_dsn=pair.target.admin))
    assert choice.kind is ServerKind.EXTERNAL
    versions = f"external {pair.source.version} → {pair.target.version}"
    assert choice.reason == f"{versions}: connection strings are given"
    with choice.start() as external:
        assert external.source.alive()


def test_a_choice_shows_no_password(pair: Pair) -> None:
    choice = choose(Config(source_dsn=pair.source.admin, target_dsn=pair.target.admin))
    assert pair.source.admin.password
    assert pair.source.admin.password not in repr(choice)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"source_dsn": NOWHERE}, r"--target-dsn is missing"),
        ({"servers": ServerKind.EXTERNAL, "target_dsn": NOWHERE}, r"--source-dsn is missing"),
        ({"servers": ServerKind.EXTERNAL}, r"--source-dsn is missing"),
        ({"servers": ServerKind.EMBEDDED, "source_version": 17}, r"17 is not .* 16 and 18"),
        ({"servers": ServerKind.EMBEDDED, "target_version": 0}, r"0 is not .* 16 and 18"),
        (
            {"servers": ServerKind.EMBEDDED, "target_image": "postgres:18"},
            r"--target-image .*embed",
        ),
        ({"servers": ServerKind.EMBEDDED, "target_dsn": NOWHERE}, r"--target-dsn .* embedded"),
        ({"servers": ServerKind.DOCKER, "source_dsn": NOWHERE}, r"--source-dsn .* docker"),
        ({"servers": ServerKind.DOCKER, "source_version": 9}, r"9 is too old .* 13 or later"),
        ({"servers": ServerKind.EXTERNAL, "source_version": 18}, r"--source-version .* external"),
        (
            {"source_dsn": NOWHERE, "target_dsn": NOWHERE, "target_image": "postgres:18"},
            r"--target-image .* external",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        choose(Config(**settings))
    assert "\n" not in str(refused.value)
    assert "secret" not in str(refused.value)
