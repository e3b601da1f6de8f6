"""Rows that the target cannot take, found by query before anything is written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from verifier.initial_load.catalog import Column, Connection
from verifier.initial_load.ledger import reject
from verifier.initial_load.session import literal, paste, run
from verifier.initial_load.stage import Staged
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


def rows(conn: Connection, staged: Staged, *, written: bool = False) -> int:
    """Reject rows that break a length, precision, NOT NULL or check of their own table.

    Once all is planned only those that are to be ``written``: others merge into a row that is
    asked itself, or into one of the target that stays as it is.
    """
    if not _doubtful(conn, staged):
        return 0
    due = "true"
    if written:
        due = paste(
            "s.{n} IN (SELECT n FROM {new} UNION ALL SELECT n FROM {change})",
            n=staged.ordinal,
            new=staged.new,
            change=staged.change,
        )
    rejected = 0
    bounded = [column for column in staged.given if column.bounded]
    if bounded:
        found = _bounds(conn, staged, bounded, due)
        if found is None:
            found = sum(_bounds_one_by_one(conn, staged, column, due) for column in bounded)
        rejected += found
    filled = [column for column in staged.given if column.not_null]
    if filled:
        case = " ".join(f"WHEN b.{c.quoted} IS NULL THEN {literal(c.quoted)}" for c in filled)
        where = " OR ".join(f"s.{column.quoted} IS NULL" for column in filled)
        said = f"'column ' || CASE {case} END || ' is NULL'"
        rejected += reject(conn, staged, f"({where}) AND {due}", said)
    for check in staged.table.checks:
        # One that staging cannot evaluate (a check on tableoid) is evaluated by the
        # server when the row is written, and fails the whole restore.
        rejected += (
            _attempt(
                conn,
                staged,
                f"({check.expression}) IS FALSE AND {due}",
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
    with guarded(conn) as tried:
        found = run(
            conn,
            "SELECT EXISTS (SELECT FROM {rows} s WHERE {terms})",
            rows=staged.rows,
            terms=" OR ".join(terms),
        ).fetchone()
        tried.append(bool(found and found[0]))
    return tried[0] if tried else True


@contextmanager
def guarded(conn: Connection) -> Iterator[list[bool]]:
    """A block whose statements may not be possible on every row; its list stays empty then."""
    conn.execute("SAVEPOINT attempt")
    try:
        yield []
    except (psycopg.DataError, psycopg.IntegrityError, psycopg.ProgrammingError):
        conn.execute("ROLLBACK TO attempt")
    # Not after another error (a timeout): it ends the transaction, and is what has to be told.
    conn.execute("RELEASE attempt")


def _bounds(conn: Connection, staged: Staged, columns: list[Column], due: str) -> int | None:
    """Reject values that the declared length or precision would cut or round without a word.

    ``None`` if that cannot be evaluated on every row.
    """
    case = " ".join(f"WHEN {_loses(column, 'b')} THEN {_loss(column)}" for column in columns)
    where = " OR ".join(_loses(column, "s") for column in columns)
    return _attempt(conn, staged, f"({where}) AND {due}", f"CASE {case} END")


def _bounds_one_by_one(conn: Connection, staged: Staged, column: Column, due: str) -> int:
    """The same where a value may be out of range, which is an error and no difference."""
    fails = f"{reason(conn, f's.{column.quoted}::text', column, column.type)} IS NOT NULL"
    where = f"CASE WHEN {fails} THEN true ELSE {_loses(column, 's')} END"
    return reject(conn, staged, f"({where}) AND {due}", _loss(column))


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
    with guarded(conn):
        rejected = reject(conn, staged, where, reason, constraint)
    return rejected
