"""References are to rows, not to values: they follow what their rows become.

A row of the backup refers to the row of the backup that its cells named there, else to a
row of the target. Where the one is merged, or gets another key, the cells get its new one;
through as many levels as there are, because a key may be made of references.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from verifier.model import pointing
from verifier.model.keys import KeyValue
from verifier.model.schema import Action, ForeignKey, Row, Table, Value
from verifier.model.state import Entry, State, put, references
from verifier.model.world import SoftReference

Parents = Mapping[KeyValue, Entry]


def follow(state: State, tables: Iterable[Table]) -> bool:
    """Let the rows of ``tables`` follow what they refer to; whether a row changed."""
    changed = False
    for table in tables:
        moves = [(key, _parents(state, key)) for key in references(table)]
        soft = [
            (each, _called(state, each))
            for each in state.options.references
            if each.table == table.id
        ]
        for entry in state.entries[table.id]:
            row = entry.start
            for key, parents in moves:
                row = put(table, row, _moved(state, key, parents, entry))
            for each, named in soft:
                now = entry.row
                row = put(table, row, pointing.moved(state.schema, each, entry.backup, now, named))
            row = put(table, row, state.taken(entry))
            changed = changed or row != entry.row
            entry.row = row
    return changed


def parent_of(state: State, key: ForeignKey, entry: Entry) -> Entry | None:
    """The row of the backup that ``entry`` refers to by ``key``, if it does to one."""
    return _parent(state, key, _parents(state, key), entry)


def _parent(state: State, key: ForeignKey, parents: Parents, entry: Entry) -> Entry | None:
    cells = state.cells(entry.table, key.columns, entry.start)
    return None if cells is None else parents.get(cells)


def _parents(state: State, key: ForeignKey) -> Parents:
    """The rows that ``key`` can refer to, by what they are called in the backup."""
    parent = state.schema.by_id[key.parent]
    found: dict[KeyValue, Entry] = {}
    # A rejected row is still what its children named when its own key follows its parents.
    gone = [each.entry for each in state.rejected if each.entry.table is parent]
    for entry in (*gone, *state.entries[parent.id]):
        cells = state.cells(parent, key.references, entry.start)
        if cells is not None and entry.begun is not None:
            found[cells] = entry
    return found


def _moved(state: State, key: ForeignKey, parents: Parents, entry: Entry) -> Mapping[str, Value]:
    """The cells of ``key`` that change, by column."""
    parent = _parent(state, key, parents, entry)
    if parent is None:
        return {}
    final = state.final(parent) if parent in state.entries[parent.table.id] else left(parent)
    moved = {}
    for ours, theirs in zip(key.columns, key.references, strict=True):
        before, after = (state.cells(parent.table, [theirs], r) for r in (parent.start, final))
        if before != after:  # equal ones keep their own spelling: 1.0 and 1.00
            moved[ours] = final[parent.table.places[theirs]]
    return moved


def left(parent: Entry) -> Row:
    """What a rejected row was called last: what became nothing is what it was."""
    begun = parent.begun or parent.start
    return tuple(was if now is None else now for was, now in zip(parent.start, begun, strict=True))


# --- rows of the target ---------------------------------------------------------------------


def merely_follows(state: State, child: Table, key: ForeignKey) -> bool:
    """Whether ON UPDATE CASCADE changes what no other rule of ``child`` looks at."""
    read = {name for other in child.keys for name in other.reads}
    read |= {name for check in child.checks for name in check.condition.reads}
    read |= {name for each in child.columns if each.generated for name in each.generated.reads}
    read |= {name for other in child.foreign_keys if other is not key for name in other.columns}
    read |= {child.partitioning.column} if child.partitioning else set()
    return key.on_update is Action.CASCADE and not read & set(key.columns)


def cascade(state: State) -> None:
    """Let rows of the target follow parents that change, where the server does it."""
    for child in state.schema.tables:
        for key in filter(partial(merely_follows, state, child), references(child)):
            parent = state.schema.by_id[key.parent]
            moves = {
                state.cells(parent, key.references, held.row): final
                for _, held, final in state.changes(parent)
                if state.cells(parent, key.references, final)
            }
            for held in state.held[child.id]:
                cells = state.cells(child, key.columns, held.row)
                final = moves.get(cells) if cells else None
                if final is None:
                    continue
                after = [final[parent.places[name]] for name in key.references]
                new = dict(zip(key.columns, after, strict=True))
                state.following[held] = put(child, state.now(held), new)


# --- references that no constraint declares ------------------------------------------------


def _called(state: State, soft: SoftReference) -> pointing.Named:
    """What a row is called now that was called a text in the backup, if ``soft`` can mean it."""
    by_name = {
        pointing.name_of(state.schema, soft, entry.backup): entry
        for entry in state.entries[soft.parent]
    }

    def named(text: str) -> str:
        if text not in by_name:
            return text
        return pointing.name_of(state.schema, soft, state.final(by_name[text]))

    return named
