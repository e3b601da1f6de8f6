"""Which row of the target each staged row is, and its :mod:`duplicates`.

Rows of the backup that are equal on any unique key of the target form a group; its last row
is the winner. A row is the target row of the same identity, or one that it collides with on
another unique key. Target rows that some row of the backup *is* by identity do not count as
collisions: their other keys are overwritten (values swapped between rows, trap U11).

Where several groups collide with one row of the target, one of them becomes that row,
and the others are rows of their own again: what they collided with is overwritten.
A group that is two rows of the target is rejected, never guessed (trap U04).

The answer goes to the table's fate: ``n``, ``winner`` (ordinals), ``t_oid`` and
``t_ctid`` (the target row of the group, NULL if it is new), ``adopted`` (the group
has a target row, but not one with this row's identity) and ``con`` (the key that
ties the row to its group or to the target row).
"""

from __future__ import annotations

from verifier.initial_load import duplicates
from verifier.initial_load.catalog import Connection
from verifier.initial_load.equal import evaluated, name_of, same
from verifier.initial_load.ledger import reject
from verifier.initial_load.session import literal, paste, run
from verifier.initial_load.stage import Staged

_SCRATCH = """
CREATE TEMP TABLE IF NOT EXISTS restore_hit
  (n bigint, key int, own boolean, t_oid oid, t_ctid tid) ON COMMIT DROP;
CREATE TEMP TABLE IF NOT EXISTS restore_tie (n bigint, key int, grp bigint) ON COMMIT DROP;
CREATE TEMP TABLE IF NOT EXISTS restore_group
  (n bigint PRIMARY KEY, winner bigint, key int) ON COMMIT DROP;
TRUNCATE pg_temp.restore_hit, pg_temp.restore_tie, pg_temp.restore_group;
"""


def decide(conn: Connection, staged: Staged) -> None:
    """(Re)make the fate of every staged row of the table; reject the ambiguous ones."""
    while True:
        conn.execute(_SCRATCH)
        if duplicates.find(conn, staged):
            continue
        _hits(conn, staged)
        _release(conn, staged)
        _claims(conn)
        if not _ambiguous(conn, staged):
            break
    _record(conn, staged)


def _hits(conn: Connection, staged: Staged) -> None:
    """Fill ``restore_hit``: every target row that a staged row is or collides with."""
    for no, key in enumerate(staged.keys):
        own = key is staged.table.identity
        run(
            conn,
            "INSERT INTO pg_temp.restore_hit SELECT s.n, {no}, {own}, t.t_oid, t.t_ctid "
            "FROM ({rows}) s JOIN ({target}) t ON {same} WHERE {free}",
            no=str(no),
            own=str(own),
            rows=evaluated(key, staged.rows, f"{staged.ordinal} AS n"),
            target=evaluated(key, staged.table.only, "tableoid AS t_oid, ctid AS t_ctid"),
            same=same(staged, key, "s", "t"),
            free="true"
            if own
            else "NOT EXISTS (SELECT FROM pg_temp.restore_hit o"
            " WHERE o.own AND o.t_oid = t.t_oid AND o.t_ctid = t.t_ctid)",
        )


def _release(conn: Connection, staged: Staged) -> None:
    """Forget what losers collide with where no key but the identity ties their winner to it.

    Such a winner would take over a row of the target and, with it, leave that row no key
    by which the next restore finds it again; it is a row of its own. A key that is made of
    columns of the identity has another value in the row that was taken over, where these differ.
    """
    tied, target = "", ""
    for key in (key for key in staged.keys if key is not staged.table.identity):
        shared = [c.quoted for c in staged.identity if c.name in key.columns]
        target = f", {staged.table.only} t" if shared else target
        tied += paste(
            " AND NOT (EXISTS (SELECT FROM ({rows}) k WHERE k.n = g.winner){equal})",
            rows=evaluated(key, staged.rows, f"{staged.ordinal} AS n"),
            equal="".join(f" AND w.{c} IS NOT DISTINCT FROM t.{c}" for c in shared),
        )
    run(
        conn,
        "DELETE FROM pg_temp.restore_hit h USING pg_temp.restore_group g, {rows} w{target}"
        " WHERE g.n = h.n AND g.winner <> h.n AND w.{n} = g.winner AND NOT h.own{found}{tied}",
        rows=staged.rows,
        target=target,
        n=staged.ordinal,
        found=" AND t.tableoid = h.t_oid AND t.ctid = h.t_ctid" if target else "",
        tied=tied,
    )


def _claims(conn: Connection) -> None:
    """A row of the target goes to one group: by identity, else by the first key, else the last."""
    conn.execute("""
        DELETE FROM pg_temp.restore_hit d USING (
          SELECT h.n, h.t_oid, h.t_ctid, coalesce(g.winner, h.n) AS winner,
            first_value(coalesce(g.winner, h.n)) OVER (PARTITION BY h.t_oid, h.t_ctid
              ORDER BY h.own DESC, h.key, coalesce(g.winner, h.n) DESC) AS claimant
          FROM pg_temp.restore_hit h LEFT JOIN pg_temp.restore_group g USING (n)) c
        WHERE c.winner <> c.claimant
          AND d.n = c.n AND d.t_oid = c.t_oid AND d.t_ctid = c.t_ctid""")


def _ambiguous(conn: Connection, staged: Staged) -> int:
    """Reject the rows of every group that is two rows of the target."""
    hits = paste(
        "SELECT h.n, coalesce(g.winner, h.n) AS winner, {name} AS name, h.t_oid, h.t_ctid"
        " FROM pg_temp.restore_hit h LEFT JOIN pg_temp.restore_group g USING (n)",
        name=name_of(staged, "h.key"),
    )
    winner = paste(
        "coalesce((SELECT g.winner FROM pg_temp.restore_group g WHERE g.n = b.{n}), b.{n})",
        n=staged.ordinal,
    )
    return reject(
        conn,
        staged,
        paste(
            "s.{n} IN (WITH h AS ({hits}), torn AS (SELECT winner FROM h GROUP BY winner"
            " HAVING count(DISTINCT (t_oid, t_ctid)) > 1)"
            " SELECT winner FROM torn UNION"
            " SELECT g.n FROM pg_temp.restore_group g JOIN torn USING (winner))",
            n=staged.ordinal,
            hits=hits,
        ),
        paste(
            "CASE WHEN (SELECT count(DISTINCT (h.t_oid, h.t_ctid)) FROM ({hits}) h"
            "           WHERE h.n = b.{n}) > 1"
            " THEN 'matches different rows of the target'"
            " ELSE 'it and its duplicates in the backup match different rows of the target' END",
            n=staged.ordinal,
            hits=hits,
        ),
        paste(
            "(SELECT string_agg(DISTINCT x.name, ', ') FROM (SELECT winner, name FROM ({hits}) h"
            " UNION SELECT g.winner, {name} FROM pg_temp.restore_tie t"
            " JOIN pg_temp.restore_group g USING (n)) x WHERE x.winner = {winner})",
            hits=hits,
            name=name_of(staged, "t.key"),
            winner=winner,
        ),
    )


def outdated(conn: Connection, staged: Staged) -> int:
    """Reject the rows that collide with a row of the target that is newer than its own, and stays.

    To be asked when the rows of a component are told apart: until then some may yet merge.
    """
    if not (staged.recency and staged.grouped):
        return 0
    rejected = 0
    for key in (key for key in staged.keys if key is not staged.table.identity):
        rejected += reject(
            conn,
            staged,
            paste(
                "s.{n} IN (SELECT s.n FROM ({rows}) s JOIN ({target}) t ON {same}"
                " JOIN {fate} g ON g.n = s.n"
                " JOIN {fate} o ON o.n = o.winner AND o.t_oid = t.t_oid AND o.t_ctid = t.t_ctid"
                " JOIN {staged} w ON w.{n} = o.n"
                " JOIN {only} x ON x.tableoid = t.t_oid AND x.ctid = t.t_ctid"
                " WHERE g.winner <> o.n AND x.{recency} > {age})",
                n=staged.ordinal,
                rows=evaluated(key, staged.rows, f"{staged.ordinal} AS n"),
                target=evaluated(key, staged.table.only, "tableoid AS t_oid, ctid AS t_ctid"),
                same=same(staged, key, "s", "t"),
                fate=staged.fate,
                staged=staged.rows,
                only=staged.table.only,
                recency=staged.recency,
                age=staged.age("w"),
            ),
            literal("collides with a row of the target that is newer than its own and stays"),
            literal(key.name),
        )
    return rejected


def _record(conn: Connection, staged: Staged) -> None:
    run(
        conn,
        "DROP TABLE IF EXISTS {fate}; "
        "CREATE TEMP TABLE {name} ON COMMIT DROP AS "
        "SELECT s.{n} AS n, coalesce(g.winner, s.{n}) AS winner, h.t_oid, h.t_ctid,"
        "       {identified} AND h.winner IS NOT NULL AND o.n IS NULL AS adopted,"
        "       {con} AS con "
        "FROM {rows} s LEFT JOIN pg_temp.restore_group g ON g.n = s.{n} "
        "LEFT JOIN (SELECT DISTINCT ON (winner) coalesce(g.winner, h.n) AS winner,"
        "             h.key, h.t_oid, h.t_ctid FROM pg_temp.restore_hit h"
        "           LEFT JOIN pg_temp.restore_group g USING (n) ORDER BY winner, h.own, h.key) h"
        "       ON h.winner = coalesce(g.winner, s.{n}) "
        "LEFT JOIN (SELECT DISTINCT n FROM pg_temp.restore_hit WHERE own) o ON o.n = s.{n}; "
        "CREATE INDEX ON {fate} (n); ANALYZE {fate}",
        fate=staged.fate,
        name=staged.fate.removeprefix("pg_temp."),
        n=staged.ordinal,
        rows=staged.rows,
        identified=str(staged.table.identity is not None),
        con=name_of(staged, "coalesce(g.key, h.key)"),
    )
