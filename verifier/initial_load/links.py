"""What leads to a row and may move with it: foreign keys, and references that are declared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from verifier.initial_load import pulled_apart
from verifier.initial_load.catalog import Catalog, Connection, ForeignKey, SoftReference
from verifier.initial_load.session import run
from verifier.initial_load.stage import Staged, family

MOST = 500
"""Moves that follow from one, where references share columns."""


@dataclass(slots=True)
class Before:
    """The rows that may move, as they were when the first of them did.

    Only where rows have several references over one column: the first that moves changes what
    the others are found by.
    """

    tables: Mapping[int, str]
    """By number of the staged table; empty: they are found where they are."""
    named: Mapping[int, str]
    """Likewise what each reference of a row named, where some share a column."""
    left: int = MOST
    """How many more may move; rows that pull each other to and fro never come to an end."""


@dataclass(frozen=True, slots=True)
class Link:
    """A foreign key, and a staged table that has it."""

    key: ForeignKey
    child: Staged
    before: Before


def links(catalog: Catalog, tables: list[Staged], parent: Staged, before: Before) -> list[Link]:
    """The :func:`references` to ``parent``, to be followed together, in this order.

    Those by more than its identity come last: the rest may follow from the others.
    """
    own = {column.name for column in parent.identity}
    found = [Link(key, child, before) for key, child in references(catalog, tables, parent)]
    return sorted(found, key=lambda link: not own.issuperset(link.key.references))


def declared(catalog: Catalog, tables: list[Staged], parent: Staged) -> list[SoftReference]:
    """The references to ``parent`` that only the operator declares."""
    return [one for one in catalog.references if parent in family(tables, one.parent)]


def may_move(catalog: Catalog, staged: Staged, column: str) -> bool:
    """Whether a merge can change the ``column`` of a staged row."""
    own = {each.name for each in staged.identity}
    tables = (staged.table.oid, staged.table.root)
    bound = {name for key in catalog.foreign_keys if key.child in tables for name in key.columns}
    soft = {one.column for one in catalog.references if one.child in tables}
    return column in own | bound | soft


def as_key(soft: SoftReference, child: Staged) -> ForeignKey:
    """A declared reference of one of its tables as if it were a foreign key, without a name."""
    ours, theirs = (soft.column,), (soft.key,)
    return ForeignKey("", child.table.oid, soft.parent, ours, theirs, False, False, False)


def kept(conn: Connection, catalog: Catalog, tables: list[Staged], parent: Staged) -> Before:
    """What may move with ``parent``'s rows, as it is."""
    found = _reached(catalog, tables, parent)
    children = {child.number: child for _, child in found}
    sharing = {no for no, child in children.items() if pulled_apart.sharing(catalog, child)}
    if not sharing and not any(_several(found, number) for number in children):
        return Before({}, {})
    held = {number: f"restore_held_{number}" for number in children}
    for number, child in children.items():
        run(
            conn,
            "DROP TABLE IF EXISTS pg_temp.{name};"
            "CREATE TEMP TABLE {name} ON COMMIT DROP AS SELECT c.* FROM {rows} c",
            name=held[number],
            rows=child.rows,
        )
    return Before(
        {number: f"pg_temp.{name}" for number, name in held.items()},
        {number: pulled_apart.note(conn, catalog, children[number]) for number in sharing},
    )


Renaming = dict[tuple[ForeignKey, int], Staged]
"""Foreign keys, each with the number of a table that has it → that table."""


def renaming(catalog: Catalog, tables: list[Staged]) -> Renaming:
    """The foreign keys by which rows can come to be called what others were called."""
    found: Renaming = {}
    for parent in tables:
        if len(parent.keys) > 1 or parent.local:
            for key, child in _reached(catalog, tables, parent):
                if key.name and (_makes_names(key, parent) or pulled_apart.sharing(catalog, child)):
                    found[key, child.number] = child
    return found


def misleading(
    catalog: Catalog, tables: list[Staged], renaming: Renaming
) -> list[tuple[ForeignKey, Staged]]:
    """The foreign keys by which rows without a parent could get one when other rows move.

    These are ``renaming``. And those by which the missing parents have none themselves, with the
    tables that have them, parents first.
    """
    found = dict(renaming)
    waiting = [staged for key, _ in found for staged in family(tables, key.parent)]
    while waiting:
        above = waiting.pop()
        for key in catalog.foreign_keys:
            if key.child == above.table.oid and (key, above.number) not in found:
                found[key, above.number] = above
                waiting += family(tables, key.parent)
    order = {staged.number: place for place, staged in enumerate(tables)}
    return [
        (key, child)
        for (key, number), child in sorted(found.items(), key=lambda each: order[each[0][1]])
        if set(key.columns) <= {column.name for column in child.given}
    ]


def _makes_names(key: ForeignKey, parent: Staged) -> bool:
    """Whether rows can come to be called by ``key`` what no row was before ``parent``'s moved.

    A row that merges has the identity of one that was there, and the rest from one that was there.
    """
    if parent not in family([parent], key.parent):
        return True
    own = {column.name for column in parent.identity}
    return not (own.issuperset(key.references) or own.isdisjoint(key.references))


def _several(found: list[tuple[ForeignKey, Staged]], number: int) -> bool:
    """Whether several of the references ``found`` share a column of a table."""
    names = [name for key, child in found if child.number == number for name in key.columns]
    return len(names) > len(set(names))


def _reached(
    catalog: Catalog, tables: list[Staged], parent: Staged
) -> list[tuple[ForeignKey, Staged]]:
    """The references that lead to ``parent`` by columns that may change, with their tables."""
    found: list[tuple[ForeignKey, Staged]] = []
    seen: set[tuple[ForeignKey, int]] = set()
    moving = {parent.number: set(parent.table.columns)}
    waiting = [parent]
    while waiting:
        above = waiting.pop()
        softly = [
            (as_key(soft, child), child)
            for soft in declared(catalog, tables, above)
            for child in family(tables, soft.child)
            if child.table.columns[soft.column] in child.given
        ]
        for key, child in (*references(catalog, tables, above), *softly):
            place = key, child.number
            if place in seen or moving[above.number].isdisjoint(key.references):
                continue
            seen.add(place)
            found.append((key, child))
            moving.setdefault(child.number, set()).update(key.columns)
            waiting.append(child)
    return found


def references(
    catalog: Catalog, tables: list[Staged], parent: Staged
) -> Iterator[tuple[ForeignKey, Staged]]:
    """Every foreign key that may point to ``parent``, with each staged table that has it."""
    present = {column.name for column in parent.columns}
    for key in catalog.foreign_keys:
        if parent in family(tables, key.parent) and set(key.references) <= present:
            for child in tables:
                names = {column.name for column in child.columns}
                if child.table.oid == key.child and set(key.columns) <= names:
                    yield key, child
