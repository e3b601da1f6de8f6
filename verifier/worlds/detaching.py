"""Filling the tables of somebody's own schema, whatever the order of the rows.

Foreign keys and triggers, which a script may have of every kind, are taken away by their owner
and put back as they were. So nothing of theirs runs with more power than theirs, and putting
a foreign key back says whether the rows fit.
"""

from __future__ import annotations

from dataclasses import dataclass

from verifier.worlds.reading import Connection, ask

_QUERY = """
SELECT string_agg(format('ALTER TABLE %s DROP CONSTRAINT %I;', conrelid::regclass, conname), ''),
    string_agg(format('ALTER TABLE %s ADD CONSTRAINT %I %s;', conrelid::regclass, conname,
        pg_get_constraintdef(oid)), '' ORDER BY oid)
FROM pg_constraint WHERE contype = 'f' AND conparentid = 0;
SELECT string_agg(format('ALTER TABLE %s DISABLE TRIGGER %I;', tgrelid::regclass, tgname), ''),
    string_agg(format('ALTER TABLE %s ENABLE %s TRIGGER %I;', tgrelid::regclass,
        CASE tgenabled WHEN 'A' THEN 'ALWAYS' WHEN 'R' THEN 'REPLICA' END, tgname), '')
FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D' AND tgparentid = 0
"""


@dataclass(frozen=True)
class Detached:
    """The statements before and after filling."""

    before: str = ""
    after: str = ""

    @classmethod
    def read(cls, session: Connection) -> Detached:
        """Those for the database of ``session``. Raises :class:`psycopg.Error`."""
        [[keys], [triggers]] = ask(session, _QUERY)
        (drop, add), (disable, enable) = keys, triggers
        # What a deferred key has yet to check would bar the tables from being altered.
        late = "SET CONSTRAINTS ALL IMMEDIATE;"
        return cls(f"{disable or ''}{drop or ''}", f"{late}{add or ''}{enable or ''}")
