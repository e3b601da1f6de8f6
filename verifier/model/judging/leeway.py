"""Rows of the source that may be rejected although each of them could be restored.

The contract leaves open what else is rejected with a row that is, and whether values change
hands that cannot be held in between.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from verifier.model.judging.choices import with_identity
from verifier.model.judging.matter import Matter, Node, Thing
from verifier.model.judging.newest import may_stay
from verifier.model.judging.things import Settlement
from verifier.model.keys import KeyValue
from verifier.model.rules import of_row
from verifier.model.schema import Action, ForeignKey, Identity, Key, Op, Row, Table
from verifier.model.state import put
from verifier.model.world import Options

_ENDLESS = re.compile(r"(text|character varying|uuid|smallint|integer|bigint|numeric)$")
"""Types that always have one more value."""


def leeway(
    matter: Matter,
    wholes: Sequence[Settlement],
    settlements: Sequence[Settlement],
    refused: Collection[Node],
    options: Options,
) -> set[Node]:
    """The rows that may be rejected, where those of ``refused`` are or may be.

    ``wholes`` are the settlements while nothing is rejected: a restore may see by those that a
    row cannot be written, before it sees what else has to be rejected.
    """
    reasons = [
        _changing_hands,
        _pulled_apart,
        _lacking,
        _respelled,
        _numbered_otherwise,
        _out_of_place,
    ]
    if options.strict_ids:
        reasons.append(_suspects)
    every = [*wholes, *settlements]
    may = {node for reason in reasons for each in every for node in reason(each)} | set(refused)
    known = -1
    while known < len(may):
        known = len(may)
        may |= _with_dependants(matter, may)
        for each in settlements:
            may |= set(_in_the_way(each, may, options))
            may |= set(_held_back(each, may, options))
    return may


def _with_dependants(matter: Matter, nodes: set[Node]) -> set[Node]:
    """``nodes``, and whatever of the source refers to them, directly or not."""
    found, waiting = set(nodes), list(nodes)
    below: dict[Node, list[Node]] = {}
    for table in matter.tables:
        for node in matter.source(table.id):
            for key in table.foreign_keys:
                for parent in matter.parents(node, key):
                    below.setdefault(parent, []).append(node)
    while waiting:
        fresh = [child for child in below.get(waiting.pop(), ()) if child not in found]
        found.update(fresh)
        waiting += fresh
    return found


def _pulled_apart(settlement: Settlement) -> Iterator[Node]:
    """Rows of which two references share a column, and their parents' survivors differ in it."""
    matter = settlement.matter
    for table in matter.tables:
        names = [name for key in table.foreign_keys for name in key.columns]
        if len(names) == len(set(names)):
            continue
        for node in matter.source(table.id):
            wanted: dict[str, set[KeyValue]] = {}
            for key in table.foreign_keys:
                parent = settlement.parent(node, key)
                survivor = settlement.survivors.get(settlement.of[parent]) if parent else None
                if parent is None or survivor is None:
                    continue
                above = matter.table(parent)
                for column, name in zip(key.columns, key.references, strict=True):
                    wanted.setdefault(column, set()).add(
                        matter.keys.cells(above, (name,), survivor)
                    )
            if any(len(values) > 1 for values in wanted.values()):
                yield node


def _lacking(settlement: Settlement) -> Iterator[Node]:
    """Rows of which a survivor of their parent may not have what they refer to."""
    matter = settlement.matter
    for table in matter.tables:
        for node in matter.source(table.id):
            for key in table.foreign_keys:
                parent = settlement.parent(node, key)
                thing = settlement.of.get(parent) if parent is not None else None
                mates = (settlement.rows[n] for n in thing.source) if thing else ()
                above = matter.schema.by_id[key.parent]
                if any(None in matter.keys.cells(above, key.references, row) for row in mates):
                    yield node


def _suspects(settlement: Settlement) -> Iterator[Node]:
    """Rows that have the number of a row of the target, and no other unique key in common."""
    matter = settlement.matter
    for table in matter.tables:
        own = matter.identity[table.id]
        made = {column.name for column in table.columns if column.identity is not Identity.NONE}
        if own is None or made.isdisjoint(own.columns):
            continue
        for thing in settlement.things[table.id]:
            if thing.present:
                yield from thing.source


def _in_the_way(
    settlement: Settlement, refused: Collection[Node], options: Options
) -> Iterator[Node]:
    """Rows that collide with one of the target that stays as it is.

    It does if the ``refused`` rows are rejected, or where it may be the newest.
    """
    matter = settlement.matter
    for table in matter.tables:
        things = settlement.things[table.id]
        staying = {
            node
            for t in things
            if set(t.source) <= set(refused) or t.source == []
            for node in t.present
        }
        staying |= {
            node
            for thing in things
            for node in thing.present
            if may_stay(
                matter.schema,
                table,
                options,
                matter.rows[node],
                (settlement.rows[other] for other in thing.source),
            )
        }
        for key in table.keys:
            taken = {
                matter.keys.value(table, key, matter.rows[node]): settlement.of[node]
                for node in staying
                if settlement.of[node].source
            }
            taken.pop(None, None)
            for thing in things:
                for node in thing.source:
                    value = matter.keys.value(table, key, settlement.rows[node])
                    if value in taken and taken[value] is not thing:
                        yield from thing.source


def _held_back(
    settlement: Settlement, refused: Collection[Node], options: Options
) -> Iterator[Node]:
    """Rows that would change what a row of the target refers to, which stays.

    It may not be able to follow, and what it would collide with then is nothing that it has to
    be merged with.
    """
    matter = settlement.matter
    for child, _, thing in forsaken(settlement):
        own = matter.name(child.table, matter.rows[child])
        source = [
            node
            for node in settlement.of[child].source
            if own is not None and matter.name(node.table, settlement.rows[node]) == own
        ]
        rows = [settlement.rows[node] for node in source]
        newest = may_stay(matter.schema, matter.table(child), options, matter.rows[child], rows)
        if set(source) <= set(refused) or newest:
            yield from thing.source


def forsaken(settlement: Settlement) -> Iterator[tuple[Node, ForeignKey, Thing]]:
    """Rows of the target whose parent becomes a row without what they refer to.

    With the foreign key, and the thing that the parent is a part of.
    """
    matter = settlement.matter
    for table in matter.tables:
        for key in table.foreign_keys:
            for child in matter.nodes[table.id]:
                parent = settlement.parent(child, key) if child.present else None
                thing = settlement.of[parent] if parent is not None else None
                survivor = settlement.survivors[thing] if thing is not None else None
                if parent is None or thing is None or survivor is None or not thing.source:
                    continue
                before = matter.keys.cells(thing.table, key.references, matter.rows[parent])
                if matter.keys.cells(thing.table, key.references, survivor) != before:
                    yield child, key, thing


def _respelled(settlement: Settlement) -> Iterator[Node]:
    """Rows that spell a key of the target otherwise (1.0, 1), which rows refer to.

    Any action ON UPDATE takes that for a change of the key.
    """
    matter = settlement.matter
    acting = [
        (table, key)
        for table in matter.tables
        for key in table.foreign_keys
        if key.on_update is not Action.NO_ACTION
    ]
    for table, key in acting:
        above = matter.schema.by_id[key.parent]
        places = [above.places[name] for name in key.references]
        for child in matter.nodes[table.id]:
            parent = settlement.parent(child, key)
            thing = settlement.of.get(parent) if parent is not None else None
            if thing is None:
                continue
            held = {
                matter.keys.cells(above, key.references, matter.rows[node]): matter.rows[node]
                for node in thing.present
            }
            for node in thing.source:
                row = settlement.rows[node]
                other = held.get(matter.keys.cells(above, key.references, row), row)
                if any(row[place] != other[place] for place in places):
                    yield node


def _numbered_otherwise(settlement: Settlement) -> Iterator[Node]:
    """Rows with another number than the target's, where it is GENERATED ALWAYS and no key."""
    matter = settlement.matter
    for table in matter.tables:
        own = matter.identity[table.id]
        names = {column.name for column in table.stored if column.identity is Identity.ALWAYS}
        places = [table.places[name] for name in names.difference(own.columns if own else ())]
        for thing in settlement.things[table.id] if places else ():
            held = [[matter.rows[node][place] for place in places] for node in thing.present]
            for node in thing.source if held else ():
                if [matter.rows[node][place] for place in places] not in held:
                    yield node


def _out_of_place(settlement: Settlement) -> Iterator[Node]:
    """Rows that collide with others under the identity of the target's row that they become."""
    matter = settlement.matter
    for table in matter.tables:
        own = matter.identity[table.id]
        keys = [
            k for k in table.keys if k is not own and own and not k.reads.isdisjoint(own.columns)
        ]
        for thing in settlement.things[table.id] if keys else ():
            for node in thing.source if thing.present else ():
                named = with_identity(thing, settlement.rows[node], matter)
                for key in keys if named != settlement.rows[node] else ():
                    value = matter.keys.value(table, key, named)
                    others = (
                        other
                        for other, row in settlement.rows.items()
                        if other.table == table.id
                        and settlement.of[other] is not thing
                        and matter.keys.value(table, key, row) == value
                    )
                    if value is not None and any(others):
                        yield from thing.source


def _changing_hands(settlement: Settlement) -> Iterator[Node]:
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
    types = {column.name: column.type for column in table.columns}
    return any(_ENDLESS.match(types[name]) and name not in read for name in free)
