"""gzip, Zstandard and LZ4 as they are read: streams, told by their first bytes, never by name.

A file may hold several members (gzip) or frames (the others) one after another. Memory is
bounded whatever a stream expands to: a read gives at most what it is asked for, and what
a Zstandard frame may refer back to is limited.

Sources: RFC 1952 (gzip), RFC 8878 (Zstandard), lz4_Frame_format.md of the LZ4 project.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, NoReturn, Protocol

from verifier.errors import BackupRefused
from verifier.initial_load.reading.opening import Stream

_PIECE = 1 << 16  # bytes read at a time
_WINDOW = 1 << 27  # bytes; the most that zstd itself accepts without being asked for more
_AGAIN = "copy the file again, or make the backup again"


class _Member(Protocol):
    """One member or frame;complete when ``eof`` is true."""

    rest: bytes
    """Input that was given and is not used yet; behind the member's end if ``eof``."""

    @property
    def eof(self) -> bool: ...

    def decompress(self, size: int) -> bytes:
        """At most about ``size`` bytes, made of ``rest``."""
        ...


class _Gzip:
    def __init__(self) -> None:
        self.rest = b""
        self._inside = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)

    @property
    def eof(self) -> bool:
        return self._inside.eof

    def decompress(self, size: int) -> bytes:
        data = self._inside.decompress(self.rest, size)
        self.rest = self._inside.unused_data if self.eof else self._inside.unconsumed_tail
        return data


class _Zstandard:
    # One step of input becomes 8 MB at most: a block takes 4 bytes and gives 128 KB.
    _STEP = 1 << 8

    def __init__(self, library: Any) -> None:
        self.rest = b""
        self._inside = library.ZstdDecompressor(max_window_size=_WINDOW).decompressobj()

    @property
    def eof(self) -> bool:
        return bool(self._inside.eof)

    def decompress(self, size: int) -> bytes:
        made: list[bytes] = []
        while self.rest and not self.eof and size > 0:
            piece, self.rest = self.rest[: self._STEP], self.rest[self._STEP :]
            made.append(self._inside.decompress(piece))
            size -= len(made[-1])
        if self.eof:
            self.rest = self._inside.unused_data + self.rest
        return b"".join(made)


class _Lz4:
    def __init__(self, library: Any) -> None:
        self.rest = b""
        self._inside = library.LZ4FrameDecompressor()

    @property
    def eof(self) -> bool:
        return bool(self._inside.eof)

    def decompress(self, size: int) -> bytes:
        # The library keeps what it was given and could not use up yet.
        data: bytes = self._inside.decompress(self.rest, size)
        self.rest = (self._inside.unused_data or b"") if self.eof else b""
        return data


@dataclass(frozen=True, slots=True)
class _Codec:
    name: str
    member: Callable[[], _Member]
    errors: tuple[type[Exception], ...]
    magics: Callable[[bytes], bool]
    padded: bool = False
    """Whether zeros may follow the last member, as gzip has it on tapes."""


def _is_gzip(head: bytes) -> bool:
    return head.startswith(b"\x1f\x8b")


def _skippable(head: bytes) -> bool:
    return len(head) >= 4 and 0x50 <= head[0] <= 0x5F and head[1:4] == b"\x2a\x4d\x18"


def _is_zstandard(head: bytes) -> bool:
    return head.startswith(b"\x28\xb5\x2f\xfd") or _skippable(head)


def _is_lz4(head: bytes) -> bool:
    return head.startswith(b"\x04\x22\x4d\x18") or _skippable(head)


def _library(module: str, name: str) -> Any:
    try:
        return import_module(module)
    except ImportError:
        package = module.split(".", maxsplit=1)[0]
        raise BackupRefused(
            f"{name} is compressed with {package} and the Python package {package} is not "
            f"installed: run `pip install {package}`, or decompress the file first"
        ) from None


def _gzip(_: str) -> _Codec:
    return _Codec("gzip", _Gzip, (zlib.error,), _is_gzip, padded=True)


def _zstandard(name: str) -> _Codec:
    library = _library("zstandard", name)
    return _Codec("Zstandard", lambda: _Zstandard(library), (library.ZstdError,), _is_zstandard)


def _lz4(name: str) -> _Codec:
    library = _library("lz4.frame", name)
    return _Codec("LZ4", lambda: _Lz4(library), (RuntimeError,), _is_lz4)


_CODECS: tuple[tuple[Callable[[bytes], bool], Callable[[str], _Codec]], ...] = (
    (_is_gzip, _gzip),
    (_is_zstandard, _zstandard),
    (_is_lz4, _lz4),
)


def decompressed(file: Stream, name: str) -> Stream:
    """What is inside ``file``, which is ``file`` itself if it is not compressed.

    Reading from it raises :class:`~verifier.errors.BackupRefused` for a stream that is cut,
    damaged or followed by something else; its checksums are part of what is looked at.
    """
    head = file.peek(4)
    for matches, codec in _CODECS:
        if matches(head):
            inside = Stream(_Decompressed(file, codec(name), name), name)
            if any(matches(inside.peek(4)) for matches, _ in _CODECS):
                raise BackupRefused(f"{name} is compressed twice; decompress it once and try again")
            return inside
    return file


class _Decompressed:
    """The members of ``file``, one after another, as one stream."""

    def __init__(self, file: Stream, codec: _Codec, name: str) -> None:
        self._file = file
        self._codec = codec
        self._name = name
        self._member: _Member | None = None
        self._left = b""  # read from the file, and behind the last member
        self._given = 0

    def read(self, size: int, /) -> bytes:
        while self._member is not None or self._next():
            assert self._member is not None
            data = self._decompress(self._member, size)
            self._given += len(data)
            if self._member.eof:
                self._left, self._member = self._member.rest, None
            if data:
                return data
        return b""

    def _decompress(self, member: _Member, size: int) -> bytes:
        """The next bytes of the member; none only at its end."""
        try:
            while True:
                data = member.decompress(size)
                if data or member.eof:
                    return data
                piece = self._file.read(_PIECE)
                if not piece:
                    self._refuse("ends inside: the file is truncated")
                member.rest += piece
        except self._codec.errors as error:
            self._refuse(f"is damaged ({str(error).splitlines()[0]})", error)

    def _next(self) -> bool:
        """Start the next member; ``False`` at the end of the file."""
        while len(self._left) < 4 and (piece := self._file.read(_PIECE)):
            self._left += piece
        if self._codec.magics(self._left):
            self._member = self._codec.member()
            self._member.rest, self._left = self._left, b""
            return True
        while self._left and self._codec.padded and not self._left.strip(b"\0"):
            self._left = self._file.read(_PIECE)
        if self._left:
            self._refuse("is followed by something else: the file is damaged or put together")
        return False

    def _refuse(self, found: str, cause: Exception | None = None) -> NoReturn:
        raise BackupRefused(
            f"{self._name}: the {self._codec.name} stream {found}, "
            f"after {self._given} bytes of content; {_AGAIN}"
        ) from cause
