"""JSON backups as rows, and every reason to refuse one."""

from __future__ import annotations

import io
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.initial_load.reading.targets import target
from tests.initial_load.reading.tools import CHARACTERS
from verifier.errors import BackupRefused
from verifier.initial_load.catalog import Catalog
from verifier.initial_load.reading import json_backup, json_rows, json_text
from verifier.initial_load.reading.events import Rows
from verifier.initial_load.reading.json_backup import read_json
from verifier.initial_load.reading.json_rows import Record
from verifier.initial_load.reading.json_text import JsonText, Number
from verifier.initial_load.reading.models import Tables
from verifier.initial_load.reading.prisma import parse

SHOP = target(
    users={"id": "integer!", "name": "text", "data": "jsonb", "rank": "integer!=0"},
    tags={"id": "integer!", "label": "text=''"},
)


class Drip:
    """A file that gives a few bytes at a time."""

    def __init__(self, data: bytes, size: int) -> None:
        self._file = io.BytesIO(data)
        self._size = size

    def read(self, _size: int, /) -> bytes:
        return self._file.read(self._size)


def read(text: str | bytes, catalog: Catalog = SHOP, size: int = 1 << 18) -> list[Rows]:
    data = text.encode() if isinstance(text, str) else text
    events = list(read_json(Drip(data, size), "b.json", catalog))
    assert all(isinstance(event, Rows) for event in events)
    return [event for event in events if isinstance(event, Rows)]


def refusal(text: str | bytes, catalog: Catalog = SHOP) -> str:
    with pytest.raises(BackupRefused) as caught:
        read(text, catalog)
    assert str(caught.value).startswith("b.json, line ")
    return str(caught.value)


def value(kind: str, written: str) -> str | None:
    """What a column of the type ``kind`` gets for the JSON ``written``."""
    (rows,) = read(f'{{"t":[{{"c":{written}}}]}}', target(t={"c": kind}))
    ((found,),) = rows.values()
    return found


def unfit(kind: str, written: str) -> str:
    said = refusal(f'{{"t":[{{"c":null}},{{"c":{written}}}]}}', target(t={"c": kind}))
    assert "record 2 of t: the field c is " in said
    return said.partition("the field c is ")[2]


@pytest.mark.parametrize("frame", ["%s", '"data": {%s}', '"version": "1", "backup": {%s, "n": 1}'])
def test_models_in_a_frame_and_without(frame: str) -> None:
    models = '"User": [{"id": 1, "name": "a\\tb"},\n {"id": 2, "name": null}], "tags": []'
    (rows,) = read("{" + frame % models + "}")
    assert (rows.schema, rows.table, rows.columns) == ("public", "users", ("id", "name"))
    assert (rows.data, rows.count, rows.line) == (b"1\ta\\tb\n2\t\\N\n", 2, 1)


def test_what_is_said_about_the_backup_is_not_looked_at() -> None:
    (rows,) = read(
        '{"version": 2, "exportedAt": "2025-12-08T10:00:00Z", "full": true, "by": null,'
        ' "metadata": {"tables": ["users"], "counts": {"users": 1}}, "users": [{"id": 1}]}'
    )
    assert rows.data == b"1\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "without the names of models"),
        ("{}", "it names no model"),
        ('{"version": 1}', "it names no model"),
        ('{"orders": []}', "no table of the target is called like the model orders"),
        ('{"user": []} {}', "found '{' where the end was expected"),
        ('{"users": [], "User": []}', "would both be the table public.users"),
        ('{"users": [], "users": []}', "the model users occurs twice"),
        ('{"users": 3}', "users is a model, but no list"),
        ('{"User": null}', "User is a model, but no list"),
        ('{"data": {"users": []}, "more": {"tags": []}}', "more is a second object beside data"),
        ('{"data": {"users": {"id": 1}}}', "data.users is an object, and no list"),
        ('{"settings": {"a": 1}, "users": []}', "settings is an object that holds no list"),
        ('{"data": {}}', "data is an object that holds no list"),
        ('{"meta": {"a": [[{"id": 1}]]}, "users": []}', "meta holds a list of records"),
        ('{"users": [1]}', "record 1 of users is no object"),
        ('{"users": [{"id": 1}, [2]]}', "record 2 of users is no object"),
        ('{"users": [{"id": 1, "nmae": 2}]}', "field nmae: public.users has no such column (did"),
        ('{"users": [{"id": 1, "id": 2}]}', "record 1 of users: the field id is there twice"),
        ('{"users": [{"id": 1, "ID": 2}]}', "the field id is there as id and as ID"),
        ('{"users": [{"id": 1, "tags": [{"id": 1}]}]}', "if it is a relation, export without"),
        ('{"users": [{"id": 1, "boss": {"id": 1}}]}', "if it is a relation, export without"),
    ],
)
def test_refused_documents(text: str, said: str) -> None:
    assert said in refusal(text)


def test_a_key_that_is_absent_is_null_only_where_nothing_else_can_be_meant() -> None:
    (rows,) = read('{"users": [{"id": 1}, {"name": "b", "id": 2}, {"data": 1, "id": 3}]}')
    assert rows.columns == ("id", "name", "data")
    assert rows.data == b"1\t\\N\t\\N\n2\tb\t\\N\n3\t\\N\t1\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"users": [{"id": 1}, {"name": "b"}]}', "record 2 of users: it lacks the field id"),
        ('{"users": [{"id": 1, "rank": 1}, {"id": 2}]}', "it lacks the field rank"),
        (
            '{"users": [{"id": 1}, {"id": 2, "rank": 1}]}',
            "record 1 of users: it lacks the field rank",
        ),
        ('{"tags": [{"id": 1, "label": "a"}, {"id": 2}]}', "the column has a default"),
    ],
)
def test_a_key_that_is_absent_where_it_is_no_null(text: str, said: str) -> None:
    assert said in refusal(text)


def test_a_column_that_no_record_has_is_not_written() -> None:
    (rows,) = read('{"tags": [{"id": 1}, {"id": 2}]}')
    assert rows.columns == ("id",)


def test_records_without_values() -> None:
    (rows,) = read('{"users": [{}, {}]}')
    assert (rows.columns, rows.count, rows.data) == ((), 2, b"\n\n")


def test_a_key_that_comes_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_rows, "FIRST", 2)
    said = refusal('{"users": [{"id": 1}, {"id": 2}, {"id": 3, "name": "c"}]}')
    assert "line 1: record 3 of users: the field name is in none of the first 2" in said


def test_few_large_records_are_looked_at_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_backup, "_FIRST_SIZE", 30)
    said = refusal('{"users": [{"id": 1}, {"id": 2}, {"id": 3}, {"id": 4, "name": "d"}]}')
    assert "record 4 of users: the field name is in none of the first 3" in said


@pytest.mark.parametrize("held", ["null", "[]", '{"id": 1}'])
def test_a_relation_is_named_as_such(held: str) -> None:
    models = parse('model User { \n id Int \n boss User \n @@map("users") }', "s")
    text = f'{{"users": [{{"id": 1, "boss": {held}}}]}}'
    with pytest.raises(BackupRefused, match="boss holds records of another model"):
        list(read_json(io.BytesIO(text.encode()), "b.json", SHOP, models))


@pytest.mark.parametrize(
    ("kind", "written", "expected"),
    [
        ("numeric", "1.10", "1.10"),
        ("bigint", "9007199254740993", "9007199254740993"),
        ("numeric", "12345678901234567.89", "12345678901234567.89"),
        ("double precision", "-0", "-0"),
        ("double precision", "-0.0", "-0.0"),
        ("numeric", "1e400", "1e400"),
        ("numeric", "1E+5", "1E+5"),
        ("numeric", "9" * 5000, "9" * 5000),
        ("numeric", '"NaN"', "NaN"),
        ("text", "1.10", "1.10"),
        ("text", '""', ""),
        ("text", '"\\\\N"', "\\N"),
        ("text", '"\\\\."', "\\."),
        ("text", "null", None),
        ("text", '"\\ud83d\\ude00 é \\u000b\\r\\n"', "😀 é \v\r\n"),
        ("boolean", "false", "false"),
        ("boolean", "true", "true"),
        ("jsonb", "null", None),
        ("jsonb", '"a\\"\\u0001é"', '"a\\"\\u0001é"'),
        ("jsonb", '"1"', '"1"'),
        ("json", '{"b":1.0,"a":[-0,1E5],"b":{}}', '{"b":1.0,"a":[-0,1E5],"b":{}}'),
        ("json", "[null, true, false]", "[null,true,false]"),
        ("json", '[ 9007199254740993 , "x" ]', '[9007199254740993,"x"]'),
        ("text[]", "[]", "{}"),
        ("text[]", '["a", null, "NULL", "{,}"]', '{"a",NULL,"NULL","{,}"}'),
        ("text[]", '["", "q\\"\\\\"]', '{"","q\\"\\\\"}'),
        ("text[]", '"{a,b}"', "{a,b}"),
        ("numeric[]", "[[1.10,-0],[1e3,null]]", '{{"1.10","-0"},{"1e3",NULL}}'),
        ("boolean[]", "[true]", '{"true"}'),
        ("jsonb[]", '[{"a":1},[1,2],null]', '{"{\\"a\\":1}","[1,2]",NULL}'),
        ("bytea[]", '[{"type":"Buffer","data":[0]}]', '{"\\\\x00"}'),
        ("box[]", '["(1,1),(0,0)"]', '{"(1,1),(0,0)"}'),
        ("bytea", '{"type":"Buffer","data":[0,255]}', "\\x00ff"),
        ("bytea", '{"data":[],"type":"Buffer"}', "\\x"),
        ("bytea", '{"0":1,"1":255}', "\\x01ff"),
        ("bytea", "{}", "\\x"),
        ("bytea", '"\\\\x00FF"', "\\x00FF"),
        ("bytea", "null", None),
    ],
)  # fmt: skip
def test_values(kind: str, written: str, expected: str | None) -> None:
    assert value(kind, written) == expected


@pytest.mark.parametrize(
    ("kind", "written", "said"),
    [
        ("text", "{}", "an object, and the column's type is text"),
        ("integer", "[1]", "a list, and the column's type is integer"),
        ("text", '"a\\u0000"', "a text with a NUL"),
        ("text", '"\\ud83d"', "half a surrogate pair"),
        ("jsonb", '{"a":["\\ude00"]}', "half a surrogate pair"),
        ("text[]", '[{"a":1}]', "an object, and the column's type is text"),
        ("text[]", "{}", "an object, and the column's type is text[]"),
        ("text[]", "[[],[]]", "a list with an empty list"),
        ("bytea", '"AP8="', "a text that does not begin with \\x"),
        ("bytea", '"\\\\000"', "a text that does not begin with \\x"),
        ("bytea", "1", "neither bytes"),
        ("bytea", '{"type":"Buffer","data":[256]}', "neither bytes"),
        ("bytea", '{"type":"Buffer","data":[1.5]}', "neither bytes"),
        ("bytea", '{"type":"Buffer","data":"AP8="}', "neither bytes"),
        ("bytea", '{"1":1}', "neither bytes"),
    ],
)
def test_values_that_do_not_fit(kind: str, written: str, said: str) -> None:
    assert said in unfit(kind, written)


@pytest.mark.parametrize(
    ("kind", "written", "expected"),
    [
        ("timestamp without time zone", "2025-12-08T10:00:00.123Z", "2025-12-08T10:00:00.123Z"),
        ("timestamp without time zone", "2025-12-08 10:00:00", "2025-12-08 10:00:00"),
        ("timestamp without time zone", "2025-12-08T10:00:00+00:00", "2025-12-08T10:00:00+00:00"),
        ("timestamp without time zone", "infinity", "infinity"),
        ("timestamp with time zone", "2025-12-08T10:00:00+02", "2025-12-08T10:00:00+02"),
        ("timestamp with time zone", "+010000-01-01T00:00:00.000Z", "10000-01-01T00:00:00.000Z"),
        ("timestamp with time zone", "-000043-03-15T12:00:00.000Z", "0044-03-15T12:00:00.000Z BC"),
        ("timestamp with time zone", "0044-03-15 12:00:00+00 BC", "0044-03-15 12:00:00+00 BC"),
        ("date", "2025-12-08T00:00:00.000Z", "2025-12-08"),
        ("date", "-000043-03-15T00:00:00.000Z", "0044-03-15 BC"),
        ("date", "2025-12-08", "2025-12-08"),
        ("time without time zone", "1970-01-01T12:30:00.250Z", "12:30:00.250"),
        ("time without time zone", "24:00:00", "24:00:00"),
        ("time with time zone", "1970-01-01T12:30:00.250Z", "12:30:00.250Z"),
        ("time with time zone", "12:30:00+02", "12:30:00+02"),
        ("text", "1970-01-01T12:30:00.250Z", "1970-01-01T12:30:00.250Z"),
    ],
)
def test_times(kind: str, written: str, expected: str) -> None:
    assert value(kind, json.dumps(written)) == expected
    assert value(f"{kind}[]", json.dumps([written])) == f'{{"{expected}"}}'


@pytest.mark.parametrize(
    ("kind", "written", "said"),
    [
        ("date", "2025-12-07T22:00:00.000Z", "a date would hold a part"),
        ("date", "2025-12-08T00:00:00.001Z", "a date would hold a part"),
        ("date", "2025-12-08T00:00:00+02:00", "a date would hold a part"),
        ("date", "2025-12-08 10:00", "a date would hold a part"),
        ("timestamp with time zone", 1765188000000, "a number, and the column's type is"),
        ("time without time zone", "2025-12-08T12:30:00.000Z", "a time of day would hold a part"),
        ("time without time zone", "12:30:00+02", "+02 would be dropped"),
        ("timestamp without time zone", "2025-12-08T10:00:00+02:00", "+02:00 would be dropped"),
        ("timestamp without time zone", "2025-12-08 10:00-0330", "-0330 would be dropped"),
        ("timestamp without time zone", "2025-12-08T10:00:00.5+00:30", "+00:30 would be dropped"),
    ],
)
def test_times_that_a_column_would_hold_a_part_of(kind: str, written: object, said: str) -> None:
    assert said in unfit(kind, json.dumps(written))


def test_a_nul_inside_json_is_the_servers_to_judge() -> None:
    assert value("json", '{"a":"\\u0000"}') == '{"a":"\\u0000"}'


def test_deep_values_and_those_too_deep_to_be_read() -> None:
    assert value("jsonb", "[" * 200 + "]" * 200) == "[" * 200 + "]" * 200
    assert "nested too deeply" in refusal('{"users":[{"data":' + "[" * 100_000)
    for depth in range(300, 1100, 50):  # the limit itself, wherever it is
        try:
            value("jsonb", "[" * depth + "]" * depth)
        except BackupRefused as error:
            deep = str(error)
    assert "nested too deeply" in deep


GOOD = (
    b'{"v": 123456, "users": [\n'
    b' {"id": 12, "name": "\xc3\xa9\\u00e9", "data": {"a": [1.5e3, true]}}'
    b',\n {"id": 2}]}'
)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_pieces_of_any_size(size: int) -> None:
    (rows,) = read(GOOD, size=size)
    assert rows.data == '12\téé\t{"a":[1.5e3,true]}\n2\t\\N\t\\N\n'.encode()
    assert rows.line == 2


def test_cut_anywhere() -> None:
    for size in range(len(GOOD)):
        refusal(GOOD[:size])


@pytest.mark.parametrize(
    ("text", "line", "byte"),
    [
        (b'{"users": [\n{"id": 1},\n{"id": \xff}]}', 3, 31),
        (b'{"users": [\n{"id": 1},\n{"id": x}]}', 3, 31),
        (b'{"\xc3\xa9": 1,\n"users": [{"id": 1}{"id": 2}]}', 2, 30),
        (b'{"users": [{"id": 1}]}\n]', 2, 24),
        (b'{"users": [{"id": NaN}]}', 1, 12),
        (b'{"users": [{"id": 1},]}', 1, 22),
        (b"{'users': []}", 1, 2),
        (b'{"users": [{"name": "a\nb"}]}', 1, 23),
        (b'{"users": [{"name": "\\q"}]}', 1, 22),
        (b'{"users": [{"id": 01}]}', 1, 20),
        (b'{"users": [] "tags": []}', 1, 14),
        (b'{"users": []\0}', 1, 13),
    ],
)
@pytest.mark.parametrize("size", [1, 5, 1000])
def test_damage_is_named_by_its_place(text: bytes, line: int, byte: int, size: int) -> None:
    with pytest.raises(BackupRefused) as caught:
        read(text, size=size)
    assert f"b.json, line {line} (byte {byte}): " in str(caught.value)


@pytest.mark.parametrize("size", [3, 40, 1000])
def test_a_record_is_named_by_its_own_line(size: int) -> None:
    text = '{"users": [' + '\n{"id": 1},' * 20 + '\n{"id": 2, "nam": 1},\n{"id": 3}\n]}'
    with pytest.raises(BackupRefused) as caught:
        read(text.encode(), size=size)
    assert str(caught.value).startswith("b.json, line 22: record 21 of users: the field nam: ")


def test_damage_is_seen_before_the_rest_is_read() -> None:
    class Endless:
        def __init__(self) -> None:
            self.parts = [b'{"users": [{"id": oops']

        def read(self, size: int, /) -> bytes:
            return self.parts.pop() if self.parts else b" " * size

    with pytest.raises(BackupRefused, match="Expecting value"):
        list(read_json(Endless(), "b.json", SHOP))


def test_the_line_of_every_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_backup, "_BLOCK", 1)
    monkeypatch.setattr(json_rows, "FIRST", 1)
    text = '{"users": [\n{"id": 1},\n\n{"id": 2},\n{"id": 3}\n]}'
    assert [(rows.line, rows.data) for rows in read(text)] == [
        (2, b"1\n"), (4, b"2\n"), (5, b"3\n"),
    ]  # fmt: skip


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(CHARACTERS),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(CHARACTERS), inner, max_size=4)
    ),
    max_leaves=15,
)  # fmt: skip


RECORDS = st.fixed_dictionaries(
    {"id": st.integers(), "name": st.none() | st.text(CHARACTERS), "data": TREES}
)


@given(st.lists(RECORDS, min_size=1), st.integers(1, 40), st.booleans())
def test_any_record_comes_through(records: list[dict[str, Any]], size: int, ascii_: bool) -> None:
    text = json.dumps({"users": records}, ensure_ascii=ascii_, indent=size % 3 or None)
    (rows,) = read(text, size=size)
    found = [dict(zip(rows.columns, row, strict=True)) for row in rows.values()]
    for given_, row in zip(records, found, strict=True):
        assert (row["id"], row["name"]) == (str(given_["id"]), given_["name"])
        assert repr(json.loads(row["data"] or "null")) == repr(given_["data"])


def test_numbers_are_texts() -> None:
    text = JsonText(io.BytesIO(b" -0 "), "x")
    number = text.value()
    assert (type(number), number) == (Number, "-0")


def test_memory_does_not_depend_on_the_size() -> None:
    class Many:
        """Records without end, made while they are read."""

        def __init__(self, pieces: int) -> None:
            block = b"".join(b'{"id":%d,"name":"%s"},' % (n, b"x" * 50) for n in range(2000))
            self.parts = iter([b'{"users":[', *[block] * pieces, b'{"id":0}]}'])

        def read(self, _size: int, /) -> bytes:
            return next(self.parts, b"")

    def peak(pieces: int) -> int:
        tracemalloc.start()
        count = sum(
            rows.count for rows in read_json(Many(pieces), "b", SHOP) if isinstance(rows, Rows)
        )
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert count == 2000 * pieces + 1
        return found

    small, large = peak(10), peak(60)
    assert large < small + (1 << 20)
    assert large < 16 << 20


@pytest.mark.parametrize("name", ["\ud83d", "a\0\n\x1b[2Jb", "x" * 100_000])
@pytest.mark.parametrize("form", ['{"users":[{"id":1,%s:2}]}', "{%s:[]}", '{"d":{%s:{}}}'])
def test_names_that_no_terminal_shows(form: str, name: str) -> None:
    said = refusal(form % json.dumps(name))
    assert said.isprintable()
    assert len(said.encode()) < 3000


def test_metadata_that_is_too_deep() -> None:
    said = "".join(
        refusal('{"meta":{"a":' + "[" * depth + "]" * depth + "}}")
        for depth in range(200, 1100, 100)
    )
    assert "meta is nested too deeply" in said


def test_orders_of_keys_are_remembered_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_rows, "_SHAPES", 2)
    members: list[tuple[str, Any]] = [("id", Number("1")), ("name", "a"), ("data", None)]
    records = [
        Record(number, 1, tuple(members[number % 3 :] + members[: number % 3]))
        for number in range(9)
    ]
    shape = json_rows.Shape("users", Tables(SHOP).take("users")[1], records, pytest.fail)
    assert [shape.row(record) for record in records] == [b"1\ta\t\\N\n"] * 9
    assert len(shape._shapes) <= 2


def test_a_large_value_is_not_scanned_again_for_every_piece(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scans = 0
    decode = json_text._DECODER.raw_decode

    class Counting:
        def raw_decode(self, text: str, at: int) -> Any:
            nonlocal scans
            scans += 1
            return decode(text, at)

    monkeypatch.setattr(json_text, "_DECODER", Counting())
    (rows,) = read('{"users": [{"id": 1, "name": "' + "x" * 100_000 + '"}]}', size=100)
    assert rows.count == 1
    assert scans < 40
