"""What is about to be written, of one table: the one place that knows how the plan is kept."""

from __future__ import annotations

from verifier.initial_load.catalog import Connection
from verifier.initial_load.session import paste, run
from verifier.initial_load.stage import Staged


def inserted(staged: Staged) -> str:
    """A query for ``n``, the ordinals of the rows that will be inserted."""
    return paste(
        "SELECT f.n FROM {fate} f WHERE f.n = f.winner AND f.t_ctid IS NULL", fate=staged.fate
    )


def updated(staged: Staged) -> str:
    """A query for ``n``, ``t_oid`` and ``t_ctid`` of the target rows that will be updated."""
    return paste(
        "SELECT c.n, c.t_oid, c.t_ctid FROM {change} c", change=f"pg_temp.change_{staged.number}"
    )


def anything(conn: Connection, staged: Staged) -> bool:
    """Whether any row of the table will be written."""
    row = run(
        conn,
        "SELECT EXISTS ({inserted}) OR EXISTS ({updated})",
        inserted=inserted(staged),
        updated=updated(staged),
    ).fetchone()
    return bool(row and row[0])


def changes(staged: Staged) -> str:
    """The table behind :func:`updated`, for who moves a target row before it gets its values."""
    return f"pg_temp.change_{staged.number}"
