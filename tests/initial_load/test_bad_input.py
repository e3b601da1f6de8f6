"""Whatever a restore is given: refused before the target changes, in one sentence."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.initial_load.conftest import HEAD, TAIL, Move, assert_refused, total
from verifier.contract import Claim
from verifier.initial_load import plan, restore
from verifier.initial_load.reading.events import Event
from verifier.transfer import RestoreOptions


@contextmanager
def piped(content: bytes, path: Path) -> Iterator[Path]:
    """A named pipe through which ``content`` comes."""
    os.mkfifo(path)

    def feed() -> None:
        # Whoever reads may have enough before the end.
        try:
            with path.open("wb") as pipe:
                pipe.write(content)
        except BrokenPipeError:
            pass

    thread = threading.Thread(target=feed, daemon=True)
    thread.start()
    yield path
    thread.join(10)
    assert not thread.is_alive()


def refused(move: Move, claim: Claim, *parts: str, exit_code: int) -> None:
    """The claim is one sentence that says ``parts``."""
    assert (claim.success, claim.exit_code) == (False, exit_code), claim.message
    for part in (*parts, "nothing was changed"):
        assert part in claim.message
    assert "\n" not in claim.message
    assert "Traceback" not in claim.message
    assert (move.target.dsn.password or "?") not in claim.message


# --- what can be read only once -----------------------------------------------------------


def test_pipe_is_read_like_a_file(move: Move, tmp_path: Path) -> None:
    table = "CREATE TABLE t (id int PRIMARY KEY, v text)"
    move.load("INSERT INTO public.t (id, v) VALUES (1, 'x');\n", table)
    with piped(move.path.read_bytes(), tmp_path / "pipe") as pipe:
        claim = restore(pipe, move.target.dsn)
    assert claim.success, claim.message
    assert total(claim).unchanged == 1


@pytest.mark.parametrize(
    ("rows", "place"),
    [
        (
            "INSERT INTO public.t VALUES (1, 2);\n\nINSERT INTO public.t VALUES (2, 'x');\n",
            "row 2 from line 7 on",
        ),
        ("COPY public.t (id, n) FROM stdin;\n1\t2\n3\t4\n2\tx\n5\tz\n\\.\n", "line 10"),
    ],
)
def test_value_that_does_not_fit_in_a_pipe_is_named_by_line_and_column(
    move: Move, tmp_path: Path, rows: str, place: str
) -> None:
    rows = rows.replace("t VALUES", "t (id, n) VALUES")
    move.load("", "CREATE TABLE t (id int PRIMARY KEY, n int)")
    content = (HEAD + rows + TAIL).encode()
    with piped(content, tmp_path / "pipe") as pipe:
        claim = restore(pipe, move.target.dsn)
    refused(
        move,
        claim,
        f"{place}: public.t, column n: invalid input syntax for type integer",
        "pipe cannot be read a second time to name every such row: give the backup as a file",
        exit_code=1,
    )
    move.path.write_bytes(content)
    assert [r.key["id"] for r in move.again().rejections or ()][:1] == ["2"]


# --- what the system does not give --------------------------------------------------------


def test_file_that_cannot_be_read_is_not_blamed_on_the_quarantine(
    move: Move, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    move.load("", "CREATE TABLE t (id int PRIMARY KEY)")
    move.options = RestoreOptions(quarantine=tmp_path / "aside")

    def fails(path: Path, **options: object) -> Iterator[Event]:
        raise OSError(errno.EIO, "Input/output error", str(path))

    monkeypatch.setattr(plan, "read", fails)
    refused(move, move.again(), "backup.sql cannot be read:", "Input/output error", exit_code=2)


# --- values that the target cannot take ----------------------------------------------------


def test_number_that_the_target_made_and_cannot_change_is_a_rejected_row(move: Move) -> None:
    claim = move(
        "CREATE TABLE t (name text PRIMARY KEY, no int GENERATED ALWAYS AS IDENTITY)",
        "INSERT INTO t (name) VALUES ('a'), ('b')",
        "INSERT INTO t (name) VALUES ('b'), ('new'), ('a')",
    )
    assert {(r.key["name"], r.reason) for r in claim.rejections or ()} == {
        ("a", "no is GENERATED ALWAYS and cannot be changed"),
        ("b", "no is GENERATED ALWAYS and cannot be changed"),
    }
    assert_refused(move, claim)
