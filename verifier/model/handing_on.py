"""Values of unique keys that pass from one row of the target to another (trap U11).

A key that is not deferrable is checked row by row, so a row whose value another one takes over
has to hold something else in between: NULL, or a value that no row has. Where no column of the
key can, the row is rejected.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from verifier.model.breach import NotModelled
from verifier.model.keys import KeyValue, needed
from verifier.model.rules import of_row
from verifier.model.schema import Column, Identity, Key, Row, Table
from verifier.model.state import Entry, State, column, identity, put, reads
from verifier.model.types import Kind, domain_of, resolve

_NUMBERS = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}
_DIGITS = re.compile(r"\((\d+)(?:, *(-?\d+))?\)")


def reject(state: State, table: Table) -> int:
    """Reject the rows of ``table`` that have nothing to hold in between; the number of them."""
    own = identity(table)
    keys = [key for key in state.keys(table) if key is not own and not key.deferrable]
    return sum(_reject(state, table, key) for key in keys)


def _reject(state: State, table: Table, key: Key) -> int:
    giving = _giving(state, table, key)
    if not giving or _has_room(state, table, key, list(giving.values())):
        return 0
    reason = "another row takes over its key, and nothing can stand between"
    return state.reject(list(giving), reason, [key.name])


def _giving(state: State, table: Table, key: Key) -> dict[Entry, Row]:
    """The rows that change, and whose present value of ``key`` another row gets."""
    changed = {survivor: held.row for survivor, held, _ in state.changes(table)}
    takers: dict[KeyValue, Entry] = {}
    for survivor in state.survivors(table):
        value = state.value(table, key, state.final(survivor))
        if value is not None and (survivor.held is None or survivor in changed):
            takers[value] = survivor
    giving = {}
    for survivor, row in changed.items():
        value = state.value(table, key, row)
        if value is not None and takers.get(value, survivor) is not survivor:
            giving[survivor] = row
    return giving


def _has_room(state: State, table: Table, key: Key, giving: list[Row]) -> bool:
    """Whether a column of ``key`` can hold a value in between that no row has."""
    free = list(_free(state, table))
    for each in free:
        null = each.name in key.columns and not needed(table, each.name, state.schema)
        if null and key.nulls_distinct and _may_be_null(state, table, each.name, giving):
            return True
    linked = {name for foreign in table.foreign_keys for name in foreign.columns}
    others = [each for each in free if each.name in _read(table, key) and each.name not in linked]
    others = [each for each in others if _has_strange_values(state, each)]
    if any(
        not _looked_at(state, table, each) and _ends_later(state, table, each) for each in others
    ):
        return True
    if others:
        raise NotModelled("which values a column can hold in between")
    return False


def _free(state: State, table: Table) -> Iterator[Column]:
    """The columns that an update may set, and that no reference depends on."""
    own = identity(table)
    bound = set(own.columns) if own else set()
    for other in state.schema.tables:
        for foreign in other.foreign_keys:
            bound.update(foreign.references if foreign.parent == table.id else ())
    for foreign in table.foreign_keys:
        # Together with others it may be NULL, alone it may not.
        bound.update(foreign.columns if foreign.full and len(foreign.columns) > 1 else ())
    for each in table.stored:
        if each.name not in bound and each.identity is not Identity.ALWAYS:
            yield each


def _read(table: Table, key: Key) -> set[str]:
    """The columns that ``key`` depends on, also through those that are generated."""
    names = set(reads(key))
    for each in table.columns:
        if each.generated is not None and each.name in names:
            names |= each.generated.reads
    return names


def _may_be_null(state: State, table: Table, name: str, giving: list[Row]) -> bool:
    """Whether all rows can be without a value of the column at once."""
    parked = [put(table, row, {name: None}) for row in giving]
    if any(any(of_row(state.known, table, row, sure=True)) for row in parked):
        return False
    staying = [held.row for held in state.held[table.id] if held.row not in giving]
    for key in (key for key in table.keys if name in _read(table, key) and not key.deferrable):
        values = [state.value(table, key, row) for row in (*parked, *staying)]
        known = [value for value in values if value is not None]
        if len(known) > len(set(known)):
            return False
    return True


def _has_strange_values(state: State, each: Column) -> bool:
    """Whether there are values of the column's type that nobody has."""
    type = resolve(each.type, state.schema)
    kinds = (Kind.TEXT, Kind.CHAR, Kind.INTEGER, Kind.NUMERIC)
    return (type.kind in kinds and type.name not in ("name", "oid")) or type.name == "uuid"


def _looked_at(state: State, table: Table, each: Column) -> bool:
    """Whether a rule may mind any value: of its domain, a check, a key that is no plain one."""
    looked = {name for check in table.checks for name in check.condition.reads}
    looked |= {name for one in table.columns if one.generated for name in one.generated.reads}
    looked |= {table.partitioning.column} if table.partitioning else set()
    for key in table.keys:
        looked |= reads(key) - set(key.columns)
        looked |= key.predicate.reads if key.predicate else set()
    return each.name in looked or domain_of(each.type, state.schema) is not None


def _ends_later(state: State, table: Table, each: Column) -> bool:
    """Whether the numbers of the column's type go on after those that are there."""
    type = resolve(each.type, state.schema)
    if type.kind not in (Kind.INTEGER, Kind.NUMERIC):
        return True
    place = table.places[each.name]
    rows = [held.row for held in state.held[table.id]]
    rows += [entry.row for entry in state.entries[table.id]]
    numbers = [float(row[place] or 0) for row in rows]
    digits = _DIGITS.search(each.type)
    end = float(_NUMBERS.get(column(table, each.name).type, "inf"))
    if digits:
        end = 10.0 ** (int(digits[1]) - int(digits[2] or 0))
    return max(numbers, default=0) + len(rows) + 1 < end
