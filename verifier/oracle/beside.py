"""Findings about what is no row of the tables that are moved."""

from __future__ import annotations

from verifier.contract import Finding, Guarantee
from verifier.oracle.collect import Findings
from verifier.oracle.diff import changes
from verifier.oracle.snapshot import Snapshot


def judge_large_objects(
    source: Snapshot, before: Snapshot, after: Snapshot, findings: Findings
) -> None:
    """The source's large objects are there under their numbers, the target's as they were."""
    for number in sorted({*source.large_objects, *before.large_objects, *after.large_objects}):
        theirs, own = source.large_objects.get(number), before.large_objects.get(number)
        now = after.large_objects.get(number)
        if now == (own if theirs is None else theirs):
            continue
        guarantee = Guarantee.COMPLETENESS
        if theirs is None and own is None:
            title = "the target holds a large object that is neither in the source nor was there"
        elif theirs is None:
            guarantee = Guarantee.PRESERVATION
            title = "a large object of the target that is not in the backup was changed or removed"
        elif now is None:
            title = "a large object of the source is missing"
        else:
            guarantee = Guarantee.FIDELITY
            title = "a large object's content differs from the source's"
        findings.add(
            Finding(
                guarantee=guarantee,
                title=title,
                key={"large object": number},
                sql=f"SELECT oid, lo_get(oid) FROM pg_largeobject_metadata WHERE oid = {number}",
                database="target",
            )
        )


def judge_untouched(
    before: Snapshot, after: Snapshot, selected: frozenset[str], findings: Findings
) -> None:
    """Tables that are not part of what is moved stay as they were, row by row."""
    for change in changes(before, after, only=set(before.tables) - selected):
        title = "a table that is not part of the restore was touched"
        findings.add(change.finding(Guarantee.PRESERVATION, title))
