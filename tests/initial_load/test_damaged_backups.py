"""A backup that is cut or changed, in any format, is refused before the target changes.

``EVERY_STEP=1`` tries more places.
"""

from __future__ import annotations

import gzip
import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import lz4.frame
import pytest
import zstandard

from tests.initial_load.conftest import Move
from verifier.contract import Claim
from verifier.initial_load import backup, restore
from verifier.programs import client
from verifier.servers import Pair, Side
from verifier.transfer import BackupOptions, Format, RestoreOptions

pytestmark = pytest.mark.slow

EVERY = bool(os.environ.get("EVERY_STEP"))
PLACES = 30 if EVERY else 8

SCHEMA = "CREATE TABLE p (id int PRIMARY KEY, v text); CREATE TABLE c (id serial, p int, n int);"
ROWS = """
INSERT INTO p SELECT g, 'värde ' || md5(g::text) FROM generate_series(1, 200) g;
INSERT INTO c (p, n) SELECT g, 1 + g % 3 FROM generate_series(1, 200) g;
SELECT lo_from_bytea(4711, 'an object');
"""


@pytest.fixture(scope="module")
def world(servers: Pair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Move]:
    """A source, and a target with a few rows of its own."""
    move = Move(servers, tmp_path_factory.mktemp("damaged"))
    move.target = move.database(Side.TARGET, SCHEMA, ROWS)
    made(move)
    move.target = move.database(
        Side.TARGET, SCHEMA, "INSERT INTO p VALUES (7, 'of the target'), (777, 'kept')"
    )
    yield move
    move.drop()


def made(move: Move) -> None:
    """One backup of every kind, of what the target holds."""
    source, directory = move.target, move.directory

    def dumped(name: str, *options: str) -> Path:
        command = [
            client("pg_dump", server=18),
            "--data-only",
            "--no-owner",
            "--no-privileges",
            *options,
            f"-f{directory / name}",
        ]
        subprocess.run(command, env={**os.environ, **source.dsn.environ}, check=True)
        return directory / name

    plain = dumped("copy", "-Fp").read_bytes()
    dumped("inserts", "-Fp", "--column-inserts")
    dumped("custom", "-Fc")
    dumped("tar", "-Ft")
    dumped("directory", "-Fd")
    (directory / "gzip").write_bytes(gzip.compress(plain))
    (directory / "zstandard").write_bytes(zstandard.compress(plain))
    (directory / "lz4").write_bytes(lz4.frame.compress(plain))
    for form in (Format.COPY, Format.INSERTS):  # JSON carries no large objects
        backup(source.dsn, directory / f"ours_{form}", BackupOptions(format=form))
    backup(source.dsn, directory / "ours.gz", BackupOptions())
    (directory / "ours.gz").rename(directory / "ours_gzip")
    target = move.database(Side.TARGET, SCHEMA, "ALTER TABLE c ADD CHECK (n <> 1)")
    aside = directory / "quarantine"
    assert restore(directory / "copy", target.dsn, RestoreOptions(quarantine=aside)).success


KINDS = [
    "copy", "inserts", "custom", "tar", "gzip", "zstandard", "lz4", "ours_copy", "ours_inserts",
    "ours_gzip", "quarantine",
]  # fmt: skip


def refused(move: Move, path: Path, what: object) -> Claim:
    claim = restore(path, move.target.dsn)
    assert (claim.success, claim.exit_code) == (False, 2), (what, claim.message)
    assert claim.message.startswith(f"the backup is refused: {path.name}"), (what, claim.message)
    assert claim.message.endswith("; nothing was changed")
    assert "\n" not in claim.message
    return claim


@pytest.mark.parametrize("kind", KINDS)
def test_cut_anywhere(world: Move, tmp_path: Path, kind: str) -> None:
    whole = (world.directory / kind).read_bytes()
    before = world.state()
    # What stands behind the last line, or in tar's second closing block, is nobody's loss.
    end = len(whole) - 513 if kind == "tar" else len(whole.rstrip(b"\n-")) - 1
    places = random.Random(kind).sample(range(end), PLACES - 3)
    path = tmp_path / "cut"
    for place in [0, 1, end, *sorted(places)]:
        path.write_bytes(whole[:place])
        refused(world, path, place)
    assert world.state() == before


def test_cut_in_a_directory(world: Move, tmp_path: Path) -> None:
    whole, before = world.directory / "directory", world.state()
    path = tmp_path / "cut"
    for file in sorted(whole.iterdir()):
        size = file.stat().st_size
        for place in {0, size // 2, size - 2}:
            shutil.copytree(whole, path)
            os.truncate(path / file.name, place)
            refused(world, path, (file.name, place))
            shutil.rmtree(path)
    assert world.state() == before


# A quarantine's lines are there to be edited: it has no checksum.
@pytest.mark.parametrize("kind", ["ours_copy", "ours_inserts", "ours_gzip"])
def test_byte_that_was_changed_anywhere(world: Move, tmp_path: Path, kind: str) -> None:
    whole = (world.directory / kind).read_bytes()
    before = world.state()
    path = tmp_path / "changed"
    for place in sorted(random.Random(kind).sample(range(len(whole)), 2 * PLACES)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        refused(world, path, (place, whole[max(place - 20, 0) : place + 20]))
    assert world.state() == before


def test_whole_ones_are_restored(world: Move, servers: Pair) -> None:
    databases = servers.databases(Side.TARGET)
    for kind in sorted([*KINDS, "directory"]):
        target = databases.create("whole")
        target.execute(SCHEMA)
        claim = restore(world.directory / kind, target.dsn)
        assert claim.success, (kind, claim.message)
        expected = 66 if kind == "quarantine" else 200
        assert target.execute("SELECT count(*) FROM c") == [(expected,)], kind
        databases.drop(target)
