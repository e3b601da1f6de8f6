"""Rows set aside come back as they were, or the file is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import sql

from tests.initial_load.reading.tools import TEXTS, TRICKS
from verifier.errors import BackupRefused
from verifier.initial_load.reading import read
from verifier.initial_load.reading.events import Rows
from verifier.initial_load.reading.quarantine import Quarantined, write
from verifier.servers import Pair, Side

HEADER = '{"format": "restore-verifier quarantine", "version": 1}\n'
ROW = '{"table": "public.t", "row": {"a": "1"}, "key": {}, "reason": "r", "constraint": ""}\n'


def one(table: str = "public.t", /, **row: str | None) -> Quarantined:
    return Quarantined(table=table, row=row, key={}, reason="of a kind", constraint="c")


def back(path: Path) -> list[Rows]:
    found = []
    for event in read(path):
        assert isinstance(event, Rows)
        found.append(event)
    return found


@given(st.lists(st.tuples(TEXTS | st.none(), TEXTS | st.none()), max_size=5))
def test_any_value_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str | None, str | None]]
) -> None:
    path = tmp_path_factory.mktemp("q") / "q"
    assert write(path, (one(a=a, b=b) for a, b in rows)) == len(rows)
    assert [row for block in back(path) for row in block.values()] == rows


def test_every_value_survives_to_the_server(servers: Pair, tmp_path: Path) -> None:
    values = [*TRICKS, None, *map(chr, range(1, 300)), '{"json": [1.10]}', "\\x00ff"]
    write(tmp_path / "q", (one(n=str(n), a=value) for n, value in enumerate(values)))
    database = servers.databases(Side.TARGET).create("quarantine")
    try:
        with psycopg.connect(database.dsn.conninfo) as conn:
            conn.execute("CREATE TABLE t (n int, a text)")
            for block in back(tmp_path / "q"):
                names = map(sql.Identifier, block.columns)
                copying = sql.SQL("COPY t ({}) FROM STDIN").format(sql.SQL(", ").join(names))
                with conn.cursor().copy(copying) as copy:
                    copy.write(block.data)
            assert conn.execute("SELECT a FROM t ORDER BY n").fetchall() == [(v,) for v in values]
    finally:
        servers.databases(Side.TARGET).drop(database)


def test_rows_of_one_table_and_its_columns_come_together(tmp_path: Path) -> None:
    rows = [
        one(a="1"), one(a="2"), one(b="1"), one('"S x"."T""q"', b=None), one(a="3"),
        one("public.zero"), one("public.zero"),
    ]  # fmt: skip
    write(tmp_path / "q", rows)
    found = back(tmp_path / "q")
    assert [(r.schema, r.table, r.columns, r.data, r.count, r.line) for r in found] == [
        ("public", "t", ("a",), b"1\n2\n", 2, 2),
        ("public", "t", ("b",), b"1\n", 1, 4),
        ("S x", 'T"q', ("b",), b"\\N\n", 1, 5),
        ("public", "t", ("a",), b"3\n", 1, 6),
        ("public", "zero", (), b"\n\n", 2, 7),
    ]  # fmt: skip


def test_many_rows_come_in_blocks(tmp_path: Path) -> None:
    write(tmp_path / "q", (one(a="x" * 1000) for _ in range(3000)))
    blocks = back(tmp_path / "q")
    assert sum(block.count for block in blocks) == 3000
    assert max(len(block.data) for block in blocks) < 300_000


def test_the_file_is_for_its_owner_only_and_says_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "q"
    path.write_text("before")
    path.chmod(0o644)
    write(path, [one(a="é\n")])
    assert path.stat().st_mode & 0o777 == 0o600
    header, row, last = path.read_text("utf-8").splitlines()
    assert json.loads(header) == {"format": "restore-verifier quarantine", "version": 1}
    assert json.loads(row)["reason"] == "of a kind"
    assert json.loads(last) == {"rows": 1}


def test_a_file_that_cannot_be_written_whole_leaves_what_was_there(tmp_path: Path) -> None:
    def failing() -> Iterator[Quarantined]:
        yield one(a="1")
        raise RuntimeError("the server is gone")

    path = tmp_path / "q"
    path.write_text("before")
    with pytest.raises(RuntimeError):
        write(path, failing())
    assert path.read_text() == "before"
    assert [file.name for file in tmp_path.iterdir()] == ["q"]


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "q"
    write(path, [one(a="é日本"), one(a=None)])
    whole = path.read_bytes()
    for size in range(1, len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(BackupRefused):
            back(path)


REFUSED = {
    HEADER + ROW: "is missing",
    HEADER + ROW + '{"rows": 2}\n': "says 2 rows and it holds 1",
    HEADER + ROW + '{"rows": true}\n': "says True rows",
    HEADER + ROW + '{"rows": 1}\n' + ROW: "line 4: it goes on behind",
    HEADER.replace("1", "2") + '{"rows": 0}\n': "another version",
    HEADER + ROW.replace("public.t", "t; DROP TABLE x"): "line 2: 't; DROP TABLE x' is no table",
    HEADER + ROW.replace('"1"', "1"): "values are texts or null",
    HEADER + ROW.replace('"a": "1"', '"a": "1", "a": "2"'): "a name occurs twice",
    HEADER + ROW.replace('"key": {}, ', ""): "fields are not those",
    HEADER + ROW.replace('"1"', '"\\u0000"'): "holds a NUL",
    HEADER + ROW.replace('"1"', '"\\ud800"'): "half a surrogate pair",
    HEADER + "[" * 100_000 + "\n": "cannot be read as JSON",
    HEADER + "7\n": "no JSON object",
}


@pytest.mark.parametrize("text", REFUSED, ids=REFUSED.values())
def test_a_file_that_says_something_else_is_refused_by_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "q").write_text(text)
    with pytest.raises(BackupRefused) as refused:
        back(tmp_path / "q")
    assert str(refused.value).startswith("q, line ")
    assert REFUSED[text] in str(refused.value)
