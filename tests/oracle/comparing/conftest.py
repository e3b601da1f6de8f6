"""Two databases on two servers of different versions, to be compared."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from verifier.comparison import Comparison, Part, RowKind, Selection, TableComparison
from verifier.dsn import Dsn
from verifier.oracle import Progress, compare
from verifier.servers import Database, Pair, Side

ROWS = Selection(parts=frozenset({Part.DATA}))


class Duo:
    """A source and a target; both start from the same script."""

    def __init__(self, servers: Pair) -> None:
        self._servers = servers
        self._made: list[tuple[Side, Database]] = []
        self.source = self.database(Side.SOURCE)
        self.target = self.database(Side.TARGET)

    def database(self, side: Side) -> Database:
        database = self._servers.databases(side).create("compared")
        self._made.append((side, database))
        return database

    def begin(self, script: str) -> None:
        for database in (self.source, self.target):
            database.execute(script)

    def compare(
        self,
        selection: Selection | None = None,
        progress: Progress | None = None,
        *,
        source: Dsn | None = None,
        target: Dsn | None = None,
    ) -> Comparison:
        return compare(source or self.source.dsn, target or self.target.dsn, selection, progress)

    def rows(self, selection: Selection = ROWS, **where: Dsn) -> TableComparison:
        """The comparison of the only table."""
        (table,) = self.compare(selection, **where).tables
        return table

    def close(self) -> None:
        for side, database in self._made:
            self._servers.databases(side).drop(database)


@pytest.fixture
def duo(servers: Pair) -> Iterator[Duo]:
    made = Duo(servers)
    yield made
    made.close()


def kinds(table: TableComparison) -> list[RowKind]:
    return [change.kind for change in table.shown]
