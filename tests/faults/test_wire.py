"""Statements told apart in what clients send, however the network cuts it up."""

from __future__ import annotations

import struct

import pytest

from verifier.faults.wire import Backend, Frontend


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


def started() -> bytes:
    body = struct.pack("!I", 196608) + b"user\0ann\0\0"
    return struct.pack("!I", len(body) + 4) + body


SSL_REQUEST = struct.pack("!II", 8, 80877103)
EXTENDED = (
    message(b"P", b"s1\0INSERT INTO t VALUES ($1)\0\0\0")
    + message(b"B", b"p1\0s1\0\0\0\0\0\0\0")
    + message(b"E", b"p1\0\0\0\0\0")
    + message(b"S", b"")
)
COPY = message(b"Q", b"COPY t FROM stdin\0") + message(b"d", b"Q\0\0\0\x05") + message(b"c", b"")


@pytest.mark.parametrize("step", [1, 2, 3, 5, 7, 1000])
def test_statements_come_out_whole_and_in_order(step: int) -> None:
    sent = started() + message(b"Q", b"BEGIN\0") + EXTENDED + COPY + message(b"Q", b"COMMIT\0")
    client, raw, statements = Frontend(), b"", []
    for place in range(0, len(sent), step):
        for each in client.feed(sent[place : place + step]):
            raw += each.raw
            statements += [each.statement] if each.statement is not None else []
    assert raw == sent
    assert statements == [
        "BEGIN", "INSERT INTO t VALUES ($1)", "COPY t FROM stdin", "(end of COPY)", "COMMIT",
    ]  # fmt: skip


def test_nothing_is_passed_on_before_the_message_is_whole() -> None:
    client = Frontend()
    list(client.feed(started()))
    statement = message(b"Q", b"DROP TABLE t\0")
    assert list(client.feed(statement[:-1])) == []
    assert [each.raw for each in client.feed(statement[-1:])] == [statement]


def test_a_prepared_statement_is_counted_each_time_it_is_executed() -> None:
    client = Frontend()
    again = message(b"B", b"\0s1\0\0\0\0\0\0\0") + message(b"E", b"\0\0\0\0\0")
    told = [each.statement for each in client.feed(started() + EXTENDED + again + again)]
    assert told.count("INSERT INTO t VALUES ($1)") == 3


def test_encryption_that_is_refused_changes_nothing() -> None:
    client = Frontend()
    assert [each.raw for each in client.feed(SSL_REQUEST)] == [SSL_REQUEST]
    assert client.asks_for_encryption
    client.encrypted(False)
    told = [each.statement for each in client.feed(started() + message(b"Q", b"SELECT 1\0"))]
    assert told == [None, "SELECT 1"]


def test_of_what_is_encrypted_only_bytes_are_passed_on() -> None:
    client = Frontend()
    list(client.feed(SSL_REQUEST))
    client.encrypted(True)
    data = message(b"Q", b"SELECT 1\0")
    assert [(each.raw, each.statement) for each in client.feed(data)] == [(data, None)]
    assert client.opaque


def test_a_client_that_begins_with_tls_is_not_read() -> None:
    client = Frontend()
    hello = bytes([0x16, 3, 1, 0, 200]) + bytes(200)
    assert [each.raw for each in client.feed(hello)] == [hello]
    assert client.opaque


def test_a_request_to_cancel_is_no_statement() -> None:
    client = Frontend()
    cancel = struct.pack("!IIII", 16, 80877102, 77, 12345)
    assert [(each.raw, each.statement) for each in client.feed(cancel)] == [(cancel, None)]


def test_the_server_tells_its_process() -> None:
    server = Backend()
    key = message(b"K", struct.pack("!II", 4711, 99))
    ready = message(b"Z", b"I")
    assert [each.kind for each in server.feed(key[:6])] == []
    assert [each.kind for each in server.feed(key[6:] + ready)] == [b"K", b"Z"]
    assert server.pid == 4711
