"""Children follow: every reference to a row that merged or changed its key goes to the survivor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from verifier.initial_load import cells, changes
from verifier.initial_load.catalog import Catalog, Column, Connection, ForeignKey, SoftReference
from verifier.initial_load.ledger import reject
from verifier.initial_load.parents import family
from verifier.initial_load.session import literal, paste, run
from verifier.initial_load.stage import Staged, among


@dataclass(frozen=True, slots=True)
class Link:
    """A foreign key, and a staged table that has it."""

    key: ForeignKey
    child: Staged
    held: str = ""
    """A table with the child's references as they were; empty: they are where the rows are."""


def repoint(conn: Connection, catalog: Catalog, tables: list[Staged], parent: Staged) -> set[int]:
    """Move references to ``parent``'s merged rows, and give survivors their final identity.

    Returns the oids of the tables with references or keys that were moved.
    """
    if not _moved(conn, catalog, parent):
        return set()
    changed: set[int] = set()
    for link in links(conn, catalog, tables, parent):
        changed |= _follow(conn, catalog, tables, parent, link)
    changed |= _follow_softly(conn, catalog, tables, parent)
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
        parents=among(parent.rows, link.key),
        rows=parent.rows,
        n=parent.ordinal,
        target=parent.table.only,
    )
    return shift(conn, catalog, tables, link, moved)


def _follow_softly(
    conn: Connection, catalog: Catalog, tables: list[Staged], parent: Staged
) -> set[int]:
    """The same for references that only the operator declares."""
    changed: set[int] = set()
    for soft in catalog.references:
        if parent not in family(tables, soft.parent):
            continue
        final = {c.name: f"m.i{no}" for no, c in enumerate(parent.identity, 1)}[soft.key]
        cells.moves(
            conn,
            paste(
                "SELECT p.{key}::text AS o, {final}::text AS f FROM pg_temp.restore_moved m"
                " JOIN {rows} p ON p.{n} = m.n",
                key=parent.table.columns[soft.key].quoted,
                final=final,
                rows=parent.rows,
                n=parent.ordinal,
            ),
        )
        changed |= follow_cells(conn, catalog, tables, soft)
    return changed


def follow_cells(
    conn: Connection, catalog: Catalog, tables: list[Staged], soft: SoftReference
) -> set[int]:
    """Let the cells of ``soft`` follow what :func:`cells.moves` was told."""
    changed: set[int] = set()
    for child in family(tables, soft.child):
        column = child.table.columns[soft.column]
        if column not in child.given:
            continue
        if not cells.scalar(column):
            if cells.rewrite(conn, child, column, soft):
                changed.add(child.table.oid)
            continue
        where = cells.condition(child, soft, "c")
        moved = paste(
            "(SELECT DISTINCT c.{column} AS o1, m.f::{type} AS f1 FROM {rows} c"
            " JOIN pg_temp.restore_moves m ON m.o = c.{column}::text WHERE {where})",
            column=column.quoted,
            type=column.base,
            rows=child.rows,
            where=where,
        )
        as_key = ForeignKey(
            "", child.table.oid, soft.parent, (soft.column,), (soft.key,), False, False, False
        )
        changed |= shift(conn, catalog, tables, Link(as_key, child), moved, where=where)
    return changed


def shift(
    conn: Connection,
    catalog: Catalog,
    tables: list[Staged],
    link: Link,
    moved: str,
    depth: int = 0,
    where: str = "true",
) -> set[int]:
    """Let a child follow ``moved``: a query for the old (``o1`` …) and new (``f1`` …) references.

    ``where`` is a condition on the rows ``c`` of the child.
    Where the child is itself referenced by the columns that this changes, its own
    children follow in turn. Returns the oids of the tables that changed. It ends,
    because a new reference is never an old one of another row.
    """
    key, child, held = link.key, link.child, link.held
    ours = list(enumerate((child.table.columns[name] for name in key.columns), 1))
    old, of = ("b", f"JOIN {held} b ON true") if held else ("c", "")
    same = [f"{old}.{column.quoted} = m.o{no}" for no, column in ours]
    itself = [f"b.{child.ordinal} = c.{child.ordinal}"] if held else []
    where = " AND ".join([f"({where})", *itself, *same])
    # The child keeps its own text, not the parent's: of parents 1 and 1.0 it has one already.
    differs = " OR ".join(f"c.{c.quoted} IS DISTINCT FROM m.f{no}" for no, c in ours)
    rows = f"{moved} m {of} JOIN {child.rows} c ON {where} AND ({differs})"
    lost = " OR ".join(f"m.f{no} IS NULL" for no, _ in ours)
    rejected = reject(
        conn,
        child,
        paste(
            "s.{n} IN (SELECT c.{n} FROM {rows} WHERE {lost})",
            n=child.ordinal,
            rows=rows,
            lost=lost,
        ),
        literal(
            f"what its parent merged with has no {', '.join(key.references)}, by which "
            f"{catalog.tables[key.parent].quoted} is referred to"
        ),
        literal(key.name),
    )
    if {column.name for column in child.key} & set(key.columns):
        _remember(conn, child, rows, "NULL")
    below = [
        other
        for other in links(conn, catalog, tables, child, depth + 1)
        if set(other.key.references) & set(key.columns)
    ]
    before = f"pg_temp.restore_before_{depth}"
    if below:
        run(
            conn,
            "DROP TABLE IF EXISTS {before}; "
            "CREATE TEMP TABLE {name} ON COMMIT DROP AS SELECT c.* FROM {rows}",
            before=before,
            name=before.removeprefix("pg_temp."),
            rows=rows,
        )
    done = run(
        conn,
        "UPDATE {rows} c SET {set} FROM {moved} m {of} WHERE {where} AND ({differs})",
        rows=child.rows,
        of=of,
        set=", ".join(f"{c.quoted} = {_follower(c, no)}" for no, c in ours),
        moved=moved,
        where=where,
        differs=differs,
    ).rowcount
    if not done:
        return {child.table.oid} if rejected else set()
    changed = {child.table.oid}
    for other in below:
        named = enumerate((child.table.columns[name].quoted for name in other.key.references), 1)
        follows = paste(
            "(SELECT {pairs} FROM {before} p JOIN {rows} w USING ({n}))",
            pairs=", ".join(f"p.{c} AS o{no}, w.{c} AS f{no}" for no, c in named),
            before=among(before, other.key),
            rows=child.rows,
            n=child.ordinal,
        )
        changed |= shift(conn, catalog, tables, other, follows, depth + 1)
    return changed


def _follower(column: Column, no: int) -> str:
    """SQL for what ``column`` of the child ``c`` holds once it follows ``m``."""
    if column.exact:
        return f"m.f{no}"
    same = f"c.{column.quoted} IS NOT DISTINCT FROM m.f{no}"
    return f"CASE WHEN {same} THEN c.{column.quoted} ELSE m.f{no} END"


def links(
    conn: Connection, catalog: Catalog, tables: list[Staged], parent: Staged, depth: int = 0
) -> list[Link]:
    """The :func:`references` to ``parent``; of those that share a column, as they are now.

    Of a child with several foreign keys over one column, the first one that moves changes what
    the others are found by.
    """
    found = list(references(catalog, tables, parent))
    held: dict[int, str] = {}
    for _, child in found:
        keys = [key for key, other in found if other is child]
        names = [name for key in keys for name in key.columns]
        if child.number in held or len(names) == len(set(names)):
            continue
        held[child.number] = f"pg_temp.restore_held_{depth}_{child.number}"
        run(
            conn,
            "DROP TABLE IF EXISTS {held}; "
            "CREATE TEMP TABLE {name} ON COMMIT DROP AS SELECT c.{n}, {columns} FROM {rows} c",
            held=held[child.number],
            name=held[child.number].removeprefix("pg_temp."),
            n=child.ordinal,
            columns=", ".join(f"c.{child.table.columns[name].quoted}" for name in sorted({*names})),
            rows=child.rows,
        )
    return [Link(key, child, held.get(child.number, "")) for key, child in found]


def references(
    catalog: Catalog, tables: list[Staged], parent: Staged
) -> Iterator[tuple[ForeignKey, Staged]]:
    """Every foreign key that may point to ``parent``, with each staged table that has it."""
    present = {column.name for column in parent.columns}
    for key in catalog.foreign_keys:
        if parent in family(tables, key.parent) and set(key.references) <= present:
            for child in tables:
                names = {column.name for column in child.columns}
                if child.table.oid == key.child and set(key.columns) <= names:
                    yield key, child


def _adopt(conn: Connection, parent: Staged) -> bool:
    """The survivor keeps the identity of the target row that it became, and its duplicates.

    Whether that is part of another unique key, by which it may be equal to others now.
    """
    survivor = f"pg_temp.restore_moved m JOIN {parent.rows} c ON c.{parent.ordinal} = m.n"
    mine = "m.n = m.winner AND m.adopted"
    _remember(conn, parent, f"{survivor} AND {mine}", "m.con")
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
