"""Rows without any key but a local number are the target rows that equal them in all else.

Equal rows pair off one to one, those of the backup in its order with those of the target
in the order of their numbers: new numbers are given in that order, too, so that a second
restore finds every row where the first one put it. Rows that refer to each other in a
circle are equal to nothing before one of them is found, and no run would ever find them
again: they are rejected.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from verifier.initial_load.catalog import Catalog, Column, Connection, ForeignKey, UniqueKey
from verifier.initial_load.changes import as_text
from verifier.initial_load.ledger import reject
from verifier.initial_load.offset import moved
from verifier.initial_load.planned import survives
from verifier.initial_load.session import array, literal, paste, run
from verifier.initial_load.stage import Staged, among, family


def some(conn: Connection, staged: Staged) -> bool:
    """Whether rows of the table have to be found like that."""
    if not by_whole_rows(staged):
        return False
    row = run(
        conn,
        "SELECT EXISTS (SELECT FROM {rows} WHERE ({covered}) IS NOT TRUE)",
        rows=staged.rows,
        covered=_covered(staged.keys[1:]),
    ).fetchone()
    return bool(row and row[0])


def by_whole_rows(staged: Staged) -> bool:
    """Whether a row may have nothing but its number that identifies it."""
    return bool(staged.local) and not any(key.identifying for key in staged.keys[1:])


def pair(conn: Connection, staged: Staged) -> None:
    """Let the rows of the table's fate that are still without a target row find theirs."""
    if not by_whole_rows(staged):
        return
    columns = [column for column in staged.given if column not in staged.local]
    ours, theirs = (array([as_text(column, alias) for column in columns]) for alias in "st")
    run(
        conn,
        "UPDATE {fate} f SET t_oid = t.t_oid, t_ctid = t.t_ctid, adopted = true, con = '' FROM ("
        "  SELECT s.{n} AS n, {ours} AS row, row_number() OVER (PARTITION BY {ours} ORDER BY s.{n})"
        "    AS no FROM {rows} s JOIN {fate} f ON f.n = s.{n} AND f.t_ctid IS NULL"
        "    AND f.n = f.winner) s "
        "JOIN (SELECT t.tableoid AS t_oid, t.ctid AS t_ctid, {theirs} AS row,"
        "        row_number() OVER (PARTITION BY {theirs} ORDER BY {numbers}, t.tableoid, t.ctid)"
        "        AS no"
        "      FROM {target} t WHERE NOT EXISTS (SELECT FROM {fate} f"
        "        WHERE f.t_oid = t.tableoid AND f.t_ctid = t.ctid)) t USING (row, no) "
        "WHERE f.n = s.n",
        fate=staged.fate,
        n=staged.ordinal,
        rows=staged.rows,
        target=staged.table.only,
        ours=ours,
        theirs=theirs,
        numbers=", ".join(
            f"t.{column.quoted} {'DESC' if staged.descending else 'ASC'}" for column in staged.local
        ),
    )


def circular(
    conn: Connection, catalog: Catalog, tables: list[Staged], *, merged: bool = False
) -> int:
    """Reject the rows of one component that could not be found again; the number of them.

    To be asked once more when rows have ``merged``: the survivor may refer to itself.
    """
    inner = {staged.number: list(_inner(catalog, staged, tables)) for staged in tables}
    if not any(inner.values()) or not any(staged.local for staged in tables):
        return 0
    conn.execute(
        "DROP TABLE IF EXISTS pg_temp.restore_loose; "
        "CREATE TEMP TABLE restore_loose (tab int, n bigint, named bool, PRIMARY KEY (tab, n))"
        " ON COMMIT DROP"
    )
    for staged in tables:
        _loose(conn, staged, inner[staged.number], merged)
    while sum(_known(conn, staged, inner, merged) for staged in tables):
        conn.execute("ANALYZE pg_temp.restore_loose")
    return sum(
        reject(
            conn,
            staged,
            paste(
                "s.{n} IN (SELECT l.n FROM pg_temp.restore_loose l"
                " WHERE l.tab = {number} AND NOT l.named)",
                n=staged.ordinal,
                number=str(staged.number),
            ),
            literal(
                "refers to itself in a circle and has no unique key but its number, so that a "
                "second restore could not find it again (--ids local)"
            ),
        )
        for staged in tables
    )


def lost(conn: Connection, catalog: Catalog, tables: list[Staged]) -> list[str]:
    """Declared references that keep rows of one component from being found; a sentence each.

    What such a cell holds is known when its parent is, but then the row has to be found by
    the cell, too; whether they go round in a circle cannot be told from inside json.
    """
    return [
        f"{staged.table.quoted}.{staged.table.columns[soft.column].quoted} is declared to refer to "
        f"{parent.table.quoted}, whose rows refer back to it, and {staged.table.quoted} has rows "
        "without a unique key but the number, which a second restore could not find again; give "
        "them a unique key, or leave the declaration out (--ids local)"
        for soft in catalog.references
        for staged in family(tables, soft.child)
        for parent in family(tables, soft.parent)
        if parent.table.columns[soft.key].local and some(conn, staged)
    ]


Link = tuple[ForeignKey, Staged, list[tuple[Column, Column]]]


def _inner(catalog: Catalog, staged: Staged, tables: list[Staged]) -> Iterator[Link]:
    """References with moved numbers to rows of the same component: key, parent, column pairs."""
    names = {column.name for column in staged.columns}
    for key in catalog.foreign_keys:
        if key.child != staged.table.oid or not set(key.columns) <= names:
            continue
        for parent in tables:
            if key.parent == parent.table.root:
                pairs = [
                    (staged.table.columns[ours], parent.table.columns[theirs])
                    for ours, theirs in zip(key.columns, key.references, strict=True)
                ]
                if any(ours.local for ours, _ in pairs):
                    yield key, parent, pairs


def _loose(conn: Connection, staged: Staged, links: list[Link], merged: bool) -> None:
    """Add the rows that refer to rows that have to be found, ``named`` if they have a key."""
    if not links:
        return
    within = _referring(links)
    # A key of its own that nothing has to be found for. Numbers that are left are none.
    keys = [key for key in staged.keys if not key.columns & within]
    keys = [key for key in keys if not (key is staged.table.identity and staged.local)]
    refers = " OR ".join(
        moved(ours.quoted) for _, _, pairs in links for ours, _ in pairs if ours.local
    )
    run(
        conn,
        "INSERT INTO pg_temp.restore_loose SELECT {number}, {n}, ({covered}) IS TRUE FROM {rows}"
        " p WHERE ({refers}){survives}",
        number=str(staged.number),
        n=staged.ordinal,
        rows=staged.rows,
        survives=survives(staged) if merged else "",
        refers=refers,
        covered=_covered(keys),
    )


def _known(conn: Connection, staged: Staged, links: Mapping[int, list[Link]], merged: bool) -> int:
    """Take out the rows of which all references are known; the number of them.

    A reference is known when its parent can be found, and by what it is referred to by, which may
    be a reference as well. Of parents with one number, which will be one row, the last counts. Of
    those that have ``merged`` only survivors are loose.
    """
    if not links[staged.number]:
        return 0
    waiting = " UNION ALL ".join(
        paste(
            "SELECT s.{n} AS n FROM {rows} s JOIN {parents} p ON {same}"
            " JOIN pg_temp.restore_loose o ON o.tab = {number} AND o.n = p.{m}{loose}"
            " WHERE {one} OR NOT EXISTS (SELECT FROM {parents} q WHERE q.{m} > p.{m} AND {again})",
            n=staged.ordinal,
            rows=staged.rows,
            parents=among(parent.rows, key),
            same=" AND ".join(f"p.{b.quoted} = s.{a.quoted}" for a, b in pairs),
            again=" AND ".join(f"q.{b.quoted} = p.{b.quoted}" for _, b in pairs),
            number=str(parent.number),
            m=parent.ordinal,
            loose=" AND NOT o.named"
            if _referring(links[parent.number]).isdisjoint(key.references)
            else "",
            one=str(merged),
        )
        for key, parent, pairs in links[staged.number]
    )
    return run(
        conn,
        "DELETE FROM pg_temp.restore_loose l WHERE l.tab = {number}"
        " AND NOT EXISTS (SELECT FROM ({waiting}) x WHERE x.n = l.n)",
        number=str(staged.number),
        waiting=waiting,
    ).rowcount


def _referring(links: list[Link]) -> set[str]:
    """The columns of a table that refer by ``links``."""
    return {ours.name for _, _, pairs in links for ours, _ in pairs}


def _covered(keys: Sequence[UniqueKey]) -> str:
    """SQL over a row that one of ``keys`` says which one it is."""
    terms = []
    for key in keys:
        parts = [f"({key.predicate})"] if key.predicate else []
        if key.nulls_distinct:
            parts += [f"({part}) IS NOT NULL" for part in key.expressions]
        terms.append(" AND ".join(parts) or "true")
    return " OR ".join(terms) or "false"
