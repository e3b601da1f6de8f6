"""Which staged rows are one row: those that are equal on any unique key of the target.

``restore_tie`` has the rows that are equal on a key, ``restore_group`` each row's winner.
"""

from __future__ import annotations

from verifier.initial_load.catalog import Connection
from verifier.initial_load.equal import evaluated, name_of, names_of
from verifier.initial_load.ledger import reject
from verifier.initial_load.offset import told
from verifier.initial_load.session import literal, paste, run
from verifier.initial_load.stage import Staged


def find(conn: Connection, staged: Staged) -> int:
    """Group the rows of the table; the number of those that had to be rejected.

    Of a group the last row wins, or the newest where the table has a recency column;
    ties are settled by the identity, then by the ordinal.
    """
    if not _ties(conn, staged):
        return 0
    _groups(conn)
    if staged.recency:
        _prefer(conn, staged)
    return _out_of_place(conn, staged)


def _ties(conn: Connection, staged: Staged) -> int:
    """Fill ``restore_tie``: rows that belong together, ``grp`` being the last of them."""
    total = _bound(conn, staged)
    for no, key in enumerate(staged.keys):
        total += run(
            conn,
            "INSERT INTO pg_temp.restore_tie SELECT n, {key}, grp FROM ("
            "  SELECT n, max(n) OVER w AS grp, count(*) OVER w AS size FROM ({rows}) k"
            "  WINDOW w AS (PARTITION BY {parts})) x WHERE size > 1",
            key=str(no),
            rows=evaluated(key, staged.rows, f"{staged.ordinal} AS n"),
            parts=", ".join(f"k{i}" for i, _ in enumerate(key.expressions, 1)),
        ).rowcount
    return total


def _bound(conn: Connection, staged: Staged) -> int:
    """The ties of rows whose survivor took over a key of the target, and lost its own with it."""
    return run(
        conn,
        "INSERT INTO pg_temp.restore_tie SELECT n, key, max(n) OVER (PARTITION BY winner) FROM ("
        "  SELECT CASE WHEN self THEN b.winner ELSE b.n END AS n, b.winner,"
        "    coalesce(array_position({names}, b.con) - 1, 0) AS key"
        "  FROM pg_temp.restore_bound b CROSS JOIN (VALUES (true), (false)) x(self)"
        "  WHERE b.tab = {number} AND b.n IN (SELECT {n} FROM {rows})"
        "  AND b.winner IN (SELECT {n} FROM {rows})) x",
        names=names_of(staged),
        number=str(staged.number),
        n=staged.ordinal,
        rows=staged.rows,
    ).rowcount


def _groups(conn: Connection) -> None:
    """Connected components of the ties; every row learns the largest ordinal of its own.

    Each round every component found so far joins the greatest one that it has a tie with,
    and then follows to where that one went. At least half of those that can join do, so a
    long chain of ties needs few rounds. Hooking and pointer jumping: Shiloach and Vishkin
    (J. Algorithms 3, 1982). Ties with the same ``grp`` share that row, so they need not be
    told apart by key.
    """
    conn.execute(
        "INSERT INTO pg_temp.restore_group (n, winner, key)"
        " SELECT n, max(grp), min(key) FROM pg_temp.restore_tie GROUP BY n"
    )
    conn.execute("ANALYZE pg_temp.restore_tie, pg_temp.restore_group")
    join = """
        UPDATE pg_temp.restore_group g SET winner = m.winner FROM (
          SELECT o.winner AS old, max(x.winner) AS winner FROM pg_temp.restore_tie t
          JOIN pg_temp.restore_group o USING (n)
          JOIN (SELECT t.grp, max(g.winner) AS winner FROM pg_temp.restore_tie t
                JOIN pg_temp.restore_group g USING (n) GROUP BY t.grp) x USING (grp)
          GROUP BY o.winner) m
        WHERE g.winner = m.old AND m.winner > m.old"""
    follow = """
        UPDATE pg_temp.restore_group g SET winner = o.winner FROM pg_temp.restore_group o
        WHERE o.n = g.winner AND o.winner > g.winner"""
    while conn.execute(join).rowcount:
        while conn.execute(follow).rowcount:
            continue


def _prefer(conn: Connection, staged: Staged) -> None:
    """The newest row of a group wins, not the last; of equals the one with the highest key.

    That is the backup's own key, whatever it took over or followed since.
    """
    key = "".join(
        f", coalesce(u.key->>{literal(c.name)}, {told(c, f's.{c.quoted}')})::{c.base} DESC"
        for c in staged.identity
    )
    run(
        conn,
        "UPDATE pg_temp.restore_group g SET winner = m.best FROM ("
        "  SELECT g.n, first_value(g.n) OVER (PARTITION BY g.winner"
        "    ORDER BY {age} DESC NULLS LAST {key}, g.n DESC) AS best"
        "  FROM pg_temp.restore_group g JOIN {rows} s ON s.{n} = g.n"
        "  LEFT JOIN pg_temp.restore_was u ON u.tab = {number} AND u.n = g.n) m WHERE m.n = g.n",
        number=str(staged.number),
        age=staged.age("s"),
        key=key,
        rows=staged.rows,
        n=staged.ordinal,
    )


def _out_of_place(conn: Connection, staged: Staged) -> int:
    """Reject rows that only under the key that they took over are duplicates of another row.

    Neither they nor what merged into them. Which of them is the row of the target, the next
    restore would see otherwise: it finds the values of one row there, and the other one under a
    key that is not its own.
    """
    identity = staged.table.identity
    apart = [
        str(no)
        for no, key in enumerate(staged.keys)
        if identity is not None and key.columns.isdisjoint(identity.columns)
    ]
    bound = paste(
        "SELECT b.n FROM pg_temp.restore_bound b WHERE b.tab = {number}", number=str(staged.number)
    )
    return reject(
        conn,
        staged,
        paste(
            "s.{n} IN (SELECT w.n FROM pg_temp.restore_was w"
            " JOIN pg_temp.restore_group g ON g.n = w.n"
            " WHERE w.tab = {number} AND w.con IS NOT NULL"
            " AND EXISTS (SELECT FROM pg_temp.restore_group o WHERE o.winner = g.winner"
            "  AND o.n <> w.n AND o.n NOT IN ({bound} AND b.winner = w.n))"
            " AND NOT EXISTS (SELECT FROM pg_temp.restore_tie t"
            "  JOIN pg_temp.restore_tie o USING (key, grp)"
            "  WHERE (t.n = w.n OR t.n IN ({bound} AND b.winner = w.n)) AND o.n <> w.n"
            "  AND key IN ({apart}) AND o.n NOT IN ({bound} AND b.winner = w.n)))",
            n=staged.ordinal,
            number=str(staged.number),
            bound=bound,
            apart=", ".join(apart) or "NULL",
        ),
        literal(
            "it becomes a row of the target, under whose key it collides with another row of "
            "the backup"
        ),
        paste(
            "(SELECT string_agg(DISTINCT {name}, ', ') FROM pg_temp.restore_tie t"
            " WHERE t.n = b.{n})",
            name=name_of(staged, "t.key"),
            n=staged.ordinal,
        ),
    )
