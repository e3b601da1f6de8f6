"""Children follow: every reference to a row that merged or changed its key goes to the survivor."""

from __future__ import annotations

from verifier.initial_load import changes
from verifier.initial_load.catalog import Catalog, Connection
from verifier.initial_load.following import follow_cells, remember, shift
from verifier.initial_load.links import Before, Link, declared, kept, links
from verifier.initial_load.session import paste, run
from verifier.initial_load.stage import Staged, among


def repoint(conn: Connection, catalog: Catalog, tables: list[Staged], parent: Staged) -> set[int]:
    """Move references to ``parent``'s merged rows, and give survivors their final identity.

    Returns the oids of the tables with references or keys that were moved.
    """
    if not _moved(conn, catalog, parent):
        return set()
    changed: set[int] = set()
    before = kept(conn, catalog, tables, parent)
    for link in links(catalog, tables, parent, before):
        changed |= _follow(conn, catalog, tables, parent, link)
    changed |= _follow_softly(conn, catalog, tables, parent, before)
    if _adopt(conn, parent):
        changed.add(parent.table.oid)
    return changed


def _moved(conn: Connection, catalog: Catalog, parent: Staged) -> bool:
    """Fill ``restore_moved``: rows whose references must change, with their final identity.

    ``False`` if there are none. ``i1``, ``i2`` … is the identity of the target row, or
    else of the winner. ``t_oid`` and ``t_ctid`` are the target row where that stays as it is.
    """
    newer = changes.newer(parent, "w") if catalog.called_otherwise(parent.table) else "false"
    moved = "f.n <> f.winner OR f.adopted"
    both = paste(
        "{fate} f JOIN {rows} w ON w.{n} = f.winner"
        " LEFT JOIN {target} t ON t.tableoid = f.t_oid AND t.ctid = f.t_ctid",
        fate=parent.fate,
        rows=parent.rows,
        n=parent.ordinal,
        target=parent.table.only,
    )
    some = run(
        conn,
        "SELECT 1 FROM {rows} WHERE {moved} LIMIT 1",
        rows=f"{parent.fate} f" if newer == "false" else both,
        moved=f"{moved} OR {newer}",
    )
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
        "SELECT f.n, f.winner, f.adopted, f.con, CASE WHEN {newer} THEN f.t_oid END AS t_oid,"
        " CASE WHEN {newer} THEN f.t_ctid END AS t_ctid {final}"
        " FROM {both} WHERE {moved} OR {newer}",
        final=final,
        newer=newer,
        both=both,
        moved=moved,
    )
    return True


def _follow(
    conn: Connection,
    catalog: Catalog,
    tables: list[Staged],
    parent: Staged,
    link: Link,
) -> set[int]:
    final = {c.name: f"m.i{no}" for no, c in enumerate(parent.identity, 1)}
    pairs = []
    for no, name in enumerate(link.key.references, 1):
        column = parent.table.columns[name].quoted
        other = f"CASE WHEN m.t_ctid IS NULL THEN w.{column} ELSE t.{column} END"
        pairs.append(f"p.{column} AS o{no}, {final.get(name, other)} AS f{no}")
    moved = paste(
        "(SELECT {pairs} FROM pg_temp.restore_moved m"
        " JOIN {parents} p ON p.{n} = m.n JOIN {rows} w ON w.{n} = m.winner"
        " LEFT JOIN {target} t ON t.tableoid = m.t_oid AND t.ctid = m.t_ctid)",
        pairs=", ".join(pairs),
        parents=among(link.before.tables.get(parent.number, parent.rows), link.key),
        rows=parent.rows,
        n=parent.ordinal,
        target=parent.table.only,
    )
    return shift(conn, catalog, tables, link, moved)


def _follow_softly(
    conn: Connection, catalog: Catalog, tables: list[Staged], parent: Staged, before: Before
) -> set[int]:
    """The same for references that only the operator declares."""
    changed: set[int] = set()
    final = {c.name: f"m.i{no}" for no, c in enumerate(parent.identity, 1)}
    for soft in declared(catalog, tables, parent):
        query = paste(
            "SELECT p.{key}::text AS o, {final}::text AS f FROM pg_temp.restore_moved m"
            " JOIN {rows} p ON p.{n} = m.n",
            key=parent.table.columns[soft.key].quoted,
            final=final[soft.key],
            rows=before.tables.get(parent.number, parent.rows),
            n=parent.ordinal,
        )
        changed |= follow_cells(conn, catalog, tables, soft, query, before)
    return changed


def _adopt(conn: Connection, parent: Staged) -> bool:
    """The survivor keeps the identity of the target row that it became, and its duplicates.

    Whether that is part of another unique key, by which it may be equal to others now.
    """
    survivor = f"pg_temp.restore_moved m JOIN {parent.rows} c ON c.{parent.ordinal} = m.n"
    mine = "m.n = m.winner AND m.adopted"
    remember(conn, parent, f"{survivor} AND {mine}", "m.con")
    run(
        conn,
        "INSERT INTO pg_temp.restore_bound SELECT {number}, m.n, m.winner, m.con"
        " FROM pg_temp.restore_moved m JOIN pg_temp.restore_moved w ON w.n = m.winner AND w.adopted"
        " WHERE m.n <> m.winner",
        number=str(parent.number),
    )
    if not parent.identity:
        return False
    done = run(
        conn,
        "UPDATE {rows} c SET {set} FROM pg_temp.restore_moved m WHERE c.{n} = m.n AND {mine}",
        rows=parent.rows,
        set=", ".join(f"{c.quoted} = m.i{no}" for no, c in enumerate(parent.identity, 1)),
        n=parent.ordinal,
        mine=mine,
    ).rowcount
    others = {name for key in parent.keys[1:] for name in key.columns}
    return done > 0 and any(column.name in others for column in parent.identity)
