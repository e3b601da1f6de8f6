"""The restore: one transaction that ends in COMMIT with the whole backup, or changes nothing."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import psycopg
from psycopg.pq import TransactionStatus

from verifier.contract import Claim
from verifier.dsn import Dsn, redact
from verifier.errors import BackupRefused
from verifier.initial_load import catalog as catalogue
from verifier.initial_load import checks, ledger, match, outcome, repoint, sequences, session, write
from verifier.initial_load.catalog import Catalog, Connection
from verifier.initial_load.order import components
from verifier.initial_load.stage import Content, Staged, stage


class _Rejected(Exception):
    """Rows or the whole backup do not fit; holds the claim that says so."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim


def restore(path: Path, dsn: Dsn, control_tables: Collection[str] = ()) -> Claim:
    """Restore the backup ``path`` into the database ``dsn``.

    Never raises for a restore that fails: the claim says why. Exit codes: 0 done,
    1 rows were rejected or the target refused them, 2 no connection or no backup.
    ``control_tables`` (unquoted, of any schema) are left alone.
    """
    try:
        conn = session.connect(dsn)
    except psycopg.Error as error:
        said = redact(str(error).strip().split("\n")[0], dsn)
        return outcome.failed(f"no restore on {dsn}: {said}; nothing was changed", 2)
    try:
        return _restore(conn, path, control_tables)
    except _Rejected as rejected:
        return rejected.claim
    except BackupRefused as refused:
        return outcome.failed(f"the backup is refused: {refused}; nothing was changed", 2)
    except write.NotWritten as error:
        return outcome.failed(f"{error}; nothing was changed", 1)
    except psycopg.Error as error:
        return outcome.server_error(error, dsn, lost=conn.broken)
    finally:
        # Closing without COMMIT rolls back.
        conn.close()


def _restore(conn: Connection, path: Path, control_tables: Collection[str]) -> Claim:
    catalog = catalogue.load(conn)
    ledger.create(conn)
    content = stage(conn, catalog, path, control_tables)
    if content.problems:
        raise _Rejected(outcome.unfit(content))
    _lock(conn, content)
    order = _order(catalog, content.tables)
    for tables in order:
        _settle(conn, catalog, content, tables)
    _stop_if_rejected(conn, order)
    for staged in content.tables:
        write.plan(conn, catalog, staged)
    _stop_if_rejected(conn, order)
    conn.execute("SET CONSTRAINTS ALL DEFERRED")
    for tables in _together(catalog, order):
        write.write(conn, catalog, tables)
    counts = {staged.table.quoted: outcome.count(conn, staged) for staged in content.tables}
    merges = ledger.merges(conn, content.tables)
    conn.execute("SET CONSTRAINTS ALL IMMEDIATE")
    if any(staged.table.triggers for staged in content.tables):
        for staged in content.tables:
            write.verify(conn, staged)
    unknown = sequences.advance(conn, content)
    claim = outcome.restored(content, counts, merges, unknown)
    return _commit(conn, claim)


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


def _settle(conn: Connection, catalog: Catalog, content: Content, tables: list[Staged]) -> None:
    """Decide what becomes of every row of one component; its parents are settled.

    A merge moves references, moved references may make rows equal that were not:
    within the component this goes on until nothing moves. It ends, because every
    round makes groups larger or takes rows out.
    """
    for staged in tables:
        checks.complete(conn, staged)
        checks.rows(conn, staged)
    own = {staged.table.oid for staged in tables}
    while True:
        checks.orphans(conn, catalog, content.tables, tables)
        moved: set[int] = set()
        left = _rows(conn, tables)
        for staged in tables:
            match.decide(conn, staged)
        for staged in tables:
            moved |= repoint.repoint(conn, catalog, content.tables, staged)
        if not moved & own and left == _rows(conn, tables):
            return


def _rows(conn: Connection, tables: list[Staged]) -> int:
    """Rows that are still staged."""
    total = 0
    for staged in tables:
        row = session.run(conn, "SELECT count(*) FROM {rows}", rows=staged.rows).fetchone()
        total += row[0] if row else 0
    return total


def _stop_if_rejected(conn: Connection, order: list[list[Staged]]) -> None:
    # Parents first: the first rejection is then a cause and not a consequence.
    tables = [staged for component in order for staged in component]
    rejections = ledger.rejections(conn, tables)
    if rejections:
        raise _Rejected(outcome.rejected(rejections, ledger.refused(rejections, tables)))


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
