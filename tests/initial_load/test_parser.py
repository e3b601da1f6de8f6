"""A backup is read as data: every literal as it is, everything else refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.initial_load.conftest import HEAD, TAIL, Move
from verifier.errors import BackupRefused
from verifier.implementations.base import Endpoint
from verifier.implementations.initial_load import InitialLoad
from verifier.initial_load import Insert, Setting, SetVal, read, scanner
from verifier.servers import Side

# Whatever a PostgreSQL text can hold: any character but NUL and lone surrogates.
CHARACTERS = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
TRICKS = ["it's", "''", "\\", "\\'", "E'x'", "a);\nINSERT INTO t VALUES (1);", "--\n", "$$", "\r\n"]
TEXTS = st.text(CHARACTERS) | st.sampled_from(TRICKS)
NUMBERS = st.floats(width=64).map(repr) | st.sampled_from(["-0", "1e-20", "5e-324", "Infinity"])


def parse(path: Path, statements: str, *, head: str = HEAD) -> list[Insert | SetVal | Setting]:
    path.write_text(head + statements + TAIL, encoding="utf-8", newline="")
    return list(read(path))


def values(path: Path, literals: str, *, head: str = HEAD) -> tuple[str | None, ...]:
    """The one row of an INSERT of ``literals``."""
    columns = ", ".join(f"c{number}" for number in range(len(literals.split(" , "))))
    statement = f"INSERT INTO s.t ({columns}) VALUES ({literals});\n"
    (insert,) = (one for one in parse(path, statement, head=head) if isinstance(one, Insert))
    return insert.rows[0]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "b.sql"


def test_literals_keep_their_text(path: Path) -> None:
    assert values(
        path,
        "'it''s' , '' , NULL , -0 , 1e-20 , -1.50 , true , FALSE , B'101' , X'1F' , 'a\\b' , .5",
    ) == ("it's", "", None, "-0", "1e-20", "-1.50", "true", "false", "101", "x1F", "a\\b", ".5")


def test_escape_literals(path: Path) -> None:
    assert values(
        path, r"E'a\nb\t\\\'' , e'\x41\101\u00e9\U0001F600' , E'it''s' , E'\q'"
    ) == ("a\nb\t\\'", "AAé😀", "it's", "q")  # fmt: skip


def test_backslashes_have_a_meaning_when_the_backup_says_so(path: Path) -> None:
    head = HEAD.replace("standard_conforming_strings = on", "standard_conforming_strings = off")
    assert values(path, r"'C:\\temp' , 'ctrl \'' , 'a\nb'", head=head) == (
        "C:\\temp",
        "ctrl '",
        "a\nb",
    )


def test_many_rows_of_one_statement(path: Path) -> None:
    rows = ",\n\t".join(f"({number}, 'x{number}')" for number in range(2500))
    found = parse(path, f'INSERT INTO "S x"."T""q" ("a b", c) VALUES\n\t{rows};\n')
    inserts = [one for one in found if isinstance(one, Insert)]
    assert {(one.schema, one.table, one.columns, one.line) for one in inserts} == {
        ("S x", 'T"q', ("a b", "c"), 7)
    }
    assert [row for one in inserts for row in one.rows] == [
        (str(number), f"x{number}") for number in range(2500)
    ]


def test_everything_else_that_pg_dump_writes(path: Path) -> None:
    path.write_text(
        "\\restrict Key9\n\nSET lock_timeout = 0;\n"
        "SELECT pg_catalog.set_config('search_path', '', false);\n"
        "INSERT INTO public.a (id) OVERRIDING SYSTEM VALUE VALUES (1);\n"
        "INSERT INTO public.z DEFAULT VALUES;\n"
        "SELECT pg_catalog.setval('public.\"A_seq\"', -5, false);\n" + TAIL + "\\unrestrict Key9\n"
    )
    found = list(read(path))
    assert found == [
        Setting("lock_timeout", "0", 3),
        Setting("search_path", "", 4),
        Insert("public", "a", ("id",), (("1",),), 5, True),
        Insert("public", "z", (), ((),), 6),
        SetVal('public."A_seq"', -5, False, 7),
    ]


@pytest.mark.parametrize("end", ["", "\\unrestrict Key\n", "\\unrestrict Other9\n"])
def test_restricted_backup_without_its_own_end_is_truncated(path: Path, end: str) -> None:
    path.write_text("\\restrict Key9\n" + TAIL + end)
    with pytest.raises(BackupRefused, match="truncated"):
        list(read(path))


def test_two_backups_in_one_file_are_refused(path: Path) -> None:
    path.write_text((HEAD + TAIL) * 2)
    with pytest.raises(BackupRefused, match="goes on behind its end"):
        list(read(path))


@pytest.mark.parametrize(
    ("statement", "line", "says"),
    [
        ("INSERT INTO s.t (a)\nVALUES ('x\ny',\n now());", 10, "a literal was expected"),
        ("INSERT INTO s.t (a) VALUES ('1'::int);", 7, "nothing is computed"),
        ("INSERT INTO s.t (a) VALUES (1, 2);", 7, "2 values for 1 columns"),
        ("INSERT INTO s.t (a, a) VALUES (1, 2);", 7, "named twice"),
        ("INSERT INTO s.t VALUES (1);", 7, "--column-inserts"),
        ("INSERT INTO t (a) VALUES (1);", 7, "no schema"),
        ("INSERT INTO s.t (a) VALUES (DEFAULT);", 7, "'DEFAULT"),
        ("INSERT INTO s.t (a) VALUES (U&'x');", 7, "a literal was expected"),
        ("INSERT INTO s.t (a) VALUES ($$x$$);", 7, "a literal was expected"),
        ("INSERT INTO s.t (a) VALUES (- 1);", 7, "a literal was expected"),
        ("INSERT INTO s.t (a) VALUES (E'\\000');", 7, "escape"),
        ("INSERT INTO s.t (a) VALUES ('x", 7, "no end"),
        ("INSERT INTO s.t (a) VALUES (1)", 11, "end was expected"),
        ("SET client_encoding = 'LATIN1'; SET client_encoding = 'UTF8';", 7, "encoding changes"),
        ("/* comment */", 7, "no INSERT"),
        ("SELECT setval('x', 1, true);", 7, "SELECT"),
        ("SELECT pg_catalog.setval('x', 1.5, true);", 7, "setval"),
    ],
)
def test_refused_with_line_and_what_was_found(
    path: Path, statement: str, line: int, says: str
) -> None:
    with pytest.raises(BackupRefused) as refused:
        parse(path, statement)
    assert f"b.sql, line {line}: " in str(refused.value)
    assert says in str(refused.value)


def test_the_announced_encoding_is_used(path: Path) -> None:
    text = HEAD.replace("UTF8", "LATIN1") + "INSERT INTO s.t (a) VALUES ('café');" + TAIL
    path.write_bytes(text.encode("latin-1"))
    assert [one.rows for one in read(path) if isinstance(one, Insert)] == [(("café",),)]
    path.write_bytes(text.replace("LATIN1", "UTF8").encode("latin-1"))
    with pytest.raises(BackupRefused, match="line 7: bytes that are not UTF8"):
        list(read(path))
    path.write_bytes(text.replace("LATIN1", "SJIS").encode("latin-1"))
    with pytest.raises(BackupRefused, match="encoding=UTF8"):
        list(read(path))


@given(rows=st.lists(st.tuples(TEXTS, NUMBERS), min_size=1), chunk=st.integers(1, 60))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_reading_in_small_pieces_makes_no_difference(
    path: Path, rows: list[tuple[str, str]], chunk: int
) -> None:
    lines = [
        "INSERT INTO s.t (a, b) VALUES ('{}', '{}');\n".format(text.replace("'", "''"), number)
        for text, number in rows
    ]
    whole = parse(path, "".join(lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scanner, "CHUNK", chunk)
        assert list(read(path)) == whole
    assert [one.rows[0] for one in whole if isinstance(one, Insert)] == rows


def test_any_row_is_read_as_the_server_has_it(move: Move) -> None:
    database = move.database(
        Side.SOURCE,
        'CREATE TABLE "A b" (n serial PRIMARY KEY, "t\'s" text, f float8, x numeric, q text)',
    )
    session = database.connect()

    @given(rows=st.lists(st.tuples(TEXTS, NUMBERS), min_size=1, max_size=30))
    @settings(max_examples=12, deadline=None)
    def holds(rows: list[tuple[str, str]]) -> None:
        session.execute('TRUNCATE "A b"')
        with session.cursor() as cursor:
            cursor.executemany(
                'INSERT INTO "A b" ("t\'s", f, x, q) VALUES (%s, %s, %s, quote_literal(%s))',
                [(text, number, number, text) for text, number in rows],
            )
        expected = session.execute('SELECT n::text, "t\'s", f::text, x::text, q FROM "A b"')
        path = (
            InitialLoad()
            .backup(Endpoint(database.dsn, database.server.major, move.directory))
            .files[0]
        )
        inserts = [one for one in read(path) if isinstance(one, Insert)]
        assert [one.rows[0] for one in inserts] == expected.fetchall()
        # What the server quotes itself reads back, E'' forms included.
        for (text, _), one in zip(rows, inserts, strict=True):
            assert values(move.directory / "q.sql", one.rows[0][4] or "") == (text,)

    with session:
        holds()
