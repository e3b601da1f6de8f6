"""Keys that stay equal and are spelled otherwise (1.0, 1), where ON UPDATE minds the difference.

Whoever refers to such a key still does, and NO ACTION leaves it at that. Any other action takes
the new spelling for a change: RESTRICT refuses it, SET NULL and SET DEFAULT take the reference
away, and CASCADE spells it anew in every row, also in those that the backup spells as they were.
"""

from __future__ import annotations

from verifier.initial_load.catalog import Catalog, Connection, ForeignKey
from verifier.initial_load.changes import as_text
from verifier.initial_load.ledger import reject
from verifier.initial_load.planned import survives, written
from verifier.initial_load.referred_to import in_partition, merely_follows
from verifier.initial_load.session import literal, paste
from verifier.initial_load.stage import Staged, has_columns


def respelled(conn: Connection, catalog: Catalog, tables: list[Staged], parent: Staged) -> int:
    """Reject rows whose key would be spelled otherwise than rows that refer to it can take.

    To be asked when all tables are decided; the number of rows.
    """
    rejected = 0
    for key in catalog.foreign_keys:
        if not (key.acts and parent.updates and key.parent == parent.table.root) or key.period:
            continue
        if not all(parent.table.columns[name].exact for name in key.references):
            rejected += _respelled(conn, catalog, tables, parent, key)
    return rejected


def _respelled(
    conn: Connection, catalog: Catalog, tables: list[Staged], parent: Staged, key: ForeignKey
) -> int:
    theirs = [parent.table.columns[name] for name in key.references]
    minding = [
        _of_backup(catalog, child, parent, key)
        for child in tables
        if child.table.oid == key.child and has_columns(child, key)
    ]
    if not merely_follows(catalog, key):
        minding.append(_of_target(catalog, parent, key))
    if not minding:
        return 0
    child = catalog.tables[key.child].quoted
    return reject(
        conn,
        parent,
        paste(
            "s.{n} IN (SELECT c.n FROM {change} c JOIN {target} t"
            " ON t.tableoid = c.t_oid AND t.ctid = c.t_ctid JOIN {parents} o ON o.{n} = c.n"
            " WHERE {there} AND {equal} AND ({differ}) AND ({minding}))",
            n=parent.ordinal,
            change=parent.change,
            target=parent.table.only,
            parents=parent.rows,
            there=in_partition(key),
            equal=" AND ".join(f"o.{column.quoted} = t.{column.quoted}" for column in theirs),
            differ=" OR ".join(f"{as_text(c, 'o')} <> {as_text(c, 't')}" for c in theirs),
            minding=" OR ".join(minding),
        ),
        literal(f"rows of {child} refer to what it spells otherwise, and {key.name} would act"),
        literal(key.name),
    )


def _of_backup(catalog: Catalog, child: Staged, parent: Staged, key: ForeignKey) -> str:
    """SQL that a row of the backup refers to the target's row ``t``, which becomes ``o``.

    One that CASCADE spells as it is to be does not mind, unless it is to be written over a row of
    the target in a statement of its own, before which that would be another row.
    """
    pairs = [
        (child.table.columns[ours], parent.table.columns[theirs])
        for ours, theirs in zip(key.columns, key.references, strict=True)
    ]
    minding = ["true"]
    if merely_follows(catalog, key):
        minding = [f"{as_text(ours, 'p')} <> {as_text(theirs, 'o')}" for ours, theirs in pairs]
        if set(key.references) <= {column.name for column in parent.identity}:
            changed = paste("SELECT n FROM {change}", change=child.change)
            minding.append(f"p.{child.ordinal} IN ({changed})")
    return paste(
        "EXISTS (SELECT FROM {rows} p WHERE {same} AND ({minding}){written})",
        rows=child.rows,
        same=" AND ".join(f"p.{ours.quoted} = t.{theirs.quoted}" for ours, theirs in pairs),
        minding=" OR ".join(minding),
        written=written(child) + survives(child),
    )


def _of_target(catalog: Catalog, parent: Staged, key: ForeignKey) -> str:
    """SQL that a row of the target refers to its row ``t``."""
    child = catalog.tables[key.child]
    pairs = zip(key.columns, key.references, strict=True)
    same = (
        f"k.{child.columns[ours].quoted} = t.{parent.table.columns[theirs].quoted}"
        for ours, theirs in pairs
    )
    return f"EXISTS (SELECT FROM {child.only} k WHERE {' AND '.join(same)})"
