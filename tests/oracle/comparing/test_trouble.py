"""What keeps the comparison from looking is told, and never taken for equal."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from tests.oracle.comparing.conftest import ROWS, Duo
from verifier.comparison import Comparison, Part, Selection, State, TableComparison
from verifier.dsn import Dsn
from verifier.errors import ObservationError
from verifier.oracle.comparing import whole
from verifier.oracle.comparing.progress import Silent
from verifier.oracle.comparing.side import Side
from verifier.servers import Database

TWO = "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int); INSERT INTO b VALUES (1);"


def of(comparison: Comparison, name: str) -> TableComparison:
    return next(table for table in comparison.tables if table.table == f"public.{name}")


def admin(database: Database) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(database.admin.conninfo, autocommit=True)


class Meanwhile(Silent):
    """Does something, once, when the comparison is about to read a table."""

    def __init__(self, table: str, act: Callable[[], None]) -> None:
        self._table, self._act, self._lock = table, act, threading.Lock()
        self.done = False

    def doing(self, what: str) -> None:
        with self._lock:
            if what == self._table and not self.done:
                self.done = True
                self._act()


def test_a_table_without_permission_is_unknown_and_the_others_are_compared(duo: Duo) -> None:
    duo.begin(TWO)
    with admin(duo.target) as session:
        session.execute("CREATE TABLE secret (id int); INSERT INTO secret VALUES (1)")
    duo.source.execute("CREATE TABLE secret (id int); INSERT INTO secret VALUES (1)")
    comparison = duo.compare(ROWS)
    assert of(comparison, "secret").state is State.UNKNOWN
    assert "permission denied" in of(comparison, "secret").unknown
    assert "grant SELECT" in of(comparison, "secret").unknown
    assert (comparison.state, comparison.exit_code) == (State.UNKNOWN, 2)
    duo.target.execute("INSERT INTO b VALUES (2)")
    comparison = duo.compare(ROWS)
    assert (comparison.state, of(comparison, "b").extra) == (State.DIFFERENT, 1)


def test_a_column_without_permission_leaves_the_others_to_be_compared(duo: Duo) -> None:
    duo.source.execute("CREATE TABLE t (a int, b int); INSERT INTO t VALUES (1, 1)")
    with admin(duo.target) as session:
        session.execute("CREATE TABLE t (a int, b int); INSERT INTO t VALUES (1, 9)")
        user = duo.target.dsn.parameters["user"]
        session.execute(f"GRANT SELECT (a) ON t TO {user}".encode())
    table = duo.rows()
    assert table.state is State.UNKNOWN
    assert "column b" in table.unknown
    assert table.columns == (("a", "integer"),)


def test_row_level_security_never_makes_a_table_look_shorter(duo: Duo) -> None:
    duo.begin("CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
    for database in (duo.source, duo.target):
        database.execute(
            "ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY"
        )
    table = duo.rows()
    assert table.state is State.UNKNOWN
    assert "BYPASSRLS" in table.unknown
    assert duo.rows(source=duo.source.admin, target=duo.target.admin).state is State.EQUAL


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("DROP TABLE b", "dropped meanwhile"),
        ("TRUNCATE b", "emptied or rewritten"),
        ("ALTER TABLE b ALTER id TYPE bigint", "run again"),
        ("ALTER TABLE b RENAME COLUMN id TO di", "run again"),
    ],
)
def test_a_table_altered_meanwhile_is_unknown(duo: Duo, statement: str, words: str) -> None:
    duo.begin(TWO)
    meanwhile = Meanwhile("public.b", lambda: void(duo.target.execute(statement)))
    comparison = duo.compare(ROWS, meanwhile)
    assert meanwhile.done
    assert of(comparison, "b").state is State.UNKNOWN
    assert words in of(comparison, "b").unknown
    assert of(comparison, "a").state is State.EQUAL


def void(_: object) -> None:
    return None


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE r DETACH PARTITION r1",
        "ALTER TABLE r ATTACH PARTITION r2 FOR VALUES FROM (10) TO (20)",
    ],
)
def test_rows_that_come_or_go_with_a_partition_meanwhile_are_no_difference(
    duo: Duo, statement: str
) -> None:
    duo.begin(
        "CREATE TABLE r (id int) PARTITION BY RANGE (id);"
        "CREATE TABLE r1 PARTITION OF r FOR VALUES FROM (0) TO (10); CREATE TABLE r2 (id int);"
        "INSERT INTO r VALUES (1); INSERT INTO r2 VALUES (11)"
    )
    meanwhile = Meanwhile("public.r", lambda: duo.target.execute(statement))
    table = of(duo.compare(ROWS, meanwhile), "r")
    assert meanwhile.done
    assert (table.state, table.differences) == (State.UNKNOWN, 0)
    assert "has other partitions now" in table.unknown


@pytest.mark.parametrize(
    "setting",
    [
        "standard_conforming_strings = off",
        "quote_all_identifiers = on",
        "idle_session_timeout = '50ms'",
        "transaction_timeout = '400ms'",
        "search_path = public",
        "bytea_output = escape",
    ],
)
def test_settings_of_one_side_change_nothing(duo: Duo, setting: str) -> None:
    duo.begin(
        'CREATE SCHEMA "o\'d\\d"; CREATE TABLE "o\'d\\d".t (id int PRIMARY KEY, a bytea,'
        " b text CHECK (b <> '\\d')); INSERT INTO \"o'd\\d\".t VALUES (1, '\\x00ff', 'a\\b')"
    )
    with admin(duo.target) as session:
        (name,) = session.execute("SELECT current_database()").fetchone() or ("",)
        session.execute(f'ALTER DATABASE "{name}" SET {setting}'.encode())

    class Slow(Silent):
        def doing(self, what: str) -> None:
            time.sleep(0.15)

    comparison = duo.compare(progress=Slow())
    assert (comparison.state, comparison.objects, comparison.unseen) == (State.EQUAL, (), ())


def test_a_server_that_goes_between_two_looks_is_told(
    duo: Duo, monkeypatch: pytest.MonkeyPatch
) -> None:
    duo.begin(TWO)
    look = whole._look

    def look_and_lose(source: Side, target: Side) -> tuple[whole.Seen, whole.Seen]:
        seen = look(source, target)
        with admin(duo.source) as session:
            session.execute("SELECT pg_terminate_backend(%s)", [target.main.info.backend_pid])
        with admin(duo.target) as session:
            session.execute("SELECT pg_terminate_backend(%s)", [target.main.info.backend_pid])
        return seen

    monkeypatch.setattr(whole, "_look", look_and_lose)
    with pytest.raises(ObservationError, match="cut short"):
        duo.compare(ROWS)


def test_a_large_table_emptied_meanwhile_is_unknown(duo: Duo) -> None:
    duo.begin("CREATE TABLE t (id int); INSERT INTO t SELECT generate_series(1, 9000); ANALYZE t")
    meanwhile = Meanwhile("public.t", lambda: duo.target.execute("TRUNCATE t"))
    table = of(duo.compare(ROWS, meanwhile), "t")
    assert (table.state, table.differences) == (State.UNKNOWN, 0)


def test_a_type_whose_text_cannot_be_had(duo: Duo) -> None:
    for database in (duo.source, duo.target):
        with admin(database) as session:
            session.execute(
                "CREATE TYPE odd;"
                "CREATE FUNCTION odd_in(cstring) RETURNS odd LANGUAGE internal IMMUTABLE STRICT"
                " AS 'textin';"
                "CREATE FUNCTION odd_out(odd) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT"
                " AS 'shell_out';"
                "CREATE TYPE odd (INPUT = odd_in, OUTPUT = odd_out);"
                "CREATE TABLE t (id int PRIMARY KEY, v text, o odd);"
                "INSERT INTO t VALUES (1, 'x', 'y'), (2, 'x', NULL);"
            )
    with admin(duo.target) as session:
        session.execute("UPDATE t SET v = 'z' WHERE id = 2")
    table = duo.rows(source=duo.source.admin, target=duo.target.admin)
    assert "column o" in table.unknown
    assert "shell type" in table.unknown
    assert (table.state, table.changed) == (State.DIFFERENT, 1)


@contextmanager
def held(database: Database, table: str) -> Iterator[None]:
    with psycopg.connect(database.admin.conninfo) as session:
        session.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
        yield


def test_a_locked_table_does_not_hang_the_comparison(duo: Duo) -> None:
    duo.begin(TWO)
    hasty = duo.target.dsn.with_(options="-c lock_timeout=200ms")
    with held(duo.target, "b"):
        comparison = duo.compare(ROWS, target=hasty)
    assert "another session holds" in of(comparison, "b").unknown
    assert of(comparison, "a").state is State.EQUAL


def test_a_statement_timeout_is_respected_and_told(duo: Duo) -> None:
    duo.begin(TWO + "INSERT INTO a SELECT generate_series(1, 300000)")
    hasty = duo.target.dsn.with_(options="-c statement_timeout=15ms")
    comparison = duo.compare(Selection(parts=ROWS.parts, tables=("a",)), target=hasty)
    assert comparison.state is State.UNKNOWN
    assert "statement_timeout" in comparison.tables[0].unknown


def test_a_connection_that_is_lost_in_the_middle(duo: Duo) -> None:
    duo.begin(TWO)

    def cut() -> None:
        with admin(duo.target) as session:
            session.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    comparison = duo.compare(Selection(jobs=1), Meanwhile("public.b", cut))
    assert comparison.state is State.UNKNOWN
    assert "public.b" in {table.table for table in comparison.tables if table.unknown}


def test_a_server_that_cannot_be_reached_is_named_without_its_password(duo: Duo) -> None:
    wrong = duo.target.dsn.with_(password="not-this-one")
    with pytest.raises(ObservationError) as told:
        duo.compare(target=wrong)
    assert "cannot look at the target" in str(told.value)
    assert "not-this-one" not in str(told.value)
    with pytest.raises(ObservationError, match="check the address"):
        duo.compare(source=Dsn.parse("host=127.0.0.1 port=1 dbname=x user=y"))


def test_schemas_that_do_not_overlap_at_all(duo: Duo) -> None:
    duo.source.execute(
        "CREATE SCHEMA one; CREATE TABLE one.t (a int); INSERT INTO one.t VALUES (1)"
    )
    duo.target.execute("CREATE SCHEMA two; CREATE TABLE two.t (a int)")
    comparison = duo.compare()
    assert comparison.state is State.DIFFERENT
    named = {(change.kind, change.name) for change in comparison.objects}
    assert {("schema", "one"), ("table", "one.t"), ("schema", "two"), ("table", "two.t")} <= named
    assert comparison.tables[0].missing == 1


def test_two_empty_databases_say_nothing(duo: Duo) -> None:
    comparison = duo.compare()
    assert comparison.exit_code == 2
    assert "neither holds anything" in comparison.unseen[0].reason


def test_a_sequence_that_cannot_be_read_is_unseen_and_the_others_are_compared(duo: Duo) -> None:
    duo.begin("CREATE SEQUENCE s; CREATE SEQUENCE r")
    duo.source.execute("CREATE SEQUENCE q")
    with admin(duo.target) as session:
        session.execute("CREATE SEQUENCE q")
    duo.target.execute("SELECT nextval('r')")
    comparison = duo.compare(Selection(parts=frozenset({Part.SEQUENCES})))
    assert [unseen.what for unseen in comparison.unseen] == ["sequence public.q"]
    assert [change.name for change in comparison.objects] == ["public.r"]


def test_large_objects_without_permission_are_unknown(duo: Duo) -> None:
    parts = Selection(parts=frozenset({Part.LARGE_OBJECTS}))
    for database in (duo.source, duo.target):
        with admin(database) as session:
            session.execute("SELECT lo_from_bytea(4711, 'x')")
    (objects,) = duo.compare(parts).tables
    assert (objects.state, "permission denied" in objects.unknown) == (State.UNKNOWN, True)
    (objects,) = duo.compare(parts, source=duo.source.admin, target=duo.target.admin).tables
    assert objects.state is State.EQUAL


@pytest.mark.slow
def test_five_thousand_tables(duo: Duo) -> None:
    for database in (duo.source, duo.target):
        for start in range(0, 5000, 500):  # a transaction holds a lock on each table it makes
            database.execute(
                f"DO $$BEGIN FOR i IN {start + 1}..{start + 500} LOOP EXECUTE"
                " format('CREATE TABLE t%s (id int PRIMARY KEY, v text NOT NULL, w int);"
                " INSERT INTO t%s VALUES (%s)', i, i, '1, ''x'', 2');"
                " END LOOP; END$$"
            )
    duo.target.execute("UPDATE t4321 SET v = 'y'; ALTER TABLE t77 ALTER v DROP NOT NULL")
    comparison = duo.compare()
    assert [t.table for t in comparison.tables if t.state is not State.EQUAL] == ["public.t4321"]
    assert len(comparison.tables) == 5000
    assert [(each.kind, each.name) for each in comparison.objects] == [("column", "public.t77.v")]
    assert comparison.unseen == ()


def test_the_databases_are_not_written_to_nor_left_with_sessions(duo: Duo) -> None:
    duo.begin(TWO)
    duo.compare()
    with admin(duo.target) as session:
        left = session.execute(
            "SELECT application_name, state, query FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            # The server's own come and go: autovacuum does after thousands of tables.
            " AND backend_type <> 'autovacuum worker'"
        ).fetchall()
    assert left == []
