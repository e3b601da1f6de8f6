"""A restore as JSON: the claim for programs; ``docs/restore.md`` explains each key."""

from __future__ import annotations

from dataclasses import asdict

from verifier.contract import Merge, Rejection
from verifier.report.json import Plain
from verifier.report.restore import sentence
from verifier.transfer import Restored

SCHEMA = 1
"""Of the file; a change that a reader would notice makes it the next number."""


def document(restored: Restored, exit_code: int) -> Plain:
    """The content of the file; ``exit_code`` is what the command ends with."""
    claim = restored.claim
    return {
        "schema": SCHEMA,
        "success": claim.success,
        "exit_code": exit_code,
        "message": sentence(restored),
        "dry_run": restored.dry_run,
        "file": restored.file,
        "target": restored.target,
        "seconds": round(restored.seconds, 3),
        "tables": {table: asdict(counts) for table, counts in (claim.counts or {}).items()},
        "merges": [_merge(each) for each in claim.merges or ()],
        "rejections": [_rejection(each) for each in claim.rejections or ()],
        "notes": list(claim.notes),
        "quarantine": restored.quarantine,
        "written": restored.written,
    }


def _merge(merge: Merge) -> Plain:
    return {
        "table": merge.table,
        "key": dict(merge.key),
        "survivor": dict(merge.survivor),
        "constraint": merge.constraint or None,
    }


def _rejection(rejection: Rejection) -> Plain:
    return {
        "table": rejection.table,
        "key": dict(rejection.key),
        "reason": rejection.reason,
        "constraint": rejection.constraint or None,
    }
