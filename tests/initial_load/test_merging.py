"""One identity for every row: duplicates, collisions with the target, swaps."""

from __future__ import annotations

import time

import pytest

from tests.initial_load.conftest import Move, assert_idempotent, assert_refused, total
from verifier.contract import Counts, Merge
from verifier.initial_load import following

PAIR = """
CREATE TABLE biz (id text PRIMARY KEY, bt text, name text, price int);
CREATE TABLE item (id text PRIMARY KEY, biz_id text NOT NULL REFERENCES biz, label text);
"""


def test_row_that_the_target_has_under_another_key_becomes_that_row(move: Move) -> None:
    claim = move(
        PAIR,
        "INSERT INTO biz VALUES ('s1', 'r', 'Tea', 10), ('s2', 'r', 'Cake', 7);"
        "INSERT INTO item VALUES ('i1', 's1', 'x')",
        "CREATE UNIQUE INDEX biz_k ON biz (bt, name);"
        "INSERT INTO biz VALUES ('t1', 'r', 'Tea', 9); INSERT INTO item VALUES ('t', 't1', 'own')",
    )
    assert claim.merges == (
        Merge(table="public.biz", key={"id": "s1"}, survivor={"id": "t1"}, constraint="biz_k"),
    )
    assert claim.counts == {
        "public.biz": Counts(inserted=1, merged=1),
        "public.item": Counts(inserted=1),
    }
    assert move.rows("SELECT id, price FROM biz ORDER BY id") == [("s2", 7), ("t1", 10)]
    assert move.rows("SELECT id, biz_id FROM item ORDER BY id") == [("i1", "t1"), ("t", "t1")]
    assert_idempotent(move, claim)


@pytest.mark.parametrize("copies", [2, 3])
def test_children_of_every_duplicate_reach_the_last_one(move: Move, copies: int) -> None:
    ids = [f"b{number}" for number in range(1, copies + 1)]
    biz = ", ".join(f"('{one}', 'r', 'Tea', {place})" for place, one in enumerate(ids))
    items = ", ".join(f"('i{one}{no}', '{one}', '{one}{no}')" for one in ids for no in (1, 2))
    claim = move(
        PAIR,
        f"INSERT INTO biz VALUES {biz}; INSERT INTO item VALUES {items}",
        "CREATE UNIQUE INDEX ON biz (bt, name)",
    )
    assert move.rows("SELECT id, price FROM biz") == [(ids[-1], copies - 1)]
    assert move.rows("SELECT DISTINCT biz_id, count(*) FROM item GROUP BY 1") == [
        (ids[-1], 2 * copies)
    ]
    assert [merge.key["id"] for merge in claim.merges or ()] == ids[:-1]
    assert_idempotent(move, claim)


def test_children_that_collide_once_their_parents_are_merged(move: Move) -> None:
    claim = move(
        PAIR + "CREATE TABLE leaf (id int PRIMARY KEY, item_id text NOT NULL REFERENCES item);",
        "INSERT INTO biz VALUES ('a', 'r', 'Tea', 1), ('b', 'r', 'Tea', 2);"
        "INSERT INTO item VALUES ('i1', 'a', 'x'), ('i2', 'b', 'x'), ('i3', 'a', 'y');"
        "INSERT INTO leaf VALUES (1, 'i1'), (2, 'i2'), (3, 'i3')",
        "CREATE UNIQUE INDEX ON biz (bt, name); CREATE UNIQUE INDEX ON item (biz_id, label)",
    )
    assert move.rows("SELECT id, biz_id, label FROM item ORDER BY id") == [
        ("i2", "b", "x"),
        ("i3", "b", "y"),
    ]
    assert move.rows("SELECT id, item_id FROM leaf ORDER BY id") == [
        (1, "i2"),
        (2, "i2"),
        (3, "i3"),
    ]
    assert total(claim) == Counts(inserted=6, merged=2)
    assert_idempotent(move, claim)


def test_nested_duplicates_merge_down_a_self_reference(move: Move) -> None:
    claim = move(
        "CREATE TABLE cat (id int PRIMARY KEY, parent int REFERENCES cat, name text NOT NULL)",
        "INSERT INTO cat VALUES (15, 13, 'l'), (14, 12, 'l')"
        " , (13, 11, 'k'), (12, 10, 'k'), (11, NULL, 'root'), (10, NULL, 'root')",
        "CREATE UNIQUE INDEX ON cat (coalesce(parent, -1), name)",
    )
    assert move.rows("SELECT * FROM cat ORDER BY id") == [
        (10, None, "root"),
        (12, 10, "k"),
        (14, 12, "l"),
    ]
    assert total(claim).merged == 3
    assert_idempotent(move, claim)


def test_group_takes_over_the_row_that_the_target_already_has(move: Move) -> None:
    claim = move(
        PAIR,
        "INSERT INTO biz VALUES ('a', 'r', 'Tea', 1), ('b', 'r', 'Tea', 2);"
        "INSERT INTO item VALUES ('i1', 'a', 'x'), ('i2', 'b', 'y')",
        "CREATE UNIQUE INDEX ON biz (bt, name); INSERT INTO biz VALUES ('z', 'r', 'Tea', 9)",
    )
    assert move.rows("SELECT id, price FROM biz") == [("z", 2)]
    assert move.rows("SELECT DISTINCT biz_id FROM item") == [("z",)]
    assert {merge.key["id"]: merge.survivor["id"] for merge in claim.merges or ()} == {
        "a": "z",
        "b": "z",
    }
    assert_idempotent(move, claim)


def test_join_rows_of_merged_parents_merge_too(move: Move) -> None:
    claim = move(
        'CREATE TABLE "Post" (id int PRIMARY KEY);'
        'CREATE TABLE "Category" (id int PRIMARY KEY, name text);'
        'CREATE TABLE "_CategoryToPost" ("A" int NOT NULL REFERENCES "Category",'
        ' "B" int NOT NULL REFERENCES "Post");'
        'CREATE UNIQUE INDEX "_AB" ON "_CategoryToPost" ("A", "B")',
        "INSERT INTO \"Category\" VALUES (1, 'x'), (2, 'x'); INSERT INTO \"Post\" VALUES (7), (8);"
        'INSERT INTO "_CategoryToPost" VALUES (1, 7), (2, 7), (1, 8)',
        'CREATE UNIQUE INDEX ON "Category" (name)',
    )
    assert move.rows('SELECT "A", "B" FROM "_CategoryToPost" ORDER BY 2') == [(2, 7), (2, 8)]
    table = 'public."_CategoryToPost"'
    assert (claim.counts or {})[table] == Counts(inserted=2, merged=1)
    # Named by the key that it had in the backup.
    assert [dict(m.key) for m in claim.merges or () if m.table == table] == [{"A": "1", "B": "7"}]
    assert_idempotent(move, claim)


def test_row_that_matches_two_target_rows_is_rejected_and_nothing_is_written(move: Move) -> None:
    claim = move(
        "CREATE TABLE u (id int PRIMARY KEY, email text UNIQUE, slug text UNIQUE)",
        "INSERT INTO u VALUES (1, 'a@x', 's1'), (5, 'new@x', 'new')",
        "INSERT INTO u VALUES (1, 'old@x', 'old'), (2, 'a@x', 'z'), (3, 'q@x', 's1')",
    )
    assert [dict(rejection.key) for rejection in claim.rejections or ()] == [{"id": "1"}]
    assert claim.counts == {"public.u": Counts(rejected=1)}
    assert "u_email_key" in claim.message
    assert "u_slug_key" in claim.message
    assert_refused(move, claim)


def test_duplicates_that_are_two_rows_of_the_target_are_rejected(move: Move) -> None:
    claim = move(
        PAIR,
        "INSERT INTO biz VALUES ('a', 'r', 'Tea', 1), ('b', 'r', 'Tea', 2)",
        "CREATE UNIQUE INDEX biz_k ON biz (bt, name);"
        "INSERT INTO biz VALUES ('a', 'r', 'Tea', 1), ('b', 'r', 'Coffee', 2)",
    )
    assert [rejection.key["id"] for rejection in claim.rejections or ()] == ["a", "b"]
    assert_refused(move, claim)


def test_partial_key_merges_live_rows_only_and_lets_them_flip(move: Move) -> None:
    claim = move(
        "CREATE TABLE d (id int PRIMARY KEY, email text NOT NULL, deleted timestamptz);",
        "INSERT INTO d VALUES (1, 'x', '2020-01-01'), (2, 'x', NULL);"
        "INSERT INTO d VALUES (3, 'y', NULL), (4, 'y', NULL)",
        "CREATE UNIQUE INDEX live ON d (email) WHERE deleted IS NULL;"
        "INSERT INTO d VALUES (1, 'x', NULL), (2, 'x', '2021-01-01')",
    )
    assert move.rows("SELECT id, deleted IS NULL FROM d ORDER BY id") == [
        (1, False),
        (2, True),
        (4, True),
    ]
    assert_idempotent(move, claim)


def test_expression_key_merges_what_the_expression_makes_equal(move: Move) -> None:
    claim = move(
        "CREATE TABLE e (id int PRIMARY KEY, email text)",
        "INSERT INTO e VALUES (1, 'Ann@x.org'), (2, 'ann@X.org'), (3, NULL), (4, NULL)",
        "CREATE UNIQUE INDEX ON e (lower(email))",
    )
    assert move.rows("SELECT id, email FROM e ORDER BY id") == [
        (2, "ann@X.org"),
        (3, None),
        (4, None),
    ]
    assert_idempotent(move, claim)


@pytest.mark.parametrize(("nulls", "kept"), [("", 3), ("NULLS NOT DISTINCT", 2)])
def test_nulls_in_a_key(move: Move, nulls: str, kept: int) -> None:
    claim = move(
        "CREATE TABLE n (id int PRIMARY KEY, domain_id text, name text)",
        "INSERT INTO n VALUES (1, NULL, 'Tea'), (2, NULL, 'Tea'), (3, 'd', 'Tea')",
        f"CREATE UNIQUE INDEX ON n (domain_id, name) {nulls}",
    )
    assert move.rows("SELECT count(*) FROM n") == [(kept,)]
    assert_idempotent(move, claim)


@pytest.mark.parametrize(
    "key",
    ["slug text UNIQUE", "slug text NOT NULL UNIQUE", "slug varchar(2) NOT NULL UNIQUE",
     "slug text NOT NULL UNIQUE DEFERRABLE"],
)  # fmt: skip
def test_values_swapped_between_rows_and_handed_on_to_a_new_one(move: Move, key: str) -> None:
    claim = move(
        f"CREATE TABLE sw (id int PRIMARY KEY, {key})",
        "INSERT INTO sw VALUES (1, 'b'), (2, 'a'), (3, 'c'), (4, 'd')",
        "INSERT INTO sw VALUES (1, 'a'), (2, 'b'), (3, 'd')",
    )
    assert move.rows("SELECT * FROM sw ORDER BY id") == [(1, "b"), (2, "a"), (3, "c"), (4, "d")]
    assert total(claim) == Counts(inserted=1, updated=3)
    assert_idempotent(move, claim)


@pytest.mark.parametrize("kind", ["varchar(1)", "varchar(2)", "char(3)"])
def test_many_short_values_handed_on_along_a_list(move: Move, kind: str) -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    before = ", ".join(f"({n}, '{letter}')" for n, letter in enumerate(letters))
    after = ", ".join(f"({n}, '{letters[n - 1]}')" for n in range(len(letters)))
    claim = move(
        f"CREATE TABLE sw (id int PRIMARY KEY, slug {kind} NOT NULL UNIQUE)",
        f"INSERT INTO sw VALUES {after}",
        f"INSERT INTO sw VALUES {before}",
    )
    assert total(claim) == Counts(updated=len(letters))
    assert_idempotent(move, claim)


def test_unique_references_swapped_between_rows(move: Move) -> None:
    claim = move(
        "CREATE TABLE seat (id int PRIMARY KEY);"
        "CREATE TABLE guest (id int PRIMARY KEY, seat int UNIQUE REFERENCES seat);"
        "INSERT INTO seat VALUES (1), (2), (3)",
        "INSERT INTO guest VALUES (1, 2), (2, 1), (3, 3)",
        "INSERT INTO guest VALUES (1, 1), (2, 2)",
    )
    assert move.rows("SELECT * FROM guest ORDER BY id") == [(1, 2), (2, 1), (3, 3)]
    assert_idempotent(move, claim)


def test_positions_shifted_along_a_list(move: Move) -> None:
    claim = move(
        "CREATE TABLE p (id int PRIMARY KEY, place int NOT NULL UNIQUE)",
        "INSERT INTO p VALUES (9, 1), (1, 2), (2, 3), (3, 4)",
        "INSERT INTO p VALUES (1, 1), (2, 2), (3, 3)",
    )
    assert move.rows("SELECT * FROM p ORDER BY id") == [(1, 2), (2, 3), (3, 4), (9, 1)]
    assert_idempotent(move, claim)


def test_swap_that_no_value_in_between_can_bridge_is_rejected_by_name(move: Move) -> None:
    claim = move(
        "CREATE TABLE sw (id int PRIMARY KEY, active boolean NOT NULL UNIQUE)",
        "INSERT INTO sw VALUES (1, true), (2, false)",
        "INSERT INTO sw VALUES (1, false), (2, true)",
    )
    assert [r.constraint for r in claim.rejections or ()] == ["sw_active_key"] * 2
    assert_refused(move, claim)


def test_repeated_key_inside_the_backup_keeps_the_last_row(move: Move) -> None:
    insert = "INSERT INTO public.t (id, v) VALUES ({});\n"
    claim = move.load(
        insert.format("1, 'first'") + insert.format("1, 'last'"),
        "CREATE TABLE t (id int PRIMARY KEY, v text)",
    )
    assert move.rows("SELECT v FROM t") == [("last",)]
    assert claim.counts == {"public.t": Counts(inserted=1, merged=1)}
    assert_idempotent(move, claim)


def test_equal_keys_with_another_text_are_one_row_and_take_the_new_text(move: Move) -> None:
    claim = move(
        "CREATE TABLE k (id numeric PRIMARY KEY, v int)",
        "INSERT INTO k VALUES (1.10, 1)",
        "INSERT INTO k VALUES (1.1, 0)",
    )
    assert move.rows("SELECT id::text, v FROM k") == [("1.10", 1)]
    assert_idempotent(move, claim)


def test_column_that_only_the_target_has_keeps_the_targets_value(move: Move) -> None:
    claim = move(
        "CREATE TABLE s (id int PRIMARY KEY, v text)",
        "INSERT INTO s VALUES (1, 'a'), (2, 'b'), (3, 'b')",
        "ALTER TABLE s ADD dom text NOT NULL DEFAULT 'x'; CREATE UNIQUE INDEX ON s (v, dom);"
        "INSERT INTO s VALUES (3, 'c', 'y')",
    )
    assert move.rows("SELECT * FROM s ORDER BY id") == [(1, "a", "x"), (2, "b", "x"), (3, "b", "y")]
    assert_idempotent(move, claim)


def test_duplicate_that_loses_its_key_to_the_winner_takes_no_row_of_the_target(move: Move) -> None:
    # Were t written, nothing would tie the winner to it when it is restored again.
    claim = move.load(
        "INSERT INTO public.t (id, k) VALUES (2, 'x');\n"
        "INSERT INTO public.t (id, k) VALUES (2, NULL);\n",
        "CREATE TABLE t (id int PRIMARY KEY, k text UNIQUE); INSERT INTO t VALUES (5, 'x')",
    )
    assert claim.counts == {"public.t": Counts(inserted=1, merged=1)}
    assert move.rows("SELECT * FROM t ORDER BY id") == [(2, None), (5, "x")]
    assert_idempotent(move, claim)


def test_rejected_row_without_a_key_is_named_as_the_backup_has_it(move: Move) -> None:
    claim = move.load(
        "INSERT INTO public.p (id, k) VALUES (1, 'x');\n"
        "INSERT INTO public.c (p, q) VALUES (1, 9);\n",
        "CREATE TABLE p (id int PRIMARY KEY, k text UNIQUE); INSERT INTO p VALUES (5, 'x');"
        "CREATE TABLE c (p int REFERENCES p, q int REFERENCES p)",
    )
    assert [one.key for one in claim.rejections or ()] == [{"p": "1", "q": "9"}]
    assert_refused(move, claim)


@pytest.mark.parametrize("order", ["id", "md5(id::text)"])
def test_long_chain_of_duplicates_is_found_in_a_few_rounds(move: Move, order: str) -> None:
    # One round a link, as it was, takes half a minute for a quarter of these.
    rows = (
        "INSERT INTO t SELECT id, id + (id + 1) % 2, id + id % 2"
        f" FROM generate_series(1, 2000) id ORDER BY {order}"
    )
    started = time.monotonic()
    claim = move(
        "CREATE TABLE t (id int PRIMARY KEY, a int, b int)",
        rows,
        "CREATE UNIQUE INDEX ON t (a); CREATE UNIQUE INDEX ON t (b)",
    )
    assert claim.counts == {"public.t": Counts(inserted=1, merged=1999)}
    assert time.monotonic() - started < 30


def test_cycle_over_keys_that_are_equal_in_other_digits_comes_to_an_end(move: Move) -> None:
    claim = move.load(
        "INSERT INTO public.t (id, up) VALUES (1, 1);\n"
        "INSERT INTO public.t (id, up) VALUES (1.0, 1.0);\n",
        "CREATE TABLE t (id numeric PRIMARY KEY, up numeric REFERENCES t)",
    )
    assert claim.counts == {"public.t": Counts(inserted=1, merged=1)}
    assert move.rows("SELECT id::text, up::text FROM t") == [("1.0", "1.0")]
    assert_idempotent(move, claim)


def test_references_that_share_a_column_follow_together(move: Move) -> None:
    claim = move(
        "CREATE TABLE p (a int, b int, name text, PRIMARY KEY (a, b));"
        "CREATE TABLE c (id int PRIMARY KEY, a int, b int, b2 int,"
        " FOREIGN KEY (a, b) REFERENCES p, FOREIGN KEY (a, b2) REFERENCES p);"
        "CREATE TABLE d (id int PRIMARY KEY, a int, b int, b2 int,"
        " FOREIGN KEY (a, b) REFERENCES p, FOREIGN KEY (a, b2) REFERENCES p);",
        "INSERT INTO p VALUES (2, 1, 'x'), (2, 3, 'y');"
        "INSERT INTO c VALUES (1, 2, 1, 1), (2, 2, 1, NULL), (3, 2, NULL, 3);"
        "INSERT INTO d VALUES (1, 2, 1, 3)",
        "ALTER TABLE p ADD UNIQUE (name); INSERT INTO p VALUES (1, 2, 'x'), (1, 4, 'y')",
    )
    assert claim.success, claim.message
    assert move.target.execute("SELECT * FROM c ORDER BY id") == [
        (1, 1, 2, 2),
        (2, 1, 2, None),
        (3, 1, None, 4),
    ]
    assert move.target.execute("SELECT * FROM d") == [(1, 1, 2, 4)]


def test_references_to_equal_keys_keep_their_own_spelling(move: Move) -> None:
    claim = move(
        "CREATE TABLE p (span interval, name text);"
        "CREATE TABLE c (id int PRIMARY KEY, span interval);",
        "INSERT INTO p VALUES ('1 mon', 'x'), ('30 days', 'y'); INSERT INTO c VALUES (1, '1 mon')",
        "ALTER TABLE p ADD PRIMARY KEY (span); ALTER TABLE c ADD FOREIGN KEY (span) REFERENCES p;"
        "INSERT INTO p VALUES ('1 mon', 'old')",
    )
    assert claim.success, claim.message
    texts = "SELECT p.span::text, p.name, c.span::text FROM p JOIN c USING (span)"
    assert move.target.execute(texts) == [("30 days", "y", "1 mon")]
    assert_idempotent(move, claim)


def test_orphan_is_not_given_to_a_row_that_only_merges_into_what_it_names(move: Move) -> None:
    claim = move(
        "CREATE TABLE p (id int PRIMARY KEY, name text); CREATE TABLE c (p int PRIMARY KEY);"
        "CREATE TABLE d (id int PRIMARY KEY, c int)",
        "INSERT INTO p VALUES (3, 'x'); INSERT INTO c VALUES (3);"
        "INSERT INTO d VALUES (1, 1), (2, 3), (3, NULL)",
        "ALTER TABLE p ADD UNIQUE (name); ALTER TABLE c ADD FOREIGN KEY (p) REFERENCES p;"
        "ALTER TABLE d ADD FOREIGN KEY (c) REFERENCES c; INSERT INTO p VALUES (1, 'x')",
    )
    assert [(r.table, r.key, r.constraint) for r in claim.rejections or ()] == [
        ("public.d", {"id": "1"}, "d_c_fkey")
    ]
    assert move.rows("SELECT FROM c") == []


def test_reference_that_the_backup_lacks_is_the_targets_own_when_parents_merge(move: Move) -> None:
    claim = move(
        "CREATE TABLE p (id int PRIMARY KEY, name text); CREATE TABLE c (id int PRIMARY KEY);",
        "INSERT INTO p VALUES (3, 'x'); INSERT INTO c VALUES (1)",
        "ALTER TABLE p ADD UNIQUE (name); INSERT INTO p VALUES (1, 'x');"
        "ALTER TABLE c ADD p int DEFAULT 99 REFERENCES p; INSERT INTO c VALUES (1, 1)",
    )
    assert claim.success, claim.message
    assert move.rows("SELECT * FROM c") == [(1, 1)]
    assert_idempotent(move, claim)


def test_references_that_share_a_column_come_to_agree_one_after_the_other(move: Move) -> None:
    claim = move(
        "CREATE TABLE p (id int PRIMARY KEY, name text); CREATE TABLE q (id int PRIMARY KEY,"
        " name text); CREATE TABLE r (q int PRIMARY KEY REFERENCES q);"
        "CREATE TABLE c (id int PRIMARY KEY, code int)",
        "INSERT INTO p VALUES (2, 'x'); INSERT INTO q VALUES (2, 'x'); INSERT INTO r VALUES (2);"
        "INSERT INTO c VALUES (1, 2)",
        "ALTER TABLE p ADD UNIQUE (name); ALTER TABLE q ADD UNIQUE (name);"
        "ALTER TABLE c ADD FOREIGN KEY (code) REFERENCES p, ADD FOREIGN KEY (code) REFERENCES r;"
        "INSERT INTO p VALUES (1, 'x'); INSERT INTO q VALUES (1, 'x')",
    )
    assert claim.success, claim.message
    assert move.rows("SELECT p.name, c.code FROM c JOIN p ON p.id = code") == [("x", 1)]
    assert_idempotent(move, claim)


RING = (
    "CREATE TABLE arc (id int PRIMARY KEY, name text, moment int UNIQUE, shop text UNIQUE);"
    "CREATE TABLE shop (moment int REFERENCES arc (moment), id int, name text UNIQUE,"
    " PRIMARY KEY (moment, id), UNIQUE (moment, name))",
    "INSERT INTO arc VALUES (2, 'c', 2), (1, 'c', 1); INSERT INTO shop VALUES (2, 10, 'A')",
    "ALTER TABLE arc ADD UNIQUE (name), ADD FOREIGN KEY (shop) REFERENCES shop (name);"
    "INSERT INTO arc VALUES (7, 'c', 2); INSERT INTO shop VALUES (2, 10, 'A')",
)
"""What a row of the target refers to by its key would become something else."""


def test_row_that_took_over_a_key_refers_by_it_to_what_the_targets_row_does(move: Move) -> None:
    claim = move(*RING)
    assert [rejection.key for rejection in claim.rejections] == [{"id": "1"}]
    assert "rows of public.shop in the target refer to what it would overwrite" in claim.message
    assert_refused(move, claim)


def test_rows_that_would_follow_each_other_without_an_end_are_refused_by_name(
    move: Move, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The engine as it was: no rows are known that still go round.
    monkeypatch.setattr(following, "_took_over", lambda _: "false")
    claim = move(*RING)
    assert "rows of public.arc, public.shop refer to each other and follow" in claim.message
    assert_refused(move, claim)
