"""New numbers for new rows (see :mod:`local_ids`).

The numbers are those that the sequence would have made next, past all that it has made
and past all that its columns hold. The sequence is locked until the end, so that nobody
draws the same, and moved on after the rows are written, as always (:mod:`sequences`):
in the transaction, so that a restore that fails leaves no trace, which ``nextval`` would.
"""

from __future__ import annotations

from dataclasses import dataclass

from verifier.initial_load import detaching, following, links, preflight
from verifier.initial_load.catalog import Catalog, Column, Connection
from verifier.initial_load.equal import evaluated, same
from verifier.initial_load.ledger import reject
from verifier.initial_load.local_ids import LocalIds
from verifier.initial_load.planned import inserted, updated
from verifier.initial_load.session import literal, paste, run
from verifier.initial_load.stage import Content, Staged, among


@dataclass(slots=True)
class _Counter:
    """Where a sequence stands, and where it ends."""

    next: int
    step: int
    low: int
    high: int


class Numbering:
    """The numbers of one restore."""

    def __init__(
        self, conn: Connection, catalog: Catalog, local: LocalIds, content: Content, *, lock: bool
    ) -> None:
        self._conn = conn
        self._catalog = catalog
        self._local = local
        self._content = content
        self._lock = lock
        self._counters: dict[str, _Counter] = {}
        self._made: dict[str, int] = {}
        self._notes: list[str] = []

    def detach(self) -> list[str]:
        """Move the backup's numbers out of the way; why that is not possible, if it is not."""
        problems, self._notes = detaching.detach(
            self._conn, self._catalog, self._local, self._content
        )
        for staged in self._content.tables:
            if staged.local:
                staged.descending = self._bounds(self._sequence(staged, staged.local[0]))[0] < 0
        return problems

    def begin_again(self) -> None:
        """Forget the numbers that were made: what was decided is undone."""
        self._counters.clear()
        self._made.clear()

    def taken(self, staged: Staged) -> int:
        """Reject rows whose kept number another row has; the number of them."""
        rejected = 0
        names = {column.name for column in staged.columns}
        for key in (self._local.kept or {}).get(staged.table.oid, ()):
            if not key.columns <= names or not staged.inserts + staged.updates:
                continue
            written = paste(
                "SELECT k.* FROM ({rows}) k WHERE k.n IN ({inserted} UNION ALL"
                " SELECT u.n FROM ({updated}) u)",
                rows=evaluated(key, staged.rows, f"{staged.ordinal} AS n"),
                inserted=inserted(staged),
                updated=updated(staged),
            )
            rejected += reject(
                self._conn,
                staged,
                paste(
                    "s.{n} IN (SELECT w.n FROM ({written}) w JOIN ({held}) t ON {same}"
                    " LEFT JOIN ({updated}) u"
                    "   ON u.n = w.n AND u.t_oid = t.t_oid AND u.t_ctid = t.t_ctid"
                    " WHERE u.n IS NULL)",
                    n=staged.ordinal,
                    written=written,
                    held=evaluated(key, staged.table.only, "tableoid AS t_oid, ctid AS t_ctid"),
                    same=same(staged, key, "w", "t"),
                    updated=updated(staged),
                ),
                literal(
                    "another row of the target has its number, which a sequence made there, too "
                    "(--ids local keeps numbers that are no keys)"
                ),
                literal(key.name),
            )
        return rejected

    def number(self, staged: Staged) -> list[str]:
        """Give the table's new rows their numbers, and let references follow; what is in the way.

        Merged rows that turn out to have the number of their target row are no merges.
        """
        self._forget_equal(staged)
        if not staged.local or not staged.inserts:
            return []
        conn = self._conn
        if self._lock:
            names = [self._sequence(staged, column) for column in staged.local]
            if fixed := preflight.immovable(conn, names):
                return fixed
        for column in staged.local:
            counter = self._counter(staged, column)
            last = counter.next + counter.step * (staged.inserts - 1)
            if not counter.low <= last <= counter.high:
                return [
                    f"the sequence {self._sequence(staged, column)} ends at "
                    f"{counter.high if counter.step > 0 else counter.low} and cannot number the "
                    f"{staged.inserts} new rows of {staged.table.quoted} from {counter.next} on; "
                    "give it more room (ALTER SEQUENCE)"
                ]
        self._number(staged)
        tables = self._content.tables
        before = links.kept(conn, self._catalog, tables, staged)
        for link in links.links(self._catalog, tables, staged, before):
            columns = [staged.table.columns[name] for name in link.key.references]
            if not set(staged.local).isdisjoint(columns):
                query = paste(
                    "(SELECT {moved} FROM pg_temp.restore_number x"
                    " JOIN {parents} p ON p.{n} = x.restore_n JOIN {rows} w USING ({n}))",
                    moved=", ".join(
                        f"p.{column.quoted} AS o{no}, {self._new(staged, column)} AS f{no}"
                        for no, column in enumerate(columns, 1)
                    ),
                    n=staged.ordinal,
                    parents=among(before.tables.get(staged.number, staged.rows), link.key),
                    rows=staged.rows,
                )
                following.shift(conn, self._catalog, tables, link, query)
        for soft in links.declared(self._catalog, tables, staged):
            column = staged.table.columns[soft.key]
            if column in staged.local:
                query = paste(
                    "SELECT w.{old}::text AS o, {new}::text AS f FROM pg_temp.restore_number x"
                    " JOIN {rows} w ON w.{n} = x.restore_n",
                    old=column.quoted,
                    new=self._new(staged, column),
                    rows=staged.rows,
                    n=staged.ordinal,
                )
                following.follow_cells(conn, self._catalog, tables, soft, query, before)
        run(
            conn,
            "UPDATE {rows} c SET {set} FROM pg_temp.restore_number x"
            " WHERE c.{n} = x.restore_n; ANALYZE {rows}",
            rows=staged.rows,
            set=", ".join(f"{c.quoted} = {self._new(staged, c)}" for c in staged.local),
            n=staged.ordinal,
        )
        name = staged.table.quoted
        self._made[name] = self._made.get(name, 0) + staged.inserts
        return []

    def note(self) -> list[str]:
        """What was done, a sentence each."""
        made = ", ".join(f"{count} of {table}" for table, count in sorted(self._made.items()))
        return ([f"rows with new numbers (--ids local): {made}"] if made else []) + self._notes

    def _number(self, staged: Staged) -> None:
        """Fill ``restore_number``: the new rows' numbers."""
        numbers = []
        for no, column in enumerate(staged.local, 1):
            counter = self._counter(staged, column)
            numbers.append(
                f"{counter.next} + {counter.step} * "
                f"(row_number() OVER (ORDER BY s.{staged.ordinal}) - 1) AS restore_new_{no}"
            )
            counter.next += counter.step * staged.inserts
        run(
            self._conn,
            "DROP TABLE IF EXISTS pg_temp.restore_number; "
            "CREATE TEMP TABLE restore_number ON COMMIT DROP AS "
            "SELECT s.{n} AS restore_n, {numbers} FROM {rows} s WHERE s.{n} IN ({new}); "
            "ANALYZE pg_temp.restore_number",
            n=staged.ordinal,
            numbers=", ".join(numbers),
            rows=staged.rows,
            new=inserted(staged),
        )

    def _new(self, staged: Staged, column: Column) -> str:
        """SQL for what the column holds from now on; all but numbers may have moved before."""
        if column in staged.local:
            return f"x.restore_new_{staged.local.index(column) + 1}"
        return f"w.{column.quoted}"

    def _forget_equal(self, staged: Staged) -> None:
        if staged.local and staged.grouped:
            run(
                self._conn,
                "UPDATE pg_temp.restore_was w SET con = NULL FROM {rows} s WHERE w.tab = {number}"
                " AND w.n = s.{n} AND w.con IS NOT NULL AND w.key::text = {key}::text",
                rows=staged.rows,
                number=str(staged.number),
                n=staged.ordinal,
                key=staged.key_json("s"),
            )

    def _sequence(self, staged: Staged, column: Column) -> str:
        return next(s.quoted for s in staged.table.sequences if s.column == column.name)

    def _bounds(self, sequence: str) -> tuple[int, int, int]:
        """Its step, its least number and its greatest."""
        row = run(
            self._conn,
            "SELECT seqincrement, seqmin, seqmax FROM pg_sequence"
            " WHERE seqrelid = {name}::regclass",
            name=literal(sequence),
        ).fetchone()
        assert row is not None
        return row[0], row[1], row[2]

    def _counter(self, staged: Staged, column: Column) -> _Counter:
        """Where the column's sequence stands; it is locked from then on."""
        name = self._sequence(staged, column)
        if name in self._counters:
            return self._counters[name]
        step, low, high = self._bounds(name)
        if self._lock:
            # As it is: what is wanted is the lock, which LOCK TABLE has for tables only.
            run(self._conn, "ALTER SEQUENCE {name} INCREMENT BY {n}", name=name, n=str(step))
        row = run(self._conn, "SELECT last_value, is_called FROM {name}", name=name).fetchone()
        assert row is not None
        counter = _Counter(row[0] + step if row[1] else row[0], step, low, high)
        for table in self._catalog.tables.values():
            for sequence in table.sequences:
                fed = table.columns[sequence.column]
                if sequence.quoted == name and fed.kind == "N":
                    end = run(
                        self._conn,
                        "SELECT trunc({extreme}({column}))::numeric::text FROM {table}",
                        extreme="max" if step > 0 else "min",
                        column=fed.quoted,
                        table=table.quoted,
                    ).fetchone()
                    if end and end[0] not in (None, "NaN", "Infinity", "-Infinity"):
                        beyond = int(end[0]) + step
                        ahead = max if step > 0 else min
                        counter.next = ahead(counter.next, beyond)
        self._counters[name] = counter
        return counter
