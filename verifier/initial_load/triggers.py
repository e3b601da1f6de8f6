"""The target's triggers are off while their tables are written, and as they were afterwards.

The backup's value wins over a trigger that stamps ``updatedAt`` or rewrites a slug, and
no trigger writes an audit row for what is no new event (traps F04, O09). Which triggers
are switched off is decided one by one, as logical replication does: those that fire in
ordinary sessions only (``tgenabled`` = O). ``ENABLE ALWAYS`` triggers fire, disabled and
replica triggers stay what they are, and constraint triggers and foreign keys are never
touched: enforcement stays on. A trigger that was switched off was O, so that ``ENABLE
TRIGGER`` brings it back exactly (trap O05), in the transaction that writes; if that
fails or its client dies, the server undoes both.

``ALTER TABLE`` needs ownership. Triggers of a table that the restore's role does not own
stay on: what they change is seen when the rows are compared with what was written.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import psycopg

from verifier.initial_load.catalog import Connection, Table
from verifier.initial_load.session import run


@dataclass(frozen=True, slots=True)
class _Trigger:
    table: int
    """The table that is written; the trigger may be on one of its partitions."""
    place: str
    """The table that it is on, quoted."""
    name: str
    """Quoted."""
    ordinary: bool
    """It fires in ordinary sessions only, and enforces nothing."""
    rule: bool
    owned: bool
    owner: str

    @property
    def silent(self) -> bool:
        """Whether it can be switched off."""
        return self.ordinary and self.owned


# Partitions fire the row triggers of their own, clones with a state of their own; the
# clones count as internal up to PostgreSQL 14. A row that moves to another partition is
# a delete and an insert. Types: 4 INSERT, 8 DELETE, 16 UPDATE.
_FIRING = """
WITH written AS (
  SELECT w.oid AS named, w.oid AS oid FROM unnest(%(oids)s::oid[]) w(oid)
  UNION SELECT w.oid, p.relid FROM unnest(%(oids)s::oid[]) w(oid), pg_partition_tree(w.oid) p
), found AS (
  SELECT w.named, w.oid, g.tgname AS name, g.tgenabled = 'O' AND g.tgconstraint = 0 AS ordinary,
         false AS rule
  FROM written w JOIN pg_trigger g ON g.tgrelid = w.oid
  WHERE g.tgenabled IN ('O', 'A') AND g.tgtype::int & 28 <> 0
    AND (NOT g.tgisinternal OR g.tgparentid <> 0)
    AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.oid = g.tgconstraint AND k.contype = 'f')
  UNION ALL
  SELECT w.named, w.oid, r.rulename, false, true
  FROM written w JOIN pg_rewrite r ON r.ev_class = w.oid
  WHERE r.ev_enabled IN ('O', 'A') AND w.oid = w.named
)
SELECT f.named::bigint, format('%%I.%%I', n.nspname, c.relname), format('%%I', f.name),
       f.ordinary, f.rule, pg_has_role(c.relowner, 'USAGE'), pg_get_userbyid(c.relowner)::text
FROM found f JOIN pg_class c ON c.oid = f.oid JOIN pg_namespace n ON n.oid = c.relnamespace
ORDER BY 2, 3
"""


class Off:
    """The triggers of ``tables`` switched off until :meth:`back`.

    ``tables`` are those that will be written, all of them: a foreign key may carry an
    update on to another. To be made before the first write: the server alters no table
    with checks that are still to come.
    """

    def __init__(self, conn: Connection, tables: Iterable[Table]) -> None:
        self._conn = conn
        oids = [table.oid for table in tables]
        rows = conn.execute(_FIRING, {"oids": oids}).fetchall() if oids else []
        found = [_Trigger(*row) for row in rows]
        self._refusal = ""
        self._off = [trigger for trigger in found if trigger.silent]
        self._on = [trigger for trigger in found if not trigger.silent]
        if self._off:
            self._switch_off()

    def _switch_off(self) -> None:
        self._conn.execute("SAVEPOINT triggers")
        try:
            self._alter("DISABLE")
        except psycopg.OperationalError:  # no lock, cancelled, connection lost
            raise
        except psycopg.DatabaseError as error:
            # An event trigger of the target does not have its tables altered.
            self._conn.execute("ROLLBACK TO triggers")
            self._refusal = error.diag.message_primary or type(error).__name__
            self._on += self._off
            self._off = []
        self._conn.execute("RELEASE triggers")

    def back(self) -> None:
        """Switch them on again. No check may be pending (``SET CONSTRAINTS ALL IMMEDIATE``)."""
        self._alter("ENABLE")
        self._off = []

    def _alter(self, how: str) -> None:
        """Without ONLY, partitions would follow, whatever their own state."""
        by_place: dict[str, list[str]] = {}
        for trigger in self._off:
            names = by_place.setdefault(trigger.place, [])
            if trigger.name not in names:
                names.append(trigger.name)
        for place, names in by_place.items():
            run(
                self._conn,
                "ALTER TABLE ONLY {place} {actions}",
                place=place,
                actions=", ".join(f"{how} TRIGGER {name}" for name in names),
            )

    def firing(self, table: Table) -> bool:
        """Whether a trigger or rule that is still on may change what is written to ``table``."""
        return any(trigger.table == table.oid for trigger in self._on)

    def blame(self, table: Table) -> str:
        """Which triggers and rules of ``table`` are on, why, and what to do; "" for none."""
        on = [trigger for trigger in self._on if trigger.table == table.oid]
        return "; ".join(self._reasons(on))

    @property
    def notes(self) -> tuple[str, ...]:
        """The ordinary triggers that could not be switched off, a sentence for each reason."""
        return tuple(self._reasons([trigger for trigger in self._on if trigger.ordinary]))

    def _reasons(self, triggers: list[_Trigger]) -> list[str]:
        by_reason: dict[str, list[str]] = {}
        for trigger in triggers:
            kind = "rule" if trigger.rule else "trigger"
            named = f"{kind} {trigger.name} on {trigger.place}"
            names = by_reason.setdefault(self._reason(trigger), [])
            if named not in names:
                names.append(named)
        return [f"{', '.join(names)}: {reason}" for reason, names in by_reason.items()]

    def _reason(self, trigger: _Trigger) -> str:
        if not trigger.ordinary:
            return "always on; disable it for the restore if it should not interfere"
        if trigger.owned:
            return f"stayed on, because switching it off was refused ({self._refusal})"
        return (
            "stayed on, because only the table's owner may switch it off; "
            f"restore as {trigger.owner}"
        )
