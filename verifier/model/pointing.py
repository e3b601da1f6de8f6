"""References that no constraint declares: a cell, or every element of an array, names a row."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from verifier.model.breach import NotModelled
from verifier.model.keys import identity
from verifier.model.schema import Row, Schema, Value
from verifier.model.state import column
from verifier.model.types import Kind, resolve
from verifier.model.values import cast_to_text
from verifier.model.world import SoftReference

Named = Callable[[str], str]
"""What the row that is called a text in the backup is called now; the text, if there is none."""
_ELEMENT = re.compile(r'"(?:[^"\\]|\\.)*"|[^{},"]+', re.DOTALL)
_PLAIN = re.compile(r'[^\s{},"\\]+')


def name_of(schema: Schema, soft: SoftReference, row: Row) -> str:
    """The text by which ``soft`` names ``row`` of its parent."""
    own = identity(schema.by_id[soft.parent])
    assert own is not None, "refused before (restore._unusable)"
    return _as_text(schema, soft.parent, own.columns[0], row) or ""


def moved(
    schema: Schema, soft: SoftReference, backup: Row, row: Row, named: Named
) -> Mapping[str, Value]:
    """The cell of ``backup`` that changes, by column; ``row`` is what became of it so far."""
    if soft.condition is not None:
        name, value = soft.condition
        if _as_text(schema, soft.table, name, row) != value:
            return {}
    table = schema.by_id[soft.table]
    kind = resolve(column(table, soft.column).type, schema).kind
    if kind in (Kind.JSON, Kind.JSONB):
        raise NotModelled("references inside of json")
    cell = _as_text(schema, soft.table, soft.column, backup)
    if cell is None:
        return {}
    new = _in_array(cell, named) if kind is Kind.ARRAY else named(cell)
    return {soft.column: new} if new != cell else {}


def _in_array(cell: str, named: Named) -> str:
    """An array's text with every element renamed."""

    def element(found: re.Match[str]) -> str:
        text = found[0]
        if text.upper() == "NULL":
            return text
        old = re.sub(r"\\(.)", r"\1", text[1:-1] if text[0] == '"' else text, flags=re.DOTALL)
        new = named(old)
        return text if new == old else _element(new)

    bounds, equals, items = cell.rpartition("=") if cell.startswith("[") else ("", "", cell)
    return bounds + equals + _ELEMENT.sub(element, items)


def _element(value: str) -> str:
    """``value`` as an array's text has it (arrays.c, array_out)."""
    if _PLAIN.fullmatch(value) and value.upper() != "NULL":
        return value
    return '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'


def _as_text(schema: Schema, table: str, name: str, row: Row) -> Value:
    """A column's value, cast to ``text``."""
    own = schema.by_id[table]
    return cast_to_text(column(own, name).type, schema, row[own.places[name]])
