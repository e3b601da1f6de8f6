"""What became of every source row: restored, merged, rejected or lost."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from verifier.contract import Row
from verifier.oracle.catalog import ForeignKey, Table
from verifier.oracle.diff import identity_of
from verifier.oracle.entities import Entity, Universe
from verifier.oracle.links import SOURCE, TARGET, Node
from verifier.oracle.obstacle import Obstacle
from verifier.oracle.snapshot import Snapshot, Values


@dataclass(slots=True)
class Settled:
    """What the target holds for one entity after the restore."""

    entity: Entity
    candidates: list[dict[str, str | None]] = field(default_factory=list)
    """Rows of the target that carry an identity of the entity; exactly one is right."""
    places: list[int] = field(default_factory=list)
    """Where they are among the rows of their table."""

    @property
    def survivor(self) -> dict[str, str | None] | None:
        return self.candidates[0] if len(self.candidates) == 1 else None


class Fates:
    """Finds each entity's survivor in the target after the restore.

    Parents are settled before children, so that a child is looked for under the
    identity that its parents really got.
    """

    def __init__(
        self, universe: Universe, after: Snapshot, obstacles: Mapping[Node, Obstacle]
    ) -> None:
        self.universe, self.after, self.obstacles = universe, after, obstacles
        self.settled: dict[int, Settled] = {}
        self._held: dict[str, dict[Values, int]] = {}
        self._by_table: dict[str, list[Entity]] = defaultdict(list)
        for entity in universe.entities:
            self._by_table[entity.table].append(entity)
        for name in self._parents_first():
            self._settle(universe.table(name))

    def of(self, node: Node) -> Settled | None:
        """``None`` for a table whose rows have no identity, or that is not part of the restore."""
        entity = self.universe.entity_of.get(node)
        return None if entity is None else self.settled.get(id(entity))

    def tables(self) -> list[Table]:
        return [self.universe.table(name) for name in sorted(self.universe.selected)]

    def entities(self, table: Table) -> list[Entity]:
        return self._by_table[table.name]

    def expected(self, node: Node) -> dict[str, str | None]:
        """The row as the target should hold it: references follow merged parents."""
        row = self.universe.row(node)
        for foreign_key in self.universe.parents[node.table]:
            for column, value in self._moved(node, foreign_key).items():
                row[column] = value
        return row

    def moved_columns(self, node: Node) -> dict[str, ForeignKey]:
        """The columns whose parent was merged into another row, with their foreign key."""
        return {
            column: foreign_key
            for foreign_key in self.universe.parents[node.table]
            for column in self._moved(node, foreign_key)
        }

    def identity(self, node: Node) -> Row:
        return identity_of(self.universe.table(node.table), self.expected(node))

    def is_itself(self, node: Node, survivor: Row) -> bool:
        """Whether ``survivor`` has the node's identity: one that is equal, however it prints."""
        table = self.universe.table(node.table)
        key = identity_of(table, survivor)
        own = (
            self.identity(node)
            if node.side == SOURCE
            else identity_of(table, self.universe.row(node))
        )
        if key == own:
            return True
        rows, identity = self.after.tables[table.name], table.identity
        if identity is None or identity.name not in rows.keys:
            return False
        place = self._held[table.name][tuple(key.values())]
        before = self.universe.rows(node).keys[identity.name][node.position]
        return rows.keys[identity.name][place] == before

    def _moved(self, node: Node, foreign_key: ForeignKey) -> dict[str, str | None]:
        parent = self.universe.parent(node, foreign_key)
        settled = self.of(parent) if parent is not None else None
        if parent is None or settled is None or settled.survivor is None:
            return {}
        names, rows = foreign_key.referenced, self.after.tables[foreign_key.parent]
        before = self.universe.rows(parent).reference(parent.position, names)
        after = rows.reference(settled.places[0], names)
        if node.side == TARGET:
            # What the server itself does to it (ON UPDATE CASCADE) minds how a key is spelled.
            before = self.universe.rows(parent).values(parent.position, names)
            after = rows.values(settled.places[0], names)
        return {
            column: settled.survivor.get(referenced)
            for column, referenced, old, new in zip(
                foreign_key.columns, names, before, after, strict=True
            )
            if old != new  # not of 1.0 and 1: a child of the source keeps what it has
        }

    def _parents_first(self) -> list[str]:
        """The tables after those whose rows' identities are part of their own.

        By other columns tables may refer to each other in a circle.
        """
        order: list[str] = []
        waiting = sorted(self.universe.selected)

        def visit(name: str, path: tuple[str, ...]) -> None:
            if name in order or name in path:
                return
            identity = self.universe.table(name).identity
            own = set(identity.columns if identity else ())
            for foreign_key in self.universe.parents[name]:
                inside = foreign_key.parent in self.universe.selected
                if inside and not own.isdisjoint(foreign_key.columns):
                    visit(foreign_key.parent, (*path, name))
            order.append(name)

        for name in waiting:
            visit(name, ())
        return order

    def _settle(self, table: Table) -> None:
        identity = table.identity
        if identity is None:
            return
        columns = tuple(name for name in identity.columns if name)
        rows = self.after.tables[table.name]
        held = {rows.values(place, columns): place for place in range(len(rows.rows))}
        self._held[table.name] = held
        for entity in self._by_table[table.name]:
            wanted = dict.fromkeys(
                tuple(self.expected(node).get(column) for column in columns)
                for node in (*entity.source, *entity.target)
            )
            places = [held[values] for values in wanted if values in held]
            self.settled[id(entity)] = Settled(entity, [*map(rows.row, places)], places)

    # -- tables without identity ---------------------------------------------------------

    def compared(self, table: Table) -> tuple[str, ...]:
        """The columns in which a row of the target can be held against its source row."""
        generated = {column.name for column in table.columns if column.generated}
        source = self.universe.source.tables[table.name].columns
        return tuple(name for name in table.names if name in source and name not in generated)

    def multiset(self, table: Table) -> tuple[Counter[Values], Counter[Values], Counter[Values]]:
        """For a table without identity: rows that should be there, that may be beside them, and
        that are there.

        Both by their compared columns only.

        A source row that the target already holds is the same row, so the number
        wanted of each is the larger of the two numbers, never the sum. But for rows that only
        came to equal one of the source because they followed their parent: those may be others.
        """
        rows = self.after.tables[table.name]
        columns = self.compared(table)
        present = Counter(rows.values(place, columns) for place in range(len(rows.rows)))
        by_side: dict[str, Counter[Values]] = {SOURCE: Counter(), TARGET: Counter()}
        followed: Counter[Values] = Counter()
        for entity in self._by_table[table.name]:
            members = [node for node in entity.source if node not in self.obstacles]
            side = SOURCE if members else TARGET
            forms = [self._form(node, columns) for node in members or entity.target]
            if len(forms) > 1:  # one of a colliding group: whichever the target kept
                forms = [next((form for form in forms if present[form]), forms[-1])]
            by_side[side].update(forms)
            if not entity.source:
                raw = [self.universe.row(node) for node in entity.target]
                held = {tuple(row.get(column) for column in columns) for row in raw}
                followed.update(form for form in forms if form not in held)
        return by_side[SOURCE] | by_side[TARGET], followed, present

    def _form(self, node: Node, columns: tuple[str, ...]) -> Values:
        row = self.expected(node)
        return tuple(row.get(column) for column in columns)
