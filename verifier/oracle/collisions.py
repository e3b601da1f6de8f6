"""The finding for rows that collide on a unique key of the target and were not merged."""

from __future__ import annotations

from verifier.contract import Evidence, Finding, Guarantee
from verifier.oracle.diff import identity_of, select
from verifier.oracle.entities import Entity, Universe


def constraint_of(universe: Universe, entity: Entity) -> str:
    """The unique key that makes the rows of ``entity`` one, ``""`` for a single row."""
    nodes = [*entity.source, *entity.target]
    for place, one in enumerate(nodes):
        for other in nodes[place + 1 :]:
            if key := universe.collision(one, other):
                return key
    return ""


def not_merged(universe: Universe, entity: Entity) -> Finding:
    """The finding for rows that collide on a unique key of the target and have no survivor."""
    nodes = [*entity.source[:3], *entity.target[:1]]
    table = universe.table(entity.table)
    constraint = constraint_of(universe, entity)
    return Finding(
        guarantee=Guarantee.MERGING,
        title="source rows that collide on a unique key of the target have no survivor"
        if len(entity.source) > 1
        else "a source row that collides with a row of the target was not merged into it",
        table=entity.table,
        constraint=constraint,
        key=identity_of(table, universe.row(entity.source[0])),
        columns=tuple(
            name for key in table.keys if key.name == constraint for name in key.columns if name
        ),
        evidence=tuple(
            Evidence("source" if node in entity.source else "target before", universe.row(node))
            for node in nodes
        ),
        sql=select(table, *(identity_of(table, universe.row(node)) for node in entity.source[:3])),
        database="source",
    )
