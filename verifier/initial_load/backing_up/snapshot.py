"""The source of a backup, held still: every table locked first, then one snapshot of them all.

In that order, because TRUNCATE and a rewrite of a table (ALTER TYPE) do not heed a
snapshot (trap S02): a table that they empty after the snapshot was taken and before it
is locked reads as empty. Locks of ACCESS SHARE mode keep them out and nobody else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import errors
from psycopg.rows import dict_row

from verifier.dsn import Dsn, redact
from verifier.errors import BackupError
from verifier.initial_load.catalog import Connection
from verifier.initial_load.session import run

# What pg_dump sets for itself, so that rows that we write ourselves look like its own;
# nobody's timeouts end the wait for pg_dump. The search path stays the account's own.
_PINNED = {
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "extra_float_digits": "3",
    "bytea_output": "hex",
    "quote_all_identifiers": "off",
    "row_security": "off",
    "standard_conforming_strings": "on",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}
_SINCE = {"idle_session_timeout": 140000, "transaction_timeout": 170000}
_ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class Relation:
    """A table of the source that pg_dump would write."""

    oid: int
    schema: str
    name: str
    quoted: str
    partitioned: bool
    root: int
    """The topmost table that this one is a partition of; itself if it is none."""
    lineage: tuple[str, ...]
    """Unquoted names of it and of what it is a partition of."""
    unlogged: bool
    readable: bool
    hidden: bool
    """Whether row-level security may hide rows from this account."""
    condition: str
    """``WHERE …`` for the rows of an extension's table that are the user's own; else empty."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What of the source is held still."""

    id: str
    """For ``pg_dump --snapshot``."""
    made: datetime
    tables: dict[int, Relation]
    """Those to be backed up, by oid; partitioned ones and their partitions, too."""
    control: tuple[Relation, ...]
    """Those that are left out whole."""
    out: tuple[tuple[str, str], ...]
    """Schema and name of all that pg_dump has to leave out: these tables and their sequences."""

    def roots(self) -> list[Relation]:
        """The tables that rows are written under: all that are no partitions."""
        return [table for table in self.tables.values() if table.root == table.oid]


def connect(dsn: Dsn, lock_timeout: float | None) -> Connection:
    """A session outside of any transaction; raises :class:`BackupError`."""
    try:
        conn = psycopg.connect(
            dsn.conninfo, client_encoding="UTF8", prepare_threshold=None, autocommit=True
        )
    except psycopg.Error as error:
        said = redact(str(error).strip().split("\n")[0], dsn)
        raise BackupError(f"no backup of {dsn}: {said}") from None
    try:
        patience = "0" if lock_timeout is None else f"{max(1, round(lock_timeout * 1000))}ms"
        settings = {**_PINNED, "lock_timeout": patience}
        settings |= {
            name: "0" for name, since in _SINCE.items() if conn.info.server_version >= since
        }
        for setting in settings.items():
            conn.execute("SELECT pg_catalog.set_config(%s, %s, false)", setting)
    except BaseException:
        conn.close()
        raise
    return conn


def take(conn: Connection, control: Collection[str], *, writing: bool) -> Snapshot:
    """Begin a transaction in which every table is locked and nothing changes any more.

    ``writing``: whether temporary tables will be made in it. Raises :class:`BackupError`
    for tables that cannot be read, or that somebody else keeps locked.
    """
    mode = "READ WRITE" if writing else "READ ONLY"
    for _ in range(_ATTEMPTS):
        first, left_alone = _split(_relations(conn), control)
        _readable(conn, first)
        _sequences(conn, {table.oid for table in left_alone})
        run(conn, "BEGIN ISOLATION LEVEL REPEATABLE READ, {mode}", mode=mode)
        try:
            # LOCK takes no snapshot; the first query behind it does.
            if first:
                locked = ", ".join(f"ONLY {table.quoted}" for table in first.values())
                run(conn, "LOCK TABLE {locked} IN ACCESS SHARE MODE", locked=locked)
            found = conn.execute("SELECT pg_export_snapshot(), clock_timestamp()").fetchone()
            assert found is not None
            tables, left_alone = _split(_relations(conn), control)
            if tables.items() <= first.items():
                names = [(table.schema, table.name) for table in left_alone]
                names += _sequences(conn, {table.oid for table in left_alone})
                return Snapshot(found[0], found[1], tables, left_alone, tuple(names))
        except (errors.UndefinedTable, errors.InvalidSchemaName, errors.UndefinedObject):
            pass
        except errors.LockNotAvailable:
            conn.execute("ROLLBACK")
            raise BackupError(held_up(conn, first.values())) from None
        # A table was made, dropped, renamed or changed hands meanwhile: once more.
        conn.execute("ROLLBACK")
    raise BackupError(
        f"tables of the source were created or dropped during each of {_ATTEMPTS} attempts to "
        "take a snapshot; make the backup when no migration runs"
    )


# Of a table that is dropped at this moment, nobody's rights are known: NULL.
# An extension's tables are its script's, but for the rows that it declares as its users'.
_RELATIONS = """
SELECT c.oid::bigint AS oid, n.nspname AS schema, c.relname AS name,
       pg_catalog.format('%I.%I', n.nspname, c.relname) AS quoted, c.relkind = 'p' AS partitioned,
       coalesce(u.root, c.oid)::bigint AS root,
       coalesce(u.names, ARRAY[c.relname::text]) AS lineage,
       c.relpersistence = 'u' AS unlogged,
       coalesce(has_schema_privilege(n.oid, 'USAGE')
                AND has_table_privilege(c.oid, 'SELECT'), true) AS readable,
       c.relkind = 'r' AND row_security_active(c.oid) AS hidden,
       coalesce(x.extcondition[array_position(x.extconfig, c.oid)], '') AS condition
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::regclass
      AND d.objid = c.oid AND d.deptype = 'e'
LEFT JOIN pg_catalog.pg_extension x ON x.oid = d.refobjid,
LATERAL (SELECT (pg_catalog.array_agg(a.relid ORDER BY a.step DESC))[1] AS root,
                pg_catalog.array_agg(r.relname::text ORDER BY a.step) AS names
         FROM pg_catalog.pg_partition_ancestors(c.oid) WITH ORDINALITY a(relid, step)
         JOIN pg_catalog.pg_class r ON r.oid = a.relid) u
WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND (d.objid IS NULL OR c.oid = ANY (x.extconfig))
ORDER BY n.nspname, c.relname
"""

_SEQUENCES = """
SELECT n.nspname, c.relname, pg_catalog.format('%I.%I', n.nspname, c.relname),
       d.refobjid::bigint,
       has_schema_privilege(n.oid, 'USAGE') AND has_sequence_privilege(c.oid, 'SELECT')
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid
      AND d.deptype IN ('a', 'i') AND d.refclassid = 'pg_catalog.pg_class'::regclass
WHERE c.relkind = 'S' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
                  WHERE e.classid = 'pg_catalog.pg_class'::regclass AND e.objid = c.oid
                    AND e.deptype = 'e')
ORDER BY 1, 2
"""


def _relations(conn: Connection) -> list[Relation]:
    with conn.cursor(row_factory=dict_row) as cursor:
        rows: list[dict[str, Any]] = cursor.execute(_RELATIONS).fetchall()
    return [Relation(**{**row, "lineage": tuple(row["lineage"])}) for row in rows]


def _split(
    relations: list[Relation], control: Collection[str]
) -> tuple[dict[int, Relation], tuple[Relation, ...]]:
    """What is backed up, and what is left out by its name or by that of the whole table."""
    out = tuple(table for table in relations if set(table.lineage) & set(control))
    gone = {table.oid for table in out}
    return {table.oid: table for table in relations if table.oid not in gone}, out


def _readable(conn: Connection, tables: dict[int, Relation]) -> None:
    """Raise :class:`BackupError` for rows that this account would not get to see (trap H14)."""
    user = conn.info.user
    closed = [table.quoted for table in tables.values() if not table.readable]
    if closed:
        raise BackupError(
            f"the account {user} may not read {listed(closed)}; grant it SELECT on them and "
            "USAGE on their schemas, or make the backup with an account that may"
        )
    hidden = [table.quoted for table in tables.values() if table.hidden]
    if hidden:
        raise BackupError(
            f"row-level security may hide rows of {listed(hidden)} from the account {user}; make "
            "the backup with an account that has BYPASSRLS, or with a superuser"
        )


def _sequences(conn: Connection, control: Collection[int]) -> tuple[tuple[str, str], ...]:
    """Schema and name of the sequences that belong to ``control`` (oids of tables).

    Raises :class:`BackupError` for others that cannot be read.
    """
    rows = conn.execute(_SEQUENCES).fetchall()
    closed = [quoted for _, _, quoted, owner, open_ in rows if owner not in control and not open_]
    if closed:
        raise BackupError(
            f"the account {conn.info.user} may not read the sequences {listed(closed)}; grant it "
            "SELECT on them, or make the backup with an account that may"
        )
    return tuple((schema, name) for schema, name, _, owner, _ in rows if owner in control)


def positions(conn: Connection, snapshot: Snapshot) -> Iterator[tuple[str, int, bool]]:
    """Every sequence that is backed up, as SQL writes it: its last value, and whether it was given.

    No snapshot holds a sequence still; they are read as they are.
    """
    for schema, name, quoted, _, _ in conn.execute(_SEQUENCES).fetchall():
        if (schema, name) not in snapshot.out:
            found = run(
                conn, "SELECT last_value, is_called FROM {sequence}", sequence=quoted
            ).fetchone()
            assert found is not None
            yield quoted, found[0], found[1]


def listed(names: list[str]) -> str:
    """The first few of ``names``, and how many more there are."""
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"


def held_up(conn: Connection, tables: Collection[Relation]) -> str:
    """Who keeps ``tables`` from being locked, as a sentence."""
    rows = conn.execute(
        "SELECT l.relation::bigint, l.pid, l.granted, a.application_name, a.state"
        " FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid"
        " WHERE l.mode = 'AccessExclusiveLock' AND l.relation::bigint = ANY (%s)"
        "   AND l.database = (SELECT oid FROM pg_catalog.pg_database"
        "                     WHERE datname = current_database())"
        " ORDER BY l.granted DESC, l.relation, l.pid",
        [[table.oid for table in tables]],
    ).fetchall()
    names = {table.oid: table.quoted for table in tables}
    held = [
        f"{names[oid]} is {'locked' if granted else 'about to be locked'} by process {pid} "
        f"({', '.join(filter(None, (application, state))) or 'of another account'})"
        for oid, pid, granted, application, state in rows
    ]
    return (
        f"{'; '.join(held[:5]) or 'a table is locked by a session that has ended since'}; the "
        "lock timeout passed before the backup could begin: try again when that has ended, "
        "or with a longer lock timeout"
    )


def count(conn: Connection, snapshot: Snapshot) -> dict[int, int]:
    """Rows of the snapshot by the table that they are written under."""
    rows = dict.fromkeys((table.oid for table in snapshot.roots()), 0)
    for table in snapshot.tables.values():
        if table.partitioned:
            continue
        found = run(
            conn,
            "SELECT pg_catalog.count(*) FROM ONLY {table} {condition}",
            table=table.quoted,
            condition=table.condition,
        ).fetchone()
        assert found is not None
        rows[table.root] += found[0]
    return rows
