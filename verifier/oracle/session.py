"""The oracle's own connections, with every setting pinned that changes how values read.

The same value prints differently under another ``TimeZone``, ``DateStyle``,
``IntervalStyle``, ``extra_float_digits`` or ``bytea_output``; comparing texts is
only sound when both sides print under the same settings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg

from verifier.dsn import Dsn
from verifier.errors import ObservationError

PINNED: Mapping[str, str] = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "extra_float_digits": "3",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "search_path": "pg_catalog",
    # Names and literals in queries are made and read under these.
    "quote_all_identifiers": "off",
    "standard_conforming_strings": "on",
    "default_transaction_isolation": "repeatable read",
    "default_transaction_read_only": "on",
    # A table must not look shorter than it is to a role that policies apply to.
    "row_security": "off",
    # A connection may have nothing to do for a while.
    "idle_session_timeout": "0",
}
_SINCE = {"idle_session_timeout": 140000, "transaction_timeout": 170000}
"""Settings that earlier servers do not know."""
_PATIENCE = {
    # A look must never wait for what the implementation left behind.
    "lock_timeout": "10s",
    "statement_timeout": "0",
}


def connect(dsn: Dsn, settings: Mapping[str, str]) -> psycopg.Connection[Any]:
    """A connection under ``settings``, outside of any transaction; texts are UTF-8.

    Raises :class:`psycopg.Error` without the frames that hold the password.
    """
    try:
        connection = psycopg.connect(
            dsn.conninfo, connect_timeout=10, client_encoding="UTF8", autocommit=True
        )
    except psycopg.Error as error:
        raise error.with_traceback(None) from None
    try:
        version = connection.info.server_version
        known = [each for each in settings.items() if version >= _SINCE.get(each[0], 0)]
        calls = ", ".join(["pg_catalog.set_config(%s, %s, false)"] * len(known))
        given = [word for setting in known for word in setting]
        connection.execute(f"SELECT {calls}".encode(), given)
        connection.autocommit = False
    except BaseException:
        connection.close()
        raise
    return connection


def first_line(error: psycopg.Error) -> str:
    """What ``error`` says, without its detail."""
    said = str(error).strip().splitlines()
    return said[0] if said else type(error).__name__


@contextmanager
def looking(dsn: Dsn) -> Iterator[psycopg.Connection[Any]]:
    """A read-only connection within one snapshot.

    Raises :class:`ObservationError` for whatever keeps the oracle from looking:
    the caller's verdict is then unknown, never kept.
    """
    try:
        with connect(dsn, {**PINNED, **_PATIENCE}) as connection:
            yield connection
    except psycopg.Error as error:
        raise ObservationError(f"cannot look at {dsn}: {first_line(error)}") from error
