"""Names of tables: as SQL writes them, and as a world does."""

from __future__ import annotations

import re

_PART = re.compile(r'"(?:[^"]|"")+"|[^."]+')


def id_of(name: str) -> str:
    """The :attr:`~verifier.model.schema.Table.id` of a table that SQL calls ``name``."""
    parts = _PART.findall(name)
    return ".".join(
        part[1:-1].replace('""', '"') if part.startswith('"') else part for part in parts
    )
