"""Rows before a restore, and which rows they refer to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from verifier.oracle.catalog import ForeignKey
from verifier.oracle.snapshot import Snapshot, Values

SOURCE, TARGET, REJECTED = "source", "target", "rejected"


@dataclass(frozen=True, slots=True, order=True)
class Node:
    """One row before the restore: of the frozen source, or of the target."""

    table: str
    side: str
    position: int


class Links:
    """The references of ``nodes``; rows of the source that are ``gone`` come last as parents."""

    def __init__(
        self,
        source: Snapshot,
        before: Snapshot,
        selected: Collection[str],
        nodes: Collection[Node],
        gone: Collection[Node],
    ) -> None:
        self._sides = {SOURCE: source, TARGET: before}
        self._selected, self._gone = selected, gone
        self.parents: Mapping[str, list[ForeignKey]] = defaultdict(list)
        """The foreign keys of the target, by the table that has them."""
        for foreign_key in before.schema.foreign_keys:
            self.parents[foreign_key.child].append(foreign_key)
        self._directory: dict[tuple[str, str, tuple[str, ...]], dict[Values, Node]] = {}
        for foreign_key in before.schema.foreign_keys:
            self._index(foreign_key)
        self._of = {node: dict(self._follow(node)) for node in nodes}

    def of(self, node: Node) -> Mapping[str, Node]:
        """The rows that it refers to, by the name of the foreign key."""
        return self._of[node]

    def target(self, foreign_key: ForeignKey, values: Values) -> Node | None:
        """The row of the target that has these values of what ``foreign_key`` refers to."""
        place = (TARGET, foreign_key.referred, foreign_key.referenced)
        return self._directory.get(place, {}).get(values)

    def _index(self, foreign_key: ForeignKey) -> None:
        # A parent table that is not moved has only the rows that the target has.
        moved = foreign_key.parent in self._selected
        for side in (SOURCE, TARGET) if moved else (TARGET,):
            rows = self._sides[side].tables[foreign_key.parent]
            if not set(foreign_key.referenced) <= set(rows.columns):
                continue
            if (side, foreign_key.referred, foreign_key.referenced) in self._directory:
                continue
            inside = rows.inside.get(foreign_key.referred, range(len(rows.rows)))
            for of in (side, REJECTED) if side == SOURCE else (side,):
                self._directory[of, foreign_key.referred, foreign_key.referenced] = {}
            for position in sorted(inside):
                node = Node(foreign_key.parent, side, position)
                of = REJECTED if node in self._gone else side
                values = rows.reference(position, foreign_key.referenced)
                self._directory[of, foreign_key.referred, foreign_key.referenced][values] = node

    def _follow(self, node: Node) -> Iterator[tuple[str, Node]]:
        rows = self._sides[node.side].tables[node.table]
        for foreign_key in self.parents[node.table]:
            if not set(foreign_key.columns) <= set(rows.columns):
                continue
            values = rows.reference(node.position, foreign_key.columns)
            if None in values:
                continue  # refers to nothing, even if a parent's key is NULL as well
            for side in (SOURCE, TARGET, REJECTED) if node.side == SOURCE else (TARGET,):
                place = (side, foreign_key.referred, foreign_key.referenced)
                found = self._directory.get(place, {}).get(values)
                if found is not None:
                    yield foreign_key.name, found
                    break
