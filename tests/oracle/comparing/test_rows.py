"""Rows on two servers: what differs is found, counted and shown; what does not is not."""

from __future__ import annotations

import psycopg
import pytest

from tests.oracle.comparing.conftest import ROWS, Duo, kinds
from verifier.comparison import LONGEST, Part, RowKind, Selection, State, is_cut
from verifier.oracle.comparing import reading, whole

ITEMS = """
CREATE TABLE item (id int PRIMARY KEY, name text, price numeric, tags text[], doc jsonb);
INSERT INTO item SELECT i, 'item ' || i, i / 4.0, ARRAY['a', 'b'], '{"n": {"a": [1, 2]}}'
FROM generate_series(1, 20) i;
"""


def test_equal_tables_in_other_column_and_row_order_are_equal(duo: Duo) -> None:
    duo.source.execute("CREATE TABLE t (a int PRIMARY KEY, b text); INSERT INTO t VALUES (1,'x')")
    duo.source.execute("INSERT INTO t VALUES (2, 'y')")
    duo.target.execute("CREATE TABLE t (gone int, b text, a int PRIMARY KEY)")
    duo.target.execute("ALTER TABLE t DROP COLUMN gone; INSERT INTO t VALUES ('y', 2), ('x', 1)")
    table = duo.rows()
    assert (table.state, table.source_rows, table.target_rows) == (State.EQUAL, 2, 2)


def test_each_kind_of_difference_is_counted_and_shown_with_both_sides(duo: Duo) -> None:
    duo.begin(ITEMS)
    duo.target.execute("DELETE FROM item WHERE id = 3")
    duo.target.execute("INSERT INTO item VALUES (99, NULL, NULL, NULL, NULL)")
    duo.target.execute("UPDATE item SET name = '' WHERE id = 7")
    table = duo.rows()
    assert (table.missing, table.extra, table.changed) == (1, 1, 1)
    assert kinds(table) == [RowKind.MISSING, RowKind.CHANGED, RowKind.EXTRA]
    missing, changed, extra = table.shown
    assert missing.key == {"id": "3"}
    assert missing.target is None
    assert missing.source is not None
    assert missing.source["price"] == "0.75000000000000000000"
    assert (changed.key, changed.columns) == ({"id": "7"}, ("name",))
    assert changed.source is not None
    assert changed.source["name"] == "item 7"
    assert changed.target is not None
    assert changed.target["name"] == ""
    assert extra.source is None
    assert extra.target is not None
    assert extra.target["name"] is None


def test_the_path_inside_a_value_is_named(duo: Duo) -> None:
    duo.begin(
        "CREATE TYPE place AS (city text, zip int);" + ITEMS + "ALTER TABLE item ADD at place,"
        " ADD grid int[] DEFAULT '{{1,2},{3,4}}';"
        "UPDATE item SET at = ('Rome', 1)"
    )
    duo.target.execute(
        "UPDATE item SET doc = '{\"n\": {\"a\": [1, 2.0]}}', tags[2] = 'c', at.zip = 2,"
        " grid[2][1] = 9 WHERE id = 5"
    )
    (change,) = duo.rows().shown
    assert change.columns == ("at['zip']", "doc['n']['a'][1]", "grid[2][1]", "tags[2]")


def test_a_number_in_a_document_that_only_has_another_scale_is_named(duo: Duo) -> None:
    duo.begin(
        "CREATE TABLE t (id int PRIMARY KEY, d jsonb); INSERT INTO t VALUES (1,'{\"a\":1.0}')"
    )
    duo.target.execute("UPDATE t SET d = '{\"a\": 1.00}'")
    (change,) = duo.rows().shown
    assert change.columns == ("d['a']",)


@pytest.mark.parametrize(
    ("key", "source", "target"),
    [
        ("(a, b)", "('a','bc',1), ('ab','c',2)", "('a','bc',2), ('ab','c',1)"),
        ("(a)", "('x','b',1), ('y','b',2)", "('x','b',2), ('y','b',1)"),
    ],
)
def test_rows_that_exchange_values_are_two_changed_rows(
    duo: Duo, key: str, source: str, target: str
) -> None:
    duo.begin(f"CREATE TABLE t (a text, b text, v int, PRIMARY KEY {key})")
    duo.source.execute(f"INSERT INTO t VALUES {source}")
    duo.target.execute(f"INSERT INTO t VALUES {target}")
    table = duo.rows()
    assert (table.changed, table.differences) == (2, 2)


def test_a_table_without_key_is_a_multiset(duo: Duo) -> None:
    duo.begin("CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1,'x'),(1,'x'),(2,NULL)")
    duo.source.execute("INSERT INTO t VALUES (1,'x'), (3,'z')")
    duo.target.execute("INSERT INTO t VALUES (2, NULL), (2, NULL)")
    table = duo.rows()
    assert table.key == ()
    assert (table.missing, table.extra, table.changed) == (2, 2, 0)
    counted = {(change.kind, change.key["a"]): change.count for change in table.shown}
    assert counted == {
        (RowKind.MISSING, "1"): 1,
        (RowKind.MISSING, "3"): 1,
        (RowKind.EXTRA, "2"): 2,
    }


def test_a_row_that_is_there_many_times_is_counted_and_shown_once(duo: Duo) -> None:
    duo.begin("CREATE TABLE t (a int); INSERT INTO t SELECT 1 FROM generate_series(1, 9000)")
    duo.source.execute("INSERT INTO t VALUES (2)")
    duo.target.execute("INSERT INTO t VALUES (1), (1), (3)")
    table = duo.rows()
    assert (table.missing, table.extra) == (1, 3)
    found = {(change.kind, change.key["a"], change.count) for change in table.shown}
    assert found == {
        (RowKind.MISSING, "2", 1), (RowKind.EXTRA, "1", 2), (RowKind.EXTRA, "3", 1),
    }  # fmt: skip


@pytest.mark.parametrize("target", ["(1, 'y'), (2, 'x')", "(1, 'x'), (3, 'y')"])
def test_rows_keep_their_key_where_only_other_columns_are_compared(duo: Duo, target: str) -> None:
    duo.begin("CREATE TABLE t (id int PRIMARY KEY, a text)")
    duo.source.execute("INSERT INTO t VALUES (1, 'x'), (2, 'y')")
    duo.target.execute(f"INSERT INTO t VALUES {target}")
    chosen = Selection(parts=frozenset({Part.DATA}), columns=("t.a",))
    assert duo.rows(chosen).state is State.DIFFERENT


def test_not_a_number_is_one_value_whatever_its_bits(duo: Duo) -> None:
    duo.begin("CREATE TABLE t (id int PRIMARY KEY, a float8, b float4)")
    infinity = "'Infinity'::float8 - 'Infinity', 'Infinity'::float4 - 'Infinity'::float4"
    duo.source.execute(f"INSERT INTO t VALUES (1, {infinity})")
    duo.target.execute("INSERT INTO t VALUES (1, 'NaN', 'NaN')")
    query = "SELECT float8send(a), float4send(b) FROM t"
    assert duo.source.execute(query) != duo.target.execute(query), "the bits are the same"
    assert duo.rows().state is State.EQUAL
    duo.target.execute("UPDATE t SET a = 'Infinity'")
    assert duo.rows().changed == 1


def test_a_key_that_only_its_encoding_makes_another_text_is_one_key(duo: Duo) -> None:
    """Equal documents hash alike only within one encoding."""
    script = (
        "CREATE TABLE t (id jsonb PRIMARY KEY);"
        "INSERT INTO t SELECT to_jsonb('\u00e9' || i) FROM generate_series(1, 9000) i"
    )
    with psycopg.connect(duo.source.admin.conninfo, autocommit=True) as session:
        session.execute(
            "CREATE DATABASE compared_latin1 TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'"
        )
    latin1 = duo.source.admin.with_(dbname="compared_latin1")
    try:
        with psycopg.connect(latin1.conninfo, client_encoding="UTF8") as session:
            session.execute(script.encode())
        duo.target.execute(script)
        table = duo.rows(source=latin1)
        assert (table.state, table.source_rows) == (State.EQUAL, 9000)
    finally:
        with psycopg.connect(duo.source.admin.conninfo, autocommit=True) as session:
            session.execute("DROP DATABASE compared_latin1 WITH (FORCE)")


def test_a_unique_key_tells_rows_apart_also_with_null_in_it(duo: Duo) -> None:
    duo.begin("CREATE TABLE t (a int, b int, v text, UNIQUE (a, b))")
    duo.source.execute("INSERT INTO t VALUES (1, 1, 'x'), (1, NULL, 'y'), (1, NULL, 'z')")
    duo.target.execute("INSERT INTO t VALUES (1, 1, 'X'), (1, NULL, 'y'), (NULL, NULL, 'z')")
    table = duo.rows()
    assert table.key == ("a", "b")
    assert (table.missing, table.extra, table.changed) == (1, 1, 1)


@pytest.mark.parametrize("others", [0, 9000])
def test_equal_rows_under_one_key_do_not_cancel_out(duo: Duo, others: int) -> None:
    """NULL is one key for all of them: the same number of rows in the same bucket."""
    duo.begin(
        "CREATE TABLE t (a int UNIQUE, b text);"
        f"INSERT INTO t SELECT i, i::text FROM generate_series(1, {others}) i"
    )
    duo.source.execute("INSERT INTO t VALUES (NULL, 'x'), (NULL, 'x')")
    duo.target.execute("INSERT INTO t VALUES (NULL, 'y'), (NULL, 'y')")
    assert duo.rows().changed == 2


def test_keys_that_are_equal_but_print_differently_are_one_row(duo: Duo) -> None:
    duo.begin("CREATE TABLE t (k numeric PRIMARY KEY, v int)")
    duo.source.execute("INSERT INTO t VALUES (1.0, 1), (2.00, 1)")
    duo.target.execute("INSERT INTO t VALUES (1.000, 1), (2.00, 1)")
    table = duo.rows()
    assert (table.missing, table.extra, table.changed) == (0, 0, 1)
    assert table.shown[0].columns == ("k",)


def test_columns_of_different_types_are_compared_as_text(duo: Duo) -> None:
    duo.source.execute(
        "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1,2),(3,4)"
    )
    duo.target.execute("CREATE TABLE t (id bigint PRIMARY KEY, v text)")
    duo.target.execute("INSERT INTO t VALUES (1, '2'), (3, '04')")
    table = duo.rows()
    assert (table.missing, table.extra, table.changed) == (0, 0, 1)
    assert table.shown[0].key == {"id": "3"}


def test_enums_compare_by_label_although_their_numbers_differ(duo: Duo) -> None:
    duo.target.execute("CREATE TYPE other AS ENUM ('q'); CREATE TYPE more AS ENUM ('w')")
    duo.begin("CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TABLE t (id int, m mood, n mood[])")
    duo.begin("INSERT INTO t VALUES (1, 'sad', '{ok,sad}')")
    assert duo.rows().state is State.EQUAL
    duo.target.execute("UPDATE t SET m = 'ok'")
    assert duo.rows().differences == 2


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("bigint", "1", "4294967296"),
        ("bigint", "9223372036854775807", "9223372036854775806"),
        ("timestamp", "'2025-01-01 00:00:00'", "'2025-01-01 00:00:00.000001'"),
        ("timestamp", "'1999-12-31 23:59:59.999999'", "'2000-01-01 00:00:00'"),
        ("float8", "0", "'-0'"),
        ("float8", "1e-20", "2e-20"),
        ("numeric", "1.10", "1.1"),
        ("interval", "'1 month'", "'30 days'"),
        ("interval", "'24:00'", "'1 day'"),
        ("bpchar", "'a'", "'a '"),
        ("text", "NULL", "''"),
        ("text", "NULL", "'<null>'"),
        ("text", "'e\u0301'", "'\u00e9'"),
        ("jsonb", "'1.0'", "'1.00'"),
        ("json", "'{\"a\":1}'", "'{\"a\": 1}'"),
        ("text[]", "'{}'", "NULL"),
        ("text[]", "'{NULL}'", "'{\"NULL\"}'"),
        ("int[]", "'[0:1]={1,2}'", "'{1,2}'"),
        ("int[]", "'{{1,2}}'", "'{1,2}'"),
        ("timetz", "'10:00+00'", "'11:00+01'"),
        ("bytea", r"'\x00'", r"'\x'"),
        ("int4range", "'empty'", "NULL"),
        ("oid", "4294967295", "0"),
    ],
)
def test_values_that_are_not_the_same_differ(duo: Duo, kind: str, one: str, other: str) -> None:
    duo.begin(f"CREATE TABLE t (id int PRIMARY KEY, v {kind}); CREATE TABLE k (v {kind})")
    for database, value in ((duo.source, one), (duo.target, other)):
        database.execute(f"INSERT INTO t VALUES (1, {value}); INSERT INTO k VALUES ({value})")
    keyless, keyed = duo.compare(ROWS).tables
    assert (keyed.changed, keyed.differences) == (1, 1)
    assert keyed.shown[0].columns[0].startswith("v")
    assert (keyless.missing, keyless.extra) == (1, 1)


def test_counts_are_exact_and_details_limited(duo: Duo) -> None:
    duo.begin("CREATE TABLE t (id int PRIMARY KEY, v int)")
    duo.begin("INSERT INTO t SELECT i, i FROM generate_series(1, 3000) i")
    duo.target.execute("UPDATE t SET v = 0 WHERE id <= 1000; DELETE FROM t WHERE id > 2990")
    table = duo.rows(Selection(parts=ROWS.parts, limit=7))
    assert (table.changed, table.missing) == (1000, 10)
    assert len(table.shown) == 7
    assert {RowKind.CHANGED, RowKind.MISSING} == set(kinds(table))
    assert duo.rows(Selection(parts=ROWS.parts, limit=0)).shown == ()


def test_long_values_are_cut_and_say_so(duo: Duo) -> None:
    duo.begin("CREATE TABLE t (id int PRIMARY KEY, v text)")
    duo.source.execute(f"INSERT INTO t VALUES (1, repeat('x', {LONGEST + 1}) || 'a')")
    duo.target.execute(f"INSERT INTO t VALUES (1, repeat('x', {LONGEST + 1}) || 'b')")
    (change,) = duo.rows().shown
    assert change.source is not None
    assert change.target is not None
    assert is_cut(change.source["v"])
    assert is_cut(change.target["v"])
    assert change.source["v"] != change.target["v"]
    assert change.columns == ("v",)


LARGE = """
CREATE TABLE t (id text PRIMARY KEY, n int, v text);
INSERT INTO t SELECT md5(i::text), i, 'value ' || i FROM generate_series(1, 60000) i;
"""


@pytest.mark.parametrize("chunk", [250_000, 5_000])
def test_a_large_table_is_narrowed_to_the_rows_that_differ(
    duo: Duo, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_CHUNK_ROWS", chunk)
    duo.begin(LARGE)
    assert duo.rows().state is State.EQUAL
    duo.target.execute("UPDATE t SET v = 'x' WHERE n IN (1, 30000, 60000)")
    duo.target.execute("DELETE FROM t WHERE n = 777; INSERT INTO t VALUES ('new', 0, 'new')")
    duo.target.execute(
        "UPDATE t SET v = CASE n WHEN 5 THEN 'value 6' ELSE 'value 5' END WHERE n IN (5, 6)"
    )
    table = duo.rows()
    assert (table.missing, table.extra, table.changed) == (1, 1, 5)
    assert (table.source_rows, table.target_rows) == (60000, 60000)


def test_partitions_are_read_through_their_root(duo: Duo) -> None:
    duo.begin(
        "CREATE TABLE p (id int, v text, PRIMARY KEY (id)) PARTITION BY RANGE (id);"
        "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);"
        "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20);"
        "INSERT INTO p SELECT i, 'v' FROM generate_series(1, 19) i"
    )
    duo.target.execute("UPDATE p SET v = 'w' WHERE id IN (1, 11)")
    table = duo.rows()
    assert table.table == "public.p"
    assert [change.key["id"] for change in table.shown] == ["1", "11"]


def test_a_parent_of_inheritance_is_compared_without_its_children(duo: Duo) -> None:
    duo.begin("CREATE TABLE a (v int); CREATE TABLE b () INHERITS (a); INSERT INTO b VALUES (1)")
    duo.target.execute("INSERT INTO b VALUES (2)")
    parent, child = duo.compare(ROWS).tables
    assert (parent.state, child.extra) == (State.EQUAL, 1)


def test_a_stale_materialised_view_differs(duo: Duo) -> None:
    duo.begin("CREATE TABLE a (v int); INSERT INTO a VALUES (1)")
    duo.begin("CREATE MATERIALIZED VIEW m AS SELECT v + 1 AS w FROM a")
    duo.begin("UPDATE a SET v = 2")
    duo.source.execute("REFRESH MATERIALIZED VIEW m")
    table, view = duo.compare(ROWS).tables
    assert (table.state, view.table, view.missing, view.extra) == (
        State.EQUAL,
        "public.m",
        1,
        1,
    )


def test_a_materialised_view_without_content_lacks_its_rows(duo: Duo) -> None:
    duo.begin("CREATE MATERIALIZED VIEW m AS SELECT 1 AS w")
    duo.target.execute("REFRESH MATERIALIZED VIEW m WITH NO DATA")
    assert duo.rows().missing == 1
    duo.source.execute("REFRESH MATERIALIZED VIEW m WITH NO DATA")
    comparison = duo.compare(ROWS)
    assert (comparison.state, comparison.tables) == (State.EQUAL, ())
    assert "not populated" in comparison.notes[0]


def test_rows_of_a_table_that_one_side_lacks_are_missing_there(duo: Duo) -> None:
    duo.source.execute("CREATE TABLE gone (a int); INSERT INTO gone VALUES (1), (2)")
    duo.target.execute("CREATE TABLE other (a int)")
    comparison = duo.compare(ROWS)
    assert comparison.state is State.DIFFERENT
    assert [(t.table, t.missing, t.extra) for t in comparison.tables] == [
        ("public.gone", 2, 0),
        ("public.other", 0, 0),
    ]
    assert {change.name for change in comparison.objects} == {"public.gone", "public.other"}


def test_a_column_that_one_side_lacks_is_a_difference_also_of_the_data_alone(duo: Duo) -> None:
    duo.begin("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'x')")
    duo.target.execute('ALTER TABLE t ADD "Other" int')
    comparison = duo.compare(ROWS)
    assert [(each.kind, each.name) for each in comparison.objects] == [
        ("column", 'public.t."Other"')
    ]
    assert (comparison.state, comparison.tables[0].state) == (State.DIFFERENT, State.EQUAL)


def test_databases_in_different_encodings_hold_the_same_text(duo: Duo) -> None:
    names = {}
    for database, encoding in ((duo.source, "LATIN1"), (duo.target, "UTF8")):
        names[encoding] = f"{database.name}_{encoding.lower()}"
        database.execute("SELECT 1")
        _as_admin(
            database,
            f"CREATE DATABASE {names[encoding]} ENCODING '{encoding}' TEMPLATE template0"
            " LC_COLLATE 'C' LC_CTYPE 'C'",
        )
    try:
        latin = duo.source.admin.with_(dbname=names["LATIN1"])
        utf8 = duo.target.admin.with_(dbname=names["UTF8"])
        for dsn in (latin, utf8):
            _run(dsn, "CREATE TABLE t (id int PRIMARY KEY, v text, w text[])")
            _run(dsn, "INSERT INTO t VALUES (1, U&'\\00e9', ARRAY[U&'\\00fc'])")
        assert duo.rows(source=latin, target=utf8).state is State.EQUAL
        _run(utf8, "UPDATE t SET v = 'e'")
        assert duo.rows(source=latin, target=utf8).changed == 1
    finally:
        _as_admin(duo.source, f"DROP DATABASE {names['LATIN1']} WITH (FORCE)")
        _as_admin(duo.target, f"DROP DATABASE {names['UTF8']} WITH (FORCE)")


def test_servers_whose_hashes_disagree_are_compared_by_another(
    duo: Duo, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Stands for a machine of the other byte order.
    monkeypatch.setattr(whole, "PROBE", "SELECT random()")
    duo.begin(ITEMS)
    assert duo.rows().state is State.EQUAL
    duo.target.execute("UPDATE item SET name = 'x' WHERE id = 3")
    duo.target.execute("UPDATE item SET price = 0 WHERE id = 4")
    assert duo.rows().changed == 2


def test_names_that_need_quotes(duo: Duo) -> None:
    duo.begin(
        'CREATE SCHEMA "a.b"; CREATE TABLE "a.b"."Order ""x""" ("from" int PRIMARY KEY, "%s" text);'
        'INSERT INTO "a.b"."Order ""x""" VALUES (1, $$a$$)'
    )
    assert duo.rows().state is State.EQUAL
    duo.target.execute('UPDATE "a.b"."Order ""x""" SET "%s" = NULL')
    table = duo.rows()
    assert (table.table, table.shown[0].columns) == ('"a.b"."Order ""x"""', ("%s",))


def test_a_table_without_columns_counts_its_rows(duo: Duo) -> None:
    duo.begin("CREATE TABLE t (); INSERT INTO t DEFAULT VALUES")
    assert duo.rows().state is State.EQUAL
    duo.target.execute("INSERT INTO t DEFAULT VALUES")
    assert duo.rows().extra == 1


def _run(dsn: object, statement: str) -> None:
    import psycopg

    with psycopg.connect(dsn.conninfo, autocommit=True) as connection:  # type: ignore[attr-defined]
        connection.execute(statement.encode())


def _as_admin(database: object, statement: str) -> None:
    _run(database.server.admin, statement)  # type: ignore[attr-defined]


def test_only_what_is_selected_is_compared(duo: Duo) -> None:
    duo.begin(ITEMS)
    duo.target.execute("UPDATE item SET name = 'x', price = 0; CREATE TABLE more (a int)")
    chosen = Selection(parts=frozenset({Part.DATA}), tables=("item",), columns=("name",))
    (table,) = duo.compare(chosen).tables
    assert table.changed == 20
    assert {change.columns for change in table.shown} == {("name",)}
