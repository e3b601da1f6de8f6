"""The restore: one transaction that ends in COMMIT with the whole backup, or changes nothing."""

from __future__ import annotations

from pathlib import Path

import psycopg
from psycopg.pq import TransactionStatus

from verifier.contract import Claim
from verifier.dsn import Dsn, redact
from verifier.errors import BackupRefused
from verifier.initial_load import catalog as catalogue
from verifier.initial_load import (
    changes,
    checks,
    ledger,
    match,
    outcome,
    preflight,
    repoint,
    sequences,
    session,
    survey,
    suspects,
    triggers,
    views,
    write,
)
from verifier.initial_load.catalog import Catalog, Connection, Table
from verifier.initial_load.large_objects import LargeObjects
from verifier.initial_load.order import components
from verifier.initial_load.reading import quarantine, read
from verifier.initial_load.stage import Content, Staged
from verifier.initial_load.staging import stage
from verifier.transfer import Progress, RestoreOptions

_DEFAULTS = RestoreOptions()


class _Rejected(Exception):
    """Rows or the whole backup do not fit; holds the claim that says so."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim


def restore(
    path: Path,
    dsn: Dsn,
    options: RestoreOptions = _DEFAULTS,
    progress: Progress | None = None,
) -> Claim:
    """Restore the backup ``path`` into the database ``dsn``.

    Never raises for a restore that fails: the claim says why. Exit codes: 0 done,
    1 rows were rejected or the target refused them, 2 no connection or no backup.
    """
    try:
        conn = session.connect(dsn, options.lock_timeout)
    except psycopg.Error as error:
        said = redact(str(error).strip().split("\n")[0], dsn)
        return outcome.failed(f"no restore on {dsn}: {said}; nothing was changed", 2)
    try:
        return _outcome(_Restore(conn, path, options, progress), dsn)
    finally:
        # Closing without COMMIT rolls back.
        conn.close()


def _outcome(restore_: _Restore, dsn: Dsn) -> Claim:
    try:
        return restore_.run()
    except _Rejected as rejected:
        return rejected.claim
    except (write.NotWritten, BackupRefused) as error:
        refused = isinstance(error, BackupRefused)
        said = f"the backup is refused: {error}" if refused else str(error)
        return outcome.failed(f"{said}; nothing was changed", 2 if refused else 1)
    except OSError as error:
        kept_in = restore_.options.quarantine
        said = f"the rejected rows could not be kept in {kept_in}: {error.strerror}"
        return outcome.failed(f"{said}; nothing was changed", 2)
    except psycopg.Error as error:
        if isinstance(error, psycopg.errors.LockNotAvailable) and not restore_.conn.broken:
            return outcome.failed(f"{restore_.waited_for()}; nothing was changed", 1)
        return outcome.server_error(error, dsn, lost=restore_.conn.broken)


class _Restore:
    """One restore, from the file to COMMIT."""

    def __init__(
        self, conn: Connection, path: Path, options: RestoreOptions, progress: Progress | None
    ) -> None:
        self.conn = conn
        self.path = path
        self.options = options
        self.progress = progress
        self.catalog = Catalog({}, ())
        self.content = Content(LargeObjects(conn))

    def run(self) -> Claim:
        conn = self.conn
        self.catalog = catalogue.load(conn)
        _ready(preflight.unready(conn))
        ledger.create(conn)
        self.content = stage(
            conn,
            self.catalog,
            lambda: read(self.path),
            self.options.control_tables,
            self.progress,
        )
        if self.content.problems:
            raise _Rejected(outcome.unfit(self.content))
        self._prefer()
        named = {staged.table.oid: staged.table for staged in self.content.tables}
        keys = self.catalog.foreign_keys
        parents = [self.catalog.tables[key.parent] for key in keys if key.child in named]
        _ready(preflight.denied(conn, named.values(), parents))
        _ready(self.content.objects.denied())
        _lock(conn, self.content)
        order = _order(self.catalog, self.content.tables)
        for tables in order:
            self._settle(tables)
        # Parents first: the first rejection is then a cause and not a consequence.
        settled = [staged for tables in order for staged in tables]
        suspected = self.content.objects.suspected() if self.options.strict_ids else ()
        rejections = ledger.rejections(conn, settled) + suspected
        lost = ledger.counts(rejections, settled)
        notes = self._notes(settled)
        # A large object is no row that could be set aside.
        if suspected or (rejections and not self.options.quarantine):
            raise _Rejected(outcome.rejected(rejections, lost, notes))
        counts = {
            staged.table.quoted: outcome.count(conn, staged, lost[staged.table.quoted])
            for staged in self.content.tables
        }
        merges = ledger.merges(conn, self.content.tables)
        if not self.options.dry_run:
            notes += self._write(order)
            unknown = sequences.advance(conn, self.content)
            notes += [f"the target has no sequence {name}: not positioned" for name in unknown]
        claim = outcome.restored(
            self.content,
            counts,
            merges,
            rejections,
            notes,
            dry_run=self.options.dry_run,
            kept_in=self.options.quarantine,
        )
        return claim if self.options.dry_run else self._commit(claim)

    def waited_for(self) -> str:
        """After a lock timeout: what was waited for, and who holds it. Rolls back."""
        self.conn.rollback()
        names = [staged.table.quoted for staged in self.content.tables]
        # The catalogue itself asks for a locked table's indexes; any table may be it then.
        held = "; ".join(preflight.holders(self.conn, names or catalogue.names(self.conn)))
        return (
            f"a lock was not to be had before the lock timeout: {held or 'it is free by now'}; "
            "let the holder end, and run the restore again"
        )

    def _prefer(self) -> None:
        """Give every table its recency column. Raises :class:`_Rejected` if none has it."""
        name = self.options.prefer
        for staged in self.content.tables:
            if name in {column.name for column in staged.given}:
                staged.recency = staged.table.columns[name].quoted
        if name and not any(staged.recency for staged in self.content.tables):
            said = f"no table of the backup has a column {name!r} to prefer the newest row by"
            raise _Rejected(outcome.failed(f"{said}; nothing was changed", 2))

    def _notes(self, tables: list[Staged]) -> list[str]:
        notes = [
            f"control table left alone: {table} ({count} rows of the backup)"
            for table, count in self.content.ignored.items()
        ]
        return notes + [said for staged in tables if (said := suspects.note(self.conn, staged))]

    def _commit(self, claim: Claim) -> Claim:
        """Commit; the rejected rows are in their file before, so that they are always somewhere."""
        path = self.options.quarantine
        if path is None or not claim.rejections:
            return _commit(self.conn, claim)
        quarantine.write(path, ledger.quarantined(self.conn, self.content.tables))
        done = outcome.failed("", 2)
        try:
            done = _commit(self.conn, claim)
        finally:
            # Of a restore whose end is unknown the rows are kept.
            if not done.success and not self.conn.broken:
                path.unlink(missing_ok=True)
        return done

    def _doing(self, what: str) -> None:
        if self.progress:
            self.progress.doing(what)

    def _settle(self, tables: list[Staged]) -> None:
        """Decide what becomes of every row of one component; its parents are settled."""
        self._doing(f"matching {', '.join(staged.table.quoted for staged in tables)}")
        for staged in tables:
            checks.complete(self.conn, staged)
            checks.rows(self.conn, staged)
        while True:
            checks.orphans(self.conn, self.catalog, self.content.tables, tables)
            if any(staged.grouped for staged in tables) or not all(
                [survey.plain(self.conn, staged) for staged in tables]
            ):
                self._group(tables)
            # A rejected row may be the parent or the survivor of others.
            if not sum(self._plan(staged) for staged in tables):
                return

    def _plan(self, staged: Staged) -> int:
        """Reject what cannot be written as it is; the number of rows."""
        rejected = write.plan(self.conn, self.catalog, staged)
        rejected += checks.forsaken(self.conn, self.catalog, self.content.tables, staged)
        if self.options.strict_ids:
            rejected += suspects.refuse(self.conn, staged)
        return rejected

    def _group(self, tables: list[Staged]) -> None:
        """Tell the rows of one component apart, and let references follow those that merge.

        A merge moves references, moved references may make rows equal that were not:
        within the component this goes on until nothing moves. It ends, because every
        round makes groups larger or takes rows out.
        """
        conn, everything = self.conn, self.content.tables
        own = {staged.table.oid for staged in tables}
        while True:
            moved: set[int] = set()
            left = _rows(conn, tables)
            for staged in tables:
                match.decide(conn, staged)
            for staged in tables:
                moved |= repoint.repoint(conn, self.catalog, everything, staged)
            if not moved & own and left == _rows(conn, tables):
                break
            checks.orphans(conn, self.catalog, everything, tables)
        for staged in tables:
            changes.by_fate(conn, staged)

    def _write(self, order: list[list[Staged]]) -> list[str]:
        """Write everything; notes about it."""
        conn = self.conn
        written = [one for tables in order for one in tables if one.inserts + one.updates]
        touched = [staged.table for staged in written]
        off = triggers.Off(conn, touched)
        objects = self.content.objects.write()
        conn.execute("SET CONSTRAINTS ALL DEFERRED")
        for tables in _together(self.catalog, order):
            self._doing(f"writing {', '.join(staged.table.quoted for staged in tables)}")
            write.write(conn, self.catalog, tables, off)
        conn.execute("SET CONSTRAINTS ALL IMMEDIATE")
        off.back()
        # A trigger of one table may write to another.
        if any(off.firing(table) for table in touched):
            for staged in self.content.tables:
                write.verify(conn, staged, off)
        return [*off.notes, *objects.notes, *self._views(touched)]

    def _views(self, touched: list[Table]) -> list[str]:
        if self.options.refresh:
            self._doing("refreshing materialised views")
            done = views.refresh(self.conn)
            return [f"materialised views refreshed: {', '.join(done)}"] if done else []
        stale = views.stale(self.conn, touched)
        if not stale:
            return []
        return [f"materialised views are stale now: {', '.join(stale)} (--refresh renews them)"]


def _ready(problems: list[str]) -> None:
    if problems:
        raise _Rejected(outcome.failed(f"{'; '.join(problems)}; nothing was changed", 1))


def _lock(conn: Connection, content: Content) -> None:
    """Keep other writers out, readers stay; in one order, so that none waits for another."""
    names = sorted(staged.table.quoted for staged in content.tables)
    if names:
        session.run(conn, "LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE", names=", ".join(names))


def _order(catalog: Catalog, tables: list[Staged]) -> list[list[Staged]]:
    """The staged tables by components of the target's foreign keys, parents first."""
    parents: dict[int, list[int]] = {}
    for staged in sorted(tables, key=lambda one: one.table.quoted):
        parents[staged.number] = [
            parent.number
            for key in catalog.foreign_keys
            if key.child == staged.table.oid
            for parent in checks.family(tables, key.parent)
        ]
    return [[tables[number] for number in found] for found in components(parents)]


def _together(catalog: Catalog, order: list[list[Staged]]) -> list[list[Staged]]:
    """``order`` for writing: from a parent whose referenced columns may change to its children.

    A foreign key to such columns holds before and after, but not between two
    statements of which one changes the parent and the other the child.
    """
    place = {staged.table.oid: no for no, tables in enumerate(order) for staged in tables}
    until = list(range(len(order)))
    for tables in order:
        for parent in tables:
            fixed = {column.name for column in parent.identity}
            for key in catalog.foreign_keys:
                linked = key.parent in (parent.table.oid, parent.table.root)
                if linked and key.child in place and not set(key.references) <= fixed:
                    start = place[parent.table.oid]
                    until[start] = max(until[start], place[key.child])
    found: list[list[Staged]] = []
    end = -1
    for no, tables in enumerate(order):
        if no > end:
            found.append([])
        found[-1] += tables
        end = max(end, until[no])
    return found


def _rows(conn: Connection, tables: list[Staged]) -> int:
    """Rows that are still staged."""
    total = 0
    for staged in tables:
        row = session.run(conn, "SELECT count(*) FROM {rows}", rows=staged.rows).fetchone()
        total += row[0] if row else 0
    return total


def _commit(conn: Connection, claim: Claim) -> Claim:
    """``claim``, once the server has said COMMIT."""
    if conn.info.transaction_status is not TransactionStatus.INTRANS:
        return outcome.failed("the transaction ended before its time; nothing was changed", 1)
    try:
        said = conn.execute("COMMIT").statusmessage
    except psycopg.Error as error:
        if conn.broken:
            return outcome.failed(
                "the connection was lost during COMMIT: whether the backup is restored is "
                "unknown; run the restore again, it changes nothing that is there already",
                2,
            )
        raise error
    if said != "COMMIT":
        return outcome.failed(f"the server answered {said} to COMMIT; nothing was changed", 1)
    return claim
