"""Which rows of the target stay as they are, where the newest row is asked for."""

from __future__ import annotations

from collections.abc import Iterable

from verifier.model.breach import NotModelled
from verifier.model.schema import Row, Schema, Table
from verifier.model.types import resolve
from verifier.model.values import ordered
from verifier.model.world import Options


def may_stay(
    schema: Schema, table: Table, options: Options, own: Row, others: Iterable[Row]
) -> bool:
    """Whether the target's row ``own`` is not older than the source's ``others``.

    It may be where the order of the column's values is not modelled.
    """
    place = table.places.get(options.prefer.removeprefix("newest:"))
    if place is None:
        return False
    type = resolve(table.stored[place].type, schema)
    age, ages = own[place], [row[place] for row in others]
    if age is None:
        return None in ages
    try:
        newest = max((ordered(type, value) for value in ages if value is not None), default=None)
        return newest is None or not ordered(type, age) < newest
    except NotModelled:
        return True
