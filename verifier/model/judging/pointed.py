"""What rows of the source hold once the references follow that no constraint declares."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from verifier.model import pointing
from verifier.model.judging.matter import Node
from verifier.model.judging.things import Settlement
from verifier.model.schema import Row
from verifier.model.state import put
from verifier.model.world import SoftReference


def pointed(node: Node, settlement: Settlement, references: Iterable[SoftReference]) -> Row:
    """The row of ``node`` with what the rows are called now that it is declared to refer to."""
    row, matter = settlement.rows[node], settlement.matter
    for soft in references if not node.present else ():
        if soft.table == node.table:
            came, named = matter.rows[node], _called(settlement, soft)
            cells = pointing.moved(matter.schema, soft, came, row, named)
            row = put(matter.table(node), row, cells)
    return row


def _called(settlement: Settlement, soft: SoftReference) -> pointing.Named:
    matter, names = settlement.matter, dict[str, str]()
    name_of = partial(pointing.name_of, matter.schema, soft)
    for node in matter.source(soft.parent):
        thing = settlement.of.get(node)
        survivor = settlement.survivors[thing] if thing else None
        if survivor is not None:
            names[name_of(matter.rows[node])] = name_of(survivor)
    return lambda text: names.get(text, text)
