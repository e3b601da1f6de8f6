"""Rows read in bulk are the rows read one by one, wherever the file's pieces end."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.initial_load.conftest import HEAD
from tests.initial_load.reading.tools import OFF, TEXTS, parse, quoted, rows
from verifier.errors import BackupRefused
from verifier.initial_load.reading import inserts
from verifier.initial_load.reading.events import Event, Rows

VALUES = st.one_of(
    TEXTS.map(quoted),
    st.sampled_from(["NULL", "true", "false", "0", "-1.50", "1e-20", "-0", "B'101'", "B''"]),
    st.integers().map(str),
)
ODD = st.sampled_from(
    [r"E'a\'b'", "X'1F'", "null", "TRUE", ".5", " 1 ", "E'\\\\'", "'x' -- note\n", "1.", r"e'\n'"]
)
REFUSED = st.sampled_from(
    ["now()", "'a' 'b'", "1,", "B'2'", "B'1''0'", "U&'x'", "\1", "1\2", "''::text"]
)
BETWEEN = st.sampled_from(["", "\n", "-- x\n", "SET x = 1;\n", "INSERT INTO s.u (a) VALUES (1);\n"])


@st.composite
def statements(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    """INSERTs into one table, of one or several rows, mostly alike and sometimes not."""
    width = draw(st.integers(1, 4))
    names = draw(st.permutations(["a", '"b c"', '"d""e"', "f"]))[:width]
    if draw(st.integers(0, 9)) == 0:
        names = ['"it\'s"', *names[1:]]
    row = st.lists(values, min_size=width, max_size=width).map(lambda one: f"({', '.join(one)})")
    text = ""
    for _ in range(draw(st.integers(1, 8))):
        several = draw(st.lists(row, min_size=1, max_size=5))
        space, comma = draw(st.sampled_from([(" ", ", "), ("\n\t", ",\n\t")]))
        head = f"INSERT INTO s.t ({', '.join(names)}) VALUES{space}"
        if draw(st.booleans()):
            text += head + comma.join(several) + ";\n"
        else:
            text += "".join(f"{head}{one};\n" for one in several)
        text += draw(BETWEEN)
    return text


def joined(found: list[Event]) -> list[Event | tuple[object, ...]]:
    """Everything but how many rows came together."""
    result: list[Event | tuple[object, ...]] = []
    for one in found:
        if isinstance(one, Rows):
            result += [
                (one.schema, one.table, one.columns, line) for line in one.data.split(b"\n")[:-1]
            ]
        else:
            result.append(one)
    return result


def outcome(text: str, **options: Any) -> list[Event] | str:
    try:
        return parse(text, **options)
    except BackupRefused as refused:
        return str(refused)


@pytest.mark.parametrize("head", [HEAD, OFF], ids=["on", "off"])
@given(text=statements(VALUES | VALUES | VALUES | ODD), window=st.integers(1, 300))
@settings(deadline=None, max_examples=300)
def test_bulk_and_careful_agree(head: str, text: str, window: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inserts, "WINDOW", window)
        assert outcome(text, head=head) == outcome(text, head=head, bulk=False)


@given(text=statements(VALUES | VALUES | VALUES | REFUSED), window=st.integers(1, 300))
@settings(deadline=None, max_examples=200)
def test_bulk_and_careful_refuse_the_same(text: str, window: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inserts, "WINDOW", window)
        assert outcome(text) == outcome(text, bulk=False)


@given(text=statements(VALUES | ODD), block=st.integers(1, 200), window=st.integers(1, 300))
@settings(deadline=None, max_examples=200)
def test_the_size_of_what_is_read_makes_no_difference(text: str, block: int, window: int) -> None:
    try:
        expected = joined(parse(text, bulk=False))
    except BackupRefused:
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inserts, "WINDOW", window)
        assert joined(parse(text, block=block)) == expected
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inserts, "FULL", window)
        assert joined(parse(text, block=block)) == expected


def test_every_place_where_a_block_can_end() -> None:
    text = (
        "INSERT INTO s.t (a, b) VALUES ('it''s', 1);\nINSERT INTO s.t (a, b) VALUES (NULL, 2);\n"
        "INSERT INTO s.t (a, b) VALUES\n\t('日\n', -1.5e+3),\n\t(E'\\'', B'1');\n"
        "INSERT INTO s.u (a) VALUES ('''');\nINSERT INTO s.u (a) VALUES ('');\n"
    )
    expected = joined(parse(text, bulk=False))
    assert rows(parse(text)) == [
        ("it's", "1"), (None, "2"), ("日\n", "-1.5e+3"), ("'", "1"), ("'",), ("",),
    ]  # fmt: skip
    for block in range(1, len(HEAD + text)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(inserts, "WINDOW", block)
            assert joined(parse(text, block=block)) == expected
        assert joined(parse(text, block=block, bulk=False)) == expected


def test_a_number_is_whole_wherever_a_block_ends() -> None:
    text = f"INSERT INTO s.t (a, b) VALUES ('{'x' * 2000}', -1.5e+3);\n"
    start = len(HEAD) + text.index("-1.5e+3")
    for block in range(start, start + 12):
        assert rows(parse(text, block=block, bulk=False)) == [("x" * 2000, "-1.5e+3")]


def test_usual_rows_are_read_in_bulk_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """What makes this reader fast: no look at single rows, but for the last of a table."""
    looked = []
    careful = inserts.Literals.list
    monkeypatch.setattr(
        inserts.Literals, "list", lambda self, most: looked.append(1) or careful(self, most)
    )
    values = "1, 'it''s\n', NULL, true, -1.5, B'1', '{\"a\": \"\\\\\"}', ''"
    one = f"INSERT INTO s.t (a, b, c, d, e, f, g, h) VALUES ({values});\n"
    several = one.replace(" (1,", "\n\t(1,").replace(
        ");\n", f"){f',{chr(10)}{chr(9)}({values})' * 99};\n"
    )
    assert len(rows(parse(one * 5000))) == 5000
    assert len(rows(parse(several * 50))) == 5000
    assert len(rows(parse(one * 5000, head=OFF))) == 5000
    assert len(looked) <= 6
