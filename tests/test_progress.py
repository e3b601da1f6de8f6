"""The bar of a comparison: on a terminal, and nowhere else."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

SCRIPT = """
from threading import Thread
from verifier.progress import Bar

with Bar() as bar:
    bar.expect(4000)
    bar.doing("public.\\x1b[31mtea " + "x" * 99)
    threads = [Thread(target=lambda: [bar.advance(1) for _ in range(1000)]) for _ in range(5)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    bar.expect(10_000)
"""


@pytest.mark.slow
def test_a_terminal_shows_how_many_rows_were_read():
    ours, theirs = pty.openpty()
    done = subprocess.run([sys.executable, "-c", SCRIPT], stderr=theirs, check=True, timeout=60)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 0
    assert "public.\\x1b[31mtea" in shown
    assert "5.00k/10.0k" in shown
    assert "\x1b[31m" not in shown
    assert not shown.rpartition("\r")[0].rpartition("\r")[2].strip(), "the line is left empty"


@pytest.mark.slow
def test_anything_else_stays_silent():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, check=True, timeout=60
    )
    assert (done.stdout, done.stderr) == (b"", b"")
