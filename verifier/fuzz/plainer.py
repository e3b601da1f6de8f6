"""Plainer values for a failing world: NULL, one and the same, or 1, 2, 3 and a, b, c.

Columns that foreign keys tie together change together, on both sides, and what differed
before still does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import replace

from verifier.fuzz import edits
from verifier.fuzz.wholeness import whole
from verifier.model.breach import NotModelled
from verifier.model.schema import Column, Identity, Row, Schema, Table, Value
from verifier.model.types import Kind, Type, resolve
from verifier.model.values import comparable, ordered
from verifier.model.world import World

Place = tuple[str, str]
"""A table's id, and a column of it."""
_SCALE = re.compile(r"\(\s*\d+\s*,\s*(\d+)\s*\)")
_LENGTH = re.compile(r"\(\s*(\d+)\s*\)")


def groups(world: World) -> list[frozenset[Place]]:
    """The stored columns; those that foreign keys tie together in one group."""
    group: dict[Place, frozenset[Place]] = {}
    for table in world.schema.tables:
        for column in table.stored:
            group[table.id, column.name] = frozenset([(table.id, column.name)])
    for table in world.schema.tables:
        for key in table.foreign_keys:
            for own, theirs in zip(key.columns, key.references, strict=True):
                one, other = (table.id, own), (key.parent, theirs)
                if one in group and other in group:  # a generated column is not stored
                    joined = group[one] | group[other]
                    group.update(dict.fromkeys(joined, joined))
    return list(dict.fromkeys(group.values()))


def variants(world: World, group: frozenset[Place]) -> Iterator[World]:
    """The world with plainer values in the columns of ``group``, the plainest first."""
    tables = world.schema.by_id
    if any(name not in tables or column not in tables[name].places for name, column in group):
        return
    yield _with(world, group, lambda value: None)
    types = {_column(tables[name], column).type for name, column in group}
    yield from _retyped(world, group, types)
    alphabet = _common_alphabet(types, world.schema)
    if alphabet is None:
        return
    if len(group) == 1:
        only = alphabet(1)
        yield _with(world, group, lambda value: value if value is None else only)
    yield from _renamed(world, group, alphabet)


def _with(world: World, group: frozenset[Place], change: Callable[[Value], Value]) -> World:
    for name in {table for table, _ in group}:
        table = world.schema.by_id[name]
        at = {table.places[column] for owner, column in group if owner == name}

        def changed(row: Row, at: set[int] = at) -> Row:
            return tuple(change(value) if n in at else value for n, value in enumerate(row))

        world = edits.mapped(world, name, changed)
    return whole(world)


def _retyped(world: World, group: frozenset[Place], types: set[str]) -> Iterator[World]:
    """The columns as plain integers."""
    schema = world.schema
    if schema.script or all(resolve(each, schema).kind is Kind.INTEGER for each in types):
        return
    tables = []
    for table in schema.tables:
        columns = tuple(
            replace(each, type="integer", default=None, identity=Identity.NONE)
            if (table.id, each.name) in group
            else each
            for each in table.columns
        )
        split = table.partitioning
        if split is not None and (table.id, split.column) in group:
            return
        tables.append(replace(table, columns=columns))
    names = _names(world, group, str)
    if names is None:
        return
    world = replace(world, schema=replace(schema, tables=tuple(tables)))
    yield _with(world, group, lambda value: value if value is None else names[value])


def _renamed(
    world: World, group: frozenset[Place], alphabet: Callable[[int], str]
) -> Iterator[World]:
    names = _names(world, group, alphabet)
    if names is not None:
        yield _with(world, group, lambda value: value if value is None else names[value])


def _names(
    world: World, group: frozenset[Place], alphabet: Callable[[int], str]
) -> Mapping[str, str] | None:
    """A name for each value, the same for equal ones and in the same order."""
    schema = world.schema
    places: dict[Hashable, list[str]] = {}
    types: dict[Hashable, Type] = {}
    for name, column in sorted(group):
        table = schema.by_id[name]
        type = _column(table, column).type
        for rows in (world.source, world.present):
            for row in rows.get(name, ()):
                value = row[table.places[column]]
                if value is None:
                    continue
                try:
                    same = comparable(type, schema, value)
                except NotModelled:
                    same = value
                places.setdefault(same, []).append(value)
                types[same] = resolve(type, schema)

    def rank(same: Hashable) -> tuple[object, ...]:
        try:
            return (0, ordered(types[same], places[same][0]))
        except NotModelled:
            return (1, places[same][0])

    try:
        ranked = sorted(places, key=rank)
    except TypeError:
        return None
    return {value: alphabet(n) for n, same in enumerate(ranked, 1) for value in places[same]}


def _column(table: Table, name: str) -> Column:
    return next(each for each in table.columns if each.name == name)


def _common_alphabet(types: set[str], schema: Schema) -> Callable[[int], str] | None:
    """One way to write values that does for all of ``types``."""
    if len(types) == 1:
        return _alphabet(min(types), schema)
    kinds = {resolve(each, schema).kind for each in types}
    whole = {Kind.INTEGER, Kind.NUMERIC, Kind.FLOAT4, Kind.FLOAT8}
    if kinds <= whole and not any(_SCALE.search(each) for each in types):
        return str
    return _letters if kinds == {Kind.TEXT} else None


def _alphabet(type: str, schema: Schema) -> Callable[[int], str] | None:
    found = resolve(type, schema)
    if found.kind in (Kind.INTEGER, Kind.FLOAT4, Kind.FLOAT8):
        return str
    if found.kind is Kind.NUMERIC:
        scale = _SCALE.search(type)
        digits = int(scale[1]) if scale else 0
        return (lambda n: f"{n}.{'0' * digits}") if digits else str
    if found.kind is Kind.TEXT:
        return _letters
    if found.kind is Kind.CHAR:
        length = _LENGTH.search(type)
        return lambda n: _letters(n).ljust(int(length[1]) if length else 1)
    return _DATES.get(found.name)


def _letters(n: int) -> str:
    """a, b, … z, aa, ab, …"""
    text = ""
    while n:
        n, rest = divmod(n - 1, 26)
        text = chr(ord("a") + rest) + text
    return text


def _uuid(n: int) -> str:
    return f"00000000-0000-0000-0000-{n:012d}"


_DATES: Mapping[str, Callable[[int], str]] = {
    "uuid": _uuid,
    "date": lambda n: f"{2000 + n}-01-01",
    "timestamp": lambda n: f"{2000 + n}-01-01 00:00:00",
    "timestamptz": lambda n: f"{2000 + n}-01-01 00:00:00+00",
}
