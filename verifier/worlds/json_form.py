"""A world's source as a JSON backup of ours, by what ``docs/restore.md`` says of that form.

Nothing is shared with the code that writes or reads those backups.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping

from verifier.errors import Unfit
from verifier.model.schema import Row, Schema, Table, Value
from verifier.model.types import Kind, Type, resolve
from verifier.model.world import World

_MADE = "2025-12-08T10:00:00.000Z"
_SAFE = 2**53 - 1
"""``Number.MAX_SAFE_INTEGER``"""
_DOCUMENTS = (Kind.JSON, Kind.JSONB)
_MOMENT = re.compile(
    r"(?P<year>\d{4,6})(?P<day>-\d\d-\d\d)"
    r"( (?P<time>\d\d:\d\d:\d\d)(\.(?P<fraction>\d+))?(\+00)?)?(?P<before> BC)?"
)
_TIME = re.compile(r"(?!24)(?P<time>\d\d:\d\d:\d\d)(\.(?P<fraction>\d+))?")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_MARK = re.compile(r'[{},]|"(?:[^"\\]|\\.)*"|[^{},"]+', re.DOTALL)

_quoted: Callable[[str], str] = json.JSONEncoder(ensure_ascii=False).encode


def dump(world: World, tables: list[Table], positions: Mapping[str, int]) -> str:
    """The text of the file, with ``tables`` in their order.

    ``positions``: where sequences stand, by their names as SQL writes them. Raises
    :class:`Unfit` for a value that the form cannot carry.
    """
    models = {_model(table, world.schema): table for table in tables}
    about = {
        "format": "restore-verifier backup",
        "formatVersion": 1,
        "counts": {model: len(world.source.get(table.id, ())) for model, table in models.items()},
        "tables": {model: _described(table) for model, table in models.items()},
    }
    head = {
        "version": "1.0",
        "exportedAt": _MADE,
        "metadata": about,
        "sequences": {
            sequence: {"lastValue": position, "isCalled": True}
            for sequence, position in positions.items()
        },
    }
    members = [f"{_quoted(key)}:{_quoted_any(value)}" for key, value in head.items()]
    lists = [
        f"{_quoted(model)}:[" + ",".join(_records(table, world)) + "]"
        for model, table in models.items()
    ]
    return "{" + ",\n".join([*members, '"data":{\n' + ",\n".join(lists) + "\n}}\n"])


def _quoted_any(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _model(table: Table, schema: Schema) -> str:
    same = [each for each in schema.tables if each.name == table.name]
    return table.name if len(same) == 1 else table.id


def _described(table: Table) -> dict[str, object]:
    columns = [column.name for column in table.stored]
    return {"schema": table.schema, "name": table.name, "columns": columns}


def _records(table: Table, world: World) -> Iterator[str]:
    types = [resolve(column.type, world.schema) for column in table.stored]
    for row in world.source.get(table.id, ()):
        yield "\n{" + ",".join(_members(table, types, row)) + "}"


def _members(table: Table, types: list[Type], row: Row) -> Iterator[str]:
    for column, kind, value in zip(table.stored, types, row, strict=True):
        # Of a document, null is json's own, and NULL is a field that is not there.
        if value is not None or kind.kind not in _DOCUMENTS:
            try:
                yield f"{_quoted(column.name)}:{_cell(kind, value)}"
            except Unfit as error:
                raise Unfit(f"{table.id}.{column.name}: {error}") from None


def _cell(type: Type, value: Value) -> str:
    if value is None:
        return "null"
    return _BY_KIND.get(type.kind, _text)(type, value)


def _text(type: Type, value: str) -> str:
    if type.name == "bytea":
        octets = ",".join(map(str, bytes.fromhex(value.removeprefix("\\x"))))
        return f'{{"type":"Buffer","data":[{octets}]}}'
    return _quoted(value)


def _integer(type: Type, value: str) -> str:
    return value if type.name != "oid" and abs(int(value)) <= _SAFE else _quoted(value)


def _float(type: Type, value: str) -> str:
    return value if value[-1].isdigit() else _quoted(value)


def _boolean(type: Type, value: str) -> str:
    return "true" if value in ("t", "true") else "false"


def _moment(type: Type, value: str) -> str:
    found = _MOMENT.fullmatch(value)
    if found is None:  # infinity, or a year of seven digits
        return _quoted(value)
    year = found["year"]
    if found["before"] or len(year) > 4:
        year = f"{1 - int(year) if found['before'] else int(year):+07}"
    time = found["time"] or "00:00:00"
    return f'"{year}{found["day"]}T{time}.{(found["fraction"] or "").ljust(3, "0")}Z"'


def _time(type: Type, value: str) -> str:
    found = _TIME.fullmatch(value)
    if found is None:
        return _quoted(value)
    return f'"1970-01-01T{found["time"]}.{(found["fraction"] or "").ljust(3, "0")}Z"'


def _json(type: Type, value: str) -> str:
    """A document. ``json`` keeps its text, of which its value alone would come back."""
    compact = "".join(_STRING.sub("", value).split()) == _STRING.sub("", value)
    if type.kind is Kind.JSON and not (
        compact and all(_quoted(json.loads(each)) == each for each in _STRING.findall(value))
    ):
        raise Unfit(
            "text of type json with blanks or escapes of its own is nothing that a JSON backup "
            "can carry; choose another form"
        )
    return value


def _array(type: Type, value: str) -> str:
    """A list, or the array's own text where no list says the same."""
    assert type.of is not None
    own = value.startswith("[") or type.of.name == "box"
    if type.of.kind in _DOCUMENTS:
        # A list within the list, or null, would be taken for a document.
        own = own or value.startswith("{{") or re.search(r"\bnull\b", value) is not None
    return _quoted(value) if own else "".join(_marks(type.of, value))


def _marks(element: Type, value: str) -> Iterator[str]:
    """See the manual, 8.15.6 "Array Input and Output Syntax"."""
    braces = {"{": "[", "}": "]", ",": ","}
    for mark in _MARK.findall(value):
        if mark in braces:
            yield braces[mark]
        elif mark.startswith('"'):
            yield _cell(element, re.sub(r"\\(.)", r"\1", mark[1:-1], flags=re.DOTALL))
        else:
            yield _cell(element, None if mark == "NULL" else mark)


_BY_KIND: Mapping[Kind, Callable[[Type, str], str]] = {
    Kind.INTEGER: _integer,
    Kind.FLOAT4: _float,
    Kind.FLOAT8: _float,
    Kind.BOOLEAN: _boolean,
    Kind.DATE: _moment,
    Kind.TIME: _time,
    Kind.JSON: _json,
    Kind.JSONB: _json,
    Kind.ARRAY: _array,
}
