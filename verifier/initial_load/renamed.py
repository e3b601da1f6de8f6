"""Rows that come to be called what rejected ones were called, when what they refer to moves.

Children name their parents by value. As long as both rows are there they are one, as the name is
a unique key of the target. Once one of them is rejected, its children are those of the other one,
unless that goes on to another name, to a row of the target: they would go there with it. Then the
one is to be rejected before anything moves, while it alone has its name.
"""

from __future__ import annotations

from dataclasses import dataclass

from verifier.initial_load.catalog import Catalog, Connection, ForeignKey
from verifier.initial_load.ledger import Cause
from verifier.initial_load.links import Renaming
from verifier.initial_load.parents import rejected_parents, shown
from verifier.initial_load.planned import survives, written
from verifier.initial_load.session import array, literal, paste, run
from verifier.initial_load.stage import Staged, family


@dataclass(frozen=True, slots=True)
class Taken:
    """A rejected row whose name another row has come to have."""

    row: Cause
    key: ForeignKey
    """By which children refer to that name."""
    name: list[str]


class Renamed:
    """The names of rows before any of them moves, of the tables where they may change."""

    def __init__(
        self, conn: Connection, catalog: Catalog, tables: list[Staged], renaming: Renaming
    ) -> None:
        self._conn, self._catalog, self._tables = conn, catalog, tables
        self._keys = list({key: None for key, _ in renaming})

    def keep(self) -> None:
        """Keep the names that the rows have now."""
        for staged in self._tables:
            named = [staged in family(self._tables, key.parent) for key in self._keys]
            names = {
                name
                for key, mine in zip(self._keys, named, strict=True)
                if mine
                for name in key.references
            }
            if names:
                run(
                    self._conn,
                    "CREATE TEMP TABLE {name} ON COMMIT DROP AS SELECT {n} AS n, {names}"
                    " FROM {rows}; CREATE INDEX ON {called} (n)",
                    name=_called(staged).removeprefix("pg_temp."),
                    called=_called(staged),
                    n=staged.ordinal,
                    names=", ".join(staged.table.columns[name].quoted for name in sorted(names)),
                    rows=staged.rows,
                )

    def taken(self, tables: list[Staged], since: int) -> list[Taken]:
        """The rows rejected ``since`` whose name a row of ``tables`` has now, but had not before.

        Not where the target has a row of that name: it is what their children refer to.
        """
        return [
            taken
            for key in self._keys
            for staged in tables
            if staged in family(self._tables, key.parent)
            for taken in self._taken(key, staged, since)
        ]

    def _taken(self, key: ForeignKey, staged: Staged, since: int) -> list[Taken]:
        target = self._catalog.tables[key.referred]
        columns = [staged.table.columns[name] for name in key.references]
        named = [column.quoted for column in columns]
        texts = [shown(column, "p") for column in columns]
        rows = run(
            self._conn,
            "SELECT r.tab, r.n, r.reason, r.con, {texts} FROM {rows} p"
            " JOIN {called} o ON o.n = p.{n}, LATERAL (SELECT r.* {rejected}) r"
            " WHERE r.no > {since} AND ({moved}) AND NOT EXISTS (SELECT FROM {target} t"
            "  WHERE {there}) ORDER BY r.no",
            texts=array(texts),
            rows=staged.rows,
            called=_called(staged),
            n=staged.ordinal,
            rejected=rejected_parents(family(self._tables, key.parent), key, texts),
            since=str(since),
            moved=" OR ".join(f"p.{name} IS DISTINCT FROM o.{name}" for name in named),
            target=target.only,
            there=" AND ".join(
                paste("t.{theirs} = p.{ours}", theirs=target.columns[name].quoted, ours=ours)
                for name, ours in zip(key.references, named, strict=True)
            ),
        )
        return [Taken((tab, n, why, con), key, name) for tab, n, why, con, name in rows]

    def left(self, taken: list[Taken]) -> list[Cause]:
        """Those of rows whose name no row has, now that what becomes of each is planned."""
        return list({one.row: None for one in taken if not self._is_called(one.key, one.name)})

    def _is_called(self, key: ForeignKey, name: list[str]) -> bool:
        return any(
            run(
                self._conn,
                "SELECT FROM {rows} p WHERE {same}{written}{survives} LIMIT 1",
                rows=staged.rows,
                same=" AND ".join(
                    paste(
                        "{shown} = {value}",
                        shown=shown(staged.table.columns[column], "p"),
                        value=literal(value),
                    )
                    for column, value in zip(key.references, name, strict=True)
                ),
                written=written(staged),
                survives=survives(staged),
            ).fetchone()
            is not None
            for staged in family(self._tables, key.parent)
        )


def _called(staged: Staged) -> str:
    return f"pg_temp.restore_called_{staged.number}"
