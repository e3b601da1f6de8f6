"""Rows that the target cannot take, found by query before anything is written."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

from verifier.initial_load.catalog import Catalog, Column, Connection, ForeignKey
from verifier.initial_load.ledger import reject
from verifier.initial_load.periods import uncovered
from verifier.initial_load.session import literal, run
from verifier.initial_load.stage import Staged, reason


def complete(conn: Connection, staged: Staged) -> None:
    """Give columns that the backup lacks the value that the target's own row has.

    Rows that are new keep the default. Keys and checks may depend on such columns.
    """
    missing = [c for c in staged.columns if c not in staged.given and not c.generated]
    if missing and staged.identity:
        run(
            conn,
            "UPDATE {rows} s SET {set} FROM {target} t WHERE {same}",
            rows=staged.rows,
            set=", ".join(f"{c.quoted} = t.{c.quoted}" for c in missing),
            target=staged.table.only,
            same=" AND ".join(f"s.{c.quoted} = t.{c.quoted}" for c in staged.identity),
        )


def rows(conn: Connection, staged: Staged) -> None:
    """Reject rows that break a length, precision, NOT NULL or check of their own table."""
    bounded = [column for column in staged.given if column.bounded]
    if bounded and not _bounds(conn, staged, bounded):
        for column in bounded:
            _bounds_one_by_one(conn, staged, column)
    filled = [column for column in staged.given if column.not_null]
    if filled:
        case = " ".join(f"WHEN b.{c.quoted} IS NULL THEN {literal(c.quoted)}" for c in filled)
        where = " OR ".join(f"s.{column.quoted} IS NULL" for column in filled)
        reject(conn, staged, where, f"'column ' || CASE {case} END || ' is NULL'")
    for check in staged.table.checks:
        # One that staging cannot evaluate (a check on tableoid) is evaluated by the
        # server when the row is written, and fails the whole restore.
        _attempt(
            conn,
            staged,
            f"({check.expression}) IS FALSE",
            literal(f"breaks {check.name}: {check.expression}"),
            literal(check.name),
        )


def _bounds(conn: Connection, staged: Staged, columns: list[Column]) -> bool:
    """Reject values that the declared length or precision would cut or round without a word.

    ``False`` if that cannot be evaluated on every row.
    """
    case = " ".join(f"WHEN {_loses(column, 'b')} THEN {_loss(column)}" for column in columns)
    return _attempt(
        conn, staged, " OR ".join(_loses(column, "s") for column in columns), f"CASE {case} END"
    )


def _bounds_one_by_one(conn: Connection, staged: Staged, column: Column) -> None:
    """The same where a value may be out of range, which is an error and no difference."""
    fails = f"{reason(conn, f's.{column.quoted}::text', column.type)} IS NOT NULL"
    where = f"CASE WHEN {fails} THEN true ELSE {_loses(column, 's')} END"
    reject(conn, staged, where, _loss(column))


def _loses(column: Column, alias: str) -> str:
    value = f"{alias}.{column.quoted}"
    return f"{value} IS DISTINCT FROM {value}::{column.type}"


def _loss(column: Column) -> str:
    what = literal(f"column {column.quoted}: does not fit {column.type}: ")
    return f"{what} || left(b.{column.quoted}::text, 80)"


def _attempt(
    conn: Connection, staged: Staged, where: str, reason: str, constraint: str = "''"
) -> bool:
    """Reject where possible; ``False`` if ``where`` cannot be evaluated on every staged row."""
    conn.execute("SAVEPOINT attempt")
    try:
        reject(conn, staged, where, reason, constraint)
    except (psycopg.DataError, psycopg.ProgrammingError):
        conn.execute("ROLLBACK TO attempt")
        return False
    finally:
        if not conn.closed:
            conn.execute("RELEASE attempt")
    return True


def orphans(conn: Connection, catalog: Catalog, tables: list[Staged], among: list[Staged]) -> int:
    """Reject the rows of ``among`` without a parent in the backup or the target, transitively."""
    total = 0
    while True:
        found = 0
        for child in among:
            for key in catalog.foreign_keys:
                if key.child != child.table.oid or not _staged(child, key):
                    continue
                if key.period:
                    found += uncovered(conn, catalog, family(tables, key.parent), child, key)
                else:
                    found += _orphans(conn, catalog, tables, child, key)
        total += found
        if not found:
            return total


def family(tables: Sequence[Staged], parent: int) -> list[Staged]:
    """The staged tables whose rows a foreign key to ``parent`` may point to."""
    return [s for s in tables if parent in (s.table.oid, s.table.root)]


def _staged(child: Staged, key: ForeignKey) -> bool:
    return set(key.columns) <= {column.name for column in child.columns}


def _orphans(
    conn: Connection, catalog: Catalog, tables: list[Staged], child: Staged, key: ForeignKey
) -> int:
    parent = catalog.tables[key.parent]
    columns = [child.table.columns[name].quoted for name in key.columns]
    references = [parent.columns[name].quoted for name in key.references]
    pairs = list(zip(columns, references, strict=True))
    sources = [staged.rows for staged in family(tables, key.parent)] + [parent.only]
    same = " AND ".join(f"p.{theirs} = s.{ours}" for ours, theirs in pairs)
    where = [f"s.{column} IS NOT NULL" for column in columns]
    where += [f"NOT EXISTS (SELECT FROM {source} p WHERE {same})" for source in sources]
    if key.full and len(columns) > 1:
        mixed = f"num_nulls({', '.join(f's.{c}' for c in columns)})"
        reject(
            conn,
            child,
            f"{mixed} > 0 AND {mixed} < {len(columns)}",
            literal(f"{key.name} is MATCH FULL and only some of its columns are NULL"),
            literal(key.name),
        )
    numbers = ", ".join(str(staged.number) for staged in family(tables, key.parent)) or "-1"
    lost = " AND ".join(
        f"r.key->>{literal(name)} = b.{column}::text"
        for name, column in zip(key.references, columns, strict=True)
    )
    place = f"{parent.quoted} ({', '.join(references)}) = ("
    values = " || ', ' || ".join(f"b.{column}::text" for column in columns)
    return reject(
        conn,
        child,
        " AND ".join(where),
        f"CASE WHEN EXISTS (SELECT FROM pg_temp.restore_rejected r"
        f" WHERE r.tab IN ({numbers}) AND {lost})"
        f" THEN {literal('its parent is rejected: ')} ELSE {literal('has no parent: ')} END"
        f" || {literal(place)} || {values} || ')'",
        literal(key.name),
    )
