"""Exclusion constraints: rows that must not overlap, and rows that change places (trap U07).

``EXCLUDE USING …`` and ``WITHOUT OVERLAPS`` keys, which nothing can merge on: two rows
that conflict are two things that cannot both be. Rows that will be written and conflict
with each other, or with a row of the target that stays as it is, are rejected.

Rows that conflict only with what another row is about to leave (two adjacent bookings
that both move) are restored. A deferrable constraint waits for the end by itself; for
another, the rows that leave are parked before (``parking``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from verifier.initial_load.catalog import Catalog, Connection
from verifier.initial_load.equal import evaluated
from verifier.initial_load.exclusions import Exclusion, load
from verifier.initial_load.ledger import reject
from verifier.initial_load.offset import told
from verifier.initial_load.parking import assignment
from verifier.initial_load.planned import inserted, updated
from verifier.initial_load.session import literal, paste, run
from verifier.initial_load.stage import Staged

_SCRATCH = """
CREATE TEMP TABLE IF NOT EXISTS restore_conflict (n bigint, other text) ON COMMIT DROP;
CREATE INDEX IF NOT EXISTS restore_conflict_n ON pg_temp.restore_conflict (n);
CREATE TEMP TABLE IF NOT EXISTS restore_in_way (n bigint PRIMARY KEY) ON COMMIT DROP;
CREATE TEMP TABLE IF NOT EXISTS restore_parked (tab int, con text, n bigint) ON COMMIT DROP;
TRUNCATE pg_temp.restore_conflict, pg_temp.restore_in_way;
DROP TABLE IF EXISTS pg_temp.restore_place, pg_temp.restore_met;
"""
_FEW = 1000
"""New places that are looked up one by one without more ado."""
_NEW = '"restore new"'
"""Alias of the rows to be written, which no column or table of the target is called."""


class Overlaps:
    """The exclusion constraints of the staged tables; none in most databases."""

    def __init__(self, conn: Connection, catalog: Catalog, tables: Iterable[Staged]) -> None:
        self._conn = conn
        self._catalog = catalog
        self._parking: dict[tuple[int, str], str] = {}
        self._by_table = load(conn, [staged.table for staged in tables])

    def of(self, staged: Staged) -> list[Exclusion]:
        """The exclusion constraints of ``staged``."""
        return self._by_table.get(staged.table.oid, [])

    def handed_on(self, staged: Staged) -> list[str]:
        """Of which constraints :meth:`reject` found a row that leaves a place to another one."""
        names = (exclusion.key.name for exclusion in self.of(staged))
        return [name for name in names if (staged.number, name) in self._parking]

    def reject(self, staged: Staged) -> int:
        """Reject the planned rows that cannot be written; the number of them.

        A rejected update leaves its target row where it is, which may be in the way of
        others: this goes on until nothing more is found.
        """
        total = 0
        present = {column.name for column in staged.columns}
        # With numbers that are still to be made they are the server's (:mod:`local_ids`).
        present -= {column.name for column in staged.columns if column.local}
        mine = [x for x in self.of(staged) if x.key.columns <= present]
        while True:
            found = sum(self._reject(staged, exclusion) for exclusion in mine)
            total += found
            if not found:
                return total

    def _reject(self, staged: Staged, exclusion: Exclusion) -> int:
        self._find(staged, exclusion)
        self._parking.pop((staged.number, exclusion.key.name), None)
        name = literal(exclusion.key.name)
        conflicts = "SELECT c.n FROM pg_temp.restore_conflict c"
        first = paste(
            "(SELECT min(c.other) FROM pg_temp.restore_conflict c WHERE c.n = b.{n})",
            n=staged.ordinal,
        )
        where = f"s.{staged.ordinal} IN ({conflicts})"
        rejected = reject(self._conn, staged, where, f"'overlaps ' || {first}", name)
        if rejected or not exclusion.key.immediate or not self._in_way():
            return rejected
        parking = assignment(self._conn, self._catalog, staged, exclusion, self._leaving(staged))
        if parking is None:
            return reject(
                self._conn,
                staged,
                paste("s.{n} IN (SELECT w.n FROM pg_temp.restore_in_way w)", n=staged.ordinal),
                literal(
                    "another row takes the place that it leaves, and none of the constraint's "
                    "columns can hold a value in between; make the constraint deferrable"
                ),
                name,
            )
        self._parking[staged.number, exclusion.key.name] = parking
        run(
            self._conn,
            "DELETE FROM pg_temp.restore_parked WHERE tab = {tab} AND con = {con}; "
            "INSERT INTO pg_temp.restore_parked SELECT {tab}, {con}, n FROM pg_temp.restore_in_way",
            tab=str(staged.number),
            con=name,
        )
        return 0

    def _leaving(self, staged: Staged) -> str:
        return paste(
            "SELECT c.* FROM ({updated}) c JOIN pg_temp.restore_in_way w ON w.n = c.n",
            updated=updated(staged),
        )

    def _in_way(self) -> bool:
        row = self._conn.execute("SELECT EXISTS (SELECT FROM pg_temp.restore_in_way)").fetchone()
        return bool(row and row[0])

    def _find(self, staged: Staged, exclusion: Exclusion) -> None:
        """Fill ``restore_conflict``, and ``restore_in_way`` with updates that leave a place."""
        self._conn.execute(_SCRATCH)
        moves = paste(
            "(SELECT c.* FROM ({updated}) c JOIN {rows} s ON s.{n} = c.n)",
            updated=updated(staged),
            rows=staged.rows,
            n=staged.ordinal,
        )
        moved, left = self._places(staged, exclusion, moves)
        if not moved:
            return
        clean = moved > _FEW and self._clean(staged, exclusion, moves)
        leaving = left and exclusion.key.immediate
        if clean and not leaving:
            return
        if not clean:
            self._among_themselves(staged, exclusion)
        self._with_the_target(staged, exclusion, moves)

    def _places(self, staged: Staged, exclusion: Exclusion, moves: str) -> tuple[int, int]:
        """Make ``restore_place``: the place of every row that will be written.

        Returns how many of them are new places, and how many of those leave another one.
        """
        parts = [f"k{no}" for no, _ in enumerate(exclusion.operators, 1)]
        row = run(
            self._conn,
            "CREATE TEMP TABLE restore_place ON COMMIT DROP AS SELECT k.*, true AS moved"
            " FROM ({places}) k WHERE k.n IN ({inserted} UNION ALL SELECT c.n FROM {moves} c); "
            "UPDATE pg_temp.restore_place p SET moved = false FROM ({held}) t"
            " JOIN {moves} c ON c.t_oid = t.t_oid AND c.t_ctid = t.t_ctid"
            " WHERE p.n = c.n AND {same}; "
            "ANALYZE pg_temp.restore_place; "
            "SELECT count(*) FILTER (WHERE p.moved), (SELECT count(*) FROM {moves} c"
            " JOIN pg_temp.restore_place p ON p.n = c.n AND p.moved)"
            " + (SELECT count(*) FROM {moves} c WHERE NOT EXISTS"
            "     (SELECT FROM pg_temp.restore_place p WHERE p.n = c.n))"
            " FROM pg_temp.restore_place p",
            places=evaluated(exclusion.key, staged.rows, f"{staged.ordinal} AS n"),
            inserted=inserted(staged),
            moves=moves,
            held=_held(staged, exclusion),
            same=" AND ".join(f"p.{part}::text = t.{part}::text" for part in parts),
        )
        while row.nextset():
            continue
        moved, left = row.fetchone() or (0, 0)
        return moved, left

    def _clean(self, staged: Staged, exclusion: Exclusion, moves: str) -> bool:
        """Whether it is certain, from one look at all places in order, that none conflict."""
        parts = ", ".join(f"k{no}" for no, _ in enumerate(exclusion.operators, 1))
        some = exclusion.some_conflict(
            paste(
                "SELECT {parts} FROM pg_temp.restore_place UNION ALL"
                " SELECT {parts} FROM ({held}) t WHERE NOT EXISTS (SELECT FROM {moves} c"
                "   WHERE c.t_oid = t.t_oid AND c.t_ctid = t.t_ctid)",
                parts=parts,
                held=_held(staged, exclusion),
                moves=moves,
            )
        )
        if some is None:
            return False
        row = run(self._conn, "SELECT NOT {some}", some=some).fetchone()
        return bool(row and row[0])

    def _among_themselves(self, staged: Staged, exclusion: Exclusion) -> None:
        parts = [f"p.k{no}" for no, _ in enumerate(exclusion.operators, 1)]
        with _by_index(self._conn):
            run(
                self._conn,
                "CREATE INDEX ON pg_temp.restore_place USING {index}; "
                "CREATE TEMP TABLE restore_met ON COMMIT DROP AS SELECT w.n, p.n AS other"
                " FROM pg_temp.restore_place w JOIN pg_temp.restore_place p"
                " ON p.n <> w.n AND {conflict}",
                index=exclusion.index,
                conflict=exclusion.conflict(parts, "w"),
            )
        run(
            self._conn,
            "INSERT INTO pg_temp.restore_conflict SELECT m.n, {backup} || {key}"
            " FROM pg_temp.restore_met m JOIN {rows} s ON s.{n} = m.other; "
            "DROP TABLE pg_temp.restore_met",
            backup=literal("the backup's row "),
            key=_shown(staged, "s."),
            rows=staged.rows,
            n=staged.ordinal,
        )

    def _with_the_target(self, staged: Staged, exclusion: Exclusion, moves: str) -> None:
        """Look the target's rows up by its own index: its expressions, its predicate."""
        held = paste(
            "(SELECT tableoid AS t_oid, ctid AS t_ctid, {key} AS shown FROM {target} h"
            " WHERE {predicate} AND {conflict})",
            key=_shown(staged, ""),
            target=staged.table.only,
            predicate=f"({exclusion.key.predicate or 'true'})",
            conflict=exclusion.conflict((f"({e})" for e in exclusion.key.expressions), _NEW),
        )
        with _by_index(self._conn):
            run(
                self._conn,
                "CREATE TEMP TABLE restore_met ON COMMIT DROP AS"
                " SELECT {new}.n, t.* FROM pg_temp.restore_place {new} CROSS JOIN LATERAL {held} t"
                " WHERE {new}.moved",
                new=_NEW,
                held=held,
            )
        run(
            self._conn,
            "WITH hit AS (SELECT t.n, t.shown, c.n AS mover FROM pg_temp.restore_met t"
            "   LEFT JOIN {moves} c ON c.t_oid = t.t_oid AND c.t_ctid = t.t_ctid),"
            " away AS (INSERT INTO pg_temp.restore_in_way SELECT DISTINCT h.mover FROM hit h"
            "   WHERE h.mover <> h.n) "
            "INSERT INTO pg_temp.restore_conflict SELECT h.n, {target} || h.shown FROM hit h"
            " WHERE h.mover IS NULL",
            moves=moves,
            target=literal("the target's row "),
        )

    # --- rows that leave a place which another one takes ---------------------------------

    def park(self, staged: Staged) -> None:
        """Move the rows that :meth:`reject` found in the way aside, before anything is written."""
        for exclusion in self.of(staged):
            assignment = self._parking.get((staged.number, exclusion.key.name))
            if assignment is None:
                continue
            run(
                self._conn,
                "WITH parked AS (UPDATE {target} t SET {assignment} FROM {change} c"
                "   JOIN pg_temp.restore_parked p ON p.n = c.n AND p.tab = {tab} AND p.con = {con}"
                "   JOIN {rows} s ON s.{n} = c.n"
                "   WHERE t.tableoid = c.t_oid AND t.ctid = c.t_ctid"
                "   RETURNING c.n, t.tableoid AS t_oid, t.ctid AS t_ctid) "
                "UPDATE {change} c SET t_oid = p.t_oid, t_ctid = p.t_ctid FROM parked p"
                " WHERE p.n = c.n",
                target=staged.table.only,
                assignment=assignment,
                change=staged.change,
                rows=staged.rows,
                n=staged.ordinal,
                tab=str(staged.number),
                con=literal(exclusion.key.name),
            )


def _held(staged: Staged, exclusion: Exclusion) -> str:
    """A query for the places that the target's rows hold now."""
    return evaluated(exclusion.key, staged.table.only, "tableoid AS t_oid, ctid AS t_ctid")


@contextmanager
def _by_index(conn: Connection) -> Iterator[None]:
    """Joins by index for the time of a ``with`` block.

    The planner takes overlaps for more frequent than they are, and would compare each row
    with every other of equal parts.
    """
    names = ("enable_hashjoin", "enable_mergejoin")
    row = conn.execute("SELECT current_setting(%s), current_setting(%s)", names).fetchone()
    for name in names:
        conn.execute("SELECT set_config(%s, 'off', true)", [name])
    yield
    for name, value in zip(names, row or (), strict=True):
        conn.execute("SELECT set_config(%s, %s, true)", [name, value])


def _shown(staged: Staged, prefix: str) -> str:
    """SQL for a row's key in words: ``(id) = (5)``."""
    names = ", ".join(column.quoted for column in staged.key)
    values = ", ".join(told(column, f"{prefix}{column.quoted}") for column in staged.key)
    return f"{literal(f'({names}) = ')} || concat('(', concat_ws(', ', {values}), ')')"
