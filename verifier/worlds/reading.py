"""What a database with a world's schema holds, read in one round trip.

The values are PostgreSQL's own texts under :data:`PINNED`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
    "session_replication_role": "origin",
    "check_function_bodies": "off",
    "client_min_messages": "error",
    # To look, or to make room for the next world, must not wait for what somebody left behind.
    "lock_timeout": "2s",
    "statement_timeout": "30s",
}

Connection = psycopg.Connection[Any]
Results = list[list[Row]]


PIN = "".join(f"SET {key} = {literal(value)};\n" for key, value in PINNED.items())


def connect(dsn: Dsn) -> Connection:
    """An autocommit session under :data:`PINNED`, and UTF-8 whatever its server has."""
    session = sessions.connect(dsn, client_encoding="UTF8")
    try:
        ask(session, PIN)
    except BaseException:
        session.close()
        raise
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

    @classmethod
    def made(cls, session: Connection, schema: Schema, script: str) -> Structure:
        """What ``script`` made. Raises :class:`psycopg.Error`."""
        columns = {f"{table.id}.{column}": (table, column) for table, column in numbered(schema)}
        calls = [
            f"pg_get_serial_sequence({literal(of_table(table))}, {literal(column)})"
            for table, column in columns.values()
        ]
        query = fingerprint.query(session.info.server_version // 10000)
        *_, structure, named = ask(session, f"{script};{query};SELECT {', '.join(calls)}")
        found = cls(schema)
        found._before = fingerprint.read(structure)
        pairs = zip(columns, named[0], strict=True)
        found.sequences = {key: sequence for key, sequence in pairs if sequence is not None}
        return found

    def observe(self, session: Connection) -> Observation:
        """What there is now; what differs from what was made is trouble.

        Raises :class:`psycopg.Error`.
        """
        statements = [_select(table) for table in self.schema.tables]
        statements += map(_following, self.sequences.values())
        statements += [f"SELECT count(*) FROM {triggers.AUDIT}"] if self._audited else []
        statements += [fingerprint.query(session.info.server_version // 10000)]
        results = iter(ask(session, ";".join(statements)))
        rows, generated = {}, {}
        for table in self.schema.tables:
            found = next(results)
            rows[table.id] = tuple(_some(found, table, stored=True))
            if len(table.stored) < len(table.columns):
                generated[table.id] = tuple(_some(found, table, stored=False))
        following = {key: int(next(results)[0][0] or 0) for key in self.sequences}
        trouble = _audit(next(results)[0][0]) if self._audited else []
        trouble += fingerprint.differences(self._before, fingerprint.read(next(results)))
        return Observation(
            rows=rows, generated=generated, sequences=following, trouble=tuple(trouble)
        )

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
