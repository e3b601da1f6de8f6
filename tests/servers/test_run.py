from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.servers.conftest import Scratch
from verifier.errors import ServerUnavailable
from verifier.servers.run import Run, base_directory

pytestmark = pytest.mark.usefixtures("in_scratch")


def base(scratch: Scratch) -> Path:
    return scratch.path / f"restore-verifier-{os.geteuid()}"


def test_a_symbolic_link_in_place_of_the_base_directory_is_refused(scratch: Scratch) -> None:
    elsewhere = scratch.path / "elsewhere"
    elsewhere.mkdir()
    base(scratch).symlink_to(elsewhere)
    with pytest.raises(ServerUnavailable, match="is not a directory"):
        base_directory()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_somebody_elses_base_directory_is_refused(scratch: Scratch) -> None:
    base(scratch).mkdir()
    os.chown(base(scratch), 65534, 65534)
    with pytest.raises(ServerUnavailable, match=r"belongs to another user \(uid 65534\)"):
        base_directory()


def test_a_base_directory_that_others_can_write_to_is_refused(scratch: Scratch) -> None:
    base(scratch).mkdir()
    base(scratch).chmod(0o777)
    with pytest.raises(ServerUnavailable, match="can be written to by other users"):
        base_directory()


def test_a_run_is_alive_until_it_is_closed(scratch: Scratch) -> None:
    one, other = Run(), Run()
    assert not other.dead(one.id)
    assert one.identity == other.identity
    one.close()
    assert other.dead(one.id)
    assert scratch.runs() == [other.id]
    other.close()
    assert scratch.runs() == []


def test_only_directories_of_runs_are_swept(scratch: Scratch) -> None:
    Run().close()
    dead = scratch.base / ("0" * 12)
    foreign = scratch.base / "notes"
    dead.mkdir()
    foreign.mkdir()
    Run().close()
    assert not dead.exists()
    assert foreign.exists()


def test_a_run_is_in_memory_when_there_is_room_and_nobody_said_where(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not Path("/dev/shm").is_dir():
        pytest.skip("NOT VERIFIED: this system has no /dev/shm")
    said = Run(room=1)
    monkeypatch.delenv("TMPDIR")
    roomy, cramped, without = Run(room=1), Run(room=1 << 60), Run()
    try:
        assert roomy.directory.is_relative_to("/dev/shm")
        for run in (said, cramped, without):
            assert not run.directory.is_relative_to("/dev/shm")
    finally:
        for run in (said, roomy, cramped, without):
            run.close()


def test_what_a_dead_run_left_in_memory_is_swept_by_any_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not Path("/dev/shm").is_dir():
        pytest.skip("NOT VERIFIED: this system has no /dev/shm")
    monkeypatch.delenv("TMPDIR")
    alive = Run(room=1)
    dead = alive.directory.parent / ("0" * 12)
    dead.mkdir()
    Run().close()
    assert not dead.exists()
    assert alive.directory.exists()
    alive.close()
