"""Whether the target's constraints hold, by query, where the source's do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from functools import partial

import psycopg

from verifier.comparison import ObjectChange, Unseen
from verifier.oracle.catalog import Schema
from verifier.oracle.comparing.scope import Scope
from verifier.oracle.comparing.side import Side
from verifier.oracle.comparing.trouble import reason
from verifier.oracle.integrity import Rule, broken, count_against, rules


class Holding:
    """Asks the target whether its rules hold, table by table; begin early, collect late."""

    def __init__(self, source: Side, target: Side, ours: Schema, theirs: Schema) -> None:
        self._source, self._target, self._theirs = source, target, theirs
        self._known = {_identity(rule): rule for rule in rules(ours)}
        self._asked: dict[str, Future[list[Rule]]] = {}
        self.rules = 0

    def begin(self, scope: Scope) -> None:
        """Ask about every table of the target that is compared."""
        by_table: dict[str, list[Rule]] = defaultdict(list)
        for rule in rules(self._theirs):
            chosen = all(scope.column(rule.table, name) for name in rule.columns)
            if scope.relation(rule.table) and chosen:
                by_table[rule.table].append(rule)
        for table, asked in by_table.items():
            self._asked[table] = self._target.submit(partial(broken, asked=asked))
            self.rules += len(asked)

    def collect(self) -> Iterator[ObjectChange | Unseen | str]:
        """What does not hold on the target; a note where it does not on the source either."""
        for table, future in self._asked.items():
            try:
                for rule in future.result():
                    yield self._told(rule)
            except psycopg.Error as error:
                yield Unseen(f"constraints of {table}", reason(self._target.label, table, error))

    def _told(self, rule: Rule) -> ObjectChange | Unseen | str:
        what = rule.constraint or ", ".join(rule.columns)
        name = f"{what} on {rule.table}"
        against = self._count(self._target, rule)
        known = self._known.get(_identity(rule))
        before = self._count(self._source, known) if known else "no such constraint"
        if before == against:
            return f"{name} does not hold on either side ({rule.title}: {against} rows)"
        return ObjectChange(
            "constraint",
            name,
            {"rows against it": before},
            {"rows against it": against, "meaning": rule.title},
            relation=rule.table,
        )

    def _count(self, side: Side, rule: Rule) -> str:
        try:
            return str(side.submit(partial(count_against, rule=rule)).result())
        except psycopg.Error as error:
            return f"unknown: {reason(side.label, rule.table, error)}"


def _identity(rule: Rule) -> Sequence[object]:
    return rule.title, rule.table, rule.constraint, rule.columns
