"""A model's records → rows of one table with one list of columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, NoReturn

from verifier.initial_load.catalog import Column
from verifier.initial_load.reading import copytext
from verifier.initial_load.reading.json_values import JSON_TYPES, Unfit, converter
from verifier.initial_load.reading.models import Fields, Unmapped

FIRST = 1000  # records of a model whose keys together are its columns
_SHAPES = 1000  # orders of keys that are remembered

Refuse = Callable[[int, str], NoReturn]
"""Raises the error for a line of the file and what was found there."""


class Record(NamedTuple):
    number: int
    """Its place in the list, from 1."""
    line: int
    """Line of the file on which it starts."""
    members: tuple[tuple[str, Any], ...]


class Shape:
    """The columns of a model's rows, and how a record becomes one."""

    def __init__(
        self,
        model: str,
        fields: Fields,
        first: Sequence[Record],
        refuse: Refuse,
        stated: Sequence[str] = (),
    ) -> None:
        """``stated``: the fields that a backup of ours names; else the first records tell."""
        self._own = bool(stated)
        self._model = model
        self._fields = fields
        self._refuse = refuse
        self._looked = len(first)
        self._columns: dict[str, Column] = {}
        """By name, in the order in which the first records name them."""
        self._fields_of: dict[str, str] = {}
        """The field by column's name."""
        self._shapes: dict[tuple[str, ...], tuple[int | None, ...]] = {}
        self._known: dict[str, Column] = {}
        """By field, as far as fields were seen."""
        for record in first[:1]:
            for name in stated:
                self._add(record, name, None)
        for record in first:
            for name, value in record.members:
                self._add(record, name, value)
        self.names = tuple(self._columns)
        self._converters = tuple(
            converter(column, fields.labels(self._fields_of[name]), own=self._own)
            for name, column in self._columns.items()
        )

    def row(self, record: Record) -> bytes:
        """``record`` as a line for COPY."""
        members = record.members
        names = tuple([name for name, _ in members])
        places = self._shapes.get(names)
        if places is None:
            places = self._places(record)
            if len(self._shapes) == _SHAPES:
                self._shapes.clear()
            self._shapes[names] = places
        try:
            return copytext.line(
                [
                    None if place is None else convert(members[place][1])
                    for place, convert in zip(places, self._converters, strict=True)
                ]
            )
        except (Unfit, RecursionError):
            self._blame(record, places)

    def _add(self, record: Record, name: str, value: Any) -> None:
        if name not in self._known:
            column = self._column(record, name, value)
            self._columns[column.name] = column
            self._fields_of.setdefault(column.name, name)

    def _column(self, record: Record, name: str, value: Any) -> Column:
        column = self._known.get(name)
        if column is None:
            column = self._known[name] = self._found(record, name, value)
        return column

    def _found(self, record: Record, name: str, value: Any) -> Column:
        shown = f"the field {name}"
        if self._fields.is_relation(name):
            self._refused(
                record,
                f"{shown} holds records of another model (a relation); export without relations, "
                "each model's records in a list of their own",
            )
        try:
            return self._fields.column(name)
        except Unmapped as error:
            if isinstance(value, tuple) or (isinstance(value, list) and holds_objects(value)):
                self._refused(
                    record,
                    f"{shown} is no column but an object or a list of objects ({error}); if it "
                    "is a relation, export without relations, each model in a list of its own",
                )
            self._refused(record, f"{shown}: {error}; rename it or take it out")

    def _places(self, record: Record) -> tuple[int | None, ...]:
        """For each column, where in ``record`` its value is; ``None`` where that is NULL."""
        found: dict[str, int] = {}
        for place, (name, value) in enumerate(record.members):
            column = self._column(record, name, value).name
            if column in found:
                first = record.members[found[column]][0]
                what = "twice" if first == name else f"as {first} and as {name}"
                self._refused(record, f"the field {column} is there {what}")
            if column not in self._columns:
                self._refused(
                    record,
                    f"the field {name} is in none of the first {self._looked}; write it in the "
                    "first record, too, as null where it has no value",
                )
            found[column] = place
        for missing in self._columns.values():
            if missing.name not in found and not self._absent_is_null(missing):
                why = "is NOT NULL" if missing.not_null else "has a default"
                self._refused(
                    record,
                    f"it lacks the field {self._fields_of[missing.name]}, which others have; the "
                    f"column {why}, so write the value that it had",
                )
        return tuple(found.get(name) for name in self._columns)

    def _absent_is_null(self, column: Column) -> bool:
        if self._own and column.underlying in JSON_TYPES:
            return True
        return not column.not_null and column.default is None

    def _blame(self, record: Record, places: tuple[int | None, ...]) -> NoReturn:
        for place, convert in zip(places, self._converters, strict=True):
            if place is None:
                continue
            name, value = record.members[place]
            try:
                convert(value)
            except (Unfit, RecursionError) as error:
                found = error if isinstance(error, Unfit) else "a value nested too deeply"
                self._refused(record, f"the field {name} is {found}")
        raise AssertionError("a record that was refused can be written")

    def _refused(self, record: Record, found: str) -> NoReturn:
        self._refuse(record.line, f"record {record.number} of {self._model}: {found}")


def holds_objects(value: list[Any]) -> bool:
    """Whether an object is in the list ``value``."""
    return any(isinstance(one, tuple) for one in value)
