"""Tables whose rows refer to each other, and what it takes to write the rows one by one.

A reference within a cycle is put off where that does no harm: NULL at first, it is given when
all rows of the cycle are there. So for a while a new row has no such reference, and a row of the
target that changes has new values beside a reference that is still the old one. Where a rule may
mind either, the reference is not put off; the tables are written in the order of those.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from verifier.errors import BackupRefused
from verifier.initial_load.catalog import Column, Connection, ForeignKey
from verifier.initial_load.changes import unlike
from verifier.initial_load.checks import guarded
from verifier.initial_load.equal import read_by
from verifier.initial_load.order import components
from verifier.initial_load.plan import Plan
from verifier.initial_load.session import run
from verifier.initial_load.stage import Staged, family


def put_off(plan: Plan, tables: list[Staged], staged: Staged) -> list[Column]:
    """The columns of ``staged`` that are given when the rows of all ``tables`` are there."""
    if not staged.identity:
        return []
    keys = [key for key in _within(plan, tables, staged) if not key.deferrable]
    kept = _kept(plan, staged, {name for key in keys for name in key.columns})
    together, whole = list(_together(plan, staged)), _whole(plan, staged)
    while True:
        names = {name for key in keys if kept.isdisjoint(key.columns) for name in key.columns}
        mixed = [read for read in together if _may_mix(plan, staged, read, names)]
        mixed += [read for read in whole if not read <= names]
        found = {name for read in mixed for name in read & names}
        if not found:
            return [column for column in staged.given if column.name in names]
        kept |= found


def in_order(
    plan: Plan, tables: list[Staged], later: Mapping[int, list[Column]]
) -> Iterator[Staged]:
    """``tables`` in the order of the references that are not ``later``.

    Raises :class:`~verifier.errors.BackupRefused` where those lead in a circle.
    """
    parents: dict[int, list[int]] = {}
    for staged in tables:
        left_out = {column.name for column in later[staged.number]}
        left = [
            key
            for key in _within(plan, tables, staged)
            if not key.deferrable and not set(key.columns) <= left_out
        ]
        parents[staged.number] = [one.number for key in left for one in family(tables, key.parent)]
    by_number = {staged.number: staged for staged in tables}
    for found in components(parents):
        if len(found) > 1 or found[0] in parents[found[0]]:
            names = ", ".join(by_number[number].table.quoted for number in found)
            raise BackupRefused(
                f"rows of {names} refer to each other and cannot be written one by one; "
                "convert with --style set"
            )
        yield by_number[found[0]]


def _within(plan: Plan, tables: list[Staged], staged: Staged) -> list[ForeignKey]:
    """The foreign keys of ``staged`` that stay in its component."""
    return [
        key
        for key in plan.catalog.foreign_keys
        if key.child == staged.table.oid and family(tables, key.parent)
    ]


def _kept(plan: Plan, staged: Staged, names: Iterable[str]) -> set[str]:
    """Those of ``names`` that cannot be NULL for a while.

    Also where a rule of the row reads them, or a key that takes NULLs for equal.
    """
    rules = plan.catalog.rules(staged.table)
    read = {
        name
        for key in staged.table.keys
        if not key.nulls_distinct or set(key.plain) != key.columns
        for name in key.columns
    }
    read |= {
        name
        for exclusion in plan.overlaps.of(staged)
        if set(exclusion.key.plain) != exclusion.key.columns
        for name in exclusion.key.columns
    }
    return {
        column.name
        for column in map(staged.table.columns.__getitem__, names)
        if column in staged.identity
        or column.name in read
        or any(map(column.mentioned, rules))
        or not _nullable(plan.conn, column)
    }


def _nullable(conn: Connection, column: Column) -> bool:
    """Whether neither the column nor a domain of its type minds NULL."""
    if column.not_null:
        return False
    with guarded(conn) as found:
        run(conn, "SELECT NULL::{type}", type=column.type)
        found.append(True)
    return bool(found)


def _whole(plan: Plan, staged: Staged) -> list[set[str]]:
    """The columns of each reference that is NULL as a whole or not at all (MATCH FULL)."""
    keys = plan.catalog.foreign_keys
    return [set(key.columns) for key in keys if key.child == staged.table.oid and key.full]


def _together(plan: Plan, staged: Staged) -> Iterator[set[str]]:
    """The columns that a key of ``staged`` or a reference to or from it reads together."""
    for key in staged.table.keys:
        yield read_by(staged, key)
    for exclusion in plan.overlaps.of(staged):
        yield read_by(staged, exclusion.key)
    for reference in plan.catalog.foreign_keys:
        if reference.child == staged.table.oid:
            yield set(reference.columns)
        if reference.parent == staged.table.root:
            yield set(reference.references)


def _may_mix(plan: Plan, staged: Staged, read: set[str], names: set[str]) -> bool:
    """Whether a row has new values beside old ones in the columns ``read`` for a while."""
    columns = [column for column in staged.columns if column.name in read]
    late = " OR ".join(unlike(column) for column in columns if column.name in names)
    soon = " OR ".join(unlike(column) for column in columns if column.name not in names)
    if not (late and soon and staged.updates):
        return False
    found = run(
        plan.conn,
        "SELECT FROM {change} c JOIN {rows} s ON s.{n} = c.n"
        " JOIN {target} t ON t.tableoid = c.t_oid AND t.ctid = c.t_ctid"
        " WHERE ({late}) AND ({soon}) LIMIT 1",
        change=staged.change,
        rows=staged.rows,
        n=staged.ordinal,
        target=staged.table.only,
        late=late,
        soon=soon,
    )
    return bool(found.rowcount)
