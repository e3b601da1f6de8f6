"""A TCP proxy before a database, at which a fault strikes at one moment of a call.

It runs in a thread of its own and serves every connection of the call from one event loop,
so that statements are counted in the one order in which they reach the server. While a
fault strikes, nothing passes.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from verifier.dsn import Dsn
from verifier.faults.moment import Moment, Traffic
from verifier.faults.wire import Backend, Frontend, Message

_CHUNK = 64 * 1024
_RESET = struct.pack("ii", 1, 0)
_ANSWERS = (b"C", b"E", b"I", b"s")
"""Kinds of message that end an Execute: it completed, failed, was empty, or stands still."""


@dataclass(frozen=True, slots=True)
class After:
    """What becomes of the connections once a fault has struck."""

    cut: bool = False
    """They are reset, on either side. New ones may be made."""
    silent: float = 0.0
    """Seconds for which nothing passes."""


@dataclass(slots=True)
class Link:
    """One connection of a client through the proxy."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    frontend: Frontend = field(default_factory=Frontend)
    backend: Backend = field(default_factory=Backend)
    asked: deque[list[Any]] = field(default_factory=deque)
    """For each statement under way: whether it is a simple query, and whether to strike
    before its answer."""

    @property
    def peer(self) -> int:
        """The client's port."""
        port: int = self.client.get_extra_info("peername")[1]
        return port

    def abort(self) -> None:
        """Reset the connection on either side."""
        for end in (self.client, self.server):
            with suppress(OSError):
                end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            end.transport.abort()


Strike = Callable[[Sequence[Link]], After]
"""Called in a thread of its own with the connections there are, the struck one first."""


class Proxy:
    """Leads to the database at ``upstream()`` and counts; strikes at ``moment``, if there is one.

    With ``every``, ``strike`` is called before each statement, and ``moment`` is left alone.
    """

    def __init__(
        self,
        upstream: Callable[[], Dsn],
        moment: Moment | None = None,
        strike: Strike = lambda links: After(),
        *,
        every: bool = False,
    ) -> None:
        self.traffic = Traffic()
        self.struck = False
        self.trouble = ""
        """Why the fault could not strike although the moment came."""
        self._upstream, self._moment, self._strike_with = upstream, moment, strike
        self._every = every
        self._links: list[Link] = []
        self._port = 0
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), name="proxy")

    @property
    def dsn(self) -> Dsn:
        """The database's, by way of the proxy."""
        dsn = self._upstream()
        place = {"port": str(self._port)}
        if dsn.parameters.get("sslmode") == "verify-full":
            return dsn.with_(**place, hostaddr="127.0.0.1")  # the name is checked
        rest = {name: value for name, value in dsn.parameters.items() if name != "hostaddr"}
        return Dsn({**rest, **place, "host": "127.0.0.1"})

    def __enter__(self) -> Proxy:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._over, self._gate = asyncio.Event(), asyncio.Event()
        self._gate.set()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._over.wait()
        server.close()
        for link in self._links:
            link.abort()
        self._gate.set()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        if rest:
            await asyncio.wait(rest, timeout=10)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.traffic.connections += 1
        await self._gate.wait()
        try:
            answers, server = await self._connect()
        except OSError:
            writer.transport.abort()
            return
        link = Link(writer, server)
        self._links.append(link)
        try:
            pumps = (self._up(link, reader), self._down(link, answers))
            await asyncio.gather(*(self._pumped(link, pump) for pump in pumps))
        finally:
            self._links.remove(link)
            for end in (writer, server):
                end.close()
                with suppress(OSError):
                    await end.wait_closed()

    async def _pumped(self, link: Link, pump: Coroutine[Any, Any, None]) -> None:
        """Neither direction goes on alone: a client would wait for its answer for ever."""
        try:
            await pump
        except OSError:
            link.abort()
        except Exception as error:  # bytes that are not the protocol's; told with the findings
            if not self.struck:
                self.trouble = f"{type(error).__name__}: {error}"
            link.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        parameters = self._upstream().parameters
        host = parameters.get("hostaddr") or parameters.get("host") or "localhost"
        port = parameters.get("port", "5432")
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, int(port))

    # -- from the client -------------------------------------------------------------------

    async def _up(self, link: Link, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(_CHUNK):
            for message in link.frontend.feed(data):
                self.traffic.opaque |= link.frontend.opaque
                await self._asked(link, message)
        link.server.write_eof()

    async def _asked(self, link: Link, message: Message) -> None:
        if message.statement is not None:
            statements = self.traffic.statements
            statements.append(message.statement)
            number, moment = len(statements), self._moment
            if self._every or (moment and moment.at_statement(number, message.statement)):
                await self._strike(link)
            watched = bool(moment and moment.at_answer(number, message.statement))
            if message.kind != b"c":
                link.asked.append([message.kind != b"E", watched])
            elif link.asked and watched:
                link.asked[-1][1] = True
        await self._passed(link, link.server, message.raw, "sent")

    # -- from the server -------------------------------------------------------------------

    async def _down(self, link: Link, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(_CHUNK):
            await self._answered(link, data)
        link.client.write_eof()

    async def _answered(self, link: Link, data: bytes) -> None:
        if link.frontend.asks_for_encryption:
            link.frontend.encrypted(data[:1] in (b"S", b"G"))
            await self._passed(link, link.client, data[:1], "received")
            data = data[1:]
        if link.frontend.opaque:
            await self._passed(link, link.client, data, "received")
            return
        for message in link.backend.feed(data):
            if self._watched(link, message.kind):
                await self._strike(link)
            await self._passed(link, link.client, message.raw, "received")

    def _watched(self, link: Link, kind: bytes) -> bool:
        """Whether a message of this ``kind`` is the answer that a fault waits for."""
        watched = False
        while link.asked and (kind == b"Z" or (kind in _ANSWERS and not link.asked[0][0])):
            simple, struck = link.asked.popleft()
            watched |= struck
            if simple or kind != b"Z":
                break
        return watched

    # -- both ------------------------------------------------------------------------------

    async def _passed(
        self, link: Link, to: asyncio.StreamWriter, raw: bytes, direction: str
    ) -> None:
        """Pass ``raw`` on, and strike in the middle of it if the moment is a number of bytes."""
        place = getattr(self._moment, direction) if self._moment else None
        before = getattr(self.traffic, direction)
        if place is not None and not self.struck and before + len(raw) >= place:
            head, raw = raw[: place - before], raw[place - before :]
            await self._write(to, head)
            setattr(self.traffic, direction, before + len(head))
            await self._strike(link)
        await self._write(to, raw)
        setattr(self.traffic, direction, getattr(self.traffic, direction) + len(raw))

    async def _write(self, to: asyncio.StreamWriter, raw: bytes) -> None:
        await self._gate.wait()
        if to.transport.is_closing():
            raise ConnectionResetError
        to.write(raw)
        await to.drain()

    async def _strike(self, link: Link) -> None:
        if self.struck and not self._every:
            return
        await self._gate.wait()
        self.struck = True
        self._gate.clear()
        links = [link, *(other for other in self._links if other is not link)]
        try:
            after = await asyncio.to_thread(self._strike_with, links)
            if after.silent:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._over.wait(), after.silent)
            if after.cut:
                for each in links:
                    each.abort()
        except Exception as error:  # whatever kept it from striking is told with the findings
            self.trouble = self.trouble or f"{type(error).__name__}: {error}"
        finally:
            self._gate.set()
