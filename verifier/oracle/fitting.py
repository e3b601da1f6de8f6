"""Values of the source that the target's types do not take.

The target's own input functions are asked, whatever the source says of its types: an enum
may lack a label, a domain be stricter, a text be too long, a number have too many digits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg

from verifier.dsn import Dsn
from verifier.oracle.catalog import Column
from verifier.oracle.session import looking
from verifier.oracle.snapshot import Snapshot, TableRows

Unfit = Mapping[str, Mapping[str, frozenset[int]]]
"""Table → column → positions of the source's rows whose value the target's type refuses."""

_TYPES = """
SELECT y.typcategory::text, y.typnamespace = 'pg_catalog'::regnamespace
FROM pg_type y WHERE y.oid = to_regtype(%s)
"""


def unfit(dsn: Dsn, source: Snapshot, before: Snapshot) -> Unfit:
    """What of ``source`` does not fit the columns of the database at ``dsn``, as it was ``before``.

    Raises :class:`~verifier.errors.ObservationError` when it cannot be asked.
    """
    found: dict[str, dict[str, frozenset[int]]] = {}
    with looking(dsn) as connection:
        for name, theirs in before.schema.tables.items():
            rows = source.tables.get(name)
            if rows is None or not rows.rows:
                continue
            given = {column.name: column.type for column in source.schema.tables[name].columns}
            for column in theirs.columns:
                if column.name in given and not column.generated:
                    positions = _refused(connection, rows, column, given[column.name])
                    if positions:
                        found.setdefault(name, {})[column.name] = positions
    return found


def _refused(
    connection: psycopg.Connection[Any], rows: TableRows, column: Column, given: str
) -> frozenset[int]:
    (category, built_in) = connection.execute(_TYPES, (column.type,)).fetchone() or ("", False)
    if built_in and column.type == given:
        return frozenset()
    places: dict[str, list[int]] = {}
    for position in range(len(rows.rows)):
        (value,) = rows.values(position, (column.name,))
        if value is not None:
            places.setdefault(value, []).append(position)
    refused = _of(connection, list(places), column.type, category)
    return frozenset(position for value in refused for position in places[value])


def _of(
    connection: psycopg.Connection[Any], values: Sequence[str], type_: str, category: str
) -> list[str]:
    """Those of ``values`` that are an error, or another value, as ``type_``."""
    if not values:
        return []
    # A cast cuts a text and rounds a number that an assignment would refuse or round. The
    # others are only cast; concat is never NULL, which the planner does not know.
    changed = {
        "S": f"rtrim(v, ' ') <> rtrim(concat(v::{type_}), ' ')",
        "N": f"v::numeric <> v::{type_}::numeric",
    }.get(category, f"concat(v::{type_}) IS NULL")
    query = f"SELECT v FROM unnest(%s::text[]) v WHERE {changed}"
    try:
        with connection.transaction():
            return [v for (v,) in connection.execute(query.encode(), (list(values),))]
    except (psycopg.DataError, psycopg.IntegrityError):
        if len(values) == 1:
            return list(values)
    half = len(values) // 2
    first, second = values[:half], values[half:]
    return [*_of(connection, first, type_, category), *_of(connection, second, type_, category)]
