"""The application's older JSON backup: model names, each with a list of its records.

::

    {"businesses": [{"id": "b1", "name": "HXI"}, …], "businessProducts": […], …}

or the same one level deeper, in ``data``, ``tables`` or ``models``, with texts and numbers
about the backup beside it. The document is read twice: at first only to learn which
models and fields there are, so that everything that has no place in the target is
named at once and every table has one list of columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

from verifier.errors import BackupRefused
from verifier.initial_load.catalog import Catalog, Column
from verifier.initial_load.reading import copytext
from verifier.initial_load.reading.events import Rows
from verifier.initial_load.reading.json_text import Document
from verifier.initial_load.reading.json_values import UnfitError, to_text
from verifier.initial_load.reading.models import Mapped, UnmappableError, map_models
from verifier.initial_load.reading.opening import Readable
from verifier.initial_load.reading.prisma import Model

_WRAPPERS = ("data", "tables", "models")
_ABOUT = ("metadata", "meta")
_BLOCK = 1 << 18  # bytes of rows that are handed out together
_MOST_FIELDS = 1600
_SHOWN = 10  # problems in one message


@dataclass(frozen=True, slots=True)
class Survey:
    """What a document holds, without its values."""

    fields: dict[str, dict[str, int]] = field(default_factory=dict)
    """Model → its fields, each with the first record that has it, from 1."""


def survey(file: Readable, name: str) -> Survey:
    """Go through the whole document ``file``.

    Raises :class:`~verifier.errors.BackupRefused` where it breaks off or is something else.
    """
    found = Survey()
    document = Document(file, name)
    for model in _models(document):
        if model in found.fields:
            document.refuse(f"the model {model!r} occurs twice")
        fields = found.fields[model] = dict[str, int]()
        known: set[tuple[str, ...]] = set()
        for number, record in _records(document, model):
            if (names := tuple(record)) not in known:
                if len(known) < 1000:
                    known.add(names)
                for each in names:
                    fields.setdefault(each, number)
                if len(fields) > _MOST_FIELDS:
                    document.refuse(f"{model} has more fields than a table can have columns")
    document.end()
    if not found.fields:
        document.refuse("no model with records was found: no backup of the application's")
    return found


def rows(
    file: Readable, name: str, surveyed: Survey, catalog: Catalog, models: Iterable[Model] = ()
) -> Iterator[Rows]:
    """The records of the document ``file``, which ``surveyed`` was made of, as rows of tables.

    Raises :class:`~verifier.errors.BackupRefused`.
    """
    mapped, problems = map_models(surveyed.fields, catalog, models)
    for model, place in mapped.items():
        for each in surveyed.fields[model]:
            try:
                place.column(each)
            except UnmappableError as error:
                problems.append(f"of {model!r}, {error}")
    if problems:
        more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise BackupRefused(
            f"{name} cannot be brought to the target's tables: "
            + "; ".join(problems[:_SHOWN])
            + more
        )
    document = Document(file, name)
    for model in _models(document):
        if model not in mapped:
            document.refuse(f"the model {model!r} was not there a moment ago: the file changes")
        yield from _Table(document, model, mapped[model], tuple(surveyed.fields[model])).rows()
    document.end()


def _models(document: Document) -> Iterator[str]:
    """The names of the models; the list of records has to be read in between."""
    if document.peek() != "{":
        document.refuse(
            'a list of records does not say of which model they are: write it as {"MODEL": [ … ]}'
        )
    for name in document.members():
        match document.peek():
            case "[":
                yield name
            case "{" if name in _WRAPPERS:
                for inner in document.members():
                    if document.peek() not in ("[", ""):  # which the list's reader says
                        document.refuse(f"{name}.{inner} is no list of records")
                    yield inner
            case "{" if name not in _ABOUT:
                document.refuse(
                    f"{name!r} is an object, and a model has a list of records; models may be "
                    f"inside {', '.join(_WRAPPERS)}, and {' or '.join(_ABOUT)} is left out"
                )
            case _:
                document.value()  # something about the backup itself


def _records(document: Document, model: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number in document.items():
        record = document.value()
        if not isinstance(record, dict):
            document.refuse(f"{model}, record {number}: no object with fields")
        yield number, record


class _Table:
    """The records of one model."""

    def __init__(
        self, document: Document, model: str, place: Mapped, fields: tuple[str, ...]
    ) -> None:
        self.document = document
        self.model = model
        self.place = place
        self.fields = [(name, place.column(name)) for name in fields]
        self.labels = place.model.labels if place.model is not None else {}

    def rows(self) -> Iterator[Rows]:
        lines: list[bytes] = []
        size, first = 0, 0
        records = _records(self.document, self.model)
        for number, record in records:
            first = first or self.document.line
            lines.append(self._line(number, record))
            size += len(lines[-1])
            if size > _BLOCK:
                yield self._block(lines, first)
                lines, size, first = [], 0, 0
        if lines:
            yield self._block(lines, first)

    def _block(self, lines: list[bytes], first: int) -> Rows:
        table = self.place.table
        columns = tuple(column.name for _, column in self.fields)
        return Rows(table.schema, table.name, columns, b"".join(lines), len(lines), first)

    def _line(self, number: int, record: dict[str, Any]) -> bytes:
        if not record:
            self.document.refuse(f"{self.model}, record {number} has no fields")
        values: list[bytes | None] = []
        given = 0
        for name, column in self.fields:
            if name in record:
                given += 1
                values.append(self._value(number, name, column, record[name]))
            elif column.not_null or column.default is not None or column.generated or column.always:
                self._refuse(
                    number,
                    name,
                    "is missing, which is not NULL for a column that has a default or takes no "
                    "NULL: make the backup again with every field of every record",
                )
            else:
                values.append(None)  # which is what a missing value becomes
        if given != len(record):
            self.document.refuse(f"{self.model}, record {number}: the file changes")
        return copytext.line(values)

    def _value(self, number: int, name: str, column: Column, value: Any) -> bytes | None:
        try:
            text = to_text(value, column, self.labels.get(name))
        except UnfitError as error:
            self._refuse(number, name, str(error))
        except RecursionError:
            self._refuse(number, name, "is nested too deeply")
        return None if text is None else text.encode("utf-8")

    def _refuse(self, number: int, name: str, found: str) -> NoReturn:
        self.document.refuse(f"{self.model}, record {number}, {name!r} {found}")
