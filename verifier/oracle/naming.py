"""Which rows, tables and rules a claim names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from verifier.contract import Merge, Rejection, Row
from verifier.oracle.snapshot import Snapshot, Values


class Named:
    """The rows that a claim names, to be looked up by table and key.

    A claim may name a row by its primary key, by another key or by the whole row; it
    names a row when everything it says of it is so.
    """

    def __init__(self, entries: Iterable[Merge | Rejection]) -> None:
        self._exact: set[tuple[str, frozenset[tuple[str, str | None]]]] = set()
        self._other: dict[str, dict[tuple[str, ...], set[Values]]] = defaultdict(dict)
        for entry in entries:
            self._exact.add((entry.table, frozenset(entry.key.items())))
            if entry.key:
                columns = tuple(sorted(entry.key))
                values = tuple(entry.key[column] for column in columns)
                self._other[entry.table].setdefault(columns, set()).add(values)

    def covers(self, table: str, key: Row, row: Row) -> bool:
        """Whether the row with identity ``key`` is named."""
        if (table, frozenset(key.items())) in self._exact:
            return True
        return any(
            all(column in row for column in columns)
            and tuple(row[column] for column in columns) in given
            for columns, given in self._other[table].items()
        )


class Lookup:
    """The rows of a snapshot by any of their columns."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._indexes: dict[tuple[str, tuple[str, ...]], Mapping[Values, list[int]]] = {}

    def positions(self, table: str, key: Row) -> list[int]:
        """Where the rows are that hold the values of ``key``; an empty key names no row."""
        rows = self._snapshot.tables.get(table)
        columns = tuple(sorted(key))
        if rows is None or not columns or not set(columns) <= set(rows.columns):
            return []
        if (table, columns) not in self._indexes:
            index: dict[Values, list[int]] = defaultdict(list)
            for position in range(len(rows.rows)):
                index[rows.values(position, columns)].append(position)
            self._indexes[table, columns] = index
        return self._indexes[table, columns].get(tuple(key[c] for c in columns), [])


def stands_in(name: str, said: str) -> bool:
    """Whether ``said`` holds ``name``: as it is, as SQL quotes it, or in another encoding.

    PostgreSQL's programs print in the backup's; what is no UTF-8 was read as U+FFFD.
    """
    unread = "".join(each if each.isascii() else "\ufffd" for each in name)
    forms = {name, unread} if any(map(str.isascii, name)) else {name}
    return any(form in said or form.replace('"', '""') in said for form in forms)
