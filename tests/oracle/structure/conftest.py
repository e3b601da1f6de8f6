"""One rich schema in a database on each server; a test changes it in a transaction of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from verifier.dsn import Dsn
from verifier.oracle import structure
from verifier.oracle.session import looking
from verifier.servers import Database, Pair, Side

RICH = (Path(__file__).parent / "rich.sql").read_text()


def inventory(dsn: Dsn) -> structure.Inventory:
    with looking(dsn) as connection:
        return structure.read(connection)


def changed(dsn: Dsn, script: str) -> structure.Inventory:
    """The inventory as ``script`` would leave it, which is then rolled back."""
    with psycopg.connect(dsn.conninfo) as connection:
        connection.execute(script.encode())
        connection.execute("SET LOCAL search_path = pg_catalog")
        try:
            return structure.read(connection)
        finally:
            connection.rollback()


def make(servers: Pair, side: Side, script: str) -> Database:
    """A database that a superuser ran ``script`` in."""
    database = servers.databases(side).create("structure")
    with psycopg.connect(database.admin.conninfo, autocommit=True) as connection:
        connection.execute(script.encode())
    return database


@pytest.fixture(scope="module")
def source(servers: Pair) -> Iterator[Database]:
    database = make(servers, Side.SOURCE, RICH)
    yield database
    servers.databases(Side.SOURCE).drop(database)


@pytest.fixture(scope="module")
def target(servers: Pair) -> Iterator[Database]:
    database = make(servers, Side.TARGET, RICH)
    yield database
    servers.databases(Side.TARGET).drop(database)


@pytest.fixture(scope="module")
def expected(source: Database) -> Any:
    return inventory(source.admin)
