"""COPY blocks go on as they are, and nothing in them can end one early."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.initial_load.conftest import HEAD, TAIL
from tests.initial_load.reading.tools import FIRST, TEXTS, events, parse, rows
from verifier.errors import BackupRefused
from verifier.initial_load.reading import copytext
from verifier.initial_load.reading.events import Rows

COPY = "COPY s.t (a, b) FROM stdin;\n"


def blocks(text: str, **options: object) -> list[Rows]:
    return [one for one in parse(text, **options) if isinstance(one, Rows)]


def test_data_is_forwarded_untouched() -> None:
    data = "1\té\\n\\\\.\n\\\\\t\\N\n\\\\.\t\\\\\\\\\n"
    assert blocks(f'COPY "S x".t (a, "B") FROM stdin;\n{data}\\.\n') == [
        Rows("S x", "t", ("a", "B"), data.encode(), 3, FIRST + 1)
    ]


@given(table=st.lists(st.tuples(TEXTS, TEXTS | st.none()), max_size=30), block=st.integers(1, 80))
@settings(deadline=None)
def test_any_rows_come_through_in_pieces_of_any_size(
    table: list[tuple[str, str | None]], block: int
) -> None:
    lines = b"".join(
        copytext.line([one.encode(), None if two is None else two.encode()]) for one, two in table
    )
    text = HEAD.encode() + COPY.encode() + lines + b"\\.\n" + TAIL.encode()
    found = [one for one in events(text, block=block) if isinstance(one, Rows)]
    assert b"".join(one.data for one in found) == lines
    line = FIRST + 1
    for one in found:
        assert (one.line, one.count) == (line, one.data.count(b"\n"))
        line += one.count
    assert rows(list(found)) == table


def test_blocks_of_a_large_table_are_of_one_size() -> None:
    found = blocks(COPY + "1\txxxxxxxxxxxxxxxxxxxxxxxxxxxx\n" * 200_000 + "\\.\n")
    assert sum(one.count for one in found) == 200_000
    assert all(len(one.data) < (1 << 20) + 100 for one in found)
    assert len(found) <= 8


@pytest.mark.parametrize(
    ("data", "line", "says"),
    [
        ("1\tx\\.\n2\ty\n", 1, "backslash before a dot"),
        ("1\tx\n\\.y\n2\ty\n", 2, "backslash before a dot"),
        ("1\tx\n1\tx\\\n2\ty\n", 2, "backslash before a dot or a line's end"),
        ("1\tx\n1\t\\\\\\\n\\.\n", 2, "backslash before a dot or a line's end"),
        ("1\tx\n1\tx\r\n", 2, "carriage return"),
        ("1\tx\n1\tx\ry\n", 2, "carriage return"),
        ("1\tx\n\\.\r\n", 2, "carriage return"),
        ("1\tx\n1\t\x00\n", 2, "NUL"),
    ],
)
def test_lines_that_a_server_could_take_otherwise_are_refused(
    data: str, line: int, says: str
) -> None:
    with pytest.raises(BackupRefused, match=rf"^b\.sql, line {FIRST + line}: .*{says}"):
        parse(COPY + data + "\\.\n")


@pytest.mark.parametrize("end", ["", "\\.", "\\", "\\N\t.\n"])
def test_a_block_without_its_end_is_truncated(end: str) -> None:
    with pytest.raises(BackupRefused, match="truncated"):
        events(HEAD + COPY + "1\tx\n" + end)


def test_values_without_columns_are_refused() -> None:
    with pytest.raises(BackupRefused, match=f"line {FIRST + 1}: .*names no columns"):
        parse("COPY s.t FROM stdin;\n1\n\\.\n")


def test_converted_line_ends_are_taken_back_where_that_is_exact() -> None:
    text = HEAD + COPY + "1\tx\\r\\ny\n2\t\n\\.\nINSERT INTO s.t (a) VALUES ('\ry');\n" + TAIL
    assert events(text.replace("\n", "\r\n"))[2:] == [
        Rows("s", "t", ("a", "b"), b"1\tx\\r\\ny\n2\t\n", 2, FIRST + 1),
        Rows("s", "t", ("a",), b"\\ry\n", 1, FIRST + 4),
    ]


@pytest.mark.parametrize("bulk", [True, False])
@pytest.mark.parametrize(
    ("statements", "line"),
    [
        ("INSERT INTO s.t (a) VALUES ('x');\r\nINSERT INTO s.t (a) VALUES ('x\r\ny');\r\n", 1),
        (
            "INSERT INTO s.t (a) VALUES ('x');\r\n" * 3 + "INSERT INTO s.t (a) VALUES ('\n');\r\n"
            "INSERT INTO s.t (a) VALUES ('x');\r\n",
            3,
        ),
        ("COPY s.t (a) FROM stdin;\r\nx\r\ny\n\\.\r\n", 2),
        ("COPY s.t (a) FROM stdin;\r\nx\r\ny\rz\r\n\\.\r\n", 2),
    ],
)
def test_converted_line_ends_are_refused_where_the_value_is_lost(
    statements: str, line: int, bulk: bool
) -> None:
    head, tail = (one.replace("\n", "\r\n") for one in (HEAD, TAIL))
    with pytest.raises(BackupRefused, match=rf"^b\.sql, line {FIRST + line}: .*line ends"):
        events(head + statements + tail, bulk=bulk)


def test_carriage_returns_of_values_survive() -> None:
    assert rows(parse("INSERT INTO s.t (a) VALUES ('x\r\ny\r');\n" * 3)) == [("x\r\ny\r",)] * 3
