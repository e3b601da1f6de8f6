"""What a backup or a restore is asked to do, and what a backup says it did: plain data.

The commands read it from the command line, the built-in implementation acts on it.
Tables are named as their users write them: ``businesses``, ``public.businesses``,
``public."odd.name"``; :func:`parts` takes such a name apart. Every name is spelled as the
catalogue spells it: nothing is folded to lower case.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from verifier.contract import Claim

_PART = re.compile(r'"(?:[^"]|"")+"|[^."]+')
_PLAIN = re.compile(r"[^\W\d]\w*")


def parts(name: str) -> tuple[str, ...]:
    """The parts of a dotted name, without quotes: ``public."a.b"`` → ``public``, ``a.b``.

    Empty for what is no name: a dot or a quote too many.
    """
    return tuple(part for part, _ in pieces(name))


def pieces(name: str) -> tuple[tuple[str, bool], ...]:
    """Like :func:`parts`, each with whether it stood in quotes."""
    found = _PART.findall(name)
    if ".".join(found) != name:
        return ()
    return tuple(
        (part[1:-1].replace('""', '"'), True) if part.startswith('"') else (part, False)
        for part in found
    )


def quoted(name: str) -> str:
    """One name as :func:`parts` reads it back: in double quotes where it has to be."""
    return name if _PLAIN.fullmatch(name) else '"' + name.replace('"', '""') + '"'


class Format(StrEnum):
    """How the rows of a backup are written (``--format``)."""

    COPY = "copy"
    INSERTS = "inserts"
    JSON = "json"
    """An application's JSON backup."""


class Style(StrEnum):
    """How a converted backup writes its rows (``--style``)."""

    ROWS = "rows"
    """Every row an INSERT with its ON CONFLICT."""
    SET = "set"
    """COPY into temporary tables, and one merge a table."""


class Ids(StrEnum):
    """Whether numbers that a sequence made identify a row in both databases (``--ids``)."""

    SHARED = "shared"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Exclude:
    """Rows that a backup leaves out, with everything that refers to them."""

    table: str
    condition: str
    """A condition as SQL writes it, over the table's columns; the user's own, run on the source."""

    def __str__(self) -> str:
        return f"{self.table}: {self.condition}"


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference that no constraint declares (trap U13): its cells hold keys of ``parent``."""

    table: str
    column: str
    """Spelled as the catalogue spells it, without quotes."""
    parent: str
    path: tuple[str, ...] = ()
    """Keys into a json value; ``*`` is every element of an array. Empty: the cell itself,
    or every element where it is an array."""
    condition: tuple[str, str] | None = None
    """A column (without quotes) and the text of the value that it has in the rows for which
    the reference holds: one half of a polymorphic pair. ``None``: it holds for every row."""

    def __str__(self) -> str:
        keys = "".join("[*]" if key == "*" else f"[{_text(key)}]" for key in self.path)
        where = ""
        if self.condition is not None:
            column, value = self.condition
            where = f" WHERE {quoted(column)} = {_text(value)}"
        return f"{self.table}.{quoted(self.column)}{keys} -> {self.parent}{where}"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreOptions:
    """How a restore works; the defaults are all or nothing with shared ids."""

    control_tables: tuple[str, ...] = ()
    """Unquoted names, of any schema: left alone."""
    ids: Ids = Ids.SHARED
    strict_ids: bool = False
    """Reject a row that has a target row's sequence-made key and differs in every other key."""
    prefer: str = ""
    """A recency column: of duplicates the newest survives, and a newer target row stays."""
    quarantine: Path | None = None
    """Commit what can be restored, and keep every rejected row in this file."""
    dry_run: bool = False
    references: tuple[Reference, ...] = ()
    refresh: bool = False
    """Refresh the target's materialised views."""
    lock_timeout: float | None = None
    """Seconds to wait for a lock; ``None`` leaves it to the account's own settings."""
    models: Path | None = None
    """A Prisma schema that says which table a model is (``@@map``), for JSON backups."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupOptions:
    """What a backup holds, and how."""

    format: Format = Format.COPY
    exclude: tuple[Exclude, ...] = ()
    control_tables: tuple[str, ...] = ()
    lock_timeout: float | None = None
    """Seconds to wait for a table that another session has locked; ``None``: no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackedUp:
    """What a backup says it did."""

    path: Path
    rows: Mapping[str, int]
    """By table, as SQL writes the name."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Rows that a rule excluded, or a reference to such a row."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """One restore that was run, for those who report it."""

    file: str
    """The backup as the user named it; ``-`` is the standard input."""
    target: str
    """The connection string, without its password."""
    claim: Claim
    dry_run: bool = False
    quarantine: str | None = None
    """The file that holds the rejected rows, when one was written."""
    written: str | None = None
    """The file that took the rows instead of the target (``convert``, ``clean``)."""
    seconds: float = 0.0


class Progress(Protocol):
    """Where the work tells how far it is; rows and phases."""

    def expect(self, rows: int) -> None: ...

    def advance(self, rows: int) -> None: ...

    def doing(self, what: str) -> None: ...
