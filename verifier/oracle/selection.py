"""Which rows of the source are to be moved, where a scenario says that some are not.

The frozen source itself is asked: for the rows that meet a condition, and for those that refer
to such a row through the source's own foreign keys, directly or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import psycopg
from psycopg import sql

from verifier.errors import ObservationError
from verifier.oracle.catalog import ForeignKey, Schema, Table
from verifier.transfer import Exclude, parts

Places = Mapping[str, frozenset[str]]
"""Table → where its rows stand, each as :data:`PLACE` tells it."""

PLACE = "concat(tableoid, ctid)"
"""SQL for where a row stands: the table or partition that holds it, and its place in there."""


def left_out(
    connection: psycopg.Connection[Any], schema: Schema, rules: Iterable[Exclude]
) -> Places:
    """Where the rows stand that ``rules`` leave out, those that depend on them among them.

    Raises :class:`ObservationError` for a rule about no table, or several of them.
    """
    found: dict[str, set[str]] = {}
    for rule in rules:
        table = _named(schema, rule.table)
        query = f"SELECT {PLACE} FROM {table.rows} WHERE ({rule.condition})"
        found.setdefault(table.name, set()).update(_places(connection, query))
    grown = True
    while grown:
        grown = False
        for key in schema.foreign_keys:
            above, below = found.get(key.parent), found.setdefault(key.child, set())
            if not above:
                continue
            children = _places(connection, _children(schema, key, above))
            grown |= not children <= below
            below |= children
    return {name: frozenset(places) for name, places in found.items() if places}


def _places(connection: psycopg.Connection[Any], query: str) -> frozenset[str]:
    return frozenset(place for (place,) in connection.execute(query.encode()))


def _children(schema: Schema, key: ForeignKey, above: Iterable[str]) -> str:
    """SQL for the places of the rows that refer through ``key`` to a row at ``above``."""
    child, parent = schema.tables[key.child], schema.tables[key.parent]
    columns = zip(key.referenced, key.operators, key.columns, strict=True)
    same = " AND ".join(
        f"p.{_quoted(referenced)} OPERATOR({operator}) c.{_quoted(column)}"
        for referenced, operator, column in columns
    )
    return (
        f"SELECT concat(c.tableoid, c.ctid) FROM {child.rows} c"
        f" JOIN {key.partition or parent.rows} p ON {same}"
        f" WHERE concat(p.tableoid, p.ctid) = ANY ({sql.Literal(sorted(above)).as_string()})"
    )


def _quoted(name: str) -> str:
    return sql.Identifier(name).as_string()


def _named(schema: Schema, name: str) -> Table:
    """The one table that ``name`` means: ``businesses``, ``public.businesses``."""
    wanted = parts(name)
    found = [
        table
        for table in schema.tables.values()
        if wanted and parts(table.name)[-len(wanted) :] == wanted
    ]
    if len(found) != 1:
        raise ObservationError(
            f"rows of {name} are to be left out, and the source has {len(found)} tables of that"
            " name; name one, with its schema if need be"
        )
    return found[0]
