"""Findings about rows that have no identity, and are only to be counted."""

from __future__ import annotations

from collections import Counter

from verifier.contract import Evidence, Finding, Guarantee
from verifier.oracle.catalog import Table
from verifier.oracle.collect import Findings
from verifier.oracle.diff import select
from verifier.oracle.fate import Fates


def judge_keyless(fates: Fates, table: Table, findings: Findings) -> None:
    """Rows of a table without key are there as often as they should be."""
    wanted, beside, present = fates.multiset(table)
    most = wanted + beside
    columns = fates.compared(table)
    _kept_whole(fates, table, findings)
    for label, title, difference in (
        ("source", "rows of a table without key are missing", wanted - present),
        (
            "target",
            "rows of a table without key are there too often",
            present - most,
        ),
    ):
        for values, count in difference.items():
            row = dict(zip(columns, values, strict=True))
            findings.add(
                Finding(
                    guarantee=Guarantee.COMPLETENESS,
                    title=title,
                    table=table.name,
                    key=row,
                    evidence=(Evidence(label, row),),
                    count=count,
                    sql=select(table, row),
                    database="target",
                )
            )


def _kept_whole(fates: Fates, table: Table, findings: Findings) -> None:
    """Rows without key that only the target has, by all their columns."""
    after = fates.after.tables[table.name]
    if fates.compared(table) == after.columns:
        return  # those were all the columns
    own = Counter(
        fates.universe.rows(node).rows[node.position]
        for entity in fates.entities(table)
        if not entity.source
        for node in entity.target
    )
    for values, count in (own - Counter(after.rows)).items():
        row = dict(zip(after.columns, values, strict=True))
        findings.add(
            Finding(
                guarantee=Guarantee.PRESERVATION,
                title="a row of the target that is not in the backup was removed or changed",
                table=table.name,
                key=row,
                evidence=(Evidence("target before", row),),
                count=count,
                sql=select(table, row),
                database="target",
            )
        )
