"""The judgement of one restore: everything that is observed, held against the contract."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from types import MappingProxyType

from verifier.contract import Claim, Evidence, Finding, Guarantee, Row, Verdict
from verifier.oracle.beside import judge_large_objects, judge_untouched
from verifier.oracle.collect import Findings
from verifier.oracle.collisions import not_merged
from verifier.oracle.diff import changes, identity_of, select, setting_changes
from verifier.oracle.disturbed import judge_committed
from verifier.oracle.entities import Universe
from verifier.oracle.fate import Fates
from verifier.oracle.fitting import Excluded, Unfit
from verifier.oracle.hindered import hindered
from verifier.oracle.honesty import judge_failure, judge_lie, judge_success
from verifier.oracle.integrity import judge_integrity
from verifier.oracle.judgement import Judgement, Restore
from verifier.oracle.links import Node
from verifier.oracle.naming import Named
from verifier.oracle.obstacle import Obstacle
from verifier.oracle.ordering import judge_order, ordered
from verifier.oracle.restorable import downstream, gaps, settle
from verifier.oracle.rows import judge_rows
from verifier.oracle.snapshot import Snapshot


class Judge:
    """Holds restores of one frozen source into one target against the contract.

    ``control`` names tables (unqualified) that describe the target itself and are not
    part of what is moved. ``unfit`` names values of the source that no implementation could
    restore, ``excluded`` rows that cannot stand side by side.
    """

    def __init__(
        self,
        source: Snapshot,
        before: Snapshot,
        violations: list[Finding],
        control: Iterable[str] = (),
        unfit: Unfit = MappingProxyType({}),
        excluded: Excluded = MappingProxyType({}),
    ) -> None:
        apart = set(control)
        self._selected = frozenset(
            name
            for name, table in before.schema.tables.items()
            if name in source.tables and table.relname not in apart
        )
        self._source, self._before, self._violations = source, before, violations
        self._whole = whole = Universe(source, before, self._selected)
        self._gaps = gaps(whole)
        self._unfit = {name: unfit[name] for name in unfit if name in self._selected}
        self._excluded = {name: excluded[name] for name in excluded if name in self._selected}
        self._universe, self._obstacles = settle(whole, self._unfit, self._excluded)
        self._certain = self._obstacles
        """Those that are there whatever else an implementation rejects, or lets rows become."""
        if whole.contested:
            other = Universe(source, before, self._selected, last=True)
            _, also = settle(other, self._unfit, self._excluded)
            self._certain = {node: also[node] for node in self._obstacles if node in also}

    @property
    def restorable(self) -> bool:
        """Whether the target can take every row of the source, by its own rules."""
        return not self._gaps and not self._obstacles

    def judge(
        self,
        restore: Restore,
        *,
        disturbed: bool = False,
        resumable: bool = False,
        clean: Snapshot | None = None,
    ) -> Judgement:
        """The judgement of a restore; ``disturbed`` says that a fault gave it a right to fail.

        ``clean`` is the target as the same restore leaves it without a fault: a disturbed one
        that was not told of its COMMIT may have come as far. What a ``resumable`` one
        leaves when it fails is judged by its next run.
        """
        judge = self._excusing(restore.claim)
        seen = restore.claim.success and not self._reshaped(restore.after)
        if self._whole.contested and seen:
            judge = self._knowing(restore.after)._excusing(restore.claim)
        judgement = judge._judge(restore, disturbed)
        if not restore.claim.success:
            self._left_changed(restore, judgement, resumable, clean if disturbed else None)
        return judgement

    def _excusing(self, claim: Claim) -> Judge:
        """This judge, when rows were rejected that need not be restored."""
        named = Named(claim.rejections or ())
        # Also those that are only while nothing is rejected.
        found = hindered(self._whole) | hindered(self._universe)
        excused = {
            node: obstacle
            for node, obstacle in found.items()
            if named.covers(node.table, self._key(node), self._universe.row(node))
        }
        if not excused:
            return self
        excusing = copy(self)
        excusing._universe, excusing._obstacles = settle(
            self._universe, self._unfit, self._excluded, excused
        )
        kept = self._certain.keys() & excusing._obstacles.keys()
        excusing._certain = {node: self._certain[node] for node in kept}
        return excusing

    def _knowing(self, after: Snapshot) -> Judge:
        """This judge, when it has seen what the rows became that several would have."""
        known = copy(self)
        known._whole = whole = Universe(self._source, self._before, self._selected, after)
        known._universe, known._obstacles = settle(whole, self._unfit, self._excluded)
        known._certain = known._obstacles
        return known

    def _judge(self, restore: Restore, disturbed: bool) -> Judgement:
        judgement = Judgement()
        if any(rows.rows for rows in self._before.tables.values()):
            judgement.exercised.add(Guarantee.PRESERVATION)
        if not restore.silent:
            judgement.exercised.add(Guarantee.HONESTY)
        if restore.claim.success:
            self._success(restore, judgement)
        else:
            self._failure(restore, judgement, disturbed)
        return judgement

    # -- a claimed success -----------------------------------------------------------------

    def _success(self, restore: Restore, judgement: Judgement) -> None:
        findings, universe = judgement.findings, self._universe
        judgement.exercised |= {Guarantee.COMPLETENESS, Guarantee.INTEGRITY}
        if any(entity.source for entity in universe.entities):
            judgement.exercised.add(Guarantee.FIDELITY)
        if self._merges():
            judgement.exercised.add(Guarantee.MERGING)
        if self._reshaped(restore.after):
            # The rows cannot be held against tables that are no longer the same.
            self._integrity(restore, findings)
            judge_lie(restore.claim, findings)
            judgement.add(_rows_unseen())
            return
        fates = Fates(universe, restore.after, self._obstacles)
        judge_rows(fates, restore.claim, findings)
        judge_untouched(self._before, restore.after, self._selected, findings)
        judge_large_objects(self._source, self._before, restore.after, findings)
        self._silently_dropped(self._obstacles, restore.claim, findings)
        self._needlessly_rejected(restore.claim, findings)
        self._integrity(restore, findings)
        self._order(restore, judgement)
        judge_success(fates, restore.claim, findings)

    def _integrity(self, restore: Restore, findings: Findings) -> None:
        before, after, old = self._before, restore.after, self._violations
        judge_integrity(self._source, before, after, old, restore.violations, findings)

    def _reshaped(self, after: Snapshot) -> bool:
        """Whether the restore dropped or changed a table that it was to fill."""
        now = after.schema.tables
        return any(
            name not in now or now[name].names != self._universe.table(name).names
            for name in self._selected
        )

    def _silently_dropped(
        self, obstacles: Mapping[Node, Obstacle], claim: Claim, findings: Findings
    ) -> None:
        named = Named(claim.rejections or ())
        for node, obstacle in obstacles.items():
            row, key = self._universe.row(node), self._key(node)
            if not named.covers(node.table, key, row):
                findings.add(
                    Finding(
                        guarantee=Guarantee.COMPLETENESS,
                        title=f"a row that cannot be restored is not named: {obstacle.reason}",
                        table=node.table,
                        constraint=obstacle.constraint,
                        key=key,
                        evidence=(Evidence("source", row),),
                        sql=select(self._universe.table(node.table), key),
                        database="source",
                    )
                )
        for gap in self._gaps:
            if not gap.named_in(claim.message):
                findings.add(
                    Finding(
                        guarantee=Guarantee.COMPLETENESS,
                        title=f"{gap.sentence}, and the claim does not say so",
                        table=gap.table,
                        columns=(gap.column,) if gap.column else (),
                    )
                )

    def _needlessly_rejected(self, claim: Claim, findings: Findings) -> None:
        if not claim.rejections:
            return
        named = Named(claim.rejections)
        excused = self._obstacles.keys() | downstream(self._universe, self._obstacles)
        # Where the source has two rows of one identity, the other one may be meant.
        meant = {(node.table, frozenset(self._key(node).items())) for node in excused}
        for node in (node for entity in self._universe.entities for node in entity.source):
            row, key = self._universe.row(node), self._key(node)
            if (node.table, frozenset(key.items())) in meant:
                continue
            if named.covers(node.table, key, row):
                findings.add(
                    Finding(
                        guarantee=Guarantee.COMPLETENESS,
                        title="a row was rejected that the target can take",
                        table=node.table,
                        key=key,
                        evidence=(Evidence("source", row),),
                        sql=select(self._universe.table(node.table), key),
                        database="source",
                    )
                )

    def _key(self, node: Node) -> Row:
        return identity_of(self._universe.table(node.table), self._universe.row(node))

    def _order(self, restore: Restore, judgement: Judgement) -> None:
        if ordered(self._universe) and restore.writes.statements:
            judgement.exercised.add(Guarantee.ORDERING)
        judge_order(
            self._universe,
            restore.after,
            restore.writes,
            restore.claim.success,
            judgement.findings,
        )

    def _merges(self) -> list[Finding]:
        """The groups that have to be merged, each as the finding it is when it is not."""
        groups = []
        for entity in self._universe.entities:
            members = [node for node in entity.source if node not in self._obstacles]
            table = self._universe.table(entity.table)
            identities = {
                frozenset(identity_of(table, self._universe.row(node)).items())
                for node in (*members, *entity.target)
            }
            if members and len(identities) > 1:
                groups.append(not_merged(self._universe, entity))
        return groups

    # -- a claimed failure -----------------------------------------------------------------

    def _left_changed(
        self,
        restore: Restore,
        judgement: Judgement,
        resumable: bool,
        clean: Snapshot | None,
    ) -> None:
        """All or nothing: the target is as it was before, or as a whole restore leaves it."""
        settings = setting_changes(self._before, restore.after)
        changed = changes(self._before, restore.after)
        if changed and clean is not None and not changes(clean, restore.after):
            if not restore.silent:
                judge_committed(restore.claim, judgement.findings)
            changed = []
        elif resumable:
            changed = []
        for change in (*changed, *settings):
            title = "a failed restore left the target changed"
            judgement.findings.add(change.finding(Guarantee.ATOMICITY, title))

    def _failure(self, restore: Restore, judgement: Judgement, disturbed: bool) -> None:
        findings, claim = judgement.findings, restore.claim
        judgement.exercised.add(Guarantee.ATOMICITY)
        if not restore.silent:
            judge_failure(self._universe, claim, self._gaps, disturbed=disturbed, findings=findings)
        if disturbed:
            return
        judgement.exercised.add(Guarantee.COMPLETENESS)
        if self._obstacles or self._gaps:
            self._silently_dropped(self._certain, claim, findings)
            self._needlessly_rejected(claim, findings)
            self._order(restore, judgement)
            return
        self._order(restore, judgement)
        judgement.add(self._merges())
        rows = sum(len(self._source.tables[name].rows) for name in self._selected)
        findings.add(
            Finding(
                guarantee=Guarantee.COMPLETENESS,
                title="the restore failed although the target can take every row",
                evidence=(
                    Evidence("source", {"rows": str(rows)}),
                    claim.evidence(),
                ),
            )
        )


def _rows_unseen() -> list[Finding]:
    return [
        Finding(
            guarantee=guarantee,
            verdict=Verdict.UNKNOWN,
            title="the rows cannot be judged: the restore changed the tables that hold them",
        )
        for guarantee in (
            Guarantee.COMPLETENESS,
            Guarantee.FIDELITY,
            Guarantee.MERGING,
            Guarantee.PRESERVATION,
        )
    ]
