"""Findings about rows: completeness, merging, fidelity and preservation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from verifier.contract import Claim, Evidence, Finding, Guarantee, Row, Severity, Verdict
from verifier.oracle.astray import astray
from verifier.oracle.catalog import ForeignKey, Table
from verifier.oracle.collect import Findings
from verifier.oracle.collisions import constraint_of, not_merged
from verifier.oracle.diff import differing, identity_of, paths, select
from verifier.oracle.entities import Entity, Universe
from verifier.oracle.fate import Fates, Settled
from verifier.oracle.keyless import judge_keyless
from verifier.oracle.links import Node
from verifier.oracle.naming import Named
from verifier.oracle.obstacle import Obstacle


def judge_rows(fates: Fates, claim: Claim, findings: Findings) -> None:
    """Hold a restore that changed the target, or should have, to its rows."""
    _RowJudge(fates, claim, findings).run()


class _RowJudge:
    def __init__(self, fates: Fates, claim: Claim, findings: Findings) -> None:
        self.fates, self.claim, self.findings = fates, claim, findings
        self.universe: Universe = fates.universe
        self.obstacles: Mapping[Node, Obstacle] = fates.obstacles
        self.named_merges = Named(claim.merges or ())

    def run(self) -> None:
        for table in self.fates.tables():
            if table.identity is None:
                judge_keyless(self.fates, table, self.findings)
                continue
            for entity in self.fates.entities(table):
                settled = self.fates.settled[id(entity)]
                restorable = [node for node in entity.source if node not in self.obstacles]
                if not entity.source or not restorable:
                    self._untouched(entity)
                else:
                    self._restored(table, settled, restorable)
            self._invented(table)

    # -- one entity ----------------------------------------------------------------------

    def _restored(self, table: Table, settled: Settled, members: list[Node]) -> None:
        survivor = settled.survivor
        if survivor is None:
            if settled.candidates:
                self.findings.add(self._kept_both(settled, members))
            else:
                self._lost(settled.entity, members)
            return
        self._target_identity(settled.entity, survivor)
        if self._equal_to_one(table, members, survivor):
            for node in members:
                if not self.fates.is_itself(node, survivor):
                    self._merged(node, survivor)
            if len(members) == 1 and not settled.entity.target:
                for finding in astray(self.fates, members[0], settled):
                    self.findings.add(finding)

    def _lost(self, entity: Entity, members: list[Node]) -> None:
        if len(members) > 1 or entity.target:
            self.findings.add(not_merged(self.universe, entity))
            return
        (node,) = members
        orphaned = self._orphaned_by(node)
        lost = Finding(
            guarantee=Guarantee.COMPLETENESS,
            title="a source row is neither restored, merged nor rejected: it is lost",
            table=node.table,
            constraint=", ".join(foreign_key.name for foreign_key in orphaned),
            key=self._key(node),
            evidence=(
                Evidence("source", self.universe.row(node)),
                *(
                    Evidence("parent", row, f"lost, too, in {to.referred}")
                    for to, row in orphaned.items()
                ),
            ),
            sql=select(self.universe.table(node.table), self._key(node)),
            database="target",
        )
        moved = self.fates.moved_columns(node)
        if moved and any(key.opaque for key in self.universe.table(node.table).keys):
            # What an expression yields once a reference was moved is not known here.
            title = "a source row may be merged or lost: a key of its table is an expression"
            self.findings.add(replace(lost, verdict=Verdict.UNKNOWN, title=title))
            return
        self.findings.add(lost)
        for column, foreign_key in moved.items():
            self.findings.add(
                replace(
                    lost,
                    guarantee=Guarantee.MERGING,
                    title="a child of a merged row is missing instead of pointing to the survivor",
                    constraint=foreign_key.name,
                    columns=(column,),
                    evidence=(*lost.evidence, *self._merged_parent(node, foreign_key)),
                )
            )

    def _orphaned_by(self, node: Node) -> dict[ForeignKey, Row]:
        """The foreign keys by which it refers to rows that are lost as well, which are named."""
        found = {}
        for foreign_key in self.universe.parents[node.table]:
            parent = self.universe.parent(node, foreign_key)
            settled = self.fates.of(parent) if parent is not None else None
            if parent is not None and settled is not None and settled.survivor is None:
                found[foreign_key] = self._key(parent)
        return found

    def _merged_parent(self, node: Node, foreign_key: ForeignKey) -> Iterator[Evidence]:
        """Which row it points to, and by which key that is one with others."""
        parent = self.universe.parent(node, foreign_key)
        if parent is not None:
            entity = self.universe.entity_of[parent]
            yield Evidence(
                "parent",
                self._key(parent),
                f"merged with others on {constraint_of(self.universe, entity)}",
            )

    def _merged(self, node: Node, survivor: Row) -> None:
        row, key = self.universe.row(node), self._key(node)
        if self.named_merges.covers(node.table, key, row):
            return
        table = self.universe.table(node.table)
        self.findings.add(
            Finding(
                guarantee=Guarantee.HONESTY,
                title="a row was merged into another one, and the claim does not name it",
                # Who reports no merges at all says less than could be known, but nothing false.
                severity=Severity.NOTE if self.claim.merges is None else Severity.BREACH,
                table=node.table,
                constraint=constraint_of(self.universe, self.universe.entity_of[node]),
                key=key,
                evidence=(Evidence("source", row), Evidence("target survivor", survivor)),
                sql=select(self.universe.table(node.table), identity_of(table, survivor)),
                database="target",
            )
        )

    def _kept_both(self, settled: Settled, members: list[Node]) -> Finding:
        node = members[0]
        table = self.universe.table(node.table)
        return Finding(
            guarantee=Guarantee.MERGING,
            title="rows that collide on a unique key of the target were not merged, but altered",
            table=node.table,
            constraint=constraint_of(self.universe, settled.entity),
            key=self._key(node),
            evidence=tuple(Evidence("target", row) for row in settled.candidates[:3]),
            sql=select(
                self.universe.table(node.table),
                *(identity_of(table, row) for row in settled.candidates[:3]),
            ),
            database="target",
        )

    def _equal_to_one(self, table: Table, members: list[Node], survivor: Row) -> bool:
        """Whether the survivor equals one source row; else say in which way it does not."""
        identity = {name for name in (table.identity.columns if table.identity else ()) if name}
        wanted = {node: self.fates.expected(node) for node in members}
        compared = [
            column
            for column in self.fates.compared(table)
            if (column not in identity or len(members) == 1)
        ]
        if len(members) == 1 and not self.fates.is_itself(members[0], survivor):
            compared = [column for column in compared if column not in identity]
        differences = {node: differing(wanted[node], survivor, compared) for node in members}
        nearest = min(members, key=lambda node: len(differences[node]))
        columns = differences[nearest]
        if not columns:
            return True
        self.findings.add(self._unequal(table, nearest, wanted, survivor, columns))
        return False

    def _unequal(
        self,
        table: Table,
        node: Node,
        wanted: Mapping[Node, Row],
        survivor: Row,
        columns: tuple[str, ...],
    ) -> Finding:
        guarantee, title, constraint = (
            Guarantee.FIDELITY,
            "a restored row differs from its source row",
            "",
        )
        moved = self.fates.moved_columns(node)
        targets = self.universe.entity_of[node].target
        if astray := [column for column in columns if column in moved]:
            guarantee = Guarantee.MERGING
            title = "a child of a merged row does not point to the survivor"
            constraint = moved[astray[0]].name
        elif any(self.universe.row(held) == survivor for held in targets):
            guarantee = Guarantee.COMPLETENESS
            title = "the target still holds its own row instead of the source's"
        elif len(wanted) > 1 and all(
            any(row.get(column) == survivor.get(column) for row in wanted.values())
            for column in columns
        ):
            guarantee = Guarantee.MERGING
            title = "the survivor is a mixture of the rows that were merged"
        return Finding(
            guarantee=guarantee,
            title=title,
            table=table.name,
            constraint=constraint,
            key=identity_of(table, survivor),
            columns=paths(wanted[node], survivor, columns, table),
            evidence=(
                *(Evidence("source", self.universe.row(member)) for member in list(wanted)[:3]),
                Evidence("target", survivor),
            ),
            sql=select(table, identity_of(table, survivor)),
            database="target",
        )

    # -- rows of the target ----------------------------------------------------------------

    def _target_identity(self, entity: Entity, survivor: Row) -> None:
        """The target's row keeps its own primary key when a source row is merged into it."""
        for node in entity.target:
            table = self.universe.table(node.table)
            before = self.universe.row(node)
            key = identity_of(table, before)
            known = self.universe.source.tables[node.table].columns
            lost = differing(before, survivor, [name for name in before if name not in known])
            if lost or not self.fates.is_itself(node, survivor):
                title = "a column that only the target has" if lost else "the primary key"
                self.findings.add(
                    Finding(
                        guarantee=Guarantee.PRESERVATION,
                        title=f"{title} was changed in a row of the target",
                        columns=lost,
                        table=node.table,
                        constraint=constraint_of(self.universe, entity),
                        key=key,
                        evidence=(
                            Evidence("target before", before),
                            Evidence("target", survivor),
                        ),
                        sql=select(self.universe.table(node.table), key),
                        database="target",
                    )
                )

    def _untouched(self, entity: Entity) -> None:
        """Rows that no restorable source row stands for stay exactly as they were."""
        table = self.universe.table(entity.table)
        settled = self.fates.settled[id(entity)]
        for node in entity.target:
            row = self.universe.row(node)
            key = identity_of(table, row)
            now = next((r for r in settled.candidates if identity_of(table, r) == key), None)
            if now == row or now == self.fates.expected(node):
                continue  # references follow a parent whose referenced column was merged
            self.findings.add(
                Finding(
                    guarantee=Guarantee.PRESERVATION,
                    title="a row of the target that is not in the backup was "
                    + ("removed" if now is None else "changed"),
                    table=node.table,
                    key=key,
                    columns=() if now is None else differing(row, now),
                    evidence=(
                        Evidence("target before", row),
                        *(() if now is None else (Evidence("target", now),)),
                    ),
                    sql=select(self.universe.table(node.table), key),
                    database="target",
                )
            )
        if not entity.target:
            for row in settled.candidates:
                self.findings.add(
                    self._unwanted(
                        table, row, "that could not be restored by the target's own rules"
                    )
                )

    def _invented(self, table: Table) -> None:
        known = {
            frozenset(identity_of(table, row).items())
            for entity in self.fates.entities(table)
            for row in self.fates.settled[id(entity)].candidates
        }
        rows = self.fates.after.tables[table.name]
        for place in range(len(rows.rows)):
            row = rows.row(place)
            if frozenset(identity_of(table, row).items()) not in known:
                self.findings.add(
                    self._unwanted(table, row, "that is neither in the source nor was there before")
                )

    def _unwanted(self, table: Table, row: Row, which: str) -> Finding:
        return Finding(
            guarantee=Guarantee.COMPLETENESS,
            title=f"the target holds a row {which}",
            table=table.name,
            key=identity_of(table, row),
            evidence=(Evidence("target", row),),
            sql=select(table, identity_of(table, row)),
            database="target",
        )

    def _key(self, node: Node) -> Row:
        return identity_of(self.universe.table(node.table), self.universe.row(node))
