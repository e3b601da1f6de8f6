"""The rows of a table on both sides, or of one that only one side has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import psycopg

from verifier.comparison import TableComparison
from verifier.oracle.catalog import Table, UniqueKey
from verifier.oracle.comparing.attempt import Attempt, Both, Half, HalfError
from verifier.oracle.comparing.digest import quoted
from verifier.oracle.comparing.reading import Rewritten
from verifier.oracle.comparing.trouble import concerns_values, reason


def compare_rows(both: Both, columns: Sequence[str], usable: Sequence[str]) -> TableComparison:
    """Compare ``columns`` of a table's rows, told apart by a key of ``usable`` columns.

    What keeps it from looking is told, not raised. Where single columns cannot be read,
    the others are compared all the same.
    """
    result, failed = _attempt(both, columns, usable)
    if failed is None or not concerns_values(failed.error):
        return result
    bad = _unreadable(failed.half, dict.fromkeys([*columns, *usable]))
    left = [name for name in columns if name not in bad]
    if not bad or not left:
        return result
    result, _ = _attempt(both, left, [name for name in usable if name not in bad])
    words = [f"column {name}: {why}" for name, why in bad.items()]
    return replace(result, unknown="; ".join([*words, *filter(None, [result.unknown])]))


def _attempt(
    both: Both, columns: Sequence[str], usable: Sequence[str]
) -> tuple[TableComparison, HalfError | None]:
    key = shared_key(both.source.table, both.target.table, usable)
    attempt = Attempt(both, columns, key)
    try:
        attempt.run()
    except HalfError as failed:
        half = failed.half
        if concerns_values(failed.error) and not _is_still_there(half):
            failed = HalfError(half, Rewritten())
        why = reason(half.side.label, half.table.name, failed.error)
        return replace(attempt.result, unknown=why), failed
    return attempt.result, None


def _is_still_there(half: Half) -> bool:
    """Whether the table still is what the catalogue's snapshot has it to be."""
    try:
        return bool(
            half.side.submit(
                partial(_number, query=f"SELECT ({half.extent.unchanged})::int")
            ).result()
        )
    except psycopg.Error:
        return True


def _unreadable(half: Half, columns: Iterable[str]) -> dict[str, str]:
    """The columns that cannot be read one by one either, and why."""
    found = {}
    for name in columns:
        query = f"SELECT count(textsend(ROW({quoted(name)})::text)) FROM {half.table.rows}"
        try:
            half.side.submit(partial(_number, query=query)).result()
        except psycopg.Error as error:
            found[name] = reason(half.side.label, half.table.name, error)
    return found


def count_rows(half: Half) -> TableComparison:
    """A table that the other side lacks: all of its rows are missing there, or too many."""

    query = f"SELECT count(*) FROM {half.table.rows}"
    try:
        rows = half.side.submit(partial(_number, query=query)).result()
    except psycopg.Error as error:
        why = reason(half.side.label, half.table.name, error)
        return TableComparison(table=half.table.name, unknown=why)
    if half.side.label == "source":
        return TableComparison(table=half.table.name, source_rows=rows, missing=rows)
    return TableComparison(table=half.table.name, target_rows=rows, extra=rows)


def _number(connection: psycopg.Connection[Any], query: str) -> int:
    (number,) = connection.execute(query.encode()).fetchone() or (0,)
    return int(number)


def shared_key(source: Table, target: Table, columns: Sequence[str]) -> tuple[str, ...]:
    """The columns that tell rows apart on both sides: a key of the source, else of the target.

    The primary key is preferred, then a unique key without NULLs, then any (rows with NULL
    in it are compared as a multiset). ``()`` when no key is made of ``columns`` alone:
    whole rows are compared as a multiset then.
    """
    usable = set(columns)
    not_null = [
        {column.name for column in table.columns if column.not_null} for table in (source, target)
    ]
    rules: list[Callable[[UniqueKey, set[str]], bool]] = [
        lambda key, _: key.primary,
        lambda key, filled: filled.issuperset(name for name in key.columns if name),
        lambda key, _: True,
    ]
    for rule in rules:
        for table, filled in zip((source, target), not_null, strict=True):
            for key in (key for key in table.keys if key.valid):
                names = tuple(name for name in key.columns if name)
                if not key.opaque and usable.issuperset(names) and rule(key, filled):
                    return names
    return ()
