"""Values of unique keys that change hands between rows of the target (trap U11).

A key that is not deferrable is checked row by row, so a row whose value another one takes over
has to hold something else in between.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from verifier.model.judging.matter import Matter, Node
from verifier.model.judging.things import Settlement
from verifier.model.rules import of_row
from verifier.model.schema import Key, Op, Row, Table
from verifier.model.state import put

_ENDLESS = re.compile(r"(text|character varying|uuid|smallint|integer|bigint|numeric)$")
"""Types that always have one more value."""


def changing_hands(settlement: Settlement) -> Iterator[Node]:
    """Rows between which the value of a key changes hands, if it has to do so at once.

    One row after the other can only be written where there is a value to hold in between.
    """
    matter = settlement.matter
    for table in matter.tables:
        for key in (key for key in table.keys if not key.deferrable):
            takers = dict(_takers(settlement, table, key))
            held = [matter.rows[holder] for holder in takers.values()]
            if held and not _can_be_parked(matter, table, key, held):
                for node, holder in takers.items():
                    yield node
                    yield from settlement.of[holder].source


def _takers(settlement: Settlement, table: Table, key: Key) -> Iterator[tuple[Node, Node]]:
    """Rows of the source with the value of a row of the target that becomes something else."""
    matter = settlement.matter
    own = {
        matter.keys.value(table, key, matter.rows[node]): node
        for node in matter.nodes[table.id]
        if node.present
    }
    for thing in settlement.things[table.id]:
        for node in thing.source:
            value = matter.keys.value(table, key, settlement.rows[node])
            holder = own.get(value) if value is not None else None
            if holder is not None and holder not in thing.present:
                yield node, holder


def _can_be_parked(matter: Matter, table: Table, key: Key, held: Sequence[Row]) -> bool:
    """Whether a column of the key may hold NULL, or what nobody has, for a while.

    ``held`` are the rows of the target that would.
    """
    identity = matter.identity[table.id]
    bound = set(identity.columns) if identity else set()
    for other in matter.schema.tables:
        for foreign_key in other.foreign_keys:
            bound.update(foreign_key.references if foreign_key.parent == table.id else ())
    for foreign_key in table.foreign_keys:
        # Together with others it may be NULL, alone it may not.
        bound.update(foreign_key.columns if foreign_key.full else ())
    free = [
        part.text
        for part in key.parts
        if part.op is Op.COLUMN and part.text in table.places and part.text not in bound
    ]
    # Where all NULLs are one, others may have it.
    single = {name for one in table.keys if not one.nulls_distinct for name in one.reads}
    if key.nulls_distinct and any(
        name not in single
        and not any(any(of_row(matter.keys, table, put(table, row, {name: None}))) for row in held)
        for name in free
    ):
        return True
    read = {name for foreign_key in table.foreign_keys for name in foreign_key.columns}
    read = read.union(*(check.condition.reads for check in table.checks))
    # What two keys read may collide in the other one (its length, its lower case).
    expressions = (part for each in table.keys for part in each.parts if part.op is not Op.COLUMN)
    read = read.union(*(part.reads for part in expressions))
    types = {column.name: column.type for column in table.columns}
    return any(_ENDLESS.match(types[name]) and name not in read for name in free)
