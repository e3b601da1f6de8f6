"""What only the target's server can say of the source's rows: whether they fit its rules.

Its own input functions are asked, whatever the source says of its types: an enum may lack a
label, a domain be stricter, a text be too long, a number have too many digits. And its own
operators say which rows exclude each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from verifier.dsn import Dsn
from verifier.oracle.catalog import Column, Exclusion
from verifier.oracle.session import looking
from verifier.oracle.snapshot import Snapshot, TableRows

Unfit = Mapping[str, Mapping[str, frozenset[int]]]
"""Table → column → positions of the source's rows whose value the target's type refuses."""

Place = tuple[bool, int]
"""Whether a row is the target's, and its position."""


@dataclass(frozen=True, slots=True)
class Clash:
    """Two rows that may not stand side by side."""

    constraint: str
    one: Place
    other: Place


Excluded = Mapping[str, Sequence[Clash]]
"""Table → clashes between its rows, of the source and of the target before."""

_CATEGORY = "SELECT typcategory::text FROM pg_type WHERE oid = to_regtype(%s)"


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
    # What is called alike is the same where no schema is named: one of the server's own.
    if column.type == given and "." not in column.type:
        return frozenset()
    (category,) = connection.execute(_CATEGORY, (column.type,)).fetchone() or ("",)
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
    # others are only cast; concat is never NULL, which the planner does not know. Both cut
    # spaces at the end, which mean something in every text but a character(n).
    padded = type_.startswith("character(")
    changed = {
        "S": f"rtrim(v, ' ') <> rtrim(concat(v::{type_}), ' ')"
        if padded
        else f"v <> concat(v::{type_})",
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


def excluded(dsn: Dsn, source: Snapshot, before: Snapshot, refused: Unfit) -> Excluded:
    """Which rows the target's exclusion constraints do not let stand side by side.

    Rows with a value of ``refused`` are left out. Raises
    :class:`~verifier.errors.ObservationError` when it cannot be asked.
    """
    asked = [each for each in before.schema.exclusions if each.table in source.tables]
    if not asked:
        return {}
    found: dict[str, list[Clash]] = {}
    with looking(dsn) as connection:
        for exclusion in asked:
            name = exclusion.table
            columns = before.schema.tables[name].columns
            sides = {False: source.tables[name], True: before.tables[name]}
            if not {column.name for column in columns} <= set(sides[False].columns):
                continue  # what it says of rows without those columns is not known
            without = frozenset[int]().union(*refused.get(name, {}).values())
            places = [
                (target, position)
                for target, rows in sides.items()
                for position in range(len(rows.rows))
                if target or position not in without
            ]
            values = [
                [sides[target].values(position, (column.name,))[0] for target, position in places]
                for column in columns
            ]
            pairs = connection.execute(_clashes(exclusion, columns, values).encode())
            found.setdefault(name, []).extend(
                Clash(exclusion.name, places[one - 1], places[other - 1]) for one, other in pairs
            )
    return found


def _clashes(
    exclusion: Exclusion, columns: Sequence[Column], values: Sequence[Sequence[str | None]]
) -> str:
    """SQL for the numbers, from 1, of rows that exclude each other; ``values`` by column."""
    typed = ", ".join(
        f"r.v{no}::{column.type} AS {sql.Identifier(column.name).as_string()}"
        for no, column in enumerate(columns)
    )
    given = ", ".join(f"{sql.Literal(list(each)).as_string()}::text[]" for each in values)
    labels = ", ".join(f"v{no}" for no in range(len(columns)))
    parts = ", ".join(f"{part} AS part{n}" for n, part in enumerate(exclusion.parts, 1))
    clash = " AND ".join(
        f"a.part{n} OPERATOR({operator}) b.part{n}"
        for n, operator in enumerate(exclusion.operators, 1)
    )
    return (
        f"WITH typed AS (SELECT r.number AS rv_number, {typed} FROM unnest({given})"
        f" WITH ORDINALITY r({labels}, number)),"
        f" parts AS (SELECT rv_number, {parts} FROM typed WHERE {exclusion.predicate or 'true'})"
        " SELECT a.rv_number, b.rv_number FROM parts a JOIN parts b"
        f" ON a.rv_number < b.rv_number AND {clash}"
    )
