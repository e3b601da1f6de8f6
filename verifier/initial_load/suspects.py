"""Rows that may be somebody else's: numbers that a sequence made identify nothing abroad (U12).

Two databases that numbered their rows on their own have the same ids for different
things. Where a row has a target row's sequence-made key, would change it, and agrees
with it on no other unique key, nothing says that the two are the same thing.
"""

from __future__ import annotations

from verifier.initial_load.catalog import Connection
from verifier.initial_load.equal import evaluated, same
from verifier.initial_load.ledger import reject
from verifier.initial_load.session import literal, paste, run
from verifier.initial_load.stage import Staged

_WHY = (
    "has the sequence-made key of a row of the target that it shares no other unique "
    "key with: perhaps not the same row (--strict-ids)"
)
_SHOWN = 5
"""Keys of a table that a note names."""


def refuse(conn: Connection, staged: Staged) -> int:
    """Reject them; the number of rows."""
    if not _possible(staged):
        return 0
    return reject(
        conn,
        staged,
        paste("s.{n} IN ({suspects})", n=staged.ordinal, suspects=_suspects(staged)),
        literal(_WHY),
        literal(staged.table.identity.name if staged.table.identity else ""),
    )


def note(conn: Connection, staged: Staged) -> str:
    """One sentence that names them, or nothing."""
    if not _possible(staged):
        return ""
    row = run(
        conn,
        "SELECT count(*), (array_agg({key} ORDER BY s.{n}))[1:{shown}] FROM {rows} s"
        " WHERE s.{n} IN ({suspects})",
        key=staged.key_json("s"),
        n=staged.ordinal,
        shown=str(_SHOWN),
        rows=staged.rows,
        suspects=_suspects(staged),
    ).fetchone()
    if not row or not row[0]:
        return ""
    count = row[0]
    keys = [", ".join(f"{name} = '{value}'" for name, value in key.items()) for key in row[1]]
    more = "; …" if count > len(keys) else ""
    return (
        f"suspected collision of ids: {staged.table.quoted}: {count} rows change a row of the "
        f"target that has the same sequence-made key and no other unique key in common: "
        f"{'; '.join(keys)}{more} (--strict-ids rejects them, --ids local gives them new keys)"
    )


def _possible(staged: Staged) -> bool:
    return bool(staged.updates) and any(column.fed for column in staged.identity)


def _suspects(staged: Staged) -> str:
    """SQL for the ordinals of the changes that share no other key with the row they change.

    What the backup lacks is the target row's own value (:func:`checks.complete`), which says
    nothing; nor does what is generated of that.
    """
    told = {column.name for column in staged.given}
    if all(column.generated for column in staged.columns if column.name not in told):
        told = {column.name for column in staged.columns}
    shared = [
        paste(
            "SELECT c.n FROM {change} c JOIN ({ours}) s ON s.n = c.n"
            " JOIN ({theirs}) t ON t.t_oid = c.t_oid AND t.t_ctid = c.t_ctid WHERE {same}",
            change=staged.change,
            ours=evaluated(key, staged.rows, f"{staged.ordinal} AS n"),
            theirs=evaluated(key, staged.table.only, "tableoid AS t_oid, ctid AS t_ctid"),
            same=same(staged, key, "s", "t"),
        )
        for key in staged.keys[1:]
        if key.columns <= told
    ]
    changed = paste("SELECT n FROM {change}", change=staged.change)
    return " EXCEPT ".join([changed, *(f"({one})" for one in shared)])
