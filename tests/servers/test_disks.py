"""Small file systems for servers, and their end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from verifier.servers import disks


def test_a_small_disk_is_full_when_it_is_full_and_goes_with_its_run(tmp_path: Path) -> None:
    place = tmp_path / "a small\tdisk"
    place.mkdir()
    if not disks.mount(place, os.getuid(), os.getgid()):
        pytest.skip("no file system can be mounted here")
    try:
        with pytest.raises(OSError, match="No space left"):
            (place / "all").write_bytes(bytes((disks.MEGABYTES + 1) << 20))
    finally:
        disks.release(tmp_path)
    assert not os.path.ismount(place)
    assert list(place.iterdir()) == []


def test_nothing_is_released_but_what_is_below(tmp_path: Path) -> None:
    mounted = Path("/proc/self/mounts").read_text() if Path("/proc/self/mounts").exists() else ""
    disks.release(tmp_path)
    after = Path("/proc/self/mounts").read_text() if mounted else ""
    assert after == mounted
