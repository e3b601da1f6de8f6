"""Numbers of the backup that are out of the way: moved by so much that no row has them."""

from __future__ import annotations

from verifier.initial_load.catalog import Column

OFFSET = 1 << 62
ROOM = OFFSET // 2
"""What is moved is at least this; what is not must be smaller, whatever its sign."""


def moved(value: str) -> str:
    """SQL for ``value`` being a number that is still out of the way."""
    return f"{value} >= {ROOM}"


def told(column: Column, value: str) -> str:
    """SQL for ``column``'s ``value`` as it is printed, with the number that the backup has."""
    if not column.local:
        # A cast is another text: true and not t, without the blanks of char(n).
        return f"CASE WHEN {value} IS DISTINCT FROM NULL THEN format('%s', {value}) END"
    return f"(CASE WHEN {moved(value)} THEN {value} - {OFFSET} ELSE {value} END)::text"
