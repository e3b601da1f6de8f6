"""Dumps of real servers, in every shape: our rows, copied in, are those that psql restores."""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import sql

from tests.initial_load.conftest import HEAD, TAIL
from tests.initial_load.reading.tools import TEXTS, TRICKS, quoted
from verifier.initial_load.reading.events import LargeObject, Rows, SetVal
from verifier.initial_load.reading.sql import read_sql
from verifier.programs import client
from verifier.servers import Database, Pair, Side

TABLES = r"""
CREATE SCHEMA "S x";
CREATE TABLE "S x"."T""q
y" (n bigint PRIMARY KEY, "it's, (a)" text, "VALUES (" varchar, "select" text[]);
CREATE TABLE odd (
  id int GENERATED ALWAYS AS IDENTITY, twice int GENERATED ALWAYS AS (id * 2) STORED,
  t text, n numeric, f float8, r float4, b boolean, bits bit(3), many varbit, x bytea,
  j json, jb jsonb, ts timestamptz, d date, i interval, ip inet, u uuid, o oid, c "char",
  arr numeric[], rng int4range, m money, p point, big bigint
);
CREATE TABLE zero ();
CREATE TABLE generated_only (x int GENERATED ALWAYS AS (7) STORED);
CREATE TABLE empty (a int);
CREATE TABLE quick (a int, b text);
CREATE SEQUENCE "Seq";
"""
ROWS = r"""
INSERT INTO odd (t, n, f, r, b, bits, many, x, j, jb, ts, d, i, ip, u, o, c, arr, rng, m, p, big)
SELECT 'it''s ' || g, 1.10 + g, 1e300 / (g + 1), 1.5, g % 2 = 0, B'101', repeat('10', g)::varbit,
  decode(lpad(to_hex(g), 8, '0'), 'hex'), '{"b":1, "a":2,  "a":3}', '{"x": "\u00e9\\"}',
  timestamptz 'epoch' + g * interval '1.000001 s', 'infinity', '-1 mon 2 days 00:00:01.5',
  '::1/64', '00000000-0000-0000-0000-000000000001', 4294967295, '\', '{1.10,NULL,"NaN"}',
  'empty', 12.5, '(1e-20,-3)', -9223372036854775808
FROM generate_series(0, 300) g;
INSERT INTO odd (n, f, r) VALUES ('NaN', '-Infinity', 'NaN'), (1e400, 5e-324, -1e-30),
  ('-0.00000000000000000000001', 0.1, 1e20);
INSERT INTO odd (t) SELECT repeat(E'long '' \\ \n', 100000);
INSERT INTO zero DEFAULT VALUES; INSERT INTO zero DEFAULT VALUES;
INSERT INTO generated_only VALUES (DEFAULT);
INSERT INTO quick SELECT g, 'plain ' || g FROM generate_series(1, 3000) g;
SELECT setval('"Seq"', 12, false);
SELECT lo_from_bytea(4711, '\x00ff0a'), lo_create(4712), lo_from_bytea(4713, decode(repeat('5c27', 20000), 'hex'));
"""  # noqa: E501
SHAPES: dict[str, list[str]] = {
    "copy": [],
    "inserts": ["--column-inserts"],
    "rows": ["--column-inserts", "--rows-per-insert=7"],
    "one-row": ["--column-inserts", "--rows-per-insert=1"],
    "quoted": ["--column-inserts", "--quote-all-identifiers"],
    "quoted-copy": ["--quote-all-identifiers"],
}


class World:
    """Databases of one server: the source, what psql restores, and what we copy in."""

    def __init__(self, servers: Pair, side: Side, directory: Path) -> None:
        self._databases = servers.databases(side)
        self.path = directory / "backup.sql"
        self.source = self._made("source", TABLES, ROWS)
        self.theirs = self._made("theirs", TABLES)
        self.ours = self._made("ours", TABLES)

    def _made(self, name: str, *scripts: str) -> Database:
        database = self._databases.create(name)
        for script in scripts:
            database.execute(script)
        return database

    def drop(self) -> None:
        for database in (self.source, self.theirs, self.ours):
            self._databases.drop(database)

    def run(self, program: str, *arguments: str | Path, database: Database | None = None) -> None:
        server = self.source.server.major
        environment = {**os.environ, "LC_ALL": "C"}
        if database is not None:
            environment |= database.dsn.environ
        subprocess.run([client(program, server=server), *arguments], env=environment,
                       check=True, capture_output=True)  # fmt: skip

    def dump(self, *options: str) -> None:
        self.run("pg_dump", "--data-only", "--no-owner", *options, "-f", self.path,
                 database=self.source)  # fmt: skip

    def psql(self) -> None:
        self.run("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", self.path, "-o", os.devnull,
                 database=self.theirs)  # fmt: skip

    def copy_in(self, **options: Any) -> dict[str, tuple[int, bool]]:
        sequences = {}
        with self.ours.connect() as session, self.path.open("rb") as file:
            for event in read_sql(file, self.path.name, **options):
                if isinstance(event, Rows):
                    copy_rows(session, event)
                elif isinstance(event, SetVal):
                    sequences[event.sequence] = (event.value, event.called)
                elif isinstance(event, LargeObject):
                    write_object(session, event)
        return sequences


def copy_rows(session: psycopg.Connection[Any], event: Rows) -> None:
    names = sql.SQL(", ").join(map(sql.Identifier, event.columns))
    columns = sql.SQL("({})").format(names) if event.columns else sql.SQL("")
    target = sql.Identifier(event.schema, event.table)
    cursor = session.cursor()
    with cursor.copy(sql.SQL("COPY {} {} FROM STDIN").format(target, columns)) as copy:
        copy.write(event.data)
    assert cursor.rowcount == event.count


def write_object(session: psycopg.Connection[Any], event: LargeObject) -> None:
    if not event.data:
        session.execute("SELECT lo_create(%s)", (event.oid,))
    else:
        session.execute("SELECT lo_put(%s, %s, %s)", (event.oid, event.offset, event.data))


def content(database: Database) -> dict[str, list[Any]]:
    """Every row of every table as COPY writes it, and every large object."""
    with database.connect() as session:
        tables = session.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        found: dict[str, list[Any]] = {}
        for (name,) in tables:
            with session.cursor().copy(f"COPY (SELECT * FROM {name}) TO STDOUT") as copy:
                found[name] = sorted(bytes(line) for line in copy)
        found["objects"] = session.execute(
            "SELECT oid, lo_get(oid) FROM pg_largeobject_metadata ORDER BY 1"
        ).fetchall()
        return found


@pytest.fixture(params=[Side.SOURCE, Side.TARGET], ids=["16", "18"])
def world(servers: Pair, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    made = World(servers, request.param, tmp_path)
    characters = [chr(code) for code in [*range(1, 0x180), 0x2028, 0xFEFF, 0xFFFD, 0x1F600]]
    texts = [*TRICKS, *characters, *(one + two for one in TRICKS for two in TRICKS)]
    with made.source.connect() as session:
        session.cursor().executemany(
            'INSERT INTO "S x"."T""q\ny" VALUES (%s, %s, %s, %s)',
            [(n, text, text[::-1] or None, [text, None, "NULL"]) for n, text in enumerate(texts)],
        )
    yield made
    made.drop()


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_dump(world: World, shape: str) -> None:
    world.dump(*SHAPES[shape])
    world.psql()
    sequences = world.copy_in()
    sequence = '"public"."Seq"' if "quoted" in shape else 'public."Seq"'
    expected = content(world.source)
    assert content(world.theirs) == expected
    assert content(world.ours) == expected
    assert sequences[sequence] == (12, False)


@pytest.mark.parametrize("shape", ["copy", "inserts"])
def test_backslashes_with_a_meaning(world: World, shape: str) -> None:
    """A database with standard_conforming_strings = off is dumped so (trap F11)."""
    world.source.execute(
        "DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET standard_conforming_strings = off',"
        " current_database()); END$$"
    )
    world.dump(*SHAPES[shape])
    assert b"standard_conforming_strings = off" in world.path.read_bytes()
    world.copy_in()
    assert content(world.ours) == content(world.source)


@pytest.mark.parametrize("shape", ["copy", "inserts"])
def test_another_encoding(world: World, shape: str) -> None:
    world.source.execute(
        'DELETE FROM "S x"."T""q\ny" WHERE "it\'s, (a)" ~ \'[^\\x01-\\x7f\\u00a0-\\u00ff]\''
    )
    world.dump("--encoding=LATIN1", *SHAPES[shape])
    world.copy_in()
    assert content(world.ours) == content(world.source)


def test_an_archive_as_pg_restore_writes_it(world: World) -> None:
    archive = world.path.with_suffix(".dump")
    world.dump("-Fc")
    world.path.replace(archive)
    world.run("pg_restore", "--data-only", "--no-owner", "-f", world.path, archive)
    world.copy_in()
    assert content(world.ours) == content(world.source)


@pytest.mark.parametrize("shape", ["copy", "inserts", "rows"])
def test_small_blocks(world: World, shape: str) -> None:
    world.source.execute("DELETE FROM odd WHERE length(t) > 1000")
    world.dump(*SHAPES[shape])
    world.copy_in(block=997)
    assert content(world.ours) == content(world.source)


def test_options_that_change_more_than_rows_are_refused_with_advice(world: World) -> None:
    for option, advice in {
        "--disable-triggers": "without --disable-triggers",
        "--inserts": "--column-inserts",
        "--on-conflict-do-nothing": "--on-conflict-do-nothing",
    }.items():
        world.dump("--column-inserts", option) if "conflict" in option else world.dump(option)
        with pytest.raises(Exception, match=advice), world.path.open("rb") as file:
            list(read_sql(file, "b.sql"))


def test_any_insert_is_read_as_the_server_reads_it(servers: Pair) -> None:
    database = servers.databases(Side.TARGET).create(
        "inserts",
    )
    session = database.connect()
    columns = "a text, b text, f float8, n numeric, q boolean, v varbit"
    for name in ("theirs", "ours"):
        session.execute(f"CREATE TEMP TABLE {name} ({columns})")
    literals = st.tuples(
        (TEXTS | st.none()).map(quoted),
        TEXTS.map(lambda text: "E'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'")
        | TEXTS.map(quoted),
        st.floats().map(lambda number: f"'{number!r}'") | st.sampled_from(["NULL", "1e-20"]),
        st.decimals(-1000, 1000, places=2).map(str),
        st.sampled_from(["true", "false", "NULL", "'t'"]),
        st.sampled_from(["B'101'", "NULL", "B''", "'01'"]),
    )

    @given(rows=st.lists(literals, min_size=1, max_size=12), several=st.booleans())
    @settings(max_examples=80, deadline=None)
    def holds(rows: list[tuple[str, ...]], several: bool) -> None:
        head = "INSERT INTO pg_temp.theirs (a, b, f, n, q, v) VALUES"
        written = [f"({', '.join(row)})" for row in rows]
        text = f"{head}\n\t" + ",\n\t".join(written) + ";\n"
        if not several:
            text = "".join(f"{head} {one};\n" for one in written)
        session.execute("TRUNCATE theirs, ours")
        session.execute(text)
        for event in read_sql(io.BytesIO((HEAD + text + TAIL).encode()), "b.sql"):
            if isinstance(event, Rows):
                copy_rows(session, Rows("pg_temp", "ours", *_rest(event)))
        query = "SELECT {0}::text, ctid FROM {0} ORDER BY ctid"
        assert (session.execute(query.format("ours").replace("ours::", "(ours)::")).fetchall()
                == session.execute(query.format("theirs")).fetchall())  # fmt: skip

    with session:
        holds()
    servers.databases(Side.TARGET).drop(database)


def _rest(event: Rows) -> tuple[tuple[str, ...], bytes, int, int]:
    return event.columns, event.data, event.count, event.line
