"""An application's JSON backup: model → records.

::

    {"version": "1.0", "exportedAt": "…",                     (scalars: not looked at)
     "metadata": {"counts": {"businesses": 1}},
     "data": {                                       (or its members without such a frame)
       "businesses": [{"id": "b1", "settings": {"vat": 1.10}, …}, …],
       "businessCategories": […]}}

A backup of ours says more about itself (:mod:`.json_own`). Of any other, the target's schema
says what is what: :mod:`.models` which table and column, and
:mod:`.json_values` how a value is written. A key that a record lacks is no NULL, so that is
taken for one only where the two cannot differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from verifier.initial_load.catalog import Catalog
from verifier.initial_load.reading import json_rows
from verifier.initial_load.reading.events import Event, Rows
from verifier.initial_load.reading.json_own import METADATA, SEQUENCES, Own, stated
from verifier.initial_load.reading.json_rows import Record, Shape, holds_objects
from verifier.initial_load.reading.json_text import JsonText
from verifier.initial_load.reading.models import Tables, Unmapped
from verifier.initial_load.reading.opening import Readable
from verifier.initial_load.reading.prisma import Model

# Objects that tell about the backup and are not looked at, unless they hold records.
ABOUT = frozenset(
    ("metadata", "meta", "_meta", "info", "stats", "statistics", "counts", "recordCounts",
     "summary", "manifest")
)  # fmt: skip
_FIRST_SIZE = 1 << 22  # characters of JSON with the records that say which columns there are
_BLOCK = 1 << 18  # bytes of rows that are handed out together


def read_json(
    content: Readable, name: str, catalog: Catalog, models: tuple[Model, ...] = ()
) -> Iterator[Event]:
    """The rows of the JSON backup ``content``, in its order, for the target of ``catalog``.

    ``name`` is the file's in messages, ``models`` are a Prisma schema's. Memory depends on
    the largest record alone. Raises :class:`~verifier.errors.BackupRefused`.
    """
    yield from _Reader(JsonText(content, name), Tables(catalog, models)).events()


class _Reader:
    def __init__(self, text: JsonText, tables: Tables) -> None:
        self._text = text
        self._tables = tables
        self._models = 0
        self._frame = ""
        self._own: Own | None = None

    def events(self) -> Iterator[Event]:
        text = self._text
        if text.peek() != "{":
            text.refuse(
                "it is a list, without the names of models; a JSON backup is an object, "
                "model → list of records"
            )
        for name in text.members():
            if self._own is not None and name == SEQUENCES:
                yield from self._own.positions(text)
            elif text.peek() == "{" and name not in ABOUT:
                yield from self._framed(name)
            else:
                yield from self._member(name)
        text.end()
        if not self._models and self._own is None:
            text.refuse("it names no model with a list of records, so it is no backup")
        if self._own is not None:
            self._own.compare(text)

    def _framed(self, frame: str) -> Iterator[Event]:
        """The models in an object of the document, such as ``data``."""
        text = self._text
        if self._frame:
            text.refuse(
                f"{frame} is a second object beside {self._frame}; only one may hold the models"
            )
        self._frame = frame
        before = self._models
        for name in text.members():
            if text.peek() == "{" and name not in ABOUT:
                text.refuse(f"{frame}.{name} is an object, and no list of records; take it out")
            yield from self._member(name)
        if self._models == before and self._own is None:
            text.refuse(f"{frame} is an object that holds no list of records; take it out")

    def _member(self, name: str) -> Iterator[Event]:
        text = self._text
        if text.peek() == "[":
            self._models += 1
            yield from self._records(name)
            return
        value = text.value()
        if name == METADATA and not self._frame:
            self._own = stated(value, text)
        if isinstance(value, tuple):
            try:
                holds_records = _holds_records(value)
            except RecursionError:
                text.refuse(f"{name} is nested too deeply to be read; take it out")
            if holds_records:
                text.refuse(f"{name} holds a list of records, and is no model; take it out")
        elif self._tables.known(name) or (value is None and self._tables.likely(name)):
            text.refuse(f"{name} is a model, but no list of records")

    def _records(self, model: str) -> Iterator[Event]:
        text, own = self._text, self._own
        try:
            table, fields = self._tables.take(model, own.tables.get(model) if own else None)
        except Unmapped as error:
            text.refuse(str(error))
        name = (table.schema, table.name)
        start = text.place
        records = self._each(model)
        first: list[Record] = []
        for record in records:
            first.append(record)
            if len(first) == json_rows.FIRST or text.place - start > _FIRST_SIZE:
                break
        columns = own.columns.get(model, ()) if own else ()
        shape = Shape(model, fields, first, text.refuse_line, columns)
        block: list[bytes] = []
        size = begin = 0
        for record in chain(first, records):
            begin = begin or record.line
            row = shape.row(record)
            block.append(row)
            size += len(row)
            if size > _BLOCK:
                yield Rows(*name, shape.names, b"".join(block), len(block), begin)
                block, size, begin = [], 0, 0
        if block:
            yield Rows(*name, shape.names, b"".join(block), len(block), begin)

    def _each(self, model: str) -> Iterator[Record]:
        text = self._text
        for number in text.elements():
            if self._own is not None:
                self._own.found[model] = number
            line = text.line
            if text.peek() not in ("{", ""):
                text.refuse(f"record {number} of {model} is no object")
            yield Record(number, line, text.value())


def _holds_records(value: Any) -> bool:
    """Whether there is a list of objects anywhere in ``value``."""
    if isinstance(value, list):
        return holds_objects(value) or any(map(_holds_records, value))
    return isinstance(value, tuple) and any(_holds_records(one) for _, one in value)
