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

from verifier.oracle.catalog import ForeignKey
from verifier.oracle.collisions import constraint_of
from verifier.oracle.entities import SOURCE, TARGET, Entity, Node, Universe
from verifier.oracle.fitting import Clash, Excluded, Unfit
from verifier.oracle.handing import handed_over


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a source row cannot be restored."""

    reason: str
    constraint: str
    sql: str = ""


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
        return self.table in text and self.column in text


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


def obstacles(
    universe: Universe,
    unfit: Unfit,
    excluded: Excluded,
    excused: Mapping[Node, Obstacle] = MappingProxyType({}),
) -> dict[Node, Obstacle]:
    """Every source row that cannot be restored, with the reason; ``excused`` ones among them."""
    found: dict[Node, Obstacle] = {}
    for table, columns in unfit.items():
        for column, positions in columns.items():
            reason = f"the type of column {column} does not take its value"
            for position in positions:
                found[Node(table, SOURCE, position)] = Obstacle(reason, f"type of {column}")
    for entity in universe.entities:
        for node in entity.source:
            obstacle = _own_obstacle(universe, node)
            if entity.ambiguous:
                key = constraint_of(universe, entity)
                obstacle = Obstacle("it matches two different rows of the target", key)
            if obstacle:
                found[node] = obstacle
    found = {**excused, **_forsaken(universe, excused), **found}
    beside = {}
    for table, clashes in excluded.items():
        for clash in clashes:
            beside.update(_exclude(universe, found, table, clash))
    found = {**beside, **found}
    _spread(universe, found)
    return found


def _forsaken(universe: Universe, gone: Collection[Node]) -> dict[Node, Obstacle]:
    """Rows that would take from a row of the target, which is nobody else's, what it refers to."""
    found: dict[Node, Obstacle] = {}
    for child in (node for entity in universe.entities for node in entity.target):
        if any(node not in gone for node in universe.entity_of[child].source):
            continue
        for foreign_key in universe.parents[child.table]:
            parent = universe.parent(child, foreign_key)
            if foreign_key.cascades or parent is None or parent not in universe.entity_of:
                continue
            if not universe.keeps(parent, foreign_key):
                reason = f"a row of {child.table} in the target refers to what it would overwrite"
                members = universe.entity_of[parent].source
                found |= dict.fromkeys(members, Obstacle(reason, foreign_key.name))
    return found


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
        if None not in values and universe.is_overwritten(node, foreign_key):
            return Obstacle(
                f"its parent in {foreign_key.referred} is overwritten by another row",
                foreign_key.name,
            )
    return None


def hindered(universe: Universe) -> dict[Node, Obstacle]:
    """Rows that may be restored, or be rejected.

    Some have to be written at once with others (:mod:`handing`), and some only certain choices
    of survivors let in: a reference may lead to a survivor without the column that is referred
    to, or to one that the row's own table does not allow it to refer to.
    """
    found = {
        node: Obstacle(f"its {key} changes hands, and no value can be held in between", key)
        for node, key in handed_over(universe).items()
    }
    for entity in universe.entities:
        for node in entity.source:
            for foreign_key in universe.parents[node.table]:
                parent = universe.parent(node, foreign_key)
                family = universe.entity_of.get(parent) if parent is not None else None
                if family is None or len(family.source) + len(family.target) < 2:
                    continue
                if _may_lack(universe, family, foreign_key):
                    reason = f"a survivor of its parent in {foreign_key.referred} has no value"
                    found[node] = Obstacle(reason, foreign_key.name)
                elif universe.checked(node.table).intersection(foreign_key.columns):
                    reason = f"a check of {node.table} may refuse the survivor of its parent"
                    found[node] = Obstacle(reason, foreign_key.name)
    return found


def _may_lack(universe: Universe, family: Entity, foreign_key: ForeignKey) -> bool:
    rows = (universe.row(node) for node in (*family.source, *family.target))
    return any(row.get(name) is None for row in rows for name in foreign_key.referenced)


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
                if alone and not universe.is_in_target(node, foreign_key):
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
