"""A schema as plain data: tables, columns, keys, foreign keys and checks.

Values are PostgreSQL's own text under pinned settings, ``None`` is NULL. Names are as
the catalogue spells them, without quotes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

Value = str | None
Row = tuple[Value, ...]
"""The values of a table's stored columns (:attr:`Table.stored`), in their order."""


class Op(StrEnum):
    """What an :class:`Expression` does with its arguments."""

    COLUMN = "column"
    """The value of the column that ``text`` names; in a domain's check the value itself."""
    LITERAL = "literal"
    """``text``, of the other side's type."""
    LOWER = "lower"
    LENGTH = "length"
    """Number of characters."""
    IS_NULL = "is null"
    NOT = "not"
    AND = "and"
    OR = "or"
    EQUAL = "="
    LESS = "<"
    AT_MOST = "<="
    PLUS = "+"
    JOIN = "||"
    COALESCE = "coalesce"
    OPAQUE = "opaque"
    """SQL (``text``) that only a server can evaluate; ``columns`` are those it reads."""


@dataclass(frozen=True, kw_only=True)
class Expression:
    """What a key, a predicate, a check or a generated column makes of a row."""

    op: Op
    text: str = ""
    arguments: tuple[Expression, ...] = ()
    columns: tuple[str, ...] = ()
    """Only of an ``OPAQUE`` one; see :attr:`reads`."""
    type: str = ""
    """What it yields, as SQL spells it; of a column or literal it may be left out."""

    @property
    def reads(self) -> frozenset[str]:
        """The columns that it looks at."""
        own = frozenset([self.text]) if self.op is Op.COLUMN else frozenset(self.columns)
        return own.union(*(each.reads for each in self.arguments))


def column(name: str) -> Expression:
    """The column ``name`` as an expression."""
    return Expression(op=Op.COLUMN, text=name)


def literal(value: str) -> Expression:
    """A constant."""
    return Expression(op=Op.LITERAL, text=value)


class Identity(StrEnum):
    """Where a column's numbers come from."""

    NONE = ""
    SERIAL = "serial"
    BY_DEFAULT = "by default"
    ALWAYS = "always"


@dataclass(frozen=True, kw_only=True)
class Column:
    name: str
    type: str
    """As SQL spells it: ``numeric(10,2)``, ``text[]``, or the name of an enum or a domain."""
    not_null: bool = False
    default: str | None = None
    """SQL."""
    identity: Identity = Identity.NONE
    generated: Expression | None = None
    """It is computed and not stored in a backup."""


@dataclass(frozen=True, kw_only=True)
class Key:
    """A unique key: a primary key, a unique constraint or a unique index."""

    name: str
    parts: tuple[Expression, ...]
    primary: bool = False
    constraint: bool = True
    """A constraint, and not an index alone (as expressions and predicates need)."""
    predicate: Expression | None = None
    """A partial key: only rows for which it is true are held to it."""
    nulls_distinct: bool = True
    deferrable: bool = False

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Its columns, or none where a part is another expression."""
        plain = all(part.op is Op.COLUMN for part in self.parts)
        return tuple(part.text for part in self.parts) if plain else ()

    @cached_property
    def reads(self) -> frozenset[str]:
        """The columns that it looks at."""
        parts = (*self.parts, *([self.predicate] if self.predicate else []))
        return frozenset[str]().union(*(part.reads for part in parts))


class Action(StrEnum):
    """ON DELETE and ON UPDATE."""

    NO_ACTION = "no action"
    RESTRICT = "restrict"
    CASCADE = "cascade"
    SET_NULL = "set null"
    SET_DEFAULT = "set default"


@dataclass(frozen=True, kw_only=True)
class ForeignKey:
    """``columns`` of the table that has it refer to ``references`` of ``parent``."""

    name: str
    columns: tuple[str, ...]
    parent: str
    """:attr:`Table.id` of the table that it refers to."""
    references: tuple[str, ...]
    on_delete: Action = Action.NO_ACTION
    on_update: Action = Action.NO_ACTION
    deferrable: bool = False
    full: bool = False
    """MATCH FULL: all columns NULL, or none."""


@dataclass(frozen=True, kw_only=True)
class Check:
    name: str
    condition: Expression
    """A row fits unless it is false."""


class PartitionBy(StrEnum):
    LIST = "list"
    RANGE = "range"
    HASH = "hash"


@dataclass(frozen=True, kw_only=True)
class Partition:
    """One part of a partitioned table."""

    name: str
    values: tuple[str, ...] = ()
    """LIST: its values; RANGE: from (inclusive) and to; HASH: modulus and remainder.
    Nothing: the default partition."""


@dataclass(frozen=True, kw_only=True)
class Partitioning:
    by: PartitionBy
    column: str
    parts: tuple[Partition, ...]


class Trigger(StrEnum):
    """What a trigger of ours does when its table is written by an ordinary session."""

    TOUCH = "touch"
    """BEFORE UPDATE: set the first timestamp column to now."""
    AUDIT = "audit"
    """AFTER INSERT OR UPDATE: add a row to a table of its own, ``audit``."""
    SHOUT = "shout"
    """BEFORE INSERT OR UPDATE: write the first text column in capitals."""


@dataclass(frozen=True, kw_only=True)
class Table:
    name: str
    columns: tuple[Column, ...]
    keys: tuple[Key, ...] = ()
    """The primary key first, if there is one."""
    foreign_keys: tuple[ForeignKey, ...] = ()
    checks: tuple[Check, ...] = ()
    partitioning: Partitioning | None = None
    triggers: tuple[Trigger, ...] = ()
    schema: str = "public"

    @property
    def id(self) -> str:
        """Its name among the tables of a world: ``schema.name``, without quotes."""
        return f"{self.schema}.{self.name}"

    @cached_property
    def stored(self) -> tuple[Column, ...]:
        """The columns that a row has a value of: all but the generated ones."""
        return tuple(each for each in self.columns if each.generated is None)

    @cached_property
    def places(self) -> dict[str, int]:
        """Stored column → its place in a :data:`Row`."""
        return {each.name: place for place, each in enumerate(self.stored)}

    @property
    def primary(self) -> Key | None:
        return next((key for key in self.keys if key.primary), None)


@dataclass(frozen=True, kw_only=True)
class Enum:
    name: str
    labels: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Domain:
    name: str
    base: str
    not_null: bool = False
    checks: tuple[Check, ...] = ()
    """Over ``column("value")``."""


@dataclass(frozen=True, kw_only=True)
class Schema:
    tables: tuple[Table, ...]
    enums: tuple[Enum, ...] = ()
    domains: tuple[Domain, ...] = ()
    script: str = ""
    """The SQL that makes it, where it is somebody's own and holds more than is said here;
    else it is written from what is said here."""

    @cached_property
    def by_id(self) -> dict[str, Table]:
        return {table.id: table for table in self.tables}
