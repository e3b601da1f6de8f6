"""The one connection and transaction that a restore lives in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from verifier.dsn import Dsn
from verifier.initial_load.catalog import Connection

Cursor = psycopg.Cursor[tuple[Any, ...]]

# "restore" in ASCII: one restore a database at a time, the next one waits.
LOCK = 0x726573746F7265

# Only what changes how values read and print. The search path stays the account's
# own, because triggers and functions of the target may rely on it; the caller's
# timeouts stay as well. With row_security off a policy that would hide rows is an
# error instead of a silent loss.
_PINNED = {
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "3",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "xmloption": "content",
    "row_security": "off",
    "client_min_messages": "warning",
}


def connect(dsn: Dsn, lock_timeout: float | None = None, *, alone: bool = True) -> Connection:
    """Open a transaction on ``dsn`` with text forms pinned.

    Not ``alone``, it sees one snapshot, for looking only.
    ``lock_timeout``: seconds to wait for a lock; ``None`` leaves it to the account.
    """
    conn = psycopg.connect(dsn.conninfo, client_encoding="UTF8", prepare_threshold=None)
    if not alone:
        conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    try:
        for name, value in _PINNED.items():
            run(conn, "SET LOCAL {name} = {value}", name=name, value=literal(value))
        if lock_timeout is not None:
            run(conn, "SET LOCAL lock_timeout = {ms}", ms=str(max(1, round(lock_timeout * 1000))))
    except BaseException:
        conn.close()
        raise
    return conn


def wait_for_others(conn: Connection) -> None:
    """Take the lock that only one restore of a database can hold."""
    run(conn, "SELECT pg_advisory_xact_lock({key})", key=str(LOCK))


@contextmanager
def unpinned(conn: Connection) -> Iterator[None]:
    """The account's own settings for the time of a ``with`` block that does not fail."""
    for name in _PINNED:
        run(conn, "SET LOCAL {name} TO DEFAULT", name=name)
    yield
    for name, value in _PINNED.items():
        run(conn, "SET LOCAL {name} = {value}", name=name, value=literal(value))


def run(conn: Connection, template: str, **parts: str) -> Cursor:
    """Execute ``template`` with ``{name}`` replaced by SQL text.

    The parts are SQL already: quoted names and expressions from the catalogue,
    :func:`literal`, or fragments made of those. Never a value as it comes.
    """
    return conn.execute(sql.SQL(paste(template, **parts)))


def paste(template: str, **parts: str) -> str:
    """``template`` with ``{name}`` replaced by SQL text, see :func:`run`."""
    return sql.SQL(template).format(**{n: sql.SQL(part) for n, part in parts.items()}).as_string()


def literal(text: str) -> str:
    """``text`` as a literal that reads the same under every setting."""
    doubled = text.replace("'", "''")
    return "E'" + doubled.replace("\\", "\\\\") + "'" if "\\" in text else f"'{doubled}'"


def array(items: list[str]) -> str:
    """SQL for a ``text[]`` of expressions."""
    return f"ARRAY[{', '.join(items)}]::text[]"
