"""Rows that the target cannot take, and why."""

from __future__ import annotations

from collections.abc import Iterable

from verifier.model.breach import NotModelled
from verifier.model.keys import KeyValue, needed
from verifier.model.rules import Violation, of_row
from verifier.model.schema import Action, ForeignKey, Identity, Key, Row, Table
from verifier.model.state import (
    Entry,
    Rejected,
    State,
    column,
    identity,
    references,
)
from verifier.model.types import Kind, resolve

# --- rows by themselves -------------------------------------------------------------------


def misfits(state: State, table: Table) -> int:
    """Reject rows that break a rule of their own table: a type, NOT NULL, a check, all bounds."""
    rejected = 0
    for entry in list(state.entries[table.id]):
        broken = _broken(state, table, entry.row)
        if broken:
            rejected += state.reject([entry], broken[0].cause, [each.rule for each in broken])
    return rejected


def _broken(state: State, table: Table, row: Row) -> list[Violation]:
    found = list(of_row(state.known, table, row, state.unchecked, sure=True))
    for each, value in zip(table.stored, row, strict=True):
        kind = resolve(each.type, state.schema)
        if value is not None and kind.kind is Kind.ENUM and value not in kind.labels:
            found.append(Violation("the type has no such label", kind.name, table, row, each.name))
    return found


# --- references ---------------------------------------------------------------------------


def orphans(state: State, tables: Iterable[Table]) -> int:
    """Reject rows of ``tables`` without a parent, and those whose parents they were."""
    tables = tuple(tables)
    total = 0
    while True:
        found = sum(_orphans(state, table, key) for table in tables for key in references(table))
        total += found
        if not found:
            return total


def broken_references(state: State, entry: Entry) -> set[str]:
    """Names of the foreign keys by which a row would have no parent."""
    table, row = entry.table, entry.row
    return {
        key.name
        for key in references(table)
        if (cells := state.cells(table, key.columns, row)) and cells not in _parents(state, key)
    }


def _parents(state: State, key: ForeignKey) -> set[KeyValue | None]:
    """What rows of the backup can refer to by ``key``."""
    parent = state.schema.by_id[key.parent]
    return {
        state.cells(parent, key.references, row)
        for row in state.afterwards(parent)
        if (parent.id, row) not in state.doubted
    }


def _orphans(state: State, table: Table, key: ForeignKey) -> int:
    there = _parents(state, key)
    places = [table.places[name] for name in key.columns]
    rejected = 0
    for entry in list(state.entries[table.id]):
        missing = [entry.row[place] for place in places].count(None)
        if None not in (entry.start[place] for place in places) and missing:
            rejected += state.reject([entry], "what it refers to has no such value", [key.name])
            continue
        if key.full and 0 < missing < len(places):
            rejected += state.reject([entry], "only some of its columns are NULL", [key.name])
        elif not missing and state.cells(table, key.columns, entry.row) not in there:
            rejected += state.reject([entry], "has no parent", [key.name])
    return rejected


# --- rows that are decided ------------------------------------------------------------------


def unwritable(state: State, table: Table) -> int:
    """Reject rows that cannot become what was decided; the number of them."""
    rejected = _broken_since(state, table)
    rejected += _fixed(state, table)
    for key in state.keys(table):
        rejected += _handed_on(state, table, key)
    if state.options.strict_ids and not state.options.local_ids:
        rejected += _suspected(state, table)
    return rejected


def _broken_since(state: State, table: Table) -> int:
    """Reject rows that broke a rule of their own when they took over a key or a reference."""
    rejected = 0
    for survivor in list(state.survivors(table)):
        final = state.final(survivor)
        broken = _broken(state, table, final) if final != survivor.start else []
        if broken:
            rejected += state.reject([survivor], broken[0].cause, [each.rule for each in broken])
    return rejected


def _fixed(state: State, table: Table) -> int:
    """Reject changes of an identity column that is GENERATED ALWAYS and no key."""
    own = identity(table)
    always = [
        table.places[each.name]
        for each in table.stored
        if each.identity is Identity.ALWAYS and (own is None or each.name not in own.columns)
    ]
    hurt = [
        survivor
        for survivor, held, final in state.changes(table)
        if any(final[place] != held.row[place] for place in always)
    ]
    return state.reject(hurt, "a column that is GENERATED ALWAYS cannot be changed")


def _handed_on(state: State, table: Table, key: Key) -> int:
    """Reject changes that give a value of ``key`` to another row, if nothing can stand between.

    A deferrable key is checked at the end.
    """
    if key is identity(table) or key.deferrable or _has_room(state, table, key):
        return 0
    takers: dict[KeyValue, Entry] = {}
    changed = {survivor: held.row for survivor, held, _ in state.changes(table)}
    for survivor in state.survivors(table):
        value = state.value(table, key, state.final(survivor))
        if value is not None and (survivor.held is None or survivor in changed):
            takers[value] = survivor
    hurt = []
    for survivor, row in changed.items():
        value = state.value(table, key, row)
        if value is not None and takers.get(value, survivor) is not survivor:
            hurt.append(survivor)
    return state.reject(
        hurt, "another row takes over its key, and nothing can stand between", [key.name]
    )


def _has_room(state: State, table: Table, key: Key) -> bool:
    """Whether a column of ``key`` can hold a value in between that no row has."""
    own = identity(table)
    bound = {
        name
        for other in state.schema.tables
        for foreign in other.foreign_keys
        if foreign.parent == table.id
        for name in foreign.references
    }
    linked = {name for foreign in table.foreign_keys for name in foreign.columns}
    free = [
        each
        for each in table.stored
        if each.identity is not Identity.ALWAYS
        and each.name not in bound
        and each.name not in _whole(table)
        and not (own is not None and each.name in own.columns)
    ]
    nullable = {each.name for each in free if not needed(table, each.name, state.schema)}
    if key.nulls_distinct and nullable & set(key.columns):
        return True
    reads = frozenset().union(*(part.reads for part in key.parts))
    reads |= key.predicate.reads if key.predicate else frozenset()
    return any(
        resolve(each.type, state.schema).kind in (Kind.TEXT, Kind.CHAR, Kind.INTEGER, Kind.NUMERIC)
        or resolve(each.type, state.schema).name == "uuid"
        for each in free
        if each.name in reads and each.name not in linked
    )


def _whole(table: Table) -> set[str]:
    """Columns that may be NULL only together with others (MATCH FULL)."""
    full = (key for key in table.foreign_keys if key.full and len(key.columns) > 1)
    return {name for key in full for name in key.columns}


def _suspected(state: State, table: Table) -> int:
    """Reject rows that have a row's number and agree with it in no other unique key."""
    own = identity(table)
    if own is None or not any(
        column(table, name).identity is not Identity.NONE for name in own.columns
    ):
        return 0
    others = [key for key in state.keys(table) if key is not own]
    hurt = {
        survivor: held.row
        for survivor, held, final in state.changes(table)
        if not any(
            (value := state.value(table, key, final)) is not None
            and value == state.value(table, key, held.row)
            for key in others
        )
    }
    state.doubted |= {(table.id, row) for row in hurt.values()}
    reason = "has the number of a row of the target and nothing else in common"
    return state.reject(list(hurt), reason, [own.name])


# --- rows of the target that nobody overwrites ------------------------------------------------


def forsaking(state: State) -> list[Rejected]:
    """Changes of what rows of the target refer to that stay as they are, when all is decided."""
    reason = "rows of the target refer to what it would overwrite"
    found = []
    for child in state.schema.tables:
        for key in references(child):
            parent = state.schema.by_id[key.parent]
            there = {state.cells(parent, key.references, r) for r in state.afterwards(parent)}
            refers = {state.cells(child, key.columns, row) for row in state.staying(child)}
            left = refers - there - {None}
            hurt = [
                Rejected(survivor, reason, frozenset([key.name]))
                for survivor, held, _ in state.changes(parent)
                if state.cells(parent, key.references, held.row) in left
            ]
            if hurt and key.on_update is Action.CASCADE:
                raise NotModelled("rows that follow by CASCADE within a cycle")
            found += hurt
    return found
