"""Rows that are rejected when others were already merged with them, or counted on them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.initial_load.conftest import Move, assert_idempotent
from verifier.transfer import RestoreOptions


@pytest.fixture
def aside(move: Move, tmp_path: Path) -> Move:
    """A restore that sets rejected rows aside."""
    move.options = replace(move.options, quarantine=tmp_path / "rejected.jsonl")
    return move


TWINS = "CREATE TABLE b (id text PRIMARY KEY, a text REFERENCES a);"


def test_children_stay_with_their_parent_where_its_survivor_is_rejected(aside: Move) -> None:
    claim = aside(
        "CREATE TABLE a (id text PRIMARY KEY, name text, no int GENERATED ALWAYS AS IDENTITY);"
        + TWINS,
        "INSERT INTO a VALUES ('1', 'x'), ('2', 'x'); INSERT INTO b VALUES ('1', '1'), ('2', '2')",
        "ALTER TABLE a ADD UNIQUE (name); INSERT INTO a (id, name, no)"
        " OVERRIDING SYSTEM VALUE VALUES ('2', 'y', 7)",
    )
    assert claim.rejections is not None
    assert [(one.table, dict(one.key)) for one in claim.rejections] == [
        ("public.a", {"id": "2"}),
    ]
    assert "GENERATED ALWAYS" in claim.rejections[0].reason
    assert aside.target.execute("SELECT id, name FROM a ORDER BY id") == [("1", "x"), ("2", "y")]
    # By its key, the target's row 2 is the one that the second child refers to.
    assert aside.target.execute("SELECT id, a FROM b ORDER BY id") == [("1", "1"), ("2", "2")]


def test_children_stay_with_their_parent_where_its_survivor_is_suspected(aside: Move) -> None:
    aside.options = replace(aside.options, strict_ids=True)
    claim = aside(
        "CREATE TABLE a (id serial PRIMARY KEY, name text);"
        "CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a);",
        "INSERT INTO a VALUES (1, 'x'), (2, 'x'); INSERT INTO b VALUES (1, 1), (2, 2)",
        "ALTER TABLE a ADD UNIQUE (name); INSERT INTO a VALUES (2, 'y')",
    )
    assert claim.success
    assert aside.target.execute("SELECT * FROM a ORDER BY id") == [(1, "x"), (2, "y")]
    assert aside.target.execute("SELECT * FROM b") == [(1, 1)]
    assert [one.key["id"] for one in claim.rejections or ()] == ["2", "2"]


def test_child_of_a_suspect_that_is_rejected_for_its_twin_the_second_time(
    aside: Move, tmp_path: Path
) -> None:
    aside.options = replace(aside.options, strict_ids=True)
    claim = aside(
        "CREATE TABLE a (id serial PRIMARY KEY, band int, name text);"
        "CREATE TABLE b (id text PRIMARY KEY, a int REFERENCES a);",
        "INSERT INTO a VALUES (1, 1, 'x'), (3, 1, 'X');"
        "INSERT INTO b VALUES ('one', 1), ('three', 3)",
        "ALTER TABLE a ADD UNIQUE (band), ADD UNIQUE (name); INSERT INTO a VALUES (3, 2, 'y')",
    )
    assert claim.success
    aside.options = replace(aside.options, quarantine=tmp_path / "again.jsonl")
    again = aside.again()
    # Now the twin is there, so that the suspect is two rows of the target.
    assert "its duplicates" in (again.rejections or ())[0].reason
    assert aside.target.execute("SELECT * FROM b") == [("one", 1)]


@pytest.mark.parametrize(("kind", "children"), [("serial", []), ("int", [(1, 1)])])
def test_child_of_a_rejected_row_and_another_row_of_its_number(
    aside: Move, kind: str, children: list[tuple[int, int]]
) -> None:
    aside.options = replace(aside.options, strict_ids=True)
    claim = aside(
        f"CREATE TABLE a (id {kind} PRIMARY KEY, name text);"
        "CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a);",
        "INSERT INTO a VALUES (1, NULL); INSERT INTO b VALUES (1, 1)",
        "INSERT INTO a VALUES (1, 'bob'); ALTER TABLE a ALTER name SET NOT NULL",
    )
    assert claim.success
    assert (claim.rejections or ())[0].reason == "column name is NULL"
    assert aside.target.execute("SELECT * FROM b") == children


def test_check_that_only_a_merged_row_breaks(aside: Move) -> None:
    claim = aside(
        "CREATE TABLE a (id int PRIMARY KEY, name text, up int REFERENCES a, CHECK (up <> id));",
        "INSERT INTO a VALUES (1, 'x', NULL), (2, 'x', 1), (3, 'y', NULL), (4, 'y', 3)",
        "ALTER TABLE a ADD UNIQUE (name)",
    )
    assert claim.success
    assert aside.target.execute("SELECT id FROM a ORDER BY id") == [(1,), (3,)]
    assert [one.key["id"] for one in claim.rejections or ()] == ["2", "4"]


def test_part_that_nobody_made_for_the_survivors_number(aside: Move) -> None:
    claim = aside(
        "CREATE TABLE a (id int PRIMARY KEY, name text);"
        "CREATE TABLE b (id int, a int REFERENCES a) PARTITION BY LIST (a);"
        "CREATE TABLE b1 PARTITION OF b FOR VALUES IN (1);",
        "INSERT INTO a VALUES (1, 'x'); INSERT INTO b VALUES (1, 1)",
        "ALTER TABLE a ADD UNIQUE (name); INSERT INTO a VALUES (2, 'x')",
    )
    assert claim.success
    assert [one.table for one in claim.rejections or ()] == ["public.b"]


def test_row_that_counts_on_a_code_that_changes(aside: Move) -> None:
    claim = aside(
        "CREATE TABLE a (id int PRIMARY KEY, code text UNIQUE, up text);",
        "INSERT INTO a VALUES (1, 'new', NULL), (2, 'c', 'old'), (3, 'd', 'new')",
        "ALTER TABLE a ADD FOREIGN KEY (up) REFERENCES a (code);"
        "INSERT INTO a VALUES (1, 'old', NULL)",
    )
    assert claim.success, claim.message
    assert [one.key["id"] for one in claim.rejections or ()] == ["2"]


def test_rows_follow_their_parent_to_the_code_that_a_newer_row_keeps(move: Move) -> None:
    move.options = RestoreOptions(prefer="t")
    claim = move(
        "CREATE TABLE a (id int PRIMARY KEY, name text, code text UNIQUE, t int, up text);"
        "CREATE TABLE b (a text PRIMARY KEY REFERENCES a (code)); CREATE TABLE c (b text);",
        "INSERT INTO a VALUES (1, 'x', 'n1', 3, 'n2'), (2, 'x', 'n2', 4, NULL),"
        " (3, 'y', 'd', 3, 'n1');"
        "INSERT INTO b VALUES ('n1'), ('d'); INSERT INTO c VALUES ('n1')",
        "ALTER TABLE a ADD UNIQUE (name), ADD FOREIGN KEY (up) REFERENCES a (code);"
        "ALTER TABLE c ADD FOREIGN KEY (b) REFERENCES b;"
        "INSERT INTO a VALUES (7, 'x', 'old', 5, NULL)",
    )
    assert claim.success, claim.message
    assert move.rows("SELECT id, up FROM a ORDER BY id") == [(3, "old"), (7, None)]
    assert move.rows("SELECT a FROM b ORDER BY a") == [("d",), ("old",)]
    assert move.rows("SELECT b FROM c") == [("old",)]
    assert_idempotent(move, claim)


def test_row_does_not_follow_to_a_code_that_the_newer_row_lacks(aside: Move) -> None:
    aside.options = replace(aside.options, prefer="t")
    claim = aside(
        "CREATE TABLE a (id int PRIMARY KEY, code text UNIQUE, t int);"
        "CREATE TABLE b (a text REFERENCES a (code));",
        "INSERT INTO a VALUES (1, 'new', 3); INSERT INTO b VALUES ('new')",
        "INSERT INTO a VALUES (1, NULL, 5)",
    )
    assert claim.success
    assert [one.table for one in claim.rejections or ()] == ["public.b"]


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_tie_is_settled_by_a_key_of_any_type(move: Move, order: tuple[int, int]) -> None:
    move.options = RestoreOptions(prefer="t")
    rows = {1: "('1 day', 'x', 5, 'one')", 2: "('2 days', 'x', 5, 'two')"}
    claim = move(
        "CREATE TABLE a (id interval PRIMARY KEY, name text, t int, what text);",
        f"INSERT INTO a VALUES {', '.join(rows[one] for one in order)}",
        "ALTER TABLE a ADD UNIQUE (name)",
    )
    assert claim.success
    assert move.target.execute("SELECT what FROM a") == [("two",)]


LINKED = (
    "CREATE TABLE a (id int PRIMARY KEY, code text UNIQUE);"
    "CREATE TABLE b (id int PRIMARY KEY, a text REFERENCES a (code), name text, t int);"
)


@pytest.mark.parametrize(
    ("target", "prefer"),
    [("ALTER TABLE b ADD CHECK (t > 0);", ""), ("", "t")],
    ids=["rejected", "left out"],
)
def test_row_that_was_to_overwrite_what_refers_to_a_code_is_not(
    aside: Move, target: str, prefer: str
) -> None:
    aside.options = replace(aside.options, prefer=prefer)
    claim = aside(
        LINKED,
        "INSERT INTO a VALUES (1, 'new'), (2, 'two'); INSERT INTO b VALUES (1, 'new', 'x', -1)",
        target + "INSERT INTO a VALUES (1, 'old'); INSERT INTO b VALUES (1, 'old', 'x', 5)",
    )
    assert claim.success, claim.message
    assert [(one.table, one.key["id"]) for one in claim.rejections or ()] == [
        ("public.a", "1"),
        ("public.b", "1"),
    ]
    assert aside.rows("SELECT * FROM a ORDER BY id") == [(1, "old"), (2, "two")]
    assert aside.rows("SELECT * FROM b") == [(1, "old", "x", 5)]


def test_row_that_is_overwritten_under_another_number_is_not_left_behind(move: Move) -> None:
    claim = move(
        LINKED,
        "INSERT INTO a VALUES (1, 'new'); INSERT INTO b VALUES (7, 'new', 'x', 1)",
        "ALTER TABLE b ADD UNIQUE (name);"
        "INSERT INTO a VALUES (1, 'old'); INSERT INTO b VALUES (5, 'old', 'x', 1)",
    )
    assert claim.success, claim.message
    assert move.rows("SELECT * FROM a") == [(1, "new")]
    assert move.rows("SELECT * FROM b") == [(5, "new", "x", 1)]


def test_null_that_only_a_domain_refuses(aside: Move) -> None:
    claim = aside(
        "",
        "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, NULL), (2, 2)",
        "CREATE DOMAIN charge AS int; CREATE DOMAIN fee AS charge NOT NULL;"
        "CREATE TABLE t (id int PRIMARY KEY, v fee)",
    )
    assert claim.success, claim.message
    assert [dict(one.key) for one in claim.rejections or ()] == [{"id": "1"}]


def test_key_of_the_target_by_which_another_reference_has_no_parent(aside: Move) -> None:
    claim = aside(
        "CREATE TABLE arc (id int, line int, PRIMARY KEY (id, line));"
        "CREATE TABLE shop (a int, line int, no int, line2 int, name text, PRIMARY KEY (a, line),"
        " UNIQUE (name), FOREIGN KEY (a, line) REFERENCES arc, FOREIGN KEY (a, line2)"
        " REFERENCES arc);",
        "INSERT INTO arc VALUES (10, 9), (11, 9); INSERT INTO shop VALUES (10, 9, 1, 9, 'b'),"
        " (11, 9, 1, 9, 'c')",
        "INSERT INTO arc VALUES (4, 5); INSERT INTO shop VALUES (4, 5, 1, 5, 'b')",
    )
    assert claim.success, claim.message
    assert [(one.constraint, dict(one.key)) for one in claim.rejections or ()] == [
        ("shop_a_line2_fkey", {"a": "10", "line": "9"})
    ]


def test_child_of_a_rejected_row_when_another_comes_to_be_called_like_it(aside: Move) -> None:
    claim = aside(
        "CREATE TABLE item (shop int, no int, code text, PRIMARY KEY (shop, no));"
        "CREATE TABLE price (shop int, no int, name text, low int, PRIMARY KEY (shop, no),"
        "  FOREIGN KEY (shop, no) REFERENCES item);"
        "CREATE TABLE tag (id int PRIMARY KEY, shop int, no int,"
        "  FOREIGN KEY (shop, no) REFERENCES price);",
        "INSERT INTO item VALUES (2, 1, 'x'), (1, 3, 'x');"
        "INSERT INTO price VALUES (2, 1, 'fits', 1), (1, 3, 'broken', -1);"
        "INSERT INTO tag VALUES (21, 2, 1), (13, 1, 3)",
        "ALTER TABLE item ADD UNIQUE (code);"
        "ALTER TABLE price ADD UNIQUE (name), ADD CHECK (low > 0);"
        "INSERT INTO item VALUES (1, 2, 'y'); INSERT INTO price VALUES (1, 2, 'fits', 2)",
    )
    assert claim.success
    # The price of item (2, 1) goes to (1, 3) with it, and then becomes the target's (1, 2).
    assert aside.target.execute("SELECT * FROM price") == [(1, 2, "fits", 1)]
    assert aside.target.execute("SELECT * FROM tag") == [(21, 1, 2)]
    assert [(r.table, r.key.get("id")) for r in claim.rejections or ()] == [
        ("public.price", None),
        ("public.tag", "13"),
    ]
