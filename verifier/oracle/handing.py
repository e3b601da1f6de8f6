"""Rows between which the value of a unique key changes hands with nothing to hold in between.

Row after row can only be written where a row can let go of its value before another one takes
it over: by a NULL, or under a constraint that is looked at later. Where neither is to be had, an
implementation may restore them or say that it cannot.
"""

from __future__ import annotations

from collections.abc import Iterator

from verifier.oracle.catalog import Table, UniqueKey
from verifier.oracle.entities import SOURCE, TARGET, Node, Universe


def handed_over(universe: Universe) -> dict[Node, str]:
    """Those rows of the source, each with the key, and rows that depend on their being written.

    What a row would have given up stays the target's if that row is rejected: it may be what
    another one brings.
    """
    found = {
        node: key.name
        for table in map(universe.table, sorted(universe.selected))
        for key in table.keys
        if not _can_let_go(universe, table, key)
        for taker, holder in _takers(universe, table, key)
        for node in (taker, *universe.entity_of[holder].source)
    }
    grown = True
    while found and grown:
        fresh = {
            taker: key.name
            for table in map(universe.table, sorted({node.table for node in found}))
            for key in table.keys
            for taker, holder in _takers(universe, table, key)
            if taker not in found and found.keys() >= set(universe.entity_of[holder].source)
        }
        found |= fresh
        grown = bool(fresh)
    return found


def _can_let_go(universe: Universe, table: Table, key: UniqueKey) -> bool:
    """Whether a row may be without its value of ``key`` for a while."""
    if key.deferrable:
        return True
    bound = set(table.identity.columns) if table.identity else set()
    for foreign_key in universe.schema.foreign_keys:
        bound.update(foreign_key.referenced if foreign_key.parent == table.name else ())
    return key.nulls_distinct and any(
        column.name in key.columns and not (column.not_null or column.generated)
        for column in table.columns
        if column.name not in bound
    )


def _takers(universe: Universe, table: Table, key: UniqueKey) -> Iterator[tuple[Node, Node]]:
    """Rows of the source with the value of a row of the target that becomes something else."""
    nodes = [node for node in universe.entity_of if node.table == table.name]
    held = {universe.token(node, key): node for node in nodes if node.side == TARGET}
    for node in nodes:
        token = universe.token(node, key) if node.side == SOURCE else None
        holder = held.get(token) if token is not None else None
        if holder is not None and universe.entity_of[holder] is not universe.entity_of[node]:
            yield node, holder
