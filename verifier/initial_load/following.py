"""One reference that moves, and all that moves with it: what is referred to by what changes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from verifier.initial_load import cells, pulled_apart
from verifier.initial_load.catalog import Catalog, Column, Connection, SoftReference
from verifier.initial_load.ledger import reject
from verifier.initial_load.links import MOST, Before, Link, as_key, declared, references
from verifier.initial_load.session import literal, paste, run
from verifier.initial_load.stage import Staged, among, family


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
    because a new reference is never an old one of another row, or after :data:`MOST` moves.
    """
    key, child, held = link.key, link.child, link.before.tables.get(link.child.number)
    link.before.left -= 1
    if (held and link.before.left < 0) or depth > MOST:
        return set()
    ours = list(enumerate((child.table.columns[name] for name in key.columns), 1))
    sharing = key in pulled_apart.sharing(catalog, child)
    apart = link.before.named.get(child.number) if sharing else None
    old = [f"{'b' if held else 'c'}.{column.quoted}" for _, column in ours]
    of = f"JOIN {held} b ON true" if held else ""
    itself = [f"b.{child.ordinal} = c.{child.ordinal}"] if held else []
    if apart:
        old = [f"x.{name}" for name in pulled_apart.names(catalog, child, key)]
        of += f" JOIN {apart} x ON true"
        itself.append(f"x.n = c.{child.ordinal}")
    same = [f"{one} = m.o{no}" for no, one in enumerate(old, 1)]
    where = " AND ".join([f"({where})", *itself, *same])
    if apart:
        rows = f"{moved} m {of} JOIN {child.rows} c ON {where}"
        pulled_apart.record(conn, catalog, child, key, rows)
    # The child keeps its own text, not the parent's: of parents 1 and 1.0 it has one already.
    # And it keeps the key that it took over: by that it refers to what the target's row does.
    fixed = {column.name for column in child.identity}
    differs = " OR ".join(
        f"c.{c.quoted} IS DISTINCT FROM m.f{no}"
        + (f" AND NOT {_took_over(child)}" if c.name in fixed else "")
        for no, c in ours
    )
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
        remember(conn, child, rows, "NULL")
    below = _below(catalog, tables, child, key.columns, link.before)
    before = held or _kept(conn, below, rows, depth)
    done = run(
        conn,
        "UPDATE {rows} c SET {set} FROM {moved} m {of} WHERE {where} AND ({differs})",
        rows=child.rows,
        of=of,
        set=", ".join(
            f"{c.quoted} = {_follower(c, no, _took_over(child) if c.name in fixed else '')}"
            for no, c in ours
        ),
        moved=moved,
        where=where,
        differs=differs,
    ).rowcount
    if not done:
        return {child.table.oid} if rejected else set()
    return {child.table.oid} | _let_follow(conn, catalog, tables, below, before, depth)


@dataclass(frozen=True, slots=True)
class _Below:
    """What refers to ``table`` by columns that are about to change."""

    table: Staged
    links: list[Link]
    declared: list[SoftReference]
    before: Before


def _below(
    catalog: Catalog, tables: list[Staged], table: Staged, columns: Iterable[str], before: Before
) -> _Below:
    names = set(columns)
    return _Below(
        table,
        [
            Link(key, child, before)
            for key, child in references(catalog, tables, table)
            if names & set(key.references)
        ],
        [one for one in declared(catalog, tables, table) if one.key in names],
        before,
    )


def _kept(conn: Connection, below: _Below, rows: str, depth: int) -> str:
    """A copy of the ``rows`` ``c`` as they are, if anything refers to them; its name."""
    name = f"restore_before_{depth}"
    if below.links or below.declared:
        run(
            conn,
            "DROP TABLE IF EXISTS pg_temp.{name}; "
            "CREATE TEMP TABLE {name} ON COMMIT DROP AS SELECT c.* FROM {rows}",
            name=name,
            rows=rows,
        )
    return f"pg_temp.{name}"


def _let_follow(
    conn: Connection, catalog: Catalog, tables: list[Staged], below: _Below, was: str, depth: int
) -> set[int]:
    """Let what refers to rows follow them from what they were to what they are."""
    changed: set[int] = set()
    table = below.table
    for link in below.links:
        named = [table.table.columns[name].quoted for name in link.key.references]
        follows = paste(
            "(SELECT {pairs} FROM {was} p JOIN {rows} w USING ({n}) WHERE {differ})",
            pairs=", ".join(f"p.{c} AS o{no}, w.{c} AS f{no}" for no, c in enumerate(named, 1)),
            was=among(was, link.key),
            rows=table.rows,
            n=table.ordinal,
            differ=" OR ".join(f"p.{c} IS DISTINCT FROM w.{c}" for c in named),
        )
        changed |= shift(conn, catalog, tables, link, follows, depth + 1)
    for soft in below.declared:
        moves = paste(
            "SELECT p.{c}::text AS o, w.{c}::text AS f FROM {was} p JOIN {rows} w USING ({n})",
            c=table.table.columns[soft.key].quoted,
            was=was,
            rows=table.rows,
            n=table.ordinal,
        )
        changed |= follow_cells(conn, catalog, tables, soft, moves, below.before, depth + 1)
    return changed


def follow_cells(
    conn: Connection,
    catalog: Catalog,
    tables: list[Staged],
    soft: SoftReference,
    query: str,
    before: Before,
    depth: int = 0,
) -> set[int]:
    """The same for the cells of a declared reference, whose ids ``o`` of ``query`` become ``f``."""
    changed: set[int] = set()
    moves = cells.moves(conn, query, depth)
    for child in family(tables, soft.child):
        column = child.table.columns[soft.column]
        if column not in child.given:
            continue
        where = cells.condition(child, soft, "c")
        if not cells.scalar(column):
            if column in child.key:  # of a table without a unique key, all columns are
                remember(conn, child, f"{child.rows} c WHERE {where}", "NULL")
            below = _below(catalog, tables, child, [column.name], before)
            was = _kept(conn, below, f"{child.rows} c WHERE {where}", depth)
            if cells.rewrite(conn, child, column, soft, moves):
                changed.add(child.table.oid)
                changed |= _let_follow(conn, catalog, tables, below, was, depth)
            continue
        moved = paste(
            "(SELECT DISTINCT c.{column} AS o1, m.f::{type} AS f1 FROM {rows} c"
            " JOIN {moves} m ON m.o = c.{column}::text WHERE {where})",
            column=column.quoted,
            type=column.base,
            rows=before.tables.get(child.number, child.rows),
            moves=moves,
            where=where,
        )
        link = Link(as_key(soft, child), child, before)
        changed |= shift(conn, catalog, tables, link, moved, depth, where)
    return changed


def _follower(column: Column, no: int, stays: str) -> str:
    """SQL for what ``column`` of the child ``c`` holds once it follows ``m``.

    ``stays``: SQL that it stays what it is; none if empty.
    """
    same = [] if column.exact else [f"c.{column.quoted} IS NOT DISTINCT FROM m.f{no}"]
    same += [stays] if stays else []
    if not same:
        return f"m.f{no}"
    return f"CASE WHEN {' OR '.join(same)} THEN c.{column.quoted} ELSE m.f{no} END"


def _took_over(child: Staged) -> str:
    """SQL that the staged row ``c`` has the key of a row of the target."""
    return paste(
        "EXISTS (SELECT FROM pg_temp.restore_was t"
        " WHERE t.tab = {number} AND t.n = c.{n} AND t.con IS NOT NULL)",
        number=str(child.number),
        n=child.ordinal,
    )


def remember(conn: Connection, staged: Staged, rows: str, constraint: str) -> None:
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
