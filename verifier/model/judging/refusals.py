"""Which rows of the source have to be rejected, and which may be.

A row that breaks a rule of the target has to be, with everything that cannot stand without it.
Where it depends on what the contract leaves open, a restore may go either way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from verifier.model.judging.choices import Ranked
from verifier.model.judging.leeway import forsaken, leeway
from verifier.model.judging.matter import Matter, Node, Thing, with_identity
from verifier.model.judging.things import Choice, Settlement
from verifier.model.keys import KeyValue
from verifier.model.rules import of_row
from verifier.model.schema import Action, ForeignKey
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
    may: dict[Node, int]
    """``must`` is not among them. By how many of the choices that are open they cannot be
    restored."""
    merging: frozenset[Node]
    """Those that are one thing with others, if nothing is rejected."""

    def demanding(self, more: Mapping[Node, Refusal]) -> Bounds:
        """The same with ``more`` that must be rejected."""
        may = {node: number for node, number in self.may.items() if node not in more}
        return Bounds({**more, **self.must}, may, self.merging)


def bounds(
    matter: Matter,
    options: Options,
    choices: Sequence[Choice] = (),
    gone: Collection[Node] = (),
) -> Bounds:
    """The rows that every right restore rejects, and those that one may reject.

    ``choices``: what else may become of the rows, beside the first and the last surviving.
    ``gone``: rows that somebody has rejected who might have restored them.
    Raises :class:`~verifier.model.breach.NotModelled`.
    """
    newer = [Ranked(-1, stays=True)] if options.prefer else []
    every = (Ranked(0), Ranked(-1), *newer, *choices)
    found = [_Refusals(matter, choice) for choice in every]
    found += [_Refusals(matter, choice, gone) for choice in every if gone]
    must = {
        node: refusal
        for node, refusal in found[0].refused.items()
        if all(node in each.refused and each.refused[node].sure for each in found)
        # One that is older than a row of the target is not written, whatever else it matches.
        and not (options.prefer and refusal.reason == AMBIGUOUS)
    }
    may = {node for each in found for node in each.doubtful()} - must.keys()
    wholes, settlements = [each.whole for each in found], [each.settlement for each in found]
    may |= leeway(matter, wholes, settlements, may | must.keys(), options)
    merging = {node for each in found for node in each.merging()}
    counted = {node: sum(node in each.refused for each in found) for node in may - must.keys()}
    return Bounds(must, counted, frozenset(merging))


class _Refusals:
    """What has to be rejected if the rows that survive are those of one choice."""

    def __init__(self, matter: Matter, choice: Choice, gone: Collection[Node] = ()) -> None:
        self._matter, self._choice = matter, choice
        self.refused = {node: Refusal("it is rejected", "", sure=False) for node in gone}
        self.unsure: set[Node] = set()
        self._torn: list[Thing] = []
        self.whole = Settlement(matter, choice)
        self.settlement = Settlement(matter, choice, gone) if gone else self.whole
        while found := (dict(self._unfit()) or dict(self._ambiguous()) or dict(self._forsaking())):
            self.refused |= found
            self.settlement = Settlement(matter, choice, self.refused)
        self._doubt_what_fits_now()

    def merging(self) -> Iterator[Node]:
        """Rows of the source that are one thing with other rows, which have other names."""
        for thing in (thing for things in self.whole.things.values() for thing in things):
            rows = [self.whole.rows[node] for node in (*thing.source, *thing.present)]
            names = {self._matter.name(thing.table.id, row) for row in rows}
            if len(rows) > 1 and (None in names or len(names) > 1):
                yield from thing.source

    def doubtful(self) -> Iterator[Node]:
        """Rows that may be rejected as well as restored, or not for sure have to be."""
        yield from self.refused
        yield from self.unsure
        for thing in (thing for things in self.whole.things.values() for thing in things):
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
        if (came and not goes) or not self._fits_as_named(node):
            self.unsure.add(node)
        return Refusal(goes.cause, goes.rule, came is not None) if goes else None

    def _fits_as_named(self, node: Node) -> bool:
        """Whether it can be written under the identity of the target's row that it becomes."""
        table, matter, thing = self._matter.table(node), self._matter, self.settlement.of[node]
        row = self.settlement.rows[node]
        named = with_identity(thing, row, matter) if thing.present else row
        return named == row or (
            next(of_row(matter.keys, table, named), None) is None
            and all(
                matter.keys.cells(table, key.columns, named)
                == matter.keys.cells(table, key.columns, row)
                for key in table.foreign_keys
            )
        )

    def _orphaned(self, node: Node) -> Refusal | None:
        for key in self._matter.table(node).foreign_keys:
            if self._is_partial(node, key):
                return Refusal("its reference is NULL in part", key.name)
            if not self._matter.refers(node, key):
                continue
            parent = self.settlement.parent(node, key)
            if parent is None:
                parents = self._matter.parents(node, key)
                mates = [mate for each in parents for mate in self.whole.of[each].source]
                reason = "its parent cannot be restored" if parents else "its parent does not exist"
                refused = (self.refused.get(mate) for mate in mates)
                sure = all(each is not None and each.sure for each in refused)
                return Refusal(reason, key.name, sure)
            meant = parent in self._matter.parents(node, key)
            if not meant:
                self.unsure.add(node)  # is it the row that was meant?
            if self.settlement.strays(node, key):
                # Who takes the place of a row of the target refers by its key to what that did.
                sure = meant and not self.settlement.of[node].present
                sure = sure and not self._may_agree(node, key)
                return Refusal("a reference that shares a column with it moves", key.name, sure)
            moves = self.settlement.moves(node)
            overwritten = parent.present and self.settlement.of[parent].source
            if any(c in moves and (overwritten or moves[c] is None) for c in key.columns):
                self.unsure.add(node)
        return None

    def _may_agree(self, node: Node, key: ForeignKey) -> bool:
        """Whether some survivors let all references agree that share a column with ``key``."""
        for column in key.columns:
            wanted = []
            for other in self._matter.table(node).foreign_keys:
                parent = self.settlement.parent(node, other) if column in other.columns else None
                if parent is not None:
                    thing = self.settlement.of[parent]
                    name = other.references[other.columns.index(column)]
                    rows = (self.settlement.rows[n] for n in (*thing.source, *thing.present))
                    cells = self._matter.keys.cells
                    wanted.append({cells(thing.table, (name,), row) for row in rows})
            if not set[KeyValue]().union(*wanted).intersection(*wanted):
                return False
        return True

    def _is_partial(self, node: Node, key: ForeignKey) -> bool:
        row, places = self._matter.rows[node], self._matter.table(node).places
        values = {row[places[column]] is None for column in key.columns}
        return key.full and len(values) > 1

    def _ambiguous(self) -> Iterator[tuple[Node, Refusal]]:
        """Of the first table that has any: what the others collide with depends on them."""
        for table in self._matter.tables:
            things = self.settlement.things[table.id]
            torn = [thing for thing in things if _is_torn(self.settlement, thing)]
            certain = self._is_certain()
            for thing in torn:
                self._torn.append(thing)
                matches = set[Node]().union(*(self.settlement.matches[n] for n in thing.source))
                alone = matches.isdisjoint(self.settlement.contested)
                alone = alone and self.unsure.isdisjoint(thing.source)
                ties = ", ".join(sorted(thing.ties))
                for node in thing.source:
                    yield node, Refusal(AMBIGUOUS, ties, certain and alone)
            if torn:
                return

    def _is_certain(self) -> bool:
        """Whether no row is rejected that might be written as well, and be in the way then."""
        return all(refusal.sure for refusal in self.refused.values())

    def _doubt_what_fits_now(self) -> None:
        """Rows that were two rows of the target before others were rejected need not be."""
        for thing in self._torn:
            settlement = Settlement(
                self._matter, self._choice, self.refused.keys() - set(thing.source)
            )
            if not any(_is_torn(settlement, settlement.of[node]) for node in thing.source):
                unsure = {node: replace(self.refused[node], sure=False) for node in thing.source}
                self.refused |= unsure

    def _forsaking(self) -> Iterator[tuple[Node, Refusal]]:
        """Rows that would overwrite what a row refers to which only the target has.

        What merely merges with such a row may be a row of its own without it.
        """
        settlement, reason = self.settlement, "a row of the target refers to what it changes"
        for child, key, thing in forsaken(settlement):
            if key.on_update is not Action.CASCADE and not settlement.of[child].source:
                certain = self._is_certain() and not self._may_stay(thing, key)
                for node in thing.source:
                    itself = not settlement.matches[node].isdisjoint(thing.present)
                    yield node, Refusal(reason, key.name, sure=itself and certain)

    def _may_stay(self, thing: Thing, key: ForeignKey) -> bool:
        """Whether some survivor would leave what ``key`` refers to as the target has it."""
        cells, rows = self._matter.keys.cells, self.settlement.rows
        held = {cells(thing.table, key.references, rows[node]) for node in thing.present}
        return any(cells(thing.table, key.references, rows[node]) in held for node in thing.source)


def _is_torn(settlement: Settlement, thing: Thing) -> bool:
    """Whether rows of the source are two different rows of the target."""
    matches = [settlement.matches[node] for node in thing.source]
    return bool(matches) and (len(thing.present) > 1 or any(len(each) > 1 for each in matches))
