"""The application's JSON backup: every value as it was, or a refusal that says where."""

from __future__ import annotations

import gzip
import io
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import sql

from tests.initial_load.reading.tools import CHARACTERS, TRICKS
from verifier.errors import BackupRefused
from verifier.initial_load import catalog
from verifier.initial_load.reading import read
from verifier.initial_load.reading.events import Rows
from verifier.initial_load.reading.json_text import Document, Number, text
from verifier.servers import Database, Pair, Side

TABLES = """
CREATE TABLE businesses (id text PRIMARY KEY, "createdAt" timestamp(3), note text);
CREATE TABLE product_variants (id int PRIMARY KEY, "productId" text, v int DEFAULT 7);
CREATE TYPE mood AS ENUM ('so so', 'fine');
CREATE DOMAIN posint AS int CHECK (VALUE > 0);
CREATE TABLE typed (
  id bigint PRIMARY KEY, n numeric, f float8, t text, c varchar(9), b boolean, j json, jb jsonb,
  x bytea, a text[], na numeric[], ja jsonb[], ba bytea[], bo boolean[], d date, ts timestamp,
  tz timestamptz, e mood, u uuid, p posint, m json NOT NULL DEFAULT '1'
);
CREATE TABLE inner_one (id text PRIMARY KEY);
"""


@pytest.fixture(scope="module")
def target(servers: Pair) -> Iterator[Database]:
    database = servers.databases(Side.TARGET).create("json")
    database.execute(TABLES)
    yield database
    servers.databases(Side.TARGET).drop(database)


Reading = Callable[..., list[Rows]]


@pytest.fixture
def reading(target: Database, tmp_path: Path) -> Reading:
    with psycopg.connect(target.dsn.conninfo) as conn:
        known = catalog.load(conn)

    def run(content: str | bytes, **options: Any) -> list[Rows]:
        path = tmp_path / "backup.json"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return [row for row in read(path, catalog=known, **options) if isinstance(row, Rows)]

    return run


def refusal(reading: Reading, content: str | bytes, **options: Any) -> str:
    with pytest.raises(BackupRefused) as refused:
        reading(content, **options)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def typed(target: Database, blocks: list[Rows], columns: str) -> list[tuple[Any, ...]]:
    """What the server stores for the rows."""
    with psycopg.connect(target.dsn.conninfo) as conn:
        for block in blocks:
            names = sql.SQL(", ").join(map(sql.Identifier, block.columns))
            copying = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(block.table), names)
            with conn.cursor().copy(copying) as copy:
                copy.write(block.data)
        found = conn.execute(f"SELECT {columns} FROM typed ORDER BY id").fetchall()  # type: ignore[arg-type]
        conn.rollback()
    return found


# --- values -----------------------------------------------------------------------------

VALUES = [
    ("id", "9007199254740993", "9007199254740993"),
    ("n", "1.10", "1.10"),
    ("n", "-0.00", "0.00"),
    ("n", "12345678901234567890.12345678901234567890", "12345678901234567890.12345678901234567890"),
    ("n", '"NaN"', "NaN"),
    ("n", "1e3", "1000"),
    ("f", "-0", "-0"),
    ("f", "5e-324", "5e-324"),
    ("t", '"é\\n\\t\\\\ \\"\\ud83d\\ude00"', 'é\n\t\\ "😀'),
    ("t", '""', ""),
    ("t", "null", None),
    ("b", "true", "true"),
    ("b", "false", "false"),
    ("j", '{"b": 1.0, "a": [-0, 1e400, null, true]}', '{"b":1.0,"a":[-0,1e400,null,true]}'),
    ("j", '"text"', '"text"'),
    ("j", "null", None),
    ("m", "null", "null"),
    ("j", '"\\u0007\\\\"', '"\\u0007\\\\"'),
    ("jb", '{"big": 9007199254740993, "x": 1.0}', '{"x": 1.0, "big": 9007199254740993}'),
    ("jb", '{"type": "Buffer", "data": [1]}', '{"data": [1], "type": "Buffer"}'),
    ("x", '{"type": "Buffer", "data": [0, 255]}', "\\x00ff"),
    ("x", '"\\\\x00FF"', "\\x00ff"),
    ("x", '{"type": "Buffer", "data": []}', "\\x"),
    ("a", "[]", "{}"),
    ("a", '["a\\"b", "c\\\\d", "", null, "NULL", "{,}", " s "]',
     '{"a\\"b","c\\\\d","",NULL,"NULL","{,}"," s "}'),
    ("a", '[["1", "2"], ["3", null]]', "{{1,2},{3,NULL}}"),
    ("a", '"{x,y}"', "{x,y}"),
    ("na", "[1.10, -0.5]", "{1.10,-0.5}"),
    ("ja", '[{"a": 1.0}, [1], "x"]', '{"{\\"a\\": 1.0}",[1],"\\"x\\""}'),
    ("ba", '[{"type": "Buffer", "data": [1]}]', '{"\\\\x01"}'),
    ("bo", "[true, false]", "{t,f}"),
    ("d", '"2024-02-29T00:00:00.000Z"', "2024-02-29"),
    ("ts", '"2024-02-29T12:34:56.123456Z"', "2024-02-29 12:34:56.123456"),
    ("tz", '"2024-02-29T12:34:56.123456+02:00"', "2024-02-29 10:34:56.123456+00"),
    ("tz", '"infinity"', "infinity"),
    ("e", '"so so"', "so so"),
    ("u", '"00000000-0000-0000-0000-000000000001"', "00000000-0000-0000-0000-000000000001"),
    ("p", "5", "5"),
]  # fmt: skip


@pytest.mark.parametrize(("column", "written", "stored"), VALUES)
def test_a_value_is_stored_as_it_was(
    reading: Reading, target: Database, column: str, written: str, stored: str | None
) -> None:
    record = {"id": "1", "m": "1"} | {column: written}
    given = ", ".join(f'"{name}": {value}' for name, value in record.items())
    blocks = reading('{"typed": [{' + given + "}]}")
    target.execute(f"ALTER DATABASE {target.dsn.database} SET TimeZone = 'UTC'")
    assert typed(target, blocks, f"{column}::text") == [(stored,)]


REFUSED_VALUES = {
    ("t", "1.10"): "is a number, which its type text does not take",
    ("t", "true"): "is a boolean",
    ("t", '{"a": 1}'): "is an object",
    ("t", '["a"]'): "is a list",
    ("t", '"\\u0000"'): "holds a NUL",
    ("t", '"\\ud800"'): "half a surrogate pair",
    ("a", '["\\u0000"]'): "holds a NUL",
    ("id", "true"): "is a boolean",
    ("b", "1"): "is a number",
    ("x", '"AP8="'): "bytea takes \\x and hexadecimal digits, or a Buffer",
    ("x", '{"type": "Buffer", "data": [256]}'): "is an object",
    ("x", '{"type": "Buffer", "data": [1.5]}'): "is an object",
    ("a", '"x"'): "is a text",
    ("a", "[1]"): "is a number",
    ("ja", "[null]"): "JSON cannot say which",
    ("ts", '"2024-02-29T12:34:56+02:00"'): "has an offset",
    ("d", '"2024-02-29T23:34:56-05:00"'): "has an offset",
    ("tz", '"2024-02-29T12:34:56"'): "has no time zone",
    ("d", "1709164800000"): "is a number",
    ("j", "[" * 900 + "]" * 900): "nested too deeply",
}


@pytest.mark.parametrize(("column", "written"), REFUSED_VALUES, ids=lambda text: text[:30])
def test_a_value_that_cannot_be_exact_is_refused_by_record(
    reading: Reading, column: str, written: str
) -> None:
    good = '{"id": 1, "m": 1, "t": null}'.replace('"t"', f'"{column}"' if column != "id" else '"t"')
    bad = '{"m": 1, "id": 2, "t": "x"}'.replace('"t": "x"', f'"{column}": {written}')
    if column == "id":
        bad = '{"m": 1, "t": "x", "id": ' + written + "}"
    said = refusal(reading, '{"typed": [\n' + good + ",\n" + bad + "]}")
    assert re.match(r"backup\.json, line 3: ", said)
    assert REFUSED_VALUES[column, written] in said


_JSON = st.recursive(
    st.none() | st.booleans() | st.text(CHARACTERS) | st.sampled_from(TRICKS)
    | st.from_regex(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,9})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
    .map(Number),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(CHARACTERS), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


class Slow:
    """Gives a few bytes at a time."""

    def __init__(self, data: bytes, step: int) -> None:
        self._file, self._step = io.BytesIO(data), step

    def read(self, size: int, /) -> bytes:
        return self._file.read(min(size, self._step))


@given(_JSON, st.integers(1, 9))
def test_any_document_reads_the_same_in_any_pieces(value: Any, step: int) -> None:
    written = text(value)
    document = Document(Slow(written.encode(), step), "x")
    found = document.value()
    document.end()
    assert text(found) == written


# --- documents --------------------------------------------------------------------------


def test_models_and_records_become_tables_and_rows(reading: Reading) -> None:
    found = reading(
        '{"metadata": {"counts": {"businesses": 2}}, "version": "1", "at": null,\n'
        ' "data": {"Business": [{"id": "a", "createdAt": "2024-01-01T00:00:00.000Z"},\n'
        '  {"createdAt": null, "id": "b"}],\n'
        ' "productVariants": [{"id": 1, "product_id": "p", "v": 2}], "typed": []}}'
    )
    assert [(r.schema, r.table, r.columns, r.data, r.count, r.line) for r in found] == [
        ("public", "businesses", ("id", "createdAt"),
         b"a\t2024-01-01T00:00:00.000Z\nb\t\\N\n", 2, 2),
        ("public", "product_variants", ("id", "productId", "v"), b"1\tp\t2\n", 1, 4),
    ]  # fmt: skip
    assert reading('\ufeff {"businesses": [{"id": "a"}]}')[0].count == 1
    assert reading(gzip.compress(b'{"businesses": [{"id": "a"}]}'))[0].count == 1


def test_a_missing_field_is_null_only_where_nothing_else_could_come(reading: Reading) -> None:
    (block,) = reading('{"businesses": [{"id": "a"}, {"id": "b", "note": "x"}]}')
    assert (block.columns, block.data) == (("id", "note"), b"a\t\\N\nb\tx\n")
    said = refusal(reading, '{"productVariants": [{"id": 1, "v": 1},\n {"id": 2}]}')
    assert "line 2: productVariants, record 2, 'v' is missing" in said
    said = refusal(reading, '{"productVariants": [{"v": 1}, {"id": 2, "v": 1}]}')
    assert "record 1, 'id' is missing" in said
    assert "record 1 has no fields" in refusal(reading, '{"businesses": [{}]}')


def test_every_name_without_a_place_is_named_before_any_row(reading: Reading) -> None:
    content = '{"busines": [{"id": 1}], "businesses": [{"id": "1", "nte": 1}], "zzz": []}'
    said = refusal(reading, content)
    assert "'busines' is no table of the target: is it businesses" in said
    assert "of 'businesses', 'nte' is no column of the target: is it note" in said
    assert "'zzz' is no table" in said
    assert "are both public.businesses" in refusal(reading, '{"business": [], "businesses": []}')


def test_a_prisma_schema_names_tables_columns_and_labels(reading: Reading, tmp_path: Path) -> None:
    schema = tmp_path / "schema.prisma"
    schema.write_text(
        'enum Mood {\n MEH @map("so so")\n}\n'
        'model Company {\n key String @id @map("id")\n log Log[]\n @@map("businesses")\n}\n'
        'model Log {\n id Int\n mood Mood @map("e")\n m Json\n @@map("typed")\n}\n'
    )
    content = '{"company": [{"key": "a"}], "log": [{"id": 1, "mood": "MEH", "m": 1}]}'
    assert [(r.table, r.columns, r.data) for r in reading(content, models=schema)] == [
        ("businesses", ("id",), b"a\n"),
        ("typed", ("id", "e", "m"), b"1\tso so\t1\n"),
    ]
    said = refusal(reading, '{"company": [{"key": "a", "log": []}]}', models=schema)
    assert "'log' is a relation" in said


DOCUMENTS = {
    '{"businesses": [{"id": "a", "id": "b"}]}': "the name 'id' occurs twice",
    '{"businesses": [], "businesses": []}': "the model 'businesses' occurs twice",
    '{"businesses": []} x': "goes on behind its end with 'x'",
    '{"businesses": []}{}': "goes on behind its end",
    '[{"id": "a"}]': "does not say of which model",
    '{"businesses": [1]}': "businesses, record 1: no object",
    '{"businesses": {"id": "a"}}': "'businesses' is an object",
    '{"data": {"businesses": {}}}': "data.businesses is no list",
    '{"version": 1}': "no model with records",
    "{}": "no model with records",
    '{"businesses": [{"id": NaN}]}': "NaN is no JSON",
    '{"businesses": [{"id": "a"} {"id": "b"}]}': "',' was expected",
    '{"businesses": [{"id": "a"},]}': "no JSON: Expecting value",
    '{"businesses": [{"id": "a\n"}]}': "no JSON: Invalid control character",
    "{'businesses': []}": "a name in double quotes",
    '{"businesses": [{"id": 01}]}': "no JSON",
    '{"businesses": ' + "[" * 100_000: "nested too deeply",
}


@pytest.mark.parametrize("content", DOCUMENTS, ids=DOCUMENTS.values())
def test_a_document_of_another_kind_is_refused(reading: Reading, content: str) -> None:
    assert DOCUMENTS[content] in refusal(reading, content)


def test_a_document_cut_anywhere_is_refused(reading: Reading) -> None:
    whole = '{"v": 1, "data": {"businesses": [{"id": "é\\n"}, {"id": "b", "note": null}]}}'.encode()
    assert reading(whole)[0].count == 2
    for size in range(1, len(whole)):
        assert re.search("truncated|no UTF-8", refusal(reading, whole[:size])), whole[:size]


def test_bytes_that_are_no_utf8_are_refused(reading: Reading) -> None:
    assert "no UTF-8" in refusal(reading, b'{"businesses": [\n{"id": "\xff"}]}')


def test_a_target_is_needed_to_know_the_tables(tmp_path: Path) -> None:
    (tmp_path / "x").write_text('{"businesses": []}')
    with pytest.raises(BackupRefused, match="says neither tables nor types"):
        list(read(tmp_path / "x"))


def test_a_pipe_is_read_like_a_file(target: Database, tmp_path: Path) -> None:
    with psycopg.connect(target.dsn.conninfo) as conn:
        known = catalog.load(conn)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    content = b'{"businesses": [{"id": "a"}, {"id": "b", "note": "x"}]}'
    writer = threading.Thread(target=fifo.write_bytes, args=(content,))
    writer.start()
    (block,) = read(fifo, catalog=known)
    writer.join()
    assert isinstance(block, Rows)
    assert block.data == b"a\t\\N\nb\tx\n"


MEMORY = """
import resource, sys
from verifier.initial_load.reading.json_backup import survey
class Endless:
    def __init__(self, records):
        self.left, self.first = records, True
    def read(self, size, /):
        if self.first:
            self.first = False
            return b'{"m": [{"id": 0}'
        if self.left < 0:
            return b""
        self.left -= 2000
        return b',{"id": 1, "name": "some text", "json": {"a": [1.10, 2]}}' * 2000 + (
            b"]}" if self.left < 0 else b"")
assert survey(Endless(int(sys.argv[1])), "x").fields["m"]["name"] == 2
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_document() -> None:
    small, large = (
        int(subprocess.run(
            [sys.executable, "-c", MEMORY, records], capture_output=True, text=True, check=True
        ).stdout)
        for records in ("20000", "1000000")
    )  # fmt: skip
    assert large - small < 8 << 10  # KB
