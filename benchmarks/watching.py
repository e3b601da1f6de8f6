"""What a restore takes while it runs, looked at many times a second in Linux's /proc.

Peaks shorter than the pause between two looks are missed.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from verifier.servers import Database, sessions

_PAUSE = 0.05
_FILES_EVERY = 5
"""Looks between two at the files, of which there may be thousands."""
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(slots=True)
class Seen:
    """The most of everything during one restore; memory and files in bytes."""

    client: int = 0
    """Resident memory of the client's processes, together."""
    server: int = 0
    """Memory of the sessions in the target that is theirs alone (``RssAnon``), together."""
    temporary: int = 0
    """Temporary tables of the target, and what sorts and hashes wrote to files."""
    cpu: float = 0.0
    """Seconds of the processor that the sessions took, those that had ended before their
    last look not quite."""


class Watch:
    """Watches restores into one database of a server on this machine."""

    def __init__(self, target: Database) -> None:
        with sessions.connect(target.admin) as session:
            (place,) = session.execute("SHOW data_directory").fetchone() or ("",)
            (number,) = session.execute(
                "SELECT oid::bigint FROM pg_database WHERE datname = current_database()"
            ).fetchone() or (0,)
        self._tables = Path(place, "base", str(number))
        self._sorts = Path(place, "base", "pgsql_tmp")
        self._admin, self._name = target.server.admin, target.name
        self.seen = Seen()
        self._took: dict[int, float] = {}

    @contextmanager
    def during(self, starter: int) -> Iterator[None]:
        """Look until the block ends at what the process ``starter`` has started."""
        self.seen = Seen()
        self._took = {}
        over = threading.Event()
        thread = threading.Thread(target=self._looks, args=(starter, over), daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _looks(self, starter: int, over: threading.Event) -> None:
        with sessions.connect(self._admin) as session:
            look = 0
            while not over.wait(_PAUSE):
                backends = session.execute(
                    "SELECT pid FROM pg_stat_activity WHERE datname = %s", (self._name,)
                ).fetchall()
                self._look(starter, [pid for (pid,) in backends])
                if look % _FILES_EVERY == 0:
                    self.seen.temporary = max(self.seen.temporary, self._files())
                look += 1

    def _look(self, starter: int, backends: list[int]) -> None:
        seen = self.seen
        seen.client = max(seen.client, sum(map(_resident, _descendants(starter))))
        seen.server = max(seen.server, sum(map(_private, backends)))
        for backend in backends:
            self._took[backend] = max(self._took.get(backend, 0.0), _cpu(backend))
        seen.cpu = sum(self._took.values())

    def _files(self) -> int:
        # t<session>_<number> is a file of a temporary table.
        return sum(map(_size, [*self._tables.glob("t[0-9]*"), *self._sorts.glob("**/*")]))


def _descendants(process: int) -> Iterator[int]:
    for thread in Path(f"/proc/{process}/task").glob("*/children"):
        for child in map(int, _text(thread).split()):
            yield child
            yield from _descendants(child)


def _resident(process: int) -> int:
    fields = _text(Path(f"/proc/{process}/statm")).split()
    return int(fields[1]) * _PAGE if fields else 0


def _private(process: int) -> int:
    for line in _text(Path(f"/proc/{process}/status")).splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0


def _cpu(process: int) -> float:
    fields = _text(Path(f"/proc/{process}/stat")).rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS if fields else 0.0


def _text(path: Path) -> str:
    """What is in ``path``; nothing when its process has ended."""
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
