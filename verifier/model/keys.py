"""What a key makes of a row, and by which key a row is known."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from functools import cached_property

from verifier.model.expressions import Ask, evaluate, holds, refuse, refused, type_of
from verifier.model.schema import Check, Expression, Identity, Key, Op, Row, Schema, Table
from verifier.model.types import domain_of
from verifier.model.values import comparable

KeyValue = tuple[Hashable, ...]
_NO_DOMAINS = Schema(tables=())
"""A column is not known to be NOT NULL by a domain that is."""


class Keys:
    """Reads the rows of one schema, each only once.

    Methods raise :class:`~verifier.model.breach.NotModelled` for what neither is modelled nor
    known to ``ask``.
    """

    def __init__(self, schema: Schema, ask: Ask = refuse) -> None:
        self.schema, self.ask = schema, ask
        self._values: dict[tuple[str, str, Row], KeyValue | None] = {}

    @cached_property
    def types(self) -> dict[tuple[str, str], str]:
        """Table id and column → its type."""
        return {
            (t.id, column.name): column.type for t in self.schema.tables for column in t.columns
        }

    def value(self, table: Table, key: Key, row: Row) -> KeyValue | None:
        """Equal for rows that collide on ``key``; ``None`` for a row that collides with none."""
        place = table.id, key.name, row
        if place not in self._values:
            self._values[place] = self._value(table, key, row)
        return self._values[place]

    def cells(self, table: Table, columns: Iterable[str], row: Row) -> KeyValue:
        """The values of ``columns``, equal where ``=`` says so; NULL is ``None``."""
        return tuple(
            comparable(self.types[table.id, name], self.schema, row[table.places[name]])
            for name in columns
        )

    def refuses(self, check: Check, table: Table, row: Row) -> bool:
        return refused(check.condition, table, row, self.ask, self.schema)

    def _value(self, table: Table, key: Key, row: Row) -> KeyValue | None:
        predicate = key.predicate
        if predicate is not None and not holds(predicate, table, row, self.ask, self.schema):
            return None
        found = tuple(self._part(table, part, row) for part in key.parts)
        return None if key.nulls_distinct and None in found else found

    def _part(self, table: Table, part: Expression, row: Row) -> Hashable:
        value = evaluate(part, table, row, self.ask, self.schema)
        if part.op is Op.COLUMN:
            return comparable(self.types[table.id, part.text], self.schema, value)
        return comparable(type_of(part, table, self.schema).name, self.schema, value)


def needed(table: Table, column: str, schema: Schema, lacks: frozenset[str] = frozenset()) -> bool:
    """Whether a column is NOT NULL: by itself, its sequence, its primary key or its domain.

    ``lacks``: as :attr:`~verifier.model.world.World.lacks` names what is not asked.
    """
    found = next(each for each in table.columns if each.name == column)
    domain, key = domain_of(found.type, schema), table.primary
    return (
        (found.not_null and f"{table.id}.{column}" not in lacks)
        or found.identity is not Identity.NONE
        or (domain is not None and domain.not_null)
        or (key is not None and key.name not in lacks and column in key.columns)
    )


def identity(table: Table) -> Key | None:
    """The key by which a row is itself: the primary key, else one that every row has.

    Without one, a table's rows are only to be counted. A NULL that only a domain refuses does not
    make one: PostgreSQL lets columns of such a domain be NULL in places.
    """
    whole = [key for key in table.keys if key.primary or identifies(table, key)]
    whole.sort(key=lambda key: (not key.primary, len(key.parts), key.name.encode()))
    return whole[0] if whole else None


def identifies(table: Table, key: Key) -> bool:
    """Whether every row has a value in ``key``, column by column."""
    return (
        bool(key.columns)
        and not key.predicate
        and all(needed(table, name, _NO_DOMAINS) for name in key.columns)
    )
