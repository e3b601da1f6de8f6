"""One of the two databases: a snapshot, and as many connections within it as are needed."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, TypeVar

import psycopg
from psycopg import sql

from verifier.comparison import Side as About
from verifier.dsn import Dsn
from verifier.errors import ObservationError
from verifier.oracle.session import PINNED, connect, first_line

Connection = psycopg.Connection[Any]
T = TypeVar("T")

_SETTINGS = {
    **PINNED,
    "jit": "off",
    "work_mem": "64MB",
    # Large tables are read in parts by several connections. Workers beside them would only
    # make it harder on a server that others use, too.
    "max_parallel_workers_per_gather": "0",
    # Constraints must be seen to hold, not be taken for granted by the planner.
    "constraint_exclusion": "off",
    "idle_in_transaction_session_timeout": "0",
}
# For reading tables, statement_timeout is left as the role or the connection string has it:
# whoever set one did so to protect the server. The catalogue does not take long.
_NO_TIMEOUT = {"statement_timeout": "0", "transaction_timeout": "0"}
_LOCK_SECONDS = "10s"
_CANCEL_SECONDS = 5.0


class Side:
    """One database within one snapshot.

    The main connection holds the snapshot from :meth:`open` to :meth:`close`. Reading is
    done by :meth:`submit` on up to ``jobs`` further connections that import it, each task
    in a transaction of its own, so that an error or a lock of one does not concern the next.
    """

    def __init__(self, label: str, dsn: Dsn, jobs: int) -> None:
        self.label = label
        self.dsn = dsn
        self.main: Connection
        self.snapshot = ""
        self.joined = False
        """Whether it looks at the very snapshot of the other side."""
        self._pool = ThreadPoolExecutor(jobs, f"compare-{label}")
        self._idle: queue.LifoQueue[Connection] = queue.LifoQueue()
        self._busy: set[Connection] = set()
        self._held = ExitStack()

    @property
    def major(self) -> int:
        return self.main.info.server_version // 10000

    @property
    def about(self) -> About:
        version = self.main.info.parameter_status("server_version") or ""
        return About(dsn=str(self.dsn), version=version.split(maxsplit=1)[0])

    def open(self) -> None:
        """Connect and take a snapshot. Raises :class:`ObservationError`."""
        try:
            self.main = self._connect(_NO_TIMEOUT)
            self._held.callback(self.main.close)
            self.begin()
        except psycopg.Error as error:
            raise ObservationError(
                f"cannot look at the {self.label} {self.dsn}: {first_line(error)}; "
                "check the address, the account and the server"
            ) from None

    def begin(self) -> None:
        """Give up the snapshot, if there is one, and take another."""
        self.main.rollback()
        self.main.execute("BEGIN")
        (self.snapshot,) = self.main.execute("SELECT pg_export_snapshot()").fetchone() or ("",)

    def join(self, other: Side) -> None:
        """Look at the very same snapshot as ``other``, a side on the same database."""
        self.main.rollback()
        self._import(self.main, other.snapshot)
        self.snapshot = other.snapshot
        self.joined = True

    def identity(self) -> tuple[object, ...]:
        """The same for two sides only if they are one database of one running server."""
        try:
            with self.main.transaction():  # within the snapshot's: a savepoint
                return self.main.execute(
                    "SELECT system_identifier, pg_postmaster_start_time(), oid"
                    " FROM pg_control_system(), pg_database WHERE datname = current_database()"
                ).fetchone() or (self.label,)
        except psycopg.errors.InsufficientPrivilege:
            return (self.label,)

    def submit(self, task: Callable[[Connection], T]) -> Future[T]:
        """Run ``task`` on a connection within the snapshot; psycopg's errors pass through."""

        def run() -> T:
            with self.reader() as connection:
                return task(connection)

        return self._pool.submit(run)

    def close(self) -> None:
        """End everything; queries that still run are cancelled."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for connection in list(self._busy):
            with suppress(psycopg.Error):
                connection.cancel_safe(timeout=_CANCEL_SECONDS)
        self._pool.shutdown(wait=True)
        while not self._idle.empty():
            self._idle.get().close()
        self._held.close()

    @contextmanager
    def reader(self) -> Iterator[Connection]:
        """A connection within the snapshot, for the time of a ``with`` block."""
        try:
            connection = self._idle.get_nowait()
        except queue.Empty:
            connection = self._connect()
        self._busy.add(connection)
        try:
            self._import(connection, self.snapshot)
            yield connection
            # Also lets go of the tables: thousands of locks are more than a server has.
            connection.rollback()
        except BaseException:
            connection.close()
            raise
        finally:
            self._busy.discard(connection)
        self._idle.put(connection)

    def _connect(self, more: Mapping[str, str] | None = None) -> Connection:
        connection = connect(self.dsn, {**_SETTINGS, **(more or {})})
        connection.autocommit = True  # transactions are begun by hand
        connection.execute(
            "SELECT set_config('lock_timeout', %s, false)"
            " WHERE current_setting('lock_timeout') = '0'",
            (_LOCK_SECONDS,),
        )
        return connection

    @staticmethod
    def _import(connection: Connection, snapshot: str) -> None:
        """Begin a transaction on an older snapshot; both at once, it is done for every table."""
        begin = sql.SQL("BEGIN; SET TRANSACTION SNAPSHOT {}").format(sql.Literal(snapshot))
        connection.execute(begin)
