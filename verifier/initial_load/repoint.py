"""Children follow: every reference to a row that merged or changed its key goes to the survivor."""

from __future__ import annotations

from verifier.initial_load.catalog import Catalog, Connection, ForeignKey
from verifier.initial_load.checks import family
from verifier.initial_load.session import paste, run
from verifier.initial_load.stage import Staged

_MOVED = "(f.n <> f.winner OR f.adopted)"


def repoint(conn: Connection, catalog: Catalog, tables: list[Staged], parent: Staged) -> set[int]:
    """Move references to ``parent``'s merged rows, and give survivors their final identity.

    Returns the oids of the tables with references that were moved.
    """
    if not _moved(conn, parent):
        return set()
    changed = set()
    for key in catalog.foreign_keys:
        if parent not in family(tables, key.parent):
            continue
        for child in tables:
            if child.table.oid == key.child and _follow(conn, parent, child, key):
                changed.add(child.table.oid)
    _adopt(conn, parent)
    return changed


def _moved(conn: Connection, parent: Staged) -> bool:
    """Fill ``restore_moved``: rows whose references must change, with their final identity.

    ``False`` if there are none. ``i1``, ``i2`` … is the identity of the target row, or
    else of the winner.
    """
    some = run(conn, "SELECT 1 FROM {fate} f WHERE {moved} LIMIT 1", fate=parent.fate, moved=_MOVED)
    if some.fetchone() is None:
        return False
    conn.execute("DROP TABLE IF EXISTS pg_temp.restore_moved")
    final = "".join(
        f", CASE WHEN f.t_ctid IS NULL THEN w.{c.quoted} ELSE t.{c.quoted} END AS i{no}"
        for no, c in enumerate(parent.identity, 1)
    )
    run(
        conn,
        "CREATE TEMP TABLE restore_moved ON COMMIT DROP AS "
        "SELECT f.n, f.winner, f.adopted, f.con {final} FROM {fate} f "
        "JOIN {rows} w ON w.{n} = f.winner "
        "LEFT JOIN {target} t ON t.tableoid = f.t_oid AND t.ctid = f.t_ctid "
        "WHERE {moved}",
        final=final,
        fate=parent.fate,
        rows=parent.rows,
        n=parent.ordinal,
        target=parent.table.only,
        moved=_MOVED,
    )
    return True


def _follow(conn: Connection, parent: Staged, child: Staged, key: ForeignKey) -> int:
    names = {column.name for column in child.columns}
    staged = {column.name for column in parent.columns}
    if not set(key.columns) <= names or not set(key.references) <= staged:
        return 0
    ours = [child.table.columns[name] for name in key.columns]
    final = {c.name: f"m.i{no}" for no, c in enumerate(parent.identity, 1)}
    pairs = []
    for no, name in enumerate(key.references, 1):
        column = parent.table.columns[name].quoted
        pairs.append(f"p.{column} AS o{no}, {final.get(name, f'w.{column}')} AS f{no}")
    moved = paste(
        "(SELECT {pairs} FROM pg_temp.restore_moved m"
        " JOIN {rows} p ON p.{n} = m.n JOIN {rows} w ON w.{n} = m.winner)",
        pairs=", ".join(pairs),
        rows=parent.rows,
        n=parent.ordinal,
    )
    numbered = list(enumerate(ours, 1))
    where = " AND ".join(f"c.{column.quoted} = m.o{no}" for no, column in numbered)
    differs = " OR ".join(f"m.o{no}::text IS DISTINCT FROM m.f{no}::text" for no, _ in numbered)
    if {column.name for column in child.identity} & set(key.columns):
        _remember(conn, child, f"{moved} m JOIN {child.rows} c ON {where} AND ({differs})", "NULL")
    return run(
        conn,
        "UPDATE {rows} c SET {set} FROM {moved} m WHERE {where} AND ({differs})",
        rows=child.rows,
        set=", ".join(f"{column.quoted} = m.f{no}" for no, column in numbered),
        moved=moved,
        where=where,
        differs=differs,
    ).rowcount


def _adopt(conn: Connection, parent: Staged) -> None:
    """The survivor keeps the identity of the target row that it became."""
    survivor = f"pg_temp.restore_moved m JOIN {parent.rows} c ON c.{parent.ordinal} = m.n"
    mine = "m.n = m.winner AND m.adopted"
    _remember(conn, parent, f"{survivor} AND {mine}", "m.con")
    if parent.identity:
        run(
            conn,
            "UPDATE {rows} c SET {set} FROM pg_temp.restore_moved m WHERE c.{n} = m.n AND {mine}",
            rows=parent.rows,
            set=", ".join(f"{c.quoted} = m.i{no}" for no, c in enumerate(parent.identity, 1)),
            n=parent.ordinal,
            mine=mine,
        )


def _remember(conn: Connection, staged: Staged, rows: str, constraint: str) -> None:
    """Keep the backup's key of the rows ``c`` before it changes in staging."""
    run(
        conn,
        "INSERT INTO pg_temp.restore_was "
        "SELECT DISTINCT ON (c.{n}) {number}, c.{n}, {key}, {con} FROM {rows} "
        "ON CONFLICT (tab, n) DO UPDATE SET con = coalesce(excluded.con, restore_was.con)",
        n=staged.ordinal,
        number=str(staged.number),
        key=staged.key_json("c"),
        con=constraint,
        rows=rows,
    )
