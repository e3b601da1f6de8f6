"""What a backup holds, in either format, from PostgreSQL 16 and 18, and when there is none."""

from __future__ import annotations

import re
import subprocess
import sys
import traceback
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.initial_load.backups import (
    ROWS_OF_A_LARGE_TABLE,
    Broken,
    Hooks,
    by_psql,
    content,
    manifest,
)
from tests.initial_load.conftest import Move
from verifier import programs
from verifier.dsn import Dsn
from verifier.errors import BackupError, BackupRefused
from verifier.implementations.base import Backup, Endpoint
from verifier.implementations.initial_load import InitialLoad
from verifier.initial_load import backup
from verifier.servers import Database, Side
from verifier.transfer import BackupOptions, Format

COPY = BackupOptions()
INSERTS = BackupOptions(format=Format.INSERTS)
FORMATS = [pytest.param(COPY, id="copy"), pytest.param(INSERTS, id="inserts")]
SIDES = [pytest.param(Side.SOURCE, id="16"), pytest.param(Side.TARGET, id="18")]

# Schema, then data: names, values and kinds of tables that get lost easily.
ODD = """
CREATE SCHEMA "Odd.s"; CREATE SCHEMA "order";
CREATE TYPE mood AS ENUM ('glad', 'it''s "so"');
CREATE TABLE "Odd.s"."a ""q"" 'x'; --
COPY public.t (id) FROM stdin;" (id serial PRIMARY KEY, "it's" text, "SELECT" mood,
  twice int GENERATED ALWAYS AS (id * 2) STORED);
CREATE TABLE "order"."user" (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v jsonb);
CREATE TABLE "größe" (id int PRIMARY KEY, parent int REFERENCES "größe");
CREATE TABLE t (id int PRIMARY KEY, f float8, n numeric, b bytea, ts timestamptz, i interval,
  bits bit(3), a text[], flag bool, c char(5));
CREATE TABLE bare (id int); CREATE TABLE zero ();
CREATE UNLOGGED TABLE fast (id int PRIMARY KEY);
CREATE TABLE base (id int); CREATE TABLE heir (more text) INHERITS (base);
CREATE TABLE ev (id int, region text, v int, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE ev_eu PARTITION OF ev FOR VALUES IN ('eu');
CREATE TABLE ev_rest PARTITION OF ev DEFAULT PARTITION BY RANGE (id);
CREATE TABLE ev_low PARTITION OF ev_rest FOR VALUES FROM (0) TO (10);
CREATE VIEW seen AS SELECT * FROM t; CREATE MATERIALIZED VIEW kept AS SELECT id FROM t;
CREATE SEQUENCE loose START 7;
"""
DATA = """
INSERT INTO "Odd.s"."a ""q"" 'x'; --
COPY public.t (id) FROM stdin;" ("it's", "SELECT") VALUES ('x', 'it''s "so"'),
  (E'INSERT INTO t (\\n\\\\.\\n;', 'glad'), (NULL, NULL), ('\\.', NULL), (E'a\\tb\\r\\n', NULL);
INSERT INTO "order"."user" (v) VALUES ('{"a": "\\u00e9''"}'), (NULL);
INSERT INTO "größe" VALUES (2, NULL), (1, 2);
INSERT INTO t VALUES (1, '-0', 1.10, '\\x00275c0a', '0044-03-15 12:00 BC', '-1 2:03', '101',
  '{a,NULL,"NULL",""}', true, 'ab'), (2, 'NaN', 'NaN', '', 'infinity', NULL, NULL, '{}', false, '');
INSERT INTO zero DEFAULT VALUES; INSERT INTO zero DEFAULT VALUES;
INSERT INTO fast VALUES (1);
INSERT INTO base VALUES (1); INSERT INTO heir VALUES (2, 'x');
INSERT INTO ev VALUES (1, 'eu', 1), (2, 'us', 2), (3, 'us', 3);
SELECT nextval('loose');
"""
ROWS = {
    '"Odd.s"."a ""q"" \'x\'; --\nCOPY public.t (id) FROM stdin;"': 5,
    '"order"."user"': 2,
    'public."größe"': 2,
    "public.base": 1,
    "public.ev": 3,
    "public.fast": 1,
    "public.heir": 1,
    "public.bare": 0,
    "public.t": 2,
    "public.zero": 2,
}


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("options", FORMATS)
@pytest.mark.parametrize("ending", ["sql", "sql.gz", "sql.zst"])
def test_plain_psql_restores_all_of_it(
    move: Move, tmp_path: Path, side: Side, options: BackupOptions, ending: str
) -> None:
    source, target = move.database(side, ODD, DATA), move.database(side, ODD)
    done = backup(source.dsn, tmp_path / f"b.{ending}", options)
    assert done.rows == ROWS
    assert by_psql(done.path, target) == ""
    assert content(target) == by_way_of(options, content(source))


def by_way_of(options: BackupOptions, found: dict[str, list[str]]) -> dict[str, list[str]]:
    """What becomes of rows between pg_dump's INSERTs and psql: -0 without quotes is 0 (F05)."""
    if options.format is Format.INSERTS:
        found["public.t"] = [row.replace("(1,-0,", "(1,0,") for row in found["public.t"]]
    return found


@pytest.mark.parametrize("side", SIDES)
def test_the_engine_restores_all_of_it(move: Move, tmp_path: Path, side: Side) -> None:
    source, target = move.database(side, ODD, DATA), move.database(Side.TARGET, ODD)
    done = backup(source.dsn, tmp_path / "b.sql", INSERTS)
    claim = InitialLoad().restore(Backup((done.path,)), Endpoint(target.dsn, 18, tmp_path))
    assert claim.success, claim.message
    restored = {name: counts.inserted for name, counts in (claim.counts or {}).items()}
    assert restored == {name: rows for name, rows in ROWS.items() if rows}
    assert content(target) == content(source)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("options", FORMATS)
def test_large_objects_are_in_it(
    move: Move, tmp_path: Path, side: Side, options: BackupOptions
) -> None:
    source = move.database(side, "SELECT lo_from_bytea(4711, '\\x00270a'), lo_create(4712)")
    target = move.database(side)
    done = backup(source.dsn, tmp_path / "b.sql", options)
    by_psql(done.path, target)
    with psycopg.connect(target.admin.conninfo) as session:
        assert session.execute("SELECT lo_get(4711), lo_get(4712)").fetchone() == (b"\0'\n", b"")


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("options", FORMATS)
def test_the_manifest_says_what_is_in_it(
    move: Move, tmp_path: Path, side: Side, options: BackupOptions
) -> None:
    source = move.database(side, ODD, DATA)
    done = backup(source.dsn, tmp_path / "b.sql.gz", options)
    found = manifest(done.path)
    assert found.tables == ROWS
    assert found.format is options.format
    assert found.server == source.execute("SHOW server_version")[0][0]
    assert found.tool.startswith(f"pg_dump (PostgreSQL) {source.server.major}.")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", found.made)
    assert found.rules == ()


def test_the_fingerprint_is_that_of_the_schema(move: Move, tmp_path: Path) -> None:
    """Alike for one schema with other rows and another search path, on either version."""

    def fingerprint(database: Database) -> str:
        return manifest(backup(database.dsn, tmp_path / "b.sql").path).schema

    first = move.database(Side.SOURCE, ODD, DATA)
    before = fingerprint(first)
    assert fingerprint(move.database(Side.TARGET, ODD)) == before
    first.execute(f'ALTER DATABASE "{first.name}" SET search_path = "order"')
    assert fingerprint(first) == before
    for change in (
        "ALTER TABLE public.fast ALTER id TYPE bigint",
        "ALTER TABLE public.t ALTER f SET NOT NULL",
        "CREATE UNIQUE INDEX ON public.t (f)",
        'ALTER TABLE public.bare ADD FOREIGN KEY (id) REFERENCES public."größe"',
        "CREATE TABLE public.more ()",
    ):
        first.execute(change)
        after = fingerprint(first)
        assert after != before, change
        before = after


@pytest.mark.parametrize("options", FORMATS)
def test_a_real_backup_is_refused_when_it_is_cut_or_changed(
    move: Move, tmp_path: Path, options: BackupOptions
) -> None:
    source = move.database(Side.SOURCE, "CREATE TABLE t (v text); INSERT INTO t VALUES ('é'), ('')")
    path = backup(source.dsn, tmp_path / "b.sql", options).path
    whole = path.read_bytes()
    manifest(path)
    for place in range(1, len(whole)):
        flipped = whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :]
        for wrong in (whole[:place], flipped):
            path.write_bytes(wrong)
            with pytest.raises(BackupRefused):
                manifest(path)


def test_progress_is_by_rows_and_tables(move: Move, tmp_path: Path) -> None:
    source = move.database(Side.SOURCE, ODD, DATA)
    hooks = Hooks()
    backup(source.dsn, tmp_path / "b.sql", progress=hooks)
    assert (hooks.expected, hooks.rows) == (sum(ROWS.values()), sum(ROWS.values()))
    first, second, *tables = hooks.phases
    assert (first, second) == ("locking tables", "counting rows")
    assert tables
    assert set(tables) <= ROWS.keys()


def test_progress_names_tables_as_sql_writes_them(move: Move, tmp_path: Path) -> None:
    source = move.database(
        Side.SOURCE, """CREATE TABLE "Größe '" (); INSERT INTO "Größe '" DEFAULT VALUES"""
    )
    hooks = Hooks()
    backup(source.dsn, tmp_path / "b.sql", progress=hooks)
    assert hooks.phases[-1] == 'public."Größe \'"'


def test_what_is_left_out_or_not_durable_is_noted(move: Move, tmp_path: Path) -> None:
    source = move.database(
        Side.SOURCE,
        ODD,
        DATA,
        'CREATE TABLE "_prisma_migrations" (id text); CREATE TABLE paid (v money)',
    )
    done = backup(
        source.dsn, tmp_path / "b.sql", BackupOptions(control_tables=("_prisma_migrations",))
    )
    notes = "\n".join(done.notes)
    for part in ("public.fast", "public.kept", "public._prisma_migrations", "public.paid: amounts"):
        assert part in notes
    assert "public.seen" not in notes


@pytest.mark.parametrize("options", FORMATS)
def test_control_tables_are_left_out_with_partitions_and_sequences(
    move: Move, tmp_path: Path, options: BackupOptions
) -> None:
    schema = (
        "CREATE SCHEMA other; CREATE TABLE t (id int);"
        'CREATE TABLE other."Log ""1""" (id serial, day int) PARTITION BY LIST (day);'
        'CREATE TABLE other.part PARTITION OF other."Log ""1""" DEFAULT;'
        "CREATE TABLE log (id serial)"
    )
    source = move.database(
        Side.SOURCE,
        schema,
        'INSERT INTO t VALUES (1); INSERT INTO other."Log ""1""" (day) VALUES (1);'
        "INSERT INTO log DEFAULT VALUES",
    )
    control = BackupOptions(format=options.format, control_tables=('Log "1"', "nowhere"))
    done = backup(source.dsn, tmp_path / "b.sql", control)
    assert done.rows == {"public.t": 1, "public.log": 1}
    target = move.database(Side.SOURCE, schema)
    by_psql(done.path, target)
    assert content(target)["other.part"] == []


@pytest.mark.parametrize("side", SIDES)
def test_an_empty_database_makes_an_empty_backup(move: Move, tmp_path: Path, side: Side) -> None:
    source = move.database(side)
    done = backup(source.dsn, tmp_path / "b.sql")
    assert (done.rows, manifest(done.path).tables) == ({}, {})
    assert any("no tables" in note for note in done.notes)
    assert by_psql(done.path, move.database(side)) == ""


def test_only_an_extensions_own_users_rows_are_backed_up(move: Move, tmp_path: Path) -> None:
    source = move.database(
        Side.SOURCE,
        "CREATE TABLE own (id int); CREATE TABLE settings (id int); CREATE TABLE mine (id int);"
        "INSERT INTO own VALUES (1); INSERT INTO settings VALUES (1), (2); INSERT INTO mine"
        " VALUES (1)",
    )
    _give_to_extension(source, "own")
    _give_to_extension(source, "settings", "WHERE id > 1")
    done = backup(source.dsn, tmp_path / "b.sql")
    assert done.rows == {"public.settings": 1, "public.mine": 1}


def test_rows_that_pg_dump_does_not_write_make_no_backup(move: Move, tmp_path: Path) -> None:
    """The one table that shows pg_dump's session fewer rows than ours."""
    source = move.database(
        Side.SOURCE, "CREATE TABLE q (id int); INSERT INTO q SELECT generate_series(1, 1000)"
    )
    dumping = "current_setting('application_name') LIKE 'restore-verifier %'"
    _give_to_extension(source, "q", f"WHERE id <= 500 OR NOT {dumping}")
    with pytest.raises(BackupError, match=r"public\.q \(\d+ rows written, \d+ in the source\)"):
        backup(source.dsn, tmp_path / "b.sql")
    assert list(tmp_path.iterdir()) == []


def _give_to_extension(database: Database, table: str, condition: str | None = None) -> None:
    with psycopg.connect(database.admin.conninfo, autocommit=True) as session:
        session.execute(f"ALTER EXTENSION plpgsql ADD TABLE {table}")
        if condition is not None:
            session.execute(
                "UPDATE pg_extension SET extconfig = ARRAY[%s::regclass::oid],"
                " extcondition = ARRAY[%s] WHERE extname = 'plpgsql'",
                [table, condition],
            )


# --- when there is none ------------------------------------------------------------------


def test_no_connection_is_one_sentence_without_the_password(tmp_path: Path) -> None:
    dsn = Dsn.parse("host=127.0.0.1 port=1 user=u dbname=d password=sesame")
    with pytest.raises(BackupError) as caught:
        backup(dsn, tmp_path / "b.sql")
    shown = "".join(traceback.format_exception(caught.value))
    assert "sesame" not in f"{caught.value!r}{shown}".replace(str(dsn), "")
    assert str(caught.value).startswith(f"no backup of {dsn}: ")
    assert list(tmp_path.iterdir()) == []


def test_the_password_is_in_no_argument_and_no_message(move: Move, tmp_path: Path) -> None:
    source = move.database(Side.SOURCE, ROWS_OF_A_LARGE_TABLE)
    secret = source.dsn.password
    assert secret
    seen: list[bytes] = []

    def look() -> None:
        for place in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                seen.append(place.read_bytes())
            except OSError:
                continue
        raise Broken

    with pytest.raises(Broken):
        backup(source.dsn, tmp_path / "b.sql", progress=Hooks(advance=look))
    assert any(b"pg_dump" in line for line in seen)
    assert not any(secret.encode() in line for line in seen)


@pytest.fixture
def stranger(move: Move) -> tuple[Database, Dsn]:
    """A database, and an account that is not its owner."""
    database = move.database(Side.SOURCE, "CREATE TABLE t (id serial); INSERT INTO t VALUES (1)")
    name = f"stranger_{database.name}"
    with psycopg.connect(database.admin.conninfo, autocommit=True) as session:
        role = sql.Identifier(name)
        session.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(role))
        session.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'sesame'").format(role))
    return database, database.dsn.with_(user=name, password="sesame")


def grant(database: Database, dsn: Dsn, what: str) -> None:
    database.execute(f'GRANT {what} TO "{dsn.parameters["user"]}"')


def test_rows_that_the_account_may_not_read_make_no_backup(
    stranger: tuple[Database, Dsn], tmp_path: Path
) -> None:
    database, dsn = stranger
    path = tmp_path / "b.sql"
    with pytest.raises(BackupError, match=r"may not read public\.t; grant it SELECT"):
        backup(dsn, path)
    grant(database, dsn, "SELECT ON t")
    with pytest.raises(BackupError, match=r"may not read the sequences public\.t_id_seq"):
        backup(dsn, path)
    assert list(tmp_path.iterdir()) == []
    assert backup(dsn, path, BackupOptions(control_tables=("t",))).rows == {}
    grant(database, dsn, "SELECT ON SEQUENCE t_id_seq")
    assert backup(dsn, path).rows == {"public.t": 1}


def test_rows_that_row_level_security_hides_make_no_backup(
    stranger: tuple[Database, Dsn], tmp_path: Path
) -> None:
    database, dsn = stranger
    database.execute("ALTER TABLE t ENABLE ROW LEVEL SECURITY")
    grant(database, dsn, "SELECT ON t")
    grant(database, dsn, "SELECT ON SEQUENCE t_id_seq")
    with pytest.raises(BackupError, match=r"row-level security may hide rows of public\.t .* BYPA"):
        backup(dsn, tmp_path / "b.sql")
    assert list(tmp_path.iterdir()) == []
    assert backup(database.dsn, tmp_path / "b.sql").rows == {"public.t": 1}
    database.execute("ALTER TABLE t FORCE ROW LEVEL SECURITY")
    with pytest.raises(BackupError, match="row-level security"):
        backup(database.dsn, tmp_path / "b.sql")


def test_what_pg_dump_itself_cannot_read_is_said_in_its_words(
    stranger: tuple[Database, Dsn], tmp_path: Path
) -> None:
    database, dsn = stranger
    database.execute("SELECT lo_create(1)")
    grant(database, dsn, "SELECT ON t")
    grant(database, dsn, "SELECT ON SEQUENCE t_id_seq")
    with pytest.raises(BackupError, match=r"exit code 1: .*permission denied for large object 1"):
        backup(dsn, tmp_path / "b.sql")
    assert list(tmp_path.iterdir()) == []


def test_a_server_later_than_every_pg_dump_is_refused(
    move: Move, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = move.database(Side.TARGET, "CREATE TABLE t (id int)")
    earlier = {16: programs.client("pg_dump", server=16)}
    monkeypatch.setattr(programs, "_clients", lambda name: earlier)
    with pytest.raises(BackupError, match="looked for pg_dump 18 or later and found 16"):
        backup(source.dsn, tmp_path / "b.sql")


@pytest.mark.parametrize(
    "setting",
    [
        "standard_conforming_strings = off",
        "statement_timeout = '200ms'",
        "bytea_output = escape",
        "default_transaction_read_only = on",
        "default_transaction_isolation = serializable",
        "quote_all_identifiers = on",
        "DateStyle = 'SQL, DMY'",
        "client_encoding = LATIN1",
        "extra_float_digits = 0",
        "TimeZone = 'Asia/Tokyo'",
    ],
)
@pytest.mark.parametrize("options", FORMATS)
def test_the_sources_settings_change_nothing(
    move: Move, tmp_path: Path, setting: str, options: BackupOptions
) -> None:
    source, target = move.database(Side.SOURCE, ODD, DATA), move.database(Side.SOURCE, ODD)
    expected = by_way_of(options, content(source))
    source.execute(f'ALTER DATABASE "{source.name}" SET {setting}')
    hooks = Hooks(counting_rows=lambda: source.execute("SELECT pg_sleep(0.1)"))
    done = backup(source.dsn, tmp_path / "b.sql", options, hooks)
    assert done.rows == ROWS
    by_psql(done.path, target)
    assert content(target) == expected


def test_it_is_for_programs_with_no_terminal_and_no_main_thread(move: Move, tmp_path: Path) -> None:
    source = move.database(Side.SOURCE, "CREATE TABLE t (id int)")
    script = (
        "import sys, threading; from pathlib import Path; from verifier.dsn import Dsn;"
        "from verifier.initial_load import backup;"
        "run = lambda: backup(Dsn.parse(sys.stdin.read()), Path(sys.argv[1]));"
        "thread = threading.Thread(target=run); thread.start(); thread.join()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "b.sql"],
        input=source.dsn.conninfo,
        text=True,
        capture_output=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("", "")
    assert manifest(tmp_path / "b.sql").tables == {"public.t": 0}
