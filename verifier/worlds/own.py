"""A schema of the user's own: loaded, read, and searched for values that its tables take."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg

from verifier.dsn import redact
from verifier.errors import UsageError
from verifier.model.own import Own, Unmade
from verifier.model.schema import Row, Schema, Table
from verifier.seeds import Place
from verifier.servers import Database, Pair, Side, sessions
from verifier.worlds import loading, reading, rules
from verifier.worlds.loading import Loaded
from verifier.worlds.pools import pools
from verifier.worlds.reflect import AS_TEXT, Reflected, reflect, settled
from verifier.worlds.script import pieces
from verifier.worlds.spelling import names, of_table
from verifier.worlds.trials import Trials

_SAMPLE = 60
"""Rows of each table whose values are taken from the seed."""
SCHEMA, SEED = "--schema", "--seed"


def load(pair: Pair, place: Place, seed: Place | None = None, control: Collection[str] = ()) -> Own:
    """The schema that ``place`` holds, and what its tables can be filled with.

    It is made in a database of the run's own, on the older of the two servers. ``seed`` holds
    rows whose values are used before others; tables with a name in ``control`` describe a
    database itself and get no rows. Whatever cannot be made is named in the answer. Raises
    :class:`UsageError` for a schema that cannot be loaded and for a seed that does not fit
    it, and :class:`~verifier.errors.ServerUnavailable`.
    """
    text = loading.text_of(place, SCHEMA)
    with _database(pair, "own_schema") as database, _session(database) as session:
        loaded = _loaded(text, session, SCHEMA, place)
        reflected = reflect(session, loaded.script)
        samples = _rows(session, reflected.schema)
        if seed is not None:
            samples = _seeded(pair, reflected.schema, seed)
        return replace(_own(session, loaded, reflected, samples, control), place=str(place))


def _own(
    session: psycopg.Connection[Any],
    loaded: Loaded,
    reflected: Reflected,
    samples: Mapping[str, tuple[Row, ...]],
    control: Collection[str],
) -> Own:
    schema = reflected.schema
    with session.transaction():
        session.execute(settled().encode())
        ruled = rules.of_tables(session, schema)
    kept_out = [table for table in schema.tables if table.name in control]
    barred = {*reflected.barred, *(table.id for table in kept_out)}
    found, unmade = pools(schema, ruled, Trials(session), samples, barred)
    why = "it describes the database itself and is never moved"
    named = [Unmade(table=table.id, what=table.name, why=why) for table in kept_out]
    return Own(
        schema=schema,
        pools=found,
        unmade=(*loaded.unmade, *reflected.unmade, *named, *unmade),
    )


@contextmanager
def _database(pair: Pair, hint: str) -> Iterator[Database]:
    older = Side.SOURCE if pair.source.major < pair.target.major else Side.TARGET
    databases = pair.databases(older)
    database = databases.create(hint)
    try:
        yield database
    finally:
        databases.drop(database)


@contextmanager
def _session(database: Database) -> Iterator[psycopg.Connection[Any]]:
    with database.connect(client_encoding="UTF8", prepare_threshold=None) as session:
        session.execute(AS_TEXT.encode())
        yield session


def _loaded(text: str, session: psycopg.Connection[Any], flag: str, place: Place) -> Loaded:
    version = session.info.server_version // 10000
    try:
        return loading.load(text, session)
    except UsageError as error:
        advice = (
            "correct it, or make it with pg_dump --schema-only"
            if isinstance(place, Path)
            else "choose servers of its version or a later one"
        )
        raise UsageError(
            f"{flag} {place} cannot be loaded into PostgreSQL {version}: {error}; {advice}"
        ) from None


# -- rows to take values from ---------------------------------------------------------------


def _seeded(pair: Pair, schema: Schema, seed: Place) -> dict[str, tuple[Row, ...]]:
    if not isinstance(seed, Path):
        try:
            with loading.connect(seed, SEED) as session:
                session.execute(AS_TEXT.encode())
                return _fitting(session, schema, seed)
        except psycopg.Error as error:
            said = redact(sessions.words(error), seed)
            raise UsageError(f"{SEED} {seed} cannot be read: {said}; check its rights") from None
    text = loading.text_of(seed, SEED)
    # A whole dump brings its tables with it.
    whole = any("CREATE TABLE" in piece.sql[:40].upper() for piece in pieces(text))
    with _database(pair, "own_rows") as database, _session(database) as session:
        if not whole:
            session.execute(schema.script.encode())
            _loosen(session, schema)
        _loaded(text, session, SEED, seed)
        return _fitting(session, schema, seed)


def _loosen(session: psycopg.Connection[Any], schema: Schema) -> None:
    """Take rows in any order, and as they are."""
    changes = [
        f"ALTER TABLE {of_table(table)} DROP CONSTRAINT {names((key.name,))};"
        for table in schema.tables
        for key in table.foreign_keys
    ]
    changes += [f"ALTER TABLE {of_table(table)} DISABLE TRIGGER USER;" for table in schema.tables]
    session.execute("\n".join(["RESET ALL;", *changes]).encode())
    session.execute(AS_TEXT.encode())


def _fitting(
    session: psycopg.Connection[Any], schema: Schema, seed: Place
) -> dict[str, tuple[Row, ...]]:
    """The rows of the tables of ``schema`` that are there. Raises :class:`UsageError`."""
    there: dict[str, set[str]] = {}
    for name, column in session.execute(
        "SELECT format('%I.%I', table_schema, table_name), column_name"
        " FROM information_schema.columns"
    ):
        there.setdefault(name, set()).add(column)
    common = [table for table in schema.tables if of_table(table) in there]
    lacking = [
        f"{of_table(table)}.{column.name}"
        for table in common
        for column in table.stored
        if column.name not in there[of_table(table)]
    ]
    if lacking or (schema.tables and not common):
        what = f"it has no {', '.join(lacking)}" if lacking else "it has none of its tables"
        raise UsageError(
            f"{SEED} {seed} does not fit {SCHEMA}: {what}; give rows of the same tables"
        )
    return _rows(session, Schema(tables=tuple(common)))


def _rows(session: psycopg.Connection[Any], schema: Schema) -> dict[str, tuple[Row, ...]]:
    return {table.id: tuple(_some(session, table)) for table in schema.tables if table.stored}


def _some(session: psycopg.Connection[Any], table: Table) -> list[Row]:
    columns = names(tuple(column.name for column in table.stored))
    query = f"SELECT {columns} FROM {of_table(table)} LIMIT {_SAMPLE}"
    return reading.ask(session, query)[0]
