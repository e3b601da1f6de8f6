"""What has to be written: rows that are new, and target rows that differ from the backup's."""

from __future__ import annotations

from verifier.initial_load.catalog import Column, Connection
from verifier.initial_load.session import array, paste, run
from verifier.initial_load.stage import Staged


def compared(staged: Staged) -> list[Column]:
    """What makes a row differ: all but the identity, of which only the text may (1.1, 1.10)."""
    return [column for column in staged.given if column not in staged.identity or not column.exact]


def settable(staged: Staged) -> list[Column]:
    """What an UPDATE may set. A row that differs in another column is refused."""
    return [column for column in compared(staged) if not column.always]


def unlike(column: Column) -> str:
    """SQL for a staged row ``s`` and a target row ``t`` that differ in ``column``."""
    if column.exact and not column.bounded:
        return f"s.{column.quoted} IS DISTINCT FROM t.{column.quoted}"
    return f"{as_text(column, 's')} IS DISTINCT FROM {as_text(column, 't')}"


def as_text(column: Column, alias: str) -> str:
    return f"{alias}.{column.quoted}::{column.type}::text"


def differ(staged: Staged) -> str:
    """SQL for a staged row ``s`` and a target row ``t`` that differ.

    In columns that cannot be set, too: such a row is not the target's, and is rejected
    (see :func:`write.plan`). Rows that are equal byte for byte have equal texts, and are
    found in a fraction of the time; only where bytes differ are the texts made and asked.
    """
    columns = compared(staged)
    if not columns:
        return "false"
    ours, theirs = (
        ", ".join(f"{alias}.{column.quoted}::{column.type}" for column in columns)
        for alias in ("s", "t")
    )
    return (
        f"(record_image_ne(ROW({ours}), ROW({theirs}))"
        f" AND ({' OR '.join(unlike(column) for column in columns)}))"
    )


def by_identity(conn: Connection, staged: Staged) -> None:
    """Fill ``new`` and ``change`` where every row is the target row of its identity, or new."""
    staged.grouped = False
    found = run(
        conn, "SELECT EXISTS (SELECT FROM {target} LIMIT 1)", target=staged.table.only
    ).fetchone()
    staged.all_new = not (found and found[0])
    if staged.all_new:
        staged.inserts, staged.updates = _count(conn, staged.rows), 0
        return
    same = " AND ".join(f"t.{c.quoted} = s.{c.quoted}" for c in staged.identity)
    _tables(
        conn,
        staged,
        paste(
            "SELECT s.{n} AS n, t.tableoid AS t_oid, t.ctid AS t_ctid, {newer} AS newer"
            " FROM {rows} s LEFT JOIN {target} t ON {same} WHERE t.ctid IS NULL OR {differ}",
            n=staged.ordinal,
            newer=newer(staged),
            rows=staged.rows,
            target=staged.table.only,
            same=same,
            differ=differ(staged),
        ),
    )


def by_fate(conn: Connection, staged: Staged) -> None:
    """Fill ``new`` and ``change`` from what was decided about every row."""
    staged.grouped, staged.all_new = True, False
    if staged.table.identity is None:
        _pair_keyless(conn, staged)
    _tables(
        conn,
        staged,
        paste(
            "SELECT f.n, f.t_oid, f.t_ctid, {newer} AS newer"
            " FROM {fate} f JOIN {rows} s ON s.{n} = f.n"
            " LEFT JOIN {target} t ON t.tableoid = f.t_oid AND t.ctid = f.t_ctid"
            " WHERE f.n = f.winner AND (f.t_ctid IS NULL OR {differ})",
            newer=newer(staged),
            fate=staged.fate,
            rows=staged.rows,
            n=staged.ordinal,
            target=staged.table.only,
            differ=differ(staged),
        ),
    )


def newer(staged: Staged, alias: str = "s") -> str:
    """SQL that the target row ``t`` is newer than the staged row, and stays."""
    if not staged.recency:
        return "false"
    return f"coalesce(t.{staged.recency} > {staged.age(alias)}, false)"


def _tables(conn: Connection, staged: Staged, query: str) -> None:
    number = str(staged.number)
    counted = run(
        conn,
        "DROP TABLE IF EXISTS pg_temp.new_{no}, pg_temp.change_{no}, pg_temp.kept_{no};"
        "TRUNCATE pg_temp.restore_delta; INSERT INTO pg_temp.restore_delta {query};"
        "SELECT count(*) FILTER (WHERE t_ctid IS NULL), count(*) FILTER (WHERE NOT newer AND"
        "  t_ctid IS NOT NULL), count(*) FILTER (WHERE newer) FROM pg_temp.restore_delta",
        no=number,
        query=query,
    )
    while counted.nextset():
        pass
    row = counted.fetchone()
    assert row is not None
    staged.inserts, staged.updates, staged.stays = row
    parts = (
        ("new", "n", "t_ctid IS NULL", staged.inserts),
        ("change", "n, t_oid, t_ctid", "t_ctid IS NOT NULL AND NOT newer", staged.updates),
        ("kept", "n", "newer", staged.stays),
    )
    for name, columns, where, count in parts:
        if count:
            run(
                conn,
                "CREATE TEMP TABLE {name}_{no} ON COMMIT DROP AS"
                " SELECT {columns} FROM pg_temp.restore_delta WHERE {where};"
                "ANALYZE pg_temp.{name}_{no}",
                name=name,
                no=number,
                columns=columns,
                where=where,
            )


def _count(conn: Connection, table: str) -> int:
    row = run(conn, "SELECT count(*) FROM {table}", table=table).fetchone()
    assert row is not None
    return int(row[0])


def _pair_keyless(conn: Connection, staged: Staged) -> None:
    """Without an identity, equal rows pair off one to one; what is left over is missing."""
    text = {
        alias: array([as_text(column, alias) for column in staged.given]) for alias in ("s", "t")
    }
    run(
        conn,
        "UPDATE {fate} f SET t_oid = t.t_oid, t_ctid = t.t_ctid FROM ("
        "  SELECT s.{n} AS n, {ours} AS row, row_number() OVER (PARTITION BY {ours} ORDER BY s.{n})"
        "    AS no FROM {rows} s JOIN {fate} f ON f.n = s.{n} AND f.t_ctid IS NULL"
        "    AND f.n = f.winner) s "
        "JOIN (SELECT t.tableoid AS t_oid, t.ctid AS t_ctid, {theirs} AS row,"
        "        row_number() OVER (PARTITION BY {theirs} ORDER BY t.tableoid, t.ctid) AS no"
        "      FROM {target} t WHERE NOT EXISTS (SELECT FROM {fate} f"
        "        WHERE f.t_oid = t.tableoid AND f.t_ctid = t.ctid)) t USING (row, no) "
        "WHERE f.n = s.n",
        fate=staged.fate,
        n=staged.ordinal,
        rows=staged.rows,
        target=staged.table.only,
        ours=text["s"],
        theirs=text["t"],
    )
