"""The row-by-row upsert file: every INSERT of a dump with an ON CONFLICT that updates the row.

What people write who want a restore that can be repeated. Right for the shop, whose tables
that have rows all have the primary key ``id``; it knows of no other unique key.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_HEAD = re.compile(rb"INSERT INTO \S+ \(([^)]*)\) VALUES ")
_END = b");\n"


def write(inserts: Path, path: Path) -> None:
    """Make ``path`` from ``inserts``, a dump of the shop with one row an INSERT.

    A statement ends at the first line that ends in ``);`` outside of a literal, which is
    where its number of quotes is even (a quote inside a literal is written twice).
    """
    with inserts.open("rb") as read, path.open("wb") as written:
        columns, quotes = b"", 0
        for line in read:
            if not columns and (head := _HEAD.match(line)):
                columns, quotes = head[1], 0
            if columns:
                quotes += line.count(b"'")
                if line.endswith(_END) and not quotes % 2:
                    written.write(line.removesuffix(_END) + b") " + _clause(columns) + b";\n")
                    columns = b""
                    continue
            written.write(line)


@cache
def _clause(columns: bytes) -> bytes:
    others = [name for name in columns.split(b", ") if name != b"id"]
    settings = b", ".join(name + b" = EXCLUDED." + name for name in others)
    return b"ON CONFLICT (id) DO UPDATE SET " + settings
