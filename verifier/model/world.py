"""A world: a schema, what the source and the target hold, and how it is backed up and restored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from verifier.model.schema import Row, Schema


class BackupForm(StrEnum):
    """How the rows of the backup are written."""

    COPY = "copy"
    INSERTS = "inserts"
    JSON = "json"
    OWN = "own"
    """Whatever the implementation's own backup makes of a real source."""


@dataclass(frozen=True, kw_only=True)
class SoftReference:
    """A reference that no constraint declares: ``column`` holds keys of ``parent``."""

    table: str
    """:attr:`~verifier.model.schema.Table.id`."""
    column: str
    parent: str
    condition: tuple[str, str] | None = None
    """Only in rows whose column (first) has this value (second): one half of a polymorphic
    pair."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the restore is asked to do; the defaults are all or nothing with shared ids."""

    local_ids: bool = False
    strict_ids: bool = False
    prefer: str = ""
    """A recency column."""
    quarantine: bool = False
    references: tuple[SoftReference, ...] = ()


@dataclass(frozen=True, kw_only=True)
class World:
    schema: Schema
    """The target's."""
    source: Mapping[str, tuple[Row, ...]]
    """Table id → the rows of the source, in the order in which the backup has them."""
    present: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)
    """Table id → the rows of the target before the restore."""
    lacks: frozenset[str] = frozenset()
    """Names of constraints and unique indexes of the target that the source does not have:
    its rows may break them."""
    order: tuple[str, ...] = ()
    """Table ids in the order of the backup; those not named follow."""
    positions: Mapping[str, int] = field(default_factory=dict)
    """``table id.column`` → where the source's sequence stands: the number it gave last."""
    form: BackupForm = BackupForm.COPY
    options: Options = Options()

    @property
    def size(self) -> int:
        """Rows of both sides."""
        return sum(map(len, self.source.values())) + sum(map(len, self.present.values()))


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What a target holds after a restore, read without asking whoever restored."""

    rows: Mapping[str, tuple[Row, ...]]
    """Table id → rows, in no order. All tables of the schema."""
    generated: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)
    """Table id → the values of its generated columns, row by row as in ``rows``; only tables
    that have some."""
    sequences: Mapping[str, int] = field(default_factory=dict)
    """``table id.column`` → the number that its sequence would give next."""
    trouble: tuple[str, ...] = ()
    """What else is wrong with the target, a sentence each: a constraint that is gone or no
    longer enforced, a trigger that was left off."""
