"""PostgreSQL's protocol, version 3, as far as it takes to tell statements apart.

Bytes go in as they come and whole messages come out: a type byte, four bytes of length
(which count themselves), the body. Only what a client sends first has no type byte. Format:
"Message Formats" in the chapter on the protocol of PostgreSQL's manual.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_LENGTH = struct.Struct("!I")
_SSL_REQUEST, _GSS_REQUEST, _CANCEL_REQUEST = 80877103, 80877104, 80877102
_TLS_RECORD = 0x16
"""First byte of a client that begins with TLS without asking."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message with its bytes as they came; ``kind`` is empty for those without a type."""

    kind: bytes
    raw: bytes
    statement: str | None = None
    """The statement whose execution this message asks for, as far as its text is known."""


class _Messages:
    """Takes a stream of bytes apart into typed messages."""

    def __init__(self) -> None:
        self._held = bytearray()

    def _typed(self) -> Iterator[tuple[bytes, bytes]]:
        while len(self._held) >= 5:
            end = 1 + _checked(int(_LENGTH.unpack_from(self._held, 1)[0]), least=4)
            if len(self._held) < end:
                return
            raw = bytes(self._held[:end])
            del self._held[:end]
            yield raw[:1], raw


class Frontend(_Messages):
    """What one client sends."""

    def __init__(self) -> None:
        super().__init__()
        self._started = False
        self.asks_for_encryption = False
        """The client has asked for TLS or GSSAPI and waits for the one byte that answers."""
        self.opaque = False
        """Nothing but bytes can be told from here on: they are encrypted."""
        self._prepared: dict[bytes, str] = {}
        self._portals: dict[bytes, str] = {}

    def encrypted(self, answer: bool) -> None:
        """The server has answered the request for encryption."""
        self.asks_for_encryption, self.opaque = False, answer

    def feed(self, data: bytes) -> Iterator[Message]:
        """Every message that ``data`` completes; what it leaves incomplete is held back."""
        self._held += data
        if self.opaque or (not self._started and self._held[:1] == bytes([_TLS_RECORD])):
            self.opaque = True
            raw = bytes(self._held)
            self._held.clear()
            yield Message(b"", raw)
            return
        while not self._started and len(self._held) >= 8:
            length, code = struct.unpack_from("!II", self._held)
            _checked(length, least=8)
            if len(self._held) < length:
                return
            raw = bytes(self._held[:length])
            del self._held[:length]
            if code in (_SSL_REQUEST, _GSS_REQUEST):
                self.asks_for_encryption = True
            else:
                self._started = code != _CANCEL_REQUEST
            yield Message(b"", raw)
        if self._started:
            for kind, raw in self._typed():
                yield Message(kind, raw, self._statement(kind, raw[5:]))

    def _statement(self, kind: bytes, body: bytes) -> str | None:
        """The text of what is to be executed, for a message that asks for it."""
        if kind == b"Q":
            return _text(body.split(b"\0", 1)[0])
        if kind == b"P":
            name, text = body.split(b"\0", 2)[:2]
            self._prepared[name] = _text(text)
        elif kind == b"B":
            portal, name = body.split(b"\0", 2)[:2]
            self._portals[portal] = self._prepared.get(name, "")
        elif kind == b"E":
            return self._portals.get(body.split(b"\0", 1)[0], "")
        elif kind == b"c":
            return "(end of COPY)"
        elif kind == b"F":
            return "(function call)"
        return None


class Backend(_Messages):
    """What the server answers one client, after the answer about encryption."""

    def __init__(self) -> None:
        super().__init__()
        self.pid: int | None = None
        """Of the server's process for this client, once it has been told."""

    def feed(self, data: bytes) -> Iterator[Message]:
        """Every message that ``data`` completes."""
        self._held += data
        for kind, raw in self._typed():
            if kind == b"K":
                self.pid = int(_LENGTH.unpack_from(raw, 5)[0])
            yield Message(kind, raw)


def _checked(length: int, *, least: int) -> int:
    """The length of a message. Raises :class:`ValueError` for one that cannot be."""
    if length < least:
        raise ValueError(f"a message of {length} bytes is not PostgreSQL's protocol")
    return length


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
