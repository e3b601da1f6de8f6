"""A failing world made small: delta debugging over tables, rows, columns, constraints, values.

Greedy, coarse steps first: halves of what there is, then quarters, down to single ones
(Zeller and Hildebrandt, *Simplifying and isolating failure-inducing input*, 2002). A step
stays where the smaller world is possible and still fails in the same way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from verifier.fuzz import edits, plainer, renaming
from verifier.model.possible import trouble
from verifier.model.schema import Table
from verifier.model.world import BackupForm, Options, World

T = TypeVar("T")
Fails = Callable[[World], bool]


@dataclass(frozen=True)
class Shrunk:
    """What became of a world."""

    world: World
    tries: int
    """Worlds that were restored for it."""
    finished: bool
    """Nothing more could be taken away; otherwise the time was up."""


class OutOfTime(Exception):
    """The time for shrinking is up."""


def shrink(
    world: World,
    fails: Fails,
    *,
    near: str = "",
    forms: Collection[BackupForm] = tuple(BackupForm),
    seconds: float = 60.0,
    tell: Callable[[World], None] = lambda world: None,
) -> Shrunk:
    """The smallest world that is found from ``world`` and still ``fails``.

    ``near`` is the id of the table that the failure is about, as a hint where to begin, and
    ``forms`` are those that the backup may have.
    ``tell`` hears of every smaller one. Ends after ``seconds``, with what there is by then.
    """
    work = _Work(world, fails, time.monotonic() + seconds, tell, forms)
    try:
        while work.round(near):
            pass
    except OutOfTime:
        return Shrunk(work.world, work.tries, finished=False)
    return Shrunk(work.world, work.tries, finished=True)


class _Work:
    def __init__(
        self,
        world: World,
        fails: Fails,
        deadline: float,
        tell: Callable[[World], None],
        forms: Collection[BackupForm],
    ) -> None:
        self.world, self.tries, self._forms = world, 0, forms
        self._fails, self._deadline, self._tell = fails, deadline, tell
        self._seen: set[str] = {repr(world)}

    def round(self, near: str) -> bool:
        """Try everything once; whether anything became smaller."""
        before = self.world
        self._neighbourhood(near)
        self._fewer(_tables, edits.without_tables)
        self._options()
        self._fewer(edits.places, edits.without_rows)
        self._fewer(_columns, _without_columns)
        for change in (
            edits.simpler_tables,
            _narrowed,
            edits.plainer_keys,
            edits.plainer_columns,
        ):
            self._each(change)
        self._fewer(_lacks, _lacking_less)
        self._fewer(edits.places, edits.without_rows)
        for group in plainer.groups(self.world):
            any(self._try(candidate) for candidate in plainer.variants(self.world, group))
        any(self._try(candidate) for candidate in renaming.renamed(self.world))
        return self.world is not before

    def _try(self, candidate: World | None) -> bool:
        """Go on with ``candidate``, if it is new, possible, and fails."""
        if candidate is None or not candidate.schema.tables:
            return False
        text = repr(candidate)
        if text in self._seen:
            return False
        self._seen.add(text)
        if time.monotonic() > self._deadline:
            raise OutOfTime
        if trouble(candidate):
            return False
        self.tries += 1
        if not self._fails(candidate):
            return False
        self.world = candidate
        self._tell(candidate)
        return True

    def _fewer(
        self,
        items: Callable[[World], Sequence[T]],
        without: Callable[[World, Sequence[T]], World],
    ) -> None:
        """Take away as many ``items`` as can be, in ever smaller pieces."""
        size = len(items(self.world))
        while size:
            # From behind: what refers to something stands mostly behind it.
            end = len(items(self.world))
            while end > 0:
                there = items(self.world)
                end = min(end, len(there))
                self._try(without(self.world, there[max(end - size, 0) : end]))
                end -= size
            size //= 2

    def _each(self, changes: Callable[[World, Table], Iterable[World]]) -> None:
        """Make every change of every table that there is by then."""
        for name in [table.id for table in self.world.schema.tables]:
            again = True
            while again and name in self.world.schema.by_id:
                table = self.world.schema.by_id[name]
                again = any(self._try(candidate) for candidate in changes(self.world, table))

    def _neighbourhood(self, near: str) -> None:
        """Only the table that it is about; with its parents and children; with theirs."""
        tables = self.world.schema.by_id
        if near not in tables:
            return
        kept = {near}
        for _ in range(3):
            if len(kept) >= len(tables):
                return
            if self._try(edits.without_tables(self.world, tables.keys() - kept)):
                return
            kept |= {
                other
                for table in tables.values()
                for key in table.foreign_keys
                for other in (table.id, key.parent)
                if {table.id, key.parent} & kept
            }

    def _options(self) -> None:
        """What is asked for as it is by default, and the backup as a text that can be read."""
        world = self.world
        if world.schema.script:
            self._try(replace(world, schema=replace(world.schema, script="")))
        self._try(replace(self.world, options=Options()))
        for change in (
            {"quarantine": False},
            {"strict_ids": False},
            {"prefer": ""},
            {"local_ids": False},
            {"references": ()},
        ):
            self._try(replace(self.world, options=replace(self.world.options, **change)))
        for form in (BackupForm.INSERTS, BackupForm.COPY):  # the easiest to read first
            if form in self._forms and self.world.form is not BackupForm.INSERTS:
                self._try(replace(self.world, form=form))
        self._try(replace(self.world, order=()))
        self._try(replace(self.world, positions={}))
        self._try(replace(self.world, lacks=frozenset()))


def _tables(world: World) -> Sequence[str]:
    return [table.id for table in world.schema.tables]


def _columns(world: World) -> Sequence[tuple[str, str]]:
    return [
        (table.id, column.name)
        for table in world.schema.tables
        for column in (table.columns if len(table.columns) > 1 else ())
    ]


def _without_columns(world: World, gone: Sequence[tuple[str, str]]) -> World:
    for name in dict.fromkeys(table for table, _ in gone):
        table = world.schema.by_id[name]
        lost = {column for owner, column in gone if owner == name}
        if len(lost) < len(table.columns):
            world = edits.without_columns(world, table, lost)
    return world


def _narrowed(world: World, table: Table) -> Iterator[World]:
    for column in table.columns:
        narrow = edits.narrowed(world, table, column.name)
        if narrow is not None:
            yield narrow


def _lacks(world: World) -> Sequence[str]:
    return sorted(world.lacks)


def _lacking_less(world: World, kept: Sequence[str]) -> World:
    return replace(world, lacks=world.lacks - set(kept))
