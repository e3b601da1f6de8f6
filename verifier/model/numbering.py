"""Databases that numbered their rows on their own: numbers that a sequence made say nothing.

Such numbers, and every reference to them, are moved out of the way first, to where no number
of the target is. So they identify rows of the backup, and none of the target. A row that is
found by another key takes over the target's number, and a new one gets the next number.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from verifier.model.following import parent_of
from verifier.model.keys import identifies, identity
from verifier.model.schema import (
    ForeignKey,
    Identity,
    Row,
    Schema,
    Table,
)
from verifier.model.state import Entry, State, column, put, references
from verifier.model.types import Kind, resolve

AWAY = 1 << 62
"""What is added to a number that is to be out of the way."""
Place = tuple[str, str]
"""A table's id and a column's name."""


def detach(state: State) -> str:
    """Move the numbers of the backup out of the way; why that is not possible, if it is not."""
    schema = state.schema
    roots = _roots(state)
    problem = next(_problems(state, roots), "") or next(_crowded(state, roots), "")
    if problem:
        return problem
    state.moved = frozenset(roots)
    made = {table.id: _numbered(table) for table in schema.tables}
    state.local = {table: columns for table, columns in made.items() if columns}
    state.matchless = frozenset(
        key.name
        for table in schema.tables
        for key in table.keys
        if key is not identity(table) and any(_fed(table, name) for name in key.reads)
    )
    state.unchecked = frozenset(_unchecked(schema, roots))
    soft = {(each.table, each.column) for each in state.options.references}
    bound = {
        (table.id, c) for table in schema.tables for k in table.foreign_keys for c in k.columns
    }
    for table in schema.tables:
        moved = [
            each.name
            for each in table.stored
            if (table.id, each.name) in roots
            and ((table.id, each.name) in bound or (table.id, each.name) not in soft)
        ]
        for entry in state.entries[table.id]:
            entry.start = entry.row = put(table, entry.backup, _away(table, moved, entry.backup))
    return ""


def _unchecked(schema: Schema, roots: Collection[Place]) -> Iterator[str]:
    for table in schema.tables:
        for check in table.checks:
            if any((table.id, name) in roots for name in check.condition.reads):
                yield check.name
        if table.partitioning and (table.id, table.partitioning.column) in roots:
            yield table.id


def _away(table: Table, moved: Iterable[str], row: Row) -> dict[str, str]:
    cells = {name: row[table.places[name]] for name in moved if _refers(table, name, row)}
    return {name: str(int(cell) + AWAY) for name, cell in cells.items() if cell is not None}


def _refers(table: Table, name: str, row: Row) -> bool:
    """Whether the column holds a number of some row: half of a reference refers to nothing."""
    keys = [key for key in table.foreign_keys if name in key.columns]
    whole = (all(row[table.places[each]] is not None for each in key.columns) for key in keys)
    return not keys or any(whole)


def _is_away(row: Row, place: int) -> bool:
    value = row[place]
    return value is not None and value.isdigit() and int(value) >= AWAY // 2


def _fed(table: Table, name: str) -> bool:
    return column(table, name).identity is not Identity.NONE


def _numbered(table: Table) -> tuple[str, ...]:
    """The columns of the identity whose numbers a sequence makes; references are none."""
    own = identity(table)
    bound = {name for key in table.foreign_keys for name in key.columns}
    return tuple(
        name for name in (own.columns if own else ()) if _fed(table, name) and name not in bound
    )


def _roots(state: State) -> dict[Place, frozenset[Place]]:
    """For every column with such numbers where they are made."""
    schema = state.schema
    made = [(table.id, name) for table in schema.tables for name in _numbered(table)]
    roots = {place: frozenset([place]) for place in made}
    links = [
        ((table.id, ours), (key.parent, theirs))
        for table in schema.tables
        for key in table.foreign_keys
        for ours, theirs in zip(key.columns, key.references, strict=True)
    ]
    for soft in state.options.references:
        own = identity(schema.by_id[soft.parent])
        cell = column(schema.by_id[soft.table], soft.column)
        if own and resolve(cell.type, schema).kind in (Kind.INTEGER, Kind.NUMERIC):
            links.append(((soft.table, soft.column), (soft.parent, own.columns[0])))
    while True:
        before = dict(roots)
        for ours, theirs in links:
            if theirs in roots:
                roots[ours] = roots.get(ours, frozenset()) | roots[theirs]
        if roots == before:
            return roots


def _problems(state: State, roots: dict[Place, frozenset[Place]]) -> Iterator[str]:
    """Why rows of the backup's tables cannot be numbered or follow."""
    for table in (table for table in state.schema.tables if state.entries[table.id]):
        if any(len(roots.get((table.id, each.name), ())) > 1 for each in table.stored):
            yield "a column refers to two tables that number their rows each on its own"
        for key in table.foreign_keys:
            for ours, theirs in zip(key.columns, key.references, strict=True):
                if (table.id, ours) in roots and (key.parent, theirs) not in roots:
                    yield "a column refers to numbers that a sequence made and to others"


def _crowded(state: State, roots: Collection[Place]) -> Iterator[str]:
    """Numbers so large that those that are out of the way could not be told from them."""
    for table in (table for table in state.schema.tables if state.entries[table.id]):
        rows = [entry.backup for entry in state.entries[table.id]]
        rows += [held.row for held in state.held[table.id]]
        for each in (each for each in table.stored if (table.id, each.name) in roots):
            cells = [row[table.places[each.name]] for row in rows]
            if any(cell is not None and abs(int(cell)) >= AWAY // 2 for cell in cells):
                yield "a number is too large"


# --- rows without any key but their number ---------------------------------------------------


def unfindable(state: State, tables: Sequence[Table]) -> str:
    """Why declared references keep rows of one component from being found, if they do."""
    ids = {table.id for table in tables}
    for soft in state.options.references:
        own = identity(state.schema.by_id[soft.parent])
        moves = own is not None and (soft.parent, own.columns[0]) in state.moved
        inner = {soft.table, soft.parent} <= ids and moves
        if inner and _found_whole(state, state.schema.by_id[soft.table]):
            return "a declared reference keeps rows from being found again"
    return ""


def _found_whole(state: State, table: Table) -> bool:
    """Whether some rows have to be found as a whole."""
    others = [key for key in state.keys(table) if key is not identity(table)]
    return by_whole_rows(state, table) and any(
        all(state.value(table, key, entry.row) is None for key in others)
        for entry in state.entries[table.id]
    )


def by_whole_rows(state: State, table: Table) -> bool:
    """Whether a row may have nothing but its number that identifies it."""
    if not state.local.get(table.id):
        return False
    others = [key for key in state.keys(table) if key is not identity(table)]
    return not any(identifies(table, key) for key in others)


def reject_circular(state: State, tables: Sequence[Table]) -> int:
    """Reject rows that could not be found again, because they refer to each other in a circle.

    Each of them is known by its references only, and so are the rows that it refers to. To be
    asked once more when rows have merged: what merged may refer to itself.
    """
    waiting = {
        entry: _is_loose(state, table, entry, _inner(state, table, tables))
        for table in tables
        for entry in state.survivors(table)
        if _is_waiting(table, entry, _inner(state, table, tables))
    }
    while True:
        known = [
            entry
            for entry in waiting
            if not any(
                _waits(state, key, parent_of(state, key, entry), waiting, tables)
                for key in _inner(state, entry.table, tables)
            )
        ]
        if not known:
            break
        for entry in known:
            del waiting[entry]
    ordered = [e for table in tables for e in state.entries[table.id] if waiting.get(e)]
    return state.reject(ordered, "refers to itself in a circle and has no key but its number")


def _waits(
    state: State,
    key: ForeignKey,
    parent: Entry | None,
    waiting: Mapping[Entry, bool],
    tables: Sequence[Table],
) -> bool:
    """Whether what refers by ``key`` is not known as long as ``parent`` waits for its own.

    That is, if it cannot be found, or what it is referred to by is itself a reference.
    """
    if parent is None or parent.survivor not in waiting:
        return False
    moving = {name for each in _inner(state, parent.table, tables) for name in each.columns}
    return waiting[parent.survivor] or not moving.isdisjoint(key.references)


def _inner(state: State, table: Table, tables: Sequence[Table]) -> list[ForeignKey]:
    """References of local numbers within one component."""
    ids = {each.id for each in tables}
    return [
        key
        for key in references(table)
        if key.parent in ids and any((key.parent, name) in state.moved for name in key.references)
    ]


def _is_waiting(table: Table, entry: Entry, inner: list[ForeignKey]) -> bool:
    """Whether it refers to a number that means nothing here yet."""
    within = {name for key in inner for name in key.columns}
    return any(_is_away(entry.row, table.places[name]) for name in within)


def _is_loose(state: State, table: Table, entry: Entry, inner: list[ForeignKey]) -> bool:
    """Whether only its references can identify it."""
    within = {name for key in inner for name in key.columns}
    keys = [
        key
        for key in state.keys(table)
        if not key.reads & within and not (key is identity(table) and table.id in state.local)
    ]
    return all(state.value(table, key, entry.row) is None for key in keys)


# --- new numbers -----------------------------------------------------------------------------


def reject_taken(state: State, table: Table) -> int:
    """Reject rows whose number, which is no key of theirs, another row of the target has."""
    rejected = 0
    for key in (key for key in table.keys if key.name in state.matchless):
        for survivor in list(state.survivors(table)):
            value = state.value(table, key, state.final(survivor))
            hurt = any(
                held is not survivor.held and state.value(table, key, held.row) == value
                for held in state.held[table.id]
            )
            if value is not None and hurt:
                rejected += state.reject([survivor], "its number is taken", [key.name])
    return rejected


def number(state: State, table: Table) -> None:
    """Give the new rows the next numbers, in the order of the backup."""
    for name in state.local.get(table.id, ()):
        place = table.places[name]
        there = [int(held.row[place] or 0) for held in state.held[table.id]]
        following = max([0, *there]) + 1
        for entry in sorted(state.survivors(table), key=lambda entry: entry.number):
            if entry.held is None:
                entry.numbers = {**entry.numbers, name: str(following)}
                following += 1
