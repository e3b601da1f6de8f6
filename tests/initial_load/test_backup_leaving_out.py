"""Rows that a backup leaves out by rule, and everything that refers to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest

from fixtures import shop
from tests.initial_load.backups import Hooks, content, manifest, taken
from tests.initial_load.conftest import Move
from verifier.errors import BackupError, UsageError
from verifier.implementations.base import Backup, Endpoint
from verifier.implementations.initial_load import InitialLoad
from verifier.initial_load import backup
from verifier.initial_load.manifest import Rule
from verifier.servers import Database, Side
from verifier.transfer import BackedUp, BackupOptions, Exclude, Format

SIDES = [pytest.param(Side.SOURCE, id="16"), pytest.param(Side.TARGET, id="18")]
SHOP = (Path(__file__).parents[2] / "fixtures" / "sql" / "shop.sql").read_text(encoding="utf-8")


def leaving_out(*rules: tuple[str, str], form: Format = Format.COPY) -> BackupOptions:
    return BackupOptions(format=form, exclude=tuple(Exclude(*rule) for rule in rules))


class Left:
    """Backs a source up under rules and restores it, foreign keys in force."""

    def __init__(self, move: Move, directory: Path, side: Side = Side.SOURCE) -> None:
        self.move, self.directory, self.side = move, directory, side
        self.done: BackedUp
        self.source: Database
        self.target: Database

    def __call__(
        self, schema: str, data: str, *rules: tuple[str, str], form: Format = Format.COPY
    ) -> Database:
        self.source = self.move.database(self.side, schema, data)
        self.done = backup(
            self.source.dsn, self.directory / "b.sql", leaving_out(*rules, form=form)
        )
        self.target = self.move.database(self.side, schema)
        assert taken(self.done.path, self.target) == ""
        if form is not Format.JSON:
            assert manifest(self.done.path).tables == self.done.rows
        return self.target


@pytest.fixture(params=SIDES)
def left(move: Move, tmp_path: Path, request: pytest.FixtureRequest) -> Left:
    return Left(move, tmp_path, request.param)


# Rows of the shop that stay, level by level, found without looking at foreign keys.
STAY = {
    "businesses": 'NOT "isDemo"',
    "domains": "true",
    "emoji_lookup": "true",
    "tags": "true",
    '"InitialLoadSessions"': "true",
    "business_categories": "true",
    "employees": '"businessId" IN (SELECT id FROM businesses WHERE NOT "isDemo")',
    "business_products": '"businessId" IN (SELECT id FROM businesses WHERE NOT "isDemo")',
}
STAY["product_variants"] = (
    f'"productId" IN (SELECT id FROM business_products WHERE {STAY["business_products"]})'
)
STAY['"_ProductVariantToTag"'] = (
    f'"A" IN (SELECT id FROM product_variants WHERE {STAY["product_variants"]})'
)
STAY["orders"] = (
    f'{STAY["employees"]} AND ("employeeId" IS NULL OR "employeeId" IN'
    f" (SELECT id FROM employees WHERE {STAY['employees']}))"
)
STAY["order_items"] = (
    f'"orderId" IN (SELECT id FROM orders WHERE {STAY["orders"]}) AND ("productVariantId" IS NULL'
    f' OR "productVariantId" IN (SELECT id FROM product_variants WHERE {STAY["product_variants"]}))'
)


@pytest.fixture
def demo(move: Move, request: pytest.FixtureRequest) -> Database:
    database = move.database(getattr(request, "param", Side.SOURCE), SHOP)
    with database.connect() as session:
        shop.load(session, rows=2000, seed=11)
    assert database.execute('SELECT count(*) FROM businesses WHERE "isDemo"')[0][0] > 0
    return database


def kept(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    return {
        table: database.execute(f"SELECT t::text FROM {table} t WHERE {stay} ORDER BY 1")
        for table, stay in STAY.items()
    }


@pytest.mark.parametrize("demo", SIDES, indirect=True)
@pytest.mark.parametrize("form", Format)
def test_demo_businesses_go_with_everything_below_them(
    demo: Database, move: Move, tmp_path: Path, form: Format
) -> None:
    expected = kept(demo)
    rule = ("businesses", '"isDemo"')
    done = backup(demo.dsn, tmp_path / "b.sql", leaving_out(rule, form=form))
    target = move.database(demo.server.side, SHOP)
    assert taken(done.path, target) == ""
    assert kept(target) == expected
    whole = {table: demo.execute(f"SELECT count(*) FROM {table}")[0][0] for table in STAY}
    gone = {f"public.{t}": whole[t] - len(rows) for t, rows in expected.items()}
    assert done.left_out == {table: rows for table, rows in gone.items() if rows}
    assert set(done.left_out) >= {"public.businesses", "public.order_items", "public.employees"}
    assert done.rows == {f"public.{table}": len(rows) for table, rows in expected.items()}
    if form is not Format.JSON:
        assert manifest(done.path).rules == (
            Rule(table="public.businesses", condition='"isDemo"', left_out=done.left_out),
        )
    (note,) = done.notes
    demos = done.left_out["public.businesses"]
    others = sum(done.left_out.values()) - demos
    rows = "1 row" if demos == 1 else f"{demos} rows"
    assert f"left out {rows} of public.businesses, and {others} that refer to them" in note


def test_the_engine_restores_what_stays(demo: Database, move: Move, tmp_path: Path) -> None:
    done = backup(
        demo.dsn,
        tmp_path / "b.sql",
        leaving_out(("businesses", '"isDemo"'), form=Format.INSERTS),
    )
    target = move.database(Side.TARGET, SHOP)
    claim = InitialLoad().restore(Backup((done.path,)), Endpoint(target.dsn, 18, tmp_path))
    assert claim.success, claim.message
    inserted = {table: counts.inserted for table, counts in (claim.counts or {}).items()}
    assert inserted == {table: rows for table, rows in done.rows.items() if rows}
    assert kept(target) == kept(demo)


def test_tables_that_no_rule_reaches_are_pg_dumps(demo: Database, tmp_path: Path) -> None:
    plain = backup(demo.dsn, tmp_path / "all.sql").path.read_text()
    ruled = backup(demo.dsn, tmp_path / "b.sql", leaving_out(("businesses", '"isDemo"')))
    start = plain.index("COPY public.domains")
    block = plain[start : plain.index("\\.\n", start)]
    assert block in ruled.path.read_text()


def test_rules_add_up_and_each_row_counts_once(left: Left) -> None:
    target = left(
        "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY);"
        "CREATE TABLE c (id int, a int REFERENCES a, b int REFERENCES b)",
        "INSERT INTO a VALUES (1), (2); INSERT INTO b VALUES (1), (2);"
        "INSERT INTO c VALUES (1, 1, 1), (2, 2, 1), (3, 1, 2), (4, 2, 2), (5, NULL, NULL)",
        ("a", "id = 1"), ("b", "id = 1"), ("b", "id = 7"),
    )  # fmt: skip
    assert target.execute("SELECT id FROM c ORDER BY 1") == [(4,), (5,)]
    assert left.done.left_out == {"public.a": 1, "public.b": 1, "public.c": 3}
    first, second, third = manifest(left.done.path).rules
    assert (first.left_out, second.left_out) == (
        {"public.a": 1, "public.c": 2},
        {"public.b": 1, "public.c": 1},
    )
    assert third.left_out == {}
    assert left.done.notes[2] == "the rule 'b: id = 7' left out 0 rows of public.b"


def test_a_rule_that_matches_nothing_leaves_all_to_pg_dump(left: Left) -> None:
    target = left("CREATE TABLE a (id int)", "INSERT INTO a VALUES (1)", ("a", "id > 5"))
    assert (left.done.rows, left.done.left_out) == ({"public.a": 1}, {})
    assert target.execute("SELECT * FROM a") == [(1,)]


def test_trees_and_cycles_are_followed_and_null_is_not(left: Left) -> None:
    target = left(
        "CREATE TABLE tree (id int PRIMARY KEY, parent int REFERENCES tree);"
        "CREATE TABLE x (id int PRIMARY KEY, y int);"
        "CREATE TABLE y (id int PRIMARY KEY, x int REFERENCES x, tree int REFERENCES tree);"
        "ALTER TABLE x ADD FOREIGN KEY (y) REFERENCES y DEFERRABLE INITIALLY DEFERRED",
        "INSERT INTO tree VALUES (1, NULL), (2, 1), (3, 2), (4, 3), (5, NULL), (6, 5), (7, 7);"
        "BEGIN; INSERT INTO x VALUES (1, 1), (2, 3), (3, NULL), (4, 2);"
        "INSERT INTO y VALUES (1, NULL, 4), (2, 1, 5), (3, 3, NULL), (4, 4, NULL); COMMIT",
        ("tree", "id = 2"),
    )
    assert target.execute("SELECT id FROM tree ORDER BY 1") == [(1,), (5,), (6,), (7,)]
    # tree 4 ← y 1 ← x 1 ← y 2 ← x 4 ← y 4
    assert target.execute("SELECT id FROM y ORDER BY 1") == [(3,)]
    assert target.execute("SELECT id FROM x ORDER BY 1") == [(2,), (3,)]


def test_composite_and_mixed_keys_are_compared_as_the_server_does(left: Left) -> None:
    target = left(
        "CREATE TABLE p (tenant int, no smallint, code char(4) UNIQUE, PRIMARY KEY (tenant, no));"
        "CREATE TABLE c (id int, t bigint, n bigint, FOREIGN KEY (n, t) REFERENCES p (no, tenant));"
        "CREATE TABLE d (code char(4) REFERENCES p (code) ON DELETE SET NULL)",
        "INSERT INTO p VALUES (1, 1, 'a'), (1, 2, 'b'), (2, 1, 'c');"
        "INSERT INTO c VALUES (1, 1, 1), (2, 1, 2), (3, 2, 1), (4, 1, NULL), (5, NULL, 1);"
        "INSERT INTO d VALUES ('a'), ('b'), (NULL)",
        ("p", "tenant = 1 AND no = 1"),
    )
    assert target.execute("SELECT id FROM c ORDER BY 1") == [(2,), (3,), (4,), (5,)]
    assert target.execute("SELECT count(*) FROM d WHERE code = 'a'") == [(0,)]
    assert left.done.left_out == {"public.c": 1, "public.d": 1, "public.p": 1}


PARTITIONED = (
    "CREATE TABLE p (id int, region text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);"
    "CREATE TABLE p_eu PARTITION OF p FOR VALUES IN ('eu');"
    "CREATE TABLE p_us (region text, id int NOT NULL, PRIMARY KEY (id, region));"
    "ALTER TABLE p ATTACH PARTITION p_us FOR VALUES IN ('us');"
    "CREATE TABLE p_rest PARTITION OF p DEFAULT PARTITION BY RANGE (id);"
    "CREATE TABLE p_low PARTITION OF p_rest FOR VALUES FROM (0) TO (100);"
    "CREATE TABLE c (id int, p int, region text, FOREIGN KEY (p, region) REFERENCES p)"
    "  PARTITION BY HASH (id);"
    "CREATE TABLE c0 PARTITION OF c FOR VALUES WITH (MODULUS 2, REMAINDER 0);"
    "CREATE TABLE c1 PARTITION OF c FOR VALUES WITH (MODULUS 2, REMAINDER 1);"
    "CREATE TABLE e (id int, p int, region text, FOREIGN KEY (p, region) REFERENCES p_us);"
)
IN_PARTITIONS = (
    "INSERT INTO p SELECT n, r FROM generate_series(1, 9) n, unnest('{eu,us,asia}'::text[]) r;"
    "INSERT INTO c SELECT row_number() OVER (), id, region FROM p;"
    "INSERT INTO e SELECT id, id, region FROM p_us"
)


@pytest.mark.parametrize("form", Format)
@pytest.mark.parametrize(
    ("table", "condition", "gone"),
    [
        ("p", "id < 4", 9),
        ("p_us", "id < 4", 3),
        ("p_rest", "id = 2", 1),
        ("public.p_low", "true", 9),
    ],
)
def test_partitions_stand_for_their_table(
    left: Left, form: Format, table: str, condition: str, gone: int
) -> None:
    target = left(PARTITIONED, IN_PARTITIONS, (table, condition), form=form)
    assert left.done.left_out["public.p"] == left.done.left_out["public.c"] == gone
    for rows in ("p_eu", "p_us", "p_low", "c"):
        query = f"SELECT * FROM {rows} t WHERE NOT (%s) ORDER BY 1, 2"
        members = {"p": "p_eu p_us p_low", "p_rest": "p_low", "public.p_low": "p_low"}
        named = rows in members.get(table, table).split()
        expected = left.source.execute(query % (condition if named else "false"))
        if rows != "c":
            assert target.execute(query % "false") == expected
    assert target.execute(
        "SELECT count(*) FROM c LEFT JOIN p ON (p.id, p.region) = (c.p, c.region)"
        " WHERE p.id IS NULL"
    ) == [(0,)]
    assert left.done.rows["public.p"] == 27 - gone == left.done.rows["public.c"]


def test_what_inherits_is_a_table_of_its_own(left: Left) -> None:
    target = left(
        "CREATE TABLE base (id int); CREATE TABLE heir (more text) INHERITS (base)",
        "INSERT INTO base VALUES (1), (2); INSERT INTO heir VALUES (1, 'x'), (2, 'y')",
        ("base", "id = 1"),
    )
    assert target.execute("SELECT tableoid::regclass::text, id FROM base ORDER BY 1, 2") == [
        ("base", 2), ("heir", 1), ("heir", 2),
    ]  # fmt: skip


VALUES = (
    "CREATE SCHEMA \"Odd.s\"; CREATE TYPE mood AS ENUM ('it''s \"so\"');"
    'CREATE TABLE "Odd.s"."a ""q""\n'
    'nl" (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "it\'s" text, "SELECT" mood,'
    "  f float8, n numeric, b bytea, ts timestamptz, i interval, bits bit(3), a text[], j jsonb,"
    "  flag bool, c char(5), twice int GENERATED ALWAYS AS (2 * 3) STORED, rel regclass, m money);"
    "CREATE TABLE zero ()"
)
OF_ALL_KINDS = (
    'INSERT INTO "Odd.s"."a ""q""\n'
    'nl" ("it\'s", "SELECT", f, n, b, ts, i, bits, a, j, flag, c, rel, m) VALUES'
    " ('gone', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),"
    " (E'a\\tb\\r\\nc\\\\d\\\\.\\b\\f\\x0b ''q''', 'it''s \"so\"', '-0', 1.10, '\\x00275c0a',"
    "  '0044-03-15 12:00 BC', '-1 2:03', '101', '{a,NULL,\"NULL\",\"\",\"\\\\\\\\\"}',"
    "  '{\"a\": \"\\u00e9''\"}', true, 'ab', 'zero', '$1.50'),"
    " ('', NULL, 'NaN', 'NaN', '', 'infinity', NULL, NULL, '{}', 'null', false, '', NULL, NULL),"
    " (E'\\\\N', NULL, 5e-324, 1e100, NULL, '-infinity', NULL, NULL, NULL, '\"\"', NULL, NULL,"
    " NULL, NULL),"
    " (E');\\nINSERT INTO zero DEFAULT VALUES;\\n--', NULL, 0.1, NULL, NULL, NULL, NULL, NULL,"
    " NULL, NULL, NULL, NULL, NULL, NULL);"
    "INSERT INTO zero DEFAULT VALUES; INSERT INTO zero DEFAULT VALUES"
)


@pytest.mark.parametrize("form", Format)
@pytest.mark.parametrize("setting", ["", "standard_conforming_strings = off", "TimeZone = Japan"])
def test_values_of_every_kind_come_through_in_rows_that_we_write(
    move: Move, tmp_path: Path, form: Format, setting: str
) -> None:
    source = move.database(Side.SOURCE, VALUES, OF_ALL_KINDS)
    name = '"Odd.s"."a ""q""\nnl"'
    expected = content(source)
    expected[name] = [row for row in expected[name] if "gone" not in row]
    assert len(expected[name]) == 4
    if setting:
        source.execute(f'ALTER DATABASE "{source.name}" SET {setting}')
    rules = leaving_out((name, "\"it's\" LIKE 'go%'"), form=form)
    done = backup(source.dsn, tmp_path / "b.sql", rules)
    assert done.left_out == {name: 1}
    for side in Side:
        target = move.database(side, VALUES)
        taken(done.path, target)
        assert content(target) == expected


@pytest.mark.parametrize("form", Format)
def test_a_table_without_columns_can_lose_its_rows(left: Left, form: Format) -> None:
    left("CREATE TABLE zero ()", "INSERT INTO zero DEFAULT VALUES", ("zero", "true"), form=form)
    assert (left.done.rows, left.done.left_out) == ({"public.zero": 0}, {"public.zero": 1})


def test_periods_that_a_missing_row_no_longer_covers_go_too(move: Move, tmp_path: Path) -> None:
    left = Left(move, tmp_path, Side.TARGET)
    target = left(
        "CREATE TABLE p (id int4range, valid tsrange, PRIMARY KEY (id, valid WITHOUT OVERLAPS));"
        "CREATE TABLE c (n int, p int4range, valid tsrange,"
        "  FOREIGN KEY (p, PERIOD valid) REFERENCES p (id, PERIOD valid))",
        "INSERT INTO p VALUES ('[1,2)', '[2020-01-01,2021-01-01)'),"
        "  ('[1,2)', '[2021-01-01,2022-01-01)');"
        "INSERT INTO c VALUES (1, '[1,2)', '[2020-02-01,2020-03-01)'),"
        "  (2, '[1,2)', '[2020-02-01,2021-03-01)'), (3, '[1,2)', '[2021-02-01,2021-03-01)')",
        ("p", "lower(valid) = '2020-01-01'"),
    )
    assert target.execute("SELECT n FROM c") == [(3,)]


def test_a_snapshot_is_what_is_left_out_of(move: Move, tmp_path: Path) -> None:
    """Rows that move, come and go after the snapshot change nothing about what stays."""
    source = move.database(
        Side.SOURCE,
        "CREATE TABLE p (id int PRIMARY KEY, v int); CREATE TABLE c (p int REFERENCES p);"
        "INSERT INTO p SELECT n, 0 FROM generate_series(1, 100) n; INSERT INTO c SELECT id FROM p",
    )

    def change_and_vacuum() -> None:
        with source.connect() as session:
            for statement in ("UPDATE p SET v = 1", "DELETE FROM c WHERE p > 50", "VACUUM p, c",
                              "INSERT INTO c SELECT 1 FROM p"):  # fmt: skip
                session.execute(statement)

    hooks = Hooks(looking_for_rows_to_leave_out=change_and_vacuum, counting_rows=change_and_vacuum)
    done = backup(source.dsn, tmp_path / "b.sql", leaving_out(("p", "id <= 10")), hooks)
    assert done.rows == {"public.c": 90, "public.p": 90}
    target = move.database(
        Side.SOURCE, "CREATE TABLE p (id int PRIMARY KEY, v int); CREATE TABLE c (p int)"
    )
    taken(done.path, target)
    assert target.execute("SELECT sum(v), min(id), (SELECT min(p) FROM c) FROM p") == [(0, 11, 11)]


# --- rules that cannot be right ----------------------------------------------------------

NAMES = (
    'CREATE SCHEMA other; CREATE TABLE businesses (id text, "isDemo" bool, n int);'
    "CREATE TABLE other.twice (id int); CREATE TABLE twice (id int);"
    'CREATE TABLE "CamelCase" (id int); CREATE TABLE camelcase2 (id int);'
    'CREATE TABLE "a.b" (id int); CREATE TABLE log (id int); CREATE VIEW seen AS SELECT 1;'
    "INSERT INTO businesses VALUES ('demo-1', true, 0), ('x', false, 1)"
)


@pytest.fixture
def named(move: Move) -> Database:
    return move.database(Side.SOURCE, NAMES)


@pytest.mark.parametrize(
    "table",
    ["businesses", "public.businesses", "BUSINESSES", '"businesses"', 'Public."businesses"',
     "CamelCase", '"CamelCase"', "a.b", 'public."a.b"', "other.twice", "CAMELCASE2"],
)  # fmt: skip
def test_a_table_is_named_as_users_name_it(named: Database, tmp_path: Path, table: str) -> None:
    assert backup(named.dsn, tmp_path / "b.sql", leaving_out((table, "true"))).rows


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("busineses", "no table busineses .*did you mean businesses"),
        ("public.busineses", "did you mean public.businesses"),
        ('"BUSINESSES"', "no table"),
        ("twice", r"several schemas; write one of other\.twice, public\.twice"),
        ("seen", "no table seen"),
        ("log", "log describes the database itself and is left out whole"),
        ("", "no table"), ('"', "no table"), ("a.b.c.d", "no table"), (".", "no table"),
        ("pg_catalog.pg_class", "no table"),
    ],
)  # fmt: skip
def test_a_table_that_is_none_is_refused_with_candidates(
    named: Database, tmp_path: Path, table: str, said: str
) -> None:
    options = BackupOptions(exclude=(Exclude(table, "true"),), control_tables=("log",))
    with pytest.raises(UsageError, match=said):
        backup(named.dsn, tmp_path / "b.sql", options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("isDemo", r'column "isdemo" does not exist \(did you mean "isDemo"\?\); give a condition'),
        ("businesses.idd = ''", r"does not exist \(did you mean id\?\)"),
        ("n", "must be type boolean"),
        ("id = ", "syntax error"),
        ("", "syntax error"),
        ("n = 'x'", "invalid input syntax for type integer"),
        ("1 / n = 1", "division by zero"),
        ("nowhere(id)", "function nowhere"),
        ("n = $1", "requires 1"),
        ("count(*) > 1", "aggregate functions are not allowed"),
        ("true); DROP TABLE twice; --", "syntax error|multiple commands"),
        ("true); DROP TABLE twice; INSERT INTO twice SELECT 1 WHERE (true", "multiple commands"),
        ("id = 'a' OR $$", "unterminated"),
        ("id = '\0'", "unterminated"),
    ],
)
def test_a_condition_that_cannot_be_used_is_refused_in_the_servers_words(
    named: Database, tmp_path: Path, condition: str, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        backup(named.dsn, tmp_path / "b.sql", leaving_out(("businesses", condition)))
    assert list(tmp_path.iterdir()) == []
    assert named.execute("SELECT count(*) FROM twice") == [(0,)]


@pytest.mark.parametrize(
    "condition",
    ["id LIKE 'demo-%' -- the demo", "id LIKE 'demo-%%' OR id LIKE '{demo}'", "businesses.n = 0",
     "id IN (SELECT 'demo-' || n FROM generate_series(1, 5) n)", "n = 0 OR NULL",
     "(SELECT true FROM shown WHERE shown.id = businesses.id)"],
)  # fmt: skip
def test_a_condition_is_sql_under_the_accounts_own_settings(
    named: Database, tmp_path: Path, condition: str
) -> None:
    named.execute(
        "CREATE SCHEMA own; CREATE TABLE own.shown AS SELECT 'demo-1' AS id;"
        f'ALTER DATABASE "{named.name}" SET search_path = own, public'
    )
    done = backup(named.dsn, tmp_path / "b.sql", leaving_out(("businesses", condition)))
    assert done.left_out == {"public.businesses": 1}


def test_a_condition_changes_nothing_in_the_source(named: Database, tmp_path: Path) -> None:
    named.execute(
        "CREATE FUNCTION eat(text) RETURNS bool LANGUAGE plpgsql AS"
        " $$ BEGIN DELETE FROM businesses WHERE id <> $1; RETURN true; END $$"
    )
    before = content(named)
    backup(named.dsn, tmp_path / "b.sql", leaving_out(("CamelCase", "eat('x')")))
    assert content(named) == before


def test_without_the_right_to_temporary_tables_the_right_is_named(
    named: Database, tmp_path: Path
) -> None:
    user = named.dsn.parameters["user"]
    with psycopg.connect(named.admin.conninfo, autocommit=True) as session:
        session.execute(f'ALTER DATABASE "{named.name}" OWNER TO CURRENT_USER')
        session.execute(f'REVOKE TEMPORARY ON DATABASE "{named.name}" FROM PUBLIC')
        for name in ("public", "other"):
            session.execute(f'GRANT USAGE ON SCHEMA {name} TO "{user}"')
    with pytest.raises(BackupError, match=f"grant it TEMPORARY on the database {named.name}"):
        backup(named.dsn, tmp_path / "b.sql", leaving_out(("businesses", "true")))
    assert backup(named.dsn, tmp_path / "b.sql").rows["public.businesses"] == 2


def test_an_extensions_table_keeps_its_rows(named: Database, tmp_path: Path) -> None:
    with psycopg.connect(named.admin.conninfo, autocommit=True) as session:
        session.execute("ALTER EXTENSION plpgsql ADD TABLE businesses")
        session.execute(
            "UPDATE pg_extension SET extconfig = ARRAY['businesses'::regclass::oid],"
            " extcondition = ARRAY['WHERE n > 0'] WHERE extname = 'plpgsql'"
        )
    with pytest.raises(UsageError, match=r"public\.businesses belongs to an extension"):
        backup(named.dsn, tmp_path / "b.sql", leaving_out(("businesses", "true")))
