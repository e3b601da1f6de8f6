"""Where a partitioned table keeps a row."""

from __future__ import annotations

from verifier.model.breach import NotModelled
from verifier.model.schema import Partition, PartitionBy, Row, Table
from verifier.model.state import State, column
from verifier.model.types import resolve
from verifier.model.values import comparable, ordered


def part_of(state: State, table: Table, row: Row) -> Partition | None:
    """The partition for ``row``; ``None`` if there is none."""
    split = table.partitioning
    assert split is not None
    default = next((part for part in split.parts if not part.values), None)
    value = row[table.places[split.column]]
    kind = column(table, split.column).type
    if split.by is PartitionBy.HASH:
        return _by_hash(split.parts)
    for part in split.parts:
        if not part.values:
            continue
        if split.by is PartitionBy.LIST:
            known = (comparable(kind, state.schema, each) for each in part.values)
            if value is not None and comparable(kind, state.schema, value) in known:
                return part
        elif value is not None:
            low, high = (ordered(resolve(kind, state.schema), each) for each in part.values)
            if low <= ordered(resolve(kind, state.schema), value) < high:
                return part
    return default


def _by_hash(parts: tuple[Partition, ...]) -> Partition:
    """Any of them, if they take all rows between them."""
    moduli = {int(part.values[0]) for part in parts}
    if len(moduli) == 1 and moduli == {len(parts)}:
        return parts[0]
    raise NotModelled("which of several hash partitions takes a row")
