"""Every scenario with a fault finds a restore that takes that fault badly.

Each is run as it stands, on real servers, with a restore or a backup as they are written in
the field. The guarantee has to be found broken, in the words that name the cause.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from scenarios import test_faults, test_own_schema, test_sweep
from tests.wrong import CHANGED, DIFFERS, LIE, LOST, Case, G, find
from verifier.config import Config
from verifier.contract import Claim, Guarantee
from verifier.errors import BackupError
from verifier.implementations import Backup, Endpoint, implementation
from verifier.implementations.pg_dump import PgDump
from verifier.implementations.row_by_row import RowByRow
from verifier.implementations.target import TableRow, Target
from verifier.servers import Pair

pytestmark = pytest.mark.slow
ADDED = f"{CHANGED}: row added"
TAKEN = f"{CHANGED}: row removed"
DONE = Claim(success=True, exit_code=0)


class Autocommit(RowByRow):
    """Every row is a transaction of its own: what was written when it ends stays written."""

    name = "autocommit"

    def _write_all(self, content: Any, connection: psycopg.Connection[Any]) -> Any:
        connection.autocommit = True
        return super()._write_all(content, connection)


class Swallowing(RowByRow):
    """Takes a lost connection for the end of its work."""

    name = "swallowing"

    def restore(self, backup: Backup, target: Endpoint) -> Claim:
        claim = super().restore(backup, target)
        return claim if claim.success else DONE


class Stubborn(RowByRow):
    """Connects again when the connection is lost, and goes on with the next row."""

    name = "stubborn"

    def restore(self, backup: Backup, target: Endpoint) -> Claim:
        content = self.read(backup, without=target.control_tables)
        with ExitStack() as open_ones:

            def connect() -> psycopg.Connection[Any]:
                made = psycopg.connect(target.dsn.conninfo, client_encoding="UTF8")
                open_ones.callback(made.close)
                return made

            connection = connect()
            for table in self.order(Target(connection), list(content.rows)):
                for row in content.rows[table]:
                    try:
                        with connection.transaction():
                            self.write(Target(connection), row)
                    except psycopg.OperationalError:
                        connection = connect()
                    except psycopg.Error:
                        continue  # one row less
            connection.commit()
        return DONE


class Hasty(RowByRow):
    """Gives its work some time, and then tells what it expects of it."""

    name = "hasty"

    def restore(self, backup: Backup, target: Endpoint) -> Claim:
        worker = threading.Thread(target=super().restore, args=(backup, target))
        worker.start()
        worker.join(0.3)
        return DONE


class InThree:
    """Takes a row out of the way, restores, and puts the row back: three transactions."""

    name = "in-three"
    not_offered: Mapping[Guarantee, str] = {}

    def backup(self, source: Endpoint) -> Backup:
        return implementation("initial-load").backup(source)

    def restore(self, backup: Backup, target: Endpoint) -> Claim:
        with psycopg.connect(target.dsn.conninfo) as connection:
            connection.execute("DELETE FROM item WHERE id = 99")
        claim = implementation("initial-load").restore(backup, target)
        if claim.success:
            with psycopg.connect(target.dsn.conninfo) as connection:
                connection.execute("INSERT INTO item VALUES (99, 9, 'of the target')")
        return claim


class Denying(RowByRow):
    """Says of every error that nothing was changed."""

    name = "denying"

    def restore(self, backup: Backup, target: Endpoint) -> Claim:
        claim = super().restore(backup, target)
        if claim.success:
            return claim
        return Claim(success=False, exit_code=1, message="connection lost; nothing was changed")


class Flagging(RowByRow):
    """Notes that a restore is under way, and refuses while it is noted."""

    name = "flagging"

    def restore(self, backup: Backup, target: Endpoint) -> Claim:
        flag = backup.files[0].with_suffix(f".{target.dsn.database}")
        if flag.exists():
            return Claim(success=False, exit_code=1, message="a restore is running already")
        flag.touch()
        claim = super().restore(backup, target)
        flag.unlink()
        return claim


class Waiting(RowByRow):
    """Sets the timeouts of its account aside."""

    name = "waiting"

    def restore(self, backup: Backup, target: Endpoint) -> Claim:
        never = target.dsn.with_(options="-c statement_timeout=0 -c lock_timeout=0")
        return super().restore(
            backup, Endpoint(never, target.major, target.workdir, target.control_tables)
        )


class Halves(RowByRow):
    """Takes what came of a backup for a backup."""

    name = "halves"
    snapshot = True
    order_by = "c.oid"

    def backup(self, source: Endpoint) -> Backup:
        path = source.workdir / "backup.sql"
        with path.open("w") as file:
            with suppress(psycopg.Error):
                self._dump(source, file.write)
            file.write("\n--\n-- PostgreSQL database dump complete\n--\n")
        return Backup((path,))

    def _dump(self, source: Endpoint, write: Callable[[str], Any]) -> None:
        apart = [f"{name!r}" for name in source.control_tables]
        with psycopg.connect(source.dsn.conninfo, autocommit=not self.snapshot) as connection:
            if self.snapshot:
                connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            tables = connection.execute(
                "SELECT oid::regclass::text, (SELECT string_agg(quote_ident(attname), ', '"
                " ORDER BY attnum) FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0)"
                " FROM pg_class c WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
                f" AND relname NOT IN ({', '.join(apart)}) ORDER BY {self.order_by}".encode()
            ).fetchall()
            for table, columns in tables:
                write(f"COPY public.{table} ({columns}) FROM stdin;\n")
                try:
                    with connection.cursor().copy(f"COPY {table} TO STDOUT".encode()) as copy:
                        for block in copy:
                            write(bytes(block).decode())
                finally:
                    write("\\.\n")


class TableByTable(Halves):
    """Reads one table after the other, each as it is by then."""

    name = "table-by-table"
    snapshot = False
    order_by = "c.oid DESC"


class Stuck(RowByRow):
    """A backup that leaves a mark which only itself takes away, and stops at the mark."""

    name = "stuck"

    def backup(self, source: Endpoint) -> Backup:
        mark = source.workdir.parent / "backup.lock"
        if mark.exists():
            raise BackupError("another backup is running")
        mark.touch()
        made = super().backup(source)
        mark.unlink()
        return made


class Committing(RowByRow):
    """Commits after every twenty rows, because large transactions are expensive."""

    name = "committing"
    _written = 0

    def write(self, target: Target, row: TableRow) -> Any:
        type(self)._written += 1
        if type(self)._written % 20 == 0:
            target.connection.commit()
        return super().write(target, row)


f = test_faults
CASES: Sequence[Case] = [
    *(
        Case(
            f.test_network_failure_in_mid_transfer,
            Autocommit,
            G.ATOMICITY,
            ADDED,
            {"share": each},
        )
        for each in (0.3, 0.9)
    ),
    Case(
        f.test_network_failure_in_the_middle_of_a_merge,
        Swallowing,
        G.HONESTY,
        LIE,
    ),
    Case(f.test_network_that_is_silent_for_a_while, Hasty, G.HONESTY, LIE),
    Case(f.test_network_that_is_silent_and_then_gone, Swallowing, G.HONESTY, LIE),
    Case(f.test_connection_lost_before_commit, Swallowing, G.HONESTY, LIE),
    Case(
        f.test_commit_that_is_not_answered,
        Denying,
        G.HONESTY,
        "a restore that was committed is reported as failed, and not as unknown",
    ),
    Case(f.test_client_that_is_killed, Autocommit, G.ATOMICITY, ADDED, {"moment": {"share": 0.6}}),
    Case(
        f.test_client_that_is_killed,
        Flagging,
        G.RECOVERABILITY,
        "after the fault, the restore did not end as it does without one",
        {"moment": {"answer_to": "COMMIT"}},
    ),
    Case(f.test_session_that_is_terminated, Stubborn, G.HONESTY, LIE),
    Case(f.test_right_that_is_withdrawn_in_the_middle, Committing, G.ATOMICITY, ADDED),
    Case(
        f.test_statement_that_waits_for_longer_than_it_may,
        Waiting,
        G.RECOVERABILITY,
        "the restore waited for a lock beyond the statement_timeout of its account",
    ),
    Case(f.test_disk_that_is_full, Committing, G.ATOMICITY, ADDED),
    *(
        Case(
            f.test_network_failure_in_the_middle_of_a_backup,
            Halves,
            G.COMPLETENESS,
            LOST,
            {"share": each},
        )
        for each in (0.5, 0.97)
    ),
    Case(
        f.test_backup_that_is_killed,
        Stuck,
        G.RECOVERABILITY,
        "after the fault, no backup could be made",
    ),
    Case(f.test_backup_whose_session_is_terminated, Halves, G.COMPLETENESS, LOST),
    Case(f.test_backup_while_others_write, TableByTable, G.FIDELITY, DIFFERS),
    *(
        Case(
            f.test_migration_that_commits_while_the_backup_waits,
            PgDump,
            G.COMPLETENESS,
            LOST,
            {"migration": migration},
        )
        for migration in ("ALTER TABLE item ALTER price TYPE bigint", f.RELOADED)
    ),
    *(
        Case(scenario, InThree, G.ATOMICITY, TAKEN, {"part": 1})
        for scenario in (
            test_sweep.test_client_killed_at_every_statement,
            test_sweep.test_session_terminated_at_every_third_statement,
        )
    ),
    Case(f.test_server_that_crashes_and_is_back_at_once, Swallowing, G.HONESTY, LIE),
    Case(test_own_schema.test_connection_lost_in_the_middle, Swallowing, G.HONESTY, LIE),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_restore_that_takes_it_badly_is_found(
    servers: Pair, tmp_path: Path, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A few of the statements will do.
    monkeypatch.setattr(test_sweep, "PARTS", 60)
    monkeypatch.setattr(test_sweep, "SIXTHS", 60)
    find(servers, case, tmp_path, rows=Config().rows)
