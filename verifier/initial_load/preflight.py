"""What keeps a restore from working, found before anything is written; a sentence each.

The server would say most of this by itself, but late, one at a time, and of row-level
security in words that name no way out. Nothing here changes anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from verifier.initial_load.catalog import Connection, Table
from verifier.initial_load.session import LOCK


def unready(conn: Connection) -> list[str]:
    """Why this session cannot restore anything. To be asked before the first temporary table."""
    row = conn.execute(
        "SELECT pg_is_in_recovery(), current_setting('transaction_read_only')::bool,"
        " has_database_privilege(current_database(), 'TEMPORARY'),"
        " current_setting('session_replication_role') = 'replica',"
        " quote_ident(current_user), quote_ident(current_database())"
    ).fetchone()
    assert row is not None
    standby, read_only, temporary, replica, user, database = row
    if standby:
        return ["the target is a standby, which takes no writes; restore into its primary"]
    found = []
    if read_only:
        found.append(
            f"transactions of {user} in {database} are read-only "
            "(default_transaction_read_only); restore with an account that may write, or set it off"
        )
    if not temporary:
        found.append(
            f"{user} may not make temporary tables, in which rows are staged; "
            f"GRANT TEMPORARY ON DATABASE {database} TO {user}"
        )
    if replica:
        found.append(
            f"sessions of {user} have session_replication_role = replica, which switches foreign "
            f"keys off; restore with another account, or ALTER ROLE {user} RESET it"
        )
    return found


# Columns: INSERT may be granted by column; UPDATE is needed to lock the table against
# other writers, which takes it on the whole table.
_TABLES = """
SELECT format('%%I.%%I', n.nspname, c.relname), quote_ident(n.nspname),
       has_schema_privilege(n.oid, 'USAGE'),
       ARRAY(SELECT p.name FROM (VALUES
         ('SELECT', has_table_privilege(c.oid, 'SELECT')),
         ('INSERT', c.oid <> ALL (%(written)s) OR has_table_privilege(c.oid, 'INSERT') OR
           (SELECT bool_and(has_column_privilege(c.oid, a.attnum, 'INSERT')) FROM pg_attribute a
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
              AND a.attgenerated = '')),
         ('UPDATE', c.oid <> ALL (%(written)s) OR has_table_privilege(c.oid, 'UPDATE'))
       ) p(name, granted) WHERE NOT p.granted),
       row_security_active(c.oid), quote_ident(pg_get_userbyid(c.relowner)),
       pg_has_role(c.relowner, 'USAGE'), quote_ident(current_user)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ANY (%(all)s)
ORDER BY 1
"""

# to_regclass would fail on a schema that may not be used, which has a sentence of its own.
_UNREADABLE = """
SELECT format('%%I.%%I', n.nspname, c.relname), quote_ident(current_user)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'S' AND format('%%I.%%I', n.nspname, c.relname) = ANY (%s)
  AND NOT has_table_privilege(c.oid, 'SELECT')
ORDER BY 1
"""


def denied(
    conn: Connection,
    written: Iterable[Table],
    read: Iterable[Table] = (),
    sequences: Iterable[str] = (),
) -> list[str]:
    """Missing rights and row-level security on the tables to be written and those only read.

    ``read`` are parents and such; a table may be in both. ``sequences`` (quoted names) are
    those that the backup sets; those that feed a written table are looked at anyway.
    """
    written = list(written)
    oids = [table.oid for table in written]
    both = list({*oids, *(table.oid for table in read)})
    found: dict[str, None] = {}
    # Names by account, kind, and the rights that are missing: one GRANT for all of them.
    lacking: dict[tuple[str, str, str], list[str]] = {}
    for table, schema, usage, missing, secured, owner, owned, user in conn.execute(
        _TABLES, {"written": oids, "all": both}
    ):
        if not usage:
            said = f"{user} may not use schema {schema}"
            found[f"{said}; GRANT USAGE ON SCHEMA {schema} TO {user}"] = None
        if missing:
            lacking.setdefault((user, "", ", ".join(missing)), []).append(table)
        found.update(dict.fromkeys(_secured(table, secured, owner, owned, user)))
    fed = (sequence.quoted for table in written for sequence in table.sequences)
    for name, user in conn.execute(_UNREADABLE, [list(dict.fromkeys([*fed, *sequences]))]):
        lacking.setdefault((user, "SEQUENCE ", "SELECT"), []).append(name)
    for (user, kind, rights), names in lacking.items():
        on = ", ".join(names)
        found[f"{user} has no {rights} on {on}; GRANT {rights} ON {kind}{on} TO {user}"] = None
    return list(found)


def _secured(table: str, secured: bool, owner: str, owned: bool, user: str) -> Iterator[str]:
    if secured:
        why = "is forced upon its owner" if owned else f"applies to {user}"
        other = "" if owned else f"as its owner {owner}, or "
        yield (
            f"row-level security of {table} {why}: rows could be hidden or refused; "
            f"restore {other}with a role that has BYPASSRLS"
        )


def immovable(conn: Connection, sequences: Iterable[str]) -> list[str]:
    """Which of ``sequences`` (quoted names) cannot be restarted: that takes ownership."""
    rows = conn.execute(
        "SELECT format('%%I.%%I', n.nspname, c.relname), quote_ident(pg_get_userbyid(c.relowner)),"
        " quote_ident(current_user)"
        " FROM unnest(%s::text[]) WITH ORDINALITY s(name, no)"
        " JOIN pg_class c ON c.oid = to_regclass(s.name)"
        " JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE NOT pg_has_role(c.relowner, 'USAGE') ORDER BY s.no",
        [list(sequences)],
    )
    return [
        f"sequence {name} has to move on and {user} does not own it; restore as {owner}"
        for name, owner, user in rows
    ]


# Modes that the restore's own, SHARE ROW EXCLUSIVE, has to wait for. Locks without a
# relation of this database have no name, which format('%I') would not take.
_HOLDERS = """
SELECT CASE WHEN l.locktype = 'advisory' THEN 'the lock of another restore'
            ELSE quote_ident(n.nspname) || '.' || quote_ident(c.relname) END,
       l.pid, a.application_name, a.usename, a.state,
       to_char(coalesce(a.state_change, a.xact_start, x.prepared) AT TIME ZONE 'UTC',
               'YYYY-MM-DD HH24:MI:SS "UTC"'), x.gid
FROM pg_locks l
LEFT JOIN pg_class c ON c.oid = l.relation
LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_stat_activity a ON a.pid = l.pid
LEFT JOIN pg_locks p ON l.pid IS NULL AND p.pid IS NULL AND p.locktype = 'transactionid'
  AND p.virtualtransaction = l.virtualtransaction
LEFT JOIN pg_prepared_xacts x ON x.transaction = p.transactionid
WHERE l.granted AND l.pid IS DISTINCT FROM pg_backend_pid()
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND ((l.locktype = 'relation'
        AND quote_ident(n.nspname) || '.' || quote_ident(c.relname) = ANY (%(names)s)
        AND l.mode NOT IN ('AccessShareLock', 'RowShareLock'))
    OR (l.locktype = 'advisory' AND l.objsubid = 1
        AND (l.classid::bigint << 32) + l.objid::bigint = %(lock)s))
ORDER BY l.locktype <> 'advisory', 1, 2
"""


def holders(conn: Connection, names: Iterable[str]) -> list[str]:
    """Who holds a lock that a restore into the tables ``names`` (quoted) has to wait for.

    For after a lock timeout, in a transaction of its own: ``public.x, held by pid 123
    (psql, idle in transaction since 2026-01-31 12:00:00 UTC)``. Empty once it is free.
    """
    found: dict[str, None] = {}
    rows = conn.execute(_HOLDERS, {"names": list(names), "lock": LOCK})
    for what, pid, application, user, state, since, prepared in rows:
        if prepared is not None:
            who = f"the prepared transaction {prepared!r} ({since})"
        else:
            # Another user's state is hidden from an account without pg_read_all_stats.
            doing = f"{state or 'connected'} since {since}" if since else state or "state hidden"
            who = f"pid {pid} ({application or user or 'no name'}, {doing})"
        found[f"{what}, held by {who}"] = None
    return list(found)
