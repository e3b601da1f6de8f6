"""SQL statements that make the rows of a table what they should be.

Values are written as text with their type. A row is found by its key, or, where that may
not name one row alone, as a whole and as often as it is too many.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from psycopg import sql

from verifier.comparison import RowChange, RowKind, TableComparison
from verifier.report.comparison import column_of
from verifier.report.literal import pairs, printable

SETTINGS = {
    "client_encoding": "UTF8",
    "standard_conforming_strings": "on",
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "extra_float_digits": "3",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "xmloption": "content",
}
"""Values were printed under these, and the statements are right under these alone."""


_HARMFUL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""What a terminal that shows the file would obey: control characters and direction marks."""
_QUOTED = re.compile('"(?:[^"]|"")*"')


def comment(text: str) -> str:
    """A line of SQL that no text gets out of."""
    return f"-- {printable(text)}"


def is_harmful(text: str) -> bool:
    """Whether ``text`` could do harm to a terminal that the file is read on."""
    return _HARMFUL.search(text) is not None


def literal(text: str) -> str:
    if not is_harmful(text):
        return sql.Literal(text).as_string().strip()
    body = text.replace("\\", r"\\").replace("'", "''")
    return f"E'{_numbered(body, 'u')}'"


def quoted(text: str) -> str:
    """A column's name as SQL writes it."""
    return qualified(sql.Identifier(text).as_string())


def qualified(names: str) -> str:
    """Quoted names of SQL, ``public."Shop"``, with what could do harm written as its number."""
    return _QUOTED.sub(_unicode_name, names) if is_harmful(names) else names


def _unicode_name(found: re.Match[str]) -> str:
    body = found[0].replace("\\", r"\\")
    return f"U&{_numbered(body)}"


def _numbered(text: str, sign: str = "") -> str:
    """``text`` with what could do harm as a backslash, ``sign`` and four hexadecimal digits."""
    return _HARMFUL.sub(lambda found: f"\\{sign}{ord(found[0]):04x}", text)


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes the statements for the rows of one table; every value has to be whole."""

    table: TableComparison
    unique: bool
    """Whether the key is known to name one row of the target at most."""

    def statements(self, kind: RowKind, changes: Sequence[RowChange]) -> Iterator[str]:
        """Rows that point to each other come and go in one statement, so that they can."""
        if kind is RowKind.EXTRA:
            found = "\n    OR ".join(self._found(change) for change in changes)
            yield f"DELETE FROM {self._of} WHERE {found};"
        elif kind is RowKind.MISSING:
            yield from self._inserts(changes)
        else:
            yield from map(self._update, changes)

    def needed(self, change: RowChange) -> Iterator[str | None]:
        """The values that the statement for a row is made of."""
        if change.kind is RowKind.MISSING:
            yield from (change.source or {}).values()
            return
        yield from (change.key if self._by_key(change) else change.target or {}).values()
        if change.kind is RowKind.CHANGED:
            row = change.source or {}
            yield from (row.get(name) for name in self._written(change))

    @property
    def _of(self) -> str:
        return qualified(self.table.rows or self.table.table)

    def _inserts(self, changes: Sequence[RowChange]) -> Iterator[str]:
        into = f"INSERT INTO {qualified(self.table.table)}"
        columns = [n for n in changes[0].source or {} if n not in self.table.generated]
        if not columns:
            yield from (f"{into} DEFAULT VALUES;" for each in changes for _ in range(each.count))
            return
        into += f" ({', '.join(map(quoted, columns))}) OVERRIDING SYSTEM VALUE"
        single = [self._row(each, columns) for each in changes if each.count == 1]
        if single:
            rows = "),\n    (".join(single)
            yield f"{into} VALUES\n    ({rows});"
        for change in changes:
            if change.count > 1:
                row = self._row(change, columns)
                yield f"{into} SELECT {row} FROM generate_series(1, {change.count});"

    def _row(self, change: RowChange, columns: Iterable[str]) -> str:
        row = change.source or {}
        return ", ".join(self._literal(name, row[name]) for name in columns)

    def _written(self, change: RowChange) -> list[str]:
        row = change.source or {}
        columns = dict.fromkeys(column_of(path, row) for path in change.columns)
        return [name for name in columns if name in row and name not in self.table.generated]

    def _update(self, change: RowChange) -> str:
        row, written = change.source or {}, self._written(change)
        if not written:
            told = f"{', '.join(change.columns)} of {', '.join(pairs(change.key))}"
            return comment(f"{self.table.table}: the target computes {told} by itself")
        values = ", ".join(f"{quoted(each)} = {self._literal(each, row[each])}" for each in written)
        return f"UPDATE {self._of} SET {values} WHERE {self._found(change)};"

    def _by_key(self, change: RowChange) -> bool:
        return bool(self.table.key) and self.unique and None not in change.key.values()

    def _found(self, change: RowChange) -> str:
        """The condition that finds the row on the target: by its key, else as a whole."""
        if self._by_key(change):
            return " AND ".join(
                f"{quoted(name)} = {self._literal(name, value)}"
                for name, value in change.key.items()
            )
        row = change.target or {}
        conditions = " AND ".join(self._same(name, row[name]) for name in row) or "true"
        return (
            f"(tableoid, ctid) IN (SELECT tableoid, ctid FROM {self._of}"
            f" WHERE {conditions} LIMIT {change.count})"
        )

    def _same(self, name: str, value: str | None) -> str:
        """Whether a column prints as ``value``: 1.10 is not 1.1 here, '' is not NULL."""
        column = quoted(name)
        if value is None:
            return f"num_nulls({column}) = 1"  # IS NULL holds for a row of NULLs, too
        printed = f"concat({column}) = concat({self._literal(name, value)})"
        return printed if value else f"num_nulls({column}) = 0 AND {printed}"

    def _literal(self, name: str, value: str | None) -> str:
        kind = dict(self.table.columns)[name]
        text = "NULL" if value is None else literal(value)
        return f"{text}::{qualified(kind)}"
