"""From what happened to the claim about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import psycopg

from verifier.contract import Claim, Counts, Merge, Rejection
from verifier.dsn import Dsn, redact
from verifier.initial_load.catalog import Connection
from verifier.initial_load.session import literal, run
from verifier.initial_load.stage import Content, Staged


def count(conn: Connection, staged: Staged, rejected: int = 0) -> Counts:
    """What becomes of each row of the backup's table, once it is decided.

    A row is merged when its group's row in the target has another key than it had
    (after its references moved). Every row is counted once.
    """
    stays = _record_newer(conn, staged) if staged.stays else 0
    if staged.grouped:
        _record_merges(conn, staged)
    if not staged.grouped:
        inserted, updated, kept = staged.inserts, staged.updates, staged.total - rejected - stays
    else:
        row = run(
            conn,
            "WITH kept AS (SELECT f.t_ctid IS NULL AS new, c.n IS NOT NULL AS changed"
            "  FROM {fate} f LEFT JOIN {change} c ON c.n = f.winner WHERE NOT EXISTS"
            "  (SELECT FROM pg_temp.restore_merged m WHERE m.tab = {number} AND m.n = f.n)) "
            "SELECT count(*) FILTER (WHERE new), count(*) FILTER (WHERE changed), count(*)"
            " FROM kept",
            fate=staged.fate,
            change=staged.change,
            number=str(staged.number),
        ).fetchone()
        assert row is not None
        inserted, updated, kept = row
    return Counts(
        inserted=inserted,
        updated=updated,
        unchanged=kept - inserted - updated,
        merged=staged.total - kept - rejected,
        rejected=rejected,
    )


def _record_newer(conn: Connection, staged: Staged) -> int:
    """Rows that stay behind a newer row of the target count as merged into it."""
    newer = literal("the target's row is newer")
    if not staged.grouped:
        return run(
            conn,
            "INSERT INTO pg_temp.restore_merged"
            " SELECT {number}, k.n, k.n, coalesce(u.key, {key}), {key}, {newer}"
            " FROM {kept} k JOIN {rows} s ON s.{n} = k.n"
            " LEFT JOIN pg_temp.restore_was u ON u.tab = {number} AND u.n = k.n",
            number=str(staged.number),
            key=staged.key_json("s"),
            newer=newer,
            kept=staged.kept,
            rows=staged.rows,
            n=staged.ordinal,
        ).rowcount
    return run(
        conn,
        "INSERT INTO pg_temp.restore_merged SELECT {number}, x.n, x.winner, x.key, x.survivor,"
        " CASE WHEN x.key::text <> x.survivor::text THEN coalesce(x.con, {newer}) ELSE {newer} END"
        " FROM (SELECT f.n, f.winner, coalesce(u.key, {key}) AS key, {survivor} AS survivor,"
        "     coalesce(u.con, f.con) AS con"
        "   FROM {fate} f JOIN {kept} k ON k.n = f.winner JOIN {rows} s ON s.{n} = f.n"
        "   JOIN {fate} w ON w.n = f.winner"
        "   JOIN {target} t ON t.tableoid = w.t_oid AND t.ctid = w.t_ctid"
        "   LEFT JOIN pg_temp.restore_was u ON u.tab = {number} AND u.n = f.n) x",
        number=str(staged.number),
        newer=newer,
        key=staged.key_json("s"),
        survivor=staged.key_json("t"),
        fate=staged.fate,
        kept=staged.kept,
        rows=staged.rows,
        n=staged.ordinal,
        target=staged.table.only,
    ).rowcount


def _record_merges(conn: Connection, staged: Staged) -> None:
    """Fill ``restore_merged``: of each group, all but the row whose key the target then has."""
    equal = (
        " AND ".join(f"a.{c.quoted} = w.{c.quoted}" for c in staged.identity) or "m.n = m.winner"
    )
    run(
        conn,
        "WITH members AS (SELECT f.n, f.winner, f.con FROM {fate} f WHERE f.winner IN"
        "    (SELECT winner FROM {fate} WHERE n <> winner"
        "     UNION SELECT n FROM pg_temp.restore_was WHERE tab = {number} AND con IS NOT NULL)),"
        "  itself AS (SELECT DISTINCT ON (m.winner) m.n FROM members m"
        "    JOIN {rows} a ON a.{n} = m.n JOIN {rows} w ON w.{n} = m.winner"
        "    LEFT JOIN pg_temp.restore_was u ON u.tab = {number} AND u.n = m.n"
        "    WHERE u.con IS NULL AND {equal}"
        "    ORDER BY m.winner, u.n IS NOT NULL, (m.n = m.winner) DESC, m.n DESC) "
        "INSERT INTO pg_temp.restore_merged "
        "SELECT {number}, m.n, m.winner, coalesce(u.key, {key}), {survivor}, coalesce(u.con, m.con)"
        " FROM members m JOIN {rows} a ON a.{n} = m.n JOIN {rows} w ON w.{n} = m.winner"
        " LEFT JOIN pg_temp.restore_was u ON u.tab = {number} AND u.n = m.n"
        " WHERE NOT EXISTS (SELECT FROM itself i WHERE i.n = m.n)"
        " AND NOT EXISTS"
        "   (SELECT FROM pg_temp.restore_merged d WHERE d.tab = {number} AND d.n = m.n)",
        fate=staged.fate,
        number=str(staged.number),
        rows=staged.rows,
        n=staged.ordinal,
        equal=equal,
        key=staged.key_json("a"),
        survivor=staged.key_json("w"),
    )


_COUNTED = ("inserted", "updated", "unchanged", "merged")


def restored(
    content: Content,
    counts: Mapping[str, Counts],
    merges: tuple[Merge, ...],
    rejections: tuple[Rejection, ...],
    notes: Sequence[str],
    *,
    dry_run: bool = False,
    kept_in: Path | None = None,
) -> Claim:
    """What was done, or what would be; rows that were set aside make the exit code 1."""
    verb = " would be restored" if dry_run else ""
    sums = {name: sum(getattr(one, name) for one in counts.values()) for name in _COUNTED}
    parts = [f"{number:,} {name}" for name, number in sums.items() if number]
    return _done(
        content,
        counts,
        merges,
        rejections,
        notes,
        did=f"{verb}: {', '.join(parts) or 'nothing to write'}",
        kept_in=None if dry_run else kept_in,
    )


def exported(
    content: Content,
    counts: Mapping[str, Counts],
    merges: tuple[Merge, ...],
    rejections: tuple[Rejection, ...],
    notes: Sequence[str],
    *,
    out: Path,
    kept_in: Path | None,
) -> Claim:
    """What was written to the file ``out``; the database is as it was."""
    merged = sum(one.merged for one in counts.values())
    did = f" written to {out}, {merged:,} merged"
    return _done(content, counts, merges, rejections, notes, did=did, kept_in=kept_in)


def _done(
    content: Content,
    counts: Mapping[str, Counts],
    merges: tuple[Merge, ...],
    rejections: tuple[Rejection, ...],
    notes: Sequence[str],
    *,
    did: str,
    kept_in: Path | None,
) -> Claim:
    total = sum(staged.total for staged in content.tables) - len(rejections)
    message = f"{_counted(total, 'row')} of {_counted(len(counts), 'table')}{did}"
    if rejections:
        where = f", kept in {kept_in}" if kept_in else ""
        message += f"; {len(rejections):,} rejected{where}: {_first(rejections)}"
    return Claim(
        success=True,
        exit_code=1 if rejections else 0,
        message=message,
        counts=counts,
        merges=merges,
        rejections=rejections,
        notes=tuple(notes),
    )


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def rejected(
    rejections: tuple[Rejection, ...], counts: Mapping[str, int], notes: Sequence[str]
) -> Claim:
    return Claim(
        success=False,
        exit_code=1,
        message=f"{_first(rejections)}; nothing was changed",
        counts={table: Counts(rejected=count) for table, count in counts.items()},
        merges=(),
        rejections=rejections,
        notes=tuple(notes),
    )


def _first(rejections: tuple[Rejection, ...]) -> str:
    """The first rejection in words, and how many more there are."""
    first = rejections[0]
    key = ", ".join(f"{name}={value}" for name, value in first.key.items())
    others = _counted(len(rejections) - 1, "more row")
    more = f" (and {others})" if len(rejections) > 1 else ""
    named = f" [{first.constraint}]" if first.constraint else ""
    return f"{first.table} ({key}): {first.reason}{named}{more}"


def unfit(content: Content) -> Claim:
    """The backup as a whole does not fit the target's tables."""
    return failed(
        f"the backup does not fit the target: {'; '.join(content.problems)}; migrate the target to "
        "the schema that the backup was made from, or make a backup of one like the target's; "
        "nothing was changed",
        1,
    )


def failed(message: str, exit_code: int) -> Claim:
    return Claim(
        success=False, exit_code=exit_code, message=message, counts={}, merges=(), rejections=()
    )


_ADVICE = {
    "25P03": "raise the account's idle_in_transaction_session_timeout",
    "25P04": "raise the account's transaction_timeout",
    "40001": "run the restore again",
    "40P01": "run the restore again, when nobody else writes",
    "53100": "make room on the server's disk, and run the restore again",
    "53200": "give the server more of what it lacks, and run the restore again",
    "57014": "if that was a timeout, raise the account's statement_timeout",
}
"""What to do, by the server's error code (Appendix A of PostgreSQL's documentation)."""


def server_error(error: psycopg.Error, dsn: Dsn, *, lost: bool) -> Claim:
    """The server refused a statement, or is gone; the transaction is rolled back."""
    diag = error.diag
    said = diag.message_primary or str(error).strip().split("\n")[0]
    where: Sequence[str | None] = (
        ".".join(name for name in (diag.schema_name, diag.table_name) if name),
        diag.constraint_name,
    )
    place = ": ".join(part for part in where if part)
    message = f"{place}: {said}" if place else said
    more = [diag.message_detail, _raised_by(error), diag.message_hint]
    if any(more):
        message += f" ({'; '.join(' '.join(each.split()) for each in more if each)})"
    if lost:
        message = f"the connection to the target was lost: {message}"
    advice = _ADVICE.get(error.sqlstate or "")
    if advice is None and lost:
        advice = "see that the server runs, and run the restore again"
    if advice:
        message += f"; {advice}"
    return failed(f"{redact(message, dsn)}; nothing was changed", 2 if lost else 1)


def _raised_by(error: psycopg.Error) -> str | None:
    """The function of the target that raised the error, if it was one."""
    if error.sqlstate != "P0001" or not error.diag.context:
        return None
    return f"raised by {error.diag.context.splitlines()[0]}"
