"""Rows put into a database that has its schema already, as its owner and nothing more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg

from verifier.model.schema import Row, Schema
from verifier.worlds.rows import inserts, positions

# Foreign keys whose parents are of another table alone; those of partitions go with them.
_FOREIGN_KEYS = """
SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', k.conrelid::regclass, k.conname),
       format('ALTER TABLE %s ADD CONSTRAINT %I %s', k.conrelid::regclass, k.conname,
              pg_get_constraintdef(k.oid))
FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace
WHERE k.contype = 'f' AND k.conparentid = 0
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
"""
# Those that fire in ordinary sessions; a partition's come and go with its parent's.
_TRIGGERS = """
SELECT format('ALTER TABLE %s DISABLE TRIGGER %I', g.tgrelid::regclass, g.tgname),
       format('ALTER TABLE %s ENABLE TRIGGER %I', g.tgrelid::regclass, g.tgname)
FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT g.tgisinternal AND g.tgparentid = 0 AND g.tgenabled = 'O'
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
"""


def fill(
    session: psycopg.Connection[Any], schema: Schema, rows: Mapping[str, tuple[Row, ...]]
) -> None:
    """Insert ``rows`` (by table id) in their order, without triggers, and move the sequences.

    Foreign keys are there again afterwards, and hold. Raises :class:`psycopg.Error`.
    """
    found = [*session.execute(_FOREIGN_KEYS), *session.execute(_TRIGGERS)]
    script = [f"{off};\n" for off, _ in found]
    for table, held in rows.items():
        script += inserts(schema.by_id[table], held)
    script += positions(schema, rows, {})
    script += [f"{on};\n" for _, on in found]
    session.execute("".join(script).encode())
