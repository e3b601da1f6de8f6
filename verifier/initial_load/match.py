"""Which staged rows are one row, and which row of the target each of them is.

Rows of the backup that are equal on any unique key of the target, or that collide
with the same row of the target, form a group; its last row is the winner. A row is
the target row of the same identity, or one that it collides with on another unique
key. Target rows that some row of the backup *is* by identity do not count as
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

from verifier.initial_load.catalog import Connection, UniqueKey
from verifier.initial_load.ledger import reject
from verifier.initial_load.offset import told
from verifier.initial_load.session import array, literal, paste, run
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
    """(Re)make the fate of every staged row of the table; reject the ambiguous ones.

    Of a group the last row wins, or the newest where the table has a recency column;
    ties are settled by the identity, then by the ordinal.
    """
    while True:
        conn.execute(_SCRATCH)
        if _ties(conn, staged):
            _groups(conn)
            if staged.recency:
                _prefer(conn, staged)
            if _out_of_place(conn, staged):
                continue
        _hits(conn, staged)
        _release(conn, staged)
        _claims(conn)
        if not _ambiguous(conn, staged):
            break
    _record(conn, staged)


def evaluated(key: UniqueKey, source: str, handle: str) -> str:
    """SQL for the rows of ``source`` that ``key`` covers, its parts as ``k1``, ``k2`` …"""
    parts = ", ".join(f"({part}) AS k{no}" for no, part in enumerate(key.expressions, 1))
    where = [f"({key.predicate})"] if key.predicate else []
    if key.nulls_distinct:
        where += [f"({part}) IS NOT NULL" for part in key.expressions]
    return paste(
        "SELECT {parts} FROM {source} WHERE {where}",
        parts=f"{handle}, {parts}" if handle else parts,
        source=source,
        where=" AND ".join(where) or "true",
    )


def same(staged: Staged, key: UniqueKey, a: str, b: str) -> str:
    """SQL for two :func:`evaluated` rows being equal on ``key``."""
    certain = {column.quoted for column in staged.table.columns.values() if column.not_null}
    terms = []
    for no, part in enumerate(key.expressions, 1):
        equal = f"{a}.k{no} = {b}.k{no}"
        # Only where needed: a join on the longer form cannot be hashed.
        null = f"({equal} OR ({a}.k{no} IS NULL AND {b}.k{no} IS NULL))"
        terms.append(equal if key.nulls_distinct or part in certain else null)
    return " AND ".join(terms)


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
        names=_key_names(staged),
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
        "    ORDER BY s.{column} DESC NULLS LAST {key}, g.n DESC) AS best"
        "  FROM pg_temp.restore_group g JOIN {rows} s ON s.{n} = g.n"
        "  LEFT JOIN pg_temp.restore_was u ON u.tab = {number} AND u.n = g.n) m WHERE m.n = g.n",
        number=str(staged.number),
        column=staged.recency,
        key=key,
        rows=staged.rows,
        n=staged.ordinal,
    )


def _out_of_place(conn: Connection, staged: Staged) -> int:
    """Reject rows that only under the key that they took over are duplicates of a later row.

    That one would bring its own values, by which the next restore does not find them there.
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
            " JOIN pg_temp.restore_group g ON g.n = w.n AND g.winner <> w.n"
            " WHERE w.tab = {number} AND w.con IS NOT NULL"
            " AND g.winner NOT IN ({bound} AND b.winner = w.n)"
            " AND NOT EXISTS (SELECT FROM pg_temp.restore_tie t"
            "  JOIN pg_temp.restore_tie o USING (key, grp)"
            "  WHERE t.n = w.n AND o.n <> w.n AND key IN ({apart})"
            "  AND o.n NOT IN ({bound} AND b.winner = w.n)))",
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
            name=_names(staged, "t.key"),
            n=staged.ordinal,
        ),
    )


def _release(conn: Connection, staged: Staged) -> None:
    """Forget what losers collide with where no key but the identity ties their winner to it.

    Such a winner would take over a row of the target and, with it, leave that row no key
    by which the next restore finds it again; it is a row of its own.
    """
    others = [key for key in staged.keys if key is not staged.table.identity]
    tied = "".join(
        paste(
            " AND NOT EXISTS (SELECT FROM ({rows}) k WHERE k.n = g.winner)",
            rows=evaluated(key, staged.rows, f"{staged.ordinal} AS n"),
        )
        for key in others
    )
    run(
        conn,
        "DELETE FROM pg_temp.restore_hit h USING pg_temp.restore_group g"
        " WHERE g.n = h.n AND g.winner <> h.n AND NOT h.own {tied}",
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


def _names(staged: Staged, key: str) -> str:
    """SQL for the name of the unique key number ``key``."""
    return f"({_key_names(staged)})[{key} + 1]"


def _key_names(staged: Staged) -> str:
    return array([literal(key.name) for key in staged.keys])


def _ambiguous(conn: Connection, staged: Staged) -> int:
    """Reject the rows of every group that is two rows of the target."""
    hits = paste(
        "SELECT h.n, coalesce(g.winner, h.n) AS winner, {name} AS name, h.t_oid, h.t_ctid"
        " FROM pg_temp.restore_hit h LEFT JOIN pg_temp.restore_group g USING (n)",
        name=_names(staged, "h.key"),
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
            name=_names(staged, "t.key"),
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
                " WHERE g.winner <> o.n AND x.{recency} > w.{recency})",
                n=staged.ordinal,
                rows=evaluated(key, staged.rows, f"{staged.ordinal} AS n"),
                target=evaluated(key, staged.table.only, "tableoid AS t_oid, ctid AS t_ctid"),
                same=same(staged, key, "s", "t"),
                fate=staged.fate,
                staged=staged.rows,
                only=staged.table.only,
                recency=staged.recency,
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
        con=_names(staged, "coalesce(g.key, h.key)"),
    )
