"""What became of staged rows: rejected with a reason, or known under another key.

``restore_rejected`` holds the rejected rows, which are gone from their staging
table. ``restore_was`` holds the backup's own key of every row whose key was
changed in staging; with a constraint when the row took over the key of a target
row that it collides with. ``restore_bound`` holds the duplicates of such a row, which it
may be equal to no longer.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from verifier.contract import Merge, Rejection
from verifier.initial_load.catalog import Connection
from verifier.initial_load.reading import quarantine
from verifier.initial_load.reading.quarantine import Quarantined
from verifier.initial_load.session import paste, run
from verifier.initial_load.stage import Staged


class NotKept(Exception):
    """The rejected rows cannot be written to their file; the message says why."""


FOLLOWS = "its parent is rejected: "
"""How the reason of a rejection begins that only follows from another one."""


def create(conn: Connection) -> None:
    conn.execute(
        "CREATE TEMP TABLE restore_rejected"
        " (tab int, n bigint, key json, data json, reason text, con text,"
        "  no bigint GENERATED ALWAYS AS IDENTITY) ON COMMIT DROP"
    )
    conn.execute(
        "CREATE TEMP TABLE restore_was"
        " (tab int, n bigint, key json, con text, PRIMARY KEY (tab, n)) ON COMMIT DROP"
    )
    conn.execute(
        "CREATE TEMP TABLE restore_bound (tab int, n bigint, winner bigint, con text)"
        " ON COMMIT DROP"
    )
    conn.execute(
        "CREATE TEMP TABLE restore_merged"
        " (tab int, n bigint, winner bigint, key json, survivor json, con text) ON COMMIT DROP"
    )
    # One for all tables, and one for all that are empty: the locks on temporary tables stay
    # until the end, too, and a server has room for some thousands (max_locks_per_transaction).
    conn.execute(
        "CREATE TEMP TABLE restore_delta (n bigint, t_oid oid, t_ctid tid, newer bool)"
        " ON COMMIT DROP; "
        "CREATE TEMP TABLE restore_none (n bigint, t_oid oid, t_ctid tid) ON COMMIT DROP"
    )


def reject(
    conn: Connection, staged: Staged, where: str, reason: str, constraint: str = "''"
) -> int:
    """Take the rows ``s`` that satisfy ``where`` out of staging; the number of them.

    ``reason`` and ``constraint`` are SQL text expressions over the row ``b``.
    """
    return run(
        conn,
        "WITH b AS (DELETE FROM {rows} AS s WHERE {where} RETURNING s.*) "
        "INSERT INTO pg_temp.restore_rejected "
        "SELECT {number}, b.{n}, coalesce(w.key, {key}), {row}, {reason}, {constraint} "
        "FROM b LEFT JOIN pg_temp.restore_was w ON w.tab = {number} AND w.n = b.{n}",
        rows=staged.rows,
        where=where,
        number=str(staged.number),
        n=staged.ordinal,
        key=staged.key_json("b"),
        row=staged.row_json("b"),
        reason=reason,
        constraint=constraint,
    ).rowcount


class Undoable:
    """What a block rejected that is undone if it rejects something."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self.rejected = 0
        """Rows that are rejected now, because the block did; known at its end."""
        self.also: list[Cause] = []
        """Rejections that count, whenever they were made."""
        self.count()

    def count(self) -> None:
        """From here on rejections count; those before just follow from what is known."""
        last = "SELECT coalesce(max(no), 0) FROM pg_temp.restore_rejected"
        row = self._conn.execute(last).fetchone()
        self.since = row[0] if row else 0


@contextmanager
def undoable(conn: Connection, tables: list[Staged]) -> Iterator[Undoable]:
    """A block that is undone if it rejects rows of ``tables``, which are then rejected again.

    Whatever the block did on the way, for rows that are gone now, may have been wrong.
    """
    undo = Undoable(conn)
    conn.execute("SAVEPOINT decided")
    yield undo
    causes = undo.also or _causes(conn, tables, undo.since)
    undo.rejected = len(causes)
    if causes:
        conn.execute("ROLLBACK TO decided")
        for staged in tables:
            staged.unplan()  # its tables are no more
        _again(conn, tables, causes)
    conn.execute("RELEASE decided")


Cause = tuple[int, int, str, str | None]
"""Number of the table, ordinal of the row, reason and constraint."""


def _causes(conn: Connection, tables: list[Staged], since: int) -> list[Cause]:
    """The rejections of rows of ``tables`` since, without those that only follow from others."""
    rows: list[Cause] = conn.execute(
        "SELECT tab, n, reason, con FROM pg_temp.restore_rejected WHERE no > %s AND tab = ANY (%s)",
        [since, [staged.number for staged in tables]],
    ).fetchall()
    return [row for row in rows if not row[2].startswith(FOLLOWS)] or rows


def _again(conn: Connection, tables: list[Staged], causes: list[Cause]) -> None:
    conn.execute(
        "CREATE TEMP TABLE restore_again (tab int, n bigint, reason text, con text,"
        " PRIMARY KEY (tab, n)) ON COMMIT DROP"
    )
    with conn.cursor().copy("COPY pg_temp.restore_again FROM STDIN") as copy:
        for row in causes:
            copy.write_row(row)
    for staged in tables:
        same = paste("FROM pg_temp.restore_again l WHERE l.tab = {no}", no=str(staged.number))
        reject(
            conn,
            staged,
            paste("s.{n} IN (SELECT l.n {same})", n=staged.ordinal, same=same),
            paste("(SELECT l.reason {same} AND l.n = b.{n})", n=staged.ordinal, same=same),
            paste("(SELECT l.con {same} AND l.n = b.{n})", n=staged.ordinal, same=same),
        )
    conn.execute("DROP TABLE pg_temp.restore_again")


def rejections(conn: Connection, tables: list[Staged]) -> tuple[Rejection, ...]:
    """Every rejected row, by the order of ``tables`` and the position in the backup."""
    names = {staged.number: (place, staged.table.quoted) for place, staged in enumerate(tables)}
    rows = conn.execute("SELECT tab, key, reason, con FROM pg_temp.restore_rejected ORDER BY n")
    return tuple(
        Rejection(table=names[tab][1], key=key, reason=reason, constraint=con or "")
        for tab, key, reason, con in sorted(rows, key=lambda row: names[row[0]][0])
    )


def keep(conn: Connection, tables: list[Staged], path: Path) -> None:
    """Write every rejected row to the file ``path``. Raises :class:`NotKept`."""
    try:
        quarantine.write(path, quarantined(conn, tables))
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise NotKept(
            f"the rejected rows could not be kept in {path}: {error.strerror or error}; "
            f"{'make room' if full else 'see that it can be written'}, or name another file"
        ) from error


def quarantined(conn: Connection, tables: list[Staged]) -> Iterator[Quarantined]:
    """Every rejected row with what the backup has of it; not all of them at once."""
    names = {staged.number: staged.table.quoted for staged in tables}
    query = "SELECT tab, data, key, reason, con FROM pg_temp.restore_rejected ORDER BY tab, n"
    with conn.cursor() as cursor:
        for tab, data, key, reason, constraint in cursor.stream(query):
            yield Quarantined(
                table=names[tab], row=data, key=key, reason=reason, constraint=constraint or ""
            )
    # The end of a stream says nothing of a lost connection; this does, before COMMIT.
    conn.execute("SELECT")


LISTED = 100_000
"""Merged rows that a claim lists, so that its size does not depend on the backup's."""


def merges(conn: Connection, tables: list[Staged]) -> tuple[Merge, ...]:
    """The merged rows by table and position in the backup, the first :data:`LISTED` of them."""
    rows = conn.execute(
        "SELECT tab, key, survivor, con FROM pg_temp.restore_merged ORDER BY tab, n LIMIT %s",
        [LISTED],
    )
    return tuple(
        Merge(table=tables[tab].table.quoted, key=key, survivor=survivor, constraint=con or "")
        for tab, key, survivor, con in rows
    )


def counts(rejected: tuple[Rejection, ...], tables: list[Staged]) -> dict[str, int]:
    """Rejected rows by table, every table of ``tables`` among them."""
    found = {staged.table.quoted: 0 for staged in tables}
    for rejection in rejected:
        found[rejection.table] = found.get(rejection.table, 0) + 1
    return found
