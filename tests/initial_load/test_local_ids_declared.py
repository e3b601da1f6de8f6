"""Declared references to numbers that are made anew (``--ids local``, traps U12 and U13)."""

from __future__ import annotations

import pytest

from tests.initial_load.conftest import Move, assert_refused
from tests.initial_load.test_local_ids import assert_settled
from verifier.contract import Rejection
from verifier.transfer import Ids, Reference, RestoreOptions

BIZ = "CREATE TABLE biz (id serial PRIMARY KEY, name text UNIQUE NOT NULL);"


def declared(move: Move, *references: Reference) -> None:
    move.options = RestoreOptions(ids=Ids.LOCAL, references=references)


@pytest.mark.parametrize(
    ("kind", "was", "now"), [("text", "1", "6"), ("bigint[]", "{1}", "{6}")], ids=["text", "array"]
)
def test_key_that_is_a_declared_reference_takes_its_children_along(
    move: Move, kind: str, was: str, now: str
) -> None:
    declared(move, Reference("flag", "owner", "biz"))
    claim = move(
        f"{BIZ} CREATE TABLE flag (owner {kind} PRIMARY KEY, v int);"
        f"CREATE TABLE note (owner {kind} REFERENCES flag, t text)",
        f"INSERT INTO biz VALUES (1, 'new'); INSERT INTO flag VALUES ('{was}', 1);"
        f"INSERT INTO note VALUES ('{was}', 'x')",
        "INSERT INTO biz VALUES (5, 'tea')",
    )
    assert move.rows("SELECT f.owner::text, v, n.owner::text, t FROM flag f, note n") == [
        (now, 1, now, "x")
    ]
    assert_settled(move, claim)


def test_rejected_rows_are_named_as_the_backup_has_them(move: Move) -> None:
    declared(move, Reference("flag", "owner", "biz"), Reference("seen", "by", "biz"))
    claim = move(
        f"{BIZ} CREATE TABLE flag (owner text PRIMARY KEY, v int);"
        "CREATE TABLE note (owner text REFERENCES flag, t text);"
        "CREATE TABLE seen (biz int, by int[], cfg json)",
        "INSERT INTO biz VALUES (1, 'new');"
        "INSERT INTO flag VALUES ('1', 7); INSERT INTO note VALUES ('1', 'x');"
        "INSERT INTO seen VALUES (7, '{1,NULL,3}')",
        "ALTER TABLE flag ADD FOREIGN KEY (v) REFERENCES biz;"
        "ALTER TABLE seen ADD FOREIGN KEY (biz) REFERENCES biz",
    )
    assert claim.rejections == (
        Rejection(
            table="public.flag",
            key={"owner": "1"},
            reason="has no parent: public.biz (id) = (7)",
            constraint="flag_v_fkey",
        ),
        Rejection(
            table="public.note",
            key={"owner": "1", "t": "x"},
            reason="its parent is rejected: public.flag (owner) = (1)",
            constraint="note_owner_fkey",
        ),
        Rejection(
            table="public.seen",
            key={"biz": "7", "by": "{1,NULL,3}", "cfg": None},
            reason="has no parent: public.biz (id) = (7)",
            constraint="seen_biz_fkey",
        ),
    )
    assert_refused(move, claim)


def test_merged_row_is_named_as_the_backup_has_it(move: Move) -> None:
    declared(move, Reference("flag", "owner", "biz"))
    claim = move(
        f"{BIZ} CREATE TABLE flag (owner text PRIMARY KEY, v int UNIQUE)",
        "INSERT INTO biz VALUES (1, 'tea'); INSERT INTO flag VALUES ('1', 1)",
        "INSERT INTO biz VALUES (5, 'tea'), (6, 'cup'); INSERT INTO flag VALUES ('6', 1)",
    )
    assert [(merge.key, merge.survivor) for merge in claim.merges] == [
        ({"id": "1"}, {"id": "5"}),
        ({"owner": "1"}, {"owner": "6"}),
    ]
    assert_settled(move, claim)


def test_narrow_array_that_is_a_key_is_refused_by_name(move: Move) -> None:
    declared(move, Reference("flag", "owner", "biz"))
    claim = move(
        f"{BIZ} CREATE TABLE flag (owner int[] UNIQUE)",
        "INSERT INTO biz VALUES (1, 'tea'); INSERT INTO flag VALUES ('{1}')",
    )
    assert "public.flag.owner is declared" in claim.message
    assert "flag_owner_key" in claim.message
    assert "it is integer[]" in claim.message
    assert_refused(move, claim)


@pytest.mark.parametrize("name", ["v", "e", "x", "c"])
def test_column_may_be_called_as_anything(move: Move, name: str) -> None:
    declared(move, Reference("page", name, "biz", ("*",)), Reference("item", name, "biz"))
    claim = move(
        f"{BIZ} CREATE TABLE page (id text PRIMARY KEY, {name} json);"
        f"CREATE TABLE item (id text PRIMARY KEY, {name} int[])",
        "INSERT INTO biz VALUES (1, 'new'); INSERT INTO page VALUES ('p', '[1, 9]');"
        "INSERT INTO item VALUES ('i', '{1,9}')",
        "INSERT INTO biz VALUES (5, 'tea')",
    )
    assert move.rows(f"SELECT p.{name}::text, i.{name} FROM page p, item i") == [("[6, 9]", [6, 9])]
    assert_settled(move, claim)


def test_declared_references_follow_new_numbers(move: Move) -> None:
    move.options = RestoreOptions(
        ids=Ids.LOCAL,
        references=(
            Reference("page", "cfg", "biz", ("bizId",)),
            Reference("page", "old", "biz", ("*",)),
            Reference("page", "ids", "biz"),
            Reference("page", "ref", "biz", condition=("kind", "biz")),
            Reference("page", "word", "biz", condition=("kind", "biz")),
        ),
    )
    claim = move(
        "CREATE TABLE biz (id serial PRIMARY KEY, name text UNIQUE NOT NULL);"
        "CREATE TABLE page (id text PRIMARY KEY, cfg jsonb, old json, ids int[], kind text,"
        " ref int, word text)",
        "INSERT INTO biz VALUES (1, 'new'), (2, 'tea'), (3, 'cup');"
        "INSERT INTO page VALUES ('p', '{\"bizId\": 1}', '[1, \"2\", 9]', '{3,1,NULL,9}', 'biz', 3,"
        " '2'), ('q', '{\"bizId\": \"2\"}', NULL, '{}', 'shop', 1, '1')",
        "INSERT INTO biz VALUES (1, 'cup'), (3, 'tea'), (9, 'unrelated')",
    )
    assert move.rows("SELECT id, name FROM biz ORDER BY 1") == [
        (1, "cup"),
        (3, "tea"),
        (9, "unrelated"),
        (10, "new"),
    ]
    assert move.rows("SELECT cfg::text, old::text, ids::text, ref, word FROM page ORDER BY id") == [
        ('{"bizId": 10}', '[10, "3", 9]', "{1,10,NULL,9}", 1, "3"),
        ('{"bizId": "3"}', None, "{}", 1, "1"),
    ]
    left = [note for note in claim.notes if "references to nothing" in note]
    assert ["page.old: 1 numbers, first 9" in left[0], "page.ids: 1 numbers" in left[1]] == [
        True
    ] * 2
    assert_settled(move, claim)


def test_declared_reference_to_its_own_table_wants_a_key(move: Move) -> None:
    move.options = RestoreOptions(ids=Ids.LOCAL, references=(Reference("page", "see", "page"),))
    rows = """INSERT INTO page VALUES (1, 'a', '[2]'), (2, 'b', '[1, 2]')"""
    both = "CREATE TABLE page (id serial PRIMARY KEY, slug text UNIQUE, see json)"
    claim = move(both, rows, "INSERT INTO page VALUES (1, 'b', '[]')")
    assert move.rows("SELECT id, slug, see::text FROM page ORDER BY 1") == [
        (1, "b", "[2, 1]"),
        (2, "a", "[1]"),
    ]
    assert_settled(move, claim)
    claim = move(both, rows + ", (3, NULL, '[3]')", "INSERT INTO page VALUES (1, 'b', '[]')")
    assert "public.page.see is declared to refer" in claim.message
    assert_refused(move, claim)
