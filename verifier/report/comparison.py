"""A comparison of two databases for people: the tables, the rows, the rest, the verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from verifier.comparison import (
    Comparison,
    ObjectChange,
    RowChange,
    RowKind,
    State,
    TableComparison,
)
from verifier.contract import Row
from verifier.report.literal import first_difference, pairs, printable
from verifier.report.text import Line, Style, aligned, counted, field, listed, section

_FEW = 12
"""Equal tables up to which they are listed one by one."""
_OBJECTS = 50
"""Objects of one kind that are printed."""
_STYLES: Mapping[State, Style] = {
    State.EQUAL: "good",
    State.DIFFERENT: "bad",
    State.UNKNOWN: "doubt",
}
_WORDS = {State.EQUAL: "equal", State.DIFFERENT: "DIFFERENT", State.UNKNOWN: "UNKNOWN"}
_VERDICT = {State.EQUAL: "IDENTICAL", State.DIFFERENT: "DIFFERENT", State.UNKNOWN: "UNKNOWN"}


def lines(comparison: Comparison, width: int) -> Iterator[Line]:
    """The whole report, ``width`` columns wide; the last line is the verdict in one sentence."""
    for label, side in (("source", comparison.source), ("target", comparison.target)):
        version = f", PostgreSQL {side.version}" if side.version else ""
        yield [(f"{label}  ", "faint"), (printable(side.dsn + version), "")]
    yield []
    yield from _overview(comparison.tables)
    for table in comparison.tables:
        if table.differences:
            yield []
            yield from _rows(table, width)
    for kind, changes in _by_kind(comparison.objects).items():
        yield []
        yield from _objects(kind, changes, width)
    yield from _not_seen(comparison, width)
    yield from section("deliberate differences", map(str, comparison.selection.ignored), width)
    yield from section("notes", comparison.notes, width)
    yield []
    yield from field("compared", _compared(comparison), width, indent=0)
    yield []
    state = comparison.state
    yield [(f"{_VERDICT[state]}: ", _STYLES[state]), (sentence(comparison), "strong")]


def sentence(comparison: Comparison) -> str:
    """What the comparison came to, in one sentence."""
    tables, objects = comparison.tables, comparison.objects
    parts = []
    differing = [table for table in tables if table.differences]
    if differing:
        verb = "differs" if len(differing) == 1 else "differ"
        parts.append(
            f"{len(differing):,} of {counted(len(tables), 'table')} {verb} ({_totals(differing)})"
        )
    if objects:
        kinds = [_things(len(changes), kind) for kind, changes in _by_kind(objects).items()]
        shown = kinds if len(kinds) <= 4 else [*kinds[:3], f"{len(kinds) - 3} more kinds"]
        parts.append(f"besides rows: {printable(listed(shown))}")
    unseen = [
        *(f"the rows of {table.table}" for table in tables if table.unknown),
        *(each.what for each in comparison.unseen),
    ]
    if unseen:
        more = f" and {len(unseen) - 1:,} more" if len(unseen) > 1 else ""
        parts.append(f"could not compare {printable(unseen[0])}{more}")
    return "; ".join(parts) or _equal(comparison)


def advice(comparison: Comparison, sql_file: Path | None) -> str:
    """What to do about it; empty when there is nothing to be done."""
    mending = f"{sql_file} holds" if sql_file else "--sql FILE writes"
    return {
        State.EQUAL: "",
        State.DIFFERENT: f"see the differences above; {mending} what would mend them",
        State.UNKNOWN: "see the reasons above, mend them, and compare again",
    }[comparison.state]


def _equal(comparison: Comparison) -> str:
    tables = comparison.tables
    rows = sum(table.source_rows or 0 for table in tables)
    what = (
        f"{counted(len(tables), 'table')} with {counted(rows, 'row')}"
        if tables
        else "no table was compared, and all the rest"
    )
    left = len(comparison.selection.ignored)
    apart = f", apart from {counted(left, 'deliberate difference')}" if left else ""
    verb = "is" if len(tables) < 2 else "are"
    return f"{what} {verb} the same on both sides{apart}"


def _totals(tables: Sequence[TableComparison]) -> str:
    """``3 rows missing, 1 extra``."""
    totals = {kind: sum(_counts(table)[kind] for table in tables) for kind in RowKind}
    found = [(kind, number) for kind, number in totals.items() if number]
    first, *rest = found or [(RowKind.MISSING, 0)]
    return ", ".join(
        [f"{counted(first[1], 'row')} {first[0]}", *(f"{number:,} {kind}" for kind, number in rest)]
    )


def _counts(table: TableComparison) -> dict[RowKind, int]:
    return {
        RowKind.MISSING: table.missing,
        RowKind.EXTRA: table.extra,
        RowKind.CHANGED: table.changed,
    }


def _overview(tables: Sequence[TableComparison]) -> Iterator[Line]:
    """One line for each table that differs or is unknown; the names stand last, uncut."""
    equal = [table for table in tables if table.state is State.EQUAL]
    listed_too = len(equal) <= _FEW
    shown = [table for table in tables if listed_too or table.state is not State.EQUAL]
    if shown:
        head = ("source rows", "target rows", *RowKind)
        cells = [_cells(table) for table in shown]
        widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
        yield [(f"{aligned(head, widths)}  {'state':<9}  table", "strong")]
        for table, row in zip(shown, cells, strict=True):
            yield [
                (aligned(row, widths), ""),
                (f"  {_word_of(table):<9}", _STYLES[table.state]),
                (f"  {printable(table.table)}", ""),
            ]
    if not tables:
        yield [("no table was compared", "faint")]
    if not listed_too:
        rows = sum(table.source_rows or 0 for table in equal)
        more = "" if len(equal) == len(tables) else "more "
        yield [(f"{len(equal):,} {more}tables equal, {counted(rows, 'row')}", "good")]


def _word_of(table: TableComparison) -> str:
    if table.state is State.EQUAL and None in (table.source_rows, table.target_rows):
        return "no rows"  # of a table that one side lacks, which the structure tells
    return _WORDS[table.state]


def _cells(table: TableComparison) -> list[str]:
    rows = [
        "-" if number is None else f"{number:,}"
        for number in (table.source_rows, table.target_rows)
    ]
    told = table.differences or not table.unknown
    return rows + [
        "-" if not told else f"{number:,}" if number else "." for number in _counts(table).values()
    ]


def _rows(table: TableComparison, width: int) -> Iterator[Line]:
    """The differing rows of one table that are shown."""
    key = f"key {', '.join(map(printable, table.key))}" if table.key else "no key: by whole rows"
    yield [
        (printable(table.table), "strong"),
        (f": {_totals([table])} ", ""),
        (f"({key})", "faint"),
    ]
    for change in table.shown:
        yield from _row(change, width)
    shown = sum(change.count for change in table.shown)
    if None in (table.source_rows, table.target_rows):
        lacking = "source" if table.source_rows is None else "target"
        yield [(f"  the {lacking} has no such table or no content of it", "faint")]
    elif shown < table.differences:
        number = (
            f"{shown:,} of {table.differences:,}" if shown else f"none of {table.differences:,}"
        )
        yield [(f"  {number} shown; --limit shows more", "faint")]


def _row(change: RowChange, width: int) -> Iterator[Line]:
    whole = pairs(change.source or change.target or change.key)
    if change.count > 1:
        whole.append(f"({change.count:,} rows like this)")
    if change.source is None or change.target is None:
        yield from field(change.kind, whole, width, indent=2)
        return
    yield from field(change.kind, pairs(change.key), width, indent=2)
    yield from field("differs in", [printable(each) for each in change.columns], width)
    names = {column_of(each, change.source) for each in change.columns}
    cut: list[Row] = [
        {name: row[name] for name in row if name in names} for row in (change.source, change.target)
    ]
    starts = first_difference(cut)
    for label, row in zip(("source", "target"), cut, strict=True):
        yield from field(label, pairs(row, starts), width)


def column_of(path: str, row: Row) -> str:
    """The column that ``path`` leads into: ``settings`` of ``settings['theme']``."""
    if path in row:
        return path
    return max((name for name in row if path.startswith(name)), key=len, default=path)


def _by_kind(changes: Sequence[ObjectChange]) -> dict[str, list[ObjectChange]]:
    found: dict[str, list[ObjectChange]] = {}
    for change in changes:
        found.setdefault(change.kind, []).append(change)
    return found


def _objects(kind: str, changes: Sequence[ObjectChange], width: int) -> Iterator[Line]:
    yield [(printable(kind), "strong"), (f": {len(changes):,}", "")]
    for change in changes[:_OBJECTS]:
        yield from _object(change, width)
    if len(changes) > _OBJECTS:
        yield [(f"  and {len(changes) - _OBJECTS:,} more; --json FILE holds them all", "faint")]


def _object(change: ObjectChange, width: int) -> Iterator[Line]:
    yield from field(_word(change), [printable(change.name)], width, indent=2)
    sides = [("source", change.source), ("target", change.target)]
    rows = [dict(row) for _, row in sides if row is not None]
    starts = first_difference(rows) if len(rows) > 1 else {}
    for label, row in sides:
        if row:
            yield from field(label, pairs(row, starts), width)


def _word(change: ObjectChange) -> str:
    if change.kind == "constraint":
        return "violated"
    if change.source is None:
        return RowKind.EXTRA
    return RowKind.MISSING if change.target is None else RowKind.CHANGED


def _not_seen(comparison: Comparison, width: int) -> Iterator[Line]:
    """What could not be compared, each with its reason."""
    reasons = [(f"rows of {table.table}", table.unknown) for table in comparison.tables]
    reasons += [(each.what, each.reason) for each in comparison.unseen]
    found = [f"{what}: {reason}" for what, reason in reasons if reason]
    yield from section("could not be compared", found, width, style="doubt")


def _compared(comparison: Comparison) -> list[str]:
    rows = sum(table.source_rows or 0 for table in comparison.tables)
    found = [counted(len(comparison.tables), "table"), counted(rows, "row")]
    for kind, number in sorted(comparison.compared.items()):
        if kind != "table":
            found.append(_things(number, kind))
    return [*found[:-1], f"{found[-1]} in {comparison.seconds:,.1f} s"]


_NOUNS = {"unique": "unique key", "exclusion": "exclusion constraint", "check": "check constraint"}


def _things(number: int, kind: str) -> str:
    """``2 indexes``, ``1 policy``, ``3 unique keys``."""
    noun = printable(_NOUNS.get(kind, kind))
    plural = f"{noun}s"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        plural = f"{noun[:-1]}ies"
    elif noun.endswith("x"):
        plural = f"{noun}es"
    elif noun.endswith("s"):
        plural = noun
    return counted(number, noun, plural)
