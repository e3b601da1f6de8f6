"""Rows of the source that may be restored or rejected: the contract leaves it open."""

from __future__ import annotations

import re
from collections.abc import Iterator

from verifier.oracle.catalog import ForeignKey, Table, UniqueKey
from verifier.oracle.entities import Entity, Universe
from verifier.oracle.forsaking import forsaking
from verifier.oracle.links import SOURCE, TARGET, Node
from verifier.oracle.naming import stands_in
from verifier.oracle.obstacle import Obstacle

_ENDLESS = re.compile(r"(text|character varying|uuid|smallint|integer|bigint|numeric)$")
"""Types that always have one more value."""


def hindered(universe: Universe) -> dict[Node, Obstacle]:
    """Rows that may be restored, or be rejected.

    Some have to be written at once with others, and some only certain choices of survivors let
    in: a reference may lead to a survivor without the column that is referred to, or to one
    that the row's own table does not allow it to refer to.
    """
    found = {
        node: Obstacle(f"its {key} changes hands, and no value can be held in between", key)
        for node, key in _handed_over(universe).items()
    }
    found |= {node: obstacle for node, (obstacle, _) in forsaking(universe, loosely=True).items()}
    found |= _respelling(universe)
    found |= _numbered_otherwise(universe)
    found |= _out_of_place(universe)
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
                elif _may_move(universe, family, foreign_key) & universe.checked(node.table):
                    reason = f"a check of {node.table} may refuse the survivor of its parent"
                    found[node] = Obstacle(reason, foreign_key.name)
                elif other := _pulled_apart(universe, node, family, foreign_key):
                    reason = f"it shares a column with {other}, which may not follow"
                    found[node] = Obstacle(reason, foreign_key.name)
                elif entity.target and _is_named_by(universe, node, family, foreign_key):
                    reason = f"a row of {node.table} in the target is named by what would move"
                    obstacle = Obstacle(reason, foreign_key.name)
                    found |= dict.fromkeys((node, *family.source), obstacle)
    return found


def _respelling(universe: Universe) -> dict[Node, Obstacle]:
    """Rows that spell a key of the target otherwise (1.0, 1), which rows refer to.

    Any action ``ON UPDATE`` takes that for a change of the key.
    """
    found = {}
    for child in universe.entity_of:
        for foreign_key in universe.parents[child.table]:
            parent = universe.parent(child, foreign_key) if foreign_key.acts else None
            family = universe.entity_of.get(parent) if parent is not None else None
            if family is None or not family.target:
                continue
            reason = f"rows of {child.table} refer to what it spells otherwise"
            obstacle = Obstacle(reason, foreign_key.name)
            held = family.target[0]
            respelled = (n for n in family.source if _is_respelled(universe, n, held, foreign_key))
            found.update(dict.fromkeys(respelled, obstacle))
    return found


def _is_respelled(universe: Universe, node: Node, held: Node, foreign_key: ForeignKey) -> bool:
    """Whether two rows have equal values of what is referred to, and print them differently."""
    own, other = (
        [universe.row(each).get(name) for name in foreign_key.referenced] for each in (node, held)
    )
    referred = set(foreign_key.referenced)
    keys = [key for key in universe.table(node.table).keys if set(key.columns) == referred]
    return own != other and any(
        universe.rows(node).keys[key.name][node.position]
        == universe.rows(held).keys[key.name][held.position]
        for key in keys
        if key.name in universe.rows(node).keys and key.name in universe.rows(held).keys
    )


def _numbered_otherwise(universe: Universe) -> dict[Node, Obstacle]:
    """Rows with another number than the target's, where it is GENERATED ALWAYS and no key."""
    found = {}
    for entity in (entity for entity in universe.entities if entity.target):
        table = universe.table(entity.table)
        own = table.identity.columns if table.identity else ()
        for name in (c.name for c in table.columns if c.always and c.name not in own):
            held = universe.row(entity.target[0]).get(name)
            obstacle = Obstacle(f"{name} is GENERATED ALWAYS and cannot be changed", name)
            others = (node for node in entity.source if universe.row(node).get(name) != held)
            found.update(dict.fromkeys(others, obstacle))
    return found


def _out_of_place(universe: Universe) -> dict[Node, Obstacle]:
    """Rows that get another value of a unique key with the identity of the target's row."""
    found = {}
    for entity in (entity for entity in universe.entities if entity.target):
        table, held = universe.table(entity.table), universe.row(entity.target[0])
        own = set(table.identity.columns if table.identity else ())
        for key in (key for key in table.keys if key is not table.identity):
            shared = {name for name in key.columns if name and name in own}
            obstacle = Obstacle(f"another row may have {key.name} under the target's key", key.name)
            for node in entity.source:
                row = universe.row(node)
                if any(row.get(name) != held.get(name) for name in shared):
                    found[node] = obstacle
    return found


def _is_named_by(universe: Universe, node: Node, family: Entity, foreign_key: ForeignKey) -> bool:
    """Whether the row's identity is made of what a row of the target would give up.

    A row of the target keeps its own identity, and its parent what its identity is made of.
    """
    identity = universe.table(node.table).identity
    above = universe.table(family.table).identity
    kept = above.columns if above is not None else ()
    moving = _may_move(universe, family, foreign_key)
    pairs = zip(foreign_key.columns, foreign_key.referenced, strict=True)
    given_up = {column for column, name in pairs if column in moving and name not in kept}
    return identity is not None and not given_up.isdisjoint(identity.columns)


def _pulled_apart(
    universe: Universe, node: Node, family: Entity, foreign_key: ForeignKey
) -> str | None:
    """Another reference of ``node`` that shares a column which moves, and leads elsewhere.

    One whose parent refers to the same ``family`` by that column moves along.
    """
    moving = _may_move(universe, family, foreign_key)
    for other in universe.parents[node.table]:
        shared = moving.intersection(other.columns)
        parent = universe.parent(node, other) if other is not foreign_key and shared else None
        if parent is None or universe.entity_of.get(parent) is family:
            continue
        named = dict(zip(other.columns, other.referenced, strict=True))
        along = {
            column
            for above in universe.parents[parent.table]
            for column in shared
            if named[column] in above.columns
            and universe.entity_of.get(universe.parent(parent, above) or parent) is family
        }
        if shared - along:
            return other.name
    return None


def _may_move(universe: Universe, family: Entity, foreign_key: ForeignKey) -> set[str]:
    """The columns that lead to other values of the parent, if another row survives for it."""
    rows = [universe.row(node) for node in (*family.source, *family.target)]
    pairs = zip(foreign_key.columns, foreign_key.referenced, strict=True)
    return {column for column, name in pairs if len({row.get(name) for row in rows}) > 1}


def _may_lack(universe: Universe, family: Entity, foreign_key: ForeignKey) -> bool:
    rows = (universe.row(node) for node in (*family.source, *family.target))
    return any(row.get(name) is None for row in rows for name in foreign_key.referenced)


def _handed_over(universe: Universe) -> dict[Node, str]:
    """Rows between which a unique key changes hands with nothing to hold in between; the key.

    Row after row can only be written where a row can let go of its value before another one
    takes it over: by a NULL or a value that nobody has, or under a constraint that is looked at
    later.
    """
    return {
        node: key.name
        for table in map(universe.table, sorted(universe.selected))
        for key in table.keys
        if not _can_let_go(universe, table, key)
        for taker, holder in _takers(universe, table, key)
        for node in (taker, *universe.live(universe.entity_of[holder]))
    }


def _can_let_go(universe: Universe, table: Table, key: UniqueKey) -> bool:
    """Whether a row may be without its value of ``key`` for a while."""
    if key.deferrable:
        return True
    bound = set(table.identity.columns) if table.identity else set()
    for foreign_key in universe.schema.foreign_keys:
        bound.update(foreign_key.referenced if foreign_key.parent == table.name else ())
    for foreign_key in universe.parents[table.name]:
        # Together with others it may be NULL, alone it may not.
        bound.update(foreign_key.columns if foreign_key.full else ())
    free = [
        column
        for column in table.columns
        if column.name in key.columns and column.name not in bound and not column.generated
    ]
    # Where all NULLs are one, others may have it.
    single = {name for one in table.keys if not one.nulls_distinct for name in one.columns}
    checked = universe.checked(table.name)
    if key.nulls_distinct and any(
        not column.not_null and column.name not in single | checked for column in free
    ):
        return True
    read = {name for foreign_key in universe.parents[table.name] for name in foreign_key.columns}
    # What two keys read may collide in the other one (its length, its lower case).
    made = [
        part
        for one in table.keys
        for name, part in zip(one.columns, one.definitions, strict=True)
        if name is None
    ]
    read |= {column.name for column in free if any(stands_in(column.name, one) for one in made)}
    read |= checked
    return any(_ENDLESS.match(column.type) and column.name not in read for column in free)


def _takers(universe: Universe, table: Table, key: UniqueKey) -> Iterator[tuple[Node, Node]]:
    """Rows of the source with the value of a row of the target that becomes something else."""
    nodes = [n for n in universe.entity_of if n.table == table.name and n not in universe.gone]
    held = {universe.token(node, key): node for node in nodes if node.side == TARGET}
    for node in nodes:
        token = universe.token(node, key) if node.side == SOURCE else None
        holder = held.get(token) if token is not None else None
        if holder is not None and universe.entity_of[holder] is not universe.entity_of[node]:
            yield node, holder
