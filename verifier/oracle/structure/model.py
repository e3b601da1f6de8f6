"""The plain data of an inventory: one :class:`SchemaObject` for everything but rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Key = tuple[str, str]
"""Kind and name, which no two objects of a database share."""

GONE = "(gone meanwhile)"
"""Stands for a definition that the server could not give any more: the object was dropped
after the snapshot was taken. It equals nothing, not even itself."""

CLUSTER_WIDE = frozenset({"owner", "rights", "tablespace"})
"""Properties that name what belongs to the server, not to the database: roles and
tablespaces. Two databases on two servers may differ in them and still be the same; a
restore into a database must leave them alone all the same."""

KINDS = (
    "schema",
    "extension",
    "collation",
    "enum",
    "domain",
    "composite type",
    "range type",
    "base type",
    "function",
    "procedure",
    "aggregate",
    "operator",
    "operator family",
    "operator class",
    "cast",
    "conversion",
    "language",
    "transform",
    "access method",
    "text search parser",
    "text search template",
    "text search dictionary",
    "text search configuration",
    "foreign data wrapper",
    "foreign server",
    "sequence",
    "table",
    "column",
    "check",
    "primary key",
    "unique",
    "exclusion",
    "foreign key",
    "index",
    "statistics",
    "trigger",
    "rule",
    "policy",
    "view",
    "materialised view",
    "event trigger",
    "publication",
    "comment",
)
"""Every kind, what others are made of first."""

CONSTRAINTS = frozenset({"check", "primary key", "unique", "exclusion", "foreign key"})
TYPES = frozenset({"enum", "composite type", "range type", "base type"})
RELATIONS = frozenset({"table", "view", "materialised view"})


@dataclass(frozen=True, slots=True)
class SchemaObject:
    """One object of a database with everything that makes it what it is."""

    kind: str
    name: str
    """As SQL writes it, in full; ``name on schema.table`` where names are per table."""
    relation: str
    """The table, view or sequence that it belongs to; may be empty."""
    properties: Mapping[str, str | None] = field(default_factory=dict)
    """What is set or on; a property that is left out has no value."""
    create: str = ""
    """SQL that would create it, for reading; may be empty."""
    follows: tuple[Key, ...] = ()
    """The objects it comes and goes with: the same change there says it all."""

    @property
    def key(self) -> Key:
        return self.kind, self.name

    @property
    def torn(self) -> bool:
        """Whether part of it was dropped or changed while it was being read."""
        return any(GONE in (value or "") for value in self.properties.values())
