"""A restore as many applications write it: one upsert for each row, by primary key.

It is right for data without duplicates and orphans, and honest about any other.
The faulty implementations are made from it, each by one small change.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import psycopg

from verifier.contract import Claim, Counts, Guarantee, Rejection
from verifier.dsn import redact
from verifier.errors import BackupRefused
from verifier.implementations import sequences
from verifier.implementations.base import Backup, Endpoint
from verifier.implementations.target import Outcome, Table, TableRow, Target
from verifier.initial_load import backup
from verifier.initial_load.reading.events import Event, Rows, SetVal
from verifier.initial_load.reading.sql import read_sql
from verifier.transfer import BackupOptions, Format

T = TypeVar("T", int, Table)

# SQLSTATE classes in which the server refuses a row for what is in it: data
# exception, integrity constraint violation, WITH CHECK OPTION, RAISE in a trigger.
_ROW_REFUSED = ("22", "23", "44", "P0")


@dataclass(frozen=True, slots=True)
class Content:
    """What a backup holds, tables in the order in which they first appear."""

    rows: dict[Table, list[TableRow]] = field(default_factory=dict)
    sequences: dict[str, tuple[int, bool]] = field(default_factory=dict)
    """``last_value`` and ``is_called`` by the sequence as SQL writes it."""


class RowRefused(Exception):
    """The server refused this row."""

    def __init__(self, rejection: Rejection) -> None:
        super().__init__(rejection)
        self.rejection = rejection


class RowByRow:
    """Upserts every row by its primary key in one transaction, parents first.

    Without the tables that describe the database itself. The first row that the
    server refuses ends the restore: nothing is kept, and the claim names it.
    """

    name: str = "row-by-row"
    not_offered: Mapping[Guarantee, str] = MappingProxyType({})

    def backup(self, source: Endpoint) -> Backup:
        """Dump the data of ``source`` as INSERTs. Raises :class:`~verifier.errors.BackupError`."""
        options = BackupOptions(
            format=Format.INSERTS,
            control_tables=source.control_tables,
            exclude=source.leave_out,
        )
        return Backup((backup(source.dsn, source.workdir / "backup.sql", options).path,))

    def restore(self, backup: Backup, target: Endpoint) -> Claim:
        """Write every row of ``backup``; the claim is what this code believes it has done."""
        try:
            content = self.read(backup, without=target.control_tables)
            with psycopg.connect(target.dsn.conninfo, client_encoding="UTF8") as connection:
                counts = self._write_all(content, connection)
        except RowRefused as refused:
            rejection = refused.rejection
            return Claim(
                success=False,
                exit_code=1,
                message=redact(
                    f"{rejection.table} {dict(rejection.key)}: {rejection.reason}; "
                    "nothing was restored",
                    target.dsn,
                ),
                rejections=(rejection,),
            )
        except BackupRefused as error:
            return Claim(success=False, exit_code=2, message=str(error))
        except psycopg.Error as error:
            reason = f"tried to restore into {target.dsn}: {_place(error)}{_reason(error)}"
            return Claim(
                success=False,
                exit_code=1 if _refuses_a_row(error) else 2,
                message=redact(f"{reason}; no commit was confirmed", target.dsn),
            )
        return Claim(success=True, exit_code=0, counts=counts, merges=(), rejections=())

    def read(self, backup: Backup, *, without: Collection[str] = ()) -> Content:
        """The rows and sequences of ``backup``, but for the tables called ``without``."""
        content = Content()
        self.collect(content, backup, without)
        return content

    def collect(self, content: Content, backup: Backup, without: Collection[str]) -> None:
        """Add to ``content`` what ``backup`` holds. Raises :class:`BackupRefused`."""
        for path in backup.files:
            for found in _events(path):
                if isinstance(found, SetVal):
                    content.sequences[found.sequence] = (found.value, found.called)
                elif isinstance(found, Rows) and found.table not in without:
                    table = Table(found.schema, found.table)
                    content.rows.setdefault(table, []).extend(
                        TableRow(table, dict(zip(found.columns, values, strict=True)))
                        for values in found.values()
                    )

    def _write_all(
        self, content: Content, connection: psycopg.Connection[tuple[Any, ...]]
    ) -> dict[str, Counts]:
        """Write all of ``content`` and say what was done, by table."""
        target = Target(connection)
        self.begin(target, content)
        seen: dict[str, Counter[str]] = {}
        for table in self.order(target, list(content.rows)):
            outcomes = seen.setdefault(target.written(table), Counter())
            for row in self.sort(target, table, content.rows[table]):
                try:
                    outcome = self.write(target, row)
                except psycopg.Error as error:
                    if _refuses_a_row(error):
                        raise RowRefused(_rejection(target, row, error)) from error
                    raise
                if outcome is not None:
                    outcomes[outcome] += 1
            self.filled(target)
        self.end(target, content)
        self.advance(target, content)
        return {table: Counts(**outcomes) for table, outcomes in seen.items()}

    # What the faulty implementations change.

    def begin(self, target: Target, content: Content) -> None:
        """Do what has to be done before the first row is written: nothing."""

    def filled(self, target: Target) -> None:
        """Do what has to be done once all rows of a table are written: nothing."""

    def end(self, target: Target, content: Content) -> None:
        """Have what is deferred to the end refused before the sequences, not by COMMIT."""
        target.connection.execute("SET CONSTRAINTS ALL IMMEDIATE")

    def advance(self, target: Target, content: Content) -> None:
        """Set the sequences past every value that they feed."""
        sequences.advance(target.connection, content.rows.keys(), content.sequences)

    def order(self, target: Target, tables: Sequence[Table]) -> Sequence[Table]:
        """``tables`` in the order of writing: parents first, by the target's foreign keys."""
        parents: dict[Table, set[Table]] = {table: set() for table in tables}
        for key in target.references:
            if key.child != key.parent and key.child in parents and key.parent in parents:
                parents[key.child].add(key.parent)
        return _parents_first(parents, "tables of the target")

    def sort(self, target: Target, table: Table, rows: Sequence[TableRow]) -> Sequence[TableRow]:
        """``rows`` in the order of writing: parents first, where ``table`` refers to itself."""
        own = [key for key in target.references if key.child == key.parent == table]
        parents: dict[int, set[int]] = {place: set() for place in range(len(rows))}
        for key in own:
            places = {row.key(key.parent_columns): place for place, row in enumerate(rows)}
            for place, row in enumerate(rows):
                wanted = row.key(key.columns)
                parent = places.get(wanted, place)
                if parent != place and None not in wanted:
                    parents[place].add(parent)
        if not own:
            return rows
        return [
            rows[place] for place in _parents_first(parents, f"rows of {target.written(table)}")
        ]

    def write(self, target: Target, row: TableRow) -> Outcome | None:
        """Write one row; ``None`` leaves it out of the counts."""
        return target.upsert(row, on=target.identity(row.table))


def _events(path: Path) -> Iterator[Event]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise BackupRefused(f"{path.name} cannot be read: {error.strerror}") from error
    with file:
        yield from read_sql(file, path.name)


def _parents_first(parents: Mapping[T, set[T]], what: str) -> list[T]:
    try:
        return list(TopologicalSorter(parents).static_order())
    except CycleError as error:
        raise BackupRefused(
            f"the {what} refer to each other in a circle, and rows are written one at a time: "
            f"{' -> '.join(str(node) for node in error.args[1])}"
        ) from None


def _refuses_a_row(error: psycopg.Error) -> bool:
    return (error.sqlstate or "").startswith(_ROW_REFUSED)


def _reason(error: psycopg.Error) -> str:
    """The server's words with the values that it names, or the driver's."""
    said = [part for part in (error.diag.message_primary, error.diag.message_detail) if part]
    return ": ".join(said) or str(error).strip()


def _place(error: psycopg.Error) -> str:
    """The table that the server names, as the start of a sentence."""
    names = [part for part in (error.diag.schema_name, error.diag.table_name) if part]
    return f"{'.'.join(names)}: " if names else ""


def _rejection(target: Target, row: TableRow, error: psycopg.Error) -> Rejection:
    key = target.identity(row.table).columns
    return Rejection(
        table=target.written(row.table),
        key={name: row.values.get(name) for name in key},
        reason=_reason(error),
        constraint=error.diag.constraint_name or "",
    )
