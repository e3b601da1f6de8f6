"""The manifest inside a backup, and what becomes of a backup that is not what it was."""

from __future__ import annotations

import hashlib
import io
import json
import random
import tracemalloc
from collections import deque

import pytest

from verifier.errors import BackupRefused
from verifier.initial_load.manifest import MARK, Checked, Manifest, Rule, Writer
from verifier.transfer import Format

BODY = b"--\n-- PostgreSQL database dump\n--\n\nCOPY public.t (a) FROM stdin;\n1\n\\.\n\n"
MANIFEST = Manifest(
    tables={'public."Größe\n"': 3, "public.t": 1},
    format=Format.COPY,
    schema="f" * 64,
    server="18.4",
    tool="pg_dump (PostgreSQL) 18.4",
    verifier="0.1.0",
    made="2026-11-21T01:00:00+00:00",
    rules=(Rule(table="public.t", condition="id LIKE 'é%'", left_out={"public.t": 2}),),
)


def written(body: bytes = BODY, manifest: Manifest = MANIFEST) -> bytes:
    file = io.BytesIO()
    writer = Writer(file)
    writer.write(body)
    writer.end(manifest)
    return file.getvalue()


def through(data: bytes, size: int = 1 << 16) -> Checked:
    """Read ``data`` to its end in pieces of ``size``; they have to come as they are."""
    checked = Checked(io.BytesIO(data), "backup.sql")
    seen = bytearray()
    while piece := checked.read(size):
        seen += piece
    assert seen == data
    return checked


def test_the_manifest_comes_back_as_it_was_written() -> None:
    found = through(written()).manifest
    assert found is not None
    assert found == Manifest(
        **{
            name: getattr(MANIFEST, name)
            for name in ("tables", "format", "schema", "server", "tool", "verifier", "made")
        },
        rules=MANIFEST.rules,
        sha256=found.sha256,
    )


def test_the_checksum_is_over_everything_but_itself() -> None:
    lines = written().splitlines(keepends=True)
    last = lines[-1].split(b" ", 4)
    expected = hashlib.sha256(b"".join(lines[:-1]) + last[4].rstrip(b"\n")).hexdigest()
    assert last[3].decode() == expected
    assert json.loads(last[4])["tables"] == MANIFEST.tables


@pytest.mark.parametrize("size", [1, 2, 7, 64, -1])
def test_pieces_of_any_size_are_read(size: int) -> None:
    assert through(written(), size).manifest is not None


def test_the_end_may_be_asked_for_again() -> None:
    checked = through(written())
    assert (checked.read(5), checked.read(5)) == (b"", b"")
    assert checked.manifest is not None


def test_reading_nothing_is_not_the_end() -> None:
    checked = Checked(io.BytesIO(written()), "backup.sql")
    assert checked.read(0) == b""
    assert len(checked.read()) == len(written())


@pytest.mark.parametrize("size", [1, 1 << 16])
def test_a_cut_at_any_byte_is_refused(size: int) -> None:
    whole = written()
    for end in range(1, len(whole)):
        with pytest.raises(BackupRefused, match=r"backup\.sql is damaged, cut, or was changed"):
            through(whole[:end], size)


@pytest.mark.parametrize("size", [1, 1 << 16])
def test_a_changed_byte_anywhere_is_refused(size: int) -> None:
    whole = bytearray(written())
    choose = random.Random(4)
    for place in range(len(whole)):
        kept = whole[place]
        for change in (1, 0x20, 0x80, choose.randrange(1, 256)):
            whole[place] = kept ^ change
            with pytest.raises(BackupRefused, match=r"backup\.sql"):
                through(bytes(whole), size)
        whole[place] = kept


@pytest.mark.parametrize("more", [b"\n", b" ", b"--\n", b"SELECT 1;\n", written()])
def test_what_follows_the_manifest_is_refused(more: bytes) -> None:
    with pytest.raises(BackupRefused, match="damaged, cut, or was changed"):
        through(written() + more)


def test_a_line_taken_out_or_doubled_is_refused() -> None:
    lines = written().splitlines(keepends=True)
    for place in range(len(lines)):
        for changed in (lines[:place] + lines[place + 1 :], lines[:place] + lines[place:][:1] * 2):
            with pytest.raises(BackupRefused):
                through(b"".join(changed))


def test_line_ends_of_another_system_are_refused() -> None:
    with pytest.raises(BackupRefused):
        through(written().replace(b"\n", b"\r\n"))


def test_a_later_version_is_named() -> None:
    with pytest.raises(BackupRefused, match="another version of restore-verifier"):
        through(written().replace(b"backup 1\n", b"backup 2\n", 1))


@pytest.mark.parametrize(
    "data", [b"", b"x", b"--\n-- PostgreSQL database dump\n", b"PGDMP\0\1", BODY]
)
def test_other_files_pass_as_they_are(data: bytes) -> None:
    assert through(data).manifest is None
    assert through(data, 1).manifest is None


def test_without_both_lines_it_is_a_plain_backup_without_manifest() -> None:
    assert through(b"".join(written().splitlines(keepends=True)[1:-1])).manifest is None


def test_rows_that_look_like_a_manifest_are_rows() -> None:
    body = BODY + written().splitlines(keepends=True)[-1] + b"-- restore-verifier manifest " * 3
    assert through(written(body + b"\n")).manifest is not None
    assert through(written(body + b"\n"), 3).manifest is not None
    assert through(body + b"\n.\n").manifest is None


@pytest.mark.parametrize(
    "content",
    [
        b"[]", b"{}", b"null", b"{", b'{"tables": {"t": -1}}', b"[" * 100_000,
        b'{"tables": {"t": true}, "format": "copy", "schema": "", "server": "", "tool": "", '
        b'"verifier": "", "made": "", "rules": []}',
        b'{"tables": {}, "format": "tar", "schema": "", "server": "", "tool": "", '
        b'"verifier": "", "made": "", "rules": []}',
        b'{"tables": {}, "format": "copy", "schema": "", "server": "", "tool": "", '
        b'"verifier": "", "made": "", "rules": [{}]}',
        b'{"tables": {}, "format": "copy", "schema": 5, "server": "", "tool": "", '
        b'"verifier": "", "made": "", "rules": []}',
        b'{"tables": {}, "format": "copy", "schema": "", "server": "", "tool": "", '
        b'"verifier": "", "made": "", "rules": 5}',
    ],
)  # fmt: skip
def test_a_manifest_of_another_kind_is_refused_even_with_a_right_checksum(content: bytes) -> None:
    body = MARK + BODY
    checksum = hashlib.sha256(body + content).hexdigest().encode()
    with pytest.raises(BackupRefused, match=r"backup\.sql is damaged"):
        through(body + b"-- restore-verifier manifest " + checksum + b" " + content + b"\n")


@pytest.mark.parametrize("line", [b"x" * 100 + b"\n", b"-- restore-verifier manifest "])
def test_memory_does_not_grow_with_the_file(line: bytes) -> None:
    """Nor with one line of any length, also where it starts like a manifest."""
    piece, pieces = line * 1000, 3000

    class Long(io.RawIOBase):
        left = pieces

        def read(self, size: int = -1) -> bytes:
            self.left -= 1
            return (
                MARK
                if self.left == pieces - 1
                else piece
                if self.left > 0
                else b"\n"[: self.left + 1]
            )

    tracemalloc.start()
    checked = Checked(Long(), "backup.sql")  # type: ignore[arg-type]
    with pytest.raises(BackupRefused):
        deque(iter(lambda: checked.read(1 << 16), b""), maxlen=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100 << 20
