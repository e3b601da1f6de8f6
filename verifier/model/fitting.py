"""Rows that the target cannot take, and why."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from verifier.model import handing_on, matching, numbering
from verifier.model.following import left, merely_follows, parent_of
from verifier.model.keys import KeyValue, identity
from verifier.model.rules import Violation, of_row
from verifier.model.schema import Action, ForeignKey, Identity, Row, Table, Value
from verifier.model.state import Entry, Rejected, State, column, references
from verifier.model.types import Kind, resolve

# --- rows by themselves -------------------------------------------------------------------


def unreadable(state: State, table: Table) -> None:
    """Reject rows with values that are none of their column's type."""
    for entry in list(state.entries[table.id]):
        broken = [each for each in _broken(state, table, entry.row) if each.about]
        if broken:
            state.reject([entry], broken[0].cause, [each.rule for each in broken])


def lost(state: State, tables: Iterable[Table]) -> int:
    """Reject rows whose parent merged into one without the value that they refer to.

    Not what refers to them: it may fit without them.
    """
    found = [
        (entry, key)
        for table in tables
        for key in references(table)
        for entry in state.entries[table.id]
        if _is_lost(key, entry)
    ]
    hurt = {entry for entry, _ in found}
    return sum(
        state.reject([entry], "what it refers to has no such value", [key.name])
        for entry, key in found
        if entry in state.entries[entry.table.id] and parent_of(state, key, entry) not in hurt
    )


def _is_lost(key: ForeignKey, entry: Entry) -> bool:
    places = [entry.table.places[name] for name in key.columns]
    named = None not in (entry.start[place] for place in places)
    return named and None in (entry.row[place] for place in places)


def misfits(state: State, table: Table) -> None:
    """Reject rows that break a rule of their own table: NOT NULL, a check, all bounds."""
    for entry in list(state.entries[table.id]):
        broken = _broken(state, table, entry.row)
        if broken:
            state.reject([entry], broken[0].cause, [each.rule for each in broken])


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
        found = sum(_orphans_of(state, table, tables) for table in tables)
        total += found
        if not found:
            return total


def lone(state: State) -> None:
    """Reject rows that name no row of either side, and those that name only these.

    What another row becomes is not what they named, though it may be called the same.
    """
    while True:
        found = 0
        for table in state.schema.tables:
            there = {key: _named(state, key) for key in references(table)}
            for entry in list(state.entries[table.id]):
                broken = [
                    key.name
                    for key in there
                    if state.cells(table, key.columns, entry.start) not in there[key]
                ]
                if broken:
                    others = (each.rule for each in _broken(state, table, entry.start))
                    found += state.reject([entry], "has no parent", {*broken, *others})
        if not found:
            return


def _named(state: State, key: ForeignKey) -> set[KeyValue | None]:
    """What rows that are not rejected are called before any of them moves, or nothing."""
    parent = state.schema.by_id[key.parent]
    rows = [held.row for held in state.held[parent.id]]
    rows += [entry.start for entry in state.entries[parent.id]]
    return {state.cells(parent, key.references, row) for row in rows} | {None}


def broken_references(state: State, rejected: Rejected) -> set[str]:
    """All foreign keys of which a row can be said to break them.

    Of a row that breaks other rules as well, those that are NULL in part, or lead to a
    rejected row: its children may be rejected at once.
    """
    entry, keys = rejected.entry, references(rejected.entry.table)
    orphan = rejected.constraints & {key.name for key in keys}
    unmet = [key for key in keys if orphan and _unmet(state, key, _parents(state, key), entry)]
    # Of references that share a column either may be the one that was followed.
    apart = {name for key in unmet if _strays(state, key, entry) for name in key.columns}
    return {
        key.name
        for key in keys
        if _is_disowned(state, key, entry)
        or state.cells(entry.table, key.columns, entry.start) not in _named(state, key)
        or key in unmet
        or _is_partial(key, entry)
        or not apart.isdisjoint(key.columns)
    }


def _parents(
    state: State, key: ForeignKey, undecided: Collection[Table] = ()
) -> set[KeyValue | None]:
    """What rows of the backup can refer to by ``key``.

    As long as tables are ``undecided``, no row of theirs in the target is overwritten.
    """
    parent = state.schema.by_id[key.parent]
    rows = list(state.afterwards(parent))
    if parent in undecided:
        rows += [held.row for held in state.held[parent.id]]
        rows += [entry.row for entry in state.entries[parent.id]]
    return {state.cells(parent, key.references, row) for row in rows}


def _orphans(state: State, table: Table, key: ForeignKey, undecided: Collection[Table] = ()) -> int:
    there = _parents(state, key, undecided)
    rejected = 0
    for entry in list(state.entries[table.id]):
        reason = _unmet(state, key, there, entry)
        if reason:
            rejected += state.reject([entry], reason, [key.name])
        elif _is_disowned(state, key, entry):
            rejected += state.reject([entry], "its parent is rejected", [key.name])
    return rejected


def _is_disowned(state: State, key: ForeignKey, entry: Entry) -> bool:
    """Whether it refers by its number to a rejected row, and numbers do not say what a row is."""
    above = state.schema.by_id[key.parent]
    own = identity(above)
    if not state.options.strict_ids or state.options.local_ids or not _is_numbered(above):
        return False
    if own is None or set(own.columns).isdisjoint(key.references):
        return False
    if parent_of(state, key, entry) in state.entries[key.parent]:
        return False
    meant = state.cells(entry.table, key.columns, entry.start)
    return meant is not None and any(
        state.cells(above, key.references, each.entry.start) == meant
        for each in state.rejected
        if each.entry.table is above
    )


def _unmet(state: State, key: ForeignKey, there: Collection[KeyValue | None], entry: Entry) -> str:
    """Why ``entry`` breaks ``key``, where the parents that are ``there`` are all; else nothing."""
    cells = state.cells(entry.table, key.columns, entry.row)
    if _is_lost(key, entry):
        return "what it refers to has no such value"
    if _is_partial(key, entry):
        return "only some of its columns are NULL"
    if cells is not None and (cells not in there or _strays(state, key, entry)):
        return "has no parent"
    return ""


def _is_partial(key: ForeignKey, entry: Entry) -> bool:
    """Whether it is ``MATCH FULL``, and NULL in part."""
    cells = {entry.row[entry.table.places[name]] is None for name in key.columns}
    return key.full and len(cells) > 1


def _strays(state: State, key: ForeignKey, entry: Entry) -> bool:
    """Whether it would name another row than in the backup: another reference moved a column.

    A row that takes over the identity of a row of the target refers by that to what it did.
    """
    others = [other for other in entry.table.foreign_keys if other is not key]
    if all(set(key.columns).isdisjoint(other.columns) for other in others):
        return False
    table, columns, row = _meant(state, key, entry, parent_of(state, key, entry))
    taken = state.taken(entry)
    return any(
        state.cells(table, [theirs], row) != state.cells(entry.table, [ours], entry.row)
        for ours, theirs in zip(key.columns, columns, strict=True)
        if ours not in taken
    )


def _meant(
    state: State, key: ForeignKey, entry: Entry, named: Entry | None
) -> tuple[Table, Sequence[str], Row]:
    """Where the values stand that it should have, as it ``named`` a row of the backup or none."""
    if named is None:
        return entry.table, key.columns, entry.start
    there = named in state.entries[named.table.id]
    row = state.final(named) if there else left(named)
    return named.table, key.references, row


# --- rows that are decided ------------------------------------------------------------------


def unwritable(state: State, tables: list[Table]) -> int:
    """Reject rows that cannot become what was decided; the number of them.

    Of one kind at a time: without those rows, others may become it.
    """
    kinds = [matching.outdated, _broken_since, _fixed, _mistaken, handing_on.reject, _orphans_of]
    return next(filter(None, (sum(kind(state, t) for t in tables) for kind in kinds)), 0)


def _orphans_of(state: State, table: Table, undecided: Collection[Table] = ()) -> int:
    return sum(_orphans(state, table, key, undecided) for key in references(table))


def _mistaken(state: State, table: Table) -> int:
    """Reject rows whose numbers somebody else has, or may have."""
    if state.options.local_ids:
        return numbering.reject_taken(state, table)
    return _suspected(state, table) if state.options.strict_ids else 0


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


def _suspected(state: State, table: Table) -> int:
    """Reject rows that have a row's number and agree with it in no other unique key."""
    own = identity(table)
    if own is None or not _is_numbered(table):
        return 0
    others = [key for key in state.keys(table) if key is not own]
    hurt = [
        survivor
        for survivor, held, final in state.changes(table)
        if not any(
            (value := state.value(table, key, final)) is not None
            and value == state.value(table, key, held.row)
            for key in others
        )
    ]
    reason = "has the number of a row of the target and nothing else in common"
    return state.reject(hurt, reason, [own.name])


def _is_numbered(table: Table) -> bool:
    """Whether a sequence makes its rows' identity, or a column of that."""
    own = identity(table)
    return own is not None and any(
        column(table, name).identity is not Identity.NONE for name in own.columns
    )


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
            found += hurt
            found += _respelling(state, child, key)
    return found


def _respelling(state: State, child: Table, key: ForeignKey) -> Iterator[Rejected]:
    """Changes of how a key is spelled (1.0, 1), where ON UPDATE minds and rows refer to it."""
    parent = state.schema.by_id[key.parent]
    places = [parent.places[name] for name in key.references]
    for survivor, held, final in (
        state.changes(parent) if key.on_update is not Action.NO_ACTION else ()
    ):
        cells = state.cells(parent, key.references, final)
        spelled = [final[place] for place in places]
        if cells is None or cells != state.cells(parent, key.references, held.row):
            continue
        if spelled != [held.row[place] for place in places] and _minds(
            state, child, key, cells, spelled
        ):
            reason = "rows refer to what it spells otherwise"
            yield Rejected(survivor, reason, frozenset([key.name]))


def _minds(
    state: State, child: Table, key: ForeignKey, cells: KeyValue, spelled: list[Value]
) -> bool:
    """Whether a row refers to ``cells`` that the server cannot just let be ``spelled`` so."""
    if not merely_follows(state, child, key):
        rows = [held.row for held in state.held[child.id]] + state.afterwards(child)
        return any(state.cells(child, key.columns, row) == cells for row in rows)
    own = identity(state.schema.by_id[key.parent])
    apart = own is not None and set(key.references) <= set(own.columns)
    for each in (each for each in state.survivors(child) if not each.stays):
        final = state.final(each)
        changed = apart and each.held is not None and each.held.row != final
        other = [final[child.places[name]] for name in key.columns] != spelled
        if (changed or other) and state.cells(child, key.columns, final) == cells:
            return True
    return False
