"""The order in which tables are decided: parents first, those of a cycle together."""

from __future__ import annotations

from verifier.model.schema import Table
from verifier.model.world import World


def components(world: World) -> list[list[Table]]:
    """The tables, those that refer to each other (in a circle) in one list, parents first."""
    above = _above(world)
    rest = list(world.schema.tables)
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


def _above(world: World) -> dict[str, set[str]]:
    """For every table those that it refers to, directly or not; what has no rows leads nowhere."""
    above = {table.id: {key.parent for key in table.foreign_keys} for table in world.schema.tables}
    for soft in world.options.references:
        above[soft.table].add(soft.parent)
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
