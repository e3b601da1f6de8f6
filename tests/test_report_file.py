"""The files that reports are written to: whole, or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from verifier.report import file


def test_a_reader_sees_the_old_file_or_the_new_one(tmp_path):
    path = tmp_path / "out"
    path.write_text("old")
    with path.open() as reader:
        file.write("new", path)
        assert reader.read() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_as_private_as_the_user_wants_files_to_be(tmp_path):
    before = os.umask(0o077)
    try:
        file.write("rows", tmp_path / "out")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o600


def test_an_earlier_outcome_does_not_stay_for_the_next_one(tmp_path):
    path = tmp_path / "out"
    path.write_text("old")
    file.prepare(path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["absent/out", ".", "file/out"])
def test_a_place_that_cannot_be_written_to_is_told_before_the_work(name, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=name.partition("/")[0]) as caught:
        file.prepare(tmp_path / name)
    assert caught.value.strerror


def test_a_device_is_written_to_and_stays_one(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    file.prepare(path)
    file.write("text", path)
    assert os.read(reader, 9) == b"text"
    os.close(reader)
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_a_link_stays_and_leads_to_what_was_written(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "last").symlink_to("kept/out")
    for text in ("old", "new"):
        file.prepare(tmp_path / "last")
        assert not (tmp_path / "kept" / "out").exists()
        file.write(text, tmp_path / "last")
    assert (tmp_path / "last").is_symlink()
    assert (tmp_path / "kept" / "out").read_text() == "new"


def test_a_link_to_itself_is_replaced(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    file.prepare(tmp_path / "loop")
    file.write("text", tmp_path / "loop")
    assert (tmp_path / "loop").read_text() == "text"


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="needs /proc")
def test_a_stream_that_is_a_file_is_added_to(tmp_path):
    with (tmp_path / "output").open("w") as output:
        output.write("printed before, ")
        output.flush()
        (tmp_path / "stdout").symlink_to(f"/proc/self/fd/{output.fileno()}")
        file.prepare(tmp_path / "stdout")
        file.write("text", tmp_path / "stdout")
    assert (tmp_path / "output").read_text() == "printed before, text"
    assert (tmp_path / "stdout").is_symlink()


def test_which_names_stand_for_one_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to("out")
    assert file.is_one(Path("out"), tmp_path / "link")
    assert not file.is_one(Path("out"), Path("other"))
    assert not file.is_one(Path("/dev/null"), Path("/dev/null"))


def test_text_that_is_no_unicode_can_be_written(tmp_path):
    file.write("a\udcffb", tmp_path / "out")
    assert (tmp_path / "out").read_text() == r"a\udcffb"
