"""Backups in an application's JSON form: what JavaScript finds there, and that all comes back."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.initial_load.backups import content, opened
from tests.initial_load.conftest import Move
from verifier.errors import BackupError
from verifier.initial_load import backup, restore
from verifier.initial_load.backing_up.json_cells import Uncarried, cell
from verifier.initial_load.reading.json_text import parse
from verifier.initial_load.reading.json_values import converter
from verifier.servers import Database, Side
from verifier.transfer import BackupOptions, Format

SHOP = """
CREATE SCHEMA other;
CREATE TABLE tags (id serial PRIMARY KEY, name text UNIQUE);
CREATE TABLE "aChild" (id int PRIMARY KEY, tag int NOT NULL REFERENCES tags);
CREATE TABLE other.tags (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, doc jsonb DEFAULT '1',
    sure jsonb NOT NULL DEFAULT '2', twice int GENERATED ALWAYS AS (2 * 3) STORED);
CREATE TABLE "_prisma_migrations" (id int);
CREATE TABLE empty (id int PRIMARY KEY);
"""
ROWS = """
INSERT INTO tags (name) VALUES ('new'), ('ü "x"\n'), (NULL);
SELECT setval('tags_id_seq', 90);
INSERT INTO "aChild" VALUES (1, 2);
INSERT INTO other.tags (doc, sure) VALUES (NULL, 'null'), ('null', '{"n": 1.10}'), ('[null]', '0');
INSERT INTO "_prisma_migrations" VALUES (1);
"""
JSON = BackupOptions(format=Format.JSON, control_tables=("_prisma_migrations",))


@pytest.fixture
def source(move: Move) -> Database:
    return move.database(Side.SOURCE, SHOP, ROWS)


def written(source: Database, path: Path) -> Any:
    backup(source.dsn, path, JSON)
    with opened(path) as file:
        text = file.read()
    # Python's own takes -0 for an integer, JavaScript does not.
    return json.loads(text, parse_int=lambda digits: -0.0 if digits == "-0" else int(digits))


def test_a_backup_as_an_application_reads_it(source: Database, tmp_path: Path) -> None:
    found = written(source, tmp_path / "b.json")
    # By schema and name, and the parent of aChild before it.
    assert list(found["data"]) == ["other.tags", "public.tags", "aChild", "empty"]
    assert found["data"]["public.tags"] == [
        {"id": 1, "name": "new"}, {"id": 2, "name": 'ü "x"\n'}, {"id": 3, "name": None},
    ]  # fmt: skip
    assert found["data"]["other.tags"] == [
        {"id": 1, "sure": None}, {"id": 2, "doc": None, "sure": {"n": 1.1}},
        {"id": 3, "doc": [None], "sure": 0},
    ]  # fmt: skip
    assert found["metadata"]["counts"] == {
        "public.tags": 3, "aChild": 1, "empty": 0, "other.tags": 3,
    }  # fmt: skip
    assert found["sequences"]["public.tags_id_seq"] == {"lastValue": 90, "isCalled": True}


@pytest.mark.parametrize("name", ["b.json", "b.json.gz"])
def test_all_of_it_comes_back(source: Database, move: Move, tmp_path: Path, name: str) -> None:
    written(source, tmp_path / name)
    target = move.database(Side.TARGET, SHOP)
    claim = restore(tmp_path / name, target.dsn)
    assert claim.success, claim.message
    expected = content(source)
    assert expected.pop("public._prisma_migrations") == ["(1)"]
    found = content(target)
    assert found.pop("public._prisma_migrations") == []
    assert found == expected
    assert found["public.tags_id_seq"] == ["91"]


def test_documents_that_only_late_rows_have(move: Move, tmp_path: Path) -> None:
    schema = "CREATE TABLE t (id int PRIMARY KEY, doc jsonb DEFAULT '1')"
    source = move.database(
        Side.SOURCE, schema,
        "INSERT INTO t SELECT n, CASE WHEN n > 1500 THEN 'null'::jsonb END"
        " FROM generate_series(1, 1600) n",
    )  # fmt: skip
    written(source, tmp_path / "b.json")
    target = move.database(Side.TARGET, schema)
    assert restore(tmp_path / "b.json", target.dsn).success
    assert content(target) == content(source)


def test_a_database_without_tables(move: Move, tmp_path: Path) -> None:
    assert written(move.database(Side.SOURCE), tmp_path / "b.json")["data"] == {}
    assert restore(tmp_path / "b.json", move.database(Side.TARGET).dsn).success


VALUES = [
    ("smallint", "-7", -7),
    ("bigint", "9007199254740991", 9007199254740991),
    ("bigint", "-9007199254740992", "-9007199254740992"),
    ("numeric(10,2)", "1.10", "1.10"),
    ("real", "0.1", 0.1),
    ("float8", "-0", -0.0),
    ("float8", "Infinity", "Infinity"),
    ("float8", "NaN", "NaN"),
    ("boolean", "t", True),
    ("timestamptz", "2025-12-08 10:00:00.123456+00", "2025-12-08T10:00:00.123456Z"),
    ("timestamp", "2025-12-08 10:00:00", "2025-12-08T10:00:00.000Z"),
    ("timestamp", "0044-03-15 12:00:00 BC", "-000043-03-15T12:00:00.000Z"),
    ("timestamp", "0001-03-15 12:00:00 BC", "+000000-03-15T12:00:00.000Z"),
    ("timestamp", "12345-01-01 00:00:00.5", "+012345-01-01T00:00:00.500Z"),
    ("timestamp", "-infinity", "-infinity"),
    ("date", "2025-12-08", "2025-12-08T00:00:00.000Z"),
    ("date", "5874897-12-31", "5874897-12-31"),
    ("date", "4713-01-01 BC", "-004712-01-01T00:00:00.000Z"),
    ("time", "12:30:00.1", "1970-01-01T12:30:00.100Z"),
    ("time", "24:00:00", "24:00:00"),
    ("timetz", "12:30:00+02", "12:30:00+02"),
    ("bytea", "\\x00ff", {"type": "Buffer", "data": [0, 255]}),
    ("json", '{"b":1,"a":2,"a":1.10}', {"b": 1, "a": 1.1}),
    ("jsonb", '"\\u2028"', "\u2028"),
    ("text", "", ""),
    ("text[]", '{NULL,"NULL","",a;b,"c,\\"d\\\\"}', [None, "NULL", "", "a;b", 'c,"d\\']),
    ("int[]", "{{1,2},{3,NULL}}", [[1, 2], [3, None]]),
    ("int[]", "[0:1]={1,2}", "[0:1]={1,2}"),
    ("int[]", "{}", []),
    ("bytea[]", '{"\\\\x00"}', [{"type": "Buffer", "data": [0]}]),
    ("box[]", "{(1,1),(0,0);(2,2),(0,0)}", ["(1,1),(0,0)", "(2,2),(0,0)"]),
    ("jsonb[]", '{"{\\"a\\": 1}",NULL}', [{"a": 1}, None]),
    ("json[]", '{"null",1}', '{"null",1}'),
    ("json[]", '{"[ 1]"}', '{"[ 1]"}'),
    ("json[]", "{{1,2}}", "{{1,2}}"),
    ("money", "-$1,234.50", "-$1,234.50"),
]


def test_values_as_javascript_finds_them(move: Move, tmp_path: Path) -> None:
    columns = ", ".join(f"c{number} {kind}" for number, (kind, _, _) in enumerate(VALUES))
    source = move.database(Side.SOURCE, f"CREATE TABLE v ({columns})")
    marks = ", ".join(f"%s::{kind}" for kind, _, _ in VALUES)
    source.execute(f"ALTER DATABASE \"{source.name}\" SET TimeZone = 'Asia/Tokyo'")
    with source.connect() as session:
        session.execute(f"INSERT INTO v VALUES ({marks})", [text for _, text, _ in VALUES])
    (found,) = written(source, tmp_path / "b.json")["data"]["v"]
    for number, (kind, text, value) in enumerate(VALUES):
        assert (kind, text, repr(found[f"c{number}"])) == (kind, text, repr(value))
    target = move.database(Side.TARGET, f"CREATE TABLE v ({columns})")
    claim = restore(tmp_path / "b.json", target.dsn)
    assert claim.success, claim.message
    assert content(target) == content(source)


def _column(base: str) -> Any:
    return SimpleNamespace(underlying=base, not_null=False)


def _literal(values: Any) -> str:
    """An array as PostgreSQL prints it, with every element in quotes."""
    if isinstance(values, list):
        return "{" + ",".join(map(_literal, values)) + "}"
    if values is None:
        return "NULL"
    return '"' + values.replace("\\", "\\\\").replace('"', '\\"') + '"'


_TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | _TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(_TEXTS, inner),
    max_leaves=5,
)


@given(_TEXTS)
def test_any_text_comes_back(text: str) -> None:
    column = _column("text")
    assert converter(column, own=True)(parse(cell(column)(text))) == text.encode()


@given(st.lists(st.none() | _TEXTS))
def test_any_list_of_texts_comes_back(values: list[str | None]) -> None:
    column = _column("text[]")
    found = converter(column, own=True)(parse(cell(column)(_literal(values))))
    assert found == _literal(values).encode()


@given(_JSON, st.booleans())
def test_any_document_comes_back_or_is_refused(value: Any, compact: bool) -> None:
    column = _column("json")
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":") if compact else None)
    try:
        assert converter(column, own=True)(parse(cell(column)(text))) == text.encode()
    except Uncarried:
        assert not compact


@given(st.binary())
def test_any_bytes_come_back(octets: bytes) -> None:
    column, text = _column("bytea"), f"\\x{octets.hex()}"
    assert converter(column, own=True)(parse(cell(column)(text))) == text.encode()


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        ("SELECT lo_create(0)", "the source holds 1 large objects"),
        (
            "CREATE TABLE d (a int, b text, j json, PRIMARY KEY (b, a));"
            "INSERT INTO d VALUES (1, 'x', '{\"a\": 1}')",
            "public.d (a = '1', b = 'x'): the column j holds a text of type json whose blanks",
        ),
    ],
)
def test_what_json_cannot_carry_is_refused(
    move: Move, tmp_path: Path, statements: str, said: str
) -> None:
    source = move.database(Side.SOURCE, statements)
    with pytest.raises(BackupError) as caught:
        backup(source.dsn, tmp_path / "b.json", JSON)
    assert said in str(caught.value)
    assert "--format copy" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_was_cut_anywhere_is_refused(
    source: Database, move: Move, tmp_path: Path
) -> None:
    path, target = tmp_path / "b.json", move.database(Side.TARGET, SHOP)
    written(source, path)
    whole, before = path.read_bytes(), content(target)
    for end in range(0, len(whole) - 2, 37):
        path.write_bytes(whole[:end])
        claim = restore(path, target.dsn)
        assert (claim.success, claim.exit_code) == (False, 2)
    assert content(target) == before


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b',\n{"id":2,"name":"', b"", "(public.tags: 2 of 3)"),
        (b'"aChild":[\n{"id":1,"tag":2}],', b"", "(aChild: 0 of 1)"),
        (b'"formatVersion": 1', b'"formatVersion": 2', "another version of restore-verifier"),
        (
            b'"lastValue": 90',
            b'"lastValue": 9.5',
            "the position of the sequence public.tags_id_seq",
        ),
        (b'"aChild": 1', b'"aChild": null', "its metadata are damaged"),
    ],
)
def test_a_file_that_says_otherwise_than_it_holds_is_refused(
    source: Database, move: Move, tmp_path: Path, old: bytes, new: bytes, said: str
) -> None:
    path, target = tmp_path / "b.json", move.database(Side.TARGET, SHOP)
    written(source, path)
    whole = path.read_bytes()
    if old.endswith(b'"name":"'):
        at = whole.index(old)
        changed = whole[:at] + whole[whole.index(b"}", at) + 1 :]
    else:
        assert whole.count(old) == 1
        changed = whole.replace(old, new)
    path.write_bytes(changed)
    claim = restore(path, target.dsn)
    assert (claim.success, claim.exit_code) == (False, 2)
    assert said in claim.message
