"""Which rows of the source have to be rejected, and which may be.

A row that breaks a rule of the target has to be, with everything that cannot stand without it.
Where it depends on what the contract leaves open, a restore may go either way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from verifier.model.judging.choices import Ranked
from verifier.model.judging.matter import Matter, Node, Thing
from verifier.model.judging.things import Choice, Settlement
from verifier.model.keys import needed
from verifier.model.rules import of_row
from verifier.model.schema import ForeignKey, Identity, Key, Op, Table
from verifier.model.world import Options

AMBIGUOUS = "it matches two different rows of the target"


@dataclass(frozen=True)
class Refusal:
    """Why a row cannot be restored."""

    reason: str
    """Without names and values."""
    constraint: str
    sure: bool = True
    """Whether it is so whatever the others become."""


@dataclass(frozen=True)
class Bounds:
    """What of the source is to be rejected."""

    must: dict[Node, Refusal]
    may: frozenset[Node]
    """``must`` is not among them."""


def bounds(matter: Matter, options: Options, choices: Sequence[Choice] = ()) -> Bounds:
    """The rows that every right restore rejects, and those that one may reject.

    ``choices``: what else may become of the rows, beside the first and the last surviving.
    Raises :class:`~verifier.model.breach.NotModelled`.
    """
    found = [_Refusals(matter, choice) for choice in (Ranked(0), Ranked(-1), *choices)]
    must = {
        node: refusal
        for node, refusal in found[0].refused.items()
        if all(node in each.refused and each.refused[node].sure for each in found)
        # One that is older than a row of the target is not written, whatever else it matches.
        and not (options.prefer and refusal.reason == AMBIGUOUS)
    }
    may = {node for each in found for node in each.doubtful()} - must.keys()
    if options.strict_ids:
        may |= {node for each in found for node in _suspects(each.settlement)}
    may |= {node for each in found for node in _changing_hands(each.settlement)}
    known = -1
    while known < len(may):
        known = len(may)
        may |= _with_dependants(matter, may | must.keys())
        for each in found:
            may |= set(_in_the_way(each.settlement, may | must.keys()))
            may |= set(_held_back(each.settlement, may | must.keys()))
    return Bounds(must, frozenset(may - must.keys()))


class _Refusals:
    """What has to be rejected if the rows that survive are those of one choice."""

    def __init__(self, matter: Matter, choice: Choice) -> None:
        self._matter = matter
        self.refused: dict[Node, Refusal] = {}
        self.unsure: set[Node] = set()
        self._whole = self.settlement = Settlement(matter, choice)
        while found := (dict(self._unfit()) or dict(self._ambiguous())):
            self.refused |= found
            self.settlement = Settlement(matter, choice, self.refused)

    def doubtful(self) -> Iterator[Node]:
        """Rows that may be rejected as well as restored, or not for sure have to be."""
        yield from self.refused
        yield from self.unsure
        for thing in (thing for things in self._whole.things.values() for thing in things):
            for node in thing.source:
                if node not in self.refused and not self._is_settled(thing, node):
                    yield node

    def _is_settled(self, thing: Thing, node: Node) -> bool:
        """Whether it is one thing with the same rows, whether or not some are rejected."""
        now = self.settlement.of[node]
        others = {other for other in thing.source if other not in self.refused}
        return len(thing.present) < 2 and (others, thing.present) == (set(now.source), now.present)

    def _unfit(self) -> Iterator[tuple[Node, Refusal]]:
        for table in self._matter.tables:
            for node in self._matter.source(table.id):
                if node in self.refused:
                    continue
                refusal = self._by_itself(node) or self._orphaned(node)
                if refusal:
                    yield node, refusal

    def _by_itself(self, node: Node) -> Refusal | None:
        """By a rule for single rows, as the row came or with its references moved."""
        table, matter = self._matter.table(node), self._matter
        came = next(of_row(matter.keys, table, matter.rows[node]), None)
        goes = next(of_row(matter.keys, table, self.settlement.rows[node]), None)
        if came and not goes:
            self.unsure.add(node)
        return Refusal(goes.cause, goes.rule, came is not None) if goes else None

    def _orphaned(self, node: Node) -> Refusal | None:
        for key in self._matter.table(node).foreign_keys:
            if self._is_partial(node, key):
                return Refusal("its reference is NULL in part", key.name)
            if not self._matter.refers(node, key):
                continue
            parent = self.settlement.parent(node, key)
            if parent is None:
                parents = self._matter.parents(node, key)
                mates = [mate for each in parents for mate in self._whole.of[each].source]
                reason = "its parent cannot be restored" if parents else "its parent does not exist"
                refused = (self.refused.get(mate) for mate in mates)
                sure = all(each is not None and each.sure for each in refused)
                return Refusal(reason, key.name, sure)
            if parent.present and self.settlement.of[parent].source and self._moves(node, key):
                self.unsure.add(node)
        return None

    def _is_partial(self, node: Node, key: ForeignKey) -> bool:
        row, places = self._matter.rows[node], self._matter.table(node).places
        values = {row[places[column]] is None for column in key.columns}
        return key.full and len(values) > 1

    def _moves(self, node: Node, key: ForeignKey) -> bool:
        return not self.settlement.moves(node).keys().isdisjoint(key.columns)

    def _ambiguous(self) -> Iterator[tuple[Node, Refusal]]:
        """Of the first table that has any: what the others collide with depends on them."""
        for table in self._matter.tables:
            found = False
            for thing in self.settlement.things[table.id]:
                for node in thing.source:
                    matches = self.settlement.matches[node]
                    if len(thing.present) > 1 or len(matches) > 1:
                        found = True
                        sure = matches.isdisjoint(self.settlement.contested)
                        name = ", ".join(sorted(thing.ties))
                        yield node, Refusal(AMBIGUOUS, name, sure)
            if found:
                return


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


def _in_the_way(settlement: Settlement, refused: Collection[Node]) -> Iterator[Node]:
    """Rows that collide with one of the target that stays, if ``refused`` rows are rejected."""
    matter = settlement.matter
    for table in matter.tables:
        things = settlement.things[table.id]
        staying = {
            node
            for t in things
            if set(t.source) <= set(refused) or t.source == []
            for node in t.present
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
                        yield node


def _held_back(settlement: Settlement, refused: Collection[Node]) -> Iterator[Node]:
    """Rows that would change what a row of the target refers to, which stays."""
    matter = settlement.matter
    for table in matter.tables:
        for key in table.foreign_keys:
            for child in matter.nodes[table.id]:
                if not child.present or not set(settlement.of[child].source) <= set(refused):
                    continue
                parent = settlement.parent(child, key)
                thing = settlement.of[parent] if parent is not None else None
                survivor = settlement.survivors[thing] if thing is not None else None
                if parent is None or thing is None or survivor is None:
                    continue
                places = [thing.table.places[column] for column in key.references]
                if any(survivor[place] != matter.rows[parent][place] for place in places):
                    yield from thing.source


def _changing_hands(settlement: Settlement) -> Iterator[Node]:
    """Rows between which the value of a key changes hands, if it has to do so at once.

    One row after the other can only be written where there is a value to hold in between.
    """
    matter = settlement.matter
    for table in matter.tables:
        for key in table.keys:
            if key.deferrable or _can_be_parked(matter, table, key):
                continue
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
                        yield node
                        yield from settlement.of[holder].source


def _can_be_parked(matter: Matter, table: Table, key: Key) -> bool:
    """Whether a column of the key may be NULL for a while, and the row is out of the way then."""
    identity = matter.identity[table.id]
    bound = set(identity.columns) if identity else set()
    for other in matter.schema.tables:
        for foreign_key in other.foreign_keys:
            bound.update(foreign_key.references if foreign_key.parent == table.id else ())
    return key.nulls_distinct and any(
        part.op is Op.COLUMN
        and part.text in table.places
        and part.text not in bound
        and not needed(table, part.text, matter.schema)
        for part in key.parts
    )
