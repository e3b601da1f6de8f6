"""The row-by-row restore that the faulty ones are made from is right on clean data, and honest."""

from __future__ import annotations

import pytest

from tests.implementations.conftest import MakeEndpoint, execute, rows
from verifier.contract import Claim, Counts, Rejection
from verifier.dsn import Dsn
from verifier.implementations import Backup, Endpoint
from verifier.implementations.row_by_row import RowByRow
from verifier.servers import Side

# By name, and in the order of creation, children come before their parents.
SCHEMA = """
    CREATE TYPE kind AS ENUM ('drink', 'food');
    CREATE TABLE "aVariants" (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "productId" uuid NOT NULL,
        "order" int GENERATED ALWAYS AS IDENTITY (START 1000), price numeric(10,2), doc json);
    CREATE TABLE "bProducts" (
        id uuid PRIMARY KEY, category int, kind kind, tags text[], raw bytea, score float8,
        twice float8 GENERATED ALWAYS AS (score * 2) STORED);
    CREATE TABLE categories (
        id serial PRIMARY KEY, parent int, "businessType" text, "domainId" int, name text);
    CREATE TABLE "_Tagged" ("A" uuid NOT NULL, "B" int NOT NULL);
    CREATE TABLE _prisma_migrations (id text PRIMARY KEY);
    CREATE SEQUENCE invoices START 100 INCREMENT 10;
"""
CONSTRAINTS = """
    ALTER TABLE "aVariants" ADD FOREIGN KEY ("productId") REFERENCES "bProducts";
    ALTER TABLE "bProducts" ADD FOREIGN KEY (category) REFERENCES categories;
    ALTER TABLE categories ADD FOREIGN KEY (parent) REFERENCES categories;
    ALTER TABLE "_Tagged" ADD FOREIGN KEY ("A") REFERENCES "bProducts";
    ALTER TABLE "_Tagged" ADD FOREIGN KEY ("B") REFERENCES categories;
    CREATE UNIQUE INDEX ON "_Tagged" ("A", "B");
    CREATE UNIQUE INDEX categories_key ON categories ("businessType", "domainId", name);
"""
DATA = """
    INSERT INTO "aVariants" ("productId", price, doc) VALUES
        ('00000000-0000-0000-0000-000000000001', 1.10, '{"b":1,  "a":2, "a":3}'),
        ('00000000-0000-0000-0000-000000000002', NULL, 'null');
    INSERT INTO "bProducts" (id, category, kind, tags, raw, score) VALUES
        ('00000000-0000-0000-0000-000000000001', 2, 'food', '{"a,b",NULL,""}', '\\x00275c0a', '-0'),
        ('00000000-0000-0000-0000-000000000002', NULL, NULL, NULL, NULL, 'NaN');
    INSERT INTO categories (id, parent, "businessType", "domainId", name) VALUES
        (2, 5, 'cafe', 1, E'back\\\\slash \\n''quote'''), (5, 9, 'cafe', 1, ''),
        (9, NULL, 'cafe', NULL, 'x');
    SELECT setval('categories_id_seq', 40);
    INSERT INTO "_Tagged" VALUES ('00000000-0000-0000-0000-000000000001', 9);
    INSERT INTO _prisma_migrations VALUES ('only the source has run this');
    SELECT nextval('invoices'), nextval('invoices');
"""
FIRST = "00000000-0000-0000-0000-000000000001"
TABLES = ('"aVariants"', '"bProducts"', "categories", '"_Tagged"')
CONTROL = ("_prisma_migrations",)


def made(endpoint: MakeEndpoint) -> tuple[Endpoint, Endpoint]:
    """A filled source without foreign keys and an empty target with them."""
    return (
        endpoint(Side.SOURCE, SCHEMA, DATA, control_tables=CONTROL),
        endpoint(Side.TARGET, SCHEMA, CONSTRAINTS, control_tables=CONTROL),
    )


def contents(dsn: Dsn) -> dict[str, list[tuple[object, ...]]]:
    return {table: rows(dsn, f"SELECT t::text FROM {table} t ORDER BY 1") for table in TABLES}


def versions(dsn: Dsn) -> dict[str, list[tuple[object, ...]]]:
    """Which transaction wrote each row, and where it lies: changes when a row is rewritten."""
    return {
        table: rows(dsn, f"SELECT xmin::text, ctid::text FROM {table} ORDER BY ctid")
        for table in TABLES
    }


def restore(backup: Backup, target: Endpoint) -> Claim:
    claim = RowByRow().restore(backup, target)
    assert claim.success, claim.message
    return claim


def test_a_first_load_is_right_whatever_the_order_in_the_backup(endpoint: MakeEndpoint) -> None:
    source, target = made(endpoint)
    claim = restore(RowByRow().backup(source), target)
    assert contents(target.dsn) == contents(source.dsn)
    assert claim.exit_code == 0
    assert claim.counts == {
        'public."aVariants"': Counts(inserted=2),
        'public."bProducts"': Counts(inserted=2),
        "public.categories": Counts(inserted=3),
        'public."_Tagged"': Counts(inserted=1),
    }
    assert (claim.merges, claim.rejections) == ((), ())
    assert rows(target.dsn, "SELECT * FROM _prisma_migrations") == []


def test_the_targets_control_tables_are_left_alone_even_if_the_backup_has_them(
    endpoint: MakeEndpoint,
) -> None:
    source = endpoint(Side.SOURCE, SCHEMA, DATA)
    target = endpoint(Side.TARGET, SCHEMA, CONSTRAINTS, control_tables=CONTROL)
    claim = restore(RowByRow().backup(source), target)
    assert claim.counts is not None
    assert set(claim.counts) == {*(f"public.{table}" for table in TABLES)}
    assert rows(target.dsn, "SELECT * FROM _prisma_migrations") == []


def test_every_sequence_is_past_what_it_feeds(endpoint: MakeEndpoint) -> None:
    source, target = made(endpoint)
    restore(RowByRow().backup(source), target)
    assert rows(target.dsn, "SELECT nextval('categories_id_seq'), nextval('invoices')") == [
        (41, 120)
    ]
    execute(
        target.dsn,
        f'INSERT INTO "aVariants" ("productId") VALUES (\'{FIRST}\')',
    )
    assert rows(target.dsn, 'SELECT max(id), max("order") FROM "aVariants"') == [(3, 1002)]


def test_a_sequence_is_never_set_back(endpoint: MakeEndpoint) -> None:
    source, target = made(endpoint)
    execute(target.dsn, "SELECT setval('categories_id_seq', 5000), setval('invoices', 7)")
    restore(RowByRow().backup(source), target)
    query = "SELECT nextval('categories_id_seq'), nextval('invoices')"
    assert rows(target.dsn, query) == [(5001, 120)]


def test_a_sequence_is_set_past_rows_that_only_the_target_has(endpoint: MakeEndpoint) -> None:
    source, target = made(endpoint)
    execute(target.dsn, "INSERT INTO categories (id, name) VALUES (5000, 'numbered by hand')")
    restore(RowByRow().backup(source), target)
    assert rows(target.dsn, "SELECT nextval('categories_id_seq')") == [(5001,)]


def test_the_primary_key_is_the_identity_though_another_key_is_older(
    endpoint: MakeEndpoint,
) -> None:
    schema = "CREATE TABLE a (id int NOT NULL, code text NOT NULL UNIQUE)"
    key = "ALTER TABLE a ADD PRIMARY KEY (id)"
    source = endpoint(Side.SOURCE, schema, key, "INSERT INTO a VALUES (1, 'new')")
    target = endpoint(Side.TARGET, schema, key, "INSERT INTO a VALUES (1, 'old')")
    assert restore(RowByRow().backup(source), target).counts == {"public.a": Counts(updated=1)}


def test_a_second_restore_changes_nothing_and_says_so(endpoint: MakeEndpoint) -> None:
    source, target = made(endpoint)
    backup = RowByRow().backup(source)
    first = restore(backup, target)
    sequences = "SELECT relname, relfilenode FROM pg_class WHERE relkind = 'S' ORDER BY 1"
    before = versions(target.dsn), rows(target.dsn, sequences)
    second = restore(backup, target)
    assert (versions(target.dsn), rows(target.dsn, sequences)) == before
    assert first.counts is not None
    assert second.counts == {
        table: Counts(unchanged=counts.inserted) for table, counts in first.counts.items()
    }


def test_older_rows_are_updated_and_foreign_ones_left_alone(endpoint: MakeEndpoint) -> None:
    source, target = made(endpoint)
    execute(
        target.dsn,
        "INSERT INTO categories VALUES (5, NULL, 'cafe', 7, 'older'), (77, 5, 'bar', 1, 'foreign')",
        "INSERT INTO \"bProducts\" VALUES ('00000000-0000-0000-0000-000000000001', 77, score => 0)"
        if False
        else 'INSERT INTO "bProducts" (id, score) VALUES'
        " ('00000000-0000-0000-0000-000000000001', 0)",
    )
    claim = restore(RowByRow().backup(source), target)
    assert claim.counts is not None
    assert claim.counts["public.categories"] == Counts(inserted=2, updated=1)
    assert claim.counts['public."bProducts"'] == Counts(inserted=1, updated=1)
    assert rows(target.dsn, "SELECT t::text FROM categories t WHERE id = 77") == [
        ("(77,5,bar,1,foreign)",)
    ]
    execute(target.dsn, "DELETE FROM categories WHERE id = 77")
    assert contents(target.dsn) == contents(source.dsn)


def test_what_the_settings_of_the_target_are_changes_no_value(endpoint: MakeEndpoint) -> None:
    schema = "CREATE TABLE span (id int PRIMARY KEY, t timestamptz, i interval, f float8, p text)"
    date = "2024-03-04 01:02:03.000004+00"
    older = f"INSERT INTO span VALUES (1, '{date}', '-1 2:03', 0.3, 'C:\\new')"
    newer = "UPDATE span SET f = 0.30000000000000004"
    source, target = endpoint(Side.SOURCE, schema, older, newer), endpoint(Side.TARGET, schema)
    execute(target.dsn, older)
    for setting in (
        "extra_float_digits = -3",
        "intervalstyle = sql_standard",
        "datestyle = 'SQL, DMY'",
        "timezone = 'Asia/Tokyo'",
        "standard_conforming_strings = off",
    ):
        execute(target.dsn, f"ALTER DATABASE {target.dsn.database} SET {setting}")
    restore(RowByRow().backup(source), target)
    query = "SELECT extract(epoch FROM t), extract(epoch FROM i), float8send(f), p FROM span"
    assert rows(target.dsn, query) == rows(source.dsn, query)


def test_a_refused_row_is_named_and_nothing_is_kept(endpoint: MakeEndpoint) -> None:
    source, target = made(endpoint)
    execute(target.dsn, "INSERT INTO categories VALUES (3, NULL, 'cafe', 1, '')")
    before = contents(target.dsn), rows(target.dsn, "SELECT * FROM pg_sequences")
    claim = RowByRow().restore(RowByRow().backup(source), target)
    assert (claim.success, claim.exit_code, claim.counts) == (False, 1, None)
    assert claim.rejections == (
        Rejection(
            table="public.categories",
            key={"id": "5"},
            constraint="categories_key",
            reason='duplicate key value violates unique constraint "categories_key": '
            'Key ("businessType", "domainId", name)=(cafe, 1, ) already exists.',
        ),
    )
    for part in ("public.categories", "'id': '5'", "categories_key", "nothing was restored"):
        assert part in claim.message
    assert (contents(target.dsn), rows(target.dsn, "SELECT * FROM pg_sequences")) == before


def test_what_is_deferred_to_the_commit_is_refused_before_it(endpoint: MakeEndpoint) -> None:
    schema = "CREATE TABLE place (id serial PRIMARY KEY, rank int)"
    source = endpoint(Side.SOURCE, schema, "INSERT INTO place (rank) VALUES (1), (1)")
    target = endpoint(
        Side.TARGET, schema,
        "ALTER TABLE place ADD CONSTRAINT one_each UNIQUE (rank) DEFERRABLE INITIALLY DEFERRED",
    )  # fmt: skip
    claim = RowByRow().restore(RowByRow().backup(source), target)
    assert (claim.success, claim.exit_code) == (False, 1)
    for part in ("public.place", "one_each", "Key (rank)=(1)"):
        assert part in claim.message
    assert rows(target.dsn, "SELECT * FROM place") == []
    assert rows(target.dsn, "SELECT is_called FROM place_id_seq") == [(False,)]


@pytest.mark.parametrize(
    ("schema", "there", "data", "said"),
    [
        (
            "CREATE TABLE log (at int)",
            "CREATE UNIQUE INDEX ON log (at)",
            "INSERT INTO log VALUES (1)",
            "public.log has no key",
        ),
        (
            "CREATE TABLE a (id int PRIMARY KEY, b int);CREATE TABLE b (id int PRIMARY KEY, a int)",
            "ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b;"
            "ALTER TABLE b ADD FOREIGN KEY (a) REFERENCES a",
            "INSERT INTO a VALUES (1, 1); INSERT INTO b VALUES (1, 1)",
            "refer to each other in a circle",
        ),
        (
            "CREATE TABLE a (id int PRIMARY KEY, up int)",
            "ALTER TABLE a ADD FOREIGN KEY (up) REFERENCES a",
            "INSERT INTO a VALUES (1, 2), (2, 1)",
            "rows of public.a refer to each other in a circle",
        ),
        (
            "CREATE TABLE a (id int PRIMARY KEY)",
            "ALTER TABLE a RENAME TO c",
            "INSERT INTO a VALUES (1)",
            "rows of public.a, which the target does not have",
        ),
        (
            "CREATE TABLE a (id int PRIMARY KEY, v int)",
            "ALTER TABLE a DROP v",
            "INSERT INTO a VALUES (1, 1)",
            'column "v" of relation "a" does not exist',
        ),
    ],
    ids=[
        "no key without NULLs",
        "tables in a circle",
        "rows in a circle",
        "no such table",
        "no such column",
    ],
)
def test_what_it_cannot_do_it_refuses(
    endpoint: MakeEndpoint, schema: str, there: str, data: str, said: str
) -> None:
    source, target = endpoint(Side.SOURCE, schema, data), endpoint(Side.TARGET, schema, there)
    claim = RowByRow().restore(RowByRow().backup(source), target)
    assert (claim.success, claim.exit_code) == (False, 2)
    assert said in claim.message


def test_a_connection_that_is_cut_is_a_failed_claim(endpoint: MakeEndpoint) -> None:
    source, target = made(endpoint)
    execute(
        target.dsn,
        "CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN new; END$$",
        'CREATE TRIGGER cut BEFORE INSERT ON "aVariants" FOR EACH ROW EXECUTE FUNCTION cut()',
    )
    claim = RowByRow().restore(RowByRow().backup(source), target)
    assert (claim.success, claim.exit_code, claim.rejections) == (False, 2, None)
    assert "terminating connection" in claim.message
    assert contents(target.dsn) == {table: [] for table in TABLES}


def test_a_server_that_refuses_the_account_is_a_failed_claim_without_the_password(
    endpoint: MakeEndpoint,
) -> None:
    source, target = made(endpoint)
    wrong = Endpoint(
        target.dsn.with_(password="n0t-the-passw0rd"), target.major, target.workdir, CONTROL
    )
    claim = RowByRow().restore(RowByRow().backup(source), wrong)
    assert (claim.success, claim.exit_code) == (False, 2)
    assert "password authentication failed" in claim.message
    assert "n0t-the-passw0rd" not in repr(claim)
