"""Whether a comparison names the place of a mutation, and what it says there."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile

from verifier.comparison import Comparison, ObjectChange, Sight, State, TableComparison
from verifier.selftest.mutation import LARGE_OBJECT, ROWS

_VALUE = 40
"""Characters of a value that are quoted."""
_BEFORE = 12
"""Characters quoted before the first difference of long values."""


def judge(comparison: Comparison, where: tuple[str, str]) -> tuple[Sight, str]:
    """The sight of a mutation at ``where``, and the words of the comparison that show it."""
    kind, name = where
    said = next(_said(comparison, kind, name), "")
    if said:
        return Sight.SEEN, said
    if comparison.state is State.UNKNOWN:
        reasons = [table.unknown for table in comparison.tables if table.unknown]
        reasons += [f"{each.what}: {each.reason}" for each in comparison.unseen]
        return Sight.UNKNOWN, "; ".join(reasons)
    if comparison.state is State.EQUAL:
        return Sight.MISSED, f"called equal; {kind} {name} differs"
    return Sight.MISSED, f"{kind} {name} is not among what differs: {differences(comparison)}"


def differences(comparison: Comparison, most: int = 5) -> str:
    """What differs or could not be compared, the first ``most`` of it, in words."""
    found = [f"rows of {table.table}" for table in comparison.tables if table.differences]
    found += [f"{change.kind} {change.name}" for change in comparison.objects]
    found += [f"unknown: {table.unknown}" for table in comparison.tables if table.unknown]
    found += [f"unknown: {each.what} ({each.reason})" for each in comparison.unseen]
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(found[:most]) + more


def _said(comparison: Comparison, kind: str, name: str) -> Iterator[str]:
    for table in comparison.tables:
        if kind == ROWS and table.table == name and table.shown:
            yield _of_rows(table)
        if kind == LARGE_OBJECT and any(row.key.get("oid") == name for row in table.shown):
            yield _of_rows(table)
    for change in comparison.objects:
        if change.kind == kind and change.name == name:
            yield _of_object(change)


def _of_rows(table: TableComparison) -> str:
    counts = [
        f"{count} {word}"
        for word, count in (
            ("missing", table.missing),
            ("extra", table.extra),
            ("changed", table.changed),
        )
        if count
    ]
    columns = dict.fromkeys(column for row in table.shown for column in row.columns)
    return ", ".join(counts) + (f" in {', '.join(columns)}" if columns else "")


def _of_object(change: ObjectChange) -> str:
    if change.source is None:
        return "only the target has it"
    if change.target is None:
        return "only the source has it"
    source, target = change.source, change.target
    values = {name: (source.get(name), target.get(name)) for name in [*source, *target]}
    return ", ".join(
        f"{name}: {_differing(ours, theirs)}"
        for name, (ours, theirs) in values.items()
        if ours != theirs
    )


def _differing(ours: str | None, theirs: str | None) -> str:
    """Both values; of long ones the part where they begin to differ."""
    texts = [None if each is None else " ".join(each.split()) for each in (ours, theirs)]
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(*(t or "" for t in texts), strict=False))
    same = sum(1 for _ in alike)
    long = any(len(each or "") > _VALUE for each in texts)
    start = max(0, same - _BEFORE) if long else 0
    return " -> ".join("none" if each is None else _cut(each, start) for each in texts)


def _cut(value: str, start: int) -> str:
    """At most :data:`_VALUE` characters of ``value`` from ``start`` on."""
    shown = value[start : start + _VALUE]
    before = "..." if start else ""
    return f"{before}{shown}..." if start + _VALUE < len(value) else f"{before}{shown}"
