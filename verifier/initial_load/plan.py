"""What a restore is going to do: the backup staged, its rows matched, rejected or accepted.

Nothing of the target is changed here; :mod:`engine` writes what is planned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from verifier.contract import Claim, Counts, Merge, Rejection
from verifier.initial_load import catalog as catalogue
from verifier.initial_load import (
    changes,
    checks,
    handing_on,
    ledger,
    leftovers,
    local_ids,
    match,
    outcome,
    parents,
    preflight,
    repoint,
    respelling,
    soft_references,
    survey,
    suspects,
    whole_rows,
    write,
)
from verifier.initial_load.catalog import Catalog, Connection
from verifier.initial_load.large_objects import LargeObjects
from verifier.initial_load.numbering import Numbering
from verifier.initial_load.order import matched_by, ordered
from verifier.initial_load.overlaps import Overlaps
from verifier.initial_load.reading import read
from verifier.initial_load.reading.opening import repeatable
from verifier.initial_load.session import run
from verifier.initial_load.stage import Content, Staged
from verifier.initial_load.staging import Unfit, stage
from verifier.transfer import Ids, Progress, RestoreOptions


class Refused(Exception):
    """Rows or the whole backup do not fit; holds the claim that says so."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim


class Plan:
    """The plan of one restore; :meth:`make` fills it in."""

    def __init__(
        self, conn: Connection, path: Path, options: RestoreOptions, progress: Progress | None
    ) -> None:
        self.conn = conn
        self.path = path
        self.options = options
        self.progress = progress
        self.catalog = Catalog({}, ())
        self.content = Content(LargeObjects(conn))
        self.overlaps: Overlaps
        self.order: list[list[Staged]] = []
        """The staged tables by components of the target's foreign keys, parents first."""
        self.rejections: tuple[Rejection, ...] = ()
        self.merges: tuple[Merge, ...] = ()
        self.counts: Mapping[str, Counts] = {}
        self.notes: list[str] = []
        self.numbering: Numbering | None = None
        """Of the rows' new numbers, with ``--ids local``."""

    def make(self) -> None:
        """Decide what becomes of every row. Raises :class:`Refused` and the server's errors."""
        conn = self.conn
        self._stage()
        if not self.options.dry_run:
            _lock(conn, self.content)
        if self.numbering:
            _ready(self.numbering.detach())
        self.overlaps = Overlaps(conn, self.catalog, self.content.tables)
        self.order = ordered(self.catalog, self.content.tables)
        while self._decided():
            continue
        # Parents first: the first rejection is then a cause and not a consequence.
        settled = [staged for tables in self.order for staged in tables]
        suspected = self.content.objects.suspected() if self.options.strict_ids else ()
        self.rejections = ledger.rejections(conn, settled) + suspected
        lost = ledger.counts(self.rejections, settled)
        self.notes += self._remarks(settled)
        # A large object is no row that could be set aside.
        if suspected or (self.rejections and not self.options.quarantine):
            raise Refused(outcome.rejected(self.rejections, lost, self.notes))
        self.counts = {
            staged.table.quoted: outcome.count(conn, staged, lost[staged.table.quoted])
            for staged in self.content.tables
        }
        self.merges = ledger.merges(conn, self.content.tables)
        unlisted = sum(one.merged for one in self.counts.values()) - len(self.merges)
        if unlisted > 0:
            self.notes.append(f"{unlisted} more rows were merged and are not listed one by one")
        self.notes += leftovers.notes(conn, self.catalog, settled)

    def doing(self, what: str) -> None:
        if self.progress:
            self.progress.doing(what)

    def _stage(self) -> None:
        """Read the backup, and see that it fits the target as a whole."""
        conn = self.conn
        self.catalog = catalogue.load(conn)
        _ready(preflight.unready(conn))
        self.catalog, unknown = soft_references.declare(self.catalog, self.options.references)
        _ready(unknown, exit_code=2)
        local = self._local()
        ledger.create(conn)
        try:
            self.content = stage(
                conn,
                self.catalog,
                lambda: read(self.path, catalog=self.catalog, models=self.options.models),
                self.options.control_tables,
                self.progress,
                once=not repeatable(self.path),
            )
        except Unfit as error:
            raise Refused(outcome.failed(f"{error}; nothing was changed", 1)) from error
        if self.content.problems:
            raise Refused(outcome.unfit(self.content))
        self._prefer()
        named = {staged.table.oid: staged.table for staged in self.content.tables}
        keys = self.catalog.foreign_keys
        parents = [self.catalog.tables[key.referred] for key in keys if key.child in named]
        _ready(preflight.denied(conn, named.values(), parents, self.content.sequences))
        _ready(self.content.objects.denied())
        if local is not None:
            _ready(local_ids.problems(self.catalog, local, named.values()))
            self.numbering = Numbering(
                conn, self.catalog, local, self.content, lock=not self.options.dry_run
            )

    def _local(self) -> local_ids.LocalIds | None:
        """With ``--ids local`` what is local; the catalogue can hold it then."""
        if self.options.ids is not Ids.LOCAL:
            return None
        if self.options.quarantine:
            # Rows set aside would hold numbers of both databases, and nothing to tell them by.
            _ready(["--quarantine and --ids local do not go together"], exit_code=2)
        self.catalog, local = local_ids.find(self.catalog)
        return local

    def _prefer(self) -> None:
        """Give every table its recency column.

        Raises :class:`Refused` if none has it. A table that is empty in the backup may have it,
        and says nothing of itself.
        """
        name = self.options.prefer
        filled = {staged.table.root for staged in self.content.tables}
        empty = [table for table in self.catalog.tables.values() if table.root not in filled]
        for staged in self.content.tables:
            if name in {column.name for column in staged.given}:
                staged.recency = staged.table.columns[name].quoted
        known = any(name in t.columns and not t.columns[name].generated for t in empty)
        if name and not known and not any(staged.recency for staged in self.content.tables):
            said = f"no table of the backup has a column {name!r} to prefer the newest row by"
            raise Refused(outcome.failed(f"{said}; nothing was changed", 2))

    def _remarks(self, tables: list[Staged]) -> list[str]:
        notes = [
            f"control table left alone: {table} ({count} rows of the backup)"
            for table, count in self.content.ignored.items()
        ]
        notes += [
            f"{staged.table.quoted}: amounts of type money were read as lc_monetary = C has them, "
            "as in our own backups; other tools may have written them otherwise"
            for staged in tables
            if any(column.base == "money" for column in staged.given)
        ]
        if self.numbering:
            return notes + self.numbering.note()
        return notes + [said for staged in tables if (said := suspects.note(self.conn, staged))]

    def _decided(self) -> int:
        """Decide what becomes of every row; rows that were rejected when all was decided, if any.

        Everything has to be decided once more without them.
        """
        with ledger.undoable(self.conn, self.content.tables) as undo:
            for tables in self.order:
                self._settle(tables)
            undo.count()
            for staged in self.content.tables:
                parents.forsaken(self.conn, self.catalog, self.content.tables, staged)
                respelling.respelled(self.conn, self.catalog, self.content.tables, staged)
        if undo.rejected and self.numbering:
            self.numbering.begin_again()
        return undo.rejected

    def _settle(self, tables: list[Staged]) -> None:
        """Decide what becomes of every row of one component; its parents are settled."""
        self.doing(f"matching {', '.join(staged.table.quoted for staged in tables)}")
        if self.numbering:
            _ready(whole_rows.lost(self.conn, self.catalog, tables))
        for staged in tables:
            checks.complete(self.conn, staged)
            checks.rows(self.conn, staged)
        while True:
            for staged in tables:
                staged.unplan()
            parents.orphans(self.conn, self.catalog, self.content.tables, tables)
            if self._circular(tables):
                continue
            if not self._told_apart(tables):
                break
            for staged in tables:
                parents.disowned(self.conn, self.catalog, self.content.tables, staged)
        if self.numbering:
            for staged in tables:
                _ready(self.numbering.number(staged))

    def _told_apart(self, tables: list[Staged]) -> int:
        """Plan what is written of one component; rows that were rejected for it, if any.

        A rejected row may be the parent or the survivor of others: what moved because of it
        is undone, and everything has to be decided once more without it.
        """
        if not any(staged.grouped for staged in tables) and all(
            [survey.plain(self.conn, self.catalog, staged) for staged in tables]
        ):
            return self._plan(tables)
        with ledger.undoable(self.conn, tables) as undo:
            left = _rows(self.conn, tables)
            self._group(tables)
            if left == _rows(self.conn, tables) and not self._circular(tables, merged=True):
                self._plan(tables)
        return undo.rejected

    def _plan(self, tables: list[Staged]) -> int:
        """Reject what cannot be written as it is; the number of rows.

        Of one kind at a time: without those rows, others may be written.
        """
        conn, catalog, all_tables = self.conn, self.catalog, self.content.tables
        kinds: list[Callable[[Staged], int]] = [
            lambda staged: match.outdated(conn, staged),
            # A row that moved has other values than the backup's.
            lambda staged: checks.rows(conn, staged, written=True) if staged.grouped else 0,
            lambda staged: write.plan(conn, staged),
            self._mistaken,
            self.overlaps.reject,
            lambda staged: handing_on.plan(conn, catalog, staged),
            lambda staged: parents.stranded(conn, catalog, all_tables, staged, tables),
        ]
        return next(filter(None, (sum(map(kind, tables)) for kind in kinds)), 0)

    def _circular(self, tables: list[Staged], *, merged: bool = False) -> int:
        """Reject rows that no other restore would find again."""
        if not self.numbering:
            return 0
        return whole_rows.circular(self.conn, self.catalog, tables, merged=merged)

    def _mistaken(self, staged: Staged) -> int:
        """Reject rows whose numbers somebody else has, or may have."""
        if self.numbering:
            return self.numbering.taken(staged)
        return suspects.refuse(self.conn, staged) if self.options.strict_ids else 0

    def _group(self, tables: list[Staged]) -> None:
        """Tell the rows of one component apart, and let references follow those that merge.

        A merge moves references, moved references may make rows equal that were not:
        among tables that wait for each other this goes on until nothing moves. It ends, because
        every round makes groups larger or takes rows out.
        """
        conn, everything = self.conn, self.content.tables
        for staged in tables:
            staged.unplan()
        component = {staged.table.oid for staged in tables}
        for turn in self._turns(tables):
            own = {staged.table.oid for staged in turn}
            settled = False
            while not settled:
                moved: set[int] = set()
                left = _rows(conn, tables)
                for staged in turn:
                    match.decide(conn, staged)
                    whole_rows.pair(conn, staged)
                for staged in turn:
                    moved |= repoint.repoint(conn, self.catalog, everything, staged)
                fewer = left != _rows(conn, tables)
                if moved & component or fewer:
                    parents.orphans(conn, self.catalog, everything, tables)
                settled = not (moved & own or fewer)
        for staged in tables:
            changes.by_fate(conn, staged)

    def _turns(self, tables: list[Staged]) -> list[list[Staged]]:
        """The tables of one component as they can be told apart one after the other.

        A table waits only for those whose rows its own are equal by. What merges too early takes
        over the key of a target row that belongs to another one.
        """
        return ordered(self.catalog, tables, matched_by) if len(tables) > 1 else [tables]


def _ready(problems: list[str], exit_code: int = 1) -> None:
    if problems:
        raise Refused(outcome.failed(f"{'; '.join(problems)}; nothing was changed", exit_code))


def _lock(conn: Connection, content: Content) -> None:
    """Keep other writers out, readers stay; in one order, so that none waits for another."""
    names = sorted(staged.table.quoted for staged in content.tables)
    if names:
        run(conn, "LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE", names=", ".join(names))


def _rows(conn: Connection, tables: list[Staged]) -> int:
    """Rows that are still staged."""
    total = 0
    for staged in tables:
        row = run(conn, "SELECT count(*) FROM {rows}", rows=staged.rows).fetchone()
        total += row[0] if row else 0
    return total
