"""What is claimed of single rows and their numbers, held against what was expected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import TypeVar

from verifier.contract import Claim, Counts, Guarantee, Merge, Named, Rejection
from verifier.model.breach import Breach
from verifier.model.naming import id_of
from verifier.model.outcome import Merged, Turned
from verifier.model.restore import Expected
from verifier.model.schema import Value

Key = tuple[tuple[str, Value], ...]
Due = TypeVar("Due", Turned, Merged)


def shown(row: Mapping[str, Value]) -> str:
    cells = (f"{name}={'NULL' if value is None else repr(value)}" for name, value in row.items())
    return f"({', '.join(cells)})"


def _key(key: Mapping[str, Value]) -> Key:
    return tuple(sorted(key.items()))


def rejections(expected: Expected, claim: Claim) -> Iterator[Breach]:
    told = ((id_of(each.table), (_key(each.key),), each) for each in claim.rejections or ())
    due = ((each.table, (_key(each.key),), each) for each in expected.rejections)
    for table, said, turned in _pairs(told, due):
        if said and not turned:
            cause = "a row is rejected that fits"
            words = f"{table} {shown(said.key)} is rejected: {said.reason} {said.constraint}"
            yield Breach(Guarantee.COMPLETENESS, cause, table, said.constraint, words)
        elif turned and not said:
            cause = "a rejected row is not named"
            words = f"{table} {shown(turned.key)} {turned.reason} {sorted(turned.constraints)}"
            yield Breach(Guarantee.HONESTY, cause, table, words=words)
        elif said and turned and not _names(said, turned.constraints):
            cause = "a rejection names another constraint"
            words = (
                f"{table} {shown(said.key)} is rejected by {said.constraint}"
                f" and not by {sorted(turned.constraints)}: {turned.reason}"
            )
            yield Breach(Guarantee.HONESTY, cause, table, said.constraint, words)


def merges(expected: Expected, claim: Claim) -> Iterator[Breach]:
    told = (
        (id_of(each.table), (_key(each.key), _key(each.survivor)), each)
        for each in claim.merges or ()
    )
    due = ((each.table, (_key(each.key), _key(each.survivor)), each) for each in expected.merges)
    for table, said, merged in _pairs(told, due):
        each = said or merged
        words = f"{table} {shown(each.key)} -> {shown(each.survivor)}" if each else ""
        if merged and not said:
            cause = "a merged row is not named"
            yield Breach(Guarantee.HONESTY, cause, table, words=f"{cause}: {words}")
        elif said and not (merged and _names(said, merged.constraints)):
            cause = "a merge names another key" if merged else "a merge is claimed that is none"
            words = f"{cause}: {words} ({said.constraint})"
            yield Breach(Guarantee.MERGING, cause, table, said.constraint, words)


def _pairs(
    told: Iterable[tuple[str, tuple[Key, ...], Named]],
    due: Iterable[tuple[str, tuple[Key, ...], Due]],
) -> Iterator[tuple[str, Named | None, Due | None]]:
    """What is told and what is due of rows of the same keys, with their table."""
    groups: dict[tuple[str, tuple[Key, ...]], tuple[list[Named], list[Due]]] = {}
    for table, keys, said in told:
        groups.setdefault((table, keys), ([], []))[0].append(said)
    for table, keys, each in due:
        groups.setdefault((table, keys), ([], []))[1].append(each)
    for (table, _), (entries, wanted) in groups.items():
        found = _agreeing(entries, wanted)
        for place, entry in found.items():
            yield table, entries[entry], wanted[place]
        rest = (entry for number, entry in enumerate(entries) if number not in found.values())
        left = (each for place, each in enumerate(wanted) if place not in found)
        for said_of, due_of in zip_longest(rest, left):
            yield table, said_of, due_of


def _agreeing(told: Sequence[Rejection | Merge], due: Sequence[Turned | Merged]) -> dict[int, int]:
    """Which of ``told`` each of ``due`` is, so that of as many as possible it may be the cause."""
    found: dict[int, int] = {}

    def settle(entry: int, tried: set[int]) -> bool:
        """Whether there is one for it, perhaps as another entry moves on to the next."""
        for place, each in enumerate(due):
            if place not in tried and _names(told[entry], each.constraints):
                tried.add(place)
                if place not in found or settle(found[place], tried):
                    found[place] = entry
                    return True
        return False

    for entry in range(len(told)):
        settle(entry, set())
    return found


def _names(told: Rejection | Merge, constraints: frozenset[str]) -> bool:
    """Whether only such constraints are named, if any."""
    return not told.constraint or set(told.constraint.split(", ")) <= constraints


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
