"""The writes: parents first, missing rows inserted, differing rows updated, equal rows left alone.

Nothing is deleted, no identity moves, and enforcement stays on: foreign keys are
checked at the end of each statement, so the rows of one table, and of all tables
of one cycle (as parts of a single statement, trap O03), may refer to each other. So
may tables whose references an update moves on both sides (a code, not an identity).
"""

from __future__ import annotations

from verifier.initial_load import changes, handing_on, triggers
from verifier.initial_load.catalog import Connection
from verifier.initial_load.ledger import reject
from verifier.initial_load.session import literal, paste, run
from verifier.initial_load.stage import Staged


class NotWritten(Exception):
    """The target did something else than it was told; the message says what."""


_NOBODY = "a trigger of another table, or the action of a foreign key"


def plan(conn: Connection, staged: Staged) -> int:
    """Reject changes that no UPDATE can make; the number of rows."""
    fixed = [c for c in staged.given if c.always and c not in staged.identity]
    if not staged.updates or not fixed:
        return 0
    return reject(
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


def _pairs(staged: Staged) -> str:
    """FROM items: the changes ``c``, staged row ``s``, target row ``t``."""
    return (
        f"{staged.change} c JOIN {staged.rows} s ON s.{staged.ordinal} = c.n"
        f" JOIN {staged.table.only} t ON t.tableoid = c.t_oid AND t.ctid = c.t_ctid"
    )


# --- the statements that write -----------------------------------------------------------


def write(conn: Connection, tables: list[Staged], off: triggers.Off) -> None:
    """Write ``tables``, in one statement if there are several things to do.

    Raises :class:`NotWritten` or the server's error.
    """
    for staged in tables:
        if staged.updates:
            handing_on.park(conn, staged)
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
