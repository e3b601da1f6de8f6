"""A claim held against what is observed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import fields

from verifier.contract import Claim, Counts, Guarantee, Merge
from verifier.model.breach import Breach
from verifier.model.judging.ending import Ending
from verifier.model.judging.matter import Matter, Node
from verifier.model.judging.things import Settlement
from verifier.model.judging.words import fits, meant, table_id
from verifier.model.schema import Row, Schema, Table

KINDS = tuple(each.name for each in fields(Counts))
_WROTE = ("inserted", "updated")
_ARRIVED = (*_WROTE, "unchanged", "merged")
_TRANSFERRED, _TOTAL = "rows", ""


def lie(cause: str, table: str = "", words: str = "") -> Breach:
    return Breach(Guarantee.HONESTY, cause, table, words=words or cause)


def of_failure(claim: Claim, matter: Matter) -> Iterator[Breach]:
    """A failure has a failing exit code and names the table and the rule that it failed on."""
    if claim.exit_code == 0:
        yield lie("a failure was claimed with exit code 0", words=claim.message)
    said = " ".join(
        [claim.message, *(f"{r.table} {r.constraint} {r.reason}" for r in claim.rejections or ())]
    )
    if not claim.message.strip():
        yield lie("a failure was claimed without a word about the cause")
    elif not any(_names(matter.schema, table, said) for table in matter.schema.tables):
        cause = "the failure does not name a table and the rule that was broken"
        yield lie(cause, words=f"{cause}: {claim.message}")


def _names(schema: Schema, table: Table, said: str) -> bool:
    rules = [key.name for key in table.keys] + [check.name for check in table.checks]
    rules += [key.name for key in table.foreign_keys] + [column.name for column in table.columns]
    rules += [check.name for domain in schema.domains for check in domain.checks]
    return _stands_in(table.name, said) and any(_stands_in(rule, said) for rule in rules)


def _stands_in(name: str, said: str) -> bool:
    """Whether ``said`` holds ``name``, as it is or as SQL quotes it."""
    return name in said or name.replace('"', '""') in said


def of_success(claim: Claim) -> Iterator[Breach]:
    """A success has an exit code that says so, where nothing was rejected."""
    right = (0, 1, None) if claim.rejections else (0, None)
    if claim.exit_code not in right:
        yield lie("success was claimed with a failing exit code", words=claim.message)


def of_merges(
    claim: Claim, matter: Matter, settlement: Settlement, ending: Ending
) -> Iterator[Breach]:
    """Every row that was merged is named, if any is; and no other."""
    if claim.merges is None:
        return
    named = {node for merge in claim.merges for node in meant(matter, merge)}
    for merge in claim.merges:
        rows = meant(matter, merge)
        if not any(_happened(merge, node, settlement, ending) for node in rows):
            yield lie(
                "the claim names a merge that did not happen", table_id(merge.table), str(merge)
            )
    for thing, now in ending.ended.items():
        for node in thing.source:
            itself = matter.identity[thing.table.id] is None or ending.is_named(node, now)
            if node not in named and not itself:
                cause = "a row was merged into another one, and the claim does not name it"
                yield lie(cause, thing.table.id, f"{cause}: {matter.rows[node]} of {node.table}")


def _happened(merge: Merge, node: Node, settlement: Settlement, ending: Ending) -> bool:
    thing = settlement.of.get(node)
    if thing is None or len(thing.source) + len(thing.present) < 2:
        return False
    now = ending.ended.get(thing)
    if thing in ending.stayed:
        return True
    if now is None or settlement.matter.identity[thing.table.id] is None:
        return True  # what became of it is told elsewhere, or cannot be told
    same = fits(settlement.matter, thing.table, now, merge.survivor)
    alone = len(thing.source) == 1
    return same and not (alone and ending.is_named(node, now) and not ending.is_renamed(node, now))


class Numbers:
    """How many rows of each table became what, as far as that can be told."""

    def __init__(
        self,
        matter: Matter,
        settlement: Settlement,
        ending: Ending,
        after: Mapping[str, tuple[Row, ...]],
        claim: Claim,
    ) -> None:
        self._matter, self._settlement, self._ending = matter, settlement, ending
        self._after, self._claim = after, claim
        self._merged = self._named()
        self.observed = {
            table.id: self._of(table) for table in matter.tables if table.id not in ending.unclear
        }

    def _named(self) -> set[Node]:
        """The rows that are named as merged: as many of one key as it is named for.

        Those first that are no more what they are called.
        """

        def is_itself(node: Node) -> bool:
            now = self._ending.ended.get(self._settlement.of[node])
            return now is None or self._ending.is_named(node, now)

        entries = [meant(self._matter, merge) for merge in self._claim.merges or ()]
        found: set[Node] = set()
        for nodes, number in Counter(map(frozenset, entries)).items():
            left = nodes & self._settlement.of.keys()
            found.update(sorted(left, key=lambda node: (is_itself(node), node))[:number])
        return found

    def breaches(self) -> Iterator[Breach]:
        """The numbers that are not what is observed."""
        claim = self._claim
        for name, told in (claim.counts or {}).items():
            shown = self.observed.get(table_id(name))
            numbers = {kind: getattr(told, kind) for kind in KINDS}
            known = table_id(name) in self._matter.schema.by_id
            if not known and any(numbers.values()):
                yield lie("the claim counts rows of a table that is not restored", name)
            elif shown is not None and any(shown[kind] != numbers[kind] for kind in KINDS):
                yield self._wrong(table_id(name), numbers, shown)
        told_of = {table_id(name) for name in claim.counts or ()}
        for table, shown in self.observed.items() if claim.counts is not None else ():
            if table not in told_of and shown.total():
                yield self._wrong(table, {}, shown)
        for name, figures in (claim.figures or {}).items():
            yield from self._figures(table_id(name), figures)

    def _wrong(self, table: str, told: Mapping[str, int], shown: Mapping[str, int]) -> Breach:
        cause = "the claimed counts are not the observed ones"
        return lie(cause, table, f"{table}: {dict(told)} is claimed, {dict(shown)} observed")

    def _figures(self, table: str, figures: Mapping[str, int]) -> Iterator[Breach]:
        shown = Counter[str]()
        for each in self.observed.values() if table == _TOTAL else [self.observed.get(table)]:
            shown.update(each or {})
        least, most = (sum(shown[kind] for kind in kinds) for kinds in (_WROTE, _ARRIVED))
        for kind, number in figures.items():
            if kind == _TRANSFERRED and not least <= number <= most:
                cause = "the claimed number of transferred rows is not what is observed"
                yield lie(cause, table, f"{table}: {number} rows, where {least} to {most} were")
            elif kind != _TRANSFERRED and number != shown[kind]:
                yield self._wrong(table, figures, shown)

    def _of(self, table: Table) -> Counter[str]:
        if self._matter.identity[table.id] is None:
            return self._by_number(table)
        counts = Counter[str]()
        for thing in self._settlement.things[table.id]:
            now = self._ending.ended.get(thing)
            if thing in self._ending.stayed:
                counts["merged"] += len(thing.source)
                continue
            if now is None:
                continue
            kinds = [self._became(node, now) for node in thing.source]
            counts.update(kinds)
            # Rows that became one and the same count as that one once.
            more = sum(kind != "merged" for kind in kinds) - 1
            if more > 0:
                counts[next(kind for kind in kinds if kind != "merged")] -= more
                counts["merged"] += more
        counts["rejected"] = self._rejected(table)
        return counts

    def _rejected(self, table: Table) -> int:
        return sum(node in self._settlement.gone for node in self._matter.source(table.id))

    def _became(self, node: Node, now: Row) -> str:
        held = self._settlement.of[node].present
        if not self._ending.is_named(node, now):
            return "merged"
        if node in self._merged and self._ending.is_renamed(node, now):
            return "merged"  # as well as it is the row of that name, now that its parent moved
        if not held:
            return "inserted"
        return "unchanged" if self._matter.rows[held[0]] == now else "updated"

    def _by_number(self, table: Table) -> Counter[str]:
        """For a table whose rows have no identity."""
        before = Counter(
            # A row that only the target has may follow its parent, which nobody counts.
            self._matter.rows[node] if thing.source else self._settlement.rows[node]
            for thing in self._settlement.things[table.id]
            for node in thing.present
        )
        after = Counter(self._after.get(table.id, ()))
        gone, come = (before - after).total(), (after - before).total()
        things = [thing for thing in self._settlement.things[table.id] if thing.source]
        counts = Counter(
            inserted=come - gone,
            updated=gone,
            merged=sum(len(t.source) - (t not in self._ending.stayed) for t in things),
            rejected=self._rejected(table),
        )
        counts["unchanged"] = len(self._matter.source(table.id)) - counts.total()
        return counts
