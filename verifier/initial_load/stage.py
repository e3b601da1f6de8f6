"""A table of the backup in staging, and what is decided about its rows.

One temporary table for each table of the backup, its columns named as the target's,
plus the row's position in the backup (its ordinal, from 1). So the target's own
index and check expressions can be evaluated on either side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from verifier.initial_load.catalog import Column, ForeignKey, Table, UniqueKey
from verifier.initial_load.large_objects import LargeObjects
from verifier.initial_load.offset import told
from verifier.initial_load.reading.events import SetVal
from verifier.initial_load.session import array, literal, paste

_NONE = "pg_temp.restore_none"
"""Stands for every table that would be empty; made by :mod:`ledger`."""


@dataclass(slots=True)
class Staged:
    """One table of the backup, and what becomes of its rows as that is decided."""

    table: Table
    number: int
    given: tuple[Column, ...]
    """The columns that the backup has values for, in its order."""
    columns: tuple[Column, ...]
    """All columns of the staging table: the given, those with a default, the generated."""
    ordinal: str
    """Quoted name of the ordinal, which no column of the table has."""
    total: int = 0
    """Rows in the backup."""
    all_new: bool = False
    """Every staged row is inserted; there is no table :attr:`new` then."""
    grouped: bool = False
    """Whether rows merge or take over a key, so that :attr:`fate` says which."""
    inserts: int = 0
    updates: int = 0
    stays: int = 0
    """Rows of :attr:`kept`."""
    parking: dict[str, tuple[Column, str]] = field(default_factory=dict)
    """By unique key where rows that give their value of it away stand in between."""
    local: tuple[Column, ...] = ()
    """The columns of the identity whose numbers are made anew (:mod:`local_ids`)."""
    descending: bool = False
    """Whether they are made from the top down."""
    recency: str = ""
    """Quoted column by which the newest row wins, also against the target's; none if empty."""
    aging: bool = False
    """Whether merges may change that column, so that :meth:`keep_age` holds the backup's."""

    def unplan(self) -> None:
        """Forget what is to be written, which may be decided otherwise now."""
        self.inserts = self.updates = self.stays = 0
        self.all_new = False

    @property
    def rows(self) -> str:
        return f"pg_temp.stage_{self.number}"

    @property
    def fate(self) -> str:
        return f"pg_temp.fate_{self.number}"

    @property
    def new(self) -> str:
        """The rows that will be inserted, by their ordinal ``n``."""
        return f"pg_temp.new_{self.number}" if self.inserts else _NONE

    @property
    def change(self) -> str:
        """The rows whose target row will be updated: ``n``, ``t_oid``, ``t_ctid``."""
        return f"pg_temp.change_{self.number}" if self.updates else _NONE

    @property
    def kept(self) -> str:
        """The rows whose target row is newer by :attr:`recency`, and stays as it is."""
        return f"pg_temp.kept_{self.number}" if self.stays else _NONE

    @property
    def key(self) -> tuple[Column, ...]:
        """What identifies a row: the identity's columns, the whole row without one."""
        identity = self.table.identity
        if identity is None:
            return self.given
        return tuple(self.table.columns[name] for name in identity.plain)

    @property
    def identity(self) -> tuple[Column, ...]:
        return self.key if self.table.identity else ()

    @property
    def keys(self) -> tuple[UniqueKey, ...]:
        """The unique keys that can be evaluated on staged rows, the identity first.

        Then those that share a column with it: who takes over the identity of a target row
        collides by them with whoever did so before.
        """
        names = {column.name for column in self.columns}
        identity = self.table.identity
        if identity is None:
            return tuple(key for key in self.table.keys if key.columns <= names)
        others = [key for key in self.table.keys if key is not identity and key.columns <= names]
        others.sort(key=lambda key: key.columns.isdisjoint(identity.columns))
        return (identity, *others)

    def age(self, alias: str) -> str:
        """SQL for the :attr:`recency` of a row, as the backup has it."""
        if not self.aging:
            return f"{alias}.{self.recency}"
        return paste(
            "(SELECT a.age FROM {ages} a WHERE a.n = {row}.{n})",
            ages=self._ages,
            row=alias,
            n=self.ordinal,
        )

    def keep_age(self) -> str:
        """SQL that keeps the rows' :attr:`recency` from what merges make of it."""
        return paste(
            "CREATE TEMP TABLE {name} (n, age) ON COMMIT DROP AS SELECT {n}, {recency} FROM {rows};"
            " CREATE UNIQUE INDEX ON {ages} (n)",
            name=self._ages.removeprefix("pg_temp."),
            ages=self._ages,
            n=self.ordinal,
            recency=self.recency,
            rows=self.rows,
        )

    @property
    def _ages(self) -> str:
        return f"pg_temp.restore_age_{self.number}"

    def key_json(self, alias: str) -> str:
        """SQL for the row's key as ``json``, column name → text."""
        return json_of({column: told(column, f"{alias}.{column.quoted}") for column in self.key})

    def row_json(self, alias: str) -> str:
        """SQL for what the backup has of the row as ``json``, column name → text."""
        return json_of({column: told(column, f"{alias}.{column.quoted}") for column in self.given})


def family(tables: Sequence[Staged], parent: int) -> list[Staged]:
    """The staged tables whose rows a foreign key to ``parent`` may point to."""
    return [s for s in tables if parent in (s.table.oid, s.table.root)]


def among(rows: str, key: ForeignKey) -> str:
    """Those of the staged ``rows`` that ``key`` may refer to, for a FROM clause with an alias."""
    if key.bounds is None:
        return rows
    return paste("(SELECT * FROM {rows} WHERE {bounds})", rows=rows, bounds=key.bounds)


def has_columns(child: Staged, key: ForeignKey) -> bool:
    """Whether the backup has, or the target makes, all that ``child`` refers by."""
    return set(key.columns) <= {column.name for column in child.columns}


def json_of(values: Mapping[Column, str]) -> str:
    """SQL for ``json``, column name → text; ``values`` are SQL for the texts."""
    names = array([literal(column.name) for column in values])
    return f"json_object({names}, {array(list(values.values()))})"


@dataclass(slots=True)
class Content:
    """What a backup holds, after staging."""

    objects: LargeObjects
    tables: list[Staged] = field(default_factory=list)
    sequences: dict[str, SetVal] = field(default_factory=dict)
    ignored: dict[str, int] = field(default_factory=dict)
    """Rows of control tables, which are left alone."""
    problems: list[str] = field(default_factory=list)
    """Why the backup does not fit the target; nothing may be written."""
