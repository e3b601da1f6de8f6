"""The order in which tables are decided: parents first, those of a cycle together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from verifier.model.keys import identity
from verifier.model.schema import Table
from verifier.model.world import World


def components(world: World) -> list[list[Table]]:
    """The tables, those that refer to each other (in a circle) in one list, parents first."""
    return _ordered(world.schema.tables, _above(world))


def turns(world: World, tables: list[Table], whole: Callable[[Table], bool]) -> list[list[Table]]:
    """The tables of one component as their rows can be told apart, one list after the other.

    A table waits only for those whose rows its own are equal by; by all that it refers to where
    it is told by the ``whole`` row.
    """
    return _ordered(tables, _above(world, tables, whole))


def _ordered(tables: Sequence[Table], above: dict[str, set[str]]) -> list[list[Table]]:
    rest = list(tables)
    found: list[list[Table]] = []
    done: set[str] = set()
    while rest:
        table = next(each for each in rest if _is_next(each.id, above, done))
        together = [
            each
            for each in rest
            if each is table or (each.id in above[table.id] and table.id in above[each.id])
        ]
        found.append(together)
        done |= {each.id for each in together}
        rest = [each for each in rest if each.id not in done]
    return found


def _is_next(table: str, above: dict[str, set[str]], done: set[str]) -> bool:
    """Whether whatever is above it is done, or is below it as well."""
    return all(other in done or table in above[other] for other in above[table])


def _above(
    world: World, matched: Sequence[Table] = (), whole: Callable[[Table], bool] = lambda _: False
) -> dict[str, set[str]]:
    """For every table those that it refers to, directly or not; what has no rows leads nowhere.

    If there are tables to be ``matched``: only by what says which of their rows are equal.
    """
    links = [
        (table, key.columns, key.parent)
        for table in world.schema.tables
        for key in table.foreign_keys
    ]
    links += [
        (world.schema.by_id[soft.table], (soft.column,), soft.parent)
        for soft in world.options.references
    ]
    above: dict[str, set[str]] = {table.id: set() for table in world.schema.tables}
    for table, columns, parent in links:
        inside = not matched or parent in {each.id for each in matched}
        if inside and (not matched or whole(table) or _is_matched_by(table, columns)):
            above[table.id].add(parent)
    backed_up = {table for table in above if world.source.get(table)}
    above = {
        table: found & backed_up if table in backed_up else set() for table, found in above.items()
    }
    while True:
        more = {
            table: set().union(found, *(above[each] for each in found))
            for table, found in above.items()
        }
        if more == above:
            return above
        above = more


def _is_matched_by(table: Table, columns: Iterable[str]) -> bool:
    """Whether ``columns`` say which rows of the table are equal."""
    read = frozenset[str]().union(*(key.reads for key in table.keys))
    derived = any(column.generated for column in table.columns if column.name in read)
    return identity(table) is None or derived or not read.isdisjoint(columns)
