"""A file that appears under its name only when it is whole, compressed as its name says."""

from __future__ import annotations

import errno
import gzip
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Protocol

from verifier.errors import BackupError, UsageError

_BUFFER = 1 << 18
_GZIP_LEVEL = 6
"""As the gzip program has it; Python's own is 9, three times as slow for 2 % less."""


class Output(Protocol):
    def write(self, data: bytes, /) -> object: ...

    def close(self) -> object: ...


def check(path: Path) -> None:
    """Raise :class:`UsageError` for a file that cannot be written, before the work begins."""
    if path.is_dir() or (path.exists() and not path.is_file()):
        raise UsageError(f"{path} is there and is no file; give the backup another name")
    if not path.parent.is_dir():
        raise UsageError(f"{path.parent} is no directory; make it, or write the backup elsewhere")
    _compressor(path)


@contextmanager
def replacing(path: Path) -> Iterator[Output]:
    """A file that takes the place of ``path`` when the block ends well, and leaves no trace else.

    Compressed as its name says. Raises :class:`BackupError` when it cannot be written;
    a full disk shows here or, at the latest, when everything is forced to the disk.
    """
    try:
        with whole(path) as file:
            compressed = _compressor(path)(file)
            yield compressed
            if compressed is not file:
                compressed.close()
    except OSError as error:
        raise BackupError(_reason(path, error)) from error


@contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a file that takes the place of ``path`` once it is complete and on disk.

    Readable by its owner only. Raises :class:`OSError`.
    """
    # In the same directory: a file moves in one step only within a file system.
    part = path.parent / f".restore-verifier-{secrets.token_hex(8)}.part"
    try:
        number, named = _temporary(part)
        with open(number, "wb", buffering=_BUFFER) as file:
            yield file
            file.flush()
            os.fsync(number)
            named = named or not _name(number, path, part)
        if named:
            os.replace(part, path)
        _settle(path.parent)
    finally:
        part.unlink(missing_ok=True)


def _temporary(part: Path) -> tuple[int, bool]:
    """A file to write, and whether it has the name ``part`` already.

    Where the system can do it, the file has no name: nothing is left even when we are killed.
    """
    if hasattr(os, "O_TMPFILE") and Path("/proc/self/fd").is_dir():
        # Not every file system knows such files.
        with suppress(OSError):
            return os.open(part.parent, os.O_TMPFILE | os.O_WRONLY, 0o600), False
    return os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), True


def _name(number: int, path: Path, part: Path) -> bool:
    """Give a file without a name the name ``path``, or ``part`` if it is taken; whether it was."""
    for name in (path, part):
        with suppress(FileExistsError):
            # Python follows the link only if a directory is given; the path needs none.
            os.link(f"/proc/self/fd/{number}", name, src_dir_fd=number)
            return name == path
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(part))


def _compressor(path: Path) -> Callable[[BinaryIO], Output]:
    """What compresses as the name ``path`` says. Raises :class:`UsageError` if it is not here."""
    match path.suffix.lower():
        case ".gz":
            return _gzip
        case ".zst":
            try:
                import zstandard
            except ImportError:
                raise UsageError(
                    f"{path.name} asks for Zstandard, and the package zstandard is not installed; "
                    "run `pip install zstandard`, or end the name in .gz or .sql"
                ) from None
            compressor = zstandard.ZstdCompressor(write_checksum=True)
            return lambda file: compressor.stream_writer(file, closefd=False)
        case _:
            return lambda file: file


def _gzip(file: BinaryIO) -> Output:
    return gzip.GzipFile(filename="", mode="wb", compresslevel=_GZIP_LEVEL, fileobj=file)


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
