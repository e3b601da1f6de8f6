"""What is claimed of single rows and their numbers, held against what was expected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from verifier.contract import Claim, Counts, Guarantee, Merge, Rejection
from verifier.model.breach import Breach
from verifier.model.naming import id_of
from verifier.model.outcome import Merged, Turned
from verifier.model.restore import Expected
from verifier.model.schema import Value

Key = tuple[tuple[str, Value], ...]


def shown(row: Mapping[str, Value]) -> str:
    cells = (f"{name}={'NULL' if value is None else repr(value)}" for name, value in row.items())
    return f"({', '.join(cells)})"


def _key(key: Mapping[str, Value]) -> Key:
    return tuple(sorted(key.items()))


def rejections(expected: Expected, claim: Claim) -> Iterator[Breach]:
    due: dict[tuple[str, Key], list[Turned]] = {}
    for each in expected.rejections:
        due.setdefault((each.table, _key(each.key)), []).append(each)
    # What names no constraint may be any of several rows of one key.
    for told in sorted(claim.rejections or (), key=lambda told: not told.constraint):
        table = id_of(told.table)
        wanted = due.get((table, _key(told.key)))
        if not wanted:
            cause = "a row is rejected that fits"
            words = f"{table} {shown(told.key)} is rejected: {told.reason} {told.constraint}"
            yield Breach(Guarantee.COMPLETENESS, cause, table, told.constraint, words)
            continue
        fitting = next((each for each in wanted if _names(told, each.constraints)), None)
        if fitting is None:
            cause = "a rejection names another constraint"
            words = (
                f"{table} {shown(told.key)} is rejected by {told.constraint}"
                f" and not by {sorted(wanted[0].constraints)}: {wanted[0].reason}"
            )
            yield Breach(Guarantee.HONESTY, cause, table, told.constraint, words)
        wanted.remove(fitting or wanted[0])
    for each in (each for left in due.values() for each in left):
        cause = "a rejected row is not named"
        words = f"{each.table} {shown(each.key)} {each.reason} {sorted(each.constraints)}"
        yield Breach(Guarantee.HONESTY, cause, each.table, words=words)


def _names(told: Rejection | Merge, constraints: frozenset[str]) -> bool:
    """Whether only such constraints are named, if any."""
    return not told.constraint or set(told.constraint.split(", ")) <= constraints


def merges(expected: Expected, claim: Claim) -> Iterator[Breach]:
    due: dict[tuple[str, Key, Key], list[Merged]] = {}
    for each in expected.merges:
        key, survivor = (_key(one) for one in (each.key, each.survivor))
        due.setdefault((each.table, key, survivor), []).append(each)
    for told in claim.merges or ():
        table = id_of(told.table)
        said = f"{table} {shown(told.key)} -> {shown(told.survivor)} ({told.constraint})"
        place = table, _key(told.key), _key(told.survivor)
        wanted = due.get(place)
        if not wanted:
            cause = "a merge is claimed that is none"
            yield Breach(Guarantee.MERGING, cause, table, told.constraint, f"{cause}: {said}")
            continue
        if not _names(told, wanted.pop().constraints):
            cause = "a merge names another key"
            yield Breach(Guarantee.MERGING, cause, table, told.constraint, f"{cause}: {said}")
    for each in (each for left in due.values() for each in left):
        cause = "a merged row is not named"
        words = f"{cause}: {each.table} {shown(each.key)} -> {shown(each.survivor)}"
        yield Breach(Guarantee.HONESTY, cause, each.table, words=words)


def counts(expected: Expected, claim: Claim) -> Iterator[Breach]:
    told = {id_of(name): counts for name, counts in (claim.counts or {}).items()}
    for table in dict.fromkeys((*expected.counts, *told)):
        due, said = expected.counts.get(table, Counts()), told.get(table, Counts())
        for name in ("inserted", "updated", "unchanged", "merged", "rejected"):
            one, other = getattr(due, name), getattr(said, name)
            if one != other:
                cause = f"the number of {name} rows is another one"
                words = f"{table}: {other} rows {name} are claimed, and {one} are due"
                yield Breach(Guarantee.HONESTY, cause, table, words=words)
