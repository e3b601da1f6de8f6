"""Damage to pg_dump's archives that pg_restore does not see, or hangs on.

Observed with pg_restore 18: a tar archive that is cut makes it loop for ever; a data file
of a directory that is not compressed, or by LZ4 or Zstandard, may end anywhere, and
pg_restore gives what is there and succeeds. Neither format holds lengths or checksums, so
a large object that is cut in an uncompressed directory is seen by nobody.

Sources: POSIX pax, "ustar Interchange Format"; src/bin/pg_dump/pg_backup_directory.c.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NoReturn

from verifier.errors import BackupRefused
from verifier.initial_load.reading.compression import decompressed
from verifier.initial_load.reading.opening import Readable, opened

BLOCK = 512
_AGAIN = "copy it again, or make the backup again"
_PIECE = 1 << 18
# How pg_dump ends a table's data: COPY's last line or a statement's end, and two line breaks.
_ENDS = (b"\\.\n\n\n", b";\n\n\n")
_NO_ROWS = b"\n\n"
_DATA = re.compile(r"\d+\.dat(?:\.gz|\.lz4|\.zst)?")
_OBJECT = re.compile(r"blob_\d+\.dat")
_GZIP_LEAST = 18  # bytes of a gzip file with nothing in it, and two more than its magic


def tar_size(header: bytes) -> int | None:
    """The size of the member that a tar header announces; ``None`` where it is no header."""
    sum_field = re.fullmatch(rb"[ \0]*([0-7]+)[ \0]*", header[148:156])
    size_field = re.fullmatch(rb"[ \0]*([0-7]+)[ \0]*", header[124:136])
    if len(header) < BLOCK or sum_field is None:
        return None
    if int(sum_field[1], 8) != sum(header) - sum(header[148:156]) + 8 * ord(" "):
        return None
    if header[124] & 0x80:  # more than 8 GB: base 256
        return int.from_bytes(header[125:136], "big")
    return int(size_field[1], 8) if size_field else None


class CheckedTar:
    """The bytes of a tar archive, unchanged; a refusal where its structure breaks off."""

    def __init__(self, file: Readable, name: str) -> None:
        self._file = file
        self._name = name
        self._header = b""
        self._left = 0  # bytes of the member and its padding
        self._ended = False  # the block of zeros behind the last member was seen

    def read(self, size: int, /) -> bytes:
        data = self._file.read(size)
        self._look(data)
        if not data and not self._ended:
            self._refuse("it ends before its end is marked")
        return data

    def _look(self, data: bytes) -> None:
        place = 0
        while place < len(data) and not self._ended:
            if self._left:
                step = min(self._left, len(data) - place)
                self._left -= step
            else:
                step = min(BLOCK - len(self._header), len(data) - place)
                self._header += data[place : place + step]
                if len(self._header) == BLOCK:
                    self._member(self._header)
                    self._header = b""
            place += step

    def _member(self, header: bytes) -> None:
        if not header.strip(b"\0"):
            self._ended = True
            return
        size = tar_size(header)
        if size is None:
            self._refuse("a member's header is not right")
        self._left = -(-size // BLOCK) * BLOCK

    def _refuse(self, found: str) -> NoReturn:
        raise BackupRefused(
            f"{self._name}: the tar archive is truncated or damaged: {found}; {_AGAIN}"
        )


def check_directory(path: Path, name: str) -> None:
    """Refuse a directory archive whose files end where pg_dump would not have ended them.

    Reads whole files only where they are compressed in a way that pg_restore does not check.
    """
    try:
        files = sorted(entry.name for entry in os.scandir(path) if entry.is_file())
    except OSError as error:
        raise BackupRefused(f"{name} cannot be read: {error.strerror}") from error
    named: set[str] = set()
    for file in files:
        shown = f"{name}/{file}"
        if re.fullmatch(r"blobs(_\d+)?\.toc", file):
            named |= _listed(path / file, shown)
        elif file.endswith(".gz"):
            _check_gzip(path / file, shown)
        elif file.endswith((".lz4", ".zst")) or _DATA.fullmatch(file):
            _check_end(path / file, shown, is_data=bool(_DATA.fullmatch(file)))
    objects = {found[0] for file in files if (found := _OBJECT.match(file))}
    if objects != named:
        odd = ", ".join(sorted(objects ^ named)[:3])
        _refuse(name, f"the large objects' files are not those of its lists ({odd})")


def _check_gzip(path: Path, name: str) -> None:
    """Only what pg_restore takes for a file that is not compressed; it checks the rest."""
    with opened(path) as file:
        head = file.peek(_GZIP_LEAST)
    if len(head) < _GZIP_LEAST or not head.startswith(b"\x1f\x8b"):
        _refuse(name, "it is no gzip stream")


def _listed(path: Path, name: str) -> set[str]:
    """The files that a list of large objects names."""
    with opened(path) as file:
        content = b"".join(iter(lambda: file.read(_PIECE), b""))
    if not re.fullmatch(rb"(?:\d+ blob_\d+\.dat\n)+", content):
        _refuse(name, "its last line is missing, or no line of a list of large objects")
    return {line.split()[1].decode() for line in content.splitlines()}


def _check_end(path: Path, name: str, *, is_data: bool) -> None:
    end, size = b"", 0
    if path.suffix == ".dat":
        size = path.stat().st_size
        end = _end(path, name, 5)
    else:
        with opened(path) as file:
            inside = decompressed(file, name)
            if inside is file:
                _refuse(name, f"it is no {path.suffix[1:]} stream")
            while piece := inside.read(_PIECE):
                end = (end + piece)[-5:]
                size += len(piece)
    if is_data and not end.endswith(_ENDS) and (size, end) != (len(_NO_ROWS), _NO_ROWS):
        _refuse(name, "the table's last line is missing")


def _end(path: Path, name: str, size: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - size))
            return file.read()
    except OSError as error:
        raise BackupRefused(f"{name} cannot be read: {error.strerror}") from error


def _refuse(name: str, found: str) -> NoReturn:
    raise BackupRefused(f"{name} is truncated or damaged: {found}; {_AGAIN}")
