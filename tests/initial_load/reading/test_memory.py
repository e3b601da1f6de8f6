"""What a reader holds in memory depends on its blocks, not on the file."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.initial_load.conftest import HEAD, TAIL
from verifier.initial_load.reading.events import Rows
from verifier.initial_load.reading.sql import read_sql

STATUS = Path("/proc/self/status")
KIB, MIB = 1 << 10, 1 << 20
ROWS = 5_000
SHAPES = {
    "copy": ("COPY s.t (a, b) FROM stdin;\n", "1\tit is a row like any other\\n\n", "\\.\n"),
    "inserts": ("", "INSERT INTO s.t (a, b) VALUES (1, 'it''s a row like any other\n');\n", ""),
    "rows": ("INSERT INTO s.t (a, b) VALUES\n\t(0, '')", ",\n\t(1, 'a row like any other')", ";\n"),
    "odd": ("", "INSERT INTO s.t (a, b) VALUES (1, E'one that is looked at');\n", ""),
    "comments": ("--", "no end of a comment", "\n"),
    "blanks": ("", "          \n", ""),
}


class Endless:
    """A file that is made while it is read."""

    def __init__(self, shape: str, pieces: int) -> None:
        first, row, last = (part.encode() for part in SHAPES[shape])
        self._parts = self._made(HEAD.encode() + first, row * ROWS, pieces, last + TAIL.encode())
        self._rest = b""

    @staticmethod
    def _made(first: bytes, block: bytes, pieces: int, last: bytes) -> Iterator[bytes]:
        yield first
        for _ in range(pieces):
            yield block
        yield last

    def read(self, size: int, /) -> bytes:
        while len(self._rest) < size and (part := next(self._parts, None)):
            self._rest += part
        found, self._rest = self._rest[:size], self._rest[size:]
        return found


def peak(shape: str, pieces: int) -> int:
    """Bytes that a process needed at most to read so many pieces."""
    done = subprocess.run(
        [sys.executable, "-m", __name__, shape, str(pieces)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return int(done.stdout) * KIB


@pytest.mark.skipif(not STATUS.exists(), reason="only Linux says so for the program alone")
@pytest.mark.parametrize("shape", SHAPES)
def test_a_file_ten_times_as_large_takes_no_more(shape: str) -> None:
    many = 10 if shape == "odd" else 60
    small, large = peak(shape, many // 10), peak(shape, many)
    assert large < small + 16 * MIB
    assert large < 100 * MIB


if __name__ == "__main__":
    kind, number = sys.argv[1], int(sys.argv[2])
    found = read_sql(Endless(kind, number), "b.sql")
    count = sum(one.count for one in found if isinstance(one, Rows))
    assert count // ROWS == (0 if kind in ("comments", "blanks") else number)
    sys.stdout.write(re.search(r"VmHWM:\s+(\d+) kB", STATUS.read_text())[1])
