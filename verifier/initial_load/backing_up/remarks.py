"""What whoever makes a backup should know about what is in it and what is not."""

from __future__ import annotations

from verifier.initial_load.backing_up.snapshot import Snapshot, listed
from verifier.initial_load.catalog import Connection

_ELSEWHERE = {
    "f": "foreign tables, whose rows are another server's",
    "m": "materialised views, which are made from the other tables",
}


def notes(conn: Connection, snapshot: Snapshot) -> list[str]:
    """A sentence each."""
    found = []
    if not snapshot.tables:
        found.append("the database has no tables: the backup holds no rows")
    if snapshot.control:
        names = listed([table.quoted for table in snapshot.control])
        found.append(f"left out as they describe the database itself: {names}")
    unlogged = [table.quoted for table in snapshot.tables.values() if table.unlogged]
    if unlogged:
        found.append(
            f"unlogged, so that a crash of the source's server empties them, and a later backup "
            f"with them: {listed(unlogged)}"
        )
    found += _dependent(conn, snapshot)
    for kind, word in _ELSEWHERE.items():
        rows = conn.execute(
            "SELECT pg_catalog.format('%%I.%%I', n.nspname, c.relname) FROM pg_catalog.pg_class c"
            " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind = %s AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
            " ORDER BY 1",
            [kind],
        ).fetchall()
        if rows:
            found.append(f"not in the backup: {word}: {listed([row[0] for row in rows])}")
    return found


def _dependent(conn: Connection, snapshot: Snapshot) -> list[str]:
    """Values whose text means something else elsewhere (trap F08)."""
    found = []
    rows = conn.execute(
        "SELECT DISTINCT attrelid::bigint FROM pg_catalog.pg_attribute"
        " WHERE atttypid = 'pg_catalog.money'::regtype AND NOT attisdropped",
    ).fetchall()
    money = [table.quoted for table in snapshot.roots() if (table.oid,) in rows]
    if money:
        setting = conn.execute("SELECT pg_catalog.current_setting('lc_monetary')").fetchone()
        assert setting is not None
        found.append(
            f"{listed(money)}: amounts of type money are written as lc_monetary = {setting[0]} "
            "has them; a target with another lc_monetary may read other amounts"
        )
    return found
