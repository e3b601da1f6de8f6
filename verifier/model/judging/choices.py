"""Which of several rows survives: the first, the last, or the one that is seen to have."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from verifier.model.judging.matter import Matter, Node, Thing, with_identity
from verifier.model.keys import KeyValue
from verifier.model.schema import Row


class Ranked:
    """The first or the last of the source's rows, whatever a restore made of them."""

    def __init__(self, place: int, *, stays: bool = False) -> None:
        """``place``: 0 or -1. ``stays``: where there is a row of the target, it is that one."""
        self._place, self._stays = place, stays

    def survivor(self, thing: Thing, rows: Mapping[Node, Row], matter: Matter) -> Row | None:
        if not thing.source or (self._stays and thing.present):
            return rows[thing.present[0]]
        row = rows[thing.source[self._place]]
        return with_identity(thing, row, matter) if thing.present else row

    def claimant(
        self,
        node: Node,
        claims: Sequence[Sequence[Node]],
        rows: Mapping[Node, Row],
        matter: Matter,
    ) -> int:
        return self._place % len(claims)


class Observed:
    """What a restore made of them, where that can be seen."""

    def __init__(self, matter: Matter, after: Mapping[str, tuple[Row, ...]]) -> None:
        self._after = after
        self._last = Ranked(-1)
        self._named: dict[str, dict[KeyValue, list[Row]]] = {}
        for table in matter.schema.tables:
            named = self._named.setdefault(table.id, defaultdict(list))
            for row in after.get(table.id, ()):
                name = matter.name(table.id, row)
                if name is not None:
                    named[name].append(row)

    def holds(self, table: str, row: Row) -> bool:
        return row in self._after.get(table, ())

    def candidates(self, thing: Thing, rows: Mapping[Node, Row], matter: Matter) -> list[Row]:
        """The rows afterwards that carry an identity of the thing's rows; one is right."""
        names = {matter.name(node.table, rows[node]) for node in (*thing.source, *thing.present)}
        named = self._named[thing.table.id]
        return [row for name in names if name is not None for row in named.get(name, ())]

    def survivor(self, thing: Thing, rows: Mapping[Node, Row], matter: Matter) -> Row | None:
        if matter.identity[thing.table.id] is None:
            after = self._after.get(thing.table.id, ())
            # First what comes: a row of the target may stay if it is newer.
            found = [rows[n] for n in (*thing.source, *thing.present) if rows[n] in after][:1]
        else:
            found = self.candidates(thing, rows, matter)
            # A row of the target that is as it was need not be what they became.
            apart = [row for row in found if all(row != rows[node] for node in thing.present)]
            found = apart if len(found) > 1 else found
        return found[0] if len(found) == 1 else self._last.survivor(thing, rows, matter)

    def claimant(
        self,
        node: Node,
        claims: Sequence[Sequence[Node]],
        rows: Mapping[Node, Row],
        matter: Matter,
    ) -> int:
        """The one that it is nearest to; of equals, one that keeps what others refer to it by."""
        name = matter.name(node.table, rows[node])
        named = self._named[node.table]
        found = named.get(name, ()) if name is not None else self._after.get(node.table, ())
        table, key = matter.schema.by_id[node.table], matter.identity[node.table]
        # Whichever it becomes, it keeps its own identity.
        told = [at for column, at in table.places.items() if not (key and column in key.columns)]

        def alike(place: int) -> int:
            return max(
                (
                    sum(rows[member][at] == row[at] for at in told)
                    for member in claims[place]
                    for row in found
                ),
                default=0,
            )

        referred = {
            table.places[name]
            for other in matter.schema.tables
            for key in other.foreign_keys
            for name in (key.references if key.parent == table.id else ())
        }

        def keeps(place: int) -> int:
            own = rows[node]
            return sum(
                rows[member][column] == own[column]
                for member in claims[place]
                for column in referred
            )

        return max(reversed(range(len(claims))), key=lambda place: (alike(place), keeps(place)))
