"""A schema of somebody's own, and the values that its tables are filled with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import psycopg
import pytest

from verifier.dsn import Dsn
from verifier.errors import UsageError
from verifier.model.own import Own, Pool
from verifier.model.schema import Row
from verifier.servers import Pair, Side
from verifier.worlds.own import load
from verifier.worlds.rows import inserts
from verifier.worlds.spelling import name, of_table

SQL = Path(__file__).parents[2] / "fixtures" / "sql"
SCHEMAS = ("issue_tracker", "accounting", "event_store")
EMPTY = {"accounting": {"ledger.approval", "ledger.budget"}}

Loader = Callable[..., Own]


@pytest.fixture(scope="module")
def three(servers: Pair) -> dict[str, Own]:
    """The schemas that come along."""
    return {schema: load(servers, SQL / f"{schema}.sql") for schema in SCHEMAS}


@pytest.fixture
def loaded(servers: Pair, tmp_path: Path) -> Loader:
    """Loads a schema from its text, with rows for a seed."""

    def load_text(schema: str, seed: str | None = None, **rest: tuple[str, ...]) -> Own:
        files = []
        for place, text in (("schema.sql", schema), ("seed.sql", seed)):
            if text is not None:
                (tmp_path / place).write_text(text, encoding="utf-8")
                files.append(tmp_path / place)
        return load(servers, *files, **rest)

    return load_text


def refused(loaded: Loader, *texts: str) -> str:
    with pytest.raises(UsageError) as caught:
        loaded(*texts)
    return str(caught.value)


def choices(own: Own, table: str, column: str) -> list[str | None]:
    for group in own.pools[table].groups:
        if column in group.columns:
            return [choice[group.columns.index(column)] for choice in group.choices]
    raise KeyError(column)


def named(own: Own) -> dict[str, str]:
    return {f"{each.table} {each.what}".strip(): each.why for each in own.unmade}


def drawn(own: Own, table: str, pool: Pool, random: Random) -> Row:
    """A row of one choice of each group."""
    cells = {}
    for group in pool.groups:
        cells |= zip(group.columns, random.choice(group.choices), strict=True)
    return tuple(cells[column.name] for column in own.schema.by_id[table].stored)


@pytest.mark.parametrize("schema", SCHEMAS)
def test_whatever_is_drawn_from_a_pool_fits_the_table(
    servers: Pair, three: dict[str, Own], schema: str
) -> None:
    own = three[schema]
    assert own.schema.by_id.keys() - own.pools.keys() == EMPTY.get(schema, set())
    for side in Side:
        database = servers.databases(side).create("own")
        with database.connect() as session:
            session.execute(own.schema.script.encode())
            for table in own.schema.tables:
                where = of_table(table)
                held = [key.name for key in (*table.foreign_keys, *table.keys)]
                for key in held:
                    session.execute(
                        f"ALTER TABLE {where} DROP CONSTRAINT IF EXISTS {name(key)} CASCADE;"
                        f"DROP INDEX IF EXISTS {table.schema}.{name(key)}".encode()
                    )
                session.execute(f"ALTER TABLE {where} DISABLE TRIGGER USER".encode())
            for table, pool in own.pools.items():
                random = Random(7)
                rows = [drawn(own, table, pool, random) for _ in range(40)]
                script = "".join(inserts(own.schema.by_id[table], rows))
                session.execute(script.encode())
        servers.databases(side).drop(database)


@pytest.mark.parametrize("schema", SCHEMAS)
def test_references_have_values_in_common_with_what_they_refer_to(
    three: dict[str, Own], schema: str
) -> None:
    own = three[schema]
    for table in own.pools:
        for key in own.schema.by_id[table].foreign_keys:
            for column, referred in zip(key.columns, key.references, strict=True):
                there = set(choices(own, key.parent, referred))
                assert len(set(choices(own, table, column)) & there) > 2, (table, key)


def test_values_satisfy_checks_that_read_several_columns(three: dict[str, Own]) -> None:
    own = three["accounting"]
    (sides,) = (group for group in own.pools["ledger.posting"].groups if "debit" in group.columns)
    assert sides.columns == ("debit", "credit")
    assert not sides.open
    assert {(debit == "0.00") != (credit == "0.00") for debit, credit in sides.choices} == {True}
    assert len(sides.choices) > 10
    assert len(choices(own, "ledger.invoice", "number")) >= 8
    own = three["issue_tracker"]
    assert {"Issue", "Comment"} == set(choices(own, "public.attachments", "subject_type"))


TYPES = """
CREATE TYPE pair AS (a int, b text);
CREATE TYPE span AS RANGE (subtype = float8);
CREATE TABLE t (
    id int PRIMARY KEY, a smallint NOT NULL, b real NOT NULL, c money NOT NULL, d bit(5) NOT NULL,
    e bit varying(3) NOT NULL, f inet NOT NULL, g cidr NOT NULL, h macaddr8 NOT NULL,
    i time NOT NULL, j timetz NOT NULL, k interval NOT NULL, l lseg NOT NULL, m tsvector NOT NULL,
    n int4multirange NOT NULL, o daterange NOT NULL, p text[] NOT NULL, q int[] NOT NULL,
    r pair NOT NULL, s span NOT NULL, u point NOT NULL, v polygon NOT NULL, w path NOT NULL,
    x pg_lsn NOT NULL, y name NOT NULL, z "char" NOT NULL, aa bytea NOT NULL, bb json NOT NULL,
    cc char(3) NOT NULL, dd pair[], ee regclass, ff jsonpath NOT NULL, gg varchar(2) NOT NULL,
    hh numeric(3,1) NOT NULL, ii timestamp(0) NOT NULL, jj tsquery NOT NULL, kk circle NOT NULL);
"""


def test_there_are_values_of_every_type(loaded: Loader) -> None:
    own = loaded(TYPES)
    assert own.unmade == ()
    assert {column.name for column in own.schema.by_id["public.t"].columns} == {
        column for group in own.pools["public.t"].groups for column in group.columns
    }
    assert choices(own, "public.t", "cc")[0] == "a  "
    assert "t" not in choices(own, "public.t", "hh")


def test_what_no_value_satisfies_is_named_with_what_was_tried(loaded: Loader) -> None:
    own = loaded(
        """
        CREATE DOMAIN never AS int CHECK (VALUE < 0 AND VALUE > 0);
        CREATE TABLE hopeless (id int PRIMARY KEY, CONSTRAINT odd CHECK (sqrt(id) = id + 0.5));
        CREATE TABLE n (id int PRIMARY KEY, v never, w never NOT NULL);
        CREATE TABLE nullable (id int PRIMARY KEY, v never);
        CREATE TABLE enum_of_nothing (id int PRIMARY KEY);
        CREATE TABLE below (id int PRIMARY KEY, up int NOT NULL REFERENCES hopeless);
        CREATE TABLE deeper (id int PRIMARY KEY, up int NOT NULL REFERENCES below);
        CREATE TABLE beside (id int PRIMARY KEY, up int REFERENCES below, x text);
        """
    )
    why = named(own)
    assert "nothing that was tried satisfies it ('1', '2'" in why["public.hopeless odd"]
    assert "never_check" in why["public.n w"]
    assert "so it is NULL" in why["public.nullable v"]
    assert "public.hopeless has no rows" in why["public.below below_up_fkey"]
    assert "public.below has no rows" in why["public.deeper deeper_up_fkey"]
    assert "public.below has no rows" in why["public.beside beside_up_fkey"]
    assert own.pools.keys() == {"public.nullable", "public.enum_of_nothing", "public.beside"}
    assert choices(own, "public.beside", "up") == [None]
    assert choices(own, "public.nullable", "v") == [None]


def test_rules_that_fail_or_that_only_a_server_knows(loaded: Loader) -> None:
    own = loaded(
        """
        CREATE FUNCTION even(n int) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS
            $$BEGIN RETURN 10 / n > 0 AND n % 2 = 0; END$$;
        CREATE TABLE t (
            id int PRIMARY KEY, n int CHECK (even(n)), m int, per numeric NOT NULL
            GENERATED ALWAYS AS (100.0 / m) STORED, doc text, whole int, other int,
            CONSTRAINT small CHECK (per < 50), CONSTRAINT one CHECK (num_nulls(whole, other) = 1),
            code text CHECK (code LIKE 'x-%'), exact text CHECK (length(exact) = 11));
        CREATE UNIQUE INDEX ON t ((doc::int));
        CREATE TABLE rows_as_a_whole (a int, b int, CHECK (rows_as_a_whole IS NOT NULL));
        """
    )
    assert own.unmade == ()
    assert {int(n) % 2 for n in choices(own, "public.t", "n") if n is not None} == {0}
    assert set(choices(own, "public.t", "m")).isdisjoint({"0", "1", "2", None})
    assert all(doc is None or doc.isdigit() for doc in choices(own, "public.t", "doc"))
    assert any(choices(own, "public.t", "code"))
    assert any(choices(own, "public.t", "exact"))
    assert None not in choices(own, "public.rows_as_a_whole", "a")


def test_rows_fit_what_one_partition_demands(servers: Pair, loaded: Loader) -> None:
    own = loaded(
        """
        CREATE TABLE t (a int, b int NOT NULL) PARTITION BY RANGE (a);
        CREATE TABLE low PARTITION OF t FOR VALUES FROM (MINVALUE) TO (5) PARTITION BY LIST (b);
        ALTER TABLE low ADD CONSTRAINT extra CHECK (b > 7);
        CREATE TABLE low_8 PARTITION OF low FOR VALUES IN (8, 10);
        CREATE TABLE low_rest PARTITION OF low DEFAULT;
        ALTER TABLE low_rest ADD CONSTRAINT odd CHECK (b % 2 = 1 AND b <> 43);
        """
    )
    assert named(own)["public.t extra"].startswith("a check of partition low alone")
    (tied,) = own.pools["public.t"].groups
    assert {int(b) for _, b in tied.choices} > {8, 10, 9}
    assert all(b in ("8", "10") or int(b) % 2 == 1 for _, b in tied.choices)
    assert all(int(b) > 7 and int(a) < 5 for a, b in tied.choices)


def test_values_come_from_a_seed_first(loaded: Loader) -> None:
    schema = """
        CREATE TABLE city (id int PRIMARY KEY, name text, CHECK (name <> ''));
        CREATE TABLE street (id int PRIMARY KEY, city int NOT NULL REFERENCES city, a int, b int,
            CHECK (a < b));
    """
    rows = """
        COPY city (id, name) FROM stdin;
31\tBasel; or so
\\.
        INSERT INTO city VALUES (32, 'Zug');
        INSERT INTO street VALUES (7, 31, 5, 600);
    """
    own = loaded(schema, "INSERT INTO street VALUES (8, 32, 1, 2);" + rows)
    assert choices(own, "public.city", "name")[:2] == ["Basel; or so", "Zug"]
    assert choices(own, "public.street", "city")[:2] == ["31", "32"]
    (tied,) = (group for group in own.pools["public.street"].groups if "a" in group.columns)
    assert tied.choices[:2] == (("1", "2"), ("5", "600"))
    own = loaded(schema, schema + rows)
    assert choices(own, "public.city", "name")[:2] == ["Basel; or so", "Zug"]
    inside = loaded(schema + "INSERT INTO city VALUES (31, 'Basel')")
    assert choices(inside, "public.city", "name")[0] == "Basel"
    assert "INSERT" not in inside.schema.script
    assert "TRUNCATE" in inside.schema.script


def test_schema_and_seed_may_be_databases(servers: Pair, loaded: Loader) -> None:
    database = servers.databases(Side.SOURCE).create("theirs")
    database.execute(
        """
        CREATE TYPE mood AS ENUM ('so', 'la');
        CREATE TABLE "T" (id serial PRIMARY KEY, m mood,
            twice int GENERATED ALWAYS AS (id * 2) STORED);
        INSERT INTO "T" (id, m) VALUES (77, 'la');
        """
    )
    own = load(servers, database.dsn, database.dsn)
    assert [*own.pools] == ["public.T"]
    assert choices(own, "public.T", "id")[0] == "77"
    assert "77" not in own.schema.script
    servers.databases(Side.SOURCE).drop(database)


def test_tables_that_describe_the_database_get_no_rows(loaded: Loader) -> None:
    own = loaded("CREATE TABLE a (id int); CREATE TABLE log (id int)", control=("log",))
    assert [*own.pools] == ["public.a"]
    assert "never moved" in named(own)["public.log log"]


def test_rights_and_extensions_that_are_not_there_are_named(loaded: Loader) -> None:
    own = loaded(
        r"""
        \restrict abc
        SET transaction_timeout = 0; SET search_path = app, public;
        BEGIN;
        CREATE ROLE boss; CREATE EXTENSION no_such_thing; CREATE SCHEMA app;
        CREATE TABLE place (id int PRIMARY KEY, at no_such_type);
        CREATE INDEX ON place (at);
        CREATE TABLE t (id int PRIMARY KEY, "a;b" text DEFAULT ';');
        ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
        ALTER TABLE t OWNER TO boss; GRANT SELECT ON t TO boss; GRANT INSERT ON t TO boss;
        COMMIT;
        \unrestrict abc
        """
    )
    why = named(own)
    assert "line 5" in why["CREATE EXTENSION no_such_thing"]
    assert "no_such_thing" in why["table place"]
    assert "line 7" in why["CREATE INDEX ON place (at)"]
    assert "(2 statements)" in why["GRANT"]
    assert "(2 statements)" in why["ALTER"]
    assert "FORCE" not in own.schema.script
    assert "policies" in why["app.t row level security"]
    assert why.keys() >= {"ALTER", "CREATE"}
    assert [*own.pools] == ["app.t"]


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ("CREATE TABLE a (id int);\n\nCREATE TABLE b (id nt)", 'line 3: type "nt" does not exist'),
        ("Dear Sir or Madam,", "line 1: syntax error"),
        ("CREATE TABLE a (\n  id int,\n  b text REFERENCES nowhere)", "line 1: relation"),
        ("CREATE TABLE t (id int);\n\\! echo gone", r"line 2: \! is a command of psql"),
        ("SELECT 1;\nSELECT 'a", "line 2: what begins with ' does not end"),
        ("/* a /* b */", "line 1: what begins with /* does not end"),
        ("CREATE FUNCTION f() RETURNS int AS $x$ a", "what begins with $x$ does not end"),
        ("\0", "zero bytes"),
    ],
)
def test_a_schema_that_cannot_be_loaded_is_refused(loaded: Loader, schema: str, told: str) -> None:
    said = refused(loaded, schema)
    assert told in said
    assert said.startswith("--schema")


@pytest.mark.parametrize(
    ("seed", "told"),
    [
        ("INSERT INTO a VALUES (1);\nINSERT INTO b VALUES (1)", 'line 2: relation "b"'),
        ("INSERT INTO a VALUES (1), (1)", "line 1: duplicate key"),
        ("CREATE TABLE z (id int)", "does not fit --schema: it has none of its tables"),
        ("CREATE TABLE a (other int)", "does not fit --schema: it has no public.a.id"),
    ],
)
def test_a_seed_that_does_not_fit_is_refused(loaded: Loader, seed: str, told: str) -> None:
    said = refused(loaded, "CREATE TABLE a (id int PRIMARY KEY)", seed)
    assert told in said
    assert said.startswith("--seed")


def test_a_database_that_cannot_be_reached_is_refused_without_its_password(servers: Pair) -> None:
    nowhere = Dsn.parse("postgresql://ann:s3cr3t@127.0.0.1:9/shop")
    with pytest.raises(UsageError) as caught:
        load(servers, nowhere)
    assert "--schema: tried to connect to postgresql://ann:****@127.0.0.1:9/shop" in str(
        caught.value
    )
    with pytest.raises(UsageError, match="--seed"):
        load(servers, SQL / "event_store.sql", nowhere)


def test_nothing_is_left_behind(servers: Pair, loaded: Loader) -> None:
    query = "SELECT datname FROM pg_database ORDER BY 1"
    with psycopg.connect(servers.source.admin.conninfo) as session:
        before = session.execute(query).fetchall()
        loaded("CREATE TABLE a (id int)", "INSERT INTO a VALUES (1)")
        refused(loaded, "CREATE TABLE a (id nt)")
        assert session.execute(query).fetchall() == before
