"""What is about to be written, of one table: the one place that knows how the plan is kept."""

from __future__ import annotations

from verifier.initial_load.session import paste
from verifier.initial_load.stage import Staged


def inserted(staged: Staged) -> str:
    """A query for ``n``, the ordinals of the rows that will be inserted."""
    if staged.all_new:
        return paste("SELECT {n} AS n FROM {rows}", n=staged.ordinal, rows=staged.rows)
    return paste("SELECT n FROM {new}", new=staged.new)


def updated(staged: Staged) -> str:
    """A query for ``n``, ``t_oid`` and ``t_ctid`` of the target rows that will be updated."""
    if staged.all_new:
        return "SELECT NULL::bigint AS n, NULL::oid AS t_oid, NULL::tid AS t_ctid WHERE false"
    return paste("SELECT n, t_oid, t_ctid FROM {change}", change=staged.change)


def written(parent: Staged) -> str:
    """SQL that the staged row ``p`` is not left out for a newer row of the target."""
    if not parent.stays:
        return ""
    return f" AND NOT EXISTS (SELECT FROM {parent.kept} k WHERE k.n = p.{parent.ordinal})"


def survives(parent: Staged) -> str:
    """SQL that the staged row ``p`` is not merged away."""
    if not parent.grouped:
        return ""
    return (
        f" AND NOT EXISTS (SELECT FROM {parent.fate} f"
        f" WHERE f.n = p.{parent.ordinal} AND f.winner <> f.n)"
    )
