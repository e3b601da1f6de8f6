"""Rows that rows of the target refer to and that are about to change: foreign keys, by query."""

from __future__ import annotations

from collections.abc import Iterable

from verifier.initial_load.catalog import Catalog, Connection, ForeignKey, Table
from verifier.initial_load.ledger import reject
from verifier.initial_load.planned import survives, written
from verifier.initial_load.session import literal, paste
from verifier.initial_load.stage import Staged, among, family


def forsaken(conn: Connection, catalog: Catalog, tables: list[Staged], parent: Staged) -> int:
    """Reject rows that would take from rows of the target what they refer to.

    To be asked when all tables are decided: a row of the target that is overwritten, too, is
    not forsaken, nor is one that merely follows (ON UPDATE CASCADE), but for a NULL. Only columns
    outside the identity can change, so only keys that refer to such are asked.
    """
    rejected = 0
    fixed = {column.name for column in parent.identity}
    for key in catalog.foreign_keys:
        linked = key.parent == parent.table.root
        free = not (key.period or set(key.references) <= fixed)
        if linked and parent.updates and free:
            rejected += _forsaken(conn, catalog, tables, parent, key)
    return rejected


def followers(catalog: Catalog, written: Iterable[Staged]) -> list[Table]:
    """The tables whose rows the server changes with those that are written (ON UPDATE CASCADE)."""
    found = {
        key.child: catalog.tables[key.child]
        for parent in written
        for key in catalog.foreign_keys
        if parent.updates
        and parent in family([parent], key.parent)
        and not set(key.references) <= {column.name for column in parent.identity}
        and merely_follows(catalog, key)
    }
    return list(found.values())


def merely_follows(catalog: Catalog, key: ForeignKey) -> bool:
    """Whether the server lets a row of the target follow, and no rule looks at what changes."""
    child = catalog.tables[key.child]
    ours = [child.columns[name] for name in key.columns]
    read = child.excluding.union(*(one.columns for one in child.keys))
    read |= {
        name
        for one in catalog.foreign_keys
        if one is not key and one.child == key.child
        for name in one.columns
    }
    return key.follows and not any(
        column.name in read or any(map(column.mentioned, catalog.rules(child))) for column in ours
    )


def in_partition(key: ForeignKey) -> str:
    """SQL that a row ``t`` of the target stands in the partition that ``key`` refers to."""
    if key.partition is None:
        return "true"
    return paste(
        "t.tableoid IN (SELECT relid FROM pg_partition_tree({oid}))", oid=str(key.partition)
    )


def _forsaken(
    conn: Connection, catalog: Catalog, tables: list[Staged], parent: Staged, key: ForeignKey
) -> int:
    child = catalog.tables[key.child]
    ours = [child.columns[name].quoted for name in key.columns]
    theirs = [parent.table.columns[name].quoted for name in key.references]
    refers = " AND ".join(f"k.{a} = t.{b}" for a, b in zip(ours, theirs, strict=True))
    kept = " AND ".join(f"p.{column} = t.{column}" for column in theirs)
    lost = "true"
    if merely_follows(catalog, key):
        lost = " OR ".join(f"n.{column} IS NULL" for column in theirs)
    overwritten = "".join(
        f" AND NOT EXISTS (SELECT FROM {staged.change} c"
        " WHERE c.t_oid = k.tableoid AND c.t_ctid = k.ctid)"
        for staged in tables
        if staged.table.root == child.root and staged.updates
    )
    return reject(
        conn,
        parent,
        paste(
            "s.{n} IN (SELECT c.n FROM {change} c JOIN {target} t"
            " ON t.tableoid = c.t_oid AND t.ctid = c.t_ctid JOIN {parents} n ON n.{n} = c.n"
            " WHERE {there} AND ({lost})"
            " AND NOT EXISTS (SELECT FROM {rows} p WHERE {kept}{written})"
            " AND EXISTS (SELECT FROM {child} k WHERE {refers}{overwritten}))",
            n=parent.ordinal,
            change=parent.change,
            target=parent.table.only,
            parents=parent.rows,
            there=in_partition(key),
            lost=lost,
            rows=among(parent.rows, key),
            kept=kept,
            written=written(parent) + survives(parent),
            child=child.only,
            refers=refers,
            overwritten=overwritten,
        ),
        literal(f"rows of {child.quoted} in the target refer to what it would overwrite"),
        literal(key.name),
    )
