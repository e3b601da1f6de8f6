"""Findings about ordering: parents before children, enforcement on and left on."""

from __future__ import annotations

from verifier.contract import Evidence, Finding, Guarantee
from verifier.oracle.catalog import ForeignKey
from verifier.oracle.collect import Findings
from verifier.oracle.entities import Universe
from verifier.oracle.probe import Writes
from verifier.oracle.snapshot import Snapshot


def judge_order(
    universe: Universe, after: Snapshot, writes: Writes, success: bool, findings: Findings
) -> None:
    """Hold the order of writes, and the enforcement during them, to the foreign keys."""
    for table in sorted(writes.unenforced):
        findings.add(
            Finding(
                guarantee=Guarantee.ORDERING,
                title="rows were written while the enforcement of foreign keys was switched off"
                " (session_replication_role)",
                table=table,
            )
        )
    for foreign_key in ordered(universe):
        finding = _too_early(universe, foreign_key, writes)
        if finding:
            findings.add(finding)
    if success:
        _unseen(universe, after, writes, findings)


def ordered(universe: Universe) -> list[ForeignKey]:
    """The foreign keys that demand an order: rows refer to rows of another source table.

    Foreign keys within a cycle of tables demand none.
    """
    reach = _reachable(universe)
    demanding = []
    for foreign_key in universe.schema.foreign_keys:
        child, parent = foreign_key.child, foreign_key.parent
        known = {child, parent} <= universe.selected
        if not known or child in reach[parent]:
            continue
        rows = universe.source.tables[child]
        if not universe.source.tables[parent].rows or not set(foreign_key.columns) <= set(
            rows.columns
        ):
            continue
        if any(
            None not in rows.values(place, foreign_key.columns) for place in range(len(rows.rows))
        ):
            demanding.append(foreign_key)
    return demanding


def _reachable(universe: Universe) -> dict[str, set[str]]:
    """Table → itself and all tables that it refers to, directly or not."""
    reach = {name: {name} for name in universe.schema.tables}
    changed = True
    while changed:
        changed = False
        for foreign_key in universe.schema.foreign_keys:
            more = reach.get(foreign_key.parent, set()) - reach[foreign_key.child]
            if more:
                reach[foreign_key.child] |= more
                changed = True
    return reach


def _too_early(universe: Universe, foreign_key: ForeignKey, writes: Writes) -> Finding | None:
    child = writes.first_insert.get(foreign_key.child)
    parent = writes.first_insert.get(foreign_key.parent)
    if child is None or (parent is not None and parent < child):
        return None
    if parent is None and not _parents_missing(universe, foreign_key.parent):
        return None  # every parent is in the target already: nothing had to come first
    return Finding(
        guarantee=Guarantee.ORDERING,
        title=f"children were written before their parents in {foreign_key.parent}",
        table=foreign_key.child,
        constraint=foreign_key.name,
        evidence=(
            Evidence(
                "write probe",
                {
                    foreign_key.child: f"first INSERT is statement {child}",
                    foreign_key.parent: "no INSERT"
                    if parent is None
                    else f"first INSERT is statement {parent}",
                },
            ),
        ),
    )


def _parents_missing(universe: Universe, table: str) -> bool:
    return any(
        entity.source and not entity.target for entity in universe.entities if entity.table == table
    )


def _unseen(universe: Universe, after: Snapshot, writes: Writes, findings: Findings) -> None:
    """A table that grew although no INSERT into it was seen: the trigger was switched off."""
    for name in sorted(universe.selected - set(writes.first_insert)):
        grown = len(after.tables[name].rows) - len(universe.before.tables[name].rows)
        if grown > 0:
            findings.add(
                Finding(
                    guarantee=Guarantee.ORDERING,
                    title="a table grew although an always-firing trigger saw no INSERT:"
                    " triggers were switched off",
                    table=name,
                    count=grown,
                )
            )
