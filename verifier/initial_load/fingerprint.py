"""One number for the shape of a source, by which backups and databases can be told apart."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection

from verifier.initial_load.catalog import Catalog, Table


def fingerprint(catalog: Catalog, tables: Collection[int]) -> str:
    """SHA-256 over the ``tables`` (oids) of ``catalog``: columns, types, keys, foreign keys.

    The order of columns and the names of constraints are not part of it: a restore does
    not mind them. Types read the same only under the same search path; use an empty one.
    """
    shape = {
        "tables": sorted(_shape(table) for oid, table in catalog.tables.items() if oid in tables),
        "references": sorted(
            [
                catalog.tables[key.child].quoted,
                list(key.columns),
                catalog.tables[key.referred].quoted,
                list(key.references),
            ]
            for key in catalog.foreign_keys
            if key.child in tables and key.referred in tables
        ),
    }
    return hashlib.sha256(json.dumps(shape, sort_keys=True).encode()).hexdigest()


def _shape(table: Table) -> list[object]:
    columns = sorted(
        [column.name, column.type, column.not_null, column.generated, column.always]
        for column in table.columns.values()
    )
    keys = sorted(
        [list(key.expressions), key.predicate or "", key.nulls_distinct, key.primary]
        for key in table.keys
    )
    return [table.quoted, columns, keys]
