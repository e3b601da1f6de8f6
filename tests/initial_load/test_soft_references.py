"""References that no constraint declares follow merges once they are declared (trap U13)."""

from __future__ import annotations

import pytest

from tests.initial_load.conftest import Move, assert_idempotent, assert_refused, total
from verifier.initial_load.cells import ids
from verifier.transfer import Reference, RestoreOptions

BIZ = "CREATE TABLE biz (id text PRIMARY KEY, name text UNIQUE);"
ROWS = "INSERT INTO biz VALUES ('S', 'Tea'), ('N', 'New');"
TARGET = "INSERT INTO biz VALUES ('T', 'Tea');"


def declared(move: Move, *references: Reference) -> None:
    move.options = RestoreOptions(references=references)


def test_every_kind_of_cell_of_the_trap_follows(move: Move) -> None:
    declared(
        move,
        Reference("page", "cfg", "biz", ("bizId",)),
        Reference("page", "biz_ids", "biz"),
        Reference("page", "poly_id", "biz", condition=("poly_type", "biz")),
    )
    claim = move(
        BIZ + "CREATE TABLE page (id int PRIMARY KEY, cfg jsonb, biz_ids text[], poly_type text,"
        " poly_id text)",
        ROWS + 'INSERT INTO page VALUES (1, \'{"bizId": "S", "other": "S"}\', \'{S,N,S}\','
        " 'biz', 'S'), (2, '{\"bizId\": \"N\"}', '{N}', 'shop', 'S'),"
        " (3, NULL, NULL, 'biz', 'gone')",
        TARGET,
    )
    assert move.rows("SELECT cfg::text, biz_ids, poly_id FROM page ORDER BY id") == [
        ('{"bizId": "T", "other": "S"}', ["T", "N", "T"], "T"),
        ('{"bizId": "N"}', ["N"], "S"),
        (None, None, "gone"),
    ]
    assert_idempotent(move, claim)


def test_json_keeps_its_text_except_for_the_id(move: Move) -> None:
    declared(move, Reference("page", "cfg", "biz", ("rows", "*", "biz")))
    text = '{ "a":1.10, "a":2,\n"rows" : [ {"biz":"S" , "x":"S"},7,{"biz":"\\u0053"},{"biz":null}]}'
    claim = move(
        BIZ + "CREATE TABLE page (id int PRIMARY KEY, cfg json)",
        ROWS + f"INSERT INTO page VALUES (1, '{text}'), (2, '{{ \"rows\" : [ ] }}')",
        TARGET,
    )
    moved = text.replace('"biz":"S"', '"biz":"T"').replace('"\\u0053"', '"T"')
    assert move.rows("SELECT cfg::text FROM page ORDER BY id") == [(moved,), ('{ "rows" : [ ] }',)]
    assert_idempotent(move, claim)


def test_arrays_keep_their_shape_and_uuids_their_type(move: Move) -> None:
    declared(move, Reference("page", "ids", "biz"), Reference("page", "main", "biz"))
    old, new, other = (f"00000000-0000-0000-0000-00000000000{no}" for no in (1, 2, 3))
    claim = move(
        "CREATE TABLE biz (id uuid PRIMARY KEY, name text UNIQUE);"
        "CREATE TABLE page (id int PRIMARY KEY, ids uuid[], main uuid)",
        f"INSERT INTO biz VALUES ('{old}', 'Tea');"
        f"INSERT INTO page VALUES (1, '[0:1][1:2]={{{{{old},{other}}},{{NULL,{old}}}}}', '{old}')",
        f"INSERT INTO biz VALUES ('{new}', 'Tea')",
    )
    assert move.rows("SELECT ids::text, main::text FROM page") == [
        (f"[0:1][1:2]={{{{{new},{other}}},{{NULL,{new}}}}}", new)
    ]
    assert_idempotent(move, claim)


def test_soft_reference_in_a_key_moves_and_so_do_the_rows_below(move: Move) -> None:
    declared(move, Reference("tag", "biz_id", "biz"))
    claim = move(
        BIZ + "CREATE TABLE tag (biz_id text, tag text, PRIMARY KEY (biz_id, tag));"
        "CREATE TABLE vote (id int PRIMARY KEY, biz_id text, tag text,"
        " FOREIGN KEY (biz_id, tag) REFERENCES tag)",
        ROWS
        + "INSERT INTO tag VALUES ('S', 'a'), ('N', 'a'); INSERT INTO vote VALUES (1, 'S', 'a')",
        TARGET,
    )
    assert move.rows("SELECT * FROM tag ORDER BY 1") == [("N", "a"), ("T", "a")]
    assert move.rows("SELECT * FROM vote") == [(1, "T", "a")]
    assert_idempotent(move, claim)


@pytest.mark.parametrize("kind", ["text", "text[]"])
def test_key_that_is_a_declared_reference_takes_its_children_along(move: Move, kind: str) -> None:
    declared(move, Reference("flag", "owner", "biz"))
    old, new = ("{S}", "{T}") if "[" in kind else ("S", "T")
    claim = move(
        f"{BIZ} CREATE TABLE flag (owner {kind} PRIMARY KEY, v int);"
        f"CREATE TABLE note (owner {kind} REFERENCES flag, t text PRIMARY KEY)",
        f"{ROWS} INSERT INTO flag VALUES ('{old}', 1); INSERT INTO note VALUES ('{old}', 'x')",
        TARGET,
    )
    assert move.rows("SELECT f.owner::text, v, n.owner::text, t FROM flag f, note n") == [
        (new, 1, new, "x")
    ]
    assert_idempotent(move, claim)


def test_reference_to_the_same_table_follows_merges_inside_the_backup(move: Move) -> None:
    declared(move, Reference("biz", "related", "biz"))
    claim = move(
        "CREATE TABLE biz (id text PRIMARY KEY, name text, related jsonb)",
        """INSERT INTO biz VALUES ('A', 'Tea', '["B"]'), ('B', 'Cup', '["A", "C"]'),"""
        """ ('C', 'Tea', '["A", "C", "B"]')""",
        "CREATE UNIQUE INDEX ON biz (name)",
    )
    assert move.rows("SELECT id, related::text FROM biz ORDER BY 1") == [
        ("B", '["C", "C"]'),
        ("C", '["C", "C", "B"]'),
    ]
    assert total(claim).merged == 1
    assert_idempotent(move, claim)


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        (Reference("pages", "cfg", "biz"), "no table 'pages'; did you mean public.page"),
        (Reference("page", "cgf", "biz"), "no column 'cgf'; did you mean cfg"),
        (Reference("page", "cfg", "bizz"), "no table 'bizz'; did you mean public.biz"),
        (Reference("page", "name", "biz", ("a", "b")), "page.name is text"),
        (Reference("page", "cfg", "pair"), "its key is (a, b)"),
        (Reference("page", "cfg", "loose"), "it has no key"),
        (Reference("page", "cfg", "biz", condition=("kid", "x")), "did you mean kind"),
    ],
)
def test_declaration_that_does_not_fit_is_refused_by_name(
    move: Move, reference: Reference, said: str
) -> None:
    declared(move, reference)
    claim = move(
        BIZ + "CREATE TABLE page (id int PRIMARY KEY, cfg jsonb, name text, kind text);"
        "CREATE TABLE pair (a int, b int, PRIMARY KEY (a, b)); CREATE TABLE loose (a int)",
        ROWS,
    )
    assert said in claim.message
    assert_refused(move, claim, exit_code=2)


def test_table_name_of_two_schemas_wants_its_schema(move: Move) -> None:
    both = BIZ + "CREATE SCHEMA x; CREATE TABLE x.page (id text); CREATE TABLE page (id text)"
    declared(move, Reference("page", "id", "biz"))
    claim = move(both, ROWS)
    assert "public.page, x.page" in claim.message
    declared(move, Reference("x.page", "id", "biz"))
    assert move.again().success


def test_undeclared_cells_with_a_merged_away_id_are_listed(move: Move) -> None:
    old = "0b0e7bd2-3a1c-4f3e-9d4f-111111111111"
    claim = move(
        BIZ + "CREATE TABLE page (id int PRIMARY KEY, cfg jsonb, ids text[], note text, biz text"
        " REFERENCES biz)",
        f"INSERT INTO biz VALUES ('{old}', 'Tea'), ('N', 'New');"
        f"""INSERT INTO page VALUES (1, '{{"b": ["{old}"]}}', '{{N,{old}}}', 'see {old}.',"""
        f" '{old}'),"
        " (2, '{}', '{N}', 'New', 'N')",
        TARGET,
    )
    assert [note.split(":")[0] for note in claim.notes] == [
        f"merged-away ids are left in public.page.{name}" for name in ("cfg", "ids", "note")
    ]
    assert all(f'{{"id" : "1"}} holds {old}' in note for note in claim.notes)
    assert move.again().notes == claim.notes


def test_declared_cells_and_small_numbers_are_not_listed(move: Move) -> None:
    declared(move, Reference("page", "note", "biz"))
    claim = move(
        BIZ + "CREATE TABLE num (id int PRIMARY KEY, code text UNIQUE);"
        "CREATE TABLE page (id int PRIMARY KEY, note text)",
        ROWS + "INSERT INTO num VALUES (1, 'x'); INSERT INTO page VALUES (1, 'S'), (2, '1')",
        TARGET + "INSERT INTO num VALUES (7, 'x')",
    )
    assert total(claim).merged == 2
    assert claim.notes == ()


@pytest.mark.parametrize(
    ("document", "path", "found"),
    [
        ('"a"', (), ["a"]),
        ('["a", 5, [6], {"x": 7}]', (), ["a", "5"]),
        ('{"a": {"b": [{"c": "x"}, {"c": 2}]}}', ("a", "b", "*", "c"), ["x", "2"]),
        ('{"a": {"b": [{"c": "x"}, {"c": 2}]}}', ("a", "b", "1", "c"), ["2"]),
        ('{"a": ["x", {"a": "y"}], "b": "z"}', ("a",), ["x"]),
        ('{"a": "{\\"a\\": 1}", "\\u0061": "e", "b,]": 1}', ("a",), ['{"a": 1}', "e"]),
        ('{"*": "no", "a": 1.5, "b": true}', ("*",), []),
        ('["\\ud800", "\\u0000"]', ("*",), ["", ""]),
        ("[" * 5000 + '"x"' + "]" * 5000, ("*",) * 5000, ["x"]),
    ],
)
def test_ids_in_json_are_found_by_path(
    document: str, path: tuple[str, ...], found: list[str]
) -> None:
    assert [id_ for _, _, id_ in ids(document, path)] == found
