"""A database in use, compared with itself: one snapshot, and nothing that is not so."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import pytest

from tests.oracle.comparing.conftest import Duo
from verifier.comparison import Selection, State
from verifier.dsn import Dsn

BUSY = """
CREATE TABLE account (id serial PRIMARY KEY, owner text, balance int);
CREATE TABLE movement (at timestamptz DEFAULT clock_timestamp(), amount int);
INSERT INTO account (owner, balance) SELECT 'o' || i, 100 FROM generate_series(1, 5000) i;
"""


class Writer(threading.Thread):
    """Moves money about until it is told to stop."""

    def __init__(self, dsn: Dsn) -> None:
        super().__init__()
        self._dsn, self._enough = dsn, threading.Event()
        self.begun = threading.Event()
        self.rounds = 0

    def run(self) -> None:
        with psycopg.connect(self._dsn.conninfo, autocommit=True) as session:
            while not self._enough.is_set():
                with session.transaction():
                    session.execute("UPDATE account SET balance = balance + 1 WHERE id % 7 = 0")
                    session.execute("INSERT INTO movement (amount) VALUES (1)")
                    session.execute("INSERT INTO account (owner, balance) VALUES ('new', 0)")
                    session.execute("DELETE FROM account WHERE id = (SELECT min(id) FROM account)")
                self.rounds += 1
                self.begun.set()

    def stop(self) -> None:
        self._enough.set()
        self.join()


@pytest.fixture
def writer(duo: Duo) -> Iterator[Writer]:
    duo.source.execute(BUSY)
    thread = Writer(duo.source.dsn)
    thread.start()
    assert thread.begun.wait(10)
    yield thread
    thread.stop()


def test_a_database_compared_with_itself_while_others_write_is_equal(
    duo: Duo, writer: Writer
) -> None:
    before = writer.rounds
    for _ in range(5):
        comparison = duo.compare(Selection(), target=duo.source.dsn)
        assert (comparison.state, comparison.objects) == (State.EQUAL, ())
        assert comparison.tables[0].source_rows == comparison.tables[0].target_rows
    assert writer.rounds > before, "nobody wrote meanwhile"


def test_a_copy_compared_while_others_write_differs_only_by_what_was_written(
    duo: Duo, writer: Writer
) -> None:
    """Every account was there before, so none can be without its owner in one snapshot."""
    duo.target.execute(BUSY)
    comparison = duo.compare(Selection(limit=100_000), target=duo.target.dsn)
    accounts, movements = comparison.tables
    assert accounts.source_rows == 5000, "a snapshot holds as many accounts as ever"
    assert movements.missing == movements.source_rows
    assert accounts.missing == accounts.extra == movements.source_rows
