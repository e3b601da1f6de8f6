"""Findings about honesty: the claim against what the databases show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from verifier.contract import Claim, Counts, Evidence, Finding, Guarantee, Merge, Severity
from verifier.oracle.catalog import Table
from verifier.oracle.collect import Findings
from verifier.oracle.entities import Universe
from verifier.oracle.fate import Fates
from verifier.oracle.figures import judge_figures
from verifier.oracle.links import SOURCE, Node
from verifier.oracle.naming import Lookup, stands_in
from verifier.oracle.restorable import Gap

_TARGET_IS_WRONG = (
    Guarantee.COMPLETENESS,
    Guarantee.MERGING,
    Guarantee.FIDELITY,
    Guarantee.INTEGRITY,
    Guarantee.PRESERVATION,
)


def judge_success(fates: Fates, claim: Claim, findings: Findings) -> None:
    """A claimed success is true when nothing is wrong with the target and all it says is so."""
    judge_lie(claim, findings)
    if claim.counts is not None:
        _judge_counts(fates, claim.counts, findings)
    if claim.figures is not None:
        judge_figures(fates, _observe_counts(fates), claim.figures, findings)
    _judge_rejections(fates.universe, claim, findings)
    lookup = Lookup(fates.universe.source)
    for merge in claim.merges or ():
        if not _happened(fates, merge, lookup):
            title = "the claim names a merge that did not happen"
            row = {"table": merge.table, **merge.key}
            findings.add(
                Finding(
                    guarantee=Guarantee.HONESTY,
                    title=title,
                    table=merge.table,
                    constraint=merge.constraint,
                    key=merge.key,
                    evidence=(Evidence("claim", row), Evidence("claimed survivor", merge.survivor)),
                )
            )


def judge_lie(claim: Claim, findings: Findings) -> None:
    """A claimed success is a lie when something is wrong with the target."""
    wrong = findings.broken(*_TARGET_IS_WRONG)
    if wrong:
        worst = wrong[0]
        findings.add(
            Finding(
                guarantee=Guarantee.HONESTY,
                severity=Severity.LIE,
                title=f"success was claimed, but {worst.title}",
                table=worst.table,
                constraint=worst.constraint,
                key=worst.key,
                columns=worst.columns,
                evidence=(claim.evidence(), *worst.evidence),
                count=sum(finding.count for finding in wrong),
                sql=worst.sql,
                database=worst.database,
            )
        )
    if claim.exit_code not in (0, None):
        findings.add(_about_the_exit("success was claimed with a failing exit code", claim))


def _happened(fates: Fates, merge: Merge, lookup: Lookup) -> bool:
    """Whether a row that ``merge`` describes became the survivor that it describes."""
    nodes = (
        Node(merge.table, SOURCE, position) for position in lookup.positions(merge.table, merge.key)
    )
    for node in nodes:
        entity, settled = fates.universe.entity_of.get(node), fates.of(node)
        if entity is None or node in fates.obstacles:
            continue
        together = len(entity.source) + len(entity.target) > 1
        if settled is None and together:
            return True  # rows without identity: which of them survived cannot be told
        survivor = settled.survivor if settled else None
        if survivor is None:
            return True  # its disappearance, or that it cannot be known, is a finding itself
        if not merge.survivor.items() <= survivor.items():
            continue
        if merge.survivor and (len(entity.source) > 1 or not fates.is_itself(node, survivor)):
            return True
    return False


def _judge_rejections(universe: Universe, claim: Claim, findings: Findings) -> None:
    """Every row that is said to be rejected is a row of the source."""
    lookup = Lookup(universe.source)
    for rejection in claim.rejections or ():
        if not lookup.positions(rejection.table, rejection.key):
            findings.add(
                Finding(
                    guarantee=Guarantee.HONESTY,
                    title="the claim rejects a row that the source does not hold",
                    table=rejection.table,
                    constraint=rejection.constraint,
                    key=rejection.key,
                    evidence=(Evidence("claim", words=rejection.reason),),
                )
            )


def _about_the_exit(title: str, claim: Claim) -> Finding:
    return Finding(guarantee=Guarantee.HONESTY, title=title, evidence=(claim.evidence(),))


def _judge_counts(fates: Fates, claimed: Mapping[str, Counts], findings: Findings) -> None:
    observed = _observe_counts(fates)
    for name in sorted(set(claimed) - fates.universe.selected):
        rows = fates.universe.source.tables.get(name)
        # Nothing of it is restored, but all of its rows may be said to be rejected.
        if claimed[name] not in (Counts(), Counts(rejected=len(rows.rows) if rows else 0)):
            findings.add(
                Finding(
                    guarantee=Guarantee.HONESTY,
                    title="the claim counts rows of a table that is not part of the restore",
                    table=name,
                    evidence=(Evidence("claim", words=str(claimed[name])),),
                )
            )
    for table in fates.tables():
        says, shows = claimed.get(table.name, Counts()), observed[table.name]
        told = {name: getattr(says, name) for name in shows}
        if told == shows:
            continue
        wrong = tuple(name for name in shows if told[name] != shows[name])
        findings.add(
            Finding(
                guarantee=Guarantee.HONESTY,
                title="the claimed counts are not the observed ones",
                table=table.name,
                columns=wrong,
                evidence=(
                    Evidence("claim", {name: str(told[name]) for name in shows}),
                    Evidence("observed", {name: str(shows[name]) for name in shows}),
                ),
            )
        )


def _observe_counts(fates: Fates) -> dict[str, dict[str, int]]:
    """Per table what happened to each of the source's rows; the sum is the source's count."""
    kinds = ("inserted", "updated", "unchanged", "merged", "rejected")
    observed: dict[str, dict[str, int]] = {}
    for table in fates.tables():
        counts = _by_identity(fates, table) if table.identity else _by_number(fates, table)
        observed[table.name] = {kind: counts[kind] for kind in kinds}
    return observed


def _by_identity(fates: Fates, table: Table) -> Counter[str]:
    counts: Counter[str] = Counter()
    for entity in fates.entities(table):
        standing = True  # rows that become one and the same count as that one once
        for node in entity.source:
            happened = _what_happened(fates, node)
            if happened in ("inserted", "updated", "unchanged"):
                happened, standing = (happened if standing else "merged"), False
            counts[happened] += 1
    return counts


def _by_number(fates: Fates, table: Table) -> Counter[str]:
    """For a table whose rows have no identity."""
    names = fates.universe.before.tables[table.name].columns
    before = Counter(
        # A row that only the target has may follow its parent, which is nothing that is counted.
        tuple(
            (fates.universe.row(node) if entity.source else fates.expected(node)).get(name)
            for name in names
        )
        for entity in fates.entities(table)
        for node in entity.target
    )
    after = Counter(fates.after.tables[table.name].rows)
    members = [
        [node for node in entity.source if node not in fates.obstacles]
        for entity in fates.entities(table)
    ]
    gone, come = (before - after).total(), (after - before).total()
    counts = Counter(
        inserted=come - gone,
        updated=gone,
        merged=sum(len(nodes) - 1 for nodes in members if nodes),
        rejected=sum(node.table == table.name for node in fates.obstacles),
    )
    rows = len(fates.universe.source.tables[table.name].rows)
    counts["unchanged"] = rows - counts.total()
    return counts


def _what_happened(fates: Fates, node: Node) -> str:
    """To one source row of a table whose rows have an identity."""
    settled = fates.of(node)
    if node in fates.obstacles:
        return "rejected"
    if settled is None or settled.survivor is None:
        return "lost"
    survivor = settled.survivor
    if not fates.is_itself(node, survivor):
        return "merged"
    held = next((node for node in settled.entity.target if fates.is_itself(node, survivor)), None)
    if held is None:
        return "inserted"
    return "unchanged" if fates.universe.row(held) == survivor else "updated"


def judge_failure(
    universe: Universe,
    claim: Claim,
    gaps: Collection[Gap],
    *,
    disturbed: bool,
    findings: Findings,
) -> None:
    """A claimed failure has a failing exit code and names what it failed on.

    A ``disturbed`` restore need not name a row: its cause was not in the data.
    """
    if claim.exit_code == 0:
        findings.add(_about_the_exit("a failure was claimed with exit code 0", claim))
    if not claim.message.strip():
        findings.add(_about_the_exit("a failure was claimed without a word about the cause", claim))
    elif not disturbed and not (
        any(_names(universe, table, _all_words(claim)) for table in universe.schema.tables.values())
        or any(gap.named_in(_all_words(claim)) for gap in gaps)
    ):
        findings.add(
            _about_the_exit("the failure does not name a table and the rule that was broken", claim)
        )
    if not disturbed:
        _judge_rejections(universe, claim, findings)


def _all_words(claim: Claim) -> str:
    return " ".join(
        [claim.message]
        + [f"{given.table} {given.constraint} {given.reason}" for given in claim.rejections or ()]
    )


def _names(universe: Universe, table: Table, said: str) -> bool:
    rules = [key.name for key in table.keys] + [check.name for check in table.checks]
    rules += [foreign_key.name for foreign_key in universe.parents[table.name]]
    named = any(stands_in(rule, said) for rule in (*rules, *table.names))
    return stands_in(table.relname, said) and named
