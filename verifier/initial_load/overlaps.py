"""Exclusion constraints: rows that must not overlap, and rows that change places (trap U07).

``EXCLUDE USING …`` and ``WITHOUT OVERLAPS`` keys, which nothing can merge on: two rows
that conflict are two things that cannot both be. Rows that will be written and conflict
with each other, or with a row of the target that stays as it is, are rejected.

Rows that conflict only with what another row is about to leave (two adjacent bookings
that both move) are restored. A deferrable constraint waits for the end by itself; for
another, the rows that leave are parked before, with a value that conflicts with nothing:
NULL, an empty range, out of the constraint's predicate. Whether a value does is evaluated
on the rows themselves, with the table's checks, before anything is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import permutations

from verifier.initial_load.catalog import Catalog, Column, Connection
from verifier.initial_load.exclusions import Exclusion, load
from verifier.initial_load.ledger import reject
from verifier.initial_load.match import evaluated
from verifier.initial_load.offset import told
from verifier.initial_load.planned import inserted, updated
from verifier.initial_load.session import literal, paste, run
from verifier.initial_load.stage import Staged

_SCRATCH = """
CREATE TEMP TABLE IF NOT EXISTS restore_conflict (n bigint, other text) ON COMMIT DROP;
CREATE TEMP TABLE IF NOT EXISTS restore_in_way (n bigint PRIMARY KEY) ON COMMIT DROP;
CREATE TEMP TABLE IF NOT EXISTS restore_parked (tab int, con text, n bigint) ON COMMIT DROP;
TRUNCATE pg_temp.restore_conflict, pg_temp.restore_in_way;
DROP TABLE IF EXISTS pg_temp.restore_place;
"""
_NEW = '"restore new"'
"""Alias of the rows to be written, which no column or table of the target is called."""


class Overlaps:
    """The exclusion constraints of the staged tables; none in most databases."""

    def __init__(self, conn: Connection, catalog: Catalog, tables: Iterable[Staged]) -> None:
        self._conn = conn
        self._catalog = catalog
        self._parking: dict[tuple[int, str], str] = {}
        self._by_table = load(conn, [staged.table for staged in tables])

    def reject(self, staged: Staged) -> int:
        """Reject the planned rows that cannot be written; the number of them.

        A rejected update leaves its target row where it is, which may be in the way of
        others: this goes on until nothing more is found.
        """
        total = 0
        present = {column.name for column in staged.columns}
        # With numbers that are still to be made they are the server's (:mod:`local_ids`).
        present -= {column.name for column in staged.columns if column.local}
        mine = [x for x in self._by_table.get(staged.table.oid, []) if x.key.columns <= present]
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
        parking = self._find_parking(staged, exclusion)
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
        run(
            self._conn,
            "CREATE TEMP TABLE restore_place ON COMMIT DROP AS SELECT k.* FROM ({places}) k"
            " WHERE k.n IN ({inserted} UNION ALL SELECT c.n FROM {moves} c); "
            "CREATE INDEX ON pg_temp.restore_place USING {index}; "
            "ANALYZE pg_temp.restore_place",
            places=evaluated(exclusion.key, staged.rows, f"{staged.ordinal} AS n"),
            inserted=inserted(staged),
            moves=moves,
            index=exclusion.index,
        )
        parts = [f"p.k{no}" for no, _ in enumerate(exclusion.operators, 1)]
        run(
            self._conn,
            "INSERT INTO pg_temp.restore_conflict SELECT w.n, {backup} || {key}"
            " FROM pg_temp.restore_place w JOIN pg_temp.restore_place p"
            " ON p.n <> w.n AND {conflict} JOIN {rows} s ON s.{n} = p.n",
            backup=literal("the backup's row "),
            key=_shown(staged, "s."),
            conflict=exclusion.conflict(parts, "w"),
            rows=staged.rows,
            n=staged.ordinal,
        )
        # The target's rows are looked up by its own index: its expressions, its predicate.
        held = paste(
            "(SELECT tableoid AS t_oid, ctid AS t_ctid, {key} AS shown FROM {target} h"
            " WHERE {predicate} AND {conflict})",
            key=_shown(staged, ""),
            target=staged.table.only,
            predicate=f"({exclusion.key.predicate or 'true'})",
            conflict=exclusion.conflict((f"({e})" for e in exclusion.key.expressions), _NEW),
        )
        run(
            self._conn,
            "WITH hit AS (SELECT {new}.n, t.shown, c.n AS mover"
            "   FROM pg_temp.restore_place {new} CROSS JOIN LATERAL {held} t"
            "   LEFT JOIN {moves} c ON c.t_oid = t.t_oid AND c.t_ctid = t.t_ctid),"
            " away AS (INSERT INTO pg_temp.restore_in_way SELECT DISTINCT h.mover FROM hit h"
            "   WHERE h.mover <> h.n) "
            "INSERT INTO pg_temp.restore_conflict SELECT h.n, {target} || h.shown FROM hit h"
            " WHERE h.mover IS NULL",
            new=_NEW,
            held=held,
            moves=moves,
            target=literal("the target's row "),
        )

    # --- rows that leave a place which another one takes ---------------------------------

    def park(self, staged: Staged) -> None:
        """Move the rows that :meth:`reject` found in the way aside, before anything is written."""
        for exclusion in self._by_table.get(staged.table.oid, []):
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

    def _find_parking(self, staged: Staged, exclusion: Exclusion) -> str | None:
        """``column = value`` over ``t`` that takes every row in the way out of the conflict."""
        checks = [f"({check.expression}) IS NOT FALSE" for check in staged.table.checks]
        for column, value in self._candidates(staged, exclusion):
            row = run(
                self._conn,
                "SELECT bool_and({safe}) FROM (SELECT {columns} FROM {target} t"
                " JOIN ({updated}) c ON c.t_oid = t.tableoid AND c.t_ctid = t.ctid"
                " JOIN pg_temp.restore_in_way w ON w.n = c.n) x",
                safe=" AND ".join([exclusion.harmless(), *checks]),
                columns=", ".join(
                    f"{value} AS {c.quoted}" if c is column else f"t.{c.quoted}"
                    for c in staged.table.columns.values()
                ),
                target=staged.table.only,
                updated=updated(staged),
            ).fetchone()
            if row and row[0]:
                return f"{column.quoted} = {value}"
        return None

    def _candidates(self, staged: Staged, exclusion: Exclusion) -> Iterator[tuple[Column, str]]:
        """Columns that the constraint depends on, with a value over ``t`` worth a try."""
        oid = staged.table.oid
        own = [fk for fk in self._catalog.foreign_keys if fk.child == oid]
        bound = {n for fk in self._catalog.foreign_keys if fk.parent == oid for n in fk.references}
        bound |= {name for fk in own if fk.full for name in fk.columns}
        keyed = {name for key in staged.table.keys for name in key.columns}
        keyed |= {name for fk in own for name in fk.columns}
        free = [
            column
            for column in staged.given
            if column.name in exclusion.key.columns - bound
            and not column.always
            and column not in staged.identity
        ]
        for column in free:
            if not column.not_null:
                yield column, f"NULL::{column.type}"
        loose = [column for column in free if column.name not in keyed]
        for column in loose:
            if column.kind == "R":  # what is left of a range without itself is empty
                yield column, f"(t.{column.quoted} - t.{column.quoted})"
            if column.kind == "B":
                yield column, f"(NOT t.{column.quoted})"
        for one, other in permutations(loose, 2):
            if one.type == other.type:  # the two ends of a range that an expression makes
                yield one, f"t.{other.quoted}"


def _shown(staged: Staged, prefix: str) -> str:
    """SQL for a row's key in words: ``(id) = (5)``."""
    names = ", ".join(column.quoted for column in staged.key)
    values = ", ".join(told(column, f"{prefix}{column.quoted}") for column in staged.key)
    return f"{literal(f'({names}) = ')} || concat('(', concat_ws(', ', {values}), ')')"
