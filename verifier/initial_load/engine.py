"""The restore: one transaction that ends in COMMIT with the whole backup, or changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
from psycopg.pq import TransactionStatus

from verifier.contract import Claim
from verifier.dsn import Dsn, redact
from verifier.errors import BackupRefused
from verifier.initial_load import catalog as catalogue
from verifier.initial_load import (
    ledger,
    outcome,
    preflight,
    referred_to,
    sequences,
    session,
    triggers,
    views,
    write,
)
from verifier.initial_load.catalog import Catalog, Connection, Table
from verifier.initial_load.plan import Plan
from verifier.initial_load.reading.opening import shown
from verifier.initial_load.refusing import Refused
from verifier.initial_load.stage import Staged
from verifier.interrupts import no_way_back
from verifier.transfer import Progress, RestoreOptions

_DEFAULTS = RestoreOptions()
_UNKNOWN = (
    "whether the backup is restored is unknown; "
    "run the restore again, it changes nothing that is there already"
)


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
    return attempt(path, dsn, options, progress, _restore)


def attempt(
    path: Path,
    dsn: Dsn,
    options: RestoreOptions,
    progress: Progress | None,
    act: Callable[[Plan], Claim],
) -> Claim:
    """Plan the restore of ``path`` into ``dsn`` and ``act`` on it, in one transaction.

    Whatever goes wrong on the way is a claim, too, and changes nothing.
    """
    try:
        conn = session.connect(dsn, options.lock_timeout, alone=not options.dry_run)
    except psycopg.Error as error:
        said = redact(str(error).strip().split("\n")[0], dsn)
        advice = "check the connection string, and that the server takes connections"
        return outcome.failed(f"no restore on {dsn}: {said}; {advice}; nothing was changed", 2)
    try:
        return _outcome(Plan(conn, path, options, progress), dsn, act)
    finally:
        # Closing without COMMIT rolls back.
        conn.close()


def _outcome(plan: Plan, dsn: Dsn, act: Callable[[Plan], Claim]) -> Claim:
    try:
        if not plan.options.dry_run:
            session.wait_for_others(plan.conn)
        plan.make()
        return act(plan)
    except Refused as refusal:
        return refusal.claim
    except BackupRefused as error:
        return outcome.failed(f"the backup is refused: {error}; nothing was changed", 2)
    except (write.NotWritten, ledger.NotKept) as error:
        code = 2 if isinstance(error, ledger.NotKept) else 1
        return outcome.failed(f"{error}; nothing was changed", code)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        said = f"{shown(plan.path)} cannot be read: {where}{error.strerror or error}"
        return outcome.failed(f"{said}; nothing was changed", 2)
    except psycopg.Error as error:
        return _server_said(plan, dsn, error)


def _server_said(plan: Plan, dsn: Dsn, error: psycopg.Error) -> Claim:
    if isinstance(error, psycopg.errors.LockNotAvailable) and not plan.conn.broken:
        return outcome.failed(f"{_waited_for(plan)}; nothing was changed", 1)
    return outcome.server_error(error, dsn, lost=plan.conn.broken)


def _restore(plan: Plan) -> Claim:
    """Write what is planned, and commit it."""
    conn, options = plan.conn, plan.options
    if not options.dry_run:
        plan.notes += _write(plan)
        unknown = sequences.advance(conn, plan.content)
        plan.notes += [f"the target has no sequence {name}: not positioned" for name in unknown]
    claim = outcome.restored(
        plan.content,
        plan.counts,
        plan.merges,
        plan.rejections,
        plan.notes,
        dry_run=options.dry_run,
        kept_in=options.quarantine,
    )
    return claim if options.dry_run else _keep_and_commit(plan, claim)


def _waited_for(plan: Plan) -> str:
    """After a lock timeout: what was waited for, and who holds it. Rolls back."""
    plan.conn.rollback()
    names = [staged.table.quoted for staged in plan.content.tables]
    # The catalogue itself asks for a locked table's indexes; any table may be it then.
    held = "; ".join(preflight.holders(plan.conn, names or catalogue.names(plan.conn)))
    return (
        f"a lock was not to be had before the lock timeout: {held or 'it is free by now'}; "
        "let the holder end, and run the restore again"
    )


def _keep_and_commit(plan: Plan, claim: Claim) -> Claim:
    """Commit; the rejected rows are in their file before, so that they are always somewhere."""
    path = plan.options.quarantine
    if path is None or not claim.rejections:
        return _commit(plan.conn, claim)
    ledger.keep(plan.conn, plan.content.tables, path)
    done, unknown = outcome.failed("", 2), False
    try:
        done = _commit(plan.conn, claim)
    except KeyboardInterrupt:
        unknown = True
        raise
    finally:
        # Of a restore whose end is unknown the rows are kept.
        if not done.success and not unknown and not plan.conn.broken:
            path.unlink(missing_ok=True)
    return done


def _write(plan: Plan) -> list[str]:
    """Write everything; notes about it."""
    conn = plan.conn
    written = [one for tables in plan.order for one in tables if one.inserts + one.updates]
    touched = [staged.table for staged in written]
    touched += [
        table for table in referred_to.followers(plan.catalog, written) if table not in touched
    ]
    off = triggers.Off(conn, touched)
    objects = plan.content.objects.write()
    for staged in written:
        plan.overlaps.park(staged)
    conn.execute("SET CONSTRAINTS ALL DEFERRED")
    for tables in _together(plan.catalog, plan.order):
        plan.doing(f"writing {', '.join(staged.table.quoted for staged in tables)}")
        write.write(conn, tables, off)
    conn.execute("SET CONSTRAINTS ALL IMMEDIATE")
    off.back()
    # A trigger of one table may write to another.
    if any(off.firing(table) for table in touched):
        for staged in plan.content.tables:
            write.verify(conn, staged, off)
    return [*off.notes, *objects.notes, *_views(plan, touched)]


def _views(plan: Plan, touched: list[Table]) -> list[str]:
    if plan.options.refresh:
        plan.doing("refreshing materialised views")
        done = views.refresh(plan.conn)
        return [f"materialised views refreshed: {', '.join(done)}"] if done else []
    stale = views.stale(plan.conn, touched)
    if not stale:
        return []
    return [f"materialised views are stale now: {', '.join(stale)} (--refresh renews them)"]


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
                linked = key.parent == parent.table.root
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


def _commit(conn: Connection, claim: Claim) -> Claim:
    """``claim``, once the server has said COMMIT."""
    if conn.info.transaction_status is not TransactionStatus.INTRANS:
        return outcome.failed("the transaction ended before its time; nothing was changed", 1)
    no_way_back(f"COMMIT was under way: {_UNKNOWN}")
    try:
        said = conn.execute("COMMIT").statusmessage
    except psycopg.Error as error:
        if conn.broken:
            return outcome.failed(f"the connection was lost during COMMIT: {_UNKNOWN}", 2)
        raise error
    if said != "COMMIT":
        return outcome.failed(f"the server answered {said} to COMMIT; nothing was changed", 1)
    return claim
