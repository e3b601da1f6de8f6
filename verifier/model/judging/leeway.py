"""Rows of the source that may be rejected although each of them could be restored.

The contract leaves open what else is rejected with a row that is, and whether values change
hands that cannot be held in between (:mod:`parking`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from verifier.model.judging.matter import Matter, Node, Thing, with_identity
from verifier.model.judging.newest import may_stay
from verifier.model.judging.parking import changing_hands
from verifier.model.judging.things import Settlement
from verifier.model.keys import KeyValue
from verifier.model.schema import Action, ForeignKey, Identity
from verifier.model.world import Options


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
        changing_hands,
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
