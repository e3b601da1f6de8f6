"""What reaches the target: order, values, keyless tables, sequences, versions."""

from __future__ import annotations

import threading
import time

import psycopg
import pytest

from tests.initial_load.conftest import Move, assert_idempotent, assert_refused, total
from verifier.contract import Counts
from verifier.servers import Side


def test_children_before_parents_in_the_backup(move: Move) -> None:
    claim = move(
        "CREATE TABLE a_variants (id int PRIMARY KEY, pid int NOT NULL);"
        "CREATE TABLE products (id int PRIMARY KEY)",
        "INSERT INTO a_variants VALUES (1, 5); INSERT INTO products VALUES (5)",
        "ALTER TABLE a_variants ADD FOREIGN KEY (pid) REFERENCES products",
    )
    text = move.path.read_text()
    assert text.index("public.a_variants") < text.index("public.products")
    assert_idempotent(move, claim)


def test_tree_whose_children_come_first(move: Move) -> None:
    claim = move(
        "CREATE TABLE cat (id int PRIMARY KEY, parent int REFERENCES cat)",
        "INSERT INTO cat VALUES (1, NULL), (5, 1), (2, 5), (3, 2);"
        "UPDATE cat SET id = 1 WHERE id = 1;"
        "INSERT INTO cat VALUES (10, NULL), (11, 10); UPDATE cat SET parent = 11 WHERE id = 10",
        "INSERT INTO cat VALUES (3, NULL)",
    )
    assert move.rows("SELECT count(*) FROM cat") == [(6,)]
    assert total(claim) == Counts(inserted=5, updated=1)
    assert_idempotent(move, claim)


@pytest.mark.parametrize(
    ("boss", "deferrable"),
    [("int", ""), ("int NOT NULL", ""), ("int NOT NULL", "DEFERRABLE INITIALLY DEFERRED")],
)
def test_cycle_between_tables(move: Move, boss: str, deferrable: str) -> None:
    claim = move(
        f"CREATE TABLE dept (id int PRIMARY KEY, boss {boss});"
        "CREATE TABLE emp (id int PRIMARY KEY, dept int NOT NULL REFERENCES dept)",
        "INSERT INTO dept VALUES (1, 2), (2, 1); INSERT INTO emp VALUES (1, 1), (2, 2)",
        f"ALTER TABLE dept ADD CONSTRAINT dept_boss FOREIGN KEY (boss) REFERENCES emp {deferrable}",
    )
    assert move.rows("SELECT condeferrable FROM pg_constraint WHERE conname = 'dept_boss'") == [
        (bool(deferrable),)
    ]
    assert total(claim).inserted == 4
    assert_idempotent(move, claim)


def test_values_that_are_easily_changed_on_the_way(move: Move) -> None:
    claim = move(
        'CREATE TABLE "Val""ues" (id int PRIMARY KEY, "order" float8, "a b" real, n numeric,'
        " j json, jb jsonb, b bytea, t text, ts timestamptz, tm time, ar text[], bits bit(3),"
        " vb varbit, i interval, pt point, x float8[])",
        """INSERT INTO "Val""ues" VALUES
        (1, '-0', '-0', 1.10, '{"a":1, "a":2}', '{"x": 1.10}', '\\x00ff5c', E'C:\\\\temp\\n\\\\!x',
         'infinity', '24:00', '{a,NULL,"NULL",""}', B'101', B'1', '1 mon -1 day', '(1,-0)', '{-0}'),
        (2, 5e-324, 1e-45, 'NaN', 'null', 'null', '', '', '0044-03-15 12:00 BC', '00:00', '{}',
         B'000', B'', '24:00', NULL, NULL),
        (3, 0.30000000000000004, 16777217, -12345678901234567.89, NULL, NULL, NULL, NULL,
         '2025-01-01 00:00:00.123456+00', NULL, '[0:1]={x,y}', NULL, NULL, NULL, NULL, '{NaN}')""",
        'INSERT INTO "Val""ues" (id, "order", j) VALUES (1, 0, \'{}\')',
    )
    source = move._made[0][1]  # what pg_dump read
    query = 'SELECT v::text, float8send(v."order")::text FROM "Val""ues" v ORDER BY id'
    assert move.rows(query) == source.execute(query)
    assert_idempotent(move, claim)


def test_settings_of_the_target_do_not_change_what_a_value_means(move: Move) -> None:
    value = "'2024-03-04', '-1 2:03', 0.30000000000000004, '2025-01-01Z'"
    move(
        "CREATE TABLE v (id int PRIMARY KEY, d date, i interval, f float8, ts timestamptz)",
        f"INSERT INTO v VALUES (1, {value}), (2, {value})",
    )
    place = f'ALTER ROLE CURRENT_USER IN DATABASE "{move.target.name}" SET'
    for setting in (
        "datestyle = 'SQL, DMY'",
        "intervalstyle = sql_standard",
        "extra_float_digits = -5",
        "timezone = 'Asia/Tokyo'",
        "standard_conforming_strings = off",
    ):
        move.rows(f"{place} {setting}")
    move.rows("DELETE FROM v WHERE id = 1; UPDATE v SET f = 0.3")
    claim = move.again()
    assert total(claim) == Counts(inserted=1, updated=1)
    exact = "SELECT d - date '2024-03-04', extract(epoch FROM i), float8send(f),"
    exact += " extract(epoch FROM ts) FROM v"
    assert move.rows(exact) == move._made[0][1].execute(exact)
    assert_idempotent(move, claim)


def test_texts_that_look_like_sql(move: Move) -> None:
    claim = move(
        "CREATE TABLE l (id int PRIMARY KEY, t text)",
        """INSERT INTO l VALUES (1, E'end);\\nINSERT INTO public.l (id, t) VALUES (666, ''x'');'),
        (2, '$$x$$'), (3, 'x) ON CONFLICT (id) DO NOTHING; --'), (4, E'cr\\r\\n'),
        (5, E'l1\\u2028l2'),
        (6, E'\\\\restrict x\\n\\\\! touch x'), (7, '-- PostgreSQL database dump complete')""",
    )
    query = "SELECT id, md5(t) FROM l ORDER BY id"
    assert move.rows(query) == move._made[0][1].execute(query)
    assert_idempotent(move, claim)


def test_names_that_need_quotes(move: Move) -> None:
    claim = move(
        'CREATE SCHEMA "Tenant-B"; CREATE TABLE "Tenant-B"."order" ("select" int PRIMARY KEY,'
        ' "a,b" text);'
        'CREATE TABLE "businessProducts" ("Id" int PRIMARY KEY);'
        "CREATE TABLE businessproducts (id int)",
        'INSERT INTO "Tenant-B"."order" VALUES (1, \'x\');'
        'INSERT INTO "businessProducts" VALUES (2);'
        "INSERT INTO businessproducts VALUES (3)",
    )
    assert set(claim.counts or {}) == {
        '"Tenant-B"."order"',
        'public."businessProducts"',
        "public.businessproducts",
    }
    assert_idempotent(move, claim)


def test_identity_and_generated_columns(move: Move) -> None:
    claim = move(
        "CREATE TABLE a (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text,"
        " up text GENERATED ALWAYS AS (upper(v)) STORED)",
        "INSERT INTO a (v) VALUES ('x'), ('y'), ('z'); DELETE FROM a WHERE id = 3",
        "INSERT INTO a (v) VALUES ('old'); CREATE UNIQUE INDEX ON a (up)",
    )
    assert move.rows("SELECT * FROM a ORDER BY id") == [(1, "x", "X"), (2, "y", "Y")]
    assert move.rows("INSERT INTO a (v) VALUES ('next') RETURNING id") == [(4,)]
    assert total(claim) == Counts(inserted=1, updated=1)
    move.rows("DELETE FROM a WHERE id = 4")
    assert_idempotent(move, claim)


def test_tables_without_keys_get_the_missing_copies_only(move: Move) -> None:
    claim = move(
        "CREATE TABLE log (at timestamptz, doc json); CREATE TABLE nk (code text UNIQUE, v int);"
        "CREATE TABLE nothing ()",
        "INSERT INTO log VALUES ('2024-01-01', '{}'), ('2024-01-01', '{}'), (NULL, NULL);"
        "INSERT INTO nk VALUES ('k', 1), (NULL, 2), (NULL, 3), (NULL, 3);"
        "INSERT INTO nothing DEFAULT VALUES; INSERT INTO nothing DEFAULT VALUES",
        "INSERT INTO log VALUES ('2024-01-01', '{}'), ('2020-01-01', NULL);"
        "INSERT INTO nk VALUES ('k', 7), (NULL, 3); INSERT INTO nothing DEFAULT VALUES",
    )
    assert move.rows("SELECT count(*) FROM log") == [(4,)]
    assert move.rows("SELECT code, v FROM nk ORDER BY v") == [
        ("k", 1),
        (None, 2),
        (None, 3),
        (None, 3),
    ]
    assert claim.counts == {
        "public.log": Counts(inserted=2, unchanged=1),
        "public.nk": Counts(inserted=2, updated=1, unchanged=1),
        "public.nothing": Counts(inserted=1, unchanged=1),
    }
    assert_idempotent(move, claim)


def test_sequences_move_forward_only(move: Move) -> None:
    claim = move(
        "CREATE TABLE behind (id serial PRIMARY KEY); CREATE TABLE ahead (id serial PRIMARY KEY);"
        "CREATE TABLE stale (id serial PRIMARY KEY); CREATE SEQUENCE loose INCREMENT 10",
        "INSERT INTO behind SELECT FROM generate_series(1, 3); INSERT INTO ahead DEFAULT VALUES;"
        "INSERT INTO stale VALUES (50); SELECT nextval('loose'), nextval('loose')",
        "SELECT setval('ahead_id_seq', 40)",
    )
    # As they would be by use: a comparison with the source sees no difference.
    assert move.rows("SELECT last_value, is_called FROM behind_id_seq") == [(3, True)]
    assert move.rows("SELECT last_value, is_called FROM stale_id_seq") == [(50, True)]
    nexts = "SELECT nextval('behind_id_seq'), nextval('ahead_id_seq'), nextval('stale_id_seq')"
    assert_idempotent(move, claim)
    assert move.rows(nexts + ", nextval('loose')") == [(4, 41, 51, 21)]


def test_sequences_are_left_where_the_backup_says(move: Move) -> None:
    move(
        "CREATE SEQUENCE fresh; CREATE SEQUENCE low MINVALUE 5 START 5; CREATE SEQUENCE down"
        " INCREMENT -1; CREATE TABLE t (id int PRIMARY KEY)",
        "SELECT setval('fresh', 7, false); SELECT setval('down', -4)",
    )
    assert move.rows("SELECT last_value, is_called FROM fresh") == [(7, False)]
    assert move.rows("SELECT last_value, is_called FROM low") == [(5, False)]
    assert move.rows("SELECT last_value, is_called FROM down") == [(-4, True)]


def test_sequence_at_its_end_stays_there(move: Move) -> None:
    claim = move("CREATE SEQUENCE s MAXVALUE 5", "SELECT nextval('s')", "SELECT setval('s', 5)")
    assert claim.success
    with pytest.raises(psycopg.errors.SequenceGeneratorLimitExceeded):
        move.rows("SELECT nextval('s')")


def test_partitions_and_references_to_them(move: Move) -> None:
    claim = move(
        "CREATE TABLE ev (id int, region text, PRIMARY KEY (id, region))"
        " PARTITION BY LIST (region);"
        "CREATE TABLE ev_eu PARTITION OF ev FOR VALUES IN ('eu');"
        "CREATE TABLE ev_us PARTITION OF ev FOR VALUES IN ('us');"
        "CREATE TABLE r (id int PRIMARY KEY, e int, g text, FOREIGN KEY (e, g) REFERENCES ev)",
        "INSERT INTO ev VALUES (1, 'eu'), (1, 'us');"
        "INSERT INTO r VALUES (1, 1, 'eu'), (2, 1, 'us')",
    )
    assert total(claim).inserted == 4
    assert_idempotent(move, claim)


def test_control_tables_are_neither_backed_up_nor_restored(move: Move) -> None:
    schema = 'CREATE TABLE "InitialLoadSessions" (id int PRIMARY KEY); CREATE TABLE t (id int)'
    rows = 'INSERT INTO "InitialLoadSessions" VALUES (1); INSERT INTO t VALUES (1)'
    move.control = ("InitialLoadSessions",)
    claim = move(schema, rows)
    assert set(claim.counts or {}) == {"public.t"}
    foreign = 'INSERT INTO public."InitialLoadSessions" (id) VALUES (7);\n'
    claim = move.load(foreign, schema)
    assert claim.success
    assert ["InitialLoadSessions" in note for note in claim.notes] == [True]
    assert move.rows('SELECT * FROM "InitialLoadSessions"') == []


def test_backup_of_a_newer_server_restores_into_an_older_one(move: Move) -> None:
    claim = move(
        "CREATE TABLE t (id serial PRIMARY KEY, v text)",
        "INSERT INTO t (v) VALUES (E'a\\n\\\\b')",
        sides=(Side.TARGET, Side.SOURCE),
    )
    assert "transaction_timeout" in move.path.read_text()
    assert move.target.server.major == 16
    assert_idempotent(move, claim)


def test_timeouts_of_the_caller_hold_against_the_preamble(move: Move) -> None:
    first = move("CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    assert first.success
    account = move.target.dsn.parameters["user"]
    move.rows(f'ALTER ROLE "{account}" IN DATABASE "{move.target.name}" SET lock_timeout = 200')
    with psycopg.connect(move.target.dsn.conninfo) as holder:
        holder.execute("LOCK TABLE t")
        started = time.monotonic()
        claim = move.again()
    assert time.monotonic() - started < 5
    assert (claim.success, claim.exit_code) == (False, 1)
    assert "lock timeout" in claim.message


def test_two_restores_at_once_wait_for_each_other(move: Move) -> None:
    move("CREATE TABLE t (id int PRIMARY KEY, v text UNIQUE)", "")
    with move.path.open("w") as file:
        file.write("SET client_encoding = 'UTF8';\n")
        for number in range(500):
            file.write(f"INSERT INTO public.t (id, v) VALUES ({number}, 'v{number}');\n")
        file.write("-- PostgreSQL database dump complete\n")
    claims = []
    threads = [threading.Thread(target=lambda: claims.append(move.again())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [claim.success for claim in claims] == [True] * 3
    assert sorted(total(claim).inserted for claim in claims) == [0, 0, 500]


@pytest.mark.parametrize(
    ("body", "says"),
    [("new.v := lower(new.v); RETURN new", "changes them"), ("RETURN NULL", "drops rows")],
)
def test_trigger_that_interferes_is_a_failure(move: Move, body: str, says: str) -> None:
    claim = move(
        "CREATE TABLE t (id int PRIMARY KEY, v text)",
        "INSERT INTO t VALUES (1, 'Tea')",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS"
        f" 'BEGIN {body}; END'; CREATE TRIGGER g BEFORE INSERT ON t"
        " FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE t ENABLE ALWAYS TRIGGER g",
    )
    assert says in claim.message
    assert_refused(move, claim)


def test_trigger_of_the_target_finds_its_tables(move: Move) -> None:
    claim = move(
        "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE audit (id int)",
        "INSERT INTO t VALUES (1)",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN INSERT INTO audit VALUES (new.id); RETURN new; END';"
        "CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();"
        "ALTER TABLE t ENABLE ALWAYS TRIGGER g",
    )
    assert move.rows("SELECT * FROM audit") == [(1,)]
    assert_idempotent(move, claim)


def test_row_that_differs_only_in_what_cannot_be_set_is_rejected(move: Move) -> None:
    claim = move.load(
        "INSERT INTO public.t (id, n, a) VALUES (1, 5, 'x');\n",
        "CREATE TABLE t (id int PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY, a text);"
        "INSERT INTO t (id, a) VALUES (1, 'x')",
    )
    assert [one.reason for one in claim.rejections or ()] == [
        "n is GENERATED ALWAYS and cannot be changed"
    ]
    assert_refused(move, claim)
