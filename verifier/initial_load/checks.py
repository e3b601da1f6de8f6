"""Rows that the target cannot take, found by query before anything is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg

from verifier.initial_load.catalog import Catalog, Column, Connection, ForeignKey
from verifier.initial_load.ledger import reject
from verifier.initial_load.offset import told
from verifier.initial_load.periods import uncovered
from verifier.initial_load.session import literal, paste, run
from verifier.initial_load.stage import Staged, among
from verifier.initial_load.values import reason


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


def rows(conn: Connection, staged: Staged) -> int:
    """Reject rows that break a length, precision, NOT NULL or check of their own table."""
    if not _doubtful(conn, staged):
        return 0
    rejected = 0
    bounded = [column for column in staged.given if column.bounded]
    if bounded:
        found = _bounds(conn, staged, bounded)
        if found is None:
            found = sum(_bounds_one_by_one(conn, staged, column) for column in bounded)
        rejected += found
    filled = [column for column in staged.given if column.not_null]
    if filled:
        case = " ".join(f"WHEN b.{c.quoted} IS NULL THEN {literal(c.quoted)}" for c in filled)
        where = " OR ".join(f"s.{column.quoted} IS NULL" for column in filled)
        rejected += reject(conn, staged, where, f"'column ' || CASE {case} END || ' is NULL'")
    for check in staged.table.checks:
        # One that staging cannot evaluate (a check on tableoid) is evaluated by the
        # server when the row is written, and fails the whole restore.
        rejected += (
            _attempt(
                conn,
                staged,
                f"({check.expression}) IS FALSE",
                literal(f"breaks {check.name}: {check.expression}"),
                literal(check.name),
            )
            or 0
        )
    return rejected


def _doubtful(conn: Connection, staged: Staged) -> bool:
    """Whether a row may break a rule of its own: all rules in one look at the rows."""
    terms = [_loses(column, "s") for column in staged.given if column.bounded]
    terms += [f"s.{column.quoted} IS NULL" for column in staged.given if column.not_null]
    terms += [f"({check.expression}) IS FALSE" for check in staged.table.checks]
    if not terms:
        return False
    with _savepoint(conn) as tried:
        found = run(
            conn,
            "SELECT EXISTS (SELECT FROM {rows} s WHERE {terms})",
            rows=staged.rows,
            terms=" OR ".join(terms),
        ).fetchone()
        tried.append(bool(found and found[0]))
    return tried[0] if tried else True


@contextmanager
def _savepoint(conn: Connection) -> Iterator[list[bool]]:
    """A block whose statements may not be possible on every row; its list stays empty then."""
    conn.execute("SAVEPOINT attempt")
    try:
        yield []
    except (psycopg.DataError, psycopg.ProgrammingError):
        conn.execute("ROLLBACK TO attempt")
    # Not after another error (a timeout): it ends the transaction, and is what has to be told.
    conn.execute("RELEASE attempt")


def _bounds(conn: Connection, staged: Staged, columns: list[Column]) -> int | None:
    """Reject values that the declared length or precision would cut or round without a word.

    ``None`` if that cannot be evaluated on every row.
    """
    case = " ".join(f"WHEN {_loses(column, 'b')} THEN {_loss(column)}" for column in columns)
    return _attempt(
        conn, staged, " OR ".join(_loses(column, "s") for column in columns), f"CASE {case} END"
    )


def _bounds_one_by_one(conn: Connection, staged: Staged, column: Column) -> int:
    """The same where a value may be out of range, which is an error and no difference."""
    fails = f"{reason(conn, f's.{column.quoted}::text', column, column.type)} IS NOT NULL"
    where = f"CASE WHEN {fails} THEN true ELSE {_loses(column, 's')} END"
    return reject(conn, staged, where, _loss(column))


def _loses(column: Column, alias: str) -> str:
    value = f"{alias}.{column.quoted}"
    if column.length and column.exact:
        return f"length({value}) > {column.length}"
    return f"{value} IS DISTINCT FROM {value}::{column.type}"


def _loss(column: Column) -> str:
    what = literal(f"column {column.quoted}: does not fit {column.type}: ")
    return f"{what} || left(b.{column.quoted}::text, 80)"


def _attempt(
    conn: Connection, staged: Staged, where: str, reason: str, constraint: str = "''"
) -> int | None:
    """Reject where possible; ``None`` if ``where`` cannot be evaluated on every staged row."""
    rejected = None
    with _savepoint(conn):
        rejected = reject(conn, staged, where, reason, constraint)
    return rejected


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


def forsaken(conn: Connection, catalog: Catalog, tables: list[Staged], parent: Staged) -> int:
    """Reject rows that would take from children in the target what they refer to.

    Only columns outside the identity can change, so only keys that refer to such are
    asked. A child that the backup overwrites, too, is none.
    """
    rejected = 0
    fixed = {column.name for column in parent.identity}
    for key in catalog.foreign_keys:
        linked = key.parent == parent.table.root
        free = not (key.follows or key.period or set(key.references) <= fixed)
        if linked and parent.updates and free:
            rejected += _forsaken(conn, catalog, tables, parent, key)
    return rejected


def _forsaken(
    conn: Connection, catalog: Catalog, tables: list[Staged], parent: Staged, key: ForeignKey
) -> int:
    child = catalog.tables[key.child]
    ours = [child.columns[name].quoted for name in key.columns]
    theirs = [parent.table.columns[name].quoted for name in key.references]
    refers = " AND ".join(f"k.{a} = t.{b}" for a, b in zip(ours, theirs, strict=True))
    kept = " AND ".join(f"o.{column} = t.{column}" for column in theirs)
    overwritten = "".join(
        f" AND NOT EXISTS (SELECT FROM {staged.rows} w WHERE "
        + " AND ".join(f"w.{c.quoted} = k.{c.quoted}" for c in staged.identity)
        + ")"
        for staged in tables
        if staged.table.oid == key.child and staged.identity and _staged(staged, key)
    )
    return reject(
        conn,
        parent,
        paste(
            "s.{n} IN (SELECT c.n FROM {change} c JOIN {target} t"
            " ON t.tableoid = c.t_oid AND t.ctid = c.t_ctid"
            " WHERE {there} AND NOT EXISTS (SELECT FROM {rows} o WHERE {kept})"
            " AND EXISTS (SELECT FROM {child} k WHERE {refers} {overwritten}))",
            n=parent.ordinal,
            change=parent.change,
            target=parent.table.only,
            there=_there(key),
            rows=among(parent.rows, key),
            kept=kept,
            child=child.only,
            refers=refers,
            overwritten=overwritten,
        ),
        literal(f"rows of {child.quoted} in the target refer to what it would overwrite"),
        literal(key.name),
    )


def _there(key: ForeignKey) -> str:
    """SQL that a row ``t`` of the target stands in the partition that ``key`` refers to."""
    if key.partition is None:
        return "true"
    return paste(
        "t.tableoid IN (SELECT relid FROM pg_partition_tree({oid}))", oid=str(key.partition)
    )


def family(tables: Sequence[Staged], parent: int) -> list[Staged]:
    """The staged tables whose rows a foreign key to ``parent`` may point to."""
    return [s for s in tables if parent in (s.table.oid, s.table.root)]


def _staying(parents: list[Staged], key: ForeignKey) -> str:
    """SQL that a target row ``p`` keeps the columns that ``key`` refers to.

    A row that the backup is about to overwrite keeps its identity, and nothing else.
    """
    return "".join(
        f" AND NOT EXISTS (SELECT FROM {parent.change} c"
        f" WHERE c.t_oid = p.tableoid AND c.t_ctid = p.ctid)"
        for parent in parents
        if parent.updates and not set(key.references) <= {c.name for c in parent.identity}
    )


def _staged(child: Staged, key: ForeignKey) -> bool:
    return set(key.columns) <= {column.name for column in child.columns}


def _orphans(
    conn: Connection, catalog: Catalog, tables: list[Staged], child: Staged, key: ForeignKey
) -> int:
    parent = catalog.tables[key.referred]
    columns = [child.table.columns[name].quoted for name in key.columns]
    references = [parent.columns[name].quoted for name in key.references]
    told_ = [
        told(child.table.columns[name], f"b.{child.table.columns[name].quoted}")
        for name in key.columns
    ]
    pairs = list(zip(columns, references, strict=True))
    family_ = family(tables, key.parent)
    same = " AND ".join(f"p.{theirs} = s.{ours}" for ours, theirs in pairs)
    where = [f"s.{column} IS NOT NULL" for column in columns]
    where += [
        f"NOT EXISTS (SELECT FROM {among(staged.rows, key)} p WHERE {same})" for staged in family_
    ]
    where.append(f"NOT EXISTS (SELECT FROM {parent.only} p WHERE {same}{_staying(family_, key)})")
    if key.full and len(columns) > 1:
        mixed = f"num_nulls({', '.join(f's.{c}' for c in columns)})"
        reject(
            conn,
            child,
            f"{mixed} > 0 AND {mixed} < {len(columns)}",
            literal(f"{key.name} is MATCH FULL and only some of its columns are NULL"),
            literal(key.name),
        )
    numbers = ", ".join(str(staged.number) for staged in family_) or "-1"
    lost = " AND ".join(
        f"r.key->>{literal(name)} = {shown}"
        for name, shown in zip(key.references, told_, strict=True)
    )
    place = f"{parent.quoted} ({', '.join(references)}) = ("
    values = " || ', ' || ".join(told_)
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
