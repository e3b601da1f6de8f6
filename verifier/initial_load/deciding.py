"""What becomes of every row of a backup: rejected, merged, inserted, updated or left alone.

Component after component of the target's foreign keys, parents first.
"""

from __future__ import annotations

from collections.abc import Callable

from verifier.initial_load import (
    changes,
    checks,
    handing_on,
    ledger,
    links,
    match,
    parents,
    referred_to,
    repoint,
    respelling,
    survey,
    suspects,
    whole_rows,
    write,
)
from verifier.initial_load.catalog import Catalog, Connection
from verifier.initial_load.numbering import Numbering
from verifier.initial_load.order import matched_by, ordered
from verifier.initial_load.overlaps import Overlaps
from verifier.initial_load.refusing import refuse
from verifier.initial_load.renamed import Renamed
from verifier.initial_load.session import run
from verifier.initial_load.stage import Staged

_SPARE = 10
"""Rounds beyond the number of rows, before they are taken for endless."""


class Decisions:
    """The decisions about all rows of the staged ``tables``; :meth:`make` makes them."""

    def __init__(
        self,
        conn: Connection,
        catalog: Catalog,
        tables: list[Staged],
        overlaps: Overlaps,
        numbering: Numbering | None,
        *,
        strict: bool,
        doing: Callable[[str], None],
    ) -> None:
        """``numbering``: of the rows' new numbers, with ``--ids local``; ``strict``:
        ``--strict-ids``; ``doing`` is told what goes on."""
        self._conn, self._catalog, self._tables = conn, catalog, tables
        self._overlaps, self._numbering = overlaps, numbering
        self._strict, self._doing = strict, doing
        renaming = links.renaming(catalog, tables)
        self._misleading = links.misleading(catalog, tables, renaming)
        self._renamed = Renamed(conn, catalog, tables, renaming)

    def make(self, order: list[list[Staged]]) -> None:
        """Decide it, in the ``order`` of the components, parents first.

        Raises :class:`~verifier.initial_load.refusing.Refused` and the server's errors.
        """
        if self._numbering:
            for tables in order:
                refuse(whole_rows.lost(self._conn, self._catalog, tables))
        self._renamed.keep()
        while self._decided(order):
            continue

    def _decided(self, order: list[list[Staged]]) -> int:
        """Decide what becomes of every row; rows that were rejected when all was decided, if any.

        Everything has to be decided once more without them.
        """
        with ledger.undoable(self._conn, self._tables) as undo:
            # Before any row moves: none must become the child of one that moves to where it looks.
            parents.lone(self._conn, self._catalog, self._tables, self._misleading)
            undo.count()
            for tables in order:
                undo.also = self._settle(tables, undo.since)
                if undo.also:
                    break
            else:
                undo.count()
                for staged in self._tables:
                    referred_to.forsaken(self._conn, self._catalog, self._tables, staged)
                    respelling.respelled(self._conn, self._catalog, self._tables, staged)
        if undo.rejected and self._numbering:
            self._numbering.begin_again()
        return undo.rejected

    def _settle(self, tables: list[Staged], since: int) -> list[ledger.Cause]:
        """Decide what becomes of every row of one component; its parents are settled.

        Rejections ``since`` that had to be made before anything moved, if there are any: all else
        may be wrong then.
        """
        self._doing(f"matching {', '.join(staged.table.quoted for staged in tables)}")
        for staged in tables:
            checks.complete(self._conn, staged)
            checks.rows(self._conn, staged)
        while True:
            for staged in tables:
                staged.unplan()
            parents.orphans(self._conn, self._catalog, self._tables, tables)
            while self._disowned(tables):
                parents.orphans(self._conn, self._catalog, self._tables, tables)
            taken = self._renamed.taken(tables, since)
            if self._circular(tables):
                continue
            if not self._told_apart(tables):
                break
        left = self._renamed.left(taken)
        if self._numbering and not left:
            for staged in tables:
                refuse(self._numbering.number(staged))
        return left

    def _disowned(self, tables: list[Staged]) -> int:
        """Reject rows whose parent is perhaps not what the target has for it."""
        if not self._strict or self._numbering:
            return 0
        return sum(
            parents.disowned(self._conn, self._catalog, self._tables, staged) for staged in tables
        )

    def _told_apart(self, tables: list[Staged]) -> int:
        """Plan what is written of one component; rows that were rejected for it, if any.

        A rejected row may be the parent or the survivor of others: what moved because of it
        is undone, and everything has to be decided once more without it.
        """
        if not any(staged.grouped for staged in tables) and all(
            [survey.plain(self._conn, self._catalog, staged) for staged in tables]
        ):
            return self._plan(tables)
        with ledger.undoable(self._conn, tables) as undo:
            if self._group(tables) and not self._circular(tables, merged=True):
                self._plan(tables)
        return undo.rejected

    def _plan(self, tables: list[Staged]) -> int:
        """Reject what cannot be written as it is; the number of rows.

        Of one kind at a time: without those rows, others may be written.
        """
        conn, catalog, all_tables = self._conn, self._catalog, self._tables
        kinds: list[Callable[[Staged], int]] = [
            lambda staged: match.outdated(conn, staged),
            # A row that moved has other values than the backup's.
            lambda staged: checks.rows(conn, staged, written=True) if staged.grouped else 0,
            lambda staged: write.plan(conn, staged),
            self._mistaken,
            self._overlaps.reject,
            lambda staged: handing_on.plan(conn, catalog, staged),
            lambda staged: parents.stranded(conn, catalog, all_tables, staged, tables),
        ]
        return next(filter(None, (sum(map(kind, tables)) for kind in kinds)), 0)

    def _circular(self, tables: list[Staged], *, merged: bool = False) -> int:
        """Reject rows that no other restore would find again."""
        if not self._numbering:
            return 0
        return whole_rows.circular(self._conn, self._catalog, tables, merged=merged)

    def _mistaken(self, staged: Staged) -> int:
        """Reject rows whose numbers somebody else has, or may have."""
        if self._numbering:
            return self._numbering.taken(staged)
        return suspects.refuse(self._conn, staged) if self._strict else 0

    def _group(self, tables: list[Staged]) -> bool:
        """Tell the rows of one component apart, and let references follow those that merge.

        ``False`` as soon as rows are rejected: what moved because of them may have been wrong.
        """
        for staged in tables:
            staged.unplan()
        if not all(self._merge(turn, tables) for turn in self._turns(tables)):
            return False
        for staged in tables:
            changes.by_fate(self._conn, staged)
        return True

    def _merge(self, turn: list[Staged], tables: list[Staged]) -> bool:
        """The same for those of one ``turn`` among the ``tables`` of a component.

        A merge moves references, moved references may make rows equal that were not:
        among tables that wait for each other this goes on until nothing moves. Every round makes
        groups larger, so there are no more of them than rows.
        """
        conn, catalog = self._conn, self._catalog
        component, own = ({staged.table.oid for staged in some} for some in (tables, turn))
        left = _rows(conn, tables)
        for _ in range(left + _SPARE):
            for staged in turn:
                match.decide(conn, staged)
                whole_rows.pair(conn, staged)
            if left != _rows(conn, tables):
                return False
            moved: set[int] = set()
            for staged in turn:
                moved |= repoint.repoint(conn, catalog, self._tables, staged)
            if moved & component:
                parents.orphans(conn, catalog, self._tables, tables)
            if left != _rows(conn, tables):
                return False
            if not moved & own:
                return True
        names = ", ".join(staged.table.quoted for staged in turn)
        said = f"rows of {names} refer to each other and follow without an end"
        refuse([f"{said}, which is a fault of this program: please report it"])
        return False

    def _turns(self, tables: list[Staged]) -> list[list[Staged]]:
        """The tables of one component as they can be told apart one after the other.

        A table waits only for those whose rows its own are equal by. What merges too early takes
        over the key of a target row that belongs to another one.
        """
        return ordered(self._catalog, tables, matched_by) if len(tables) > 1 else [tables]


def _rows(conn: Connection, tables: list[Staged]) -> int:
    """Rows that are still staged."""
    total = 0
    for staged in tables:
        row = run(conn, "SELECT count(*) FROM {rows}", rows=staged.rows).fetchone()
        total += row[0] if row else 0
    return total
