"""The writes: parents first, missing rows inserted, differing rows updated, equal rows left alone.

Nothing is deleted, no identity moves, and enforcement stays on: foreign keys are
checked at the end of each statement, so the rows of one table, and of all tables
of one cycle (as parts of a single statement, trap O03), may refer to each other. So
may tables whose references an update moves on both sides (a code, not an identity).
"""

from __future__ import annotations

from collections.abc import Iterator

from verifier.initial_load import changes, triggers
from verifier.initial_load.catalog import Catalog, Column, Connection, UniqueKey
from verifier.initial_load.ledger import reject
from verifier.initial_load.match import evaluated, same
from verifier.initial_load.session import literal, paste, run
from verifier.initial_load.stage import Staged


class NotWritten(Exception):
    """The target did something else than it was told; the message says what."""


_NOBODY = "a trigger of another table, or the action of a foreign key"


def plan(conn: Connection, catalog: Catalog, staged: Staged) -> int:
    """Reject what cannot be written, before anything is; the number of rows."""
    if not staged.updates:
        return 0
    rejected = 0
    fixed = [c for c in staged.given if c.always and c not in staged.identity]
    if fixed:
        rejected += reject(
            conn,
            staged,
            paste(
                "s.{n} IN (SELECT c.n FROM {pairs} WHERE {differ})",
                n=staged.ordinal,
                pairs=_pairs(staged),
                differ=" OR ".join(changes.unlike(column) for column in fixed),
            ),
            literal(f"{fixed[0].quoted} is GENERATED ALWAYS and cannot be changed"),
        )
    for key, where in _wanted(staged):
        if _parking(catalog, staged, key) is None:
            rejected += reject(
                conn,
                staged,
                paste("s.{n} IN (SELECT p.n FROM {where} p)", n=staged.ordinal, where=where),
                literal(
                    f"its {key.name} is taken over by another row, and none of the key's columns "
                    "can hold a value in between; make the constraint deferrable"
                ),
                literal(key.name),
            )
    return rejected


def _pairs(staged: Staged) -> str:
    """FROM items: the changes ``c``, staged row ``s``, target row ``t``."""
    return (
        f"{staged.change} c JOIN {staged.rows} s ON s.{staged.ordinal} = c.n"
        f" JOIN {staged.table.only} t ON t.tableoid = c.t_oid AND t.ctid = c.t_ctid"
    )


# --- values that pass from one row to another ------------------------------------------


def _wanted(staged: Staged) -> Iterator[tuple[UniqueKey, str]]:
    """For each key that can pass from row to row: a query for the changes that give it away.

    Such a row's present key is wanted by another row that is written. A deferrable
    key needs no help: its check is deferred to the end.
    """
    identity = staged.table.identity
    for key in staged.keys:
        if key is identity or not key.immediate:
            continue
        written = paste(
            "SELECT k.* FROM ({rows}) k WHERE k.n IN (SELECT n FROM {new})"
            " OR k.n IN (SELECT n FROM {change})",
            rows=evaluated(key, staged.rows, f"{staged.ordinal} AS n"),
            new=staged.new,
            change=staged.change,
        )
        yield (
            key,
            paste(
                "(SELECT DISTINCT c.n, c.t_oid, c.t_ctid FROM {change} c"
                " JOIN ({held}) t ON t.t_oid = c.t_oid AND t.t_ctid = c.t_ctid"
                " JOIN ({written}) s ON {same} AND s.n <> c.n)",
                change=staged.change,
                held=evaluated(key, staged.table.only, "tableoid AS t_oid, ctid AS t_ctid"),
                written=written,
                same=same(staged, key, "s", "t"),
            ),
        )


def handed_on(conn: Connection, staged: Staged) -> list[str]:
    """The keys of which values pass from a row of the target to another one."""
    if not staged.updates:
        return []
    return [
        key.name
        for key, wanted in _wanted(staged)
        if run(conn, "SELECT FROM {wanted} w LIMIT 1", wanted=wanted).rowcount
    ]


_ENOUGH = 20
"""Characters of a hash that make it one of its own."""
_PRIVATE, _COUNT = 0xE000, 6400
"""The first character for private use in Unicode, and how many there are."""
_DIGITS = (f"row_number_of_change.no % {_COUNT}", f"row_number_of_change.no / {_COUNT}")


def _parking(catalog: Catalog, staged: Staged, key: UniqueKey) -> tuple[Column, str] | None:
    """A column of ``key`` and an expression over ``t`` that no row has, to hold in between."""
    oid = staged.table.oid
    own = [fk for fk in catalog.foreign_keys if fk.child == oid]
    bound = catalog.referenced(staged.table)
    bound |= {name for fk in own if fk.full and len(fk.columns) > 1 for name in fk.columns}
    free = {column.name: column for column in changes.settable(staged) if column.name not in bound}
    for name in key.plain:
        # A reference may be NULL in between: a foreign key leaves such a row alone.
        if name in free and not free[name].not_null and key.nulls_distinct:
            return free[name], "NULL"
    linked = {name for fk in own for name in fk.columns}
    settable = {name: column for name, column in free.items() if name not in linked}
    plain = [settable[name] for name in key.plain if name in settable]
    others = [settable[name] for name in sorted(key.columns - set(key.plain)) if name in settable]
    for column in plain + others:
        found = _unused(staged, column)
        if found is not None:
            return column, found
    return None


def _unused(staged: Staged, column: Column) -> str | None:
    unique = "md5(t.tableoid::text || t.ctid::text)"
    if column.kind == "S" and column.base != "name":
        if column.length is None or column.length >= _ENOUGH:
            return f"left('~' || {unique}, {column.length or 33})"
        # So short that hashes would collide: characters that nobody has in his data.
        digits = [f"chr({_PRIVATE} + ({number})::int)" for number in _DIGITS[: column.length]]
        return (
            f"CASE WHEN getdatabaseencoding() = 'UTF8' THEN {' || '.join(digits)}"
            f" ELSE left('~' || {unique}, {column.length}) END"
        )
    if column.base == "uuid":
        return "gen_random_uuid()"
    if column.base in ("smallint", "integer", "bigint", "numeric"):
        top = f"(SELECT coalesce(max({column.quoted}), 0) FROM"
        return (
            f"greatest({top} {staged.table.only}), {top} {staged.rows})) + row_number_of_change.no"
        )
    return None


def _park(conn: Connection, catalog: Catalog, staged: Staged) -> None:
    for key, wanted in _wanted(staged):
        parking = _parking(catalog, staged, key)
        if parking is None:
            continue
        column, value = parking
        run(
            conn,
            "WITH row_number_of_change AS MATERIALIZED"
            "       (SELECT w.*, row_number() OVER () AS no FROM {wanted} w),"
            "     parked AS (UPDATE {target} t SET {column} = {value} FROM row_number_of_change"
            "       WHERE t.tableoid = row_number_of_change.t_oid"
            "         AND t.ctid = row_number_of_change.t_ctid"
            "       RETURNING row_number_of_change.n, t.tableoid AS t_oid, t.ctid AS t_ctid) "
            "UPDATE {change} c SET t_oid = p.t_oid, t_ctid = p.t_ctid FROM parked p"
            " WHERE p.n = c.n",
            wanted=wanted,
            target=staged.table.only,
            column=column.quoted,
            value=value,
            change=staged.change,
        )


# --- the statements that write -----------------------------------------------------------


def write(conn: Connection, catalog: Catalog, tables: list[Staged], off: triggers.Off) -> None:
    """Write ``tables``, in one statement if there are several things to do.

    Raises :class:`NotWritten` or the server's error.
    """
    for staged in tables:
        if staged.updates:
            _park(conn, catalog, staged)
    inserted = [(staged, _insert(staged), staged.inserts, "inserted") for staged in tables]
    updated = [(staged, _update(staged), staged.updates, "updated") for staged in tables]
    due = [part for part in inserted + updated if part[2]]
    if len(due) == 1:
        [(staged, statement, count, what)] = due
        _agree(staged, run(conn, "{it}", it=statement).rowcount, count, what, off)
    elif due:
        parts = [f"w{no} AS ({part[1]} RETURNING 1)" for no, part in enumerate(due)]
        counts = [paste("(SELECT count(*) FROM {w})", w=f"w{no}") for no, _ in enumerate(due)]
        found = run(
            conn, "WITH {parts} SELECT {counts}", parts=", ".join(parts), counts=", ".join(counts)
        ).fetchone()
        for (staged, _, count, what), done in zip(due, found or (), strict=True):
            _agree(staged, done, count, what, off)


def _insert(staged: Staged) -> str:
    columns = [column for column in staged.columns if not column.generated]
    names = ", ".join(column.quoted for column in columns)
    return paste(
        "INSERT INTO {table} {names} SELECT {values} FROM {rows} s {where}",
        table=staged.table.quoted,
        names=f"({names}) OVERRIDING SYSTEM VALUE" if columns else "",
        values=", ".join(f"s.{column.quoted}" for column in columns),
        rows=staged.rows,
        where=""
        if staged.all_new
        else paste(
            "WHERE s.{n} IN (SELECT n FROM {new}) ORDER BY s.{n}", n=staged.ordinal, new=staged.new
        ),
    )


def _update(staged: Staged) -> str:
    return paste(
        "UPDATE {target} t SET {set} FROM {change} c JOIN {rows} s ON s.{n} = c.n "
        "WHERE t.tableoid = c.t_oid AND t.ctid = c.t_ctid",
        target=staged.table.only,
        set=", ".join(f"{c.quoted} = s.{c.quoted}" for c in changes.settable(staged)),
        change=staged.change,
        rows=staged.rows,
        n=staged.ordinal,
    )


def _agree(staged: Staged, done: int, due: int, what: str, off: triggers.Off) -> None:
    if done != due:
        raise NotWritten(
            f"{staged.table.quoted}: {due} rows were to be {what} and {done} were; "
            f"a trigger or rule of the target drops rows ({off.blame(staged.table) or _NOBODY})"
        )


def verify(conn: Connection, staged: Staged, off: triggers.Off) -> None:
    """Look whether every row is as it was written. Raises :class:`NotWritten`.

    Only triggers and rules can make a difference, so it is for tables that have any.
    """
    if not staged.identity or not staged.inserts + staged.updates:
        return
    written = ""
    if not staged.all_new:
        written = paste(
            "s.{n} IN (SELECT n FROM {new} UNION ALL SELECT n FROM {change}) AND",
            n=staged.ordinal,
            new=staged.new,
            change=staged.change,
        )
    equal = " AND ".join(f"t.{c.quoted} = s.{c.quoted}" for c in staged.identity)
    differ = " OR ".join(changes.unlike(column) for column in staged.given) or "false"
    row = run(
        conn,
        "SELECT count(*), min({key}::text) FROM {rows} s LEFT JOIN {target} t ON {equal} "
        "WHERE {written} (t.tableoid IS NULL OR {differ})",
        key=staged.key_json("s"),
        rows=staged.rows,
        written=written,
        target=staged.table.only,
        equal=equal,
        differ=differ,
    ).fetchone()
    if row and row[0]:
        raise NotWritten(
            f"{staged.table.quoted}: {row[0]} rows are not as written, first {row[1]}; "
            f"a trigger or rule of the target changes them ({off.blame(staged.table) or _NOBODY})"
        )
