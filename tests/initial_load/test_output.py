"""A file is there when it is whole, and before nothing is."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from verifier.errors import UsageError
from verifier.initial_load import output


@pytest.fixture(params=["without a name", "with a name"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to begin a file: not every system has files without a name."""
    if request.param == "with a name":
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    elif not hasattr(os, "O_TMPFILE"):
        pytest.skip("this system has no files without a name")
    return str(request.param)


@pytest.mark.parametrize("there", [False, True])
def test_file_takes_its_place_when_it_is_whole(tmp_path: Path, way: str, there: bool) -> None:
    path = tmp_path / "file"
    if there:
        path.write_bytes(b"earlier")
    with output.whole(path) as file:
        file.write(b"new")
        file.flush()
        assert path.exists() is there
        assert len(list(tmp_path.iterdir())) == there + (way == "with a name")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_left_of_a_file_that_fails(tmp_path: Path, way: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"earlier")
    with suppress(KeyboardInterrupt), output.whole(path) as file:
        file.write(b"new")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [path]


def test_link_is_replaced_and_not_followed(tmp_path: Path, way: str) -> None:
    path, other = tmp_path / "file", tmp_path / "other"
    path.symlink_to(other)
    with output.whole(path) as file:
        file.write(b"new")
    assert not path.is_symlink()
    assert not other.exists()


def test_name_that_asks_for_a_missing_library_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As in an installation without the extra: importing it fails.
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(UsageError, match="pip install zstandard"):
        output.check(tmp_path / "a.sql.zst")
    output.check(tmp_path / "a.sql.gz")
