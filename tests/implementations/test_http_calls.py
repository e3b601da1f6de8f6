"""Requests to peers that answer rightly, wrongly, slowly, without end, or not at all."""

from __future__ import annotations

import logging
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.implementations.peers import answer, serving
from verifier.implementations.http.answers import DOCUMENT
from verifier.implementations.http.calls import Body, Caller, Request
from verifier.implementations.http.failure import Failed
from verifier.implementations.http.services import free_ports

TOKEN = "sesame-5417"


def hide(text: str) -> str:
    return text.replace(TOKEN, "****")


def get(url: str, timeout: float = 5, **more: object) -> Request:
    return Request(method="GET", url=url, timeout=timeout, **more)  # type: ignore[arg-type]


def fetched(request: Request, seconds: float = 5):
    return Caller(seconds, hide).fetch(request)


def failure(request: Request, seconds: float = 5) -> str:
    with pytest.raises(Failed) as caught:
        fetched(request, seconds)
    return str(caught.value)


def dripping(*, head: bytes, drop: bytes) -> Callable[[socket.socket], None]:
    """Sends ``head``, and then a little every now and then, for ever."""

    def reply(connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            time.sleep(0.02)
            connection.sendall(drop)

    return reply


def silent(connection: socket.socket) -> None:
    connection.recv(1)


def test_an_answer_has_its_status_headers_and_body() -> None:
    with serving(answer(201, {"id": 7}, {"X-Session": "s1"})) as peer:
        found = fetched(get(f"{peer.url}/sessions"))
    assert (found.status, found.ok, found.document()) == (201, True, {"id": 7})
    assert found.headers["x-session"] == "s1"
    assert found.asked == f"GET {peer.url}/sessions"


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (silent, "there was no complete answer within 0.3 s"),
        (dripping(head=b"HTTP/1.1 200 OK\r\n", drop=b"X-A: 1\r\n"), "no complete answer within"),
        (
            dripping(head=b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", drop=b"x"),
            "no complete answer within 0.3 s",
        ),
        (
            dripping(head=b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", drop=b"x"),
            "no complete answer within 0.3 s",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf", "the answer is not complete"),
        (b"", "the answer is not complete, or not HTTP (Server disconnected"),
        (b"220 smtp.example ESMTP\r\n", "the answer is not complete, or not HTTP"),
    ],
    ids=[
        "silent",
        "drips headers",
        "drips a body",
        "drips for ever",
        "closes in the middle",
        "closes",
        "no HTTP",
    ],
)
def test_an_answer_that_does_not_come_whole_is_a_failure_in_time(reply: object, said: str) -> None:
    with serving(reply) as peer:  # type: ignore[arg-type]
        began = time.monotonic()
        words = failure(get(f"{peer.url}/restore", timeout=0.3))
    assert time.monotonic() - began < 5
    assert words.startswith(f"tried GET {peer.url}/restore: {said}") or said in words


def test_the_deadline_of_all_requests_ends_each_of_them() -> None:
    with serving(silent) as peer:
        assert "within 0.2 s" in failure(get(peer.url, timeout=60), seconds=0.2)


def test_a_peer_that_does_not_read_what_is_sent_is_given_up(tmp_path: Path) -> None:
    backup = tmp_path / "backup.sql"
    with backup.open("wb") as file:
        file.truncate(50_000_000)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/restore"
        request = Request(method="POST", url=url, body=Body(file=backup), timeout=0.4)
        assert "no complete answer within 0.4 s" in failure(request)


def test_a_place_where_nobody_listens_is_named() -> None:
    url = f"http://127.0.0.1:{free_ports(1)[0]}/restore"
    words = failure(get(url))
    assert f"tried GET {url}: no connection could be made" in words
    assert "check that the service runs there" in words


@pytest.mark.parametrize(
    "url", ["localhost:3000/restore", "http://", "ftp://x/y", "http://h:port/"]
)
def test_what_is_no_url_is_refused_with_advice(url: str) -> None:
    assert "this is no URL; give it as http://HOST:PORT/PATH" in failure(get(url))


def test_a_gigabyte_is_not_read_as_a_document() -> None:
    sent = []

    def endless(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            sent.append(connection.send(b'{"a": 1}' * 1000))

    with serving(endless) as peer:
        found = fetched(get(peer.url))
        with pytest.raises(Failed, match=r"with more than 4 MiB, which is too long for a document"):
            found.document()
    assert len(found.body) == DOCUMENT
    assert sum(sent) < 3 * DOCUMENT


def test_a_download_goes_to_its_file_whatever_its_size(tmp_path: Path) -> None:
    content = bytes(range(256)) * 40_000
    with serving(answer(200, content)) as peer:
        found = Caller(5, hide).download(get(peer.url), tmp_path / "backup")
    assert (tmp_path / "backup").read_bytes() == content
    assert (found.ok, found.body) == (True, b"")


def test_a_refused_download_leaves_no_file_and_keeps_the_words(tmp_path: Path) -> None:
    with serving(answer(403, b"no backups on Fridays")) as peer:
        found = Caller(5, hide).download(get(peer.url), tmp_path / "backup")
    assert found.said() == "HTTP 403 Forbidden: no backups on Fridays"
    assert not (tmp_path / "backup").exists()


def test_a_file_is_sent_as_it_is_with_its_length(tmp_path: Path) -> None:
    backup = tmp_path / "backup.sql"
    backup.write_bytes(b"COPY t FROM stdin;\n" * 10_000)
    with serving(answer(200, {})) as peer:
        fetched(Request(method="POST", url=peer.url, body=Body(file=backup), timeout=5))
        (request,) = peer.requests
    head, _, body = request.partition(b"\r\n\r\n")
    assert body == backup.read_bytes()
    assert b"Content-Length: 190000" in head
    assert b"Transfer-Encoding" not in head


def test_a_form_with_a_file_is_sent_in_parts(tmp_path: Path) -> None:
    backup = tmp_path / "backup.sql"
    backup.write_bytes(b"SELECT 1;")
    body = Body(form={"mode": "upsert"}, files={"upload": backup})
    with serving(answer(200, {})) as peer:
        fetched(Request(method="POST", url=peer.url, body=body, timeout=5))
        (request,) = peer.requests
    assert b"Content-Type: multipart/form-data; boundary=" in request
    assert b'name="mode"\r\n\r\nupsert\r\n' in request
    assert b'name="upload"; filename="backup.sql"' in request
    assert b"SELECT 1;" in request


def test_a_redirect_is_followed_only_when_asked() -> None:
    with serving(answer(302, b"", {"Location": "/elsewhere"}), answer(200, {"at": "last"})) as peer:
        found = fetched(get(peer.url))
        assert found.said() == (
            "HTTP 302 Found to /elsewhere, which is not followed unless `redirects = true`"
        )
    with serving(answer(302, b"", {"Location": "/elsewhere"}), answer(200, {"at": "last"})) as peer:
        assert fetched(get(peer.url, redirects=True)).document() == {"at": "last"}
        assert b"GET /elsewhere" in peer.requests[1]


def test_a_token_does_not_follow_a_redirect_to_another_place() -> None:
    with serving(answer(200, {})) as other:
        with serving(answer(302, b"", {"Location": f"{other.url}/x"})) as peer:
            headers = {"authorization": f"Bearer {TOKEN}"}
            assert fetched(get(peer.url, headers=headers, redirects=True)).ok
        assert TOKEN.encode() in peer.requests[0]
        assert TOKEN.encode() not in other.requests[0]


def test_a_proxy_is_used_for_other_machines_and_not_for_this_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving(answer(200, {"who": "proxy"})) as proxy, serving(answer(200, {})) as peer:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        assert fetched(get(peer.url)).document() == {}
        assert fetched(get("http://shop.example/x")).document() == {"who": "proxy"}
        assert proxy.requests[0].startswith(b"GET http://shop.example/x HTTP/1.1")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes a certificate with openssl")
def test_a_certificate_that_nobody_signed_is_refused(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as plain:
        server = context.wrap_socket(plain, server_side=True)

        def accept() -> None:
            with pytest.raises(OSError):  # noqa: PT011 (the peer hangs up, one way or another)
                server.accept()

        thread = threading.Thread(target=accept)
        thread.start()
        words = failure(get(f"https://127.0.0.1:{plain.fileno() and server.getsockname()[1]}/"))
        thread.join(5)
        server.close()
    assert "certificate verify failed" in words.lower()


def test_a_token_is_in_no_error_no_words_and_no_log(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    headers = {"authorization": f"Bearer {TOKEN}"}
    with serving(answer(401, f"{TOKEN} is not known".encode())) as peer:
        found = fetched(get(f"{peer.url}/?key={TOKEN}", headers=headers))
    assert TOKEN.encode() in peer.requests[0]
    assert found.said() == "HTTP 401 Unauthorized: **** is not known"
    assert found.asked == f"GET {peer.url}/"
    refused = failure(get(f"http://ann:{TOKEN}@127.0.0.1:{free_ports(1)[0]}/?key={TOKEN}"))
    assert TOKEN not in refused + caplog.text + repr(found) + "".join(capsys.readouterr())
    assert "ann" not in refused


def test_a_token_that_is_cut_by_the_length_of_an_excerpt_is_hidden_before() -> None:
    with serving(answer(500, b"x" * 1995 + TOKEN.encode() + b"y" * 100)) as peer:
        words = fetched(get(peer.url)).words()
    assert words.startswith("x" * 1995 + "****")
    assert "sesam" not in words


def test_words_of_garbage_are_printable() -> None:
    with serving(answer(200, b"\x1b[2J\x00\xff\xfe bad")) as peer:
        found = fetched(get(peer.url))
    assert found.words() == "\ufffd[2J\ufffd\ufffd\ufffd bad"
    with pytest.raises(Failed, match="something other than JSON"):
        found.document()


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[" * 100_000, b"[NaN]", b'{"a": ' + b"1" * 9999, b'["\\ud800"]', b"\xff"],
)
def test_what_is_no_json_is_a_failure_that_shows_it(body: bytes) -> None:
    with serving(answer(200, body)) as peer:
        found = fetched(get(peer.url))
    with pytest.raises(Failed, match=r"answered HTTP 200 OK with something other than JSON"):
        found.document()
