"""A comparison as text, JSON and SQL, from plain data."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from verifier.comparison import (
    Comparison,
    Ignore,
    ObjectChange,
    RowChange,
    RowKind,
    Selection,
    Side,
    State,
    TableComparison,
    Unseen,
)
from verifier.oracle.session import PINNED
from verifier.report import comparison_json, comparison_sql
from verifier.report.comparison import advice, column_of, lines, sentence
from verifier.report.json import dumps
from verifier.report.statements import SETTINGS
from verifier.report.text import plain

EVIL = "\x1b[31mred\n-- x\n'; DROP TABLE tea; --\\"
CUT = "abc... (20000 characters, md5 0123456789abcdef0123456789abcdef)"
SOURCE = Side(dsn="postgresql://u:****@one/shop", version="16.14")
TARGET = Side(dsn="postgresql://u:****@two/shop", version="18.4")


def both(**found: object) -> Comparison:
    return Comparison(source=SOURCE, target=TARGET, **found)  # type: ignore[arg-type]


def table(name: str = "public.tea", **found: object) -> TableComparison:
    given = {
        "source_rows": 1000,
        "target_rows": 1000,
        "key": ("id",),
        "columns": (("id", "integer"), ("name", "text"), ("notes", "jsonb")),
    }
    return TableComparison(table=name, **{**given, **found})  # type: ignore[arg-type]


def missing(**row: str | None) -> RowChange:
    return RowChange(RowKind.MISSING, {"id": row["id"]}, row, None)


def extra(**row: str | None) -> RowChange:
    return RowChange(RowKind.EXTRA, {"id": row["id"]}, None, row)


CHANGED = RowChange(
    RowKind.CHANGED,
    {"id": "3"},
    {"id": "3", "name": "", "notes": '{"a": {"b": 1}}'},
    {"id": "3", "name": None, "notes": '{"a": {"b": 2}}'},
    ("name", "notes['a']['b']"),
)
DIFFERENT = table(
    missing=1,
    extra=1,
    changed=12345,
    shown=(
        missing(id="1", name="green", notes=None),
        extra(id="2", name=EVIL, notes="{}"),
        CHANGED,
    ),
)
INDEX = ObjectChange(
    "index",
    "public.tea_name_idx",
    {"definition": "CREATE INDEX tea_name_idx ON public.tea (name)"},
    None,
    "public.tea",
    "CREATE INDEX tea_name_idx ON public.tea (name)",
)
COLUMN = ObjectChange(
    "column", "public.tea.name", {"type": "text"}, {"type": "character varying(9)"}, "public.tea"
)


def shown(comparison: Comparison, width: int = 100) -> str:
    return plain(lines(comparison, width))


def script(comparison: Comparison, secret: str = "") -> str:
    def hide(text: str) -> str:
        return text.replace(secret, "****") if secret else text

    return comparison_sql.script(comparison, hide)


def statements(comparison: Comparison, secret: str = "") -> list[str]:
    """What of the script is neither a comment nor one of the lines around the statements."""
    text = script(comparison, secret).partition("SET CONSTRAINTS ALL DEFERRED;")[2]
    kept = [line for line in text.splitlines() if line and not line.startswith("--")]
    assert kept.pop() == "COMMIT;"
    return kept


def test_equal_databases_are_told_in_a_few_lines():
    tables = tuple(table(f"public.t{number}") for number in range(40))
    text = shown(both(tables=tables, compared={"table": 40, "index": 2, "policy": 1}, seconds=1.24))
    assert "40 tables equal, 40,000 rows" in text
    assert "compared    40 tables, 40,000 rows, 2 indexes, 1 policy in 1.2 s" in text
    assert text.splitlines()[-1] == (
        "IDENTICAL: 40 tables with 40,000 rows are the same on both sides"
    )
    assert "public.t7" not in text


def test_a_few_equal_tables_are_listed():
    assert "equal      public.tea" in shown(both(tables=(table(),)))


def test_what_differs_is_shown_with_both_values():
    text = shown(both(tables=(DIFFERENT, table("public.pot")), objects=(COLUMN, INDEX)))
    head, row = (line for line in text.splitlines() if line.endswith((" table", " public.tea")))
    assert " ".join(head.split()) == "source rows target rows missing extra changed state table"
    assert row.split() == ["1,000", "1,000", "1", "1", "12,345", "DIFFERENT", "public.tea"]
    assert "public.tea: 1 row missing, 1 extra, 12,345 changed (key id)" in text
    assert "  missing     id = '1', name = 'green', notes = NULL" in text
    assert "    differs in  name, notes['a']['b']" in text
    assert """    source      name = '', notes = '{"a": {"b": 1}}'""" in text
    assert """    target      name = NULL, notes = '{"a": {"b": 2}}'""" in text
    assert "  3 of 12,347 shown; --limit shows more" in text
    assert "  changed     public.tea.name" in text
    assert "    target      type = 'character varying(9)'" in text
    assert "  missing     public.tea_name_idx" in text
    assert text.splitlines()[-1] == (
        "DIFFERENT: 1 of 2 tables differs (1 row missing, 1 extra, 12,345 changed); "
        "besides rows: 1 column and 1 index"
    )


def test_rows_of_a_table_without_key_tell_how_many_there_are():
    row = RowChange(RowKind.EXTRA, {"a": "x"}, None, {"a": "x"}, count=3)
    text = shown(both(tables=(table(extra=3, key=(), shown=(row,)),)))
    assert "(no key: by whole rows)" in text
    assert "  extra       a = 'x', (3 rows like this)" in text
    assert "shown" not in text


def test_with_no_limit_at_all_rows_are_counted_only():
    found = both(tables=(table(missing=7),), selection=Selection(limit=0))
    assert "  none of 7 shown; --limit shows more" in shown(found)
    assert "-- public.tea: 7 more rows differ; --limit is 0, raise it" in script(found)


def test_the_rows_of_a_table_that_one_side_lacks():
    found = both(tables=(table(target_rows=None, missing=1000),))
    assert "  the target has no such table or no content of it" in shown(found)
    assert "--limit" not in shown(found)
    assert "1,000 rows of a table that one side lacks" in script(found)


def test_an_empty_table_that_one_side_lacks_is_not_called_equal():
    text = shown(both(tables=(table(source_rows=None, target_rows=0),)))
    assert text.count("equal") == 0
    assert "no rows    public.tea" in text


def test_what_could_not_be_compared_is_told_with_its_reason():
    reason = "the source answered: permission denied; grant SELECT on it"
    unknown = table("public.secret", source_rows=None, target_rows=None, unknown=reason)
    found = both(
        tables=(table(), unknown),
        unseen=(Unseen("sequence public.s", "it was dropped meanwhile"),),
        notes=("something to know",),
        selection=Selection(ignored=(Ignore("tea.stamp", "set anew"),)),
    )
    text = shown(found)
    assert found.exit_code == 2
    assert "-            -        -      -        -  UNKNOWN    public.secret" in text
    assert f"could not be compared\n  rows of public.secret: {reason}" in text
    assert "  sequence public.s: it was dropped meanwhile" in text
    assert "deliberate differences\n  tea.stamp: set anew" in text
    assert "notes\n  something to know" in text
    last = "could not compare the rows of public.secret and 1 more"
    assert text.splitlines()[-1] == f"UNKNOWN: {last}"
    assert sentence(found) == last
    assert "compare again" in advice(found, None)


def test_unknown_does_not_hide_behind_different():
    found = both(tables=(DIFFERENT, table("public.x", unknown="no permission")))
    assert "could not compare the rows of public.x" in sentence(found)
    assert "rows of public.x: no permission" in shown(found)


def test_deliberate_differences_are_told_when_all_is_equal():
    found = both(tables=(table(),), selection=Selection(ignored=(Ignore("a", "b"),)))
    assert sentence(found).endswith("apart from 1 deliberate difference")
    assert "a: b" in shown(found)


@pytest.mark.parametrize("width", [40, 80, 160])
def test_no_line_is_wider_than_the_screen_for_its_values(width):
    wide = missing(id="1", **{f"column_{n}": "x" * (n * 7) for n in range(12)})
    changed = replace(CHANGED, columns=("name",), source={"name": "x" * 900}, target={"name": "y"})
    found = both(
        tables=(table("public.t", missing=1, changed=1, shown=(wide, changed)),),
        objects=(replace(COLUMN, source={"definition": "word " * 99}),),
        notes=("word " * 99,),
        compared=dict.fromkeys(("index", "policy", "materialised view", "foreign key"), 1234),
    )
    body = shown(found, width).partition("public.t:")[2].splitlines()[1:-1]
    assert max(map(len, body)) <= width


def test_what_databases_hold_does_no_harm_to_a_terminal():
    name = f'public."{EVIL}"'
    found = both(
        tables=(table(name, extra=1, unknown=EVIL, shown=(extra(id=EVIL, **{EVIL: EVIL}),)),),
        objects=(ObjectChange(EVIL, EVIL, {EVIL: EVIL}, None),),
        unseen=(Unseen(EVIL, EVIL),),
        notes=(EVIL,),
        selection=Selection(ignored=(Ignore(EVIL, EVIL),)),
        compared={EVIL: 2},
    )
    assert all(each.isprintable() for line in shown(found).splitlines() for each in line)


def test_many_objects_of_a_kind_are_cut_short_in_text_only():
    many = tuple(replace(INDEX, name=f"public.i{number}") for number in range(60))
    text = shown(both(objects=many))
    assert "  and 10 more; --json FILE holds them all" in text
    assert "besides rows: 60 indexes" in text
    assert len(comparison_json.document(both(objects=many))["objects"]) == 60


@pytest.mark.parametrize(
    ("path", "column"),
    [("a", "a"), ("a['b'][0]", "a"), ("ab['x']", "ab"), ("a['b']", "a['b']"), ("z.y", "z.y")],
)
def test_the_column_that_a_path_leads_into(path, column):
    row = dict.fromkeys(("a", "ab", "a['b']") if path == "a['b']" else ("a", "ab"))
    assert column_of(path, row) == column


def test_the_json_holds_everything_in_plain_values():
    found = both(
        tables=(DIFFERENT, table("public.x", unknown="why", source_rows=None)),
        objects=(INDEX,),
        unseen=(Unseen("large objects", "no permission"),),
        notes=("note",),
        compared={"index": 3},
        selection=Selection(ignored=(Ignore("a", "b"),), schemas=("s",)),
        seconds=1.23456,
    )
    read = json.loads(dumps(comparison_json.document(found)))
    assert (read["schema"], read["state"], read["exit_code"]) == (1, "different", 1)
    assert read["source"] == {"dsn": SOURCE.dsn, "version": "16.14"}
    assert read["seconds"] == 1.235
    assert read["ignored"] == [{"what": "a", "reason": "b"}]
    assert read["selection"]["schemas"] == ["s"]
    tea, other = read["tables"]
    assert (tea["missing"], tea["extra"], tea["changed"], tea["unknown"]) == (1, 1, 12345, None)
    assert tea["columns"][0] == {"name": "id", "type": "integer"}
    assert tea["shown"][0]["source"] == {"id": "1", "name": "green", "notes": None}
    assert tea["shown"][0]["target"] is None
    assert tea["shown"][2]["columns"] == ["name", "notes['a']['b']"]
    assert (other["state"], other["unknown"], other["source_rows"]) == ("unknown", "why", None)
    assert read["objects"][0]["target"] is None
    assert read["unseen"] == [{"what": "large objects", "reason": "no permission"}]
    assert (read["notes"], read["compared"]) == (["note"], {"index": 3})


def test_the_sql_says_that_it_is_for_reading_and_is_one_transaction():
    text = script(both(tables=(DIFFERENT,)))
    assert text.startswith("-- For reading")
    assert [line for line in text.splitlines() if line in ("BEGIN;", "COMMIT;")] == [
        "BEGIN;",
        "COMMIT;",
    ]
    assert text.endswith("COMMIT;\n")


def test_rows_become_statements():
    assert statements(both(tables=(DIFFERENT,))) == [
        """DELETE FROM public.tea WHERE "id" = '2'::integer;""",
        'INSERT INTO public.tea ("id", "name", "notes") OVERRIDING SYSTEM VALUE VALUES',
        "    ('1'::integer, 'green'::text, NULL::jsonb);",
        """UPDATE public.tea SET "name" = ''::text, "notes" = '{"a": {"b": 1}}'::jsonb"""
        """ WHERE "id" = '3'::integer;""",
    ]


def test_what_is_wrong_in_words_is_no_statement():
    comments = both(
        tables=(table(f'"{EVIL}"', unknown=EVIL),),
        objects=(ObjectChange(EVIL, EVIL, {EVIL: EVIL}, {}),),
        unseen=(Unseen(EVIL, EVIL),),
        selection=Selection(ignored=(Ignore(EVIL, EVIL),)),
    )
    assert statements(comments) == []


@pytest.mark.parametrize("value", [CUT, "the s3cr3t of it"])
def test_a_value_that_is_not_whole_becomes_a_comment(value):
    rows = (missing(id="1", name=value, notes=None), missing(id="2", name="b", notes=None))
    changed = replace(CHANGED, source={**(CHANGED.source or {}), "name": value})
    found = both(tables=(table(missing=2, changed=1, shown=(*rows, changed)),))
    assert statements(found, secret="s3cr3t")[1:] == ["    ('2'::integer, 'b'::text, NULL::jsonb);"]
    assert script(found).count("write its statement by hand") == (2 if value == CUT else 0)
    assert "s3cr3t" not in script(found, secret="s3cr3t")


def test_a_row_can_be_deleted_by_its_key_whatever_else_was_cut():
    found = both(tables=(table(extra=1, shown=(extra(id="7", name=CUT, notes=None),)),))
    assert statements(found) == ["""DELETE FROM public.tea WHERE "id" = '7'::integer;"""]


@pytest.mark.parametrize(
    "found",
    [
        both(objects=(replace(INDEX, kind="primary key"),)),
        both(selection=Selection(parts=frozenset())),
    ],
    ids=["the target's keys are not the source's", "nobody looked at the keys"],
)
def test_a_key_that_may_name_several_rows_is_not_relied_on(found):
    row = extra(id="7", name="", notes=None)
    found = replace(found, tables=(table(extra=1, shown=(row,)),))
    text = "\n".join(statements(found))
    assert "concat(\"id\") = concat('7'::integer)" in text
    assert """num_nulls("name") = 0 AND concat("name") = concat(''::text)""" in text
    assert 'num_nulls("notes") = 1 LIMIT 1)' in text


def test_the_file_does_no_harm_to_the_terminal_that_it_is_read_on():
    evil = f"{EVIL}\u202e"
    row = missing(id="1", name=evil, notes=None)
    odd = replace(row, source={"id": "1", evil: evil})
    made = ObjectChange("view", "v", {}, None, create=f"CREATE VIEW v AS SELECT '{EVIL}'")
    found = both(
        tables=(
            table(f'public."{evil}"', missing=1, shown=(row,)),
            table(columns=(("id", "integer"), (evil, f'"{evil}"')), missing=1, shown=(odd,)),
        ),
        objects=(made,),
    )
    text = script(found)
    assert all(each.isprintable() or each == "\n" for each in text)
    assert 'INSERT INTO public.U&"\\001b[31mred' in text
    assert r"\u001b[31mred" in text
    assert not any(line.startswith("CREATE") for line in statements(found))


def test_the_file_is_read_under_the_settings_that_values_were_printed_under():
    assert {name: PINNED.get(name, value) for name, value in SETTINGS.items()} == SETTINGS
    assert {"TimeZone", "DateStyle", "IntervalStyle", "bytea_output"} <= SETTINGS.keys()


def test_parents_come_first_and_go_last_also_in_circles():
    shown = (missing(id="1"), extra(id="2"))
    parents = {"a": ("b", "elsewhere"), "b": ("c",), "c": ("a", "c"), "d": ("a",)}
    tables = tuple(
        table(name, missing=1, extra=1, parents=above, shown=shown)
        for name, above in parents.items()
    )
    found = statements(both(tables=tables))
    order = [(line.split()[0], line.split()[2]) for line in found if not line.startswith(" ")]
    assert order == [("DELETE", each) for each in "dabc"] + [("INSERT", each) for each in "cbad"]


def test_what_cannot_be_written_to_is_not_written_to():
    row = missing(id="1", name="a", notes="{}")
    computed = replace(CHANGED, columns=("notes['a']",))
    found = both(
        tables=(
            table(generated=("notes",), missing=1, changed=1, shown=(row, computed)),
            table("public.view", view=True, missing=1, shown=(row,)),
            table(
                "large objects", key=("oid",), changed=1, shown=(replace(row, key={"oid": "9"}),)
            ),
        )
    )
    assert statements(found) == [
        'INSERT INTO public.tea ("id", "name") OVERRIDING SYSTEM VALUE VALUES',
        "    ('1'::integer, 'a'::text);",
        "REFRESH MATERIALIZED VIEW public.view;",
    ]
    assert "large object missing: oid = '9'" in script(found)


def test_structure_and_positions_are_written_around_the_rows():
    position = ObjectChange(
        "sequence position",
        'public."Tea_id_seq"',
        {"last_value": "9", "is_called": "true"},
        {"last_value": "1", "is_called": "false"},
    )
    added = ObjectChange("table", "public.new", {}, None, create="CREATE TABLE public.new ();")
    server = ObjectChange("foreign server", "s", {}, None, create="CREATE SERVER s; -- s3cr3t")
    found = both(objects=(COLUMN, INDEX, position, added, server), tables=(DIFFERENT,))
    order = statements(found, secret="s3cr3t")
    assert order[0] == "CREATE TABLE public.new ();"
    assert order[-2:] == [
        "CREATE INDEX tea_name_idx ON public.tea (name);",
        """SELECT setval('public."Tea_id_seq"', 9, true);""",
    ]
    assert "--   target: type = 'character varying(9)'" in script(found)
    assert "s3cr3t" not in script(found, secret="s3cr3t")


def test_the_state_of_nothing_is_equal():
    assert both().state is State.EQUAL
    assert sentence(both()).startswith("no table was compared")
