"""The file's text as UTF-8, whatever encoding it announces, checked piece by piece."""

from __future__ import annotations

import codecs
import re
from typing import Protocol

HEAD = 1 << 16  # bytes; pg_dump announces the encoding within its first few hundred

# PostgreSQL's names of client encodings → Python's codecs. Only encodings that both
# sides define alike, character by character (EUC_JP, SJIS and BIG5 are not among them).
CODECS = {
    "UTF8": "utf-8",
    "SQL_ASCII": "utf-8",
    "EUC_CN": "gb2312",
    "EUC_KR": "euc_kr",
    "GBK": "gbk",
    "UHC": "cp949",
    "KOI8R": "koi8-r",
    "KOI8U": "koi8-u",
    "WIN866": "cp866",
    "WIN874": "cp874",
    **{f"WIN{number}": f"cp{number}" for number in range(1250, 1259)},
    **{f"ISO_8859_{part}": f"iso8859-{part}" for part in range(5, 9)},
    "LATIN1": "latin-1",
    "LATIN2": "iso8859-2",
    "LATIN3": "iso8859-3",
    "LATIN4": "iso8859-4",
    "LATIN5": "iso8859-9",
    "LATIN6": "iso8859-10",
    "LATIN7": "iso8859-13",
    "LATIN8": "iso8859-14",
    "LATIN9": "iso8859-15",
    "LATIN10": "iso8859-16",
}

_ANNOUNCED = re.compile(rb"^SET client_encoding = '([^'\n]*)';", re.MULTILINE)


class Stream(Protocol):
    """Whatever bytes can be read from; fewer than asked for is not the end, none is."""

    def read(self, size: int, /) -> bytes: ...


class BadTextError(Exception):
    """Text that cannot be read."""

    def __init__(self, why: str, lines: int = 0) -> None:
        super().__init__(why)
        self.lines = lines
        """Line feeds between the last piece that was read and the place."""


class Utf8:
    """``file`` as UTF-8 without NUL, in pieces that end between two characters.

    Raises :class:`BadTextError`.
    """

    def __init__(self, file: Stream) -> None:
        self._file = file
        head = b""
        while len(head) < HEAD and (piece := file.read(HEAD - len(head))):
            head += piece
        self.empty = not head.strip()
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise BadTextError(
                "the file is UTF-16, as PowerShell's > writes it; dump with pg_dump's --file"
            )
        found = _ANNOUNCED.search(head)
        self.encoding = found[1].decode("ascii", "replace") if found else "UTF8"
        codec = CODECS.get(self.encoding.upper())
        if codec is None:
            raise BadTextError(
                f"the encoding {self.encoding!r} is not known here; dump with --encoding=UTF8"
            )
        # A file that was converted to CRLF is seen by its first line (trap F12).
        self.crlf = head.partition(b"\n")[0].endswith(b"\r")
        self._head = head.removeprefix(codecs.BOM_UTF8)
        self._rest = b""
        self._decoder = None
        if codec != "utf-8":
            self._decoder = codecs.getincrementaldecoder(codec)("strict")

    def read(self, size: int) -> bytes:
        """About ``size`` bytes; none only at the end."""
        while True:
            raw = self._raw(size)
            piece = self._checked(raw)
            if piece or not raw:
                return piece

    def _raw(self, size: int) -> bytes:
        """Bytes of the file, as many as asked for but at its end."""
        parts = [self._head[:size]]
        self._head = self._head[size:]
        missing = size - len(parts[0])
        while missing and (part := self._file.read(missing)):
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def _checked(self, raw: bytes) -> bytes:
        try:
            piece = self._decoded(raw)
        except UnicodeDecodeError as error:
            raise BadTextError(
                f"bytes that are not {self._shown}: the file is damaged or truncated, "
                "or was written in another encoding",
                bytes(error.object[: error.start]).count(b"\n"),
            ) from None
        if b"\0" in piece:
            raise BadTextError(
                "a NUL byte, which no PostgreSQL text holds: the file is damaged",
                piece.count(b"\n", 0, piece.index(b"\0")),
            )
        return piece

    def _decoded(self, raw: bytes) -> bytes:
        if self._decoder is not None:
            return self._decoder.decode(raw, final=not raw).encode()
        whole = self._rest + raw
        if whole.isascii():
            self._rest = b""
            return whole
        _, used = codecs.utf_8_decode(whole, "strict", not raw)
        self._rest = whole[used:]
        return whole[:used]

    @property
    def _shown(self) -> str:
        if self.encoding.upper() == "SQL_ASCII":
            return "UTF8 (the backup says SQL_ASCII, which is no encoding)"
        return self.encoding
