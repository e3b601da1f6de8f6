"""Which outcomes the contract allows to anybody, judged from rows in memory.

``docs/contract.md`` leaves open which of several colliding rows survives, whether a restore
that has to reject rows commits the others, and how a row is named. What it does not leave
open is a :class:`~verifier.model.breach.Breach`. The order of writing, and what a restore
leaves behind outside of the database, cannot be seen here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from verifier.contract import Claim, Guarantee
from verifier.model.breach import Breach, NotModelled
from verifier.model.expressions import Ask, evaluate, refuse
from verifier.model.judging.choices import Observed
from verifier.model.judging.ending import Ending
from verifier.model.judging.honest import Numbers, lie, of_failure, of_merges, of_success
from verifier.model.judging.matter import Matter
from verifier.model.judging.refusals import Bounds
from verifier.model.judging.things import Settlement
from verifier.model.judging.words import Rejected, readings
from verifier.model.rules import violations
from verifier.model.schema import Row, Table, Value
from verifier.model.values import comparable
from verifier.model.world import Observation, Options, World

_RIGHT = {
    Guarantee.COMPLETENESS,
    Guarantee.FIDELITY,
    Guarantee.MERGING,
    Guarantee.INTEGRITY,
    Guarantee.PRESERVATION,
}
"""What a success claims."""
_FIRED = "the trigger that audits"
"""How an observation's trouble begins that is not about the schema."""
_REFUSED = 2
"""The exit code for what cannot be done as it was asked."""


def breaches(
    world: World,
    claim: Claim,
    observation: Observation,
    again: tuple[Claim, Observation] | None = None,
    *,
    before: Observation | None = None,
    resumable: bool = False,
    ask: Ask = refuse,
) -> list[Breach]:
    """What an implementation did wrong that said ``claim`` and left ``observation``.

    ``again``: the same of a second restore of the same backup. ``before``: the target before the
    first one, if more is known of it than the world's rows. A ``resumable`` implementation may
    leave a part of its work when it fails. Of a world with local ids it is not
    judged which rows are which.

    Raises :class:`~verifier.model.breach.NotModelled` for what ``ask`` does not know either.
    """
    judge = _Judge(world, before or Observation(rows=world.present), ask)
    found = judge.judged(claim, observation, resumable)
    if again and claim.success and claim.rejections:
        # What was rejected may fit by now; the rest has to be as it is.
        found += _Judge(world, observation, ask).judged(*again, resumable)
    elif again:
        found += _repeated(observation, *again)
    return found


def _repeated(first: Observation, claim: Claim, after: Observation) -> Iterator[Breach]:
    """What a second restore of the same backup did wrong that is to change nothing, and to say so.

    ``first``: what the first one left; ``after``: what the second one did.
    """
    if not claim.success:
        cause = "the second restore of the same backup failed"
        yield Breach(Guarantee.IDEMPOTENCE, cause, words=f"{cause}: {claim.message}")
    cause = "the second restore of the same backup changed the target"
    yield from _changes(Guarantee.IDEMPOTENCE, cause, first.rows, after.rows)
    written = {
        table: counts.inserted + counts.updated for table, counts in (claim.counts or {}).items()
    }
    for table, figures in (claim.figures or {}).items():
        written[table] = figures.get("inserted", 0) + figures.get("updated", 0)
    for table, rows in written.items():
        if rows:
            cause = "the second restore of the same backup says that it wrote rows"
            words = f"{cause}: {rows} of {table}"
            yield Breach(Guarantee.IDEMPOTENCE, cause, table, words=words)


class _Judge:
    def __init__(self, world: World, before: Observation, ask: Ask) -> None:
        self._world, self._schema, self._before, self._ask = world, world.schema, before, ask
        self._matter = Matter(world.schema, world.source, before.rows, ask)

    def judged(self, claim: Claim, after: Observation, resumable: bool) -> list[Breach]:
        """Of one restore."""
        if claim.success:
            return list(self.success(claim, after))
        return list(self.failure(claim, after, resumable))

    # -- a claimed success -------------------------------------------------------------------

    def success(self, claim: Claim, after: Observation) -> Iterator[Breach]:
        found = [*self._integrity(after)]
        if not self._world.options.local_ids:
            found += self._rows(claim, after)
        wrong = next((each for each in found if each.guarantee in _RIGHT), None)
        yield from found
        if wrong:
            cause = "success was claimed, and the target is wrong"
            yield lie(cause, wrong.table, f"success was claimed, but {wrong.words}")
        yield from of_success(claim)

    def _rows(self, claim: Claim, after: Observation) -> list[Breach]:
        matter, options = self._matter, self._world.options
        observed = Observed(matter, after.rows)
        return _of_any(
            [*self._refused(told, limits), *self._ended(claim, after, observed, told)]
            for limits, told in readings(claim, matter, options, observed)
        )

    def _ended(
        self, claim: Claim, after: Observation, observed: Observed, told: Rejected
    ) -> Iterator[Breach]:
        matter, options = self._matter, self._world.options
        settlement = Settlement(matter, observed, told.rows)
        ending = Ending(matter, settlement, observed, after.rows, options)
        wrong = list(ending.breaches())
        yield from wrong
        yield from of_merges(claim, matter, settlement, ending)
        if not wrong:  # else it cannot be told what became of each row
            yield from Numbers(matter, settlement, ending, after.rows, claim).breaches()

    def _refused(self, told: Rejected, limits: Bounds) -> Iterator[Breach]:
        for node in sorted(told.unnamed):
            refusal = limits.must[node]
            cause = f"a row that cannot be restored is not named: {refusal.reason}"
            words = f"{cause}: {self._matter.rows[node]} of {node.table}"
            yield Breach(Guarantee.COMPLETENESS, cause, node.table, refusal.constraint, words)
        for node in sorted(told.needless):
            cause = "a row was rejected that the target can take"
            words = f"{cause}: {self._matter.rows[node]} of {node.table}"
            yield Breach(Guarantee.COMPLETENESS, cause, node.table, "", words)
        for entry in told.unknown:
            yield lie("the claim rejects a row that the source does not hold", words=str(entry))

    # -- a claimed failure -------------------------------------------------------------------

    def failure(self, claim: Claim, after: Observation, resumable: bool) -> Iterator[Breach]:
        if not resumable:
            yield from self._unchanged(after)
        if claim.exit_code == _REFUSED and self._world.options != Options():
            return  # bad usage, which is nothing about the rows
        yield from of_failure(claim, self._matter)
        if self._world.options.local_ids:
            return
        yield from _of_any(
            list(self._failed(claim, told, limits))
            for limits, told in readings(claim, self._matter, self._world.options)
        )

    def _failed(self, claim: Claim, told: Rejected, limits: Bounds) -> Iterator[Breach]:
        yield from self._refused(told, limits)
        if not told.rows:
            cause = "the restore failed although the target can take every row"
            yield Breach(Guarantee.COMPLETENESS, cause, words=f"{cause}: {claim.message}")
        if limits.merging and told.rows == told.needless:
            cause = "the restore failed instead of merging rows that collide"
            yield Breach(Guarantee.MERGING, cause, words=f"{cause}: {claim.message}")

    def _unchanged(self, after: Observation) -> Iterator[Breach]:
        cause = "a failed restore left the target changed"
        yield from _changes(Guarantee.ATOMICITY, cause, self._before.rows, after.rows)
        for name, number in self._before.sequences.items():
            if after.sequences.get(name, number) != number:
                words = f"{cause}: the sequence of {name} stood at {number}"
                yield Breach(Guarantee.ATOMICITY, f"{cause}: a sequence moved", words=words)
        for trouble in after.trouble:
            yield Breach(Guarantee.ATOMICITY, f"{cause}: its schema", words=trouble)

    # -- rules -------------------------------------------------------------------------------

    def _integrity(self, after: Observation) -> Iterator[Breach]:
        for each in violations(self._schema, after.rows, ask=self._ask):
            yield Breach(Guarantee.INTEGRITY, each.cause, each.table.id, each.rule, str(each))
        for table in self._schema.tables:
            yield from self._sequences(table, after)
            yield from self._generated(table, after)
        for trouble in after.trouble:
            guarantee, cause = Guarantee.INTEGRITY, "the target's schema was changed"
            if trouble.startswith(_FIRED):
                guarantee, cause = Guarantee.PRESERVATION, "a table beside the restore was written"
            yield Breach(guarantee, cause, words=trouble)

    def _sequences(self, table: Table, after: Observation) -> Iterator[Breach]:
        for column, place in table.places.items():
            name = f"{table.id}.{column}"
            if name not in after.sequences or self._was_behind(name, table, place, after):
                continue
            highest = _highest(after.rows.get(table.id, ()), place)
            if highest is not None and after.sequences[name] <= highest:
                cause = "a sequence is not past the values that it feeds"
                words = f"{cause}: {name} holds {highest}, next is {after.sequences[name]}"
                yield Breach(Guarantee.INTEGRITY, cause, table.id, words=words)

    def _was_behind(self, name: str, table: Table, place: int, after: Observation) -> bool:
        """Whether a sequence stood behind its values before, and no higher one has come."""
        before = _highest(self._before.rows.get(table.id, ()), place)
        number = self._before.sequences.get(name)
        return (
            number is not None
            and before is not None
            and number <= before
            and before == _highest(after.rows.get(table.id, ()), place)
        )

    def _generated(self, table: Table, after: Observation) -> Iterator[Breach]:
        columns = [column for column in table.columns if column.generated is not None]
        rows = zip(after.rows.get(table.id, ()), after.generated.get(table.id, ()), strict=False)
        for row, shown in rows:
            for column, value in zip(columns, shown, strict=True):
                if column.generated and not self._is_computed(table, column.name, row, value):
                    cause = "a generated column is not what its row makes of it"
                    words = f"{cause}: {column.name} of {table.id} is {value!r} in {row}"
                    yield Breach(Guarantee.INTEGRITY, cause, table.id, words=words)

    def _is_computed(self, table: Table, name: str, row: Row, value: Value) -> bool:
        column = next(each for each in table.columns if each.name == name)
        assert column.generated is not None
        try:
            made = evaluate(column.generated, table, row, self._ask, self._schema)
            return comparable(column.type, self._schema, made) == comparable(
                column.type, self._schema, value
            )
        except NotModelled:
            return True


def _of_any(judged: Iterator[list[Breach]]) -> list[Breach]:
    """Nothing, if all is right by any reading of a claim; else what is wrong by the likeliest."""
    first = next(judged)
    return first if first and all(judged) else []


def _changes(
    guarantee: Guarantee,
    cause: str,
    before: Mapping[str, tuple[Row, ...]],
    after: Mapping[str, tuple[Row, ...]],
) -> Iterator[Breach]:
    for table in sorted({*before, *after}):
        old, new = Counter(before.get(table, ())), Counter(after.get(table, ()))
        for what, rows in (("gone", old - new), ("there", new - old)):
            for row in rows:
                yield Breach(guarantee, cause, table, words=f"{cause}: {row} of {table} is {what}")


def _highest(rows: tuple[Row, ...], place: int) -> int | None:
    return max((int(value) for row in rows if (value := row[place]) is not None), default=None)
