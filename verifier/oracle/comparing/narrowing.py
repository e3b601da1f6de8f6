"""Which rows differ: two streams of digests in buckets, ordered, merged as they come."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest

from verifier.comparison import RowKind

SEPARATOR = ";"
"""Between the rows of a bucket."""

Bucket = tuple[int, str, str]
"""Number of the bucket; its rows in order, each as ``KEY ROW`` (two digests), or in a table
without key ``ROW COUNT``, one for all equal rows; and, in the same order, where they are.
Whole buckets travel because a message a row would be slow, and because two that are equal
need not be taken apart."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a differing row is on either side; empty where there is none."""

    kind: RowKind
    key: int
    source: str
    target: str
    count: int = 1


@dataclass(slots=True)
class Narrowed:
    """What differs: exact counts, and the places of some, of each kind up to a limit."""

    limit: int
    counts: Counter[RowKind] = field(default_factory=Counter)
    _places: dict[RowKind, list[Place]] = field(default_factory=dict)

    def add(self, place: Place) -> None:
        self.counts[place.kind] += place.count
        kept = self._places.setdefault(place.kind, [])
        if len(kept) < self.limit:
            kept.append(place)

    def places(self) -> list[Place]:
        """At most ``limit``, of each kind as many as of the others where there are enough."""
        taken = [place for turn in zip_longest(*self._places.values()) for place in turn if place]
        return taken[: self.limit]


def narrow(
    source: Iterable[Bucket], target: Iterable[Bucket], *, keyed: bool, limit: int
) -> Narrowed:
    """Compare two streams, both in the order of their buckets.

    Memory is bounded by the rows of one bucket, whatever differs.
    """
    found = Narrowed(limit)
    ours, theirs = iter(source), iter(target)
    one, other = next(ours, None), next(theirs, None)
    while one is not None or other is not None:
        if other is None or (one is not None and one[0] < other[0]):
            _compare(found, one, None, keyed)
            one = next(ours, None)
        elif one is None or other[0] < one[0]:
            _compare(found, None, other, keyed)
            other = next(theirs, None)
        else:
            if one[1] != other[1]:
                _compare(found, one, other, keyed)
            one, other = next(ours, None), next(theirs, None)
    return found


def _compare(found: Narrowed, source: Bucket | None, target: Bucket | None, keyed: bool) -> None:
    """Take in the rows of one bucket that the two sides do not share, key by key."""
    if not keyed:
        _count(found, source, target)
        return
    ours, theirs = _digests(source), _digests(target)
    missing = _places(source, ours, _surplus(ours, theirs))
    extra = _places(target, theirs, _surplus(theirs, ours))
    before, after = _by_key(missing), _by_key(extra)
    for key in sorted(before.keys() | after.keys()):
        for here, there in zip_longest(before.get(key, ()), after.get(key, ()), fillvalue=""):
            kind = RowKind.CHANGED if here and there else RowKind.MISSING if here else RowKind.EXTRA
            found.add(Place(kind, key, here, there))


def _count(found: Narrowed, source: Bucket | None, target: Bucket | None) -> None:
    """The same of a table without key: there are too few or too many of equal rows."""
    ours, theirs = _counted(source), _counted(target)
    for row in sorted(ours.keys() | theirs.keys()):
        (here, place), (there, other) = ours.get(row, (0, "")), theirs.get(row, (0, ""))
        if here > there:
            found.add(Place(RowKind.MISSING, row, place, "", here - there))
        elif there > here:
            found.add(Place(RowKind.EXTRA, row, "", other, there - here))


def _counted(bucket: Bucket | None) -> dict[int, tuple[int, str]]:
    """Digest → how many rows have it, and where one of them is."""
    if bucket is None:
        return {}
    rows = (each.split() for each in _digests(bucket))
    places = bucket[2].split(SEPARATOR)
    return {int(row): (int(count), place) for (row, count), place in zip(rows, places, strict=True)}


def _digests(bucket: Bucket | None) -> list[str]:
    return bucket[1].split(SEPARATOR) if bucket else []


def _surplus(rows: list[str], others: list[str]) -> Mapping[str, int]:
    """How many more of each row there are than among the others."""
    here, there = set(rows), set(others)
    if len(here) == len(rows) and len(there) == len(others):
        return dict.fromkeys(here - there, 1)  # the common case, and much the faster one
    return Counter(rows) - Counter(others)


def _places(
    bucket: Bucket | None, digests: list[str], wanted: Mapping[str, int]
) -> dict[str, list[str]]:
    """Where those rows of a bucket are that are wanted."""
    found: dict[str, list[str]] = defaultdict(list)
    if bucket is None or not wanted:
        return found
    places = bucket[2].split(SEPARATOR)
    for position in [n for n, digest in enumerate(digests) if digest in wanted]:
        digest = digests[position]
        if len(found[digest]) < wanted[digest]:
            found[digest].append(places[position])
    return found


def _key(digests: str) -> int:
    return int(digests.partition(" ")[0])


def _by_key(rows: Mapping[str, list[str]]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    for digests, places in rows.items():
        found[_key(digests)] += places
    return found
