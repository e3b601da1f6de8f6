"""A file that appears under its name only when it is whole, compressed as its name says."""

from __future__ import annotations

import errno
import gzip
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Protocol

from verifier.errors import BackupError, UsageError

_PREFIX, _PART = ".restore-verifier-", ".part"
_BUFFER = 1 << 18
_GZIP_LEVEL = 6
"""As the gzip program has it; Python's own is 9, three times as slow for 2 % less."""


class Output(Protocol):
    def write(self, data: bytes, /) -> object: ...

    def close(self) -> object: ...


def check(path: Path) -> None:
    """Raise :class:`UsageError` for a place where no file can be written."""
    if path.is_dir() or (path.exists() and not path.is_file()):
        raise UsageError(f"{path} is there and is no file; give the backup another name")
    if not path.parent.is_dir():
        raise UsageError(f"{path.parent} is no directory; make it, or write the backup elsewhere")


@contextmanager
def replacing(path: Path) -> Iterator[Output]:
    """A file that takes the place of ``path`` when the block ends well, and leaves no trace else.

    Compressed as its name says. Raises :class:`BackupError` when it cannot be written;
    a full disk shows here or, at the latest, when everything is forced to the disk.
    """
    try:
        with whole(path) as file:
            compressed = _compressed(file, path)
            yield compressed
            if compressed is not file:
                compressed.close()
    except OSError as error:
        raise BackupError(_reason(path, error)) from error


@contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a file that takes the place of ``path`` once it is complete and on disk.

    Readable by its owner only. Before, it has no name where the system can do that, so that
    nothing is left even of a process that is killed. Raises :class:`OSError`.
    """
    number, part = _begun(path.parent)
    try:
        with open(number, "wb", buffering=_BUFFER) as file:
            yield file
            file.flush()
            os.fsync(number)
            if part is None:
                part = _named(number, path)
        if part is not None:
            os.replace(part, path)
            part = None
        _settle(path.parent)
    finally:
        if part is not None:
            part.unlink(missing_ok=True)


def _begun(directory: Path) -> tuple[int, Path | None]:
    """An open file in ``directory``, and its name if it has one.

    In the same directory: a file moves in one step only within a file system. Without a
    name by O_TMPFILE of Linux (open(2)), which not every file system has.
    """
    if os.path.isdir("/proc/self/fd") and hasattr(os, "O_TMPFILE"):
        with suppress(OSError):
            return os.open(directory, os.O_TMPFILE | os.O_WRONLY, 0o600), None
    number, name = tempfile.mkstemp(prefix=_PREFIX, suffix=_PART, dir=directory)
    return number, Path(name)


def _named(number: int, path: Path) -> Path | None:
    """Give an open file the name ``path``, or another one, which is returned, if it is taken."""

    def link(name: Path) -> None:
        # With a descriptor Python follows the link, which names the file itself.
        os.link(f"/proc/self/fd/{number}", name, src_dir_fd=number, follow_symlinks=True)

    try:
        link(path)
    except FileExistsError:
        part = path.with_name(f"{_PREFIX}{secrets.token_hex(8)}{_PART}")
        link(part)
        return part
    return None


def _compressed(file: BinaryIO, path: Path) -> Output:
    match path.suffix.lower():
        case ".gz":
            return gzip.GzipFile(filename="", mode="wb", compresslevel=_GZIP_LEVEL, fileobj=file)
        case ".zst":
            try:
                import zstandard
            except ImportError:
                raise UsageError(
                    f"{path.name} asks for Zstandard, and the package zstandard is not installed; "
                    "install it, or end the name in .gz or .sql"
                ) from None
            writer: Output = zstandard.ZstdCompressor(write_checksum=True).stream_writer(
                file, closefd=False
            )
            return writer
        case _:
            return file


def _settle(directory: Path) -> None:
    """Force the file's name to the disk, where the system can do that for a directory."""
    number = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _reason(path: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"the disk is full: {path} cannot be written; nothing was kept, "
            "make room or write the backup elsewhere"
        )
    return f"{path} cannot be written: {error.strerror or error}; nothing was kept"
