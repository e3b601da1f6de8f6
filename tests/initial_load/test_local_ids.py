"""Two databases that numbered their rows on their own become one (trap U12)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.initial_load.conftest import Move, assert_refused, total
from tests.initial_load.test_preflight import role
from verifier.contract import Claim, Counts
from verifier.initial_load import restore
from verifier.transfer import Ids, RestoreOptions


@pytest.fixture(autouse=True)
def local(move: Move) -> None:
    move.options = RestoreOptions(ids=Ids.LOCAL)


def assert_settled(move: Move, first: Claim) -> None:
    """A second restore finds every row where the first one put it."""
    assert first.success, first.message
    before = move.state()
    second = move.again()
    assert second.success, second.message
    assert (total(second).inserted, total(second).updated) == (0, 0)
    rows = total(first)
    assert total(second).unchanged + total(second).merged == (
        rows.inserted + rows.updated + rows.unchanged + rows.merged
    )
    assert move.state() == before


SHOP = """
CREATE TABLE cust (id serial PRIMARY KEY, name text);
CREATE TABLE ord (id serial PRIMARY KEY, cid int REFERENCES cust (id), what text);
"""


def test_alice_and_bob_both_stay_with_their_orders(move: Move) -> None:
    claim = move(
        SHOP,
        "INSERT INTO cust (name) VALUES ('Alice'); INSERT INTO ord (cid, what) VALUES (1, 'alice')",
        "INSERT INTO cust (name) VALUES ('Bob');"
        "INSERT INTO ord (cid, what) VALUES (1, 'bob 1'), (1, 'bob 2')",
    )
    assert move.rows("SELECT * FROM cust ORDER BY id") == [(1, "Bob"), (2, "Alice")]
    assert move.rows("SELECT * FROM ord ORDER BY id") == [
        (1, 1, "bob 1"),
        (2, 1, "bob 2"),
        (3, 2, "alice"),
    ]
    assert claim.merges == ()
    assert total(claim) == Counts(inserted=2)
    assert "1 of public.cust, 1 of public.ord" in " ".join(claim.notes)
    assert_settled(move, claim)
    assert move.rows("INSERT INTO cust (name) VALUES ('next') RETURNING id") == [(3,)]


def test_row_with_a_value_of_another_type_is_rejected_under_its_own_number(move: Move) -> None:
    claim = move(
        "CREATE TABLE cust (id serial PRIMARY KEY, age text);",
        "INSERT INTO cust (age) VALUES ('44'), ('old')",
        "ALTER TABLE cust ALTER age TYPE int USING age::int",
    )
    assert [(dict(one.key), one.reason[:10]) for one in claim.rejections or ()] == [
        ({"id": "2"}, "column age")
    ]


KEYED = """
CREATE TABLE cust (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text UNIQUE NOT NULL,
  name text);
CREATE TABLE address (id serial PRIMARY KEY, cid int NOT NULL REFERENCES cust, label text,
  UNIQUE (cid, label));
CREATE TABLE tag (id serial PRIMARY KEY, name text UNIQUE);
CREATE TABLE cust_tag (cid int REFERENCES cust ON UPDATE CASCADE, tid int REFERENCES tag,
  since date, PRIMARY KEY (cid, tid));
"""


def test_matched_rows_take_the_targets_number_and_everything_follows(move: Move) -> None:
    claim = move(
        KEYED,
        "INSERT INTO cust OVERRIDING SYSTEM VALUE VALUES (1, 'a@x', 'Alice R'), (2, 'b@x', 'Bob'),"
        " (3, 'c@x', 'Carol');"
        "INSERT INTO address VALUES (1, 1, 'home'), (2, 2, 'home'), (3, 3, 'home');"
        "INSERT INTO tag VALUES (1, 'vip'), (2, 'new');"
        "INSERT INTO cust_tag VALUES (1, 1, '2024-01-01'), (3, 2, '2024-01-02')",
        "INSERT INTO cust OVERRIDING SYSTEM VALUE VALUES (1, 'c@x', 'Carol'), (2, 'b@x', 'Bob'),"
        " (3, 'a@x', 'Alice');"
        "INSERT INTO address VALUES (1, 3, 'home'), (2, 2, 'work');"
        "INSERT INTO tag VALUES (2, 'vip');"
        "INSERT INTO cust_tag VALUES (3, 2, '2020-01-01'), (1, 2, '2020-01-01');"
        "SELECT setval('cust_id_seq', 3), setval('address_id_seq', 2), setval('tag_id_seq', 2)",
    )
    assert move.rows("SELECT * FROM cust ORDER BY id") == [
        (1, "c@x", "Carol"),
        (2, "b@x", "Bob"),
        (3, "a@x", "Alice R"),
    ]
    assert move.rows("SELECT * FROM address ORDER BY id") == [
        (1, 3, "home"),
        (2, 2, "work"),
        (3, 2, "home"),
        (4, 1, "home"),
    ]
    assert move.rows("SELECT * FROM tag ORDER BY id") == [(2, "vip"), (3, "new")]
    assert move.rows("SELECT cid, tid, since::text FROM cust_tag ORDER BY 1, 2") == [
        (1, 2, "2020-01-01"),
        (1, 3, "2024-01-02"),
        (3, 2, "2024-01-01"),
    ]
    merged = {(m.table, str(dict(m.key)), str(dict(m.survivor))) for m in claim.merges or ()}
    assert merged == {
        ("public.cust", "{'id': '1'}", "{'id': '3'}"),
        ("public.cust", "{'id': '3'}", "{'id': '1'}"),
        ("public.tag", "{'id': '1'}", "{'id': '2'}"),
    }
    assert_settled(move, claim)


def test_reference_to_what_the_backup_does_not_hold_is_an_orphan(move: Move) -> None:
    claim = move(
        "CREATE TABLE cust (id serial PRIMARY KEY, name text);"
        "CREATE TABLE ord (id serial PRIMARY KEY, cid int, what text)",
        "INSERT INTO cust VALUES (1, 'Alice'); INSERT INTO ord VALUES (1, 1, 'x'), (7, 5, 'y')",
        "INSERT INTO cust VALUES (5, 'Bob');"
        "ALTER TABLE ord ADD CONSTRAINT of_cust FOREIGN KEY (cid) REFERENCES cust",
    )
    assert [(dict(r.key), r.constraint) for r in claim.rejections or ()] == [
        ({"id": "7"}, "of_cust")
    ]
    assert "public.cust (id) = (5)" in claim.message
    assert_refused(move, claim)


def test_trees_are_found_again_by_what_is_in_them(move: Move) -> None:
    tree = "CREATE TABLE node (id serial PRIMARY KEY, up int REFERENCES node, name text);"
    claim = move(
        tree,
        "INSERT INTO node VALUES (3, NULL, 'root'), (1, 3, 'a'), (2, 1, 'b'), (4, 1, 'b'),"
        " (5, 4, 'leaf')",
        "INSERT INTO node VALUES (1, NULL, 'other'), (2, 1, 'a'), (5, NULL, 'root')",
    )
    assert move.rows("SELECT id, up, name FROM node ORDER BY id") == [
        (1, None, "other"),
        (2, 1, "a"),
        (5, None, "root"),
        (6, 5, "a"),
        (7, 6, "b"),
        (8, 6, "b"),
        (9, 8, "leaf"),
    ]
    assert total(claim) == Counts(inserted=4, merged=1)
    assert_settled(move, claim)


def test_rows_in_a_circle_without_a_key_are_rejected(move: Move) -> None:
    claim = move(
        "CREATE TABLE node (id serial PRIMARY KEY, up int REFERENCES node, name text)",
        "INSERT INTO node VALUES (1, NULL, 'fine'), (2, 2, 'self'), (3, NULL, 'x'), (4, 3, 'y');"
        "UPDATE node SET up = 4 WHERE id = 3",
    )
    assert {r.key["id"] for r in claim.rejections or ()} == {"2", "3", "4"}
    assert_refused(move, claim)


def test_number_that_is_there_twice_is_no_circle(move: Move) -> None:
    claim = move(
        "CREATE TABLE node (id serial, up int)",
        "INSERT INTO node VALUES (1, 1), (1, NULL), (2, 1)",
        "ALTER TABLE node ADD PRIMARY KEY (id), ADD FOREIGN KEY (up) REFERENCES node;"
        "SELECT setval('node_id_seq', 4)",
    )
    # The last of the two stays, and refers to nothing.
    assert move.rows("SELECT * FROM node ORDER BY id") == [(5, None), (6, 5)]
    assert_settled(move, claim)


def test_circle_of_rows_that_are_one_row_is_rejected(move: Move) -> None:
    claim = move(
        "CREATE TABLE node (id serial, up int)",
        "INSERT INTO node VALUES (1, 1), (1, NULL), (2, 1)",
        "ALTER TABLE node ADD PRIMARY KEY (id), ADD UNIQUE (up), ADD FOREIGN KEY (up) "
        "REFERENCES node",
    )
    # All three are the row that comes last, which refers to itself then.
    assert [r.key for r in claim.rejections or ()] == [{"id": "2"}]
    assert_refused(move, claim)


def test_circle_with_a_key_is_found_again(move: Move) -> None:
    claim = move(
        "CREATE TABLE a (id serial PRIMARY KEY, code text UNIQUE NOT NULL, b int);"
        "CREATE TABLE b (id serial PRIMARY KEY, a int NOT NULL REFERENCES a, v text);"
        "ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b",
        "INSERT INTO a VALUES (1, 'x', NULL), (2, 'y', NULL); INSERT INTO b VALUES (1, 2, 'of y'),"
        " (2, 1, 'of x'); UPDATE a SET b = 3 - id",
        "INSERT INTO a VALUES (2, 'x', NULL); INSERT INTO b VALUES (1, 2, 'of x');"
        "UPDATE a SET b = 1; SELECT setval('a_id_seq', 2), setval('b_id_seq', 1)",
    )
    assert move.rows("SELECT * FROM a ORDER BY 1") == [(2, "x", 1), (3, "y", 2)]
    assert move.rows("SELECT * FROM b ORDER BY 1") == [(1, 2, "of x"), (2, 3, "of y")]
    assert_settled(move, claim)


def test_rows_without_a_value_in_the_unique_key_are_found_by_the_whole_row(move: Move) -> None:
    claim = move(
        "CREATE TABLE cust (id serial PRIMARY KEY, email text UNIQUE, name text)",
        "INSERT INTO cust VALUES (1, NULL, 'A'), (2, NULL, 'A'), (3, 'b@x', 'B'), (4, NULL, 'C')",
        "INSERT INTO cust VALUES (4, NULL, 'A'), (1, 'b@x', 'B'), (2, NULL, 'D')",
    )
    assert move.rows("SELECT * FROM cust ORDER BY id") == [
        (1, "b@x", "B"),
        (2, None, "D"),
        (4, None, "A"),
        (5, None, "A"),
        (6, None, "C"),
    ]
    assert total(claim) == Counts(inserted=2, merged=2)
    assert_settled(move, claim)


def test_duplicates_in_the_backup_become_one_new_row(move: Move) -> None:
    claim = move(
        "CREATE TABLE cust (id serial PRIMARY KEY, email text);"
        "CREATE TABLE ord (id serial PRIMARY KEY, cid int REFERENCES cust)",
        "INSERT INTO cust VALUES (1, 'a'), (2, 'a'), (3, 'b'); INSERT INTO ord VALUES (1, 1),"
        " (2, 2), (3, 3)",
        "CREATE UNIQUE INDEX ON cust (email); INSERT INTO cust VALUES (3, 'z')",
    )
    assert move.rows("SELECT * FROM cust ORDER BY id") == [(3, "z"), (4, "a"), (5, "b")]
    assert move.rows("SELECT cid FROM ord ORDER BY id") == [(4,), (4,), (5,)]
    assert [(dict(m.key), dict(m.survivor)) for m in claim.merges or ()] == [
        ({"id": "1"}, {"id": "4"})
    ]
    assert_settled(move, claim)


def test_number_that_is_there_twice_is_one_row(move: Move) -> None:
    claim = move(
        "CREATE TABLE lot (id serial, up int, name text)",
        "INSERT INTO lot VALUES (2, NULL, 'b'), (3, NULL, 'a'), (3, NULL, 'b'), (4, 3, 'c')",
        "ALTER TABLE lot ADD PRIMARY KEY (id), ADD FOREIGN KEY (up) REFERENCES lot;"
        "INSERT INTO lot VALUES (7, NULL, 'b'), (8, NULL, 'b')",
    )
    # The last of both is the target's second; it takes over that one's number, and so do they.
    assert move.rows("SELECT * FROM lot ORDER BY id") == [
        (7, None, "b"),
        (8, None, "b"),
        (9, 8, "c"),
    ]
    assert total(claim) == Counts(inserted=1, merged=3)
    assert_settled(move, claim)


def test_key_of_tenant_and_serial_follows_in_both_parts(move: Move) -> None:
    claim = move(
        "CREATE TABLE tenant (id serial PRIMARY KEY, name text UNIQUE NOT NULL);"
        "CREATE TABLE cust (tid int REFERENCES tenant, id serial, name text,"
        " PRIMARY KEY (tid, id));"
        "CREATE TABLE ord (id serial PRIMARY KEY, tid int, cid int, n text, twin int,"
        " FOREIGN KEY (tid, cid) REFERENCES cust, FOREIGN KEY (tid, twin) REFERENCES cust)",
        "INSERT INTO tenant VALUES (1, 'A'), (2, 'B');"
        "INSERT INTO cust VALUES (1, 1, 'a1'), (2, 1, 'b1'), (2, 2, 'b2');"
        "INSERT INTO ord VALUES (1, 1, 1, 'x', NULL), (2, 2, 1, 'y', 2)",
        "INSERT INTO tenant VALUES (1, 'B'); INSERT INTO cust VALUES (1, 2, 'b1');"
        "SELECT setval('tenant_id_seq', 1), setval('cust_id_seq', 2)",
    )
    assert move.rows("SELECT * FROM cust ORDER BY 1, 2") == [
        (1, 2, "b1"),
        (1, 4, "b2"),
        (2, 3, "a1"),
    ]
    assert move.rows("SELECT tid, cid, n, twin FROM ord ORDER BY n") == [
        (2, 3, "x", None),
        (1, 2, "y", 4),
    ]
    assert_settled(move, claim)


def test_text_keys_and_keys_of_a_parent_stay_identities(move: Move) -> None:
    claim = move(
        "CREATE TABLE u (id serial PRIMARY KEY, email text UNIQUE NOT NULL);"
        "CREATE TABLE profile (uid int PRIMARY KEY REFERENCES u, bio text);"
        "CREATE TABLE post (id uuid PRIMARY KEY, uid int REFERENCES profile, t text)",
        "INSERT INTO u VALUES (1, 'a'), (2, 'b');"
        "INSERT INTO profile VALUES (1, 'new a'), (2, 'b');"
        "INSERT INTO post VALUES ('00000000-0000-0000-0000-000000000001', 1, 'changed')",
        "INSERT INTO u VALUES (7, 'a'); INSERT INTO profile VALUES (7, 'old a');"
        "INSERT INTO post VALUES ('00000000-0000-0000-0000-000000000001', 7, 'old')",
    )
    assert move.rows("SELECT * FROM profile ORDER BY 1") == [(7, "new a"), (8, "b")]
    assert move.rows("SELECT uid, t FROM post") == [(7, "changed")]
    assert_settled(move, claim)


def test_printed_number_is_kept_or_rejected_by_name(move: Move) -> None:
    tables = 'CREATE TABLE o (id uuid PRIMARY KEY, "orderNumber" serial UNIQUE, v text)'
    one, two = (f"00000000-0000-0000-0000-00000000000{no}" for no in (1, 2))
    claim = move(
        tables,
        f"INSERT INTO o VALUES ('{one}', 7, 'x'), ('{two}', 3, 'y')",
        f"INSERT INTO o VALUES ('{two}', 3, 'old')",
    )
    assert move.rows('SELECT "orderNumber", v FROM o ORDER BY 1') == [(3, "y"), (7, "x")]
    assert_settled(move, claim)
    move.rows("DELETE FROM o")
    move.rows("INSERT INTO o VALUES (gen_random_uuid(), 7, 'somebody else''s')")
    refused = move.again()
    assert [(r.key["id"], r.constraint) for r in refused.rejections or ()] == [
        (one, "o_orderNumber_key")
    ]
    assert_refused(move, refused)


def test_descending_sequence_numbers_downwards(move: Move) -> None:
    claim = move(
        "CREATE SEQUENCE s INCREMENT BY -2 MINVALUE -1000 MAXVALUE -1;"
        "CREATE TABLE t (id int PRIMARY KEY DEFAULT nextval('s'), v text)",
        "INSERT INTO t (v) VALUES ('a'), ('b')",
        "INSERT INTO t (v) VALUES ('c'), ('b')",
    )
    assert move.rows("SELECT * FROM t ORDER BY id DESC") == [(-1, "c"), (-3, "b"), (-5, "a")]
    assert_settled(move, claim)
    assert move.rows("INSERT INTO t (v) VALUES ('next') RETURNING id") == [(-7,)]


def test_sequence_without_room_is_refused_by_name(move: Move) -> None:
    claim = move(
        "CREATE TABLE t (id smallserial PRIMARY KEY, v text)",
        "INSERT INTO t (v) VALUES ('a'), ('b')",
        "SELECT setval('t_id_seq', 32766)",
    )
    assert "public.t_id_seq ends at 32767" in claim.message
    assert_refused(move, claim)


def test_numbers_past_the_sequence_are_not_given_again(move: Move) -> None:
    claim = move(
        "CREATE TABLE t (id serial PRIMARY KEY, v text)",
        "INSERT INTO t VALUES (1, 'a')",
        "INSERT INTO t VALUES (1, 'by hand'), (40, 'by hand, too')",
    )
    assert move.rows("SELECT id FROM t WHERE v = 'a'") == [(41,)]
    assert_settled(move, claim)


def test_position_of_the_backups_sequence_says_nothing(move: Move) -> None:
    claim = move(
        "CREATE TABLE t (id serial PRIMARY KEY, v text)",
        "INSERT INTO t VALUES (900, 'a'); SELECT setval('t_id_seq', 1000)",
        "INSERT INTO t (v) VALUES ('b')",
    )
    assert_settled(move, claim)
    assert move.rows("INSERT INTO t (v) VALUES ('c') RETURNING id") == [(3,)]


def test_number_that_another_session_has_drawn_is_not_given_again(move: Move) -> None:
    tables = "CREATE TABLE t (id serial PRIMARY KEY, v text)"
    move(tables, "INSERT INTO t (v) VALUES ('a')", "SELECT nextval('t_id_seq')")
    assert move.rows("SELECT id FROM t") == [(2,)]


def test_restore_that_is_refused_leaves_the_sequences_alone(move: Move) -> None:
    claim = move(
        "CREATE TABLE t (id serial PRIMARY KEY, v int)",
        "INSERT INTO t (v) VALUES (1), (-1)",
        "ALTER TABLE t ADD CONSTRAINT positive CHECK (v > 0)",
    )
    assert_refused(move, claim)


def test_dry_run_says_what_a_run_does(move: Move) -> None:
    move.options = RestoreOptions(ids=Ids.LOCAL, dry_run=True)
    before = move(
        SHOP,
        "INSERT INTO cust (name) VALUES ('Alice'), ('Bob'); INSERT INTO ord (cid) VALUES (1), (2)",
        "INSERT INTO cust (name) VALUES ('Bob')",
    )
    assert move.rows("SELECT last_value FROM cust_id_seq") == [(1,)]
    assert move.rows("SELECT * FROM ord") == []
    move.options = RestoreOptions(ids=Ids.LOCAL)
    done = move.again()
    assert (done.counts, done.merges, done.notes) == (before.counts, before.merges, before.notes)


def test_quarantine_does_not_go_together_with_it(move: Move, tmp_path: Path) -> None:
    move.options = RestoreOptions(ids=Ids.LOCAL, quarantine=tmp_path / "q")
    claim = move(SHOP, "INSERT INTO cust (name) VALUES ('Alice')")
    assert "--quarantine and --ids local" in claim.message
    assert_refused(move, claim, exit_code=2)


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        (
            "CREATE TABLE a (id serial PRIMARY KEY); CREATE TABLE b (id serial PRIMARY KEY);"
            "CREATE TABLE c (x int REFERENCES a REFERENCES b)",
            "public.c.x refers to public.a.id and public.b.id",
        ),
        (
            "CREATE TABLE a (id serial PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY);"
            "CREATE TABLE c (x int REFERENCES a REFERENCES b)",
            "public.b.id, which are none",
        ),
        (
            "CREATE SEQUENCE s; CREATE TABLE c (x int PRIMARY KEY DEFAULT nextval('s'::text))",
            "public.c.x draws its numbers from a sequence that cannot be told",
        ),
    ],
)
def test_numbers_that_cannot_follow_are_refused_by_name(move: Move, tables: str, said: str) -> None:
    rows = "INSERT INTO a VALUES (1); INSERT INTO b VALUES (1);" if "TABLE a" in tables else ""
    claim = move(tables, rows + "INSERT INTO c VALUES (1)")
    assert said in claim.message
    assert_refused(move, claim)


def test_too_large_numbers_are_refused_by_name(move: Move) -> None:
    claim = move("CREATE TABLE t (id bigserial PRIMARY KEY)", f"INSERT INTO t VALUES ({2**62})")
    assert "public.t.id has numbers of" in claim.message
    assert_refused(move, claim)


def test_checks_and_generated_columns_over_numbers_see_the_new_ones(move: Move) -> None:
    claim = move(
        "CREATE TABLE t (id serial PRIMARY KEY CHECK (id < 100), v text,"
        " code text GENERATED ALWAYS AS ('T-' || id) STORED, half int GENERATED ALWAYS AS (id / 2)"
        " STORED)",
        "INSERT INTO t (v) VALUES ('a')",
        "INSERT INTO t (v) VALUES ('b')",
    )
    assert move.rows("SELECT code, half FROM t ORDER BY id") == [("T-1", 0), ("T-2", 1)]
    assert_settled(move, claim)


def test_sequence_of_somebody_else_is_refused_by_name(move: Move) -> None:
    move("CREATE TABLE t (id serial PRIMARY KEY, v text)", "INSERT INTO t (v) VALUES ('a')")
    move.rows("DELETE FROM t")
    with role(
        move, "GRANT SELECT, INSERT, UPDATE ON t TO {role}", "GRANT SELECT ON t_id_seq TO {role}"
    ) as plain:
        claim = restore(move.path, plain, move.options)
    assert "sequence public.t_id_seq has to move on" in claim.message
    assert claim.exit_code == 1


def test_strict_ids_has_nothing_to_do(move: Move) -> None:
    move.options = RestoreOptions(ids=Ids.LOCAL, strict_ids=True)
    claim = move(
        SHOP,
        "INSERT INTO cust (name) VALUES ('Alice')",
        "INSERT INTO cust (name) VALUES ('Bob')",
    )
    assert total(claim) == Counts(inserted=1)
    assert_settled(move, claim)


def test_names_and_types_of_every_kind(move: Move) -> None:
    claim = move(
        'CREATE DOMAIN num AS int CHECK (VALUE > 0); CREATE SCHEMA "My";'
        'CREATE TABLE "My"."Order Line" ("Id" bigserial PRIMARY KEY, "select" text UNIQUE NOT'
        " NULL);"
        "CREATE SEQUENCE s; CREATE TABLE d (id num PRIMARY KEY DEFAULT nextval('s'), v text,"
        ' line bigint REFERENCES "My"."Order Line");'
        "CREATE TABLE n (id numeric(10) PRIMARY KEY DEFAULT nextval('s'), d num REFERENCES d)",
        """INSERT INTO "My"."Order Line" VALUES (1, 'x'), (2, 'y'); INSERT INTO d VALUES"""
        " (1, 'a', 1), (2, 'b', 2); INSERT INTO n VALUES (2, 1), (1, 2)",
        """INSERT INTO "My"."Order Line" VALUES (2, 'x'); INSERT INTO d VALUES (2, 'a', 2);"""
        "INSERT INTO n VALUES (1, 2)",
    )
    assert move.rows('SELECT * FROM "My"."Order Line" ORDER BY 1') == [(2, "x"), (3, "y")]
    assert move.rows("SELECT * FROM d ORDER BY 1") == [(2, "a", 2), (3, "b", 3)]
    assert move.rows("SELECT id::int, d FROM n ORDER BY 1") == [(1, 2), (4, 3)]
    assert_settled(move, claim)


def test_keys_with_a_predicate_an_expression_or_nulls_that_are_equal(move: Move) -> None:
    claim = move(
        "CREATE TABLE t (id serial PRIMARY KEY, kind text, name text, up int REFERENCES t, v int);"
        "CREATE UNIQUE INDEX ON t (lower(name)) WHERE kind = 'a'",
        "INSERT INTO t VALUES (1, 'a', 'X', NULL, 1), (2, 'b', 'x', 1, 1), (3, 'b', 'x', 2, 1)",
        "INSERT INTO t VALUES (3, 'a', 'x', NULL, 0), (2, 'b', 'x', 3, 1), (1, 'b', 'x', NULL, 1)",
    )
    assert move.rows("SELECT * FROM t ORDER BY id") == [
        (1, "b", "x", None, 1),
        (2, "b", "x", 3, 1),
        (3, "a", "X", None, 1),
        (4, "b", "x", 2, 1),
    ]
    assert total(claim) == Counts(inserted=1, unchanged=1, merged=1)
    assert_settled(move, claim)


def test_key_that_the_parent_numbers_is_numbered_once(move: Move) -> None:
    claim = move(
        "CREATE TABLE thing (id serial PRIMARY KEY, name text UNIQUE NOT NULL);"
        "CREATE TABLE car (id serial PRIMARY KEY REFERENCES thing, doors int)",
        "INSERT INTO thing VALUES (1, 'a'), (2, 'b'); INSERT INTO car VALUES (1, 3), (2, 5)",
        "INSERT INTO thing VALUES (7, 'b'); INSERT INTO car VALUES (7, 2)",
    )
    assert move.rows("SELECT * FROM car ORDER BY 1") == [(7, 5), (8, 3)]
    assert_settled(move, claim)


def test_newest_row_stays_whatever_its_number(move: Move) -> None:
    move.options = RestoreOptions(ids=Ids.LOCAL, prefer="at")
    claim = move(
        "CREATE TABLE t (id serial PRIMARY KEY, code text UNIQUE, v text, at date);"
        "CREATE TABLE c (id serial PRIMARY KEY, t int REFERENCES t)",
        "INSERT INTO t VALUES (1, 'x', 'old', '2024-01-01'), (2, 'y', 'new', '2025-01-01');"
        "INSERT INTO c VALUES (1, 1), (2, 2)",
        "INSERT INTO t VALUES (2, 'x', 'NEWER', '2025-01-01'), (1, 'y', 'old', '2024-01-01')",
    )
    assert move.rows("SELECT id, v FROM t ORDER BY 1") == [(1, "new"), (2, "NEWER")]
    assert move.rows("SELECT * FROM c ORDER BY 1") == [(1, 2), (2, 1)]
    assert_settled(move, claim)


def test_row_that_is_two_rows_of_the_target_is_rejected_with_its_own_number(move: Move) -> None:
    claim = move(
        "CREATE TABLE t (id serial PRIMARY KEY, a text UNIQUE, b text UNIQUE)",
        "INSERT INTO t VALUES (5, 'x', 'y')",
        "INSERT INTO t VALUES (5, 'x', '1'), (6, '2', 'y')",
    )
    assert [dict(r.key) for r in claim.rejections or ()] == [{"id": "5"}]
    assert_refused(move, claim)


def test_exclusion_constraint_over_a_reference_holds(move: Move) -> None:
    tables = (
        "CREATE TABLE room (id serial PRIMARY KEY, name text UNIQUE NOT NULL);"
        "CREATE TABLE stay (id serial PRIMARY KEY, room int REFERENCES room, at int4range,"
        " span int4range GENERATED ALWAYS AS (int4range(room, room, '[]')) STORED,"
        " CONSTRAINT free EXCLUDE USING gist (span WITH =, at WITH &&))"
    )
    claim = move(
        tables,
        "INSERT INTO room VALUES (1, 'a'), (2, 'b');"
        "INSERT INTO stay VALUES (1, 1, '[1,5)'), (2, 2, '[1,5)')",
        "INSERT INTO room VALUES (1, 'b'); INSERT INTO stay VALUES (1, 1, '[5,9)')",
    )
    assert move.rows("SELECT id, room, at::text FROM stay ORDER BY 1") == [
        (1, 1, "[5,9)"),
        (2, 2, "[1,5)"),
        (3, 1, "[1,5)"),
    ]
    assert_settled(move, claim)
    move.rows("DELETE FROM stay WHERE id = 3")
    move.rows("INSERT INTO stay VALUES (50, 1, '[3,4)')")
    refused = move.again()
    assert "free" in refused.message
    assert not refused.success


def test_uuid_rows_that_refer_to_new_numbers_are_counted_once(move: Move) -> None:
    claim = move(
        "CREATE TABLE cust (id serial PRIMARY KEY, name text UNIQUE NOT NULL);"
        "CREATE TABLE doc (id uuid PRIMARY KEY, c int NOT NULL REFERENCES cust, d int REFERENCES"
        " cust, UNIQUE (c, d))",
        "INSERT INTO cust VALUES (1, 'a'), (2, 'b');"
        "INSERT INTO doc VALUES ('00000000-0000-0000-0000-000000000001', 1, 2)",
        "INSERT INTO cust VALUES (1, 'b'), (2, 'a');"
        "INSERT INTO doc VALUES ('00000000-0000-0000-0000-000000000009', 2, 1)",
    )
    assert move.rows("SELECT right(id::text, 1), c, d FROM doc") == [("9", 2, 1)]
    assert total(claim) == Counts(merged=3)
    assert_settled(move, claim)
