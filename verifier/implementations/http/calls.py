"""Requests over HTTP: one deadline for all of a request, bounded answers, no secret shown.

The timeouts of an HTTP library begin anew with every byte that arrives, so a service that
sends a byte a second would never run into one. Here the connection is cut at the deadline.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from socket import SHUT_RDWR
from ssl import SSLContext
from threading import Timer
from typing import Any

import httpx

from verifier.implementations.http.answers import DOCUMENT, Answer, Hide
from verifier.implementations.http.failure import Failed

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_LEAST = 0.001
"""Seconds; a timeout of none at all would mean for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What a request carries: at most one of content, file, or fields and files of a form."""

    content: bytes | None = field(default=None, repr=False)
    file: Path | None = None
    """Sent as it is, in pieces, whatever its size."""
    form: Mapping[str, str] | None = field(default=None, repr=False)
    files: Mapping[str, Path] | None = None
    """Parts of a form that are files; such a form is multipart."""

    def arguments(self, held: ExitStack) -> dict[str, Any]:
        """The same as httpx takes it; open files are closed by ``held``."""

        def opened(path: Path) -> Any:
            return held.enter_context(path.open("rb"))

        if self.file is not None:
            return {"content": opened(self.file)}
        if self.files is not None:
            parts = {name: (path.name, opened(path)) for name, path in self.files.items()}
            return {"files": parts, "data": dict(self.form or {})}
        if self.form is not None:
            return {"data": dict(self.form)}
        return {} if self.content is None else {"content": self.content}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request with everything filled in."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Body = Body()
    timeout: float
    """Seconds for all of it, from the connection to the last byte of the answer."""
    redirects: bool = False
    """Whether to go where a redirect leads."""


class Caller:
    """Sends requests until a deadline that all of them share."""

    def __init__(self, seconds: float, hide: Hide, hide_tokens: Hide | None = None) -> None:
        """``hide`` is for the words of this class, ``hide_tokens`` for those of a service.

        A service that tells the password of a database is found out by whoever reads its claim.
        """
        self.deadline = time.monotonic() + seconds
        self.hide, self.hide_tokens = hide, hide_tokens or hide

    @property
    def left(self) -> float:
        """Seconds until the deadline; never below a moment."""
        return max(_LEAST, self.deadline - time.monotonic())

    def fetch(self, request: Request, limit: int = DOCUMENT) -> Answer:
        """The answer, with at most ``limit`` bytes of its body. Raises :class:`Failed`."""
        with self._sent(request) as (asked, response):
            return self._answer(asked, response, limit)

    def download(self, request: Request, path: Path) -> Answer:
        """The answer; the body of a 2xx one goes to ``path`` instead. Raises :class:`Failed`."""
        with self._sent(request) as (asked, response):
            if not response.is_success:
                return self._answer(asked, response, DOCUMENT)
            try:
                with path.open("wb") as file:
                    for chunk in response.iter_bytes():
                        file.write(chunk)
            except OSError as error:
                raise Failed(
                    f"{asked} was answered, but {path} cannot be written: {error.strerror}"
                ) from error
            return self._answered(asked, response, b"")

    def _answer(self, asked: str, response: httpx.Response, limit: int) -> Answer:
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > limit:
                return self._answered(asked, response, bytes(body[:limit]))
        return self._answered(asked, response, bytes(body), whole=True)

    def _answered(
        self, asked: str, response: httpx.Response, body: bytes, *, whole: bool = False
    ) -> Answer:
        return Answer(
            asked=asked,
            url=str(response.url),
            status=response.status_code,
            headers={name.lower(): value for name, value in response.headers.items()},
            body=body,
            whole=whole,
            hide=self.hide_tokens,
        )

    @contextmanager
    def _sent(self, request: Request) -> Iterator[tuple[str, httpx.Response]]:
        seconds = min(request.timeout, self.left)
        asked = self.hide(f"{request.method} {_shown(request.url)}")
        watch = _Watch()
        timer = Timer(seconds, watch.cut)
        timer.daemon = True
        try:
            with _unlogged(), ExitStack() as held:
                body = request.body.arguments(held)
                client = held.enter_context(_client())
                timer.start()
                response = held.enter_context(
                    client.stream(
                        request.method,
                        request.url,
                        headers=httpx.Headers(dict(request.headers), encoding="utf-8"),
                        timeout=seconds,
                        follow_redirects=request.redirects,
                        extensions={"trace": watch},
                        **body,
                    )
                )
                yield asked, response
            if watch.has_cut:  # what has no length is complete when the connection ends
                raise httpx.ReadTimeout("")
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError, ValueError) as error:
            if watch.has_cut or isinstance(error, httpx.TimeoutException):
                words = f"there was no complete answer within {seconds:.3g} s"
            else:
                words = _trouble(error)
            raise Failed(f"tried {asked}: {self.hide(words)}") from None
        finally:
            timer.cancel()


class _Watch:
    """Told by the library about every connection that it makes; cuts the latest one."""

    def __init__(self) -> None:
        self.has_cut = False
        self._stream: Any = None

    def __call__(self, event: str, about: Mapping[str, Any]) -> None:
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._stream = about["return_value"]
            if self.has_cut:
                self.cut()

    def cut(self) -> None:
        self.has_cut = True
        connection = self._stream and self._stream.get_extra_info("socket")
        if connection is not None:
            with suppress(OSError):
                # Unlike close(), this wakes whoever waits for the next byte.
                connection.shutdown(SHUT_RDWR)


def _client() -> httpx.Client:
    """A client that holds no connection: each may be gone when the service starts anew.

    Proxies are those of the environment (``HTTPS_PROXY``), except for this machine itself.
    """
    return httpx.Client(
        verify=_trust(),
        headers={
            "Accept-Encoding": "identity",
            "Connection": "close",
            "User-Agent": "restore-verifier",
        },
        mounts={f"all://{host}": None for host in _LOOPBACK},
        limits=httpx.Limits(max_keepalive_connections=0),
    )


@cache
def _trust() -> SSLContext:
    """Certificates are checked, against ``SSL_CERT_FILE`` where it is set."""
    return httpx.create_ssl_context()


@contextmanager
def _unlogged() -> Iterator[None]:
    """Without the library's own log, which repeats every URL with whatever it holds."""
    log = logging.getLogger("httpx")
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before


def _shown(url: str) -> str:
    """``url`` without the parts that may hold a secret in a form that nobody would recognise."""
    try:
        return str(httpx.URL(url).copy_with(userinfo=b"", query=None, fragment=None))
    except (httpx.InvalidURL, ValueError):
        return url.partition("?")[0]


def _trouble(error: Exception) -> str:
    """What went wrong with a request, in a sentence that says what to look at."""
    words = str(error) or type(error).__name__
    match error:
        case httpx.ConnectError():
            return f"no connection could be made ({words}); check that the service runs there"
        case httpx.ReadError() | httpx.WriteError() | httpx.CloseError():
            return f"the connection was lost before the answer was complete ({words})"
        case httpx.RemoteProtocolError():
            return f"the answer is not complete, or not HTTP ({words})"
        case httpx.UnsupportedProtocol() | httpx.InvalidURL():
            # The library's own words may hold a part of a password with a slash in it.
            return "this is no URL; give it as http://HOST:PORT/PATH or https://…"
        case httpx.StreamConsumed():
            return "it was redirected, and a file cannot be sent twice; give the place it leads to"
    return words
