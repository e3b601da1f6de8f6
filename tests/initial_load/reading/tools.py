"""What the readers' tests share: small backups made of a few lines."""

from __future__ import annotations

import io
from typing import Any

from hypothesis import strategies as st

from tests.initial_load.conftest import HEAD, TAIL
from verifier.initial_load.reading.events import Event, Rows
from verifier.initial_load.reading.sql import read_sql

OFF = HEAD.replace("standard_conforming_strings = on", "standard_conforming_strings = off")
FIRST = HEAD.count("\n") + 1
"""The line on which a backup's statements start."""

# Whatever a PostgreSQL text can hold: any character but NUL and lone surrogates.
CHARACTERS = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
TRICKS = [
    "it's", "''", "'", "\\", "\\'", "\\\\", "\\.", "\\.\n", "\n\\.\n", "\\N", "E'x'", "--\n", "$$",
    "a);\nINSERT INTO s.t (a, b) VALUES (1, 2);", "), (", ", ", "', '", "NULL", "\t", "\r\n", "\r",
    "\1", "\2", "\x7f", "\x1f", "B'", "é", "日本", "😀", "C:\\dir\\", "\u2028", "",
]  # fmt: skip
TEXTS = st.text(CHARACTERS, max_size=20) | st.sampled_from(TRICKS)


def events(text: str | bytes, **options: Any) -> list[Event]:
    data = text.encode() if isinstance(text, str) else text
    return list(read_sql(io.BytesIO(data), "b.sql", **options))


def parse(statements: str, *, head: str = HEAD, **options: Any) -> list[Event]:
    return events(head + statements + TAIL, **options)


def rows(found: list[Event]) -> list[tuple[str | None, ...]]:
    return [row for one in found if isinstance(one, Rows) for row in one.values()]


def values(literals: str, *, head: str = HEAD, **options: Any) -> tuple[str | None, ...]:
    """The one row of an INSERT of ``literals``, which `` , `` separates."""
    columns = ", ".join(f"c{number}" for number in range(len(literals.split(" , "))))
    statement = f"INSERT INTO s.t ({columns}) VALUES ({literals});\n"
    (row,) = rows(parse(statement, head=head, **options))
    return row


def quoted(value: str | None) -> str:
    """The literal that pg_dump writes for a text."""
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"
