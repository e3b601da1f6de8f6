"""What a restore of the built-in implementation did otherwise than it promises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator

from verifier.contract import Claim, Guarantee
from verifier.model.breach import Breach
from verifier.model.claimed import counts, merges, rejections, shown
from verifier.model.outcome import Turned, key_of
from verifier.model.restore import Expected
from verifier.model.schema import Row, Table, Value
from verifier.model.values import comparable
from verifier.model.world import Observation, World


def differences(
    world: World, expected: Expected, claim: Claim, observation: Observation
) -> list[Breach]:
    """Where ``claim`` and ``observation`` of a restore are not what was ``expected``."""
    found = list(_ending(expected, claim))
    if claim.success != expected.success:
        # The rest would follow from it; whether the target is what the claim says does not.
        if not claim.success:
            found += _unchanged(world, observation)
        return found
    if not expected.success:
        found += _unchanged(world, observation)
    else:
        for table in world.schema.tables:
            found += _rows(world, table, expected, observation)
        found += _sequences(expected, observation)
        found += merges(expected, claim)
    if not expected.refusal:
        found += rejections(expected, claim)
        found += counts(expected, claim)
    return found


def _ending(expected: Expected, claim: Claim) -> Iterator[Breach]:
    said = f"{claim.message} (exit code {claim.exit_code})"
    if claim.success and not expected.success:
        why = expected.refusal or _first(expected.rejections)
        words = f"success is claimed ({said}) where it has to fail: {why}"
        yield Breach(Guarantee.HONESTY, "success is claimed where it has to fail", words=words)
    elif expected.success and not claim.success:
        cause = "a restore fails that has to succeed"
        yield Breach(Guarantee.COMPLETENESS, cause, words=f"{cause}: {said}")
    elif claim.exit_code is not None and claim.exit_code != expected.exit_code:
        cause = "the exit code is another one"
        words = f"the exit code is not {expected.exit_code}: {said}"
        yield Breach(Guarantee.HONESTY, cause, words=words)


def _first(rejections: tuple[Turned, ...]) -> str:
    first = rejections[0]
    return f"{first.table} {shown(first.key)} {first.reason} {sorted(first.constraints)}"


# --- rows -------------------------------------------------------------------------------------


def _unchanged(world: World, observation: Observation) -> Iterator[Breach]:
    for table in world.schema.tables:
        before = Counter(world.present.get(table.id, ()))
        after = Counter(observation.rows.get(table.id, ()))
        if before != after:
            cause = "a restore that failed changed the target"
            row = next(iter((before - after) + (after - before)))
            words = f"{table.id}: {cause}: {shown(_named(table, row))}"
            yield Breach(Guarantee.ATOMICITY, cause, table.id, words=words)


def _named(table: Table, row: Row) -> dict[str, Value]:
    return {each.name: value for each, value in zip(table.stored, row, strict=True)}


def _rows(
    world: World, table: Table, expected: Expected, observation: Observation
) -> Iterator[Breach]:
    due = Counter(expected.rows[table.id])
    there = Counter(observation.rows.get(table.id, ()))
    missing, extra = list((due - there).elements()), list((there - due).elements())
    by_key = {tuple(key_of(table, row).values()): row for row in extra}
    for row in missing:
        other = by_key.pop(tuple(key_of(table, row).values()), None)
        if other is None:
            yield _lost(world, table, row)
        else:
            extra.remove(other)
            yield _changed(world, table, row, other)
    for row in extra:
        words = f"{table.id} holds {shown(_named(table, row))}, which is not to be there"
        yield Breach(
            Guarantee.COMPLETENESS, "a row is there that must not be", table.id, words=words
        )
    if not missing and not extra:
        yield from _generated(world, table, expected, observation)


def _lost(world: World, table: Table, row: Row) -> Breach:
    words = f"{table.id} lacks {shown(_named(table, row))}"
    if row in world.present.get(table.id, ()):
        cause = "a row of the target is gone"
        return Breach(Guarantee.PRESERVATION, cause, table.id, words=words)
    return Breach(Guarantee.COMPLETENESS, "a row is missing", table.id, words=words)


def _changed(world: World, table: Table, due: Row, there: Row) -> Breach:
    columns = [
        each.name for each, one, other in zip(table.stored, due, there, strict=True) if one != other
    ]
    words = (
        f"{table.id} holds {shown(_named(table, there))} where {shown(_named(table, due))} is due"
    )
    for key in table.foreign_keys:
        if set(key.columns) & set(columns):
            cause = "a reference points to another row"
            return Breach(Guarantee.MERGING, cause, table.id, key.name, words)
    if due in world.present.get(table.id, ()):
        cause = "a row of the target is changed that has to stay"
        return Breach(Guarantee.PRESERVATION, cause, table.id, words=words)
    if there in world.present.get(table.id, ()):
        cause = "a row of the target is not updated"
        return Breach(Guarantee.COMPLETENESS, cause, table.id, words=words)
    return Breach(Guarantee.FIDELITY, "a row has another value", table.id, words=words)


def _generated(
    world: World, table: Table, expected: Expected, observation: Observation
) -> Iterator[Breach]:
    columns = [each for each in table.columns if each.generated is not None]

    def pairs(
        rows: Iterable[Row], values: Iterable[Row]
    ) -> Counter[tuple[Row, tuple[Hashable, ...]]]:
        return Counter(
            (
                row,
                tuple(
                    comparable(c.type, world.schema, v) for c, v in zip(columns, made, strict=True)
                ),
            )
            for row, made in zip(rows, values, strict=True)
        )

    if not columns:
        return
    due = pairs(expected.rows[table.id], expected.generated[table.id])
    there = pairs(observation.rows[table.id], observation.generated[table.id])
    for row, made in due - there:
        cause = "a generated column has another value"
        words = f"{table.id}: {cause} than {made} in {shown(_named(table, row))}"
        yield Breach(Guarantee.FIDELITY, cause, table.id, words=words)


def _sequences(expected: Expected, observation: Observation) -> Iterator[Breach]:
    for place, least in expected.sequences.items():
        following = observation.sequences.get(place)
        if following is not None and following < least:
            cause = "a sequence is not past what it feeds, or not past the backup's"
            words = f"the sequence of {place} gives {following} next, and at least {least} is due"
            yield Breach(Guarantee.INTEGRITY, cause, place.rpartition(".")[0], words=words)
