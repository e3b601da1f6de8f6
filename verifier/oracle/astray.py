"""References that share a column: one that follows may make another one name another row."""

from __future__ import annotations

from collections.abc import Iterator

from verifier.contract import Evidence, Finding, Guarantee
from verifier.oracle.diff import identity_of, select
from verifier.oracle.fate import Fates, Settled
from verifier.oracle.links import Node


def astray(fates: Fates, node: Node, settled: Settled) -> Iterator[Finding]:
    """What the row of ``node`` names in the target, if it is not what its parent became.

    ``settled`` is what became of it, a row that holds all that is expected of it.
    """
    universe, rows = fates.universe, fates.after.tables[node.table]
    survivor = settled.candidates[0]
    for foreign_key in universe.parents[node.table]:
        parent = universe.parent(node, foreign_key)
        above = fates.of(parent) if parent is not None else None
        if parent is None or above is None or above.survivor is None or foreign_key.period:
            continue
        parents = fates.after.tables[foreign_key.parent]
        wanted = parents.reference(above.places[0], foreign_key.referenced)
        if wanted != rows.reference(settled.places[0], foreign_key.columns):
            key = identity_of(universe.table(node.table), survivor)
            yield Finding(
                guarantee=Guarantee.MERGING,
                title="a row refers to another row than in the source: it shares a column with "
                "a reference that followed",
                table=node.table,
                constraint=foreign_key.name,
                key=key,
                columns=foreign_key.columns,
                evidence=(
                    Evidence("source", universe.row(node)),
                    Evidence("target", survivor),
                    Evidence("parent", above.survivor, f"in {foreign_key.referred}"),
                ),
                sql=select(universe.table(node.table), key),
                database="target",
            )
