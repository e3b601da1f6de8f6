"""Values of unique keys that pass from one row of the target to another (trap U11).

A key that is not deferrable is checked row by row, so a row whose value another one takes over
has to hold something else in between: NULL, or a value that no row has. Where no column of the
key can, the row is rejected.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import partial
from uuid import UUID

from verifier.model.keys import KeyValue, identity, needed
from verifier.model.rules import of_row
from verifier.model.schema import Column, Identity, Key, Row, Table, Value, column
from verifier.model.state import Entry, State, put
from verifier.model.types import Kind, Type, domain_of, resolve
from verifier.model.values import number

_NUMBERS = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}
_DIGITS = re.compile(r"\((\d+)(?:, *(-?\d+))?\)")
_ENOUGH, _HASHED = 20, 33
"""Characters that make a hash one of its own, and all that there are."""
_PRIVATE, _COUNT = 0xE000, 6400
"""The first character for private use in Unicode, and how many there are."""


def reject(state: State, table: Table) -> int:
    """Reject the rows of ``table`` that have nothing to hold in between; the number of them."""
    own = identity(table)
    keys = [key for key in state.keys(table) if key is not own and not key.deferrable]
    return sum(_reject(state, table, key) for key in keys)


def _reject(state: State, table: Table, key: Key) -> int:
    giving = _giving(state, table, key)
    if not giving or _has_room(state, table, key, giving):
        return 0
    reason = "another row takes over its key, and nothing can stand between"
    return state.reject(list(giving), reason, [key.name])


def _giving(state: State, table: Table, key: Key) -> dict[Entry, Row]:
    """The rows that change, and whose present value of ``key`` another row gets."""
    changed = {survivor: held.row for survivor, held, _ in state.changes(table)}
    takers = _brought(state, table, key)
    giving = {}
    for survivor, row in changed.items():
        value = state.value(table, key, row)
        if value is not None and takers.get(value, survivor) is not survivor:
            giving[survivor] = row
    return giving


def _has_room(state: State, table: Table, key: Key, giving: dict[Entry, Row]) -> bool:
    """Whether a column of ``key`` can hold something in between."""
    free = {each.name: each for each in _free(state, table)}
    linked = {name for foreign in table.foreign_keys for name in foreign.columns}
    spots: list[tuple[Column, list[Value]]] = []
    for name, each in free.items():
        null = column(name) in key.parts and not needed(table, name, state.schema)
        if null and key.nulls_distinct:
            spots.append((each, [None] * len(giving)))
        if name in _read(table, key) - linked:
            spots += [(each, values) for values in _unused(state, table, each, len(giving))]
    return any(_may_hold(state, table, each.name, giving, values) for each, values in spots)


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
    names = set(key.reads)
    for each in table.columns:
        if each.generated is not None and each.name in names:
            names |= each.generated.reads
    return names


def _may_hold(
    state: State, table: Table, name: str, giving: dict[Entry, Row], values: Sequence[Value]
) -> bool:
    """Whether the rows can hold ``values`` in the column at once, one each."""
    if len(values) < len(giving):
        return False
    parked = {
        entry: put(table, row, {name: value})
        for (entry, row), value in zip(giving.items(), values, strict=True)
    }
    if any(any(of_row(state.known, table, row, sure=True)) for row in parked.values()):
        return False
    left = list(giving.values())
    staying = [held.row for held in state.held[table.id] if held.row not in left]
    for key in (key for key in table.keys if name in _read(table, key) and not key.deferrable):
        held = {entry: state.value(table, key, row) for entry, row in parked.items()}
        others = [state.value(table, key, row) for row in staying]
        known = [value for value in (*held.values(), *others) if value is not None]
        if len(known) > len(set(known)):
            return False
        # Where only a predicate or an expression reads the column, the value may be there still.
        brought = _brought(state, table, key)
        if any(brought.get(value, entry) is not entry for entry, value in held.items() if value):
            return False
    return True


def _brought(state: State, table: Table, key: Key) -> dict[KeyValue, Entry]:
    """The values of ``key`` that rows which are written bring, and who brings them."""
    changed = {survivor for survivor, _, _ in state.changes(table)}
    found: dict[KeyValue, Entry] = {}
    for survivor in state.survivors(table):
        value = state.value(table, key, state.final(survivor))
        if value is not None and (survivor.held is None or survivor in changed):
            found[value] = survivor
    return found


def _unused(state: State, table: Table, each: Column, count: int) -> Iterator[list[Value]]:
    """As many values of the column's type that nobody has, as often as there are such.

    Texts that nobody writes, any UUIDs, numbers above or below all that are there.
    """
    domain = domain_of(each.type, state.schema)
    spelled = domain.base if domain else each.type
    type = resolve(spelled, state.schema)
    if type.name == "uuid":
        yield [str(UUID(int=2**127 + no)) for no in range(count)]
    if type.kind in (Kind.TEXT, Kind.CHAR) and type.name != "name":
        found = _DIGITS.search(spelled)
        length = int(found[1]) if found else 1 if type.kind is Kind.CHAR else _HASHED
        if length >= _ENOUGH:
            yield [f"~{no:0{min(length, _HASHED) - 1}x}" for no in range(count)]
        yield [_short(no)[:length] for no in range(count)]
    if type.kind in (Kind.INTEGER, Kind.NUMERIC) and type.name != "oid":
        place = table.places[each.name]
        held = [held.row[place] for held in state.held[table.id]]
        brought = [entry.row[place] for entry in state.entries[table.id]]
        ordered = partial(number, type)
        ends = [sorted(filter(None, each), key=ordered) or ["0"] for each in (held, brought)]
        least = Decimal(min((each[0] for each in ends), key=ordered))
        most = Decimal(max((each[-1] for each in ends), key=ordered))
        steps = range(1, count + 1)
        for values in ([most + step for step in steps], [least - step for step in steps]):
            yield [str(value) for value in values if _is_of(spelled, type, value)]


def _short(no: int) -> str:
    """Two characters that nobody has in his data: they are for private use."""
    return "".join(chr(_PRIVATE + digit) for digit in (no % _COUNT, no // _COUNT))


def _is_of(spelled: str, type: Type, value: Decimal) -> bool:
    """Whether a number is not beyond the ends of its type; NaN has none."""
    if value.is_nan():
        return True
    if type.kind is Kind.INTEGER:
        end = _NUMBERS.get(type.name, 2**63)
        return -end <= value < end
    digits = _DIGITS.search(spelled)
    return not digits or abs(value) < Decimal(10) ** (int(digits[1]) - int(digits[2] or 0))
