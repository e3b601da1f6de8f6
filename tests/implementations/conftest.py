"""Fresh databases on both servers, as implementations are given them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from verifier.dsn import Dsn
from verifier.implementations import Endpoint
from verifier.servers import Pair, Side

MakeEndpoint = Callable[..., Endpoint]


@pytest.fixture
def endpoint(servers: Pair, tmp_path: Path) -> Iterator[MakeEndpoint]:
    """``endpoint(side, *scripts)``: a new database in which the scripts were run."""
    with ExitStack() as made:

        def make(side: Side, *scripts: str, control_tables: tuple[str, ...] = ()) -> Endpoint:
            database = servers.databases(side).create("implementations")
            made.callback(servers.databases(side).drop, database)
            for script in scripts:
                database.execute(script)
            workdir = tmp_path / database.name
            workdir.mkdir()
            return Endpoint(database.dsn, database.server.major, workdir, control_tables)

        yield make


def execute(dsn: Dsn, *scripts: str) -> None:
    with psycopg.connect(dsn.conninfo, autocommit=True) as connection:
        for script in scripts:
            connection.execute(script.encode())


def rows(dsn: Dsn, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(dsn.conninfo) as connection:
        return connection.execute(query.encode()).fetchall()
