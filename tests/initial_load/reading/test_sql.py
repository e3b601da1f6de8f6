"""Statements of a dump: what pg_dump writes is read, everything else refused by line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.initial_load.conftest import HEAD, TAIL
from tests.initial_load.reading.tools import FIRST, events, parse, rows
from verifier.errors import BackupRefused
from verifier.initial_load.reading.events import LargeObject, Rows, Setting, SetVal


def test_many_rows_of_one_statement() -> None:
    text = ",\n\t".join(f"({number}, 'x{number}')" for number in range(2500))
    found = parse(f'INSERT INTO "S x"."T""q" ("a b", c) VALUES\n\t{text};\n')[2:]
    assert [(one.schema, one.table, one.columns, one.count, one.line)
            for one in found if isinstance(one, Rows)] == [
        ("S x", 'T"q', ("a b", "c"), 2500, FIRST + 1)
    ]  # fmt: skip
    assert rows(found) == [(str(number), f"x{number}") for number in range(2500)]


def test_everything_else_that_pg_dump_writes() -> None:
    found = events(
        "\\restrict Key9\n\nSET lock_timeout = 0;\n"
        "SELECT pg_catalog.set_config('search_path', '', false);\n"
        "SET default_tablespace = '';\nSET default_table_access_method = heap;\n"
        "INSERT INTO public.a (id) OVERRIDING SYSTEM VALUE VALUES (1);\n"
        "INSERT INTO public.z DEFAULT VALUES;\nINSERT INTO public.z DEFAULT VALUES;\n"
        "COPY public.z  FROM stdin;\n\n\n\\.\n\n\n"
        "COPY public.e (id) FROM stdin;\n\\.\n"
        "SELECT pg_catalog.setval('public.\"A_seq\"', -5, false);\n" + TAIL + "\\unrestrict Key9\n"
    )
    assert found == [
        Setting("lock_timeout", "0", 3),
        Setting("search_path", "", 4),
        Setting("default_tablespace", "", 5),
        Setting("default_table_access_method", "heap", 6),
        Rows("public", "a", ("id",), b"1\n", 1, 7),
        Rows("public", "z", (), b"\n\n", 2, 8),
        Rows("public", "z", (), b"\n\n", 2, 11),
        SetVal('public."A_seq"', -5, False, 18),
    ]
    assert rows(found) == [("1",), (), (), (), ()]


def test_names_fold_as_the_server_folds_them() -> None:
    (one,) = parse('INSERT INTO Public.ÄB (Id, "Id", "a""b") VALUES (1, 2, 3);\n')[2:]
    assert isinstance(one, Rows)
    assert (one.schema, one.table, one.columns) == ("public", "Äb", ("id", "Id", 'a"b'))


def test_rows_of_one_table_come_together_and_in_order() -> None:
    found = parse(
        "INSERT INTO s.a (x) VALUES ('1');\nINSERT INTO s.a (x) VALUES (E'2');\n-- note\n"
        "INSERT INTO s.a (y) VALUES ('3');\nINSERT INTO s.b (y) VALUES ('4'), ('5');\n"
        "INSERT INTO s.a (x) VALUES ('6');\n"
    )[2:]
    assert found == [
        Rows("s", "a", ("x",), b"1\n2\n", 2, FIRST),
        Rows("s", "a", ("y",), b"3\n", 1, FIRST + 3),
        Rows("s", "b", ("y",), b"4\n5\n", 2, FIRST + 4),
        Rows("s", "a", ("x",), b"6\n", 1, FIRST + 5),
    ]


def test_rows_without_values_in_between_do_not_take_the_next_rows() -> None:
    one = "INSERT INTO s.a (x) VALUES ('1');\n"
    assert parse(one + "INSERT INTO s.z DEFAULT VALUES;\n" + one)[2:] == [
        Rows("s", "a", ("x",), b"1\n", 1, FIRST),
        Rows("s", "z", (), b"\n", 1, FIRST + 1),
        Rows("s", "a", ("x",), b"1\n", 1, FIRST + 2),
    ]


def test_a_setting_in_between_changes_how_the_same_statement_reads() -> None:
    one = "INSERT INTO s.a (x) VALUES ('\\\\');\n"
    assert rows(parse(one * 3 + "SET standard_conforming_strings = off;\n" + one * 3)) == [
        ("\\\\",), ("\\\\",), ("\\\\",), ("\\",), ("\\",), ("\\",),
    ]  # fmt: skip


def test_many_rows_come_in_pieces() -> None:
    row = "INSERT INTO s.a (x) VALUES ('{}');\n".format("x" * 1000)
    found = [one for one in parse(row * 5000) if isinstance(one, Rows)]
    assert sum(one.count for one in found) == 5000
    assert all(len(one.data) < 1.1 * (1 << 20) for one in found)
    assert len(found) <= 10
    assert [one.line for one in found] == [
        FIRST + sum(one.count for one in found[:place]) for place in range(len(found))
    ]


def test_large_objects() -> None:
    found = parse(
        "SELECT pg_catalog.lo_create('1');\nSELECT pg_catalog.lo_create('4294967295');\n"
        "BEGIN;\n\nSELECT pg_catalog.lo_open('1', 131072);\n"
        "SELECT pg_catalog.lowrite(0, '\\x00ff');\nSELECT pg_catalog.lowrite(0, '\\x0a');\n"
        "SELECT pg_catalog.lo_close(0);\n\n"
        "SELECT pg_catalog.lo_open('4294967295', 131072);\nSELECT pg_catalog.lo_close(0);\n\n"
        "COMMIT;\n"
    )[2:]
    assert found == [
        LargeObject(1, 0, b"", FIRST),
        LargeObject(4294967295, 0, b"", FIRST + 1),
        LargeObject(1, 0, b"\x00\xff", FIRST + 5),
        LargeObject(1, 2, b"\n", FIRST + 6),
    ]


def test_a_row_like_those_before_is_no_large_object() -> None:
    one = "INSERT INTO s.a (x) VALUES ('1');\n"
    with pytest.raises(BackupRefused, match=f"line {FIRST + 2}: .*between BEGIN and COMMIT"):
        parse(one + "BEGIN;\n" + one + "COMMIT;\n")


OPEN = "BEGIN; SELECT pg_catalog.lo_open('1', 131072); "


@pytest.mark.parametrize(
    ("statement", "line", "says"),
    [
        ("INSERT INTO s.t (a)\nVALUES ('x\ny',\n now());", 3, "a literal was expected"),
        ("INSERT INTO s.t (a) VALUES (1, 2);", 0, "more values for 1 columns"),
        ("INSERT INTO s.t (a, b) VALUES\n\t(1, 2),\n\t(1);", 2, "1 values for 2 columns"),
        ("INSERT INTO s.t (a, a) VALUES (1, 2);", 0, "is named twice"),
        ("INSERT INTO s.t VALUES (1);", 0, "--column-inserts"),
        ("INSERT INTO s.t () VALUES ();", 0, "a name was expected"),
        ("INSERT INTO t (a) VALUES (1);", 0, "no schema"),
        ("INSERT INTO d.s.t (a) VALUES (1);", 0, "--column-inserts"),
        ("INSERT INTO s.t (a) VALUES (1) ON CONFLICT DO NOTHING;", 0, "--on-conflict-do-nothing"),
        ("INSERT INTO s.t (a) VALUES (1) RETURNING pg_sleep(9);", 0, "statement's end"),
        ("INSERT INTO s.t (a) SELECT 1;", 0, "VALUES was expected"),
        ("INSERT INTO s.t (a) VALUES (1)", 4, "end was expected"),
        ("INSERT INTO s.t AS x (a) VALUES (1);", 0, "--column-inserts"),
        ("WITH x AS (DELETE FROM s.t) INSERT INTO s.t (a) VALUES (1);", 0, "'WITH x AS"),
        ('INSERT INTO s."' + 64 * "x" + '" (a) VALUES (1);', 0, "longer than 63 bytes"),
        ("SET client_encoding = 'LATIN1'; SET client_encoding = 'UTF8';", 0, "encoding changes"),
        ("SET standard_conforming_strings = 'of';", 0, "neither on nor off"),
        ("SET SESSION AUTHORIZATION 'bob';", 0, "--no-owner"),
        ("SET DateStyle = 'SQL, DMY';", 0, "changes what the values mean"),
        ('SET "DateStyle" = iso;', 0, "changes what the values mean"),
        ("SET xmloption = document;", 0, "changes what the values mean"),
        ("SET search_path TO public;", 0, "changes what the values mean"),
        ("SET ROLE bob;", 0, "--no-owner"),
        ("SET x = a, b;", 0, "end was expected"),
        ("SET x = now();", 0, "end was expected"),
        ("/* comment */", 0, "no INSERT"),
        ("SELECT setval('x', 1, true);", 0, "SELECT setval("),
        ("SELECT pg_catalog.setval('x', 1, true, 1);", 0, "too many arguments"),
        (f"COPY s.t ({', '.join(f'c{n}' for n in range(1601))}) FROM stdin;", 0, "no table has"),
        ("SELECT pg_catalog.setval('x', 1.5, true);", 0, "setval"),
        ("SELECT pg_catalog.setval('x', (SELECT 1), true);", 0, "a literal was expected"),
        ("SELECT pg_catalog.set_config('role', 'bob', false);", 0, "set_config"),
        ("SELECT pg_catalog.pg_sleep(1);", 0, "pg_sleep"),
        ("SELECT * FROM pg_catalog.pg_restore_relation_stats();", 0, "SELECT * FROM"),
        ("SELECT 1; SELECT 2;", 0, "nothing in it is run"),
        ("ALTER TABLE s.t DISABLE TRIGGER ALL;", 0, "without --disable-triggers"),
        ("ALTER LARGE OBJECT 1 OWNER TO bob;", 0, "--no-owner"),
        ("CREATE TABLE s.t (a int);", 0, "dump with --data-only"),
        ("COMMENT ON LARGE OBJECT 1 IS 'x';", 0, "--no-comments"),
        ("GRANT ALL ON s.t TO bob;", 0, "--no-privileges"),
        ("DO $$ BEGIN END $$;", 0, "'DO $$"),
        ("DELETE FROM s.t;", 0, "'DELETE FROM"),
        ("TRUNCATE s.t;", 0, "'TRUNCATE"),
        ("BEGIN;\nINSERT INTO s.t (a) VALUES (1);\nCOMMIT;", 1, "between BEGIN and COMMIT"),
        ("BEGIN;\nSELECT pg_catalog.setval('x', 1, true);\nCOMMIT;", 1, "setval's arguments"),
        ("BEGIN;", 0, "BEGIN without COMMIT"),
        ("BEGIN;\nBEGIN;", 1, "between BEGIN and COMMIT"),
        ("COMMIT;", 0, "COMMIT does not end"),
        ("ROLLBACK;", 0, "'ROLLBACK"),
        ("BEGIN", 4, "end was expected"),
        (OPEN + "\nCOMMIT;", 1, "COMMIT does not end"),
        (OPEN + "\nSELECT pg_catalog.lo_open('2', 131072);", 1, "lo_open is not called"),
        (OPEN + "\nSELECT pg_catalog.lowrite(1, '\\x00');", 1, "lowrite is not called"),
        (OPEN + "\nSELECT pg_catalog.lowrite(0, 'abc');", 1, "not hexadecimal"),
        (OPEN + "\nSELECT pg_catalog.lowrite(0, '\\xa');", 1, "not hexadecimal"),
        (OPEN + "\nSELECT pg_catalog.lo_create('2');", 1, "lo_create is not called"),
        ("SELECT pg_catalog.lo_open('1', 131072);", 0, "lo_open is not called"),
        ("SELECT pg_catalog.lowrite(0, '\\x00');", 0, "lowrite is not called"),
        ("SELECT pg_catalog.lo_create('0');", 0, "lo_create is not called"),
        ("SELECT pg_catalog.lo_create('4294967296');", 0, "lo_create is not called"),
        ("SELECT pg_catalog.lo_import('/etc/passwd');", 0, "nothing in it is run"),
        ("SELECT pg_catalog.lo_unlink('1');", 0, "nothing in it is run"),
        ("INSERT INTO s.t (a) VALUES (1);\r\nSET x = 1;", 0, "change to CRLF"),
        ("\x00", 0, "NUL"),
        ("INSERT INTO s.t (a) VALUES ('\n\x00');", 1, "NUL"),
    ],
)
def test_refused_with_line_and_what_was_found(statement: str, line: int, says: str) -> None:
    for bulk in (True, False):
        with pytest.raises(BackupRefused) as refused:
            parse(statement, bulk=bulk)
        assert f"b.sql, line {FIRST + line}: " in str(refused.value)
        assert says in str(refused.value)


@pytest.mark.parametrize(
    "command",
    [
        "\\! touch {canary}",
        "\\copy s.t from program 'touch {canary}'",
        "\\i {canary}",
        "\\ir {canary}",
        "\\connect other",
        "\\c other",
        "\\o {canary}",
        "\\g {canary}",
        "\\gexec",
        "\\set x `touch {canary}`",
        "\\restrict again",
        "\\unrestrict Key",
        "COPY s.t (a) FROM PROGRAM 'touch {canary}';",
        "COPY s.t (a) FROM '{canary}';",
        "COPY s.t (a) TO PROGRAM 'touch {canary}';",
        "COPY s.t (a) TO '{canary}';",
        "COPY s.t (a) TO stdout;",
        "COPY (SELECT 1) TO PROGRAM 'touch {canary}';",
        "COPY s.t (a) FROM stdin WITH (FORMAT csv);",
        "COPY s.t (a) FROM stdin CSV;",
        "COPY s.t (a) FROM stdin WHERE pg_read_file('{canary}') = '';",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';",
        "DO $$BEGIN EXECUTE 'COPY s.t TO PROGRAM ''touch {canary}'''; END$$;",
        "INSERT INTO s.t (a) VALUES (pg_read_file('{canary}'));",
        "INSERT INTO s.t (a) VALUES ('x') \\! touch {canary}",
        "INSERT INTO s.t (a) VALUES ('x') \\g |touch {canary}",
        "INSERT INTO s.t (a) VALUES ('x'\\! touch {canary}\n);",
        "-- comment\r\\! touch {canary}",
        "SET x = 'y' \\! touch {canary}",
        "COPY s.t (a) FROM stdin; \\! touch {canary}",
        "SELECT pg_catalog.lo_export(1, '{canary}');",
    ],
)
def test_a_command_is_refused_by_its_line_and_never_run(tmp_path: Path, command: str) -> None:
    canary = tmp_path / "canary"
    with pytest.raises(BackupRefused, match=rf"^b\.sql, line {FIRST + 1}: "):
        parse("SET x = 1;\n" + command.format(canary=canary) + "\n1\n\\.\n")
    assert not canary.exists()


def test_what_looks_like_sql_inside_a_value_is_data(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    hostile = [
        f"\\! touch {canary}", f"');\n\\! touch {canary}\n--", "x');\nDROP TABLE s.t; --",
        "-- PostgreSQL database dump complete", "\n-- PostgreSQL database dump complete\n", "\\.",
        "COPY s.t (a) FROM PROGRAM 'x';", "\\unrestrict Key9", "/*", "$$",
        ") ON CONFLICT DO NOTHING;",
    ]  # fmt: skip
    text = "".join(
        "INSERT INTO s.t (a) VALUES ('{}');\n".format(one.replace("'", "''")) for one in hostile
    )
    assert rows(parse(text)) == [(one,) for one in hostile]
    assert not canary.exists()


# --- complete or not ----------------------------------------------------------------


@pytest.mark.parametrize("end", ["", "\\unrestrict Key\n", "\\unrestrict Other9\n"])
def test_restricted_backup_without_its_own_end_is_truncated(end: str) -> None:
    with pytest.raises(BackupRefused, match="truncated"):
        events("\\restrict Key9\n" + TAIL + end)


def test_two_backups_in_one_file_are_refused() -> None:
    with pytest.raises(BackupRefused, match="goes on behind its end"):
        events((HEAD + TAIL) * 2)


@pytest.mark.parametrize("text", ["", " \n\n", "\ufeff"])
def test_an_empty_file_is_refused(text: str) -> None:
    with pytest.raises(BackupRefused, match=r"b\.sql"):
        events(text)


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO s.t (a) VALUES ('\n-- PostgreSQL database dump complete\n');\n",
        "COPY s.t (a) FROM stdin;\n-- PostgreSQL database dump complete\n\\.\n",
        "INSERT INTO s.t (a) VALUES\n-- PostgreSQL database dump complete\n(1);\n",
        "BEGIN;\n-- PostgreSQL database dump complete\n",
    ],
)
def test_the_last_line_inside_of_something_does_not_count(text: str) -> None:
    with pytest.raises(BackupRefused, match="truncated"):
        events(HEAD + text)


SMALL = (
    "\\restrict Key9\n\nSET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\n\n"
    "COPY s.t (a, b) FROM stdin;\n1\té\\n\n2\t\\N\n\\.\n\n\n"
    "INSERT INTO s.\"u\" (a) VALUES ('日\n'';');\nINSERT INTO s.\"u\" (a) VALUES (12);\n"
    "INSERT INTO s.\"u\" (a) VALUES\n\t(1),\n\t(B'1');\n"
    "SELECT pg_catalog.setval('s.q', 12, true);\n"
    "SELECT pg_catalog.lo_create('1');\nBEGIN;\n\nSELECT pg_catalog.lo_open('1', 131072);\n"
    "SELECT pg_catalog.lowrite(0, '\\x00');\nSELECT pg_catalog.lo_close(0);\n\nCOMMIT;\n"
    "--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict Key9\n\n"
).encode()


@pytest.mark.parametrize("crlf", [False, True])
def test_a_cut_anywhere_is_seen(crlf: bool) -> None:
    small = SMALL.replace(b"\n'';", b"'';").replace(b"\n", b"\r\n") if crlf else SMALL
    whole = events(small)
    assert len(rows(whole)) == 6
    end = small.index(b"\\unrestrict Key9") + len(b"\\unrestrict Key9")
    for cut in range(len(small)):
        if cut >= end:
            assert events(small[:cut]) == whole
            continue
        with pytest.raises(BackupRefused, match=r"^b\.sql(, line \d+: | is empty)"):
            events(small[:cut])


def test_every_line_of_a_refusal_is_right_whatever_is_read_at_a_time() -> None:
    for block in (1, 2, 3, 7, 100, 1 << 20):
        with pytest.raises(BackupRefused, match="line 18: "):
            events(SMALL.replace(b"SELECT pg_catalog.setval", b"SELECT setval"), block=block)
