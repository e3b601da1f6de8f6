"""Two whole databases, each within one snapshot, held against each other."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace

import psycopg

from verifier.comparison import Comparison, ObjectChange, Part, Selection, TableComparison, Unseen
from verifier.contract import Row
from verifier.dsn import Dsn
from verifier.errors import ObservationError
from verifier.oracle import catalog, structure
from verifier.oracle.catalog import Schema, Table
from verifier.oracle.comparing.attempt import Both, Half
from verifier.oracle.comparing.digest import LOCALE, PROBE, Hashing, quoted
from verifier.oracle.comparing.holding import Holding
from verifier.oracle.comparing.progress import Progress, Silent
from verifier.oracle.comparing.reading import Extent, extents
from verifier.oracle.comparing.scope import Scope
from verifier.oracle.comparing.side import Side
from verifier.oracle.comparing.tables import compare_rows, count_rows
from verifier.oracle.comparing.trouble import reason
from verifier.oracle.comparing.values import compare_large_objects, compare_positions
from verifier.oracle.session import first_line
from verifier.oracle.structure import Inventory

_ATTEMPTS = 3
"""To read the catalogues of a database whose tables others are altering."""


def compare(
    source: Dsn,
    target: Dsn,
    selection: Selection | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Everything in which the database at ``target`` differs from the one at ``source``.

    Nothing is written. What cannot be looked at is told in the result (``unknown``,
    ``unseen``). Raises :class:`~verifier.errors.ObservationError` when a database cannot be
    reached or its catalogue not be read, and :class:`~verifier.errors.UsageError` when the
    selection names what neither side has.
    """
    selection = selection or Selection()
    began = time.monotonic()
    with ExitStack() as held:
        sides = tuple(
            Side(label, dsn, selection.jobs)
            for label, dsn in (("source", source), ("target", target))
        )
        for side in sides:
            held.callback(side.close)
        seen = _look(sides[0], sides[1])
        try:
            return _Whole(seen, selection, progress or Silent()).run(began)
        except psycopg.Error as error:
            raise ObservationError(
                f"the comparison was cut short: {first_line(error)}; look at the servers "
                f"{source} and {target}, and run again"
            ) from None


@dataclass(frozen=True, slots=True)
class Seen:
    """One side's catalogue."""

    side: Side
    schema: Schema
    extents: Mapping[str, Extent]
    objects: Inventory
    trouble: str
    """Why there are no objects; empty when they were read."""


def _look(source: Side, target: Side) -> tuple[Seen, Seen]:
    """Connect to both, take their snapshots, and read their catalogues."""
    with ThreadPoolExecutor(2) as pool:
        for opened in [pool.submit(side.open) for side in (source, target)]:
            opened.result()
        same = source.identity() == target.identity()
        for attempt in range(_ATTEMPTS):
            if attempt:
                for side in (source, target):
                    side.begin()
            if same:
                # Two snapshots of a database in use are two states of it.
                target.join(source)
            last = attempt == _ATTEMPTS - 1
            reading = [pool.submit(_catalogue, side, last) for side in (source, target)]
            try:
                ours, theirs = (each.result() for each in reading)
            except psycopg.Error as error:
                trouble = error
            else:
                return ours, theirs
    raise ObservationError(
        f"the catalogue cannot be read: {first_line(trouble)}; "
        "look at the server, and run again when nobody alters tables"
    )


def _catalogue(side: Side, last: bool) -> Seen:
    """Read one side's catalogue; the ``last`` time do without the structure if need be."""
    schema = catalog.read(side.main, materialised=True, inventory=False)
    known = extents(side.main)
    try:
        with side.main.transaction():
            objects = structure.read(side.main)
    except psycopg.Error as error:
        if not last:
            raise
        return Seen(side, schema, known, {}, reason(side.label, "the structure", error))
    torn = [each.name for each in objects.values() if each.torn]
    if torn and not last:
        raise psycopg.errors.UndefinedObject(f"{torn[0]} was dropped meanwhile")
    return Seen(side, schema, known, objects, "")


class _Whole:
    """One comparison, once both catalogues are read."""

    def __init__(self, seen: tuple[Seen, Seen], selection: Selection, progress: Progress) -> None:
        self._source, self._target = seen
        self._selection, self._progress = selection, progress
        self._scope = Scope(selection, self._columns(), self._owned())
        self._objects: list[ObjectChange] = []
        self._unseen: list[Unseen] = []
        self._notes: list[str] = []
        self._compared: Counter[str] = Counter()

    def _columns(self) -> dict[str, set[str]]:
        """Every relation of either side and its columns."""
        found: dict[str, set[str]] = {}
        for seen in (self._source, self._target):
            for each in seen.objects.values():
                if each.relation:
                    found.setdefault(each.relation, set())
            for name, table in seen.schema.tables.items():
                found.setdefault(name, set()).update(table.names)
            for name in seen.schema.sequences:
                found.setdefault(name, set())
        return found

    def _owned(self) -> dict[str, str]:
        return {
            feed.sequence: feed.table
            for seen in (self._source, self._target)
            for feed in seen.schema.feeds
        }

    def run(self, began: float) -> Comparison:
        parts, tables = self._selection.parts, []
        holding = Holding(
            self._source.side, self._target.side, self._source.schema, self._target.schema
        )
        if Part.STRUCTURE in parts:
            self._structure()
        if Part.DATA in parts:
            tables += self._tables()
            if Part.STRUCTURE not in parts:  # several threads found these, in any order
                self._objects.sort(key=lambda change: (change.kind, change.name))
            self._compared["table"] = max(self._compared["table"], len(tables))
        if Part.RULES in parts:
            self._progress.doing("constraints")
            holding.begin(self._scope)
            self._compared["constraint"] = holding.rules
        if Part.LARGE_OBJECTS in parts and not self._selection.tables:
            self._progress.doing("large objects")
            tables += self._large_objects()
        if Part.SEQUENCES in parts:
            self._sequences()
        for told in holding.collect():
            self._take(told)
        if not tables:
            self._nothing_there()
        return Comparison(
            source=self._source.side.about,
            target=self._target.side.about,
            tables=tuple(sorted(tables, key=lambda table: table.table)),
            objects=tuple(self._objects),
            compared=dict(self._compared),
            unseen=tuple(self._unseen),
            notes=tuple(self._notes),
            selection=self._selection,
            seconds=time.monotonic() - began,
        )

    def _take(self, told: ObjectChange | Unseen | str) -> None:
        if isinstance(told, ObjectChange):
            self._objects.append(told)
        elif isinstance(told, Unseen):
            self._unseen.append(told)
        else:
            self._notes.append(told)

    # -- structure -------------------------------------------------------------------------

    def _structure(self) -> None:
        self._progress.doing("structure")
        trouble = [seen for seen in (self._source, self._target) if seen.trouble]
        if trouble:
            self._unseen += [
                Unseen(f"structure of the {seen.side.label}", seen.trouble) for seen in trouble
            ]
            return
        ours, theirs = (
            {
                key: each
                for key, each in seen.objects.items()
                if self._scope.object(each.kind, each.name, each.relation)
            }
            for seen in (self._source, self._target)
        )
        majors = self._source.side.major, self._target.side.major
        self._objects += structure.compare(ours, theirs, majors=majors)
        self._unseen += [
            Unseen(f"{each.kind} {each.name}", "it was dropped while it was read; run again")
            for each in (*ours.values(), *theirs.values())
            if each.torn
        ]
        self._compared.update(kind for kind, _ in {*ours, *theirs})
        self._notes += [
            f"{each.name} is a foreign table: its rows are elsewhere, and were not compared"
            for each in ours.values()
            if each.kind == "table" and each.properties.get("kind") == "foreign"
        ]

    # -- rows ------------------------------------------------------------------------------

    def _tables(self) -> list[TableComparison]:
        hashing = self._hashing()
        names = {*self._source.schema.tables, *self._target.schema.tables}
        chosen = sorted(filter(self._scope.relation, names), key=self._rows, reverse=True)
        self._progress.expect(sum(map(self._rows, chosen)))
        with ThreadPoolExecutor(self._selection.jobs) as pool:
            waiting = [pool.submit(self._table, name, hashing) for name in chosen]
            try:
                return [found for each in waiting if (found := each.result()) is not None]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                for seen in (self._source, self._target):
                    seen.side.close()
                raise

    def _rows(self, name: str) -> int:
        """About how many rows there are to read, on both sides together."""
        extents = (seen.extents.get(name) for seen in (self._source, self._target))
        return sum(each.rows for each in extents if each)

    def _hashing(self) -> Hashing:
        sides = [seen.side.main for seen in (self._source, self._target)]
        answers, locales = (
            {main.execute(query).fetchone() for main in sides} for query in (PROBE, LOCALE)
        )
        return Hashing(
            secrets.randbits(63), portable=len(answers) > 1, alike=len(answers) == len(locales) == 1
        )

    def _table(self, name: str, hashing: Hashing) -> TableComparison | None:
        self._progress.doing(name)
        ours, theirs = (self._half(seen, name) for seen in (self._source, self._target))
        if ours is None or theirs is None:
            if Part.STRUCTURE not in self._selection.parts:
                self._objects.append(_absent(name, ours is None))
            half = ours or theirs
            return count_rows(half) if half else None
        unpopulated = [half for half in (ours, theirs) if not half.extent.populated]
        if unpopulated:
            return self._unpopulated(ours, theirs)
        if Part.STRUCTURE not in self._selection.parts:
            self._objects += self._absent_columns(ours.table, theirs.table)
        usable = [
            column
            for column in ours.table.names
            if column in theirs.table.names and not self._scope.ignored(name, column)
        ]
        columns = [column for column in usable if self._scope.column(name, column)]
        if self._selection.columns and not columns:
            return None
        both = Both(
            source=ours,
            target=theirs,
            hashing=hashing,
            limit=self._selection.limit,
            progress=self._progress,
        )
        return self._described(compare_rows(both, columns, usable), theirs)

    def _absent_columns(self, ours: Table, theirs: Table) -> Iterator[ObjectChange]:
        """The columns that only one side has: their values cannot be compared, and differ."""
        for here, there in ((ours, theirs), (theirs, ours)):
            for column in here.columns:
                if column.name not in there.names and self._scope.column(here.name, column.name):
                    name = f"{here.name}.{quoted(column.name)}"
                    yield _absent(name, here is theirs, "column", here.name)

    def _described(self, result: TableComparison, target: Half) -> TableComparison:
        """With what it takes to write the difference down as SQL."""
        name = result.table
        return replace(
            result,
            generated=tuple(column.name for column in target.table.columns if column.generated),
            rows=target.table.rows,
            parents=tuple(
                key.parent for key in self._target.schema.foreign_keys if key.child == name
            ),
            view=target.extent.materialised,
        )

    @staticmethod
    def _half(seen: Seen, name: str) -> Half | None:
        table, extent = seen.schema.tables.get(name), seen.extents.get(name)
        return Half(seen.side, table, extent) if table and extent else None

    def _unpopulated(self, ours: Half, theirs: Half) -> TableComparison | None:
        """A materialised view without content on a side: that side has no rows of it."""
        full = [half for half in (ours, theirs) if half.extent.populated]
        if full:
            return count_rows(full[0])
        self._notes.append(f"{ours.table.name} is not populated on either side")
        return None

    # -- the rest --------------------------------------------------------------------------

    def _large_objects(self) -> Iterator[TableComparison]:
        found = compare_large_objects(self._source.side, self._target.side, self._selection.limit)
        if found.source_rows or found.target_rows or found.unknown:
            yield found

    def _sequences(self) -> None:
        if self._target.side.joined:
            return  # one sequence, which others may move between two looks
        shared = [
            name
            for name in self._source.schema.sequences
            if name in self._target.schema.sequences and self._scope.relation(name)
        ]
        changes, unseen = compare_positions(self._source.side, self._target.side, shared)
        self._objects += changes
        self._unseen += unseen
        self._compared["sequence position"] = len(shared)
        if Part.STRUCTURE not in self._selection.parts:
            for name in {*self._source.schema.sequences} ^ {*self._target.schema.sequences}:
                if self._scope.relation(name):
                    lacking = name not in self._source.schema.sequences
                    self._objects.append(_absent(name, lacking, "sequence"))

    def _nothing_there(self) -> None:
        both = (self._source, self._target)
        if not any(seen.trouble or _application(seen.objects) for seen in both):
            self._unseen.append(
                Unseen(
                    "the databases",
                    "neither holds anything to compare; check that the connection strings "
                    "name the right databases",
                )
            )


def _application(objects: Inventory) -> bool:
    """Whether there is more than what every new database has."""
    return any(kind not in ("schema", "extension", "comment") for kind, _ in objects)


def _absent(name: str, on_source: bool, kind: str = "table", relation: str = "") -> ObjectChange:
    """What one side lacks, where the structure is not compared as a whole."""
    sides: tuple[Row | None, Row | None] = (None, {}) if on_source else ({}, None)
    return ObjectChange(kind, name, *sides, relation=relation or name)
