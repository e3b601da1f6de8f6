"""The rows of both sides before a restore: what they refer to, and which are one thing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from verifier.model.expressions import Ask
from verifier.model.keys import Keys, KeyValue, identity
from verifier.model.schema import ForeignKey, Row, Schema, Table


@dataclass(frozen=True, slots=True, order=True)
class Node:
    """A row before the restore."""

    table: str
    present: bool
    """Of the target, and not of the source."""
    place: int


class Matter:
    """The rows of both sides before a restore, and what they refer to."""

    def __init__(
        self,
        schema: Schema,
        source: Mapping[str, tuple[Row, ...]],
        present: Mapping[str, tuple[Row, ...]],
        ask: Ask,
    ) -> None:
        self.schema, self.keys = schema, Keys(schema, ask)
        self.rows = {
            Node(table.id, side is present, place): row
            for table in schema.tables
            for side in (source, present)
            for place, row in enumerate(side.get(table.id, ()))
        }
        self.nodes: dict[str, list[Node]] = {table.id: [] for table in schema.tables}
        for node in self.rows:
            self.nodes[node.table].append(node)
        self.identity = {table.id: identity(table) for table in schema.tables}
        self.tables = tuple(_parents_first(schema))
        self._held: dict[tuple[str, tuple[str, ...]], dict[KeyValue, list[Node]]] = {}

    def table(self, node: Node) -> Table:
        return self.schema.by_id[node.table]

    def source(self, table: str) -> list[Node]:
        return [node for node in self.nodes[table] if not node.present]

    def parents(self, node: Node, key: ForeignKey) -> list[Node]:
        """The rows that it may mean: the source's, then the target's; a row of the target only
        its own."""
        cells = self.keys.cells(self.table(node), key.columns, self.rows[node])
        if None in cells:
            return []
        place = key.parent, key.references
        if place not in self._held:
            self._held[place] = defaultdict(list)
            for parent in self.nodes[key.parent]:
                row = self.rows[parent]
                value = self.keys.cells(self.schema.by_id[key.parent], key.references, row)
                self._held[place][value].append(parent)
        found = self._held[place].get(cells, [])
        return [parent for parent in found if parent.present or not node.present]

    def refers(self, node: Node, key: ForeignKey) -> bool:
        row, places = self.rows[node], self.table(node).places
        return all(row[places[column]] is not None for column in key.columns)

    def name(self, table: str, row: Row) -> KeyValue | None:
        """The value of the table's identity; ``None`` where it has none."""
        key = self.identity[table]
        return self.keys.value(self.schema.by_id[table], key, row) if key else None


@dataclass(eq=False)
class Thing:
    """All rows that are one thing."""

    table: Table
    source: list[Node] = field(default_factory=list)
    present: list[Node] = field(default_factory=list)
    ties: frozenset[str] = frozenset()
    """Names of the keys on which they collide."""


def _parents_first(schema: Schema) -> list[Table]:
    """Tables in the order in which rows can be followed; a circle is cut somewhere."""
    order: list[Table] = []

    def visit(table: Table, path: tuple[Table, ...]) -> None:
        if table in order or table in path:
            return
        for key in table.foreign_keys:
            visit(schema.by_id[key.parent], (*path, table))
        order.append(table)

    for table in schema.tables:
        visit(table, ())
    return order


def with_identity(thing: Thing, row: Row, matter: Matter) -> Row:
    """``row`` under the identity that the target's row has."""
    key = matter.identity[thing.table.id]
    if key is None:
        return row
    own = {thing.table.places[column] for column in key.columns}
    kept = matter.rows[thing.present[0]]
    return tuple(kept[place] if place in own else value for place, value in enumerate(row))
