"""Rows of the source that would take from rows of the target what those refer to."""

from __future__ import annotations

from verifier.oracle.catalog import ForeignKey
from verifier.oracle.entities import Universe
from verifier.oracle.links import Node
from verifier.oracle.obstacle import Obstacle


def forsaking(universe: Universe, *, loosely: bool = False) -> dict[Node, tuple[Obstacle, Node]]:
    """Rows that would take from a row of the target, which is nobody else's, what it refers to.

    With the row of the target that they would write over. ``loosely``: also those that would if
    they survive, and from a row without identity, which is one with others only once it has
    followed.
    """
    found: dict[Node, tuple[Obstacle, Node]] = {}
    for child in (node for entity in universe.entities for node in entity.target):
        nobodys = loosely and universe.table(child.table).identity is None
        if universe.live(universe.entity_of[child]) and not nobodys:
            continue
        for foreign_key in universe.parents[child.table]:
            parent = universe.parent(child, foreign_key)
            if parent is None or parent not in universe.entity_of:
                continue
            if foreign_key.cascades and not (loosely and _is_read(universe, foreign_key)):
                continue
            if not universe.keeps(parent, foreign_key, surely=loosely):
                reason = f"a row of {child.table} in the target refers to what it would overwrite"
                members = universe.live(universe.entity_of[parent])
                found |= dict.fromkeys(members, (Obstacle(reason, foreign_key.name), parent))
    return found


def _is_read(universe: Universe, foreign_key: ForeignKey) -> bool:
    """Whether a unique key of the child looks at what would follow: it may then collide."""
    keys = universe.table(foreign_key.child).keys
    return any(not set(key.columns).isdisjoint(foreign_key.columns) for key in keys)
