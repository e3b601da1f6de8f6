"""Where a backup's bytes come from: a file, a pipe, standard input. Nothing here seeks."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from verifier.errors import BackupRefused

STANDARD_INPUT = Path("-")


class Readable(Protocol):
    """Bytes; fewer than asked for is not the end, none is."""

    def read(self, size: int, /) -> bytes: ...


class Stream:
    """Bytes that can be looked at before they are read.

    Raises :class:`~verifier.errors.BackupRefused` when the system cannot read on.
    """

    def __init__(self, file: Readable, name: str) -> None:
        self._file = file
        self._name = name
        self._ahead = b""

    def peek(self, size: int) -> bytes:
        """The next ``size`` bytes, fewer only at the end; they are read again later."""
        while len(self._ahead) < size and (piece := self._more(size - len(self._ahead))):
            self._ahead += piece
        return self._ahead[:size]

    def read(self, size: int, /) -> bytes:
        if not self._ahead:
            return self._more(size)
        data, self._ahead = self._ahead[:size], self._ahead[size:]
        return data

    def _more(self, size: int) -> bytes:
        try:
            return self._file.read(size)
        except OSError as error:
            raise BackupRefused(f"{self._name} cannot be read: {error.strerror}") from error


def shown(path: Path) -> str:
    """What messages call the backup ``path``."""
    return "standard input" if path == STANDARD_INPUT else path.name or str(path)


def repeatable(path: Path) -> bool:
    """Whether ``path`` can be read more than once: a pipe cannot."""
    return path != STANDARD_INPUT and path.is_file()


@contextmanager
def opened(path: Path) -> Iterator[Stream]:
    """The bytes of the file or pipe ``path``; ``-`` is standard input.

    Raises :class:`~verifier.errors.BackupRefused`.
    """
    name = shown(path)
    standard = path == STANDARD_INPUT
    try:
        if not standard and stat.S_ISSOCK(path.stat().st_mode):
            raise BackupRefused(f"{name} is a socket, no backup; give a file or a pipe")
        # Unbuffered: a read gives what a pipe has, and the stream keeps what is ahead.
        file = open(0 if standard else path, "rb", buffering=0, closefd=not standard)  # noqa: SIM115
    except FileNotFoundError as error:
        raise BackupRefused(f"{name} does not exist: looked for {path}") from error
    except OSError as error:
        raise BackupRefused(f"{name} cannot be read: {error.strerror}") from error
    with file:
        yield Stream(file, name)


def whole(path: Path) -> str:
    """``path`` as an argument that no program takes for an option."""
    return os.path.abspath(path)
