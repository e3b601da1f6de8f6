"""Whatever a backup is kept in, its rows are those of the plain dump; what is none says so."""

from __future__ import annotations

import gzip
import os
import shutil
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import lz4.frame
import pytest
import zstandard

from tests.initial_load.conftest import HEAD, TAIL
from verifier.errors import BackupRefused
from verifier.initial_load.manifest import Manifest, Writer
from verifier.initial_load.reading import archive, read
from verifier.initial_load.reading.events import LargeObject, Rows, SetVal
from verifier.programs import client
from verifier.servers import Pair, Side
from verifier.transfer import Format

CONTENT = """
CREATE TABLE "One q" (t text);
INSERT INTO "One q" SELECT 'row ' || i || E'\\t\\\\\\n''' FROM generate_series(1, 15000) i;
CREATE TABLE numbers (id serial PRIMARY KEY, v numeric, j json);
INSERT INTO numbers (v, j) SELECT i * 1.10, '{"a":  1.0}' FROM generate_series(1, 50) i;
CREATE TABLE empty (x int);
SELECT lo_from_bytea(4711, 'hello'), lo_from_bytea(4712, '');
"""
FORMATS = {
    "custom": ["-Fc"],
    "custom, not compressed": ["-Fc", "-Z0"],
    "custom, INSERTs": ["-Fc", "--column-inserts"],
    "directory": ["-Fd"],
    "directory, not compressed": ["-Fd", "-Z0"],
    "directory, INSERTs": ["-Fd", "-Z0", "--column-inserts"],
    "tar": ["-Ft"],
}
PLAINLY = ("-Fp", "--data-only", "--no-owner", "--no-privileges")
FIRST = {16: Side.SOURCE, 18: Side.TARGET}
PLAIN = (HEAD + "INSERT INTO public.t (a) VALUES (1), ('x');\n" * 3000 + TAIL).encode()


def content(path: Path) -> tuple[Any, ...]:
    """Rows by table, sequences and large objects of a backup."""
    rows: dict[tuple[str, str], list[Any]] = {}
    sequences, objects = {}, dict[int, bytes]()
    for event in read(path):
        match event:
            case Rows():
                rows.setdefault((event.schema, event.table), []).extend(event.values())
            case SetVal():
                sequences[event.sequence] = (event.value, event.called)
            case LargeObject():
                objects[event.oid] = objects.get(event.oid, b"") + event.data
    return rows, sequences, objects


def refusal(path: Path, **options: Any) -> str:
    with pytest.raises(BackupRefused) as refused:
        list(read(path, **options))
    assert "\n" not in str(refused.value)
    return str(refused.value)


class Dumps:
    """One database on each server, dumped into any format once."""

    def __init__(self, servers: Pair, directory: Path) -> None:
        self._servers = servers
        self._directory = directory
        self.made = {
            major: servers.databases(side).create("formats") for major, side in FIRST.items()
        }
        for database in self.made.values():
            database.execute(CONTENT)

    def __call__(self, major: int, *options: str) -> Path:
        path = self._directory / "".join([str(major), *options])
        if not path.exists():
            database = self.made[major]
            command = [client("pg_dump", server=major), *options, f"--file={path}"]
            subprocess.run(command, env={**os.environ, **database.dsn.environ}, check=True)
        return path

    def drop(self) -> None:
        for major, database in self.made.items():
            self._servers.databases(FIRST[major]).drop(database)


@pytest.fixture(scope="module")
def dumps(servers: Pair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dumps]:
    made = Dumps(servers, tmp_path_factory.mktemp("dumps"))
    yield made
    made.drop()


def running() -> set[int]:
    """This process's children that run pg_restore."""
    children = Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text()
    names = {int(pid): Path(f"/proc/{pid}/comm").read_text() for pid in children.split()}
    return {pid for pid, name in names.items() if name.startswith("pg_restore")}


# --- archives ---------------------------------------------------------------------------


@pytest.mark.parametrize("major", FIRST)
@pytest.mark.parametrize("name", FORMATS)
def test_archives_hold_what_the_plain_dump_holds(dumps: Dumps, major: int, name: str) -> None:
    expected = content(dumps(major, *PLAINLY))
    assert len(expected[0]["public", "One q"]) == 15000
    assert expected[2] == {4711: b"hello", 4712: b""}
    before = running()
    assert content(dumps(major, *FORMATS[name])) == expected
    assert running() == before


@pytest.mark.parametrize("name", ["custom", "custom, not compressed", "tar"])
@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress, lz4.frame.compress])
def test_a_compressed_archive_is_read(
    dumps: Dumps, name: str, pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    packed = tmp_path / "packed"
    packed.write_bytes(pack(dumps(18, *FORMATS[name]).read_bytes()))
    assert content(packed) == content(dumps(18, *FORMATS[name]))


@pytest.mark.parametrize("name", ["custom", "custom, not compressed", "tar"])
@pytest.mark.parametrize("major", FIRST)
def test_an_archive_cut_anywhere_is_refused(
    dumps: Dumps, name: str, major: int, tmp_path: Path
) -> None:
    whole = dumps(major, *FORMATS[name]).read_bytes()
    ends = [len(whole) - 1, len(whole) - 511, len(whole) - 512, len(whole) - 513]
    for size in (5, 6, 40, 600, *range(700, len(whole), len(whole) // 9), *ends):
        if name == "tar" and size >= len(whole) - 512:
            continue  # the second of the two blocks that mark the end
        (tmp_path / "cut").write_bytes(whole[:size])
        assert refusal(tmp_path / "cut").startswith("cut")
    assert running() == set()


@pytest.mark.parametrize("major", FIRST)
@pytest.mark.parametrize("name", [name for name in FORMATS if name.startswith("directory")])
def test_a_directory_with_a_cut_file_is_refused(
    dumps: Dumps, name: str, major: int, tmp_path: Path
) -> None:
    whole = dumps(major, *FORMATS[name])
    for file in sorted(whole.iterdir()):
        if file.name.startswith("blob_") and file.suffix == ".dat":
            continue  # nothing in the archive says how long it was
        size = file.stat().st_size
        lines = [place + 1 for place, byte in enumerate(file.read_bytes()) if byte == 10]
        for cut in {0, 1, size // 2, max(size - 4, 0), size - 2, *lines[:40:13]} - {size}:
            damaged = tmp_path / "damaged"
            shutil.rmtree(damaged, ignore_errors=True)
            shutil.copytree(whole, damaged)
            os.truncate(damaged / file.name, cut)
            assert refusal(damaged).startswith("damaged"), (file.name, cut)
        os.remove(damaged / file.name)
        refusal(damaged)


def test_garbage_that_begins_like_an_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "backup.sql"
    for rest in (b"", b"\x01\x0e\x00\x04\x08\x01", b"\xff" * 5000, os.urandom(5000), b"\0" * 5000):
        path.write_bytes(b"PGDMP" + rest)
        assert "pg_restore cannot read the archive (exit code 1)" in refusal(path)
    path.write_bytes(b"PGDMP\x01\x7f\x00" + bytes(3000))
    assert "install the client programs" in refusal(path)


def test_an_archive_inside_a_damaged_stream_names_the_stream(dumps: Dumps, tmp_path: Path) -> None:
    packed = gzip.compress(dumps(18, "-Fc", "-Z0").read_bytes())
    path = tmp_path / "x.dump.gz"
    path.write_bytes(packed[: len(packed) // 2])
    assert "the gzip stream ends inside: the file is truncated" in refusal(path)
    # The archive itself is whole here; what does not agree is read behind its end.
    path.write_bytes(packed[:-8] + bytes(4) + packed[-4:])
    assert "the gzip stream is damaged" in refusal(path)


def test_pg_restore_ends_when_nobody_reads_on(servers: Pair, tmp_path: Path) -> None:
    database = servers.databases(Side.TARGET).create("long")
    database.execute("CREATE TABLE t AS SELECT repeat('x', 1000) FROM generate_series(1, 9000)")
    try:
        for form in ("-Fc", "-Ft", "-Fd"):
            command = [client("pg_dump", server=18), form, f"--file={tmp_path / form}"]
            subprocess.run(command, env={**os.environ, **database.dsn.environ}, check=True)
            events = read(tmp_path / form)
            next(events)
            assert len(running()) == 1
            events.close()
            assert running() == set()
    finally:
        servers.databases(Side.TARGET).drop(database)


def test_a_pg_restore_that_hangs_is_ended(
    dumps: Dumps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "_SILENCE", 1.0)
    whole = dumps(18, "-Ft").read_bytes()
    (tmp_path / "cut").write_bytes(whole[: len(whole) // 2])
    with (
        (tmp_path / "cut").open("rb") as file,
        archive.restored("cut", file=file) as restored,
        pytest.raises(BackupRefused, match="gave nothing for 1 seconds"),
    ):
        any(not restored.read(1 << 16) for _ in range(1000))
    assert running() == set()


def test_other_tar_archives_are_told_apart(dumps: Dumps, tmp_path: Path) -> None:
    shutil.make_archive(str(tmp_path / "x"), "tar", dumps(18, "-Fd").parent, "18-Fd")
    assert "is a tar archive, but not one of pg_dump's" in refusal(tmp_path / "x.tar")
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "PG_VERSION").write_text("18")
    subprocess.run(["tar", "cf", "y.tar", "-C", "base", "PG_VERSION"], cwd=tmp_path, check=True)
    assert "pg_basebackup" in refusal(tmp_path / "y.tar")


# --- compression ------------------------------------------------------------------------


def checked_lz4(data: bytes) -> bytes:
    return lz4.frame.compress(data, content_checksum=True)


def checked_zstandard(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


PACKERS = [gzip.compress, checked_zstandard, checked_lz4]


@pytest.mark.parametrize("pack", PACKERS)
def test_compressed_dumps_of_one_stream_or_more_are_read(
    pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    path = tmp_path / "named.png"
    path.write_bytes(PLAIN)
    expected = content(path)
    assert len(expected[0]["public", "t"]) == 6000
    half = len(PLAIN) // 2
    for parts in ([PLAIN], [PLAIN[:half], PLAIN[half:]], [b"", PLAIN, b""]):
        path.write_bytes(b"".join(map(pack, parts)))
        assert content(path) == expected


@pytest.mark.parametrize("pack", PACKERS)
def test_a_cut_or_changed_or_longer_stream_is_refused(
    pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    path = tmp_path / "x"
    whole = pack(PLAIN) + pack(b"-- more\n")
    for size in {*range(4, len(whole), 37), *range(len(whole) - 20, len(whole))}:
        if size == len(pack(PLAIN)):
            continue  # a whole stream, and the dump is whole
        path.write_bytes(whole[:size])
        assert "truncated" in refusal(path) or "damaged" in refusal(path)
    one = pack(PLAIN)
    for place in range(4, len(one), max(1, len(one) // 60)):
        path.write_bytes(one[:place] + bytes([one[place] ^ 0x10]) + one[place + 1 :])
        with suppress(BackupRefused):  # a bit may mean nothing; if it does not, all rows are there
            assert content(path)[0]["public", "t"] == [("1",), ("x",)] * 3000, place
    path.write_bytes(one + b"garbage")
    assert "followed by something else" in refusal(path)


def test_zeros_may_follow_gzip_and_nothing_else_may(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(gzip.compress(PLAIN) + bytes(100_000))
    assert len(content(path)[0]["public", "t"]) == 6000
    path.write_bytes(gzip.compress(PLAIN) + bytes(100_000) + b"x")
    assert "followed by something else" in refusal(path)


def test_what_is_compressed_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(gzip.compress(zstandard.compress(PLAIN)))
    assert "compressed twice" in refusal(path)


def test_a_missing_library_is_named_with_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x"
    for module, pack in (("zstandard", zstandard.compress), ("lz4.frame", lz4.frame.compress)):
        path.write_bytes(pack(PLAIN))
        monkeypatch.setitem(sys.modules, module, None)
        assert f"pip install {module.partition('.')[0]}" in refusal(path)


BOMB = """
import resource, sys
from pathlib import Path
from verifier.initial_load.reading.opening import opened
from verifier.initial_load.reading.compression import decompressed
resource.setrlimit(resource.RLIMIT_AS, (600 << 20, 600 << 20))
with opened(Path(sys.argv[1])) as file:
    inside, size = decompressed(file, "x"), 0
    while piece := inside.read(1 << 18):
        size += len(piece)
# Of this program alone: getrusage counts what it was forked from, too.
status = Path("/proc/self/status").read_text()
print(size, status.partition("VmHWM:")[2].split()[0])
"""


@pytest.mark.parametrize("pack", PACKERS)
def test_a_bomb_takes_no_memory(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    one = pack(bytes(128 << 20))
    (tmp_path / "bomb").write_bytes(one * 8)
    done = subprocess.run(
        [sys.executable, "-c", BOMB, tmp_path / "bomb"], capture_output=True, text=True, check=True
    )
    size, peak = map(int, done.stdout.split())
    assert size == 1 << 30
    assert peak < 160 << 10, peak  # KB


# --- what is no backup ------------------------------------------------------------------

FOREIGN = {
    b"": "is empty",
    b" \n\n\t": "nothing but blanks",
    b"\xef\xbb\xbf": "is empty",
    b"\x89PNG\r\n\x1a\n\0\0\0": "a PNG image",
    b"<!DOCTYPE html><html><body>502 Bad Gateway</body>": "a page of HTML",
    b"\n<html>": "a page of HTML",
    b"id,name,price\n1,a,2\n": "begins with 'id,name,price'",
    b'"id";"name"\n1;2\n': "no backup",
    b"1,2,3\n": "no backup",
    b"PK\x03\x04....": "a ZIP archive: unpack it",
    b"BZh91AY": "decompress it first (bunzip2)",
    "-- dump".encode("utf-16"): "UTF-16",
    "-- dump".encode("utf-16-le"): "UTF-16",
    b"a\0b": "binary data",
    b"hello there": "line 1",
    b"\x02\x21\x4c\x18rest": "legacy",
}


@pytest.mark.parametrize("data", FOREIGN)
@pytest.mark.parametrize("packed", [False, True])
def test_what_is_no_backup_is_named(data: bytes, packed: bool, tmp_path: Path) -> None:
    path = tmp_path / "backup.sql"
    path.write_bytes(gzip.compress(data) if packed else data)
    said = refusal(path)
    assert FOREIGN[data] in said
    assert said.startswith("backup.sql")


def test_places_where_no_backup_is_are_named(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "nowhere")
    assert "without toc.dat" in refusal(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        assert "is a socket" in refusal(tmp_path / "s")
    assert "is empty" in refusal(Path(os.devnull))


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody without rights")
def test_a_file_without_permission_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(PLAIN)
    path.chmod(0)
    os.seteuid(65534)
    try:
        assert "Permission denied" in refusal(path)
    finally:
        os.seteuid(0)


def test_a_byte_order_mark_is_no_part_of_the_backup(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"\xef\xbb\xbf" + PLAIN)
    assert len(content(path)[0]["public", "t"]) == 6000


# --- pipes ------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["plain", "gzip", "custom", "tar"])
def test_a_pipe_is_read_like_a_file(dumps: Dumps, form: str, tmp_path: Path) -> None:
    plain = dumps(18, *PLAINLY)
    data = {
        "plain": plain.read_bytes(),
        "gzip": gzip.compress(plain.read_bytes()),
        "custom": dumps(18, "-Fc").read_bytes(),
        "tar": dumps(18, "-Ft").read_bytes(),
    }[form]
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    writer = threading.Thread(target=fifo.write_bytes, args=(data,))
    writer.start()
    try:
        assert content(fifo) == content(plain)
    finally:
        writer.join()
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    shown = subprocess.run(
        [
            sys.executable,
            "-c",
            "from pathlib import Path; from verifier.initial_load.reading import read\n"
            "print(sum(getattr(event, 'count', 0) for event in read(Path('-'))))",
        ],
        input=data,
        capture_output=True,
        check=True,
    ).stdout
    assert int(shown) == 15050


# --- our own backups --------------------------------------------------------------------


def test_a_backup_whose_rows_are_not_those_of_its_manifest_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x"
    for said, found in (
        (6000, ""),
        (5999, "public.t: 6000 of 5999"),
        (None, "public.t: 6000 of 0"),
    ):
        tables = {} if said is None else {"public.t": said}
        with path.open("wb") as file:
            writer = Writer(file)
            writer.write(PLAIN)
            writer.end(
                Manifest(
                    tables=tables,
                    format=Format.INSERTS,
                    schema="",
                    server="",
                    tool="",
                    verifier="",
                    made="",
                )
            )
        if found:
            assert found in refusal(path)
        else:
            assert len(content(path)[0]["public", "t"]) == 6000
    path.write_bytes(path.read_bytes().replace(b"'x'", b"'y'", 1))
    assert "damaged" in refusal(path)
