"""A schema of the user's own, and the values that its tables can be filled with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from verifier.model.schema import Schema, Value


@dataclass(frozen=True, kw_only=True)
class Unmade:
    """A part of the user's schema that no world has, or none that says what it does."""

    table: str = ""
    """:attr:`~verifier.model.schema.Table.id`, or nothing where it belongs to no table."""
    what: str
    """Its name, or the first words of the statement that would have made it."""
    why: str

    def __str__(self) -> str:
        return ": ".join(filter(None, [self.table, self.what, self.why]))


@dataclass(frozen=True, kw_only=True)
class Group:
    """Columns of a table whose values depend on each other, and on no other column's."""

    columns: tuple[str, ...]
    choices: tuple[tuple[Value, ...], ...]
    """Values of the columns, in their order. At least one."""
    open: bool = False
    """It is one column that no rule looks at: any value of its type does."""


@dataclass(frozen=True, kw_only=True)
class Pool:
    """What rows of one table can be made of.

    A row that takes one choice of every group fits the table, as far as types, NOT NULL,
    domains, checks, generated columns and partitions are concerned. Keys and foreign keys
    are left to whoever makes the rows; columns of a foreign key have values in common with
    the columns that they refer to.
    """

    groups: tuple[Group, ...]
    """All stored columns of the table, each in one group."""


@dataclass(frozen=True, kw_only=True)
class Own:
    """A schema of the user's own."""

    place: str = ""
    """Where it is from, without a password."""
    schema: Schema
    pools: Mapping[str, Pool]
    """Table id → what its rows are made of. A table without pool stays empty on both sides."""
    unmade: tuple[Unmade, ...] = ()
