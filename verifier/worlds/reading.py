"""What a database with a world's schema holds, read in one round trip.

The values are PostgreSQL's own texts under :data:`PINNED`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import psycopg

from verifier.dsn import Dsn
from verifier.model.schema import Row, Schema, Table
from verifier.model.world import Observation
from verifier.servers import sessions
from verifier.worlds import fingerprint, triggers
from verifier.worlds.fingerprint import Fingerprint
from verifier.worlds.rows import numbered
from verifier.worlds.spelling import literal, name, of_table

PINNED: Mapping[str, str] = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "extra_float_digits": "3",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "xmloption": "content",
    "search_path": "pg_catalog",
    "standard_conforming_strings": "on",
    "quote_all_identifiers": "off",
    "row_security": "off",
    "check_function_bodies": "off",
    "client_min_messages": "error",
    # To look, or to make room for the next world, must not wait for what somebody left behind.
    "lock_timeout": "2s",
    "statement_timeout": "30s",
}

Connection = psycopg.Connection[Any]
Results = list[list[Row]]


_FINGERPRINT = "structure_of_a_world"


def connect(dsn: Dsn) -> Connection:
    """An autocommit session under :data:`PINNED`, and UTF-8 whatever its server has."""
    # What comes back in one script after the other is of other tables each time.
    session = sessions.connect(dsn, client_encoding="UTF8", prepare_threshold=None)
    try:
        ask(session, "".join(f"SET {key} = {literal(value)};" for key, value in PINNED.items()))
    except BaseException:
        session.close()
        raise
    return session


def observer(dsn: Dsn) -> Connection:
    """A session for :meth:`Structure.observe`."""
    session = connect(dsn)
    # To plan it takes longer than all the rest of an observation.
    query = fingerprint.query(session.info.server_version // 10000)
    ask(session, f"PREPARE {_FINGERPRINT} AS {query}")
    return session


def ask(session: Connection, script: str) -> Results:
    """The rows of each statement of ``script`` that gives some, all values as text.

    One round trip; the statements are one transaction. Raises :class:`psycopg.Error`.
    """
    results: Results = []
    with session.cursor() as cursor:
        cursor.execute(script.encode())
        more: bool | None = True
        while more:
            if cursor.description is not None:
                assert cursor.pgresult is not None
                results.append(_rows(cursor.pgresult))
            more = cursor.nextset()
    return results


def _rows(result: psycopg.pq.abc.PGresult) -> list[Row]:
    width = range(result.nfields)
    return [
        tuple(_text(result.get_value(place, column)) for column in width)
        for place in range(result.ntuples)
    ]


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


class Structure:
    """What a database with ``schema`` looks like, once it was made."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.sequences: Mapping[str, str] = {}
        """The sequences of the identity and serial columns by ``table id.column``."""
        self._before: Fingerprint = {}
        self._audited = triggers.audited(schema)

    def made(self, maker: Connection, script: str, observer: Connection) -> Observation:
        """What is there once ``script`` has made it; :meth:`observe` compares with that.

        Raises :class:`psycopg.Error`.
        """
        columns = {
            f"{table.id}.{column}": (table, column) for table, column in numbered(self.schema)
        }
        calls = [
            f"pg_get_serial_sequence({literal(of_table(table))}, {literal(column)})"
            for table, column in columns.values()
        ]
        *_, named = ask(maker, f"{script};SELECT {', '.join(calls)}")
        pairs = zip(columns, named[0], strict=True)
        self.sequences = {key: sequence for key, sequence in pairs if sequence is not None}
        observation, self._before = self._read(observer)
        return observation

    def observe(self, session: Connection) -> Observation:
        """What there is now; what differs from what was made is trouble.

        Raises :class:`psycopg.Error`.
        """
        observation, now = self._read(session)
        trouble = (*observation.trouble, *fingerprint.differences(self._before, now))
        return replace(observation, trouble=trouble)

    def _read(self, session: Connection) -> tuple[Observation, Fingerprint]:
        statements = [_select(table) for table in self.schema.tables]
        statements += map(_following, self.sequences.values())
        statements += [f"SELECT count(*) FROM {triggers.AUDIT}"] if self._audited else []
        statements += [f"EXECUTE {_FINGERPRINT}"]
        results = iter(ask(session, ";".join(statements)))
        rows, generated = {}, {}
        for table in self.schema.tables:
            found = next(results)
            rows[table.id] = tuple(_some(found, table, stored=True))
            if len(table.stored) < len(table.columns):
                generated[table.id] = tuple(_some(found, table, stored=False))
        following = {key: int(next(results)[0][0] or 0) for key in self.sequences}
        trouble = _audit(next(results)[0][0]) if self._audited else []
        observation = Observation(
            rows=rows, generated=generated, sequences=following, trouble=tuple(trouble)
        )
        return observation, fingerprint.read(next(results))

    def unseen(self, why: str) -> Observation:
        """Of a database that cannot be read as what was made."""
        rows: dict[str, tuple[Row, ...]] = {table.id: () for table in self.schema.tables}
        return Observation(rows=rows, trouble=(f"its tables cannot be read: {why}",))


def _select(table: Table) -> str:
    columns = ", ".join(name(column.name) for column in table.columns)
    return f"SELECT {columns} FROM {of_table(table)}"


def _following(sequence: str) -> str:
    return (
        "SELECT last_value + CASE WHEN is_called THEN seqincrement ELSE 0 END"
        f" FROM {sequence}, pg_sequence WHERE seqrelid = {literal(sequence)}::regclass"
    )


def _some(rows: list[Row], table: Table, *, stored: bool) -> Iterator[Row]:
    places = [
        place for place, column in enumerate(table.columns) if (column.generated is None) == stored
    ]
    for row in rows:
        yield tuple(row[place] for place in places)


def _audit(count: str | None) -> list[str]:
    if count == "0":
        return []
    return [f"the trigger that audits wrote {count} rows to {triggers.AUDIT}"]
