"""Which rows of the source and of the target are one thing, by the target's unique keys.

Rows collide by what they hold once their references follow: merging two parents makes their
children collide in turn. So tables are gone through parents first, again and again, until
nothing moves any more. What a thing ends as is not decided here but by a :class:`Choice`: the
contract leaves it open which of several rows survives.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Protocol

from verifier.model.breach import NotModelled
from verifier.model.judging.matter import Matter, Node, Thing, with_identity
from verifier.model.keys import KeyValue
from verifier.model.schema import ForeignKey, Key, Row, Table

_ROUNDS = 30


class Choice(Protocol):
    """What is left open: which row survives."""

    def survivor(self, thing: Thing, rows: Mapping[Node, Row], matter: Matter) -> Row | None:
        """What ``thing`` ends as, if anything; ``rows`` follow their references."""

    def claimant(
        self,
        node: Node,
        claims: Sequence[Sequence[Node]],
        rows: Mapping[Node, Row],
        matter: Matter,
    ) -> int:
        """Which of several things that collide with a row of the target it becomes."""


class Settlement:
    """The things that the rows are, without those of the source that are ``gone``."""

    def __init__(self, matter: Matter, choice: Choice, gone: Collection[Node] = ()) -> None:
        self.matter, self.choice, self.gone = matter, choice, frozenset(gone)
        self.rows: dict[Node, Row] = {
            node: row for node, row in matter.rows.items() if node not in self.gone
        }
        """The rows with references that follow."""
        self.things: dict[str, list[Thing]] = {}
        self.of: dict[Node, Thing] = {}
        self.survivors: dict[Thing, Row | None] = {}
        self.matches: dict[Node, set[Node]] = {}
        """The rows of the target that a source row collides with by itself."""
        self.contested: set[Node] = set()
        """Rows of the target with which several things collide."""
        self._left: dict[Node, Row] = {node: matter.rows[node] for node in self.gone}
        """The rows that are gone, with references that follow."""
        self._settle()

    def _settle(self) -> None:
        before: dict[Node, Row] = {}
        for _ in range(_ROUNDS):
            for table in self.matter.tables:
                self._follow(table)
                self._group(table)
            if before == self.rows:
                return
            before = dict(self.rows)
        raise NotModelled("the references of these rows follow each other without an end")

    # -- references --------------------------------------------------------------------------

    def _follow(self, table: Table) -> None:
        for node in self.matter.nodes[table.id] if table.foreign_keys else ():
            rows = self._left if node in self.gone else self.rows
            rows[node] = self._followed(table, node)

    def _followed(self, table: Table, node: Node) -> Row:
        row = list(self.matter.rows[node])
        for column, value in self.moves(node).items():
            # A survivor that has no value there leaves nothing to refer to.
            row[table.places[column]] = row[table.places[column]] if value is None else value
        return tuple(row)

    def moves(self, node: Node) -> dict[str, str | None]:
        """The columns whose parent ends with another value there, and that value."""
        found: dict[str, str | None] = {}
        own, cells = self.matter.table(node), self.matter.keys.cells
        for key in own.foreign_keys:
            parent = self.parent(node, key)
            survivor = self.survivors.get(self.of[parent]) if parent in self.of else None
            if parent is None or survivor is None:
                continue
            table, names = self.matter.table(parent), key.references
            before = cells(own, key.columns, self.matter.rows[node])
            after = cells(table, names, survivor)
            for column, name, old, new in zip(key.columns, names, before, after, strict=True):
                if old != new:  # equal ones may be spelled otherwise: 1 and 1.0
                    found[column] = survivor[table.places[name]]
        return found

    def parent(self, node: Node, key: ForeignKey) -> Node | None:
        """The row that it refers to, among those that are not gone.

        Where there is none, one that has come to have the key that is named, or that those have
        come to have which are gone.
        """
        parents = self.matter.parents(node, key)
        live = (parent for parent in parents if parent not in self.gone)
        return next(live, None) or self._stand_in(node, key, parents)

    def strays(self, node: Node, key: ForeignKey) -> bool:
        """Whether it would name another row by ``key`` than what its parent becomes.

        It does where another of its references shares a column and follows another way.
        """
        parent, cells = self.parent(node, key), self.matter.keys.cells
        survivor = self.survivors.get(self.of[parent]) if parent is not None else None
        if parent is None or survivor is None:
            return False
        wanted = cells(self.matter.table(parent), key.references, survivor)
        has = cells(self.matter.table(node), key.columns, self.rows[node])
        return None not in wanted and wanted != has

    def _stand_in(self, node: Node, key: ForeignKey, parents: Sequence[Node]) -> Node | None:
        if node.present or not self.matter.refers(node, key):
            return None
        table, cells = self.matter.schema.by_id[key.parent], self.matter.keys.cells
        names = {cells(table, key.references, self._left[parent]) for parent in parents}
        names.add(cells(self.matter.table(node), key.columns, self.matter.rows[node]))
        for other in self.matter.nodes[table.id]:
            if other in self.rows and cells(table, key.references, self.rows[other]) in names:
                return other
        return None

    # -- collisions --------------------------------------------------------------------------

    def _group(self, table: Table) -> None:
        grouping = _Grouping(self, table)
        for node in self.matter.source(table.id):
            self.matches[node] = set()
        grouping.run()
        self.things[table.id] = grouping.things()
        for thing in self.things[table.id]:
            for node in (*thing.source, *thing.present):
                self.of[node] = thing
            self.survivors[thing] = (
                # Of rows that are two rows of the target nothing follows.
                self.choice.survivor(thing, self.rows, self.matter)
                if len(thing.present) < 2
                else None
            )


class _Grouping:
    """Finds the things of one table, by the rows as they are now."""

    def __init__(self, settlement: Settlement, table: Table) -> None:
        self._settlement, self._table = settlement, table
        self._matter = settlement.matter
        self._nodes = [n for n in self._matter.nodes[table.id] if n in settlement.rows]
        self._leader = {node: node for node in self._nodes}
        self._ties: dict[Node, set[str]] = defaultdict(set)

    def run(self) -> None:
        own = self._matter.identity[self._table.id]
        replaced: set[Node] = set()
        if own is not None:
            # A row of the target that another one takes the place of gives up all its values.
            for sources, present in self._alike(own, replaced):
                replaced.update(present)
                for node in present:
                    self._join(sources[0], node, own)
                    for one in sources:
                        self._settlement.matches[one].add(node)
        hits: dict[Node, list[tuple[Node, Key]]] = defaultdict(list)
        for key in self._table.keys:
            for sources, present in self._alike(key, replaced) if key is not own else ():
                for node in present:
                    hits[node] += [(source, key) for source in sources]
        groups: dict[Node, list[Node]] = defaultdict(list)
        for node in (node for node in self._nodes if not node.present):
            groups[self._find(node)].append(node)
        for node, found in hits.items():
            left = [
                (source, key)
                for source, key in found
                if not self._gives_up(own, source, node, groups[self._find(source)])
            ]
            self._take(node, left)

    def _gives_up(self, own: Key | None, source: Node, present: Node, group: list[Node]) -> bool:
        """Whether it merges into one which no key but the identity would tie to ``present``.

        What it collides with is nobody's then: the survivor would not be found there again.
        ``group``: the rows of the source that are one with it.
        """
        rows, choice = self._settlement.rows, self._settlement.choice
        survivor = choice.survivor(Thing(self._table, source=group), rows, self._matter)
        if own is None or len(group) < 2 or survivor is None or rows[source] == survivor:
            return False
        both = Thing(self._table, source=group, present=[present])
        if choice.survivor(both, rows, self._matter) == with_identity(
            both, rows[source], self._matter
        ):
            return False  # it is seen to survive there
        keys, held = self._matter.keys, self._matter.rows[present]
        return not any(
            keys.value(self._table, key, survivor) is not None
            and all(
                keys.cells(self._table, [name], survivor) == keys.cells(self._table, [name], held)
                for name in own.columns
                if name in key.reads
            )
            for key in self._table.keys
            if key is not own
        )

    def _alike(self, key: Key, without: set[Node]) -> Iterator[tuple[list[Node], list[Node]]]:
        """Rows with one value of ``key``: the source's, which are one thing, and the target's."""
        groups: dict[KeyValue, tuple[list[Node], list[Node]]] = {}
        for node in self._nodes:
            if node not in without:
                row = self._settlement.rows[node]
                value = self._matter.keys.value(self._table, key, row)
                if value is not None:
                    groups.setdefault(value, ([], []))[node.present].append(node)
        for sources, present in groups.values():
            for node in sources[1:]:
                self._join(sources[0], node, key)
            if sources:
                yield sources, present

    def _take(self, node: Node, found: list[tuple[Node, Key]]) -> None:
        if not found:
            return
        claims: dict[Node, list[Node]] = defaultdict(list)
        for source, _ in found:
            claims[self._find(source)].append(source)
            self._settlement.matches[source].add(node)
        place = 0
        if len(claims) > 1:
            self._settlement.contested.add(node)
            rows = self._settlement.rows
            members = [[n for n in rows if self._is(n, leader)] for leader in claims]
            place = self._settlement.choice.claimant(node, members, rows, self._matter)
        for source in list(claims.values())[place]:
            for other, key in found:
                if other is source:
                    self._join(source, node, key)

    def _is(self, node: Node, leader: Node) -> bool:
        return node in self._leader and not node.present and self._find(node) == leader

    def _join(self, one: Node, other: Node, key: Key) -> None:
        first, second = sorted((self._find(one), self._find(other)))
        self._ties[first].add(key.name)
        if first != second:
            self._leader[second] = first
            self._ties[first] |= self._ties.pop(second, set())

    def _find(self, node: Node) -> Node:
        while self._leader[node] != node:
            node = self._leader[node]
        return node

    def things(self) -> list[Thing]:
        found: dict[Node, Thing] = {}
        for node in self._nodes:
            leader = self._find(node)
            ties = frozenset(self._ties.get(leader, ()))
            thing = found.setdefault(leader, Thing(self._table, ties=ties))
            (thing.present if node.present else thing.source).append(node)
        return list(found.values())
