"""Rows whose parents are missing or are others than they were: foreign keys, by query."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from verifier.initial_load import pulled_apart
from verifier.initial_load.catalog import Catalog, Column, Connection, ForeignKey
from verifier.initial_load.ledger import FOLLOWS, reject
from verifier.initial_load.offset import told
from verifier.initial_load.periods import uncovered
from verifier.initial_load.planned import survives, written
from verifier.initial_load.session import literal, paste
from verifier.initial_load.stage import Staged, among, family, has_columns


def orphans(conn: Connection, catalog: Catalog, tables: list[Staged], among: list[Staged]) -> int:
    """Reject the rows of ``among`` without a parent in the backup or the target, transitively."""
    total = 0
    while True:
        found = 0
        for child in among:
            keys = [k for k in catalog.foreign_keys if k.child == child.table.oid]
            for key in (key for key in keys if has_columns(child, key)):
                found += _orphans(conn, catalog, tables, child, key)
            if len(keys) > 1:
                found += pulled_apart.turn_away(conn, catalog, child)
        total += found
        if not found:
            return total


def lone(
    conn: Connection,
    catalog: Catalog,
    tables: list[Staged],
    references: Sequence[tuple[ForeignKey, Staged]],
) -> None:
    """Reject the rows that name no row of either side by ``references``, transitively.

    What another row becomes is not what they named, though it may be called the same. To be asked
    before anything moves, of foreign keys with the tables that have them.
    """
    while sum(_without_parent(conn, catalog, tables, child, key) for key, child in references):
        continue


def disowned(conn: Connection, catalog: Catalog, tables: list[Staged], parent: Staged) -> int:
    """Reject rows whose parent is rejected, also where the target has a row of its number.

    For ``--strict-ids``, to be asked before anything moves: a number that a sequence made does
    not say that it is the same row, so they must not become the children of that one. Who refers
    by another key than its number means whoever has that.
    """
    own = {column.name for column in parent.identity}
    if not any(column.fed for column in parent.identity):
        return 0
    rejected = 0
    for key in catalog.foreign_keys:
        if own.isdisjoint(key.references) or parent not in family(tables, key.parent):
            continue
        for child in tables:
            if key.child == child.table.oid and has_columns(child, key) and not key.period:
                rejected += _disowned(conn, parent, child, key)
    return rejected


def _disowned(conn: Connection, parent: Staged, child: Staged, key: ForeignKey) -> int:
    ours = [child.table.columns[name] for name in key.columns]
    theirs = [parent.table.columns[name] for name in key.references]
    same = " AND ".join(
        f"p.{other.quoted} = s.{mine.quoted}" for mine, other in zip(ours, theirs, strict=True)
    )
    columns = ", ".join(column.quoted for column in theirs)
    return reject(
        conn,
        child,
        paste(
            "EXISTS (SELECT {found}) AND NOT EXISTS (SELECT FROM {rows} p WHERE {same})",
            found=rejected_parents([parent], key, [shown(mine, "s") for mine in ours]),
            rows=among(parent.rows, key),
            same=same,
        ),
        f"{literal(f'{FOLLOWS}{parent.table.quoted} ({columns}) = (')}"
        f" || {_listed(shown(mine, 'b') for mine in ours)} || ')'",
        literal(key.name),
    )


def stranded(
    conn: Connection,
    catalog: Catalog,
    tables: list[Staged],
    child: Staged,
    component: list[Staged],
) -> int:
    """Reject rows whose parent turns out to be another than it was, once they are planned.

    In the same component some target rows change, and others stay as they are because they are
    newer. And a row that takes over the key of a target row may refer by a column of it.
    """
    rejected = 0
    own = {column.name for column in child.identity} if child.grouped else set()
    for key in catalog.foreign_keys:
        parents = [one for one in family(component, key.parent) if one.updates or one.stays]
        fixed = {column.name for parent in parents for column in parent.identity}
        moving = bool(parents) and not set(key.references) <= fixed
        due = key.child == child.table.oid and has_columns(child, key) and not key.period
        if due and (moving or own.intersection(key.columns)):
            rejected += _orphans(conn, catalog, tables, child, key, planned=True)
    return rejected


def _staying(parents: list[Staged], key: ForeignKey) -> str:
    """SQL that a target row ``p`` keeps the columns that ``key`` refers to.

    A row that the backup is about to overwrite keeps its identity, and nothing else.
    """
    return "".join(
        f" AND NOT EXISTS (SELECT FROM {parent.change} c"
        f" WHERE c.t_oid = p.tableoid AND c.t_ctid = p.ctid)"
        for parent in parents
        if parent.updates and not set(key.references) <= {c.name for c in parent.identity}
    )


def _orphans(
    conn: Connection,
    catalog: Catalog,
    tables: list[Staged],
    child: Staged,
    key: ForeignKey,
    *,
    planned: bool = False,
) -> int:
    """Reject rows of ``child`` without a parent by ``key``, or with half a name for one.

    Once all is ``planned``, every row refers to what its parent became; before, to a row that
    may merge.
    """
    rejected = 0
    if key.full and len(key.columns) > 1:
        columns = ", ".join(f"s.{child.table.columns[name].quoted}" for name in key.columns)
        mixed = f"num_nulls({columns})"
        rejected = reject(
            conn,
            child,
            f"{mixed} > 0 AND {mixed} < {len(key.columns)}",
            literal(f"{key.name} is MATCH FULL and only some of its columns are NULL"),
            literal(key.name),
        )
    return rejected + _without_parent(conn, catalog, tables, child, key, planned=planned)


def _without_parent(
    conn: Connection,
    catalog: Catalog,
    tables: list[Staged],
    child: Staged,
    key: ForeignKey,
    *,
    planned: bool = False,
) -> int:
    if key.period:
        return uncovered(conn, catalog, family(tables, key.parent), child, key)
    parent = catalog.tables[key.referred]
    columns = [child.table.columns[name].quoted for name in key.columns]
    references = [parent.columns[name].quoted for name in key.references]
    told_ = [shown(child.table.columns[name], "b") for name in key.columns]
    family_ = family(tables, key.parent)
    same = " AND ".join(
        f"p.{theirs} = s.{ours}" for ours, theirs in zip(columns, references, strict=True)
    )
    where = [f"s.{column} IS NOT NULL" for column in columns]
    where += [
        f"NOT EXISTS (SELECT FROM {among(staged.rows, key)} p WHERE {same}{written(staged)}"
        f"{survives(staged) if planned else ''})"
        for staged in family_
    ]
    where.append(f"NOT EXISTS (SELECT FROM {parent.only} p WHERE {same}{_staying(family_, key)})")
    named = list(zip(key.references, told_, strict=True))
    found = rejected_parents(family_, key, told_)
    # A key that is itself a declared reference has moved: it is told as the backup has it.
    moving = {soft.column for soft in catalog.references if soft.child == key.parent}
    was = [
        f"(SELECT coalesce(r.key->>{literal(name)}, {shown}) {found} LIMIT 1)"
        if name in moving
        else shown
        for name, shown in named
    ]
    place = f"{parent.quoted} ({', '.join(references)}) = ("
    return reject(
        conn,
        child,
        " AND ".join(where),
        f"CASE WHEN EXISTS (SELECT {found}) THEN {literal(FOLLOWS + place)} || {_listed(was)}"
        f" ELSE {literal('has no parent: ' + place)} || {_listed(told_)} END || ')'",
        literal(key.name),
    )


def _listed(values: Iterable[str]) -> str:
    return " || ', ' || ".join(values)


def rejected_parents(parents: list[Staged], key: ForeignKey, named: Sequence[str]) -> str:
    """FROM and WHERE for the rejected rows ``r`` of ``parents`` that ``key`` refers to.

    ``named``: SQL for the texts of what it refers by.
    """
    return paste(
        "FROM pg_temp.restore_rejected r WHERE r.tab IN ({numbers}) AND {named}",
        numbers=", ".join(str(parent.number) for parent in parents) or "-1",
        named=" AND ".join(
            f"coalesce(r.data->>{literal(name)}, r.key->>{literal(name)}) = {value}"
            for name, value in zip(key.references, named, strict=True)
        ),
    )


def shown(column: Column, alias: str) -> str:
    """SQL for what a row has in ``column``, as the backup has it."""
    return told(column, f"{alias}.{column.quoted}")
