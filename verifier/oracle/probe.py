"""The write probe: what was written first, and was enforcement on.

A statement trigger on every table of the target (and every partition, which can be
written directly) fires always, whatever
``session_replication_role`` says, *before* a statement writes. What it records must
survive a rollback, because a restore that fails for its bad order takes its rows
back; so the record is kept in sequences, which no rollback touches:
``rv_probe.clock`` ticks once per observed statement, ``rv_probe.first_<oid>`` holds
the tick of the first INSERT into a table, and ``rv_probe.unenforced_<oid>`` that of
the first write with enforcement switched off.

The probe can also hold a restore still just before it writes a table, so that a
fault strikes in the middle, at the same place on every run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any

import psycopg

from verifier.dsn import Dsn
from verifier.errors import ObservationError
from verifier.oracle import queries

_LATCH = 727_274_837
"""Key of the advisory lock that a held restore waits for; any number that nobody else uses."""

_INSTALL = f"""
DROP SCHEMA IF EXISTS {queries.PROBE_SCHEMA} CASCADE;
CREATE SCHEMA {queries.PROBE_SCHEMA};
CREATE SEQUENCE rv_probe.clock;
CREATE TABLE rv_probe.hold (relid oid PRIMARY KEY);
CREATE FUNCTION rv_probe.saw() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog AS $probe$
DECLARE
    tick bigint := nextval('rv_probe.clock');
    seen boolean;
BEGIN
    IF TG_OP = 'INSERT' THEN
        EXECUTE format('SELECT is_called FROM rv_probe.first_%s', TG_RELID) INTO seen;
        IF NOT seen THEN
            PERFORM setval(format('rv_probe.first_%s', TG_RELID)::regclass, tick);
        END IF;
    END IF;
    IF current_setting('session_replication_role') <> 'origin' THEN
        PERFORM setval(format('rv_probe.unenforced_%s', TG_RELID)::regclass, tick);
    END IF;
    IF EXISTS (SELECT FROM rv_probe.hold WHERE relid = TG_RELID) THEN
        PERFORM pg_advisory_xact_lock({_LATCH});
    END IF;
    RETURN NULL;
END
$probe$;
"""

_ARM = """
DO $arm$
DECLARE t regclass;
BEGIN
    FOR t IN SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
               AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'rv_probe')
    LOOP
        EXECUTE format('CREATE SEQUENCE rv_probe.first_%s', t::oid);
        EXECUTE format('CREATE SEQUENCE rv_probe.unenforced_%s', t::oid);
        EXECUTE format('CREATE TRIGGER rv_probe BEFORE INSERT OR UPDATE OR DELETE ON %s '
                       'FOR EACH STATEMENT EXECUTE FUNCTION rv_probe.saw()', t);
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER rv_probe', t);
    END LOOP;
END
$arm$;
"""

_RESET = """
SELECT setval(format('%I.%I', n.nspname, c.relname)::regclass, 1, false)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'rv_probe' AND c.relkind = 'S'
"""

_READ = """
SELECT format('%I.%I', n.nspname, t.relname), s.kind, pg_sequence_last_value(c.oid::regclass)
FROM pg_class c
CROSS JOIN LATERAL (SELECT split_part(c.relname, '_', 1) AS kind,
                           split_part(c.relname, '_', 2)::oid AS relid) s
JOIN pg_class t ON t.oid = coalesce(pg_partition_root(s.relid), s.relid)
JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE c.relnamespace = 'rv_probe'::regnamespace AND c.relkind = 'S' AND c.relname <> 'clock'
"""


@dataclass(frozen=True, slots=True)
class Writes:
    """What the probe saw of one restore."""

    statements: int
    first_insert: Mapping[str, int]
    """Table → tick of the first INSERT; smaller is earlier."""
    unenforced: frozenset[str]
    """Tables written while ``session_replication_role`` was not ``origin``."""


class Probe:
    """The probe in one target database, set up over the oracle's own account."""

    def __init__(self, dsn: Dsn) -> None:
        self._dsn = dsn

    def install(self) -> None:
        """Watch every table that there is now; an earlier probe is replaced."""
        with self._connect() as connection:
            connection.execute(_INSTALL.encode())
            connection.execute(_ARM)

    def reset(self) -> None:
        """Forget what was seen, before another restore."""
        with self._connect() as connection:
            connection.execute("DELETE FROM rv_probe.hold")
            connection.execute(_RESET)

    def read(self) -> Writes:
        """What was seen. Raises :class:`ObservationError` if the restore took the probe away."""
        try:
            return self._read()
        except psycopg.Error as error:
            raise ObservationError(
                "the write probe in the target is gone or damaged: the restore changed it"
            ) from error

    def _read(self) -> Writes:
        first: dict[str, int] = {}
        unenforced: set[str] = set()
        with self._connect() as connection:
            for table, kind, tick in connection.execute(_READ):
                if tick is not None and kind == "first":
                    first[table] = min(tick, first.get(table, tick))
                elif tick is not None:
                    unenforced.add(table)
            (clock,) = connection.execute(
                "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM rv_probe.clock"
            ).fetchone() or (0,)
        return Writes(clock, first, frozenset(unenforced))

    @contextmanager
    def hold(self, table: str) -> Iterator[Held]:
        """Whoever writes ``table`` next stands still until the block is left."""
        # Closed and not left by ``with``, because the server may be gone by then.
        with closing(self._connect()) as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", (_LATCH,))
            connection.execute(
                "INSERT INTO rv_probe.hold SELECT %(table)s::regclass"
                " UNION SELECT relid FROM pg_partition_tree(%(table)s)",
                {"table": table},
            )
            yield Held(connection)

    def _connect(self) -> psycopg.Connection[Any]:
        try:
            return psycopg.connect(self._dsn.conninfo, autocommit=True, connect_timeout=10)
        except psycopg.OperationalError as error:
            raise ObservationError(f"the write probe cannot reach {self._dsn}") from error


class Held:
    """A restore that is about to stand still."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def wait(self, seconds: float, given_up: Callable[[], bool]) -> bool:
        """Whether somebody came to stand at the table in ``seconds``, or before ``given_up``."""
        until = monotonic() + seconds
        while monotonic() < until and not given_up():
            (waiting,) = self._connection.execute(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s"
                " AND NOT granted",
                (_LATCH,),
            ).fetchone() or (0,)
            if waiting:
                return True
            sleep(0.02)
        return False
