"""Values that a row can hold in between, while another row takes its place.

Such a value conflicts with nothing: NULL, an empty range, or one that takes the row out of
the constraint's predicate. Whether it does, and whether the table's checks allow it, is
evaluated on the rows themselves before anything is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

from verifier.initial_load.catalog import Catalog, Column, Connection
from verifier.initial_load.exclusions import Exclusion
from verifier.initial_load.session import run
from verifier.initial_load.stage import Staged


def assignment(
    conn: Connection, catalog: Catalog, staged: Staged, exclusion: Exclusion, rows: str
) -> str | None:
    """``column = value`` over ``t`` that takes every row out of the way, if there is such a value.

    ``rows`` is a query for ``t_oid`` and ``t_ctid`` of the rows.
    """
    checks = [f"({check.expression}) IS NOT FALSE" for check in staged.table.checks]
    for column, value in _candidates(catalog, staged, exclusion):
        row = run(
            conn,
            "SELECT bool_and({safe}) FROM (SELECT {columns} FROM {target} t"
            " JOIN ({rows}) r ON r.t_oid = t.tableoid AND r.t_ctid = t.ctid) x",
            safe=" AND ".join([exclusion.harmless(), *checks]),
            columns=", ".join(
                f"{value} AS {c.quoted}" if c is column else f"t.{c.quoted}"
                for c in staged.table.columns.values()
            ),
            target=staged.table.only,
            rows=rows,
        ).fetchone()
        if row and row[0]:
            return f"{column.quoted} = {value}"
    return None


def _candidates(
    catalog: Catalog, staged: Staged, exclusion: Exclusion
) -> Iterator[tuple[Column, str]]:
    """Columns that the constraint depends on, with a value over ``t`` worth a try."""
    oid = staged.table.oid
    own = [fk for fk in catalog.foreign_keys if fk.child == oid]
    bound = catalog.referenced(staged.table)
    bound |= {name for fk in own if fk.full for name in fk.columns}
    keyed = {name for key in staged.table.keys for name in key.columns}
    keyed |= {name for fk in own for name in fk.columns}
    free = [
        column
        for column in staged.given
        if column.name in exclusion.key.columns - bound
        and not column.always
        and column not in staged.identity
    ]
    for column in free:
        if not column.not_null:
            yield column, f"NULL::{column.type}"
    loose = [column for column in free if column.name not in keyed]
    for column in loose:
        if column.kind == "R":  # what is left of a range without itself is empty
            yield column, f"(t.{column.quoted} - t.{column.quoted})"
        if column.kind == "B":
            yield column, f"(NOT t.{column.quoted})"
    for one, other in permutations(loose, 2):
        if one.type == other.type:  # the two ends of a range that an expression makes
            yield one, f"t.{other.quoted}"
