"""All catalogue queries of one inventory in a single round trip, as rows by column name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg


@dataclass(frozen=True, slots=True)
class Rows:
    """What one query found."""

    names: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self.rows)

    def split(self, first: str) -> Iterator[tuple[tuple[Any, ...], dict[str, str | None]]]:
        """Each row as what comes before the column ``first``, and the rest by name if it is set."""
        place = self.names.index(first)
        names = self.names[place:]
        for row in self.rows:
            rest = zip(names, row[place:], strict=True)
            yield row[:place], {name: value for name, value in rest if value is not None}


def ask(connection: psycopg.Connection[Any], queries: Mapping[str, str]) -> dict[str, Rows]:
    """The answers to ``queries`` by name.

    They are sent as one message of several statements, which costs one round trip and
    needs no parameters. Errors are psycopg's own.
    """
    cursor = connection.execute(";".join(queries.values()).encode())
    found: dict[str, Rows] = {}
    for name in queries:
        columns = tuple(column.name for column in cursor.description or ())
        found[name] = Rows(columns, cursor.fetchall())
        cursor.nextset()
    return found
