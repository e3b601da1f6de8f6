"""References are to rows, not to values: they follow what their rows become.

A row of the backup refers to the row of the backup that its cells named there, else to a
row of the target. Where the one is merged, or gets another key, the cells get its new one;
through as many levels as there are, because a key may be made of references.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from verifier.model.breach import NotModelled
from verifier.model.keys import KeyValue
from verifier.model.schema import Action, ForeignKey, Row, Table, Value
from verifier.model.state import Entry, State, column, identity, put, references
from verifier.model.types import Kind, resolve
from verifier.model.values import cast_to_text
from verifier.model.world import SoftReference

Parents = Mapping[KeyValue, Entry]


def follow(state: State, tables: Iterable[Table]) -> bool:
    """Let the rows of ``tables`` follow what they refer to; whether a row changed."""
    changed = False
    for table in tables:
        moves = [(key, _parents(state, key)) for key in references(table)]
        soft = [
            (each, _ids(state, each)) for each in state.options.references if each.table == table.id
        ]
        for entry in state.entries[table.id]:
            row = entry.start
            for key, parents in moves:
                row = put(table, row, _moved(state, key, parents, entry))
            for each, ids in soft:
                row = put(table, row, _moved_softly(state, each, ids, entry))
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
    places = [parent.table.places[name] for name in key.references]
    gone = parent not in state.entries[parent.table.id]
    final = (parent.begun or parent.start) if gone else state.final(parent)
    before, after = ([row[place] for place in places] for row in (parent.start, final))
    if (gone or parent.survivor is parent) and before == after:
        return {}  # its own spelling, of 1.0 and 1.00, stays
    return dict(zip(key.columns, after, strict=True))


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

_ELEMENT = re.compile(r'"(?:[^"\\]|\\.)*"|[^{},"]+', re.DOTALL)
_PLAIN = re.compile(r'[^\s{},"\\]+')


def _ids(state: State, soft: SoftReference) -> dict[str, Entry]:
    """The rows that ``soft`` can refer to, by the text of their key in the backup."""
    parent = state.schema.by_id[soft.parent]
    return {_key_text(state, soft, entry.backup): entry for entry in state.entries[parent.id]}


def _key_text(state: State, soft: SoftReference, row: Row) -> str:
    parent = state.schema.by_id[soft.parent]
    own = identity(parent)
    assert own is not None, "refused before (restore._unusable)"
    return _as_text(state, parent, own.columns[0], row) or ""


def _moved_softly(
    state: State, soft: SoftReference, ids: Mapping[str, Entry], entry: Entry
) -> Mapping[str, Value]:
    table = entry.table
    if soft.condition is not None:
        name, value = soft.condition
        if _as_text(state, table, name, entry.row) != value:
            return {}
    kind = resolve(column(table, soft.column).type, state.schema).kind
    if kind in (Kind.JSON, Kind.JSONB):
        raise NotModelled("references inside of json")

    def named(text: str) -> str:
        """What the row that is called ``text`` in the backup is called now."""
        return _key_text(state, soft, state.final(ids[text])) if text in ids else text

    cell = _as_text(state, table, soft.column, entry.backup)
    if cell is None:
        return {}
    new = _in_array(cell, named) if kind is Kind.ARRAY else named(cell)
    return {soft.column: new} if new != cell else {}


def _in_array(cell: str, named: Callable[[str], str]) -> str:
    """An array's text with every element renamed."""

    def element(found: re.Match[str]) -> str:
        text = found[0]
        if text.upper() == "NULL":
            return text
        old = re.sub(r"\\(.)", r"\1", text[1:-1] if text[0] == '"' else text, flags=re.DOTALL)
        new = named(old)
        return text if new == old else _element(new)

    bounds, equals, items = cell.rpartition("=") if cell.startswith("[") else ("", "", cell)
    return bounds + equals + _ELEMENT.sub(element, items)


def _element(value: str) -> str:
    """``value`` as an array's text has it (arrays.c, array_out)."""
    if _PLAIN.fullmatch(value) and value.upper() != "NULL":
        return value
    return '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'


def _as_text(state: State, table: Table, name: str, row: Row) -> Value:
    """A column's value, cast to ``text``."""
    return cast_to_text(column(table, name).type, state.schema, row[table.places[name]])
