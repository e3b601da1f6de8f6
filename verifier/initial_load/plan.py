"""What a restore is going to do: the backup staged, its rows matched, rejected or accepted.

Nothing of the target is changed here; :mod:`engine` writes what is planned.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from verifier.contract import Counts, Merge, Rejection
from verifier.initial_load import catalog as catalogue
from verifier.initial_load import (
    ledger,
    leftovers,
    links,
    local_ids,
    outcome,
    preflight,
    soft_references,
    suspects,
)
from verifier.initial_load.catalog import Catalog, Connection
from verifier.initial_load.deciding import Decisions
from verifier.initial_load.large_objects import LargeObjects
from verifier.initial_load.numbering import Numbering
from verifier.initial_load.order import ordered
from verifier.initial_load.overlaps import Overlaps
from verifier.initial_load.reading import read
from verifier.initial_load.reading.opening import repeatable
from verifier.initial_load.refusing import Refused, refuse
from verifier.initial_load.session import run
from verifier.initial_load.stage import Content, Staged
from verifier.initial_load.staging import Unfit, stage
from verifier.transfer import Ids, Progress, RestoreOptions


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
            refuse(self.numbering.detach())
        self.overlaps = Overlaps(conn, self.catalog, self.content.tables)
        self.order = ordered(self.catalog, self.content.tables)
        Decisions(
            conn,
            self.catalog,
            self.content.tables,
            self.overlaps,
            self.numbering,
            strict=self.options.strict_ids,
            doing=self.doing,
        ).make(self.order)
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
        refuse(preflight.unready(conn))
        self.catalog, unknown = soft_references.declare(self.catalog, self.options.references)
        refuse(unknown, exit_code=2)
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
        refuse(preflight.denied(conn, named.values(), parents, self.content.sequences))
        refuse(self.content.objects.denied())
        if local is not None:
            refuse(local_ids.problems(self.catalog, local, named.values()))
            self.numbering = Numbering(
                conn, self.catalog, local, self.content, lock=not self.options.dry_run
            )

    def _local(self) -> local_ids.LocalIds | None:
        """With ``--ids local`` what is local; the catalogue can hold it then."""
        if self.options.ids is not Ids.LOCAL:
            return None
        if self.options.quarantine:
            # Rows set aside would hold numbers of both databases, and nothing to tell them by.
            refuse(["--quarantine and --ids local do not go together"], exit_code=2)
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
                staged.aging = links.may_move(self.catalog, staged, name)
                if staged.aging:
                    self.conn.execute(staged.keep_age().encode())
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


def _lock(conn: Connection, content: Content) -> None:
    """Keep other writers out, readers stay; in one order, so that none waits for another."""
    names = sorted(staged.table.quoted for staged in content.tables)
    if names:
        run(conn, "LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE", names=", ".join(names))
