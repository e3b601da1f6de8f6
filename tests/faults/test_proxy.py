"""The proxy before a real server: what passes, what is counted, and where it strikes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg
import pytest

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
        time.sleep(0.1)
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


@pytest.mark.parametrize("given", [{}, {"statement": 1, "share": 0.5}])
def test_a_fault_has_one_moment(given: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="a fault strikes at one point"):
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


CERTIFICATE = (
    "openssl req -x509 -newkey rsa:2048 -nodes -keyout server.key -out server.crt -days 2"
    " -subj /CN=localhost 2> /dev/null && chmod 600 server.key"
)


@pytest.fixture
def encrypted(database: Database) -> Iterator[Database]:
    """The database, while its server accepts TLS."""
    with psycopg.connect(database.admin.conninfo, autocommit=True) as admin:
        try:
            admin.execute(f"COPY (SELECT 1) TO PROGRAM '{CERTIFICATE}'".encode())
            admin.execute("ALTER SYSTEM SET ssl = on")
        except psycopg.Error as error:
            pytest.skip(f"no server with TLS can be had here: {error}")
        admin.execute("SELECT pg_reload_conf()")
        until(lambda: _encrypted(database))
        yield database
        admin.execute("ALTER SYSTEM RESET ssl")
        admin.execute("SELECT pg_reload_conf()")
        until(lambda: not _encrypted(database))


def _encrypted(database: Database) -> bool:
    with database.connect() as session:
        return session.pgconn.ssl_in_use


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_through_tls_only_bytes_are_counted(encrypted: Database) -> None:
    with Proxy(lambda: encrypted.dsn, Moment(statement=1), cut) as proxy:
        work(proxy)
    assert proxy.traffic.opaque
    assert proxy.traffic.statements == []
    assert not proxy.struck
    encrypted.execute("DROP TABLE t")
    with (
        Proxy(lambda: encrypted.dsn, Moment(sent=1_000_000), cut) as proxy,
        pytest.raises(psycopg.OperationalError),
    ):
        work(proxy)
    assert encrypted.execute("SELECT to_regclass('t')") == [(None,)]
