"""A comparison of two databases as SQL: what would make the target like the source.

It is for reading. What cannot be written as a statement that is right (a long value that
was cut, a row beyond the limit, a large object) is a comment, never a statement that is
nearly right. No text of a database gets out of a comment or a literal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from verifier.comparison import (
    LARGE_OBJECTS,
    Comparison,
    ObjectChange,
    Part,
    RowChange,
    RowKind,
    TableComparison,
    is_cut,
)
from verifier.contract import Row
from verifier.report.comparison import sentence
from verifier.report.literal import pairs
from verifier.report.statements import SETTINGS, Writer, comment, is_harmful, literal, qualified

Hide = Callable[[str], str]
"""Takes every password out of a text."""

_BEFORE_ROWS = frozenset(
    (
        *("schema", "extension", "enum", "domain", "composite type", "range type", "function"),
        *("sequence", "table", "column"),
    )
)
"""Kinds of objects that rows may need; what is left is made when the rows are there."""

_KEYS = frozenset(("primary key", "unique", "index"))
_AT_ONCE = 100
"""Rows of one statement."""


def script(comparison: Comparison, hide: Hide) -> str:
    """The content of the file."""
    return "\n".join(_lines(comparison, hide)) + "\n"


def _lines(comparison: Comparison, hide: Hide) -> Iterator[str]:
    yield "-- For reading: what would make the target like the source. Nothing here was run."
    yield "-- Review every statement before you run it on the target; psql -v ON_ERROR_STOP=1"
    yield "-- stops at the first error. Triggers of the target fire; where a foreign key or a"
    yield "-- unique key refuses a statement, the statements need another order."
    for label, side in (("source", comparison.source), ("target", comparison.target)):
        yield comment(f"{label}: {side.dsn}, PostgreSQL {side.version or 'of unknown version'}")
    yield comment(f"{comparison.state}: {sentence(comparison)}")
    yield ""
    yield "BEGIN;"
    for name, value in SETTINGS.items():
        yield f"SET LOCAL {name} = '{value}';"
    yield "SET CONSTRAINTS ALL DEFERRED;"
    early = [each for each in comparison.objects if _is_early(each)]
    yield from _structure("before the rows", early, hide)
    for title, kind in (
        ("rows that only the target has", RowKind.EXTRA),
        ("rows that the target lacks", RowKind.MISSING),
        ("rows that are not the same", RowKind.CHANGED),
    ):
        yield from _section(title, _statements(comparison, kind, hide))
    yield from _structure(
        "after the rows", [each for each in comparison.objects if not _is_early(each)], hide
    )
    views = [each.table for each in comparison.tables if each.view and each.differences]
    yield from _section(
        "materialised views", [f"REFRESH MATERIALIZED VIEW {qualified(view)};" for view in views]
    )
    yield from _section("not here", map(comment, map(hide, _left_out(comparison))))
    yield ""
    yield "COMMIT;"


def _section(title: str, found: Iterable[str]) -> Iterator[str]:
    for place, line in enumerate(found):
        if not place:
            yield ""
            yield comment(title)
        yield line


def _is_early(change: ObjectChange) -> bool:
    return change.kind in _BEFORE_ROWS and change.source is not None


def _structure(title: str, changes: Iterable[ObjectChange], hide: Hide) -> Iterator[str]:
    found = [line for change in changes for line in _object(change, hide)]
    yield from _section(f"structure and state, {title}", found)


def _object(change: ObjectChange, hide: Hide) -> Iterator[str]:
    """What makes an object alike, or both sides of it where nobody wrote that down."""
    position = change.source or {}
    if change.kind == "sequence position" and "last_value" in position:
        value, called = position["last_value"], position.get("is_called") or "true"
        yield f"SELECT setval({literal(change.name)}, {value}, {called});"
        return
    yield comment(f"{change.kind} {change.name}")
    if change.create and hide(change.create) == change.create and not is_harmful(change.create):
        yield change.create.rstrip().removesuffix(";") + ";"
        return
    for label, row in (("source", change.source), ("target", change.target)):
        told = "has none" if row is None else _told(row, hide)
        yield comment(f"  {label}: {told or 'has it'}")


def _parents_first(tables: Iterable[TableComparison]) -> list[TableComparison]:
    """In the order of the foreign keys; where they form a circle, as good as it gets."""
    left = {table.table: table for table in sorted(tables, key=lambda table: table.table)}
    found: list[TableComparison] = []
    waiting: dict[str, TableComparison] = {}
    while left or waiting:
        if not waiting:
            name = next(iter(left))
            waiting[name] = left.pop(name)
        child = next(reversed(waiting.values()))
        parent = next((each for each in sorted(child.parents) if each in left), None)
        if parent is None:
            found.append(waiting.pop(child.table))
        else:
            waiting[parent] = left.pop(parent)
    return found


def _statements(comparison: Comparison, kind: RowKind, hide: Hide) -> Iterator[str]:
    tables = _parents_first(comparison.tables)
    for table in reversed(tables) if kind is RowKind.EXTRA else tables:
        changes = [change for change in table.shown if change.kind is kind]
        if table.table == LARGE_OBJECTS:
            yield from (
                comment(f"large object {kind}: {_told(each.key, hide)}") for each in changes
            )
        elif not table.view:
            writer = Writer(table, unique=_unique(comparison, table))
            yield from _rows(writer, kind, changes, hide)


def _rows(writer: Writer, kind: RowKind, changes: Iterable[RowChange], hide: Hide) -> Iterator[str]:
    good = []
    for change in changes:
        if any(_unwritable(value, hide) for value in writer.needed(change)):
            yield comment(
                f"{writer.table.table}: the {kind} row {_told(change.key, hide)} has a value that "
                "was cut, or that holds a password; write its statement by hand"
            )
        else:
            good.append(change)
    for start in range(0, len(good), _AT_ONCE):
        yield from writer.statements(kind, good[start : start + _AT_ONCE])


def _told(row: Row, hide: Hide) -> str:
    return ", ".join(pairs({name: value and hide(value) for name, value in row.items()}))


def _unwritable(value: str | None, hide: Hide) -> bool:
    return value is not None and (is_cut(value) or hide(value) != value)


def _unique(comparison: Comparison, table: TableComparison) -> bool:
    """Whether the key is known to name one row of the target: nothing is amiss with its keys."""
    if Part.STRUCTURE not in comparison.selection.parts:
        return False
    return not any(
        change.relation == table.table and change.kind in _KEYS for change in comparison.objects
    )


def _left_out(comparison: Comparison) -> Iterator[str]:
    limit = comparison.selection.limit
    for table in comparison.tables:
        more = table.differences - sum(change.count for change in table.shown)
        if None in (table.source_rows, table.target_rows) and more:
            yield f"{table.table}: {more:,} rows of a table that one side lacks"
        elif more > 0 and not table.view:
            yield f"{table.table}: {more:,} more rows differ; --limit is {limit}, raise it"
        if table.unknown:
            yield f"{table.table} could not be compared: {table.unknown}"
    for each in comparison.unseen:
        yield f"{each.what} could not be compared: {each.reason}"
    for ignored in comparison.selection.ignored:
        yield f"left out on purpose: {ignored}"
