"""Whether a claim names a row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from verifier.contract import Merge, Rejection, Row


class Named:
    """The rows that a claim names, to be looked up by table and key.

    A claim may name a row by its primary key, by another key or by the whole row; it
    names a row when everything it says of it is so.
    """

    def __init__(self, entries: Iterable[Merge | Rejection]) -> None:
        self._exact: set[tuple[str, frozenset[tuple[str, str | None]]]] = set()
        self._other: dict[str, list[Row]] = defaultdict(list)
        for entry in entries:
            self._exact.add((entry.table, frozenset(entry.key.items())))
            if entry.key:
                self._other[entry.table].append(entry.key)

    def covers(self, table: str, key: Row, row: Row) -> bool:
        """Whether the row with identity ``key`` is named."""
        if (table, frozenset(key.items())) in self._exact:
            return True
        return any(given.items() <= row.items() for given in self._other[table])
