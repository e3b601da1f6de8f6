"""JSON backups restored into real databases."""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.rows import dict_row

import fixtures
from fixtures.schema import TABLES, create_schema
from tests.initial_load.backups import content
from tests.initial_load.conftest import Move, assert_idempotent, assert_refused, total
from verifier.contract import Claim
from verifier.servers import Database, Side

MODELS = {
    "businesses": "Business",
    "domains": "domains",
    "tags": "Tag",
    "emoji_lookup": "emojiLookup",
    "business_categories": "BusinessCategory",
    "employees": "Employees",
    "business_products": "businessProducts",
    "product_variants": "ProductVariant",
    "_ProductVariantToTag": "_ProductVariantToTag",
    "orders": "Order",
    "order_items": "orderItem",
    "InitialLoadSessions": "InitialLoadSession",
}


def javascript(value: object) -> object:
    """What JSON.stringify makes of what Prisma's client gives for a value."""
    match value:
        case Decimal():
            # decimal.js drops the zeros at the end.
            return format(value.normalize(), "f")
        case datetime():
            return value.strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03}Z"
        case date():
            return f"{value}T00:00:00.000Z"
        case bytes():
            return {"type": "Buffer", "data": list(value)}
        case _:
            return str(value)


class Raw(str):
    """JSON text that is written as it is: JavaScript would lose digits in it."""

    __slots__ = ()


class RawLoader(Loader):
    def load(self, data: Buffer) -> Raw:
        return Raw(bytes(data), "utf-8")


def record(row: dict[str, Any]) -> str:
    members = [
        f"{json.dumps(name)}:"
        + (value if isinstance(value, Raw) else json.dumps(value, default=javascript))
        for name, value in row.items()
    ]
    return "{" + ",".join(members) + "}"


def export(database: Database, tables: tuple[str, ...]) -> str:
    models = []
    with database.connect() as session, session.cursor(row_factory=dict_row) as cursor:
        cursor.adapters.register_loader("jsonb", RawLoader)
        cursor.execute("SET TimeZone = 'UTC'")
        for table in tables:
            rows = cursor.execute(f'SELECT * FROM "{table}"').fetchall()
            models.append(f'"{MODELS[table]}": [' + ",\n".join(map(record, rows)) + "]")
    head = '{"version": "2.0", "exportedAt": "2025-12-08T10:00:00.000Z", "data": {'
    return head + ",\n".join(models) + "}}"


def load(move: Move, text: str, schema: str = "") -> Claim:
    """Restore the JSON ``text``, into a new target made by ``schema`` if that is given."""
    if schema:
        move.target = move.database(Side.TARGET, schema)
    move.path = move.directory / "backup.json"
    move.path.write_text(text, encoding="utf-8")
    return move.again()


def forget_what_json_has_not(session: Connection[Any]) -> None:
    """NULL where JSON's null is all that an export has: NaN, infinities, and json's own null."""
    columns = session.execute(
        "SELECT format('%I', table_name), format('%I', column_name), data_type"
        " FROM information_schema.columns WHERE table_schema = 'public' AND is_nullable = 'YES'"
        " AND data_type IN ('double precision', 'jsonb')"
    ).fetchall()
    for table, column, kind in columns:
        lost = f"{column} = 'null'" if kind == "jsonb" else f"{column}::text ~ 'NaN|Infinity'"
        session.execute(f"UPDATE {table} SET {column} = NULL WHERE {lost}")


@pytest.mark.parametrize("order", [1, -1])
def test_a_shop_that_a_javascript_sync_exported(move: Move, order: int) -> None:
    source, move.target = move.database(Side.SOURCE), move.database(Side.TARGET)
    with source.connect() as session:
        create_schema(session)
        fixtures.load(session, rows=400, seed=7)
        forget_what_json_has_not(session)
    with move.target.connect() as session:
        create_schema(session)
    claim = load(move, export(source, TABLES[::order]))
    assert claim.success, claim.message
    expected, found = content(source), content(move.target)
    for table in map(quoted, TABLES):
        assert found[table] == expected[table] != []
    assert total(claim).inserted == sum(len(expected[quoted(table)]) for table in TABLES)
    assert_idempotent(move, claim)


def quoted(table: str) -> str:
    return f"public.{table}" if table.islower() and table[0] != "_" else f'public."{table}"'


def test_control_tables_are_left_alone(move: Move) -> None:
    move.control = ("InitialLoadSessions",)
    claim = load(
        move,
        '{"initialLoadSession": [{"id": 1}], "users": [{"id": 1}]}',
        'CREATE TABLE "InitialLoadSessions" (id int PRIMARY KEY);'
        "CREATE TABLE users (id int PRIMARY KEY)",
    )
    assert claim.success, claim.message
    assert move.rows('SELECT count(*) FROM "InitialLoadSessions"') == [(0,)]
    assert move.rows("SELECT * FROM users") == [(1,)]


def test_null_is_jsons_own_where_there_can_be_no_other(move: Move) -> None:
    claim = load(
        move,
        '{"docs": [{"id": 1, "a": null, "b": null}]}',
        "CREATE TABLE docs (id int PRIMARY KEY, a jsonb NOT NULL, b jsonb)",
    )
    assert claim.success, claim.message
    assert move.rows("SELECT a::text, b::text FROM docs") == [("null", None)]


def test_every_digit_arrives(move: Move) -> None:
    claim = load(
        move,
        '{"js": [{"id": 9007199254740993, "n": 12345678901234567.890, "f": -0.0, "g": "NaN",'
        ' "j": {"b":1.0,"a":9007199254740993,"b":1E400}, "k": {"b":1.0,"a":9007199254740993},'
        ' "b": {"type":"Buffer","data":[0,255]}, "d": {"0":1}, "a": [["x\\"\\\\", null]],'
        ' "m": [{"a": 1.10}], "t": "2025-12-08T10:00:00.123456+02:00", "s": "\\\\N"}]}',
        "CREATE DOMAIN doc AS json; CREATE DOMAIN documents AS doc; CREATE DOMAIN octets AS bytea;"
        "CREATE TABLE js (id bigint PRIMARY KEY, n numeric, f float8, g float8, j documents,"
        " k jsonb, b bytea, d octets, a text[], m json[], t timestamptz, s text)",
    )
    assert claim.success, claim.message
    assert move.rows(
        "SELECT id, n::text, f::text, g::text, j::text, k::text, b::text, d::text, a::text,"
        " m::text, t AT TIME ZONE 'UTC', s FROM js"
    ) == [
        (9007199254740993, "12345678901234567.890", "-0", "NaN",
         '{"b":1.0,"a":9007199254740993,"b":1E400}', '{"a": 9007199254740993, "b": 1.0}',
         "\\x00ff", "\\x01", '{{"x\\"\\\\",NULL}}', '{"{\\"a\\":1.10}"}',
         datetime(2025, 12, 8, 8, 0, 0, 123456), "\\N"),
    ]  # fmt: skip


def test_javascripts_times_in_columns_of_every_kind(move: Move) -> None:
    claim = load(
        move,
        '{"moments": [{"id": 1, "ts": "2025-12-08T10:00:00.123Z",'
        ' "tz": "+010000-01-01T00:00:00.000Z", "d": "2025-12-08T00:00:00.000Z",'
        ' "t": "1970-01-01T12:30:00.250Z", "z": "1970-01-01T12:30:00.000Z"},'
        ' {"id": 2, "ts": "-000043-03-15T12:00:00.000Z", "tz": "-000043-03-15T12:00:00.000Z",'
        ' "d": "-000043-03-15T00:00:00.000Z", "t": "24:00:00", "z": null}]}',
        "CREATE TABLE moments (id int PRIMARY KEY, ts timestamp, tz timestamptz, d date, t time,"
        " z timetz)",
    )
    assert claim.success, claim.message
    query = "SELECT ts::text, (tz AT TIME ZONE 'UTC')::text, d::text, t::text, z::text FROM moments"
    assert move.rows(query + " ORDER BY id") == [
        ("2025-12-08 10:00:00.123", "10000-01-01 00:00:00", "2025-12-08", "12:30:00.25",
         "12:30:00+00"),
        ("0044-03-15 12:00:00 BC", "0044-03-15 12:00:00 BC", "0044-03-15 BC", "24:00:00", None),
    ]  # fmt: skip


def test_case_pairs_reserved_and_odd_names(move: Move) -> None:
    claim = load(
        move,
        '{"businessProducts": [{"id": 1, "domainId": 2, "order": 3, "select": 4}],'
        ' "businessproducts": [{"id": 1, "v": 5}],'
        ' "weird \\"tbl\\".x": [{"id": 1, "a,b": "x", "c)d": "y", "naïve—ü": "z", "q\\"q": "w"}]}',
        'CREATE TABLE "businessProducts"(id int PRIMARY KEY, "domainId" int, "order" int,'
        ' "select" int); CREATE TABLE businessproducts(id int PRIMARY KEY, v int);'
        'CREATE TABLE "weird ""tbl"".x"(id int PRIMARY KEY, "a,b" text, "c)d" text,'
        ' "naïve—ü" text, "q""q" text)',
    )
    assert claim.success, claim.message
    assert move.rows('SELECT * FROM "businessProducts"') == [(1, 2, 3, 4)]
    assert move.rows("SELECT * FROM businessproducts") == [(1, 5)]
    assert move.rows('SELECT * FROM "weird ""tbl"".x"') == [(1, "x", "y", "z", "w")]


def test_a_prisma_schema_says_which_table(move: Move, tmp_path: Path) -> None:
    prisma = tmp_path / "schema.prisma"
    prisma.write_text(
        'model Thing {\n id Int @id\n label String @map("txt")\n way Way\n ways Way[]\n'
        ' @@map("legacy_stuff")\n}\nenum Way {\n CARD\n MOBILE @map("mobile money")\n}\n'
    )
    move.options = type(move.options)(models=prisma)
    claim = load(
        move,
        '{"thing": [{"id": 1, "label": "MOBILE", "way": "MOBILE", "ways": ["CARD", "MOBILE"]}]}',
        "CREATE TYPE way AS ENUM ('CARD', 'mobile money');"
        "CREATE TABLE legacy_stuff (id int PRIMARY KEY, txt text, way way, ways way[]);"
        "CREATE TABLE things (id int)",
    )
    assert claim.success, claim.message
    assert move.rows("SELECT id, txt, way::text, ways::text FROM legacy_stuff") == [
        (1, "MOBILE", "mobile money", '{CARD,"mobile money"}')
    ]


def test_children_before_parents_and_duplicates(move: Move) -> None:
    claim = load(
        move,
        '{"products": [{"id": 1, "category_id": 20}], "categories":'
        ' [{"id": 10, "name": "tea"}, {"id": 20, "name": "tea"}]}',
        "CREATE TABLE categories (id int PRIMARY KEY, name text UNIQUE);"
        "CREATE TABLE products (id int PRIMARY KEY, category_id int REFERENCES categories);"
        "INSERT INTO categories VALUES (5, 'tea')",
    )
    assert claim.success, claim.message
    assert move.rows("SELECT * FROM products") == [(1, 5)]
    assert_idempotent(move, claim)


def test_a_column_that_no_record_has_keeps_what_the_target_holds(move: Move) -> None:
    claim = load(
        move,
        '{"users": [{"id": 1, "name": "new"}]}',
        "CREATE TABLE users (id int PRIMARY KEY, name text, note text);"
        "INSERT INTO users VALUES (1, 'old', 'kept')",
    )
    assert claim.success, claim.message
    assert move.rows("SELECT * FROM users") == [(1, "new", "kept")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"user": [{"id": 1}, {"id": 2, "nam": "x"}]}', "record 2 of user: the field nam"),
        ('{"users": [{"id": 1}', "byte 21"),
        ('{"usrs": []}', "did you mean public.users?"),
        ('{"users": [{"id": 1, "name": {"a": 1}}]}', "record 1 of users: the field name is an"),
        ('{"users": [{"id": 1, "sum": 1}]}', "generated column"),
    ],
)
def test_refused_and_nothing_changed(move: Move, text: str, said: str) -> None:
    claim = load(
        move,
        text,
        "CREATE TABLE users (id int PRIMARY KEY, name text,"
        " sum int GENERATED ALWAYS AS (id) STORED)",
    )
    assert said in claim.message
    assert_refused(move, claim, exit_code=2)


def test_a_value_that_the_type_does_not_take_rejects_its_row(move: Move) -> None:
    claim = load(
        move,
        '{"users": [{"id": 1, "n": 1}, {"id": 2, "n": 1.5}]}',
        "CREATE TABLE users (id int PRIMARY KEY, n int)",
    )
    (rejection,) = claim.rejections
    assert (rejection.key, "1.5" in rejection.reason) == ({"id": "2"}, True)
    assert_refused(move, claim)
