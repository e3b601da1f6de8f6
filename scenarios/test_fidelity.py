"""Values that are easily changed on the way."""

import pytest

from verifier import Seed


@pytest.mark.guarantee("fidelity")
@pytest.mark.trap("F05")
def test_negative_zero_stays_negative(scenario, shop):
    """pg_dump's INSERTs write -0 as an integer expression, and the target stores 0: a value
    changed by the standard tool with exit code 0.
    """
    shop.signed_zeros(scenario.source, count=2)
    scenario.restore().prove()


@pytest.mark.guarantee("fidelity")
@pytest.mark.trap("F12", "H04")
def test_texts_that_look_like_sql_or_like_the_backup(scenario, shop):
    """A customer's text contains a semicolon, a backslash-period or the dump's own last line; a
    restore that splits or edits SQL text cuts the row or stores something else.
    """
    scenario.source.execute(
        r"""
        INSERT INTO domains (id, name, emoji, "businessType", description, "updatedAt") VALUES
        ('t1', E'first);\nINSERT INTO domains VALUES (666);', '$$', 'x', '', now()),
        ('t2', E'a\\b ''quoted'' "double"', '\', 'x', E'\\.\n--\n\\! touch canary', now()),
        ('t3', E'cr\r\nlf \u2028 line', 'NULL', 'x', '-- PostgreSQL database dump complete', now()),
        ('t4', ') ON CONFLICT (id) DO NOTHING; --', '', 'x', NULL, '9999-12-31 23:59:59.999')
        """
    )
    scenario.restore().prove()


@pytest.mark.guarantee("fidelity", "idempotence")
@pytest.mark.trap("F05", "F06")
def test_numbers_to_their_last_digit(scenario, world):
    """A JavaScript transfer turns 9007199254740993 into …992, 1.10 into 1.1 and NaN into null;
    amounts and ids are wrong, and every row count is right.
    """
    world(
        "CREATE TABLE n (id int PRIMARY KEY, d float8, f float4, many float8[], n numeric,"
        " p numeric(10, 2), b bigint, m money);",
        source="""
        INSERT INTO n VALUES
            (1, '-0', '-0', '{-0,0}', 1.10, 1.10, 9007199254740993, '12.50'),
            (2, 'NaN', 'Infinity', '{NaN,-Infinity,NULL}', 'NaN', 0, -9223372036854775808, '-0.01'),
            (3, 0.1::float8 + 0.2::float8, 16777217, '{}', 12345678901234567.89, -1, 0, '1234.56'),
            (4, 5e-324, 1e-45, '{{1e23},{2.5}}', 1e100, 99999999.99, 1, 0),
            (5, 0, 0, '[0:1]={1,2}', 1, 1, NULL, NULL)
        """,
        target="INSERT INTO n VALUES (1, 0, 0, '{0,0}', 1.1, 1.1, 1, 1),"
        " (5, '-0', '-0', '{1,2}', 1.0, 1, NULL, NULL)",
    )
    scenario.restore().prove()


@pytest.mark.guarantee("fidelity")
@pytest.mark.trap("F07")
def test_moments_at_the_ends_of_time(scenario, world):
    """A driver that reads dates into objects loses microseconds, cannot represent infinity, BC
    or 24:00, and crashes or stores another moment.
    """
    world(
        "CREATE TABLE t (id int PRIMARY KEY, z timestamptz, n timestamp, d date, t time, o timetz,"
        " i interval);",
        source="""
        INSERT INTO t VALUES
            (1, 'infinity', '-infinity', 'infinity', '24:00', '23:59:59.999999-15:59', '1 mon'),
            (2, '0044-03-15 12:00+00 BC', '4713-01-01 BC', '4713-01-01 BC', '0:00', '0:00+15',
             '30 days'),
            (3, '294276-12-31 23:59:59.999999Z', '294276-12-31 23:59:59.999999', '5874897-12-31',
             NULL, NULL, '-1 mon +2 days -00:00:00.000001'),
            (4, '1883-11-18 12:03:57-04:56:02', '2025-03-30 02:30', '2024-02-29', '12:00:00.1',
             '12:00+05:30', '0'),
            (5, '2025-10-26 01:30:00.000001Z', '2025-10-26 02:30', NULL, NULL, NULL,
             '178000000 years -1 day')
        """,
    )
    scenario.restore().prove()


@pytest.mark.guarantee("fidelity", "idempotence")
@pytest.mark.trap("F09", "F17")
def test_documents_keep_their_text(scenario, world):
    """A transfer that parses JSON and writes it again drops duplicate keys, digits and key
    order, and confuses JSON null with NULL.
    """
    world(
        "CREATE TABLE doc (id int PRIMARY KEY, j json, b jsonb, l json[]);",
        source=r"""
        INSERT INTO doc VALUES
            (1, '{"b":1,"a":2,"a":3, "n":1.10}', '{"n": 1.10, "big": 9007199254740993}',
             '{1.0,"null",NULL}'),
            (2, 'null', 'null', NULL), (3, NULL, NULL, '{}'),
            (4, '"\u0000"', '"\u2028\\"', ARRAY['{"a" :1}'::json]),
            (5, '  [1e2] ', '[1e2, {"": {}}]', NULL)
        """,
        target="INSERT INTO doc VALUES (1, '{\"b\":1}', '{\"n\": 1.1}', '{1}'),"
        " (3, 'null', 'null', NULL)",
    )
    scenario.restore().prove()


@pytest.mark.guarantee("fidelity")
@pytest.mark.trap("F10", "F17")
def test_values_that_hold_values(scenario, world):
    """Hand-made array and composite text turns NULL into the text 'NULL', loses lower bounds and
    empty strings, and swaps attributes.
    """
    world(
        """
        CREATE TYPE address AS (street text, zip text, at point);
        CREATE TYPE mood AS ENUM ('draft', 'live', 'it''s "over"');
        CREATE DOMAIN share AS numeric(5, 2) CHECK (VALUE BETWEEN 0 AND 100);
        CREATE TABLE v (
            id int PRIMARY KEY, texts text[], raw bytea[], home address, homes address[],
            mood mood NOT NULL DEFAULT 'draft', moods mood[], share share, span int4range,
            time tsrange, bits varbit, ip inet, code char(5));
        """,
        source=r"""
        INSERT INTO v VALUES
            (1, ARRAY[NULL, 'NULL', '', '{}', 'a,b', 'say "hi"', E'back\\slash\n', ' '],
             ARRAY['\x00ff275c0a'::bytea, ''], ('1, Main "St"', NULL, '(1,-0)'),
             ARRAY[(NULL, '', NULL)::address, NULL], 'it''s "over"', '{live,NULL}', 1.10, '[1,5]',
             '[2025-01-01, infinity)', '10100', '10.0.0.1/8', 'ab'),
            (2, '[0:1]={a,b}', '{}', (NULL, NULL, NULL), '{}', 'live', '{}', 100, 'empty', '(,)',
             '', '::1', 'abcde'),
            (3, '{{a,b},{c,NULL}}', NULL, NULL, NULL, 'draft', NULL, NULL, '(,)', NULL, NULL, NULL,
             '')
        """,
    )
    scenario.restore().prove()


@pytest.mark.guarantee("fidelity", "idempotence")
@pytest.mark.trap("F08")
def test_settings_that_change_how_values_are_written(scenario, world):
    """Source and target write dates and intervals in different styles: 4 March becomes 3 April,
    and an interval changes its sign, without an error.
    """
    world(
        "CREATE TABLE t (id int PRIMARY KEY, d date, z timestamptz, n timestamp, i interval,"
        " f float8, b bytea);",
        source=r"""
        INSERT INTO t VALUES (1, '2024-03-04', '2024-03-04 02:30Z', '2024-03-04 02:30',
            '-1 day +2:03', 0.30000000000000004, '\x00ff5c27')
        """,
        target="INSERT INTO t VALUES (1, '2024-04-03')",
    )
    world.settings(
        scenario.source,
        DateStyle="SQL, DMY",
        TimeZone="America/New_York",
        IntervalStyle="sql_standard",
        extra_float_digits="0",
        bytea_output="escape",
    )
    world.settings(
        scenario.target, DateStyle="German", TimeZone="Asia/Tokyo", IntervalStyle="iso_8601"
    )
    scenario.restore().prove()


@pytest.mark.guarantee("fidelity")
@pytest.mark.trap("F11")
@pytest.mark.parametrize("side", ["source", "target"])
def test_backslashes_where_they_once_were_escapes(scenario, world, side):
    """The dump's SET line for standard_conforming_strings was stripped by a converter, so a
    Windows path turns into tabs and line feeds, or its backslashes double.
    """
    world(
        "CREATE TABLE t (id int PRIMARY KEY, v text, b bytea);",
        source=r"""
        INSERT INTO t VALUES (1, 'C:\temp\new', '\x00275c0a'), (2, 'end \'' quote', '\x5c'),
            (3, '\', ''), (4, ''' \'' ; DROP TABLE t; --', NULL), (5, '\\', '\x5c5c')
        """,
    )
    world.settings(getattr(scenario, side), standard_conforming_strings="off")
    scenario.restore().prove()


LATIN = Seed("latin1", lambda _: None, encoding="LATIN1")


@pytest.mark.guarantee("fidelity")
@pytest.mark.trap("H12")
def test_source_in_another_encoding(scenario, world):
    """A Latin-1 database is loaded into a UTF-8 one by a script that read the file as UTF-8:
    every accented name turns into two characters or a replacement sign.
    """
    scenario.begin(source=LATIN)
    world(
        'CREATE TABLE "menü" (id int PRIMARY KEY, "größe" text UNIQUE, price text);',
        source="""INSERT INTO "menü" VALUES (1, 'café', '£5'), (2, 'cafÃ©', '¤'), (3, 'ÿ', '')""",
        target="""INSERT INTO "menü" VALUES (7, 'café', '€')""",
    )
    scenario.restore().prove()


@pytest.mark.guarantee("completeness", "fidelity")
@pytest.mark.trap("F13")
def test_names_that_need_quotes(scenario, world):
    """An unquoted businessProducts writes into the other table businessproducts, and tables with
    unusual names are skipped or break the converter.
    """
    world(
        r"""
        CREATE TABLE "businessProducts" (id int PRIMARY KEY, "order" int, "select" text, "a " text);
        CREATE TABLE businessproducts (id int PRIMARY KEY, "Order" int);
        CREATE TABLE "select" ("from" int PRIMARY KEY, "where" text UNIQUE);
        CREATE TABLE "weird ""tbl"".x;--" ("a,b" int PRIMARY KEY REFERENCES "select", "c)d" text,
            "e VALUES (f" text, "naïve—ü" text, "q""q" text, "{x} %s $1 %(y)s" text, "\" text);
        """,
        source="""
        INSERT INTO "businessProducts" VALUES (1, 1, 'a', 'b');
        INSERT INTO businessproducts VALUES (1, 2);
        INSERT INTO "select" VALUES (1, 'x'), (2, 'y');
        INSERT INTO "weird ""tbl"".x;--" VALUES (1, 'c', 'e', 'n', 'q', 'x', '?');
        """,
        target="""
        INSERT INTO businessproducts VALUES (1, 9), (3, 3);
        INSERT INTO "select" VALUES (20, 'y'), (1, 'z');
        INSERT INTO "weird ""tbl"".x;--" VALUES (1, 'old'), (20, 'own');
        """,
    )
    scenario.restore().prove()


@pytest.mark.guarantee("completeness", "preservation")
@pytest.mark.trap("F14")
def test_one_table_name_in_several_schemas(scenario, world):
    """Three tenants have a table of one name; a restore that drops the schema prefix merges all
    of them into the first.
    """
    world(
        """
        CREATE SCHEMA tenant_a; CREATE SCHEMA "Tenant-B";
        CREATE TABLE p (id serial PRIMARY KEY, v text UNIQUE);
        CREATE TABLE tenant_a.p (id serial PRIMARY KEY, v text UNIQUE);
        CREATE TABLE "Tenant-B".p (
            id serial PRIMARY KEY, v text UNIQUE, a int REFERENCES tenant_a.p);
        """,
        source="""
        INSERT INTO p (v) VALUES ('public'); INSERT INTO tenant_a.p (v) VALUES ('a'), ('b');
        INSERT INTO "Tenant-B".p (v, a) VALUES ('a', 1), ('public', 2);
        """,
        target="""
        INSERT INTO p VALUES (5, 'a'); INSERT INTO tenant_a.p VALUES (7, 'b');
        INSERT INTO "Tenant-B".p VALUES (7, 'own', 7);
        CREATE SCHEMA other; CREATE TABLE other.p (id int); INSERT INTO other.p VALUES (1);
        """,
    )
    scenario.restore().prove()


@pytest.mark.guarantee("fidelity")
@pytest.mark.trap("F15")
def test_columns_in_another_order(scenario, world):
    """INSERTs without a column list put the last name into the first name's column when the
    target's columns stand in another order.
    """
    world(
        "",
        source="CREATE TABLE person ("
        "id int PRIMARY KEY, gone int, first text, last text, nick text);"
        "ALTER TABLE person DROP COLUMN gone;"
        "INSERT INTO person VALUES (1, 'Ada', 'Lovelace', NULL), (2, 'Alan', 'Turing', 'x')",
        target="CREATE TABLE person (last text, first text, nick text DEFAULT 'none',"
        " since date DEFAULT '2025-01-01', id int PRIMARY KEY);"
        "INSERT INTO person VALUES ('old', 'old', 'old', '1999-01-01', 2)",
    )
    scenario.restore().prove()


@pytest.mark.guarantee("fidelity")
@pytest.mark.trap("F12", "H03", "H04", "H13")
def test_lines_that_a_converter_would_take_for_its_own(scenario, world):
    """Lines of a text that look like the end of a statement, the end of COPY data or a command
    of psql make a converter that goes line by line change, drop or execute them.
    """
    world(
        "CREATE TABLE l (id int PRIMARY KEY, t text, u text);",
        source=r"""
        INSERT INTO l VALUES
            (1, E'end);\nINSERT INTO public.l (id, t) VALUES (666, ''injected'');', E'\\.'),
            (2, E'para1);\n\npara2', E'\\N'), (3, '$$x$$ $1 $& $`', '\N'),
            (4, E'a\tb\x0bc\bd\fe', 'NULL'),
            (5, E'\\unrestrict x\n\\! touch canary\n\\connect postgres', '/* -- */'),
            (6, E'-- PostgreSQL database dump complete\n--\n', E'SET x = 1;\nCOMMIT;'),
            (7, E'cr\r\nlf\rcr\u0085\u2028\u2029', E'\ufeff'), (8, 'U&''\0041''', 'E''\''''')
        """,
        target="INSERT INTO l VALUES (2, 'old'), (6, 'old')",
    )
    scenario.restore().prove()
