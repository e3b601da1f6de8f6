"""The rows that a restore left, held against the rows that there were.

Every row of the source has become a row of the target, or one that it collides with has;
every row of the target is one of those, or was there before and is as it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from verifier.contract import Guarantee
from verifier.model.breach import Breach
from verifier.model.judging.choices import Observed
from verifier.model.judging.matter import Matter, Node, Thing
from verifier.model.judging.newest import may_stay
from verifier.model.judging.pointed import pointed
from verifier.model.judging.things import Settlement
from verifier.model.schema import Action, Row, Table
from verifier.model.world import Options

KEPT = "the target still holds its own row instead of the source's"
LOST = "a source row is neither restored, merged nor rejected"
INVENTED = "the target holds a row that is neither in the source nor was there before"
STRAYED = "a merged row's child does not point to the survivor"
PULLED_APART = "a row refers to another row: its references share a column, and one followed"


class Ending:
    """What became of the rows of ``matter``; ``after`` is what the target holds."""

    def __init__(
        self,
        matter: Matter,
        settlement: Settlement,
        observed: Observed,
        after: Mapping[str, tuple[Row, ...]],
        options: Options,
    ) -> None:
        self._matter, self._settlement, self._observed = matter, settlement, observed
        self._after, self._options = after, options
        self.ended: dict[Thing, Row] = {}
        """The one row of the target that a thing is now, where that can be told."""
        self.stayed: set[Thing] = set()
        """Those whose row of the target is the newest, as was asked for."""
        self.unclear: set[str] = set()
        """Tables of which it cannot be told what became of each row."""

    def breaches(self) -> Iterator[Breach]:
        """What is wrong with the rows: completeness, fidelity, merging and preservation."""
        for table in self._matter.tables:
            things = self._settlement.things[table.id]
            if self._matter.identity[table.id] is None:
                yield from self._counted(table, things)
                continue
            wanted = Counter[Row]()
            for thing in things:
                found = self._observed.candidates(thing, self._settlement.rows, self._matter)
                wanted.update(found)
                if len(found) == 1:
                    self.ended[thing] = found[0]
                yield from (
                    self._restored(thing, found) if thing.source else self._left(thing, found)
                )
            for row in (Counter(self._after.get(table.id, ())) - wanted).elements():
                yield self._breach(Guarantee.COMPLETENESS, INVENTED, table, row)

    def _breach(
        self,
        guarantee: Guarantee,
        cause: str,
        table: Table,
        row: Row,
        now: Row | None = None,
        constraint: str = "",
    ) -> Breach:
        words = f"{table.id} {_shown(table, row)}: {cause}"
        words += "" if now is None else f"; the target holds {_shown(table, now)}"
        return Breach(guarantee, cause, table.id, constraint, words)

    # -- rows of the source ------------------------------------------------------------------

    def _restored(self, thing: Thing, found: Sequence[Row]) -> Iterator[Breach]:
        if not found:
            yield from self._lost(thing)
            return
        first = self._settlement.rows[thing.source[0]]
        ties = ", ".join(sorted(thing.ties))
        if self._options.prefer and len(thing.present) > 1:
            self.unclear.add(thing.table.id)  # each of them may be the newest
            return
        if len(found) > 1:
            cause = "rows that collide on a unique key were not merged, but altered"
            yield self._breach(Guarantee.MERGING, cause, thing.table, first, found[0], ties)
            return
        (now,) = found
        if thing.present and not self.is_named(thing.present[0], now):
            cause = "the primary key was changed in a row of the target"
            before = self._matter.rows[thing.present[0]]
            yield self._breach(Guarantee.PRESERVATION, cause, thing.table, before, now, ties)
        yield from self._equal_to_one(thing, now)
        (node, *others) = thing.source
        for key in thing.table.foreign_keys if not (others or thing.present) else ():
            if self._settlement.strays(node, key):
                yield self._breach(
                    Guarantee.MERGING, PULLED_APART, thing.table, first, now, key.name
                )

    def _lost(self, thing: Thing) -> Iterator[Breach]:
        node = thing.source[0]
        row, ties = self._settlement.rows[node], ", ".join(sorted(thing.ties))
        if len(thing.source) > 1 or thing.present:
            cause = "rows that collide on a unique key have no survivor"
            yield self._breach(Guarantee.MERGING, cause, thing.table, row, None, ties)
            return
        yield self._breach(Guarantee.COMPLETENESS, LOST, thing.table, row)
        if row != self._matter.rows[node]:
            cause = "a merged row's child is missing"
            yield self._breach(Guarantee.MERGING, cause, thing.table, row)

    def _equal_to_one(self, thing: Thing, now: Row) -> Iterator[Breach]:
        differences = {node: self._differing(thing, node, now) for node in thing.source}
        nearest = min(thing.source, key=lambda node: len(differences[node]))
        columns = differences[nearest]
        if columns and self._may_stay(thing, now):
            self.stayed.add(thing)
            return
        if not columns:
            return
        guarantee, cause = self._kind(thing, nearest, now, columns)
        row = self._settlement.rows[nearest]
        yield self._breach(guarantee, cause, thing.table, row, now, ", ".join(sorted(thing.ties)))

    def _kind(
        self, thing: Thing, nearest: Node, now: Row, columns: Sequence[str]
    ) -> tuple[Guarantee, str]:
        """What it means that a survivor is no row of the source."""
        places, rows = thing.table.places, self._settlement.rows
        if not self._settlement.moves(nearest).keys().isdisjoint(columns):
            return Guarantee.MERGING, STRAYED
        if any(self._matter.rows[node] == now for node in thing.present):
            return Guarantee.COMPLETENESS, KEPT
        if len(thing.source) > 1 and all(
            any(rows[node][places[column]] == now[places[column]] for node in thing.source)
            for column in columns
        ):
            return Guarantee.MERGING, "the survivor is a mixture of the rows that were merged"
        return Guarantee.FIDELITY, "a restored row differs from its source row"

    def _differing(self, thing: Thing, node: Node, now: Row) -> list[str]:
        """The columns in which ``now`` is not ``node``, apart from which of them it is."""
        key, row = self._matter.identity[thing.table.id], self._settlement.rows[node]
        identity = key.columns if key else ()
        alone = len(thing.source) == 1 and not thing.present
        return [
            column
            for column, place in thing.table.places.items()
            if row[place] != now[place]
            and (alone or column not in identity)
            and not self._is_soft(thing.table, column)
        ]

    def _is_soft(self, table: Table, column: str) -> bool:
        """Whether a declared reference may have followed a merge."""
        return any(
            (soft.table, soft.column) == (table.id, column) for soft in self._options.references
        )

    def _may_stay(self, thing: Thing, now: Row) -> bool:
        """Whether the target's row is not older, where the newest one is asked for."""
        kept = {row for n in thing.present for row in (self._matter.rows[n], self._followed(n))}
        rows = [self._settlement.rows[node] for node in thing.source]
        return now in kept and may_stay(self._matter.schema, thing.table, self._options, now, rows)

    def is_named(self, node: Node, now: Row) -> bool:
        """Whether ``now`` carries the identity of a row that there was."""
        row = self._settlement.rows[node]
        return self._matter.name(node.table, row) == self._matter.name(node.table, now)

    def is_renamed(self, node: Node, now: Row) -> bool:
        """Whether a row of the source became one of the target under another identity."""
        thing, name = self._settlement.of[node], self._matter.name
        came = name(node.table, self._matter.rows[node])
        return bool(thing.present) and came != name(node.table, now)

    # -- rows of the target ------------------------------------------------------------------

    def _left(self, thing: Thing, found: Sequence[Row]) -> Iterator[Breach]:
        """Rows that none of the source has become stay as they are, or follow their parents."""
        for node in thing.present:
            own = self._matter.rows[node]
            if own in found or self._followed(node) in found:
                continue
            cause = "a row of the target that is not in the backup was "
            cause += "changed" if found else "removed"
            now = found[0] if found else None
            yield self._breach(Guarantee.PRESERVATION, cause, thing.table, own, now)

    def _followed(self, node: Node) -> Row:
        """The row with what ON UPDATE CASCADE makes of it, as its parent spells it."""
        settlement, table = self._settlement, self._matter.table(node)
        found = list(self._matter.rows[node])
        for key in (key for key in table.foreign_keys if key.on_update is Action.CASCADE):
            parent = settlement.parent(node, key)
            survivor = settlement.survivors[settlement.of[parent]] if parent else None
            above = self._matter.schema.by_id[key.parent].places
            for column, name in zip(key.columns, key.references, strict=True):
                value = survivor[above[name]] if survivor else None
                if value is not None:
                    found[table.places[column]] = value
        return tuple(found)

    # -- tables without identity -------------------------------------------------------------

    def _counted(self, table: Table, things: Sequence[Thing]) -> Iterator[Breach]:
        """A row that is on both sides is the same one: as often as it is on one of them."""
        here = Counter(self._after.get(table.id, ()))
        came, stayed, followed = Counter[Row](), Counter[Row](), Counter[Row]()
        for thing in things:
            nodes = thing.source or thing.present
            rows = [pointed(node, self._settlement, self._options.references) for node in nodes]
            held = [self._matter.rows[node] for node in thing.present]
            kept = [row for row in held if row not in rows]
            if thing.source and any(here[row] and self._may_stay(thing, row) for row in kept):
                self.stayed.add(thing)
                rows = kept
            form = next((row for row in rows if here[row]), rows[-1])
            (came if thing.source else stayed)[form] += 1
            followed[form] += not thing.source and form not in held
            if here[form]:
                self.ended[thing] = form
        wanted = came | stayed
        for row in (wanted - here).elements():
            guarantee, cause = Guarantee.COMPLETENESS, "rows of a table without key are missing"
            if row not in came:
                guarantee, cause = Guarantee.PRESERVATION, "a row of a table without key is gone"
            yield self._breach(guarantee, cause, table, row)
        # What only came to equal a row of the source, following its parent, may be another.
        for row in (here - wanted - followed).elements():
            cause = "rows of a table without key are there too often"
            yield self._breach(Guarantee.COMPLETENESS, cause, table, row)


def _shown(table: Table, row: Row) -> str:
    values = (f"{c.name}={v!r}" for c, v in zip(table.stored, row, strict=True))
    return f"({', '.join(values)})"
