"""A comparison of two databases as JSON: everything that was found, in plain values."""

from __future__ import annotations

from dataclasses import asdict

from verifier.comparison import Comparison, ObjectChange, RowChange, TableComparison
from verifier.report.comparison import sentence
from verifier.report.json import Plain

SCHEMA = 1
"""Of the file; a change that a reader would notice makes it the next number."""


def document(comparison: Comparison) -> Plain:
    """The content of the file; ``docs/diff.md`` explains it."""
    selection = comparison.selection
    return {
        "schema": SCHEMA,
        "state": comparison.state.value,
        "exit_code": comparison.exit_code,
        "sentence": sentence(comparison),
        "source": asdict(comparison.source),
        "target": asdict(comparison.target),
        "seconds": round(comparison.seconds, 3),
        "selection": {
            "only": sorted(selection.parts),
            "schemas": list(selection.schemas),
            "tables": list(selection.tables),
            "columns": list(selection.columns),
            "limit": selection.limit,
        },
        "ignored": [asdict(each) for each in selection.ignored],
        "tables": [_table(table) for table in comparison.tables],
        "objects": [_object(change) for change in comparison.objects],
        "unseen": [asdict(each) for each in comparison.unseen],
        "notes": list(comparison.notes),
        "compared": dict(comparison.compared),
    }


def _table(table: TableComparison) -> Plain:
    return {
        "table": table.table,
        "state": table.state.value,
        "source_rows": table.source_rows,
        "target_rows": table.target_rows,
        "missing": table.missing,
        "extra": table.extra,
        "changed": table.changed,
        "key": list(table.key),
        "columns": [{"name": name, "type": kind} for name, kind in table.columns],
        "unknown": table.unknown or None,
        "shown": [_row(change) for change in table.shown],
    }


def _row(change: RowChange) -> Plain:
    return {
        "kind": change.kind.value,
        "key": dict(change.key),
        "source": None if change.source is None else dict(change.source),
        "target": None if change.target is None else dict(change.target),
        "columns": list(change.columns),
        "count": change.count,
    }


def _object(change: ObjectChange) -> Plain:
    return {
        "kind": change.kind,
        "name": change.name,
        "relation": change.relation or None,
        "source": None if change.source is None else dict(change.source),
        "target": None if change.target is None else dict(change.target),
        "create": change.create or None,
    }
