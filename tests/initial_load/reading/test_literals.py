"""Every constant keeps its value; what is no constant is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from tests.initial_load.reading.tools import FIRST, OFF, TEXTS, parse, quoted, values
from verifier.errors import BackupRefused
from verifier.initial_load.reading import copytext, scanner

NEWLINE = "\n"
LONG = 8 << 20


def test_literals_keep_their_text() -> None:
    assert values(
        "'it''s' , '' , NULL , -0 , 1e-20 , -1.50 , true , FALSE , B'101' , X'1F' , 'a\\b' , .5",
    ) == ("it's", "", None, "-0", "1e-20", "-1.50", "true", "false", "101", "x1F", "a\\b", ".5")


def test_escape_literals() -> None:
    assert values(
        r"E'a\nb\t\\\'' , e'\x41\101\u00e9\U0001F600' , E'it''s' , E'\q' , E'\xg\b\f\r' , E'\1012'"
    ) == ("a\nb\t\\'", "AAé😀", "it's", "q", "xg\b\f\r", "A2")


def test_backslashes_have_a_meaning_when_the_backup_says_so() -> None:
    assert values(r"'C:\\temp' , 'ctrl \'' , 'a\nb'", head=OFF) == ("C:\\temp", "ctrl '", "a\nb")


@pytest.mark.parametrize("bulk", [True, False])
@pytest.mark.parametrize(
    "literal",
    [
        "now()", "'1'::int", "1 + 1", "'a' || 'b'", "DEFAULT", "(SELECT 1)", "(1)", "ARRAY[1]",
        "- 1", "+1", "1_000", "0x1F", "1.e", "1a", "1..2", "U&'x'", "$$x$$", "$1", "N'x'",
        "E'\\000'", r"E'\xff'", r"E'\377'", r"E'\u00'", r"E'\ud800'", r"E'\U00110000'", r"E'\v'",
        "B'12'", "B'1''0'", "1\1", "1\2", "'x'\1", "'x'\2,",
        "X'1G'", "'a' 'b'", "date '2024-01-01'", "current_user", "NULL::int",
        "1 COLLATE \"C\"", ":'x'", "a", '"a"', "", "1, 2", "*", "1;", "\\! touch canary", "`ls`",
    ],
)  # fmt: skip
def test_what_is_no_constant_is_refused(literal: str, bulk: bool) -> None:
    with pytest.raises(BackupRefused, match=rf"^b\.sql, line {FIRST + 1}"):
        parse(f"INSERT INTO s.t (a) VALUES ('x'); INSERT\nINTO s.t (a) VALUES ({literal});\n",
              bulk=bulk)  # fmt: skip
    usual = "INSERT INTO s.t (a) VALUES ('x');\n" * 2
    with pytest.raises(BackupRefused, match=rf"^b\.sql, line {FIRST + 2}"):
        parse(f"{usual}INSERT INTO s.t (a) VALUES ({literal});\n{usual}", bulk=bulk)


def test_literals_that_the_server_would_join_are_refused() -> None:
    with pytest.raises(BackupRefused, match=f"line {FIRST + 1}: a literal's end"):
        parse("INSERT INTO s.t (a) VALUES ('a'\n'b');\n")


@pytest.mark.parametrize("bulk", [True, False])
def test_a_literal_without_an_end_is_refused_where_it_starts(bulk: bool) -> None:
    with pytest.raises(BackupRefused, match=f"line {FIRST + 1}: the literal has no end"):
        parse("INSERT INTO s.t (a) VALUES ('x');\nINSERT INTO s.t (a) VALUES ('x\ny", bulk=bulk)


@pytest.mark.parametrize("text", ["x" * LONG, "'" * LONG, "\\\n" * LONG])
def test_a_long_literal_is_read_in_linear_time(text: str) -> None:
    assert values(f"1 , {quoted(text)}", block=1 << 16) == ("1", text)


@pytest.mark.parametrize("text", ["INSERT INTO s.t (a) VALUES ('", "COPY s.t (a) FROM stdin;\n"])
def test_what_no_server_takes_is_refused_before_it_fills_the_memory(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr(scanner, "LONGEST", 1 << 16)
    with pytest.raises(BackupRefused, match=rf"line {FIRST + text.count(NEWLINE)}: no end within"):
        parse(text + "x" * (1 << 20), block=1 << 10)


@given(one=TEXTS, other=TEXTS)
@settings(deadline=None)
def test_any_text_becomes_one_value_of_one_line(one: str, other: str) -> None:
    line = copytext.line([one.encode(), None, other.encode()])
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert list(copytext.rows(line, empty=False)) == [(one.encode(), None, other.encode())]
