"""COPY's text format is read as the server reads it."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from verifier.errors import BackupRefused
from verifier.initial_load.reading import copytext
from verifier.initial_load.reading.events import Rows
from verifier.servers import Pair, Side


def valid(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def read(line: str) -> tuple[str | None, ...]:
    (row,) = Rows("s", "t", ("a",), (line + "\n").encode(), 1, 1).values()
    return row


@pytest.mark.parametrize(
    ("line", "row"),
    [
        ("", ("",)),
        ("\t", ("", "")),
        ("\\N\t\\\\N\t\\N ", (None, "\\N", "N ")),
        (r"\b\f\n\r\t\v\q\.", ("\b\f\n\r\t\vq.",)),
        (r"\101\60\0601\x41\x4\xg\x", ("A0" + "01" + "A\x04xgx",)),
        (r"\303\251 \xc3\xa9", ("é é",)),
        ("a\\\tb\tc", ("a\tb", "c")),
        ("a\\", ("a",)),
        ("a\\\\\tb", ("a\\", "b")),
    ],
)
def test_escapes(line: str, row: tuple[str | None, ...]) -> None:
    assert read(line) == row


@pytest.mark.parametrize("line", [r"\x00", r"\0", r"\377", r"\xc3"])
def test_what_no_server_takes_as_text_is_refused(line: str) -> None:
    with pytest.raises(BackupRefused, match="row 1 from line 1"):
        read(line)


def test_rows_without_values() -> None:
    assert list(Rows("s", "t", (), b"\n\n", 2, 1).values()) == [(), ()]


def test_the_server_reads_the_same(servers: Pair) -> None:
    database = servers.databases(Side.TARGET).create("copytext")
    session = database.connect()
    session.execute("CREATE TEMP TABLE t (n serial, a text)")
    pieces = st.sampled_from([*"\\\\\\\\\\abfnrtvxN0127.cA4 é", "\\\t", "\\x4", "\\06"])

    def taken(line: str) -> bool:
        # psql and our reader end the data at these, whatever the server would do.
        single = line.replace("\\\\", "")
        return not single.endswith("\\") and "\\." not in single

    def text(row: tuple[bytes | None, ...]) -> bool:
        (value, *more) = row
        return not more and b"\0" not in (value or b"") and valid(value or b"")

    @given(lines=st.lists(st.lists(pieces).map("".join).filter(taken), min_size=1))
    @settings(deadline=None, max_examples=60)
    def holds(lines: list[str]) -> None:
        session.execute("TRUNCATE t")
        data = ("\n".join(lines) + "\n").encode()
        found = list(copytext.rows(data, empty=False))
        assume(all(map(text, found)))
        with session.cursor().copy("COPY t (a) FROM STDIN") as copy:
            copy.write(data)
        stored = session.execute("SELECT convert_to(a, 'UTF8') FROM t ORDER BY n").fetchall()
        assert found == stored

    with session:
        holds()
    servers.databases(Side.TARGET).drop(database)
