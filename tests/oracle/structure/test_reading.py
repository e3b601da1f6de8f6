"""Reading inventories: after a restore, as a plain role, and while objects are dropped."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from tests.oracle.structure.conftest import inventory
from verifier.dsn import without_libpq
from verifier.errors import ObservationError
from verifier.oracle import structure
from verifier.oracle.probe import Probe
from verifier.oracle.session import looking
from verifier.programs import client
from verifier.servers import Database, Pair, Side

MAJORS = 16, 18  # of the servers of these tests


@pytest.fixture
def empty(servers: Pair) -> Iterator[Database]:
    database = servers.databases(Side.TARGET).create("structure")
    yield database
    servers.databases(Side.TARGET).drop(database)


@pytest.fixture
def scratch(servers: Pair) -> Iterator[Database]:
    database = servers.databases(Side.SOURCE).create("structure")
    yield database
    servers.databases(Side.SOURCE).drop(database)


def _environment(database: Database) -> dict[str, str]:
    return {**without_libpq(os.environ), **database.admin.environ}


def test_a_schema_that_pg_dump_carried_to_a_later_version_is_the_same(
    source: Database, empty: Database
) -> None:
    dump = subprocess.run(
        [client("pg_dump", server=MAJORS[1]), "--no-owner"],
        env=_environment(source), capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    subprocess.run(
        [client("psql", server=MAJORS[1]), "-X", "-q", "-v", "ON_ERROR_STOP=1"],
        env=_environment(empty), input=dump, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = structure.compare(inventory(source.admin), inventory(empty.admin), majors=MAJORS)
    assert found == []


def test_a_plain_role_reads_the_same(source: Database) -> None:
    assert inventory(source.dsn) == inventory(source.admin)


def test_the_probe_leaves_no_schema_of_its_own_in_the_inventory(empty: Database) -> None:
    before = inventory(empty.admin)
    Probe(empty.admin).install()
    assert inventory(empty.admin) == before


def test_temporary_objects_are_left_out(empty: Database) -> None:
    with empty.connect() as connection:
        connection.execute("CREATE TEMP TABLE t (id serial PRIMARY KEY, CHECK (id > 0))")
        connection.execute("CREATE TEMP VIEW v AS SELECT id FROM t")
        connection.execute("SET search_path = pg_catalog")
        assert {kind for kind, _ in structure.read(connection)} <= {
            "schema",
            "extension",
            "comment",
        }


def test_what_is_dropped_after_the_snapshot_is_not_taken_for_the_same(scratch: Database) -> None:
    scratch.execute(
        "CREATE TABLE public.kept (a int); CREATE INDEX i ON public.kept (a);"
        "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'"
    )
    with looking(scratch.admin) as connection:
        whole = structure.read(connection)
        scratch.execute("DROP INDEX public.i; DROP FUNCTION public.f()")
        torn = structure.read(connection)
    gone = {"public.i", "public.f()"}
    assert whole.keys() == torn.keys()
    assert {each.name for each in torn.values() if each.torn} == gone
    found = structure.compare(torn, torn, majors=(16, 16))
    assert {each.name for each in found} == gone


def test_a_view_that_is_dropped_after_the_snapshot_cannot_be_read(scratch: Database) -> None:
    scratch.execute("CREATE VIEW public.v AS SELECT 1 AS a")

    def read_meanwhile() -> None:
        with looking(scratch.admin) as connection:
            structure.read(connection)
            scratch.execute("DROP VIEW public.v")
            structure.read(connection)

    with pytest.raises(ObservationError, match="could not open relation"):
        read_meanwhile()


def test_names_are_as_sql_writes_them(source: Database) -> None:
    names = set(inventory(source.admin))
    assert {
        ("table", '"Odd Schema"."T t"'),
        ("column", '"Odd Schema"."T t"."Col x"'),
        ("foreign key", '"fk 1" on "Odd Schema"."T t"'),
        ("index", '"Odd Schema"."Ix 1"'),
        ("function", "app.many(text[])"),
        ("comment", 'column "Odd Schema"."Pair".a'),
        ("comment", "index app.parent_pkey"),
        ("comment", "constraint has_at ON DOMAIN app.email"),
    } <= names
