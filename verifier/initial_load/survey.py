"""Whether the rows of a table need to be told apart at all.

Most tables of most backups hold no duplicates and meet no row of the target but
their own. Three questions find that out, and spare the work of :mod:`match`. They
are asked of rows that are new or that differ: a row equal to its target row has the
target's keys, which no other row of the target has.
"""

from __future__ import annotations

from verifier.initial_load import changes, whole_rows
from verifier.initial_load.catalog import Catalog, Connection, UniqueKey
from verifier.initial_load.equal import evaluated, same
from verifier.initial_load.session import paste, run
from verifier.initial_load.stage import Staged


def plain(conn: Connection, catalog: Catalog, staged: Staged) -> bool:
    """Whether every row is new or the target row of its identity, and collides with no other.

    Nor does a row of the target stay that is referred to by other values than the backup's.

    If so, what has to be written is known afterwards (see :mod:`changes`).
    """
    identity = staged.table.identity
    if identity is None or _repeated(conn, evaluated(identity, staged.rows, ""), identity):
        return False
    changes.by_identity(conn, staged)
    if staged.stays and catalog.called_otherwise(staged.table):
        return False
    if not staged.inserts + staged.updates + staged.stays:
        return True
    if not staged.all_new and whole_rows.some(conn, staged):
        return False
    others = staged.keys[1:]
    return not any(
        _repeated(conn, _written(staged, key, staged.ordinal), key) or _met(conn, staged, key)
        for key in others
    )


def _written(staged: Staged, key: UniqueKey, ordinal: str) -> str:
    """SQL for the key's parts of the rows that differ from the target, with their ordinal ``n``."""
    rows = evaluated(key, staged.rows, f"{ordinal} AS n")
    if staged.all_new:
        return rows
    return paste(
        "SELECT k.* FROM ({rows}) k"
        " WHERE k.n IN (SELECT n FROM {new} UNION ALL SELECT n FROM {change}"
        "   UNION ALL SELECT n FROM {kept})",
        rows=rows,
        new=staged.new,
        change=staged.change,
        kept=staged.kept,
    )


def _repeated(conn: Connection, rows: str, key: UniqueKey) -> bool:
    parts = ", ".join(f"k{no}" for no, _ in enumerate(key.expressions, 1))
    return _some(
        conn,
        paste(
            "SELECT FROM ({rows}) k GROUP BY {parts} HAVING count(*) > 1", rows=rows, parts=parts
        ),
    )


def _met(conn: Connection, staged: Staged, key: UniqueKey) -> bool:
    """Whether such a row has the key of a target row that is not certain to be its own."""
    if staged.all_new:
        return False
    return _some(
        conn,
        paste(
            "SELECT FROM ({written}) s JOIN ({target}) t ON {same}"
            " LEFT JOIN {change} c ON c.n = s.n AND c.t_oid = t.t_oid AND c.t_ctid = t.t_ctid"
            " WHERE c.n IS NULL",
            written=_written(staged, key, staged.ordinal),
            target=evaluated(key, staged.table.only, "tableoid AS t_oid, ctid AS t_ctid"),
            same=same(staged, key, "s", "t"),
            change=staged.change,
        ),
    )


def _some(conn: Connection, query: str) -> bool:
    # Not EXISTS: it is planned for a row that turns up at once, and mostly there is none.
    row = run(conn, "SELECT count(*) > 0 FROM ({query}) found", query=query).fetchone()
    return bool(row and row[0])
