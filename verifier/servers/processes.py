"""The PostgreSQL processes that live in a directory of ours, and their end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

_PROC = Path("/proc")
_NAMES = ("postgres", "initdb")
_GRACE = 8.0
"""Seconds between asking and killing: a postmaster gives its own children 5."""


def _command_line(pid: int) -> str:
    if (_PROC / "self").exists():
        try:
            words = (_PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
        except OSError:
            return ""
        return b" ".join(words).decode(errors="replace").strip()
    shown = subprocess.run(
        ["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return shown.stdout.strip()


def postmaster(data: Path) -> int | None:
    """The process that serves ``data``, if there is one.

    ``postmaster.pid`` may be a leftover whose number belongs to somebody else by
    now, so the process has to be a ``postgres -D`` of this very directory.
    """
    try:
        pid = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None
    program, _, rest = _command_line(pid).partition(" -D ")
    ours = Path(program).name == "postgres" and f"{rest} ".startswith(f"{data} ")
    return pid if ours else None


def _working_in(directory: Path) -> set[int]:
    """Every postgres and initdb whose working directory is inside ``directory`` (Linux only).

    PostgreSQL's processes all work in their data directory, so this also finds
    the backends of a postmaster that is gone.
    """
    found = set()
    for entry in _PROC.glob("[0-9]*"):
        try:
            cwd = os.readlink(entry / "cwd")
            name = (entry / "comm").read_text().strip()
        except OSError:
            continue  # gone meanwhile, a zombie, or not ours to look at
        if name in _NAMES and f"{cwd}/".startswith(f"{directory}/"):
            found.add(int(entry.name))
    return found


def running(directory: Path) -> set[int]:
    """Process ids of everything of PostgreSQL's that lives inside ``directory``.

    That is the directory of one server, with its ``data``, or of several.
    """
    serving = {postmaster(directory / "data"), *map(postmaster, directory.glob("*/data"))}
    return _working_in(directory) | {pid for pid in serving if pid is not None}


def end(directory: Path) -> None:
    """End every PostgreSQL process in ``directory``: SIGQUIT, and after a grace SIGKILL.

    SIGQUIT is PostgreSQL's immediate shutdown: nothing is written, sessions are
    cut, and shared memory is given back, which SIGKILL would leave behind. What
    not even SIGKILL ends (it waits for a broken disk) is left to the next sweep.
    """
    began = time.monotonic()
    while left := running(directory):
        waited = time.monotonic() - began
        if waited > 2 * _GRACE:
            return
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGQUIT if waited < _GRACE else signal.SIGKILL)
        time.sleep(0.02)
