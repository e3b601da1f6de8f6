"""Large objects are staged like rows and written in the same transaction (trap F16).

Missing objects are created under the oid that they have in the backup, because rows refer
to it; objects with other content are rewritten where they differ, equal ones are left
alone. Once staged, content is compared and copied inside the server.

An oid is a number that each server makes on its own. So an object of the target with the
same oid and other content may be another thing altogether: a suspected collision.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass

import psycopg

from verifier.contract import Rejection
from verifier.errors import BackupRefused
from verifier.initial_load.catalog import Connection
from verifier.initial_load.reading.events import LargeObject
from verifier.initial_load.session import run

TABLE = "pg_largeobject"
"""The name that rejected objects go by."""

_CREATE = """
CREATE TEMP TABLE restore_piece (oid oid, start bigint, data bytea) ON COMMIT DROP;
ALTER TABLE pg_temp.restore_piece ALTER data SET STORAGE EXTERNAL;
"""

# One row an object. A gap would read as zeros that the backup does not have.
_OBJECTS = """
CREATE INDEX ON pg_temp.restore_piece (oid, start);
ANALYZE pg_temp.restore_piece;
CREATE TEMP TABLE restore_object ON COMMIT DROP AS
SELECT p.oid, max(p.start + length(p.data)) AS size, bool_or(p.start <> p.due) AS torn,
       m.oid IS NULL AS missing, false AS differs,
       m.oid IS NULL OR current_setting('lo_compat_privileges')::bool
         OR pg_has_role(m.lomowner, 'USAGE')
         OR (SELECT count(DISTINCT a.privilege_type) FROM aclexplode(m.lomacl) a
             WHERE a.privilege_type IN ('SELECT', 'UPDATE')
               AND (a.grantee = 0 OR pg_has_role(a.grantee, 'USAGE'))) = 2 AS granted,
       quote_ident(pg_get_userbyid(m.lomowner)) AS owner
FROM (SELECT oid, start, data, coalesce(lag(start + length(data)) OVER w, 0) AS due
      FROM pg_temp.restore_piece WINDOW w AS (PARTITION BY oid ORDER BY start, length(data))) p
LEFT JOIN pg_largeobject_metadata m ON m.oid = p.oid
GROUP BY p.oid, m.oid, m.lomowner, m.lomacl;
"""

# Reading at the end gives no byte if the object is no longer than it should be.
_COMPARE = """
UPDATE pg_temp.restore_object o SET differs = true
WHERE NOT o.missing AND o.granted AND NOT o.torn AND (
  length(lo_get(o.oid, o.size, 1)) > 0 OR EXISTS (
    SELECT FROM pg_temp.restore_piece p
    WHERE p.oid = o.oid AND lo_get(p.oid, p.start, length(p.data)) <> p.data))
"""

_WRITE = """
SELECT count(lo_create(oid)) FROM pg_temp.restore_object WHERE missing;
SELECT count(lo_put(p.oid, p.start, p.data))
FROM pg_temp.restore_piece p JOIN pg_temp.restore_object o ON o.oid = p.oid
WHERE length(p.data) > 0 AND CASE
  WHEN o.missing THEN true
  WHEN o.differs THEN lo_get(p.oid, p.start, length(p.data)) <> p.data
  ELSE false END;
"""

# {131072}: INV_WRITE of libpq-fs.h. OFFSET 0 opens each object once.
_CUT = """
SELECT count(lo_truncate64(o.fd, o.size) + lo_close(o.fd))
FROM (SELECT lo_open(oid, 131072) AS fd, size FROM pg_temp.restore_object
      WHERE differs AND length(lo_get(oid, size, 1)) > 0 OFFSET 0) o
"""


@dataclass(frozen=True, slots=True)
class Written:
    """What became of the backup's large objects."""

    created: int = 0
    rewritten: tuple[int, ...] = ()
    """The oids of objects that had other content in the target."""
    unchanged: int = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence on all of them, and one on suspected collisions; none without objects."""
        if not (self.created or self.rewritten or self.unchanged):
            return ()
        said = (
            f"large objects: {self.created} created, {len(self.rewritten)} rewritten, "
            f"{self.unchanged} unchanged"
        )
        if not self.rewritten:
            return (said,)
        shown = ", ".join(map(str, self.rewritten[:10])) + (
            ", …" if len(self.rewritten) > 10 else ""
        )
        return (
            said,
            f"large objects that had other content in the target: {shown}; each server numbers "
            "its objects on its own, so these may have been other things",
        )


class LargeObjects:
    """The large objects of one backup: ``add`` each piece, ``finish``, ask, ``write``."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self._created = False
        self._manager: AbstractContextManager[psycopg.Copy] | None = None
        self._copy: psycopg.Copy | None = None

    @property
    def any(self) -> bool:
        """Whether the backup holds any."""
        return self._created

    def add(self, piece: LargeObject) -> None:
        """Stage one piece. The connection is in a COPY until :meth:`pause` or :meth:`finish`."""
        if not 0 < piece.oid < 2**32:
            raise BackupRefused(f"line {piece.line}: {piece.oid} is no large object's oid")
        if self._copy is None:
            if not self._created:
                self._conn.execute(_CREATE)
                self._created = True
            self._manager = self._conn.cursor().copy(
                "COPY pg_temp.restore_piece (oid, start, data) FROM STDIN (FORMAT BINARY)"
            )
            self._copy = self._manager.__enter__()
            self._copy.set_types(["oid", "int8", "bytea"])
        self._copy.write_row((piece.oid, piece.offset, piece.data))

    def pause(self) -> None:
        """End the COPY, so that the connection is free; the next :meth:`add` goes on."""
        manager, self._manager, self._copy = self._manager, None, None
        if manager is not None:
            manager.__exit__(None, None, None)

    def abandon(self, error: BaseException) -> None:
        """End the COPY because of ``error``, which is already on its way up."""
        manager, self._manager, self._copy = self._manager, None, None
        if manager is not None:
            # Ending it early is an error of its own, which says less than the first.
            with suppress(psycopg.Error, type(error)):
                manager.__exit__(type(error), error, error.__traceback__)

    def finish(self) -> None:
        """All pieces are staged: compare them with the target's objects.

        Raises :class:`~verifier.errors.BackupRefused` for an object with a piece missing.
        """
        self.pause()
        if not self._created:
            return
        self._conn.execute(_OBJECTS)
        torn = self._oids("torn")
        if torn:
            raise BackupRefused(
                f"large object {torn[0]}: a part of its content is missing or twice in the backup"
            )
        self._conn.execute(_COMPARE)

    def _oids(self, where: str) -> list[int]:
        rows = run(
            self._conn,
            "SELECT oid::bigint FROM pg_temp.restore_object WHERE {where} ORDER BY oid",
            where=where,
        )
        return [row[0] for row in rows]

    def denied(self) -> list[str]:
        """Objects of the target that cannot be compared or rewritten, a sentence an owner."""
        if not self._created:
            return []
        rows = self._conn.execute(
            "SELECT owner, string_agg(oid::text, ', ' ORDER BY oid), quote_ident(current_user)"
            " FROM pg_temp.restore_object WHERE NOT granted GROUP BY owner ORDER BY owner"
        )
        return [
            f"{user} has no SELECT and UPDATE on large objects {oids}; restore as {owner}, "
            f"or GRANT SELECT, UPDATE ON LARGE OBJECT {oids} TO {user}"
            for owner, oids, user in rows
        ]

    def suspected(self) -> tuple[Rejection, ...]:
        """Objects that the target has with other content, as rejections (``--strict-ids``)."""
        if not self._created:
            return ()
        return tuple(
            Rejection(
                table=TABLE,
                key={"loid": str(oid)},
                reason="the target has a large object with this oid and other content: "
                "suspected collision, as each server numbers its objects on its own",
            )
            for oid in self._oids("differs")
        )

    def write(self) -> Written:
        """Create what is missing, rewrite what differs. Raises the server's error."""
        if not self._created:
            return Written()
        rewritten = tuple(self._oids("differs"))
        created, all_ = len(self._oids("missing")), len(self._oids("true"))
        self._conn.execute(_WRITE)
        self._conn.execute(_CUT)
        return Written(created, rewritten, all_ - created - len(rewritten))
