"""``restore-verifier diff`` on real databases: its exit codes, its files, its last line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator

import psycopg
import pytest

from tests.test_cli import run, started
from verifier.cli import main
from verifier.dsn import Dsn
from verifier.programs import client
from verifier.servers import Database, Pair
from verifier.servers import Side as Place

SECRET = "s3cr3t-pa55"
SCHEMA = """
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE TABLE shop (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text UNIQUE,
    boss bigint REFERENCES shop, price numeric,
    twice numeric GENERATED ALWAYS AS (price * 2) STORED,
    settings jsonb, tags text[], mood mood, f float8, at timestamptz, i interval, b bytea);
CREATE TABLE abacus (id int PRIMARY KEY, shop_id bigint NOT NULL REFERENCES shop);
CREATE TABLE keyless (a text, n numeric, j json, p point, c char(4), m money, ok boolean);
CREATE TABLE holes (k text UNIQUE, v text);
CREATE TABLE cut (id int, v text) PARTITION BY RANGE (id);
CREATE TABLE cut_1 PARTITION OF cut FOR VALUES FROM (0) TO (9);
CREATE TABLE cut_2 PARTITION OF cut FOR VALUES FROM (9) TO (99);
CREATE TABLE above (v text);
CREATE TABLE below (w text) INHERITS (above);
CREATE TABLE "odd "" 'name'" ("a.b, c" text PRIMARY KEY, "select" text);
CREATE MATERIALIZED VIEW seen AS SELECT id, name FROM shop;
INSERT INTO shop (name, boss, price, settings, tags, mood, f, at, i, b)
    SELECT 'n' || g, 1, g / 10.0, jsonb_build_object('theme', 'dark', 'n', g),
        ARRAY['a', NULL, 'NULL'],
        'sad', g / 3.0, '2020-01-01 UTC'::timestamptz + g * interval '1 s', g * interval '1 day',
        '\\x00'
    FROM generate_series(1, 20) g;
INSERT INTO abacus SELECT g, g FROM generate_series(1, 9) g;
INSERT INTO keyless VALUES ('a', 1.10, '{"a": 1}', '(1,2)', 'x', '1.50', true),
    ('a', 1.1, '{"a": 1}', '(1,2)', 'x', '1.50', true), ('', NULL, NULL, NULL, NULL, NULL, NULL),
    ('d', 0, NULL, NULL, NULL, NULL, NULL), ('d', 0, NULL, NULL, NULL, NULL, NULL);
INSERT INTO holes VALUES ('a', 'b'), (NULL, 'c'), (NULL, 'c'), (NULL, 'd');
INSERT INTO cut VALUES (1, 'a'), (1, 'a'), (10, 'b');
INSERT INTO above VALUES ('x');
INSERT INTO below VALUES ('x', 'y');
INSERT INTO "odd "" 'name'" VALUES (E'\\x1b[31m', 'a'), ('--', E'new\\nline');
REFRESH MATERIALIZED VIEW seen;
"""
CHANGES = """
UPDATE shop SET settings = '{"theme": "light", "n": 3.0}', tags = '{a,"",null}' WHERE id = 3;
UPDATE shop SET f = '-0', at = at + interval '1 us', i = '1 mon', mood = NULL WHERE id = 4;
UPDATE shop SET price = 0.50, b = NULL WHERE id = 5;
UPDATE shop SET name = E'\\x1b]0;evil\\x07'' ; DROP TABLE abacus; --\\\\' WHERE id = 6;
DELETE FROM abacus WHERE id IN (7, 8);
DELETE FROM shop WHERE id = 7;
INSERT INTO shop (id, name, boss) OVERRIDING SYSTEM VALUE VALUES (98, 'y', 99), (99, 'x', 98);
INSERT INTO abacus VALUES (99, 99);
UPDATE keyless SET n = 1.10 WHERE n = 1.1;
DELETE FROM keyless WHERE a = 'd';
UPDATE keyless SET a = NULL WHERE a = '';
DELETE FROM holes WHERE ctid IN (SELECT ctid FROM holes WHERE v = 'c' LIMIT 1);
UPDATE holes SET v = '' WHERE v = 'd';
INSERT INTO cut VALUES (10, 'b');
DELETE FROM cut WHERE id = 1;
DELETE FROM ONLY above;
INSERT INTO above VALUES ('y'), ('y');
UPDATE "odd "" 'name'" SET "select" = NULL;
SELECT setval('shop_id_seq', 99);
REFRESH MATERIALIZED VIEW seen;
"""


@pytest.fixture
def pair(servers: Pair) -> Iterator[tuple[Database, Database]]:
    """A source and a target with the same content."""
    made = [servers.databases(place).create("diff") for place in (Place.SOURCE, Place.TARGET)]
    for database in made:
        database.execute(SCHEMA)
    yield made[0], made[1]
    for place, database in zip((Place.SOURCE, Place.TARGET), made, strict=True):
        servers.databases(place).drop(database)


@pytest.fixture
def diff(pair, monkeypatch, capsys, tmp_path):
    """Runs the command on ``pair``; returns the exit code, stdout, and the last line on stderr."""
    monkeypatch.chdir(tmp_path)
    for side, database in zip(("SOURCE", "TARGET"), pair, strict=True):
        monkeypatch.setenv(f"RESTORE_VERIFIER_{side}_DSN", database.dsn.conninfo)

    def compared(*arguments: str) -> tuple[int, str, str]:
        code = main(["diff", *arguments])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        for database in pair:
            assert (database.dsn.password or "?") not in said.out + said.err
        lines = said.err.splitlines() or [""]
        assert bool(lines[-1]) == bool(code)
        return code, said.out, lines[-1].removeprefix("restore-verifier: ")

    return compared


def test_equal_databases(diff, tmp_path):
    code, out, last = diff("--json", "out.json", "--sql", "out.sql")
    assert (code, last) == (0, "")
    assert out.splitlines()[-1].startswith("IDENTICAL: 9 tables with ")
    read = json.loads((tmp_path / "out.json").read_text())
    assert (read["state"], read["exit_code"]) == ("equal", 0)
    assert {each["state"] for each in read["tables"]} == {"equal"}
    assert sorted(each.name for each in tmp_path.iterdir()) == ["out.json", "out.sql"]


def test_differences_are_named_and_the_sql_takes_them_away(pair, diff, tmp_path):
    pair[1].execute(CHANGES)
    code, out, last = diff("--json", "out.json", "--sql", "out.sql")
    assert code == 1
    assert "8 of 9 tables differ" in last
    assert last.endswith("out.sql holds what would mend them")
    assert "settings['theme']" in out
    assert all(each.isprintable() for line in out.splitlines() for each in line)
    read = json.loads((tmp_path / "out.json").read_text())
    (shop,) = [each for each in read["tables"] if each["table"] == "public.shop"]
    assert (shop["missing"], shop["extra"], shop["changed"]) == (1, 2, 4)

    psql = client("psql", server=18)
    options = ["-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-f", "out.sql"]
    environ = {**os.environ, **pair[1].dsn.environ}
    done = subprocess.run(
        [psql, *options], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    code, out, _ = diff()
    assert code == 0, out


def test_only_what_is_asked_for_is_compared(pair, diff):
    pair[1].execute(CHANGES)
    assert diff("--tables", "abacus, seen", "--only", "data")[0] == 1
    assert diff("--tables", "public.below")[0] == 0
    assert diff("--tables", "keyless", "--columns", "c", "--only", "data")[0] == 1
    tables = ("--tables", 'holes,"odd "" \'name\'"', "--only", "data")
    why = "the clerk empties them"
    code, out, _ = diff(*tables, "--ignore", f"holes: {why}", "--ignore", f"*.select: {why}")
    assert code == 0, out
    assert f"holes: {why}" in out
    assert out.splitlines()[-1].endswith("apart from 2 deliberate differences")


def test_without_a_limit_everything_is_counted_and_nothing_shown(pair, diff):
    pair[1].execute(CHANGES)
    code, out, _ = diff("--limit", "0", "--tables", "shop", "--only", "data")
    assert code == 1
    assert "public.shop: 1 row missing, 2 extra, 4 changed" in out
    assert "none of 7 shown; --limit shows more" in out
    assert "settings" not in out


def test_a_table_that_may_not_be_read_is_never_equal(pair, diff, tmp_path):
    with psycopg.connect(pair[1].admin.conninfo) as connection:
        connection.execute("ALTER TABLE keyless OWNER TO CURRENT_USER")
        connection.execute("REVOKE ALL ON keyless FROM PUBLIC")
    code, out, last = diff("--json", "out.json", "--only", "data")
    assert code == 2
    assert "UNKNOWN    public.keyless" in out
    assert "could not compare the rows of public.keyless" in last
    assert "permission denied" in out
    read = json.loads((tmp_path / "out.json").read_text())
    (keyless,) = [each for each in read["tables"] if each["table"] == "public.keyless"]
    assert keyless["state"] == read["state"] == "unknown"
    assert "permission denied" in keyless["unknown"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--tables", "abacu"], "abacus"),
        (["--schemas", "nowhere"], "nowhere"),
        (["--columns", "nmae"], "nmae"),
        (["--ignore", "tae: because"], "tae"),
    ],
)
def test_names_that_nothing_has_are_told(arguments, told, diff):
    code, _, last = diff(*arguments)
    assert code == 2
    assert told in last


def test_databases_with_nothing_in_them(servers, diff, monkeypatch):
    empty = servers.databases(Place.SOURCE).create("empty")
    for side in ("SOURCE", "TARGET"):
        monkeypatch.setenv(f"RESTORE_VERIFIER_{side}_DSN", empty.dsn.conninfo)
    code, out, last = diff()
    assert code == 2
    assert "neither holds anything to compare" in out
    assert "no table was compared" in last or "could not" in last


def test_a_database_is_equal_to_itself_and_that_is_said(pair, diff):
    code, out, _ = diff(pair[0].dsn.conninfo, pair[0].dsn.conninfo)
    assert code == 0
    assert "a database was compared with itself" in out
    assert "compared with itself" not in diff()[1]


def test_a_file_that_cannot_be_written_is_told_before_anybody_connects(capsys, tmp_path):
    nowhere = ["host=127.0.0.1 port=1 dbname=a", "host=127.0.0.1 port=1 dbname=b"]
    path = tmp_path / "absent" / "out.sql"
    assert main(["diff", *nowhere, "--sql", str(path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert str(path) in line
    assert "No such file or directory" in line


def test_no_connection_is_no_answer(capsys, tmp_path):
    path = tmp_path / "out.json"
    path.write_text("of an earlier run")
    dsns = [f"postgresql://ann:{SECRET}@127.0.0.1:1/{name}" for name in "ab"]
    assert main(["diff", *dsns, "--json", str(path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "postgresql://ann:****@127.0.0.1:1/a" in line
    assert SECRET not in line
    assert not path.exists()


def test_a_wrong_password_is_not_shown(pair, capsys):
    wrong = pair[1].dsn.with_(password=SECRET)
    assert main(["diff", pair[0].dsn.conninfo, wrong.conninfo]) == 2
    said = capsys.readouterr()
    assert "password authentication failed" in said.err
    assert SECRET not in said.out + said.err


def test_a_password_in_the_rows_is_not_shown(pair, diff, tmp_path):
    password = pair[0].dsn.password or "?"
    pair[1].execute(f"UPDATE keyless SET a = 'x{password}x' WHERE a = ''")
    code, out, _ = diff("--json", "out.json", "--sql", "out.sql")
    assert code == 1
    assert "x****x" in out
    for name in ("out.json", "out.sql"):
        text = (tmp_path / name).read_text()
        assert "x****x" in text
        assert password not in text


def test_what_a_connection_string_leaves_out_comes_from_libpqs_variables(pair, diff, monkeypatch):
    source, target = (database.dsn for database in pair)
    monkeypatch.setenv("PGPASSWORD", source.password or "")
    monkeypatch.setenv("PGOPTIONS", "-c search_path=nowhere")
    bare = Dsn({name: value for name, value in source.parameters.items() if name != "password"})
    assert diff(bare.conninfo, target.conninfo)[0] == 0
    assert os.environ["PGPASSWORD"] == source.password


@pytest.mark.slow
def test_the_command_as_a_process(pair, tmp_path):
    code, out, err = run(tmp_path, "diff", *(database.dsn.conninfo for database in pair))
    assert (code, err) == (0, "")
    assert "IDENTICAL" in out
    assert "\x1b" not in out


@pytest.mark.slow
def test_the_files_are_there_when_the_reader_of_the_output_goes_away(pair, tmp_path):
    dsns = [database.dsn.conninfo for database in pair]
    process = started(tmp_path, "diff", *dsns, "--json", "out.json")
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(60) == 2
    assert process.stderr is not None
    assert "reader of the output went away" in process.stderr.read()
    process.stderr.close()
    assert json.loads((tmp_path / "out.json").read_text())["state"] == "equal"


@pytest.mark.slow
def test_an_interrupt_ends_the_comparison_at_once(pair, tmp_path):
    for database in pair:
        database.execute("CREATE TABLE held (id int)")
    blocker = psycopg.connect(pair[0].admin.conninfo)
    blocker.execute("LOCK TABLE held")
    process = started(tmp_path, "diff", *(database.dsn.conninfo for database in pair))
    time.sleep(3)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    blocker.close()
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "interrupted" in err.splitlines()[-1]
