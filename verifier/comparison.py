"""The difference between two databases as plain data; what ``diff`` found, and could not.

Like :mod:`verifier.contract`, nothing here touches a database or imports more of the
project than rows. *Source* is what should be, *target* what is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from verifier.contract import Row


class State(StrEnum):
    """What a comparison came to; ``UNKNOWN`` is never taken for equal."""

    EQUAL = "equal"
    DIFFERENT = "different"
    UNKNOWN = "unknown"

    @staticmethod
    def over(states: Iterable[State]) -> State:
        """Different beats unknown beats equal; nothing at all is equal."""
        seen = set(states)
        return next((s for s in (State.DIFFERENT, State.UNKNOWN) if s in seen), State.EQUAL)


class Part(StrEnum):
    """What is compared (``--only``); all of it unless said otherwise."""

    DATA = "data"
    """Rows of tables and materialised views."""
    STRUCTURE = "structure"
    """Definitions and states, see :class:`ObjectChange`."""
    SEQUENCES = "sequences"
    """Where sequences stand."""
    LARGE_OBJECTS = "large-objects"
    RULES = "rules"
    """Whether the target's constraints hold, by query."""


@dataclass(frozen=True, slots=True)
class Ignore:
    """A deliberate difference: a relation or a column that is left out, and why."""

    what: str
    """``[SCHEMA.]RELATION[.COLUMN]``; ``*`` stands for any part of a name."""
    reason: str

    def __str__(self) -> str:
        return f"{self.what}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What of two databases is compared, and how much of the difference is shown."""

    parts: frozenset[Part] = frozenset(Part)
    schemas: tuple[str, ...] = ()
    """Names, ``*`` allowed; empty means all."""
    tables: tuple[str, ...] = ()
    """``[SCHEMA.]RELATION``, ``*`` allowed; empty means all."""
    columns: tuple[str, ...] = ()
    """``[TABLE.]COLUMN``, ``*`` allowed; empty means all. Keys are read all the same."""
    ignored: tuple[Ignore, ...] = ()
    limit: int = 100
    """Differing rows that are shown of one table; counts are always exact."""
    jobs: int = 1
    """Tables (or parts of one) that are read at once on each server."""


LONGEST = 16384
"""Characters of a value up to which it is shown, and looked into, whole."""
_CUT = re.compile(r"\.\.\. \(\d+ characters, md5 [0-9a-f]{32}\)\Z")


def is_cut(value: str | None) -> bool:
    """Whether ``value`` stands for one that was too long to be shown whole."""
    return value is not None and _CUT.search(value) is not None


LARGE_OBJECTS = "large objects"
"""What stands for a table's name where large objects are compared, by number and content."""


class RowKind(StrEnum):
    MISSING = "missing"
    """The target lacks a row of the source."""
    EXTRA = "extra"
    """The target has a row that the source has not."""
    CHANGED = "changed"
    """Both have the row, with other values."""


@dataclass(frozen=True, slots=True)
class RowChange:
    """One differing row; for a table without key, one row that is there too often."""

    kind: RowKind
    key: Row
    """What the row is found by; for a table without key, the whole row."""
    source: Row | None
    """By column; a long value is cut, and says so."""
    target: Row | None
    columns: tuple[str, ...] = ()
    """Of a changed row what differs, with the path inside a value: ``settings['theme']``."""
    count: int = 1
    """How many equal rows: more than one only in a table without key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableComparison:
    """The rows of one table (or materialised view) on both sides; counts are exact."""

    table: str
    source_rows: int | None = None
    """``None``: not there, or not counted."""
    target_rows: int | None = None
    missing: int = 0
    extra: int = 0
    changed: int = 0
    shown: tuple[RowChange, ...] = ()
    """Some of the differing rows, at most the limit."""
    key: tuple[str, ...] = ()
    """The columns that rows were told apart by; empty: by the whole row."""
    columns: tuple[tuple[str, str], ...] = ()
    """Name and type of the columns that were compared, by name."""
    generated: tuple[str, ...] = ()
    """Those of the columns that the target computes itself: nothing can be written to them."""
    rows: str = ""
    """How SQL reaches the rows of this table alone, ``ONLY public.t``; empty: by its name."""
    parents: tuple[str, ...] = ()
    """The tables that foreign keys of the target's table point to."""
    view: bool = False
    """A materialised view: it is refreshed, not written to."""
    unknown: str = ""
    """Why it could not be compared, and what to do; empty when it was."""

    @property
    def differences(self) -> int:
        return self.missing + self.extra + self.changed

    @property
    def state(self) -> State:
        if self.differences:
            return State.DIFFERENT
        return State.UNKNOWN if self.unknown else State.EQUAL


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """An object that only one side has, or that is not the same on both.

    Kinds: ``schema``, ``extension``, ``table``, ``column``, ``check``, ``primary key``,
    ``unique``, ``exclusion``, ``foreign key``, ``index``, ``trigger``, ``rule``, ``policy``,
    ``view``, ``materialised view``, ``function``, ``aggregate``, ``enum``, ``domain``,
    ``composite type``, ``range type``, ``sequence``, ``statistics``, … , and besides
    definitions ``sequence position``, ``large object`` and ``constraint`` (does not hold).
    """

    kind: str
    name: str
    """As SQL writes it: ``public."Shop".name`` for a column, ``fk on public.t`` for the
    objects of a table that have no name of their own outside of it."""
    source: Mapping[str, str | None] | None
    """Property → value, of a changed object only the properties that differ;
    ``None``: the source has no such object."""
    target: Mapping[str, str | None] | None
    relation: str = ""
    """The table, view or sequence that it belongs to, as SQL writes it; may be empty."""
    create: str = ""
    """SQL that would make the target's object like the source's, for reading; may be empty."""


@dataclass(frozen=True, slots=True)
class Unseen:
    """Something that could not be compared, apart from the rows of a table."""

    what: str
    """``sequence public.t_id_seq``, ``large objects``, ``structure of the source``."""
    reason: str
    """What was tried, what was found, what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two databases; holds no secret."""

    dsn: str
    """Without its password."""
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Everything that one ``diff`` found."""

    source: Side
    target: Side
    tables: tuple[TableComparison, ...] = ()
    objects: tuple[ObjectChange, ...] = ()
    """Differences besides rows, by kind and name."""
    compared: Mapping[str, int] = field(default_factory=dict)
    """Kind of object → how many were compared, over both sides."""
    unseen: tuple[Unseen, ...] = ()
    notes: tuple[str, ...] = ()
    """What a reader should know although it is no difference."""
    selection: Selection = field(default_factory=Selection)
    seconds: float = 0.0

    @property
    def state(self) -> State:
        states = [table.state for table in self.tables]
        states += [State.DIFFERENT] * bool(self.objects) + [State.UNKNOWN] * bool(self.unseen)
        return State.over(states)

    @property
    def exit_code(self) -> int:
        """``0`` identical, ``1`` different, ``2`` could not tell."""
        return {State.EQUAL: 0, State.DIFFERENT: 1, State.UNKNOWN: 2}[self.state]


class Sight(StrEnum):
    """What became of one mutation of the self-test."""

    SEEN = "seen"
    """The comparison names the place that was changed."""
    MISSED = "missed"
    UNCHANGED = "changes nothing"
    """The mutation itself is at fault: its witness reads the same before and after."""
    UNKNOWN = "could not look"
    SKIPPED = "skipped"
    """Not to be had on these servers' versions."""


@dataclass(frozen=True, slots=True)
class Mutated:
    """One small change to a correctly restored database, and whether it was seen."""

    area: str
    """``data``, ``structure`` or ``state``."""
    name: str
    """What was changed, in words: ``NULL to ''``."""
    sight: Sight
    words: str
    """What the comparison said of it, or why there is nothing to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTest:
    """What became of every mutation on one pair of servers."""

    source: str
    """Version of the source server."""
    target: str
    results: tuple[Mutated, ...]

    @property
    def seen(self) -> int:
        return sum(each.sight is Sight.SEEN for each in self.results)

    @property
    def tried(self) -> int:
        return sum(each.sight is not Sight.SKIPPED for each in self.results)

    @property
    def exit_code(self) -> int:
        """``0`` every mutation seen, ``1`` one was missed, ``2`` one could not be tried."""
        sights = {each.sight for each in self.results} - {Sight.SEEN, Sight.SKIPPED}
        if not self.tried:
            return 2
        return 1 if Sight.MISSED in sights else 2 if sights else 0
