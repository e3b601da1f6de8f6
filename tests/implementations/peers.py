"""Peers on real sockets that answer as they are told, rightly or not."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Reply = bytes | Callable[[socket.socket], None]


@dataclass
class Peer:
    """Answers each request with the next reply; the last one again and again."""

    replies: tuple[Reply, ...]
    port: int
    requests: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=[connection], daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            reply = self.replies[min(len(self.requests), len(self.replies) - 1)]
            self.requests.append(b"")
            self.requests[-1] = _request(connection)
            if callable(reply):
                reply(connection)
            else:
                connection.sendall(reply)


@contextmanager
def serving(*replies: Reply) -> Iterator[Peer]:
    """A peer on a free port for the time of a ``with`` block."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        peer = Peer(replies, listener.getsockname()[1])
        threading.Thread(target=peer.serve, args=[listener], daemon=True).start()
        try:
            yield peer
        finally:
            with suppress(OSError):  # some systems do not wake accept() in this way
                listener.shutdown(socket.SHUT_RDWR)


def answer(status: int, body: object, headers: Mapping[str, str] | None = None) -> bytes:
    """An answer of HTTP; a body that is no bytes goes as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(content)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode() + content


def _request(connection: socket.socket) -> bytes:
    """One whole request, as it came."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        if not chunk:
            return data
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().splitlines() if line.startswith(b"content-length:")]
    wanted = int(lengths[0].split(b":")[1]) if lengths else 0
    while len(body) < wanted:
        chunk = connection.recv(65536)
        if not chunk:
            break
        body += chunk
    return head + b"\r\n\r\n" + body
