"""A backup in the form of an application's JSON backup, for restores that read nothing else.

What it says about itself stands in front (:mod:`verifier.initial_load.reading.json_own`); a
file that was cut off is no JSON any more. Tables come as pg_dump would write them: by name,
and before each its parents. Memory depends on the largest row alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import NoReturn

from psycopg import sql

from verifier.errors import BackupError
from verifier.initial_load import statements
from verifier.initial_load.backing_up import snapshot
from verifier.initial_load.backing_up.json_cells import Cell, Uncarried, cell, quote
from verifier.initial_load.backing_up.leaving_out import LeftOut
from verifier.initial_load.backing_up.own_rows import selected
from verifier.initial_load.backing_up.snapshot import Relation, Snapshot
from verifier.initial_load.catalog import Catalog, Column, Connection
from verifier.initial_load.fingerprint import fingerprint
from verifier.initial_load.manifest import own_version
from verifier.initial_load.order import components
from verifier.initial_load.output import Output
from verifier.initial_load.reading import copytext
from verifier.initial_load.reading.json_own import FORMAT, METADATA, SEQUENCES, VERSION
from verifier.initial_load.reading.json_values import JSON_TYPES
from verifier.transfer import Progress

# Values print in UTC, which is what JavaScript's times are in, and in pg_dump's own forms.
_PINNED = {"TimeZone": "UTC", "lc_monetary": "C"}
_OTHERWISE = "make the backup in another format (--format copy)"


@dataclass(frozen=True, slots=True)
class Document:
    """A backup of ``held``; its session, which holds the snapshot, prints values as JSON needs."""

    conn: Connection
    held: Snapshot
    catalog: Catalog
    left: LeftOut
    progress: Progress

    def write(self, file: Output, expected: Mapping[int, int]) -> Mapping[tuple[str, str], int]:
        """Write all of it; the rows that were written, by schema and table.

        ``expected``: rows by the oid of their table. Raises :class:`BackupError` for what
        JSON cannot carry.
        """
        for setting in _PINNED.items():
            self.conn.execute("SELECT pg_catalog.set_config(%s, %s, true)", setting)
        self._refuse_objects()
        models = self._models()
        file.write(self._head(models, expected).encode())
        rows = {}
        comma = ""
        for model, table in models.items():
            file.write(f"{comma}\n{quote(model)}:[".encode())
            rows[table.schema, table.name] = self._records(file, table)
            file.write(b"]")
            comma = ","
        file.write(b"\n}}\n")
        return rows

    def _refuse_objects(self) -> None:
        found = self.conn.execute(
            "SELECT count(*) FROM pg_catalog.pg_largeobject_metadata"
        ).fetchone()
        assert found is not None
        if found[0]:
            raise BackupError(
                f"the source holds {found[0]} large objects, which a JSON backup cannot carry; "
                + _OTHERWISE
            )

    def _models(self) -> dict[str, Relation]:
        """The tables by the names that they have in the file, in its order."""
        roots = {table.oid: table for table in self.held.roots()}
        parents: dict[int, list[int]] = {oid: [] for oid in roots}
        for key in self.catalog.foreign_keys:
            child, parent = self.held.tables.get(key.child), self.held.tables.get(key.referred)
            if child is not None and parent is not None:
                parents[child.root].append(parent.root)
        names = [table.name for table in roots.values()]
        return {
            table.name if names.count(table.name) == 1 else f"{table.schema}.{table.name}": table
            for component in components(parents)
            for table in (roots[oid] for oid in component)
        }

    def _head(self, models: Mapping[str, Relation], expected: Mapping[int, int]) -> str:
        made = self.held.made.astimezone(UTC).replace(tzinfo=None)
        about = {
            "format": FORMAT,
            "formatVersion": VERSION,
            "verifier": own_version(),
            "server": self.conn.info.parameter_status("server_version") or "",
            "schema": fingerprint(self.catalog, self.held.tables),
            "leftOut": {f"{rule.table}: {rule.condition}": dict(rule.left_out)
                        for rule in self.left.rules},
            "counts": {model: expected[table.oid] for model, table in models.items()},
            "tables": {
                model: {
                    "schema": table.schema,
                    "name": table.name,
                    "columns": [column.name for column in self._columns(table)],
                }
                for model, table in models.items()
            },
        }  # fmt: skip
        positions = {
            name: {"lastValue": value, "isCalled": called}
            for name, value, called in snapshot.positions(self.conn, self.held)
        }
        head = {
            "version": "1.0",
            "exportedAt": f"{made.isoformat(timespec='milliseconds')}Z",
            METADATA: about,
            SEQUENCES: positions,
        }
        members = [f"{quote(name)}:{json.dumps(value)}" for name, value in head.items()]
        return "{" + ",\n".join(members) + ',\n"data":{'

    def _columns(self, table: Relation) -> list[Column]:
        columns = self.catalog.tables[table.oid].columns.values()
        return [column for column in columns if not column.generated]

    def _records(self, file: Output, table: Relation) -> int:
        """Write the records of one table; how many there are."""
        self.progress.doing(table.quoted)
        record = _Record(self.catalog, table, self._columns(table))
        count = 0
        for block in self._blocks(table, record.columns):
            records = [
                record.written(values) for values in copytext.rows(block, empty=not record.columns)
            ]
            file.write(((",\n" if count else "\n") + ",\n".join(records)).encode())
            count += len(records)
            self.progress.advance(len(records))
        return count

    def _blocks(self, table: Relation, columns: list[Column]) -> Iterator[bytes]:
        """The rows of ``table`` as COPY's text, partition by partition."""
        for part in self.held.tables.values():
            if part.root != table.oid or part.partitioned:
                continue
            query = selected(columns, f"ONLY {part.quoted}", table, self.left)
            with self.conn.cursor() as cursor, cursor.copy(sql.SQL(query)) as copy:
                yield from statements.gathered(copy)


class _Record:
    """Makes a table's rows to JSON objects."""

    def __init__(self, catalog: Catalog, table: Relation, columns: list[Column]) -> None:
        self.columns = columns
        self._table = catalog.tables[table.oid]
        self._fields: list[tuple[str, Cell, str | None]] = [
            # NULL and json's own null are told apart by the field's absence.
            (name := f"{quote(column.name)}:", cell(column),
             None if column.underlying in JSON_TYPES else f"{name}null")
            for column in columns
        ]  # fmt: skip

    def written(self, values: tuple[bytes | None, ...]) -> str:
        """One object. Raises :class:`BackupError` for a value that JSON has no form for."""
        members = []
        for number, ((name, write, null), value) in enumerate(
            zip(self._fields, values, strict=True)
        ):
            if value is not None:
                try:
                    members.append(name + write(value.decode()))
                except (Uncarried, UnicodeDecodeError) as error:
                    found = error if isinstance(error, Uncarried) else "text that is not UTF-8"
                    self._refuse(number, values, str(found))
            elif null is not None:
                members.append(null)
        return "{" + ",".join(members) + "}"

    def _refuse(self, number: int, values: tuple[bytes | None, ...], found: str) -> NoReturn:
        identity = self._table.identity
        key = ", ".join(
            f"{column.name} = {(value or b'NULL').decode('utf-8', 'replace')!r}"
            for column, value in zip(self.columns, values, strict=True)
            if identity is not None and column.name in identity.plain
        )
        raise BackupError(
            f"{self._table.quoted}{f' ({key})' if key else ''}: the column "
            f"{self.columns[number].quoted} holds {found}, which a JSON backup cannot carry; "
            + _OTHERWISE
        )
