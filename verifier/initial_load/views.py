"""Materialised views hold copies that a restore makes stale (trap O08).

What a view reads is in ``pg_depend``: its rule's relations, plain views and other
materialised views among them, and functions with a body in standard SQL, whose relations
are known in turn. What a function with a quoted body reads, the server does not know.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import psycopg

from verifier.initial_load.catalog import Connection, Table
from verifier.initial_load.order import components
from verifier.initial_load.session import run, unpinned
from verifier.initial_load.write import NotWritten


class NotRefreshed(NotWritten):
    """Materialised views that cannot be refreshed; the message names each and says why."""


@dataclass(frozen=True, slots=True)
class _View:
    oid: int
    quoted: str
    populated: bool
    owner: str
    allowed: bool


# {maintain}: a right of its own since PostgreSQL 17.
_VIEWS = """
SELECT c.oid::bigint, format('%I.%I', n.nspname, c.relname), c.relispopulated,
       quote_ident(pg_get_userbyid(c.relowner)), pg_has_role(c.relowner, 'USAGE') OR {maintain}
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'm' AND n.nspname !~ '^pg_'
ORDER BY 2
"""

# Who reads whom; functions by their negative oid. A partitioned table reads its
# partitions, a table those that inherit from it.
_READS = """
SELECT w.ev_class::bigint AS reader,
       CASE WHEN d.refclassid = 'pg_proc'::regclass THEN -1 ELSE 1 END * d.refobjid::bigint
FROM pg_rewrite w JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
WHERE w.ev_type = '1' AND d.refclassid IN ('pg_class'::regclass, 'pg_proc'::regclass)
  AND NOT (d.refclassid = 'pg_class'::regclass AND d.refobjid = w.ev_class)
UNION
SELECT -d.objid::bigint,
       CASE WHEN d.refclassid = 'pg_proc'::regclass THEN -1 ELSE 1 END * d.refobjid::bigint
FROM pg_depend d
WHERE d.classid = 'pg_proc'::regclass
  AND d.refclassid IN ('pg_class'::regclass, 'pg_proc'::regclass)
UNION
SELECT inhparent::bigint, inhrelid::bigint FROM pg_inherits
ORDER BY 1, 2
"""


def refresh(conn: Connection) -> list[str]:
    """Refresh every populated materialised view, those that others read first; their names.

    In the caller's transaction and under the account's own settings (a view may depend on
    the time zone). Unpopulated views stay unpopulated. Raises :class:`NotRefreshed`.
    """
    views = [view for view in _views(conn) if view.populated]
    problems = [
        f"materialised view {view.quoted} belongs to {view.owner}; restore as {view.owner}, "
        "or without --refresh"
        for view in views
        if not view.allowed
    ]
    if problems:
        raise NotRefreshed("; ".join(problems))
    done = []
    with unpinned(conn):
        for view in _in_order(conn, views):
            run(conn, "SAVEPOINT refresh")
            try:
                run(conn, "REFRESH MATERIALIZED VIEW {view}", view=view.quoted)
                done.append(view.quoted)
            except psycopg.OperationalError:  # no lock, cancelled, connection lost
                raise
            except psycopg.DatabaseError as error:
                run(conn, "ROLLBACK TO refresh")
                said = error.diag.message_primary or type(error).__name__
                problems.append(f"materialised view {view.quoted} cannot be refreshed: {said}")
            run(conn, "RELEASE refresh")
    if problems:
        raise NotRefreshed("; ".join(problems))
    return done


def stale(conn: Connection, tables: Iterable[Table]) -> list[str]:
    """The populated materialised views that read, over whatever way, one of ``tables``."""
    written = {table.oid for table in tables}
    views = [view for view in _views(conn) if view.populated]
    if not (written and views):
        return []
    reads = _reads(conn)
    return [view.quoted for view in views if written & _reached(reads, view.oid)]


def _views(conn: Connection) -> list[_View]:
    since_17 = conn.info.server_version >= 170000
    maintain = "has_table_privilege(c.oid, 'MAINTAIN')" if since_17 else "false"
    return [_View(*row) for row in run(conn, _VIEWS, maintain=maintain)]


def _reads(conn: Connection) -> dict[int, list[int]]:
    reads: dict[int, list[int]] = {}
    for reader, read in conn.execute(_READS):
        reads.setdefault(reader, []).append(read)
    return reads


def _reached(reads: dict[int, list[int]], start: int) -> set[int]:
    found: set[int] = set()
    rest = [start]
    while rest:
        for node in reads.get(rest.pop(), ()):
            if node not in found:
                found.add(node)
                rest.append(node)
    return found


def _in_order(conn: Connection, views: list[_View]) -> list[_View]:
    by_oid = {view.oid: view for view in views}
    reads = _reads(conn)
    below = {oid: sorted(_reached(reads, oid) & by_oid.keys()) for oid in by_oid}
    return [by_oid[oid] for found in components(below) for oid in found]
