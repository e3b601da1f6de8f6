"""Whole databases: structure, positions, large objects and constraints beside the rows."""

from __future__ import annotations

import psycopg
import pytest

from tests.oracle.comparing.conftest import Duo
from verifier.comparison import Part, RowKind, Selection, State
from verifier.servers import Database

SHOP = """
CREATE TABLE parent (id serial PRIMARY KEY, code text UNIQUE);
CREATE TABLE child (
    id int PRIMARY KEY, parent_id int REFERENCES parent, amount int CHECK (amount > 0));
INSERT INTO parent (code) VALUES ('a'), ('b');
INSERT INTO child VALUES (1, 1, 5), (2, 2, 6);
"""
OVERLAP = """
CREATE TABLE booking (id int PRIMARY KEY, during int4range, EXCLUDE USING gist (during WITH &&));
INSERT INTO booking VALUES (1, '[1,5)'), (2, '[5,9)');
"""


def behind_their_back(database: Database, script: str) -> None:
    """As the administrator, with triggers and foreign keys off."""
    with psycopg.connect(database.admin.conninfo, autocommit=True) as session:
        session.execute("SET session_replication_role = replica")
        session.execute(script.encode())


def test_equal_databases_on_different_versions_are_identical(duo: Duo) -> None:
    duo.begin(SHOP + OVERLAP)
    comparison = duo.compare()
    assert (comparison.state, comparison.exit_code) == (State.EQUAL, 0)
    assert (comparison.objects, comparison.unseen, comparison.notes) == ((), (), ())
    assert comparison.compared["table"] == 3
    assert comparison.compared["constraint"] > 5
    assert (comparison.source.version[:2], comparison.target.version[:2]) == ("16", "18")


def test_where_a_sequence_stands(duo: Duo) -> None:
    duo.begin(SHOP)
    duo.target.execute("SELECT setval('parent_id_seq', 2, false)")
    (change,) = duo.compare(Selection(parts=frozenset({Part.SEQUENCES}))).objects
    assert (change.kind, change.name) == ("sequence position", "public.parent_id_seq")
    assert change.source == {"last_value": "2", "is_called": "true"}
    assert change.target == {"last_value": "2", "is_called": "false"}


def test_large_objects_by_content(duo: Duo) -> None:
    for database in (duo.source, duo.target):
        database.execute("SELECT lo_from_bytea(n, 'content') FROM unnest('{1,2,3}'::oid[]) n")
    chosen = Selection(parts=frozenset({Part.LARGE_OBJECTS}))
    (objects,) = duo.compare(chosen).tables
    assert (objects.state, objects.source_rows) == (State.EQUAL, 3)
    duo.target.execute("SELECT lo_put(2, 0, 'C'), lo_unlink(3), lo_from_bytea(9, '')")
    (objects,) = duo.compare(chosen).tables
    assert {(each.kind, each.key["oid"]) for each in objects.shown} == {
        (RowKind.CHANGED, "2"),
        (RowKind.MISSING, "3"),
        (RowKind.EXTRA, "9"),
    }


@pytest.mark.parametrize(
    ("damage", "name"),
    [
        ("DELETE FROM parent WHERE id = 2", "child_parent_id_fkey on public.child"),
        (
            "ALTER TABLE child DROP CONSTRAINT child_amount_check;"
            "UPDATE child SET amount = 0 WHERE id = 1;"
            "ALTER TABLE child ADD CONSTRAINT child_amount_check CHECK (amount > 0) NOT VALID;"
            "UPDATE pg_constraint SET convalidated = true WHERE conname = 'child_amount_check'",
            "child_amount_check on public.child",
        ),
        (
            "UPDATE pg_attribute SET attnotnull = false"
            " WHERE attrelid = 'child'::regclass AND attname = 'id';"
            "ALTER TABLE child DROP CONSTRAINT child_pkey;"
            "INSERT INTO child VALUES (NULL, NULL, 1);"
            "UPDATE pg_attribute SET attnotnull = true"
            " WHERE attrelid = 'child'::regclass AND attname = 'id'",
            "id on public.child",
        ),
        (
            "UPDATE pg_index SET indisunique = false, indisready = false"
            " WHERE indexrelid = 'parent_code_key'::regclass;"
            "INSERT INTO parent VALUES (3, 'a');"
            "UPDATE pg_index SET indisunique = true, indisready = true"
            " WHERE indexrelid = 'parent_code_key'::regclass",
            "parent_code_key on public.parent",
        ),
        (
            "UPDATE pg_index SET indisready = false"
            " WHERE indrelid = 'booking'::regclass AND NOT indisprimary;"
            "UPDATE booking SET during = '[4,9)' WHERE id = 2;"
            "UPDATE pg_index SET indisready = true"
            " WHERE indrelid = 'booking'::regclass AND NOT indisprimary",
            "booking_during_excl on public.booking",
        ),
    ],
)
def test_a_constraint_that_does_not_hold_although_the_catalogue_says_so(
    duo: Duo, damage: str, name: str
) -> None:
    duo.begin(SHOP + OVERLAP)
    for statement in damage.split(";"):
        behind_their_back(duo.target, "SET allow_system_table_mods = on;" + statement)
    comparison = duo.compare(Selection(parts=frozenset({Part.RULES})))
    assert comparison.state is State.DIFFERENT
    change = next(each for each in comparison.objects if each.name == name)
    assert change.kind == "constraint"
    assert change.source is not None
    assert change.source["rows against it"] == "0"
    assert change.target is not None
    assert change.target["rows against it"] in ("1", "2")


def test_a_domain_whose_check_does_not_hold(duo: Duo) -> None:
    duo.begin("CREATE DOMAIN age AS int; CREATE TABLE t (a age); INSERT INTO t VALUES (1)")
    duo.source.execute("ALTER DOMAIN age ADD CONSTRAINT adult CHECK (VALUE > 0)")
    duo.target.execute("UPDATE t SET a = -1")
    duo.target.execute("ALTER DOMAIN age ADD CONSTRAINT adult CHECK (VALUE > 0) NOT VALID")
    comparison = duo.compare(Selection(parts=frozenset({Part.RULES})))
    assert [each.name for each in comparison.objects] == ["adult on public.t"]


def test_large_objects_alone_are_something_to_compare(duo: Duo) -> None:
    duo.begin("SELECT lo_from_bytea(4711, 'x')")
    comparison = duo.compare()
    assert (comparison.state, comparison.unseen) == (State.EQUAL, ())


def test_a_period_that_several_parents_cover_has_its_parent(duo: Duo) -> None:
    duo.target.execute(
        "CREATE TABLE p (id int4range, at daterange, PRIMARY KEY (id, at WITHOUT OVERLAPS));"
        "CREATE TABLE c (id int4range, at daterange,"
        " CONSTRAINT fk FOREIGN KEY (id, PERIOD at) REFERENCES p (id, PERIOD at));"
        "INSERT INTO p VALUES ('[1,1]', '[2020-01-01,2020-06-01)'),"
        " ('[1,1]', '[2020-06-01,2021-01-01)');"
        "INSERT INTO c VALUES ('[1,1]', '[2020-02-01,2020-09-01)')"
    )
    rules = Selection(parts=frozenset({Part.RULES}))
    assert duo.compare(rules).objects == ()
    with psycopg.connect(duo.target.admin.conninfo) as session:
        session.execute("SET session_replication_role = replica")
        session.execute("DELETE FROM p WHERE at @> '2020-03-01'::date")
    (change,) = duo.compare(rules).objects
    assert change.name == "fk on public.c"


def test_a_foreign_key_holds_by_its_own_operator(duo: Duo) -> None:
    """One that is not found on the search path, as those of citext and others are not."""
    script = """
    CREATE TYPE pair AS (a int);
    CREATE FUNCTION same(pair, pair) RETURNS bool LANGUAGE sql IMMUTABLE
        AS 'SELECT abs(($1).a) = abs(($2).a)';
    CREATE FUNCTION compared(pair, pair) RETURNS int LANGUAGE sql IMMUTABLE
        AS 'SELECT btint4cmp(abs(($1).a), abs(($2).a))';
    CREATE OPERATOR === (LEFTARG = pair, RIGHTARG = pair, FUNCTION = same, MERGES);
    CREATE FUNCTION less(pair, pair) RETURNS bool LANGUAGE sql IMMUTABLE
        AS 'SELECT abs(($1).a) < abs(($2).a)';
    CREATE OPERATOR <<< (LEFTARG = pair, RIGHTARG = pair, FUNCTION = less);
    CREATE OPERATOR CLASS own DEFAULT FOR TYPE pair USING btree
        AS OPERATOR 1 <<<, OPERATOR 3 ===, FUNCTION 1 compared(pair, pair);
    CREATE TABLE p (id pair UNIQUE);
    CREATE TABLE c (id pair, CONSTRAINT fk FOREIGN KEY (id) REFERENCES p (id));
    INSERT INTO p VALUES (ROW(1)); INSERT INTO c VALUES (ROW(-1));
    """
    with psycopg.connect(duo.target.admin.conninfo, autocommit=True) as session:
        session.execute(script.encode())
    comparison = duo.compare(Selection(parts=frozenset({Part.RULES})), target=duo.target.admin)
    assert (comparison.objects, comparison.unseen, comparison.notes) == ((), (), ())


def test_what_holds_on_neither_side_is_a_note(duo: Duo) -> None:
    duo.begin(SHOP)
    for database in (duo.source, duo.target):
        behind_their_back(database, "DELETE FROM parent WHERE id = 2")
    comparison = duo.compare()
    assert comparison.state is State.EQUAL
    assert (
        "child_parent_id_fkey on public.child does not hold on either side" in comparison.notes[0]
    )


def test_a_foreign_table_is_noted(duo: Duo) -> None:
    for database in (duo.source, duo.target):
        with psycopg.connect(database.admin.conninfo, autocommit=True) as session:
            session.execute(
                "CREATE FOREIGN DATA WRAPPER nowhere;"
                " CREATE SERVER away FOREIGN DATA WRAPPER nowhere"
            )
            session.execute("CREATE FOREIGN TABLE f (id int) SERVER away")
    comparison = duo.compare()
    assert comparison.state is State.EQUAL
    assert "foreign table" in comparison.notes[0]


def test_a_structure_that_cannot_be_read_is_unseen_and_the_rows_are_compared(duo: Duo) -> None:
    duo.begin(
        "CREATE TABLE t (id int); CREATE TABLE other (id int); CREATE VIEW v AS SELECT * FROM t"
    )
    hasty = duo.target.dsn.with_(options="-c lock_timeout=200ms")
    with psycopg.connect(duo.target.admin.conninfo) as session:
        session.execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        comparison = duo.compare(target=hasty)
    assert comparison.exit_code == 2
    assert [each.what for each in comparison.unseen][:1] == ["structure of the target"]
    states = {table.table: table.state for table in comparison.tables}
    assert states == {"public.t": State.UNKNOWN, "public.other": State.EQUAL}
