"""pg_dump's custom, directory and tar archives, through a real ``pg_restore``.

``pg_restore --data-only --file=-`` writes the archive's data as a plain dump, which is then
read as data like any other. pg_restore connects to nothing and executes nothing.
"""

from __future__ import annotations

import os
import re
import select
import subprocess
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import IO

from verifier.dsn import without_libpq
from verifier.errors import BackupRefused, ServerUnavailable
from verifier.initial_load.reading.opening import Readable, whole
from verifier.programs import newest

_OPTIONS = (
    "--data-only",
    "--no-owner",
    "--no-privileges",
    "--no-comments",
    "--no-security-labels",
    "--file=-",
)
_PIECE = 1 << 16
_LINES = 5  # of what pg_restore says
_SILENCE = 300.0  # seconds without output, with all input there: pg_restore hangs
_PATIENCE = 5.0  # seconds for a thread that reads from a pipe which nobody writes to


@contextmanager
def restored(
    name: str, *, path: Path | None = None, file: Readable | None = None
) -> Iterator[Readable]:
    """The data of an archive as a plain dump; pg_restore is gone when the block ends.

    The archive is the file or directory ``path``, or comes from ``file``. Reading raises
    :class:`~verifier.errors.BackupRefused` instead of the end when pg_restore failed.
    """
    try:
        program = newest("pg_restore")
    except ServerUnavailable as error:
        raise BackupRefused(f"{name} is an archive, which takes pg_restore: {error}") from error
    command = [str(program), *_OPTIONS, *([whole(path)] if path is not None else [])]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL if file is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**without_libpq(os.environ), "LC_ALL": "C"},
        bufsize=0,
    ) as process:
        running = _Running(name, process, file)
        try:
            yield running
        finally:
            running.stop()


class _Running:
    def __init__(self, name: str, process: subprocess.Popen[bytes], file: Readable | None) -> None:
        self._name = name
        self._process = process
        self._said: deque[str] = deque(maxlen=_LINES)
        self._failed: BaseException | None = None
        self._stopped = Event()
        assert process.stdout is not None
        assert process.stderr is not None
        self._output: IO[bytes] = process.stdout
        # Both ends are served by threads, so that a full pipe can never block all sides.
        listening = Thread(target=self._listen, args=(process.stderr,), daemon=True)
        self._feeding: list[Thread] = []
        if file is not None:
            assert process.stdin is not None
            feeding = Thread(target=self._feed, args=(file, process.stdin), daemon=True)
            self._feeding.append(feeding)
        self._threads = [listening, *self._feeding]
        for thread in self._threads:
            thread.start()

    def read(self, size: int, /) -> bytes:
        while not self._readable():
            if not any(thread.is_alive() for thread in self._feeding):
                raise BackupRefused(
                    f"{self._name}: pg_restore gave nothing for {_SILENCE:.0f} seconds with all "
                    f"of the archive read; {_advice('')}"
                )
        data = self._output.read(size)
        if not data:
            self._finish()
        return data

    def _readable(self) -> bool:
        return bool(select.select([self._output], [], [], _SILENCE)[0])

    def stop(self) -> None:
        """End pg_restore, whatever it is doing; nothing to do if it has ended."""
        self._stopped.set()
        self._process.kill()
        self._process.wait()
        for thread in self._threads:
            thread.join(_PATIENCE)

    def _feed(self, file: Readable, pipe: IO[bytes]) -> None:
        try:
            with pipe:
                accepted = True
                while not self._stopped.is_set() and (piece := file.read(_PIECE)):
                    accepted = accepted and _written(pipe, piece)
                    # Behind the archive's end the file is still read: for its checksums.
        except BaseException as error:
            self._failed = error
            # What is missing makes pg_restore fail at best; reading a tar, it may hang.
            self._process.kill()

    def _listen(self, pipe: IO[bytes]) -> None:
        rest = b""
        while piece := pipe.read(_PIECE):
            *lines, rest = (rest + piece).split(b"\n")
            self._said.extend(line.decode("utf-8", "replace") for line in lines if line)
            rest = rest[-_PIECE:]
        if rest:
            self._said.append(rest.decode("utf-8", "replace"))

    def _finish(self) -> None:
        """At the end of the output: the end of everything else, or why it failed."""
        code = self._process.wait()
        for thread in self._threads:
            thread.join()
        if self._failed is not None:
            raise self._failed
        if code:
            said = "; ".join(_short(line) for line in self._said) or "it said nothing"
            raise BackupRefused(
                f"{self._name}: pg_restore cannot read the archive (exit code {code}): {said}; "
                + _advice(said)
            )


def _written(pipe: IO[bytes], piece: bytes) -> bool:
    """Write all of ``piece``; ``False`` if nobody reads it any more."""
    try:
        rest = memoryview(piece)
        while rest:
            rest = rest[pipe.write(rest) :]
    except BrokenPipeError:
        return False
    return True


def _short(line: str) -> str:
    return re.sub(r"^pg_restore: (?:error: )?", "", line)


def _advice(said: str) -> str:
    if "unsupported version" in said:
        return "install the client programs of the PostgreSQL version that made it"
    if "does not support compression" in said or "compressed archive" in said:
        return "install client programs that support the archive's compression"
    return "it is truncated or damaged: copy it again, or make the backup again"
