"""The oracle's own connections, with every setting pinned that changes how values read.

The same value prints differently under another ``TimeZone``, ``DateStyle``,
``IntervalStyle``, ``extra_float_digits`` or ``bytea_output``; comparing texts is
only sound when both sides print under the same settings.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from verifier.dsn import Dsn
from verifier.errors import ObservationError

_PINNED = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "extra_float_digits": "3",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "search_path": "pg_catalog",
    "default_transaction_isolation": "repeatable read",
    "default_transaction_read_only": "on",
    # A look must never wait for what the implementation left behind.
    "lock_timeout": "10s",
    "statement_timeout": "0",
    "row_security": "off",
}


@contextmanager
def looking(dsn: Dsn) -> Iterator[psycopg.Connection[Any]]:
    """A read-only connection within one snapshot.

    Raises :class:`ObservationError` for whatever keeps the oracle from looking:
    the caller's verdict is then unknown, never kept.
    """
    try:
        with psycopg.connect(
            dsn.conninfo, connect_timeout=10, client_encoding="UTF8"
        ) as connection:
            connection.autocommit = True
            for name, value in _PINNED.items():
                connection.execute("SELECT pg_catalog.set_config(%s, %s, false)", (name, value))
            connection.autocommit = False
            yield connection
    except psycopg.Error as error:
        said = str(error).strip().splitlines()
        raise ObservationError(
            f"cannot look at {dsn}: {said[0] if said else type(error).__name__}"
        ) from error
