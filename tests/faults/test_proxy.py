"""The proxy before a real server: what passes, what is counted, and where it strikes."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.waiting import until
from verifier.dsn import Dsn
from verifier.errors import UsageError
from verifier.faults import After, Link, Moment, Proxy, Traffic
from verifier.servers import Database, Pair, Side


@pytest.fixture
def database(servers: Pair) -> Iterator[Database]:
    databases = servers.databases(Side.TARGET)
    made = databases.create("proxy")
    yield made
    databases.drop(made)


def work(proxy: Proxy) -> None:
    """Simple and extended statements, and a COPY that is larger than any buffer."""
    with psycopg.connect(proxy.dsn.conninfo) as session:
        session.execute("CREATE TABLE t (a int, b text)")
        session.execute("INSERT INTO t VALUES (%s, %s)", (1, "one"))
        with session.cursor().copy("COPY t FROM STDIN") as copy:
            for number in range(20_000):
                copy.write_row((number, "x" * 100))
        copied = session.execute("SELECT b FROM t").fetchall()
        assert len(copied) == 20_001


STATEMENTS = ["BEGIN", "CREATE", "INSERT", "COPY", "(end of COPY)", "SELECT", "COMMIT"]


def test_everything_passes_and_is_counted(database: Database) -> None:
    with Proxy(lambda: database.dsn) as proxy:
        work(proxy)
    traffic = proxy.traffic
    assert [each.split(" ")[0].strip() for each in traffic.statements] == [
        "BEGIN", "CREATE", "INSERT", "COPY", "(end", "SELECT", "COMMIT",
    ]  # fmt: skip
    assert traffic.sent > 2_000_000
    assert traffic.received > 2_000_000
    assert (traffic.connections, traffic.opaque, proxy.struck) == (1, False, False)
    assert database.execute("SELECT count(*) FROM t") == [(20_001,)]


def cut(links: Sequence[Link]) -> After:
    return After(cut=True)


@pytest.mark.parametrize(
    ("moment", "written"),
    [
        (Moment(statement=4), False),
        (Moment(before="commit"), False),
        (Moment(answer_to="COMMIT"), True),
        (Moment(answer=6), False),
        (Moment(sent=1_000_000), False),
        (Moment(received=1_000_000), False),
    ],
    ids=str,
)
def test_a_cut_comes_at_its_moment(database: Database, moment: Moment, written: bool) -> None:
    with Proxy(lambda: database.dsn, moment, cut) as proxy:
        with pytest.raises(psycopg.OperationalError):
            work(proxy)
        passed = (proxy.traffic.sent, proxy.traffic.received)
        with psycopg.connect(proxy.dsn.conninfo) as session:  # the network is there again
            session.execute("SELECT 1")
    assert proxy.struck
    found = database.execute("SELECT to_regclass('t') IS NOT NULL")
    assert found == [(written,)]
    if moment.sent or moment.received:
        assert 1_000_000 in passed


def test_the_same_statement_is_the_first_that_does_not_arrive(database: Database) -> None:
    for number in range(1, len(STATEMENTS) + 1):
        with (
            Proxy(lambda: database.dsn, Moment(statement=number), cut) as proxy,
            pytest.raises(psycopg.OperationalError),
        ):
            work(proxy)
        assert len(proxy.traffic.statements) == number
    assert database.execute("SELECT to_regclass('t')") == [(None,)]


def test_statements_are_counted_over_all_connections(database: Database) -> None:
    with Proxy(lambda: database.dsn) as proxy:
        for _ in range(3):
            with psycopg.connect(proxy.dsn.conninfo, autocommit=True) as session:
                session.execute("SELECT 1")
    assert proxy.traffic.statements == ["SELECT 1"] * 3
    assert proxy.traffic.connections == 3


def test_while_it_is_silent_nothing_passes_on_any_connection(database: Database) -> None:
    def silent(links: Sequence[Link]) -> After:
        return After(silent=0.5)

    with (
        Proxy(lambda: database.dsn, Moment(before="SELECT 'here'"), silent) as proxy,
        psycopg.connect(proxy.dsn.conninfo, autocommit=True) as one,
        psycopg.connect(proxy.dsn.conninfo, autocommit=True) as other,
    ):
        first = threading.Thread(target=one.execute, args=("SELECT 'here'",))
        began = time.monotonic()
        first.start()
        until(lambda: proxy.struck)
        other.execute("SELECT 'there'")
        waited = time.monotonic() - began
        first.join()
    assert waited >= 0.45


def test_a_server_that_is_away_is_a_refused_connection(database: Database) -> None:
    away = database.dsn.with_(port="1")
    with Proxy(lambda: away) as proxy, pytest.raises(psycopg.OperationalError):
        psycopg.connect(proxy.dsn.conninfo)


def test_what_kept_a_fault_from_striking_is_told(database: Database) -> None:
    def fail(links: Sequence[Link]) -> After:
        raise RuntimeError("no hammer")

    with (
        Proxy(lambda: database.dsn, Moment(statement=1), fail) as proxy,
        psycopg.connect(proxy.dsn.conninfo) as session,
    ):
        session.execute("SELECT 1")
    assert proxy.trouble == "RuntimeError: no hammer"


def test_a_client_that_speaks_something_else_is_cut_off_and_told(database: Database) -> None:
    with Proxy(lambda: database.dsn) as proxy:
        place = proxy.dsn.parameters
        with socket.create_connection((place["host"], int(place["port"])), timeout=10) as client:
            client.sendall(bytes(8))
            with contextlib.suppress(ConnectionResetError):
                assert client.recv(1) == b""
    assert proxy.trouble == "ValueError: a message of 0 bytes is not PostgreSQL's protocol"


@pytest.mark.parametrize("given", [{}, {"statement": 1, "share": 0.5}])
def test_a_fault_has_one_moment(given: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="a fault strikes at one point"):
        Moment(**given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"before": "COMMIT("}, "no regular expression"),
        ({"answer_to": "*"}, "no regular expression"),
        ({"share": 50}, "no share of the bytes; give 0 to 1"),
        ({"statement": 0}, "count from 1"),
        ({"sent": 0}, "give 1 or more"),
    ],
)
def test_a_moment_that_never_comes_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Moment(**given)


@pytest.mark.parametrize(
    ("moment", "absolute"),
    [
        (Moment(share=0.5), Moment(sent=500)),
        (Moment(statement=-1), Moment(statement=3)),
        (Moment(answer=-2), Moment(answer=2)),
        (Moment(before="x"), Moment(before="x")),
    ],
    ids=str,
)
def test_a_moment_is_found_by_what_a_call_without_fault_moved(
    moment: Moment, absolute: Moment
) -> None:
    traffic = Traffic(["BEGIN", "SELECT", "COMMIT"], sent=1000, received=80)
    assert moment.within(traffic, receiving=False) == absolute


@pytest.fixture
def encrypted(database: Database, tmp_path: Path) -> Iterator[Dsn]:
    """The database behind a gate that speaks TLS with clients, as connection poolers do."""
    if shutil.which("openssl") is None:
        pytest.skip("no certificate can be made here: openssl is missing")
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
         "/CN=localhost", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    place = database.dsn.parameters

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)
        writer.write(b"S")
        await writer.start_tls(context)
        answers, server = await asyncio.open_connection(place["host"], int(place["port"]))
        await asyncio.gather(pump(reader, server), pump(answers, writer), return_exceptions=True)

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        ports.append(server.sockets[0].getsockname()[1])
        ready.set()
        while not over.is_set():
            await asyncio.sleep(0.02)
        server.close()

    ports: list[int] = []
    ready, over = threading.Event(), threading.Event()
    gate = threading.Thread(target=lambda: asyncio.run(run()))
    gate.start()
    ready.wait()
    # Without channel binding, which a gate in the middle cannot keep.
    yield database.dsn.with_(port=str(ports[0]), sslmode="require", channel_binding="disable")
    over.set()
    gate.join()


def test_through_tls_only_bytes_are_counted(encrypted: Dsn, database: Database) -> None:
    with Proxy(lambda: encrypted, Moment(statement=1), cut) as proxy:
        work(proxy)
    assert (proxy.traffic.opaque, proxy.traffic.statements, proxy.struck) == (True, [], False)
    assert proxy.traffic.sent > 2_000_000
    database.execute("DROP TABLE t")
    with (
        Proxy(lambda: encrypted, Moment(sent=1_000_000), cut) as proxy,
        pytest.raises(psycopg.OperationalError),
    ):
        work(proxy)
    assert proxy.traffic.sent == 1_000_000
    assert database.execute("SELECT to_regclass('t')") == [(None,)]
