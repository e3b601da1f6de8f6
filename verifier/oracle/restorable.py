"""Which source rows the target can take at all.

A row that breaks a rule of the target (its parent exists nowhere, a NOT NULL column
is NULL, a check is false, a type refuses a value, it matches two different target rows)
cannot be restored by anybody; it has to be rejected by name, and so has everything that
depends on it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from verifier.oracle.collisions import constraint_of
from verifier.oracle.entities import Universe
from verifier.oracle.fitting import Clash, Excluded, Unfit
from verifier.oracle.forsaking import forsaking
from verifier.oracle.links import SOURCE, TARGET, Node
from verifier.oracle.naming import stands_in
from verifier.oracle.obstacle import Obstacle


@dataclass(frozen=True, slots=True)
class Gap:
    """A table or a column that one side has and the other cannot do without."""

    table: str
    """Without its schema."""
    column: str
    """Empty for a whole table."""
    sentence: str

    def named_in(self, text: str) -> bool:
        """Whether ``text`` names the table and the column."""
        return stands_in(self.table, text) and stands_in(self.column, text)


def gaps(universe: Universe) -> list[Gap]:
    """What the target lacks for the source's data, or demands beyond it."""
    found = []
    for name, rows in sorted(universe.source.tables.items()):
        source = universe.source.schema.tables[name]
        if not rows.rows or (name in universe.schema.tables and name not in universe.selected):
            continue
        if name not in universe.schema.tables:
            found.append(Gap(source.relname, "", f"table {name} does not exist in the target"))
            continue
        theirs = {column.name: column for column in universe.table(name).columns}
        for lost in source.names:
            if lost not in theirs:
                sentence = f"column {lost} of {name} does not exist in the target"
                found.append(Gap(source.relname, lost, sentence))
        for column in theirs.values():
            filled = column.has_default or column.generated or not column.not_null
            if column.name not in source.names and not filled:
                sentence = f"column {column.name} of {name} is NOT NULL and not in the source"
                found.append(Gap(source.relname, column.name, sentence))
    return found


def settle(
    universe: Universe,
    unfit: Unfit,
    excluded: Excluded,
    excused: Mapping[Node, Obstacle] = MappingProxyType({}),
) -> tuple[Universe, dict[Node, Obstacle]]:
    """Every source row that cannot be restored, with the reason; ``excused`` ones among them.

    And the universe without them: what a rejected row would have taken from a row of the target
    stays there, and may be what another row of the source collides with.
    """
    found: dict[Node, Obstacle] = dict(excused)
    universe = universe.without(frozenset(found))
    while True:
        fresh = (
            _unfit_alone(universe, unfit, excluded, found)
            or _overwritten(universe, found)
            or _torn(universe, found)
        )
        if not fresh:
            return universe, found
        found |= fresh
        universe = universe.without(frozenset(found))


def _unfit_alone(
    universe: Universe, unfit: Unfit, excluded: Excluded, known: Mapping[Node, Obstacle]
) -> dict[Node, Obstacle]:
    """Rows that break a rule of the target, and what depends on them, but for those ``known``."""
    found: dict[Node, Obstacle] = {}
    for table, columns in unfit.items():
        for column, positions in columns.items():
            reason = f"the type of column {column} does not take its value"
            for position in positions:
                found[Node(table, SOURCE, position)] = Obstacle(reason, f"type of {column}")
    for entity in universe.entities:
        for node in entity.source:
            obstacle = _own_obstacle(universe, node)
            if obstacle:
                found[node] = obstacle
    found = {**_forsaken(universe), **found, **known}
    beside = {}
    for table, clashes in excluded.items():
        for clash in clashes:
            beside.update(_exclude(universe, found, table, clash))
    found = {**beside, **found}
    _spread(universe, found)
    return {node: found[node] for node in found if node not in known}


def _overwritten(universe: Universe, known: Collection[Node]) -> dict[Node, Obstacle]:
    """Rows whose parent is a row of the target that another row is written over."""
    return {
        node: Obstacle(
            f"its parent in {foreign_key.referred} is overwritten by another row",
            foreign_key.name,
        )
        for entity in universe.entities
        for node in entity.source
        if node not in known
        for foreign_key in universe.parents[node.table]
        if universe.is_overwritten(node, foreign_key)
    }


def _torn(universe: Universe, known: Collection[Node]) -> dict[Node, Obstacle]:
    """Rows that match two different rows of the target, first of tables above all others.

    What the rows of a table match depends on what becomes of the rows that they refer to.
    """
    torn = [entity for entity in universe.entities if entity.ambiguous]
    tables = {entity.table for entity in torn}
    highest = {name for name in tables if not tables & (_above(universe, name) - {name})}
    return {
        node: Obstacle(
            "it matches two different rows of the target", constraint_of(universe, entity)
        )
        for entity in torn
        if entity.table in (highest or tables)
        for node in entity.source
        if node not in known
    }


def _above(universe: Universe, table: str) -> set[str]:
    """The tables that ``table`` refers to, directly or not."""
    found, waiting = set[str](), [table]
    while waiting:
        parents = {key.parent for key in universe.parents[waiting.pop()]} - found
        found |= parents
        waiting += parents
    return found


def _forsaken(universe: Universe) -> dict[Node, Obstacle]:
    """Rows of :func:`forsaking` that are the row of the target by themselves.

    Without them, those that merge with them are rows of their own.
    """
    return {
        node: obstacle
        for node, (obstacle, target) in forsaking(universe).items()
        if any(
            universe.token(node, key) == universe.token(target, key) is not None
            for key in universe.table(node.table).keys
        )
    }


def _exclude(
    universe: Universe, found: Collection[Node], table: str, clash: Clash
) -> dict[Node, Obstacle]:
    """Of two rows of the source, both; or the one that a row of the target leaves no room."""
    one, other = (
        Node(table, TARGET if of_target else SOURCE, position)
        for of_target, position in (clash.one, clash.other)
    )
    if one.side == TARGET or universe.entity_of[one] is universe.entity_of[other]:
        return {}
    if other.side == TARGET:
        gone = any(node not in found for node in universe.entity_of[other].source)
        reason = f"{clash.constraint} excludes it beside a row that stays"
        return {} if gone else {one: Obstacle(reason, clash.constraint)}
    if one in found or other in found:
        return {}
    reason = f"{clash.constraint} excludes it beside another row of the source"
    return dict.fromkeys((one, other), Obstacle(reason, clash.constraint))


def _own_obstacle(universe: Universe, node: Node) -> Obstacle | None:
    table, rows = universe.table(node.table), universe.rows(node)
    row = rows.row(node.position)
    for column in table.columns:
        if column.not_null and column.name in row and row[column.name] is None:
            return Obstacle(f"column {column.name} is NULL", f"NOT NULL {column.name}")
    for check, positions in rows.refused.items():
        if node.position in positions:
            return Obstacle(f"check {check} is false", check)
    for foreign_key in universe.parents[node.table]:
        if not set(foreign_key.columns) <= set(row):
            continue
        values = [row[column] for column in foreign_key.columns]
        if foreign_key.full and None in values and values != [None] * len(values):
            return Obstacle(
                f"its reference to {foreign_key.referred} is NULL in part", foreign_key.name
            )
        if None not in values and universe.parent(node, foreign_key) is None:
            return Obstacle(
                f"its parent in {foreign_key.referred} does not exist", foreign_key.name
            )
    return None


def _spread(universe: Universe, found: dict[Node, Obstacle]) -> None:
    """Children of rows that cannot be restored cannot be restored either."""
    changed = True
    while changed:
        changed = False
        for node in (n for entity in universe.entities for n in entity.source):
            if node in found:
                continue
            for foreign_key in universe.parents[node.table]:
                parent = universe.parent(node, foreign_key)
                if parent is None or parent.side != SOURCE or parent not in found:
                    continue
                entity = universe.entity_of[parent]
                alone = all(member in found for member in entity.source)
                there = universe.is_in_target(node, foreign_key)
                if alone and not (there or universe.is_at_hand(parent, foreign_key)):
                    found[node] = Obstacle(
                        f"its parent in {foreign_key.referred} cannot be restored",
                        foreign_key.name,
                    )
                    changed = True
                    break


def downstream(universe: Universe, found: Collection[Node]) -> set[Node]:
    """The rows that refer, directly or not, to one of ``found``.

    Where another row survives for the parent, or the target has one of that key, such a
    row may as well be restored as be rejected with its parent.
    """
    below: set[Node] = set()
    grown = True
    while grown:
        grown = False
        for node in (n for entity in universe.entities for n in entity.source if n not in below):
            parents = (universe.parent(node, key) for key in universe.parents[node.table])
            if any(parent in found or parent in below for parent in parents):
                below.add(node)
                grown = True
    return below
