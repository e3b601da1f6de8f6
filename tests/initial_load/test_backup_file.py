"""The file of a backup: who may read it, what it replaces, and what is left when it ends early."""

from __future__ import annotations

import os
import re
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.initial_load.backups import (
    ROWS_OF_A_LARGE_TABLE,
    Broken,
    Hooks,
    children,
    dumping,
    manifest,
)
from tests.initial_load.conftest import Move
from tests.waiting import until
from verifier.dsn import Dsn
from verifier.errors import BackupError, UsageError
from verifier.initial_load import backup
from verifier.interrupts import Stopped
from verifier.servers import Side


def test_the_file_is_its_owners_alone_and_replaces_another(move: Move, tmp_path: Path) -> None:
    source = move.database(Side.SOURCE, "CREATE TABLE t (id int)")
    path = tmp_path / "b.sql"
    path.write_text("older")
    path.chmod(0o644)
    backup(source.dsn, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert manifest(path).tables == {"public.t": 0}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("where", ["", "no/b.sql"])
def test_a_place_for_no_file_is_refused_first(tmp_path: Path, where: str) -> None:
    with pytest.raises(UsageError, match=re.escape(str(tmp_path))):
        backup(Dsn.parse("host=127.0.0.1 port=1"), tmp_path / where)


def _break() -> None:
    raise Broken


def _interrupt() -> None:
    raise KeyboardInterrupt


def _terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture
def undecided() -> Iterator[None]:
    """SIGTERM as a program that does not care finds it; the servers' fixture does."""
    kept = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    assert signal.signal(signal.SIGTERM, kept) is signal.SIG_DFL


@pytest.mark.usefixtures("undecided")
@pytest.mark.parametrize("ending", ["sql", "sql.gz", "sql.zst"])
@pytest.mark.parametrize(
    ("hook", "expected"),
    [(_break, Broken), (_interrupt, KeyboardInterrupt), (_terminate, Stopped)],
)
@pytest.mark.parametrize("phase", ["locking tables", "counting rows", "advance"])
def test_a_backup_that_is_ended_leaves_nothing(
    move: Move, tmp_path: Path, phase: str, hook: object, expected: type, ending: str
) -> None:
    source = move.database(Side.SOURCE, ROWS_OF_A_LARGE_TABLE)
    path = tmp_path / f"b.{ending}"
    path.write_text("older")
    with pytest.raises(expected):
        backup(source.dsn, path, progress=Hooks(**{phase.replace(" ", "_"): hook}))  # type: ignore[arg-type]
    assert path.read_text() == "older"
    assert list(tmp_path.iterdir()) == [path]
    assert children() == []
    until(lambda: not dumping(source))


def test_a_backup_that_is_killed_leaves_nothing(move: Move, tmp_path: Path) -> None:
    source = move.database(Side.SOURCE, ROWS_OF_A_LARGE_TABLE)
    script = (
        "import os, signal, sys; from pathlib import Path; from verifier.dsn import Dsn;"
        "from tests.initial_load.backups import Hooks; from verifier.initial_load import backup;"
        "hooks = Hooks(advance=lambda: os.kill(os.getpid(), signal.SIGKILL));"
        "backup(Dsn.parse(sys.stdin.read()), Path(sys.argv[1]), progress=hooks)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "b.sql"],
        input=source.dsn.conninfo,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    if not hasattr(os, "O_TMPFILE"):
        pytest.skip("files without a name are Linux's")
    assert list(tmp_path.iterdir()) == []
    until(lambda: not dumping(source))


def test_files_without_a_name_are_not_needed(
    move: Move, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "O_TMPFILE", 0, raising=False)  # as kernels before 3.11 take it
    source = move.database(Side.SOURCE, "CREATE TABLE t (id int)")
    path = tmp_path / "b.sql"
    with pytest.raises(Broken):
        backup(source.dsn, path, progress=Hooks(counting_rows=_break))
    assert list(tmp_path.iterdir()) == []
    assert backup(source.dsn, path).rows == manifest(path).tables
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_bytes_that_are_no_text_make_no_backup(move: Move, tmp_path: Path) -> None:
    source = move.database(Side.SOURCE)
    name = f"{source.name}_ascii"
    with psycopg.connect(source.admin.conninfo, autocommit=True) as session:
        session.execute(
            f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C'"
            " LC_CTYPE 'C'"
        )
    try:
        admin = source.admin.with_(dbname=name)
        with psycopg.connect(admin.conninfo, autocommit=True, client_encoding="UTF8") as session:
            session.execute("CREATE TABLE t (v text); INSERT INTO t VALUES ('é')")
            assert backup(admin, tmp_path / "b.sql").rows == {"public.t": 1}
            session.execute("SET client_encoding = 'SQL_ASCII'")
            for statement in (b"INSERT INTO t VALUES ('\xe9')", b'CREATE TABLE "\xe9" (v text)'):
                session.execute(statement)
                with pytest.raises(BackupError, match='invalid byte sequence for encoding "UTF8"'):
                    backup(admin, tmp_path / "b.sql")
        assert manifest(tmp_path / "b.sql").tables == {"public.t": 1}
    finally:
        with psycopg.connect(source.admin.conninfo, autocommit=True) as session:
            session.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_a_full_disk_is_one_sentence(move: Move, tmp_path: Path) -> None:
    source = move.database(Side.SOURCE, ROWS_OF_A_LARGE_TABLE)
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], check=False)
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        with pytest.raises(BackupError) as caught:
            backup(source.dsn, disk / "b.sql")
        assert str(caught.value).startswith("the disk is full: ")
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", disk], check=True)
    assert children() == []


def test_a_file_that_may_not_grow_is_one_sentence(move: Move, tmp_path: Path) -> None:
    source = move.database(Side.SOURCE, ROWS_OF_A_LARGE_TABLE)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        with pytest.raises(BackupError, match="cannot be written: File too large"):
            backup(source.dsn, tmp_path / "b.sql")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []
