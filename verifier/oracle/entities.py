"""Which rows are the same thing: the identity that the target's unique keys imply.

Two source rows that collide on a unique key of the target are one entity, and so
are a source row and the target row that it collides with. Because keys contain
foreign keys, merging two parents can make their children collide in turn, through
any number of levels and around cycles. That is congruence closure: rows are the
terms, unique keys are the equations, and a foreign key's value stands for the
entity that it points to. Nelson and Oppen, "Fast Decision Procedures Based on
Congruence Closure", J. ACM 27(2), 1980; here by plain iteration to a fixpoint.

A target row that a source row replaces (same identity) gives its other key
values up, so values may be swapped between rows without a collision. Where several
source rows that are not one thing collide with one target row, it becomes one of them,
and gives up what the others collided with; which one is seen from what it became.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from verifier.oracle.catalog import ForeignKey, Schema, Table, UniqueKey
from verifier.oracle.links import SOURCE, TARGET, Links, Node
from verifier.oracle.snapshot import Snapshot, TableRows


@dataclass(slots=True)
class Entity:
    """All rows that are the same thing."""

    table: str
    source: list[Node] = field(default_factory=list)
    """In the order in which the source's table holds them."""
    target: list[Node] = field(default_factory=list)

    @property
    def ambiguous(self) -> bool:
        """Matches two different rows of the target: not to be guessed, to be rejected."""
        return len(self.target) > 1 and bool(self.source)


class Universe:
    """The rows of the frozen source and of the target before, grouped into entities."""

    def __init__(
        self,
        source: Snapshot,
        before: Snapshot,
        selected: frozenset[str],
        after: Snapshot | None = None,
        gone: frozenset[Node] = frozenset(),
        *,
        last: bool = False,
    ) -> None:
        """``gone``: rows of the source that are rejected, and take nothing from anybody.

        They still belong to the entity whose identity they carry. ``last``: of several that
        collide with a row of the target it becomes the last, not the first, where that is not seen.
        """
        self.source, self.before, self.after, self.gone = source, before, after, gone
        self._last = last
        self.schema: Schema = before.schema
        self.selected = selected
        self._tables = dict(self.schema.tables)
        for name in selected:
            shared = frozenset(source.tables[name].columns)
            self._tables[name] = replace(self._tables[name], shared=shared)
        self._leader: dict[Node, Node] = {}
        self._members: dict[Node, list[Node]] = {}
        self._merged_by: dict[frozenset[Node], str] = {}
        self.contested: set[Node] = set()
        """Rows of the target that several entities collide with; each becomes one of them."""
        self._nodes = list(self._every())
        self._links = Links(source, before, selected, self._nodes, gone)
        self.parents = self._links.parents
        self._close()
        self.entities = self._gather()
        self.entity_of = {
            node: entity for entity in self.entities for node in (*entity.source, *entity.target)
        }

    def without(self, gone: frozenset[Node]) -> Universe:
        """The same rows, of which those that are ``gone`` are rejected."""
        if gone == self.gone:
            return self
        return Universe(self.source, self.before, self.selected, self.after, gone, last=self._last)

    # -- reading rows -----------------------------------------------------------------

    def rows(self, node: Node) -> TableRows:
        snapshot = self.source if node.side == SOURCE else self.before
        return snapshot.tables[node.table]

    def row(self, node: Node) -> dict[str, str | None]:
        return self.rows(node).row(node.position)

    def table(self, name: str) -> Table:
        return self._tables[name]

    def live(self, entity: Entity) -> list[Node]:
        """The rows of the source that an entity is made of, without those that are rejected."""
        return [node for node in entity.source if node not in self.gone]

    def parent(self, node: Node, foreign_key: ForeignKey) -> Node | None:
        """The row that ``node`` points to: the source's own, the target's, or a rejected one."""
        return self._links.of(node).get(foreign_key.name)

    def is_in_target(self, node: Node, foreign_key: ForeignKey) -> bool:
        """Whether the target itself has a row that ``node`` can point to as it is."""
        values = self.rows(node).reference(node.position, foreign_key.columns)
        return self._links.target(foreign_key, values) is not None

    def is_at_hand(self, parent: Node, foreign_key: ForeignKey) -> bool:
        """Whether the target has a row for the rejected ``parent`` that its children can point to.

        One of the key by which ``foreign_key`` refers, once the parents in it have merged.
        """
        name, referred = parent.table, set(foreign_key.referenced)
        keys = (key for key in self.table(name).keys if set(key.columns) == referred)
        for key in keys:
            token = self.token(parent, key)
            if token is not None and token != self._bare(parent, key):
                held = range(len(self.before.tables[name].rows))
                return any(self.token(Node(name, TARGET, no), key) == token for no in held)
        return False

    def keeps(self, parent: Node, foreign_key: ForeignKey, *, surely: bool = False) -> bool:
        """Whether the target's row ``parent`` keeps what ``foreign_key`` refers to.

        A source row that becomes that row brings other values, or the same; what the row
        keeps of itself is its identity. ``surely``: whichever of several survives.
        """
        identity = self.table(parent.table).identity
        changing = set(foreign_key.referenced) - set(identity.columns if identity else ())
        members = self.live(self.entity_of[parent])
        return not members or all(
            (all if surely else any)(self._has_same(node, parent, name) for node in members)
            for name in changing
        )

    def _has_same(self, node: Node, other: Node, column: str) -> bool:
        """Whether both have an equal value, be it spelled otherwise, or one of them has none."""
        if column not in self.row(node):
            return True
        one, two = (self.rows(each).reference(each.position, (column,)) for each in (node, other))
        return one == two

    def checked(self, name: str) -> frozenset[str]:
        """The columns of the table ``name`` that a check looks at."""
        return frozenset(column for check in self.table(name).checks for column in check.columns)

    def is_overwritten(self, node: Node, foreign_key: ForeignKey) -> bool:
        """Whether only a row of the target has what ``node`` points to, and not for long.

        A source row that becomes that row brings other values; what it keeps is its identity.
        """
        parent = self.parent(node, foreign_key)
        if parent is None or parent.side == SOURCE or parent not in self.entity_of:
            return False
        identity = self.table(parent.table).identity
        kept = set(identity.columns) if identity else set()
        entity = self.entity_of[parent]
        written = bool(self.live(entity)) and not entity.ambiguous
        return written and not kept.issuperset(foreign_key.referenced)

    def collision(self, one: Node, other: Node) -> str:
        """The unique key on which two rows of an entity first met, ``""`` if indirectly."""
        return self._merged_by.get(frozenset((one, other)), "")

    def _every(self) -> Iterator[Node]:
        for name in sorted(self.selected):
            for side, snapshot in ((SOURCE, self.source), (TARGET, self.before)):
                for position in range(len(snapshot.tables[name].rows)):
                    yield Node(name, side, position)

    # -- closure ----------------------------------------------------------------------

    def _find(self, node: Node) -> Node:
        path = []
        while (leader := self._leader.get(node, node)) != node:
            path.append(node)
            node = leader
        for passed in path:
            self._leader[passed] = node
        return node

    def _union(self, one: Node, other: Node, key: str) -> bool:
        self._merged_by.setdefault(frozenset((one, other)), key)
        first, second = self._find(one), self._find(other)
        if first == second:
            return False
        leader, follower = min(first, second), max(first, second)
        self._leader[follower] = leader
        joined = self._members.pop(follower, [follower])
        self._members.setdefault(leader, [leader]).extend(joined)
        return True

    def token(self, node: Node, key: UniqueKey) -> tuple[object, ...] | None:
        """The key's value with foreign keys read as entities; ``None``: collides with nothing."""
        values = self._bare(node, key)
        if values is None or (key.nulls_distinct and None in values):
            return None
        token: list[object] = list(values)
        for foreign_key in self.parents[node.table]:
            parent = self._links.of(node).get(foreign_key.name)
            if parent is None:
                continue
            leader = self._find(parent)
            for column, referenced in zip(foreign_key.columns, foreign_key.referenced, strict=True):
                if column in key.columns and not self._agree(leader, referenced):
                    token[key.columns.index(column)] = (leader, referenced)
        return tuple(token)

    def _bare(self, node: Node, key: UniqueKey) -> tuple[object, ...] | None:
        """The key's value as it is; ``None`` where a predicate leaves the row out."""
        held = self.rows(node).keys.get(key.name)
        return held[node.position] if held is not None else None

    def _agree(self, leader: Node, column: str) -> bool:
        """Whether all rows of an entity hold one value there: then it may stand for itself."""
        members = self._members.get(leader, ())
        return len({self.rows(node).values(node.position, (column,)) for node in members}) < 2

    def _close(self) -> None:
        changed = True
        while changed:
            changed = False
            for name in sorted(self.selected):
                changed |= self._unite(self.table(name))
        for name in sorted({node.table for node in self.gone}):
            self._lay_beside(self.table(name))

    def _lay_beside(self, table: Table) -> None:
        """Give rejected rows to the entity whose identity they carry, if there is one."""
        key = table.identity
        if key is None:
            return
        nodes = [node for node in self._nodes if node.table == table.name]
        # Those that are not gone come last, and count.
        held = {self.token(node, key): node for node in sorted(nodes, key=self._remains)}
        for node in self.gone.intersection(nodes):
            self._union(held[self.token(node, key)], node, key.name)

    def _remains(self, node: Node) -> bool:
        return node not in self.gone

    def _unite(self, table: Table) -> bool:
        changed = False
        replaced: set[Node] = set()
        hits: dict[Node, list[tuple[Node, str]]] = defaultdict(list)
        # Stable: the primary key stays first where it is the identity.
        for key in sorted(table.keys, key=lambda key: key is not table.identity):
            for sources, targets in self._alike(table.name, key, replaced):
                for node in sources[1:]:
                    changed |= self._union(sources[0], node, key.name)
                if key is table.identity:
                    for node in targets:
                        changed |= self._union(sources[0], node, key.name)
                    replaced.update(targets)
                else:
                    for node in targets:
                        hits[node].append((sources[0], key.name))
        for node, found in self._held_up(table, hits):
            leaders = {self._find(hit) for hit, _ in found}
            if len(leaders) > 1:
                self.contested.add(node)
            if self._find(node) not in leaders:
                claimant, name = self._claimant(node, found)
                changed |= self._union(claimant, node, name)
        return changed

    def _held_up(
        self, table: Table, hits: Mapping[Node, list[tuple[Node, str]]]
    ) -> Iterator[tuple[Node, list[tuple[Node, str]]]]:
        """The collisions that count, by the row of the target."""
        groups = self._groups(table)
        for node, found in hits.items():
            left = [hit for hit in found if not self._gives_up(table, hit[0], node, groups)]
            if len(left) < len(found):
                self.contested.add(node)
            if self.after is None or left:
                yield node, found if self.after is None else left

    def _groups(self, table: Table) -> Mapping[Node, list[Node]]:
        """The rows of the source that are one so far, by their leader."""
        groups: dict[Node, list[Node]] = defaultdict(list)
        for node in (n for n in self._nodes if n.table == table.name and n.side == SOURCE):
            groups[self._find(node)].append(node)
        return groups

    def _gives_up(
        self, table: Table, source: Node, target: Node, groups: Mapping[Node, list[Node]]
    ) -> bool:
        """Whether it merges, or may, into one which no key but the identity ties to ``target``.

        What it collides with is nobody's then: the survivor would not be found there again. A key
        that is made of columns of the identity has another value there, where these differ.
        """
        group = groups[self._find(source)]
        if table.identity is None or len(group) < 2:
            return False
        own = set(table.identity.columns)
        tying = [
            (key, [name for name in key.columns if name and name in own])
            for key in table.keys
            if key is not table.identity
        ]
        untied = [
            node
            for node in group
            if not any(
                self.token(node, key) is not None
                and all(self._has_same(node, target, name) for name in shared)
                for key, shared in tying
            )
        ]
        return source not in untied and any(self._is_seen(table, node) for node in untied)

    def _is_seen(self, table: Table, node: Node) -> bool:
        """Whether the target came to hold this row as it is, as far as is known."""
        if self.after is None or table.identity is None:
            return True
        row, rows = self.row(node).items(), self.after.tables[table.name]
        return any(row <= rows.row(place).items() for place in range(len(rows.rows)))

    def _alike(
        self, table: str, key: UniqueKey, replaced: set[Node]
    ) -> Iterator[tuple[list[Node], list[Node]]]:
        """Rows of the source with one value of ``key``, and the target's; never of it alone."""
        groups: dict[tuple[object, ...], tuple[list[Node], list[Node]]] = {}
        for side, snapshot in ((SOURCE, self.source), (TARGET, self.before)):
            for position in range(len(snapshot.tables[table].rows)):
                node = Node(table, side, position)
                token = None if node in replaced | self.gone else self.token(node, key)
                if token is not None:
                    groups.setdefault(token, ([], []))[side == TARGET].append(node)
        return (group for group in groups.values() if group[0])

    def _claimant(self, node: Node, found: list[tuple[Node, str]]) -> tuple[Node, str]:
        """Which of several rows of the source ``node`` becomes: the one that it did become."""
        table, after = self.table(node.table), self.after
        if len(found) == 1 or after is None or table.identity is None:
            return found[-1 if self._last else 0]
        columns = tuple(name for name in table.identity.columns if name)
        key, rows = self.rows(node).values(node.position, columns), after.tables[node.table]
        for place in range(len(rows.rows)):
            if rows.values(place, columns) == key:
                became = rows.row(place).items()
                return max(found, key=lambda hit: len(became & self.row(hit[0]).items()))
        return found[0]

    def _gather(self) -> list[Entity]:
        found: dict[Node, Entity] = {}
        for node in self._nodes:
            entity = found.setdefault(self._find(node), Entity(node.table))
            (entity.source if node.side == SOURCE else entity.target).append(node)
        return list(found.values())
