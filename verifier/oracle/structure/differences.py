"""What differs between two inventories."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from verifier.comparison import ObjectChange
from verifier.oracle.structure.model import CLUSTER_WIDE, GONE, KINDS, Key, SchemaObject
from verifier.oracle.structure.remedy import remedy
from verifier.oracle.structure.texts import same_view

Inventory = Mapping[Key, SchemaObject]
_VIEWS = ("view", "materialised view")
_SINCE = {("range type", "multirange_type_name"): 14}
"""Properties that an earlier version has no equal of, not even a default."""
_PRINTED_ANEW = 16
_BRINGS = {"sequence": "identity", "check": "no inherit"}
"""Kind of something that is there or not because of this property of what it follows."""
_ORDER = {kind: place for place, kind in enumerate(KINDS)}


@dataclass(frozen=True, slots=True)
class _Pair:
    """One object on both sides, as far as it differs; ``None`` where a side has none."""

    source: SchemaObject | None
    target: SchemaObject | None
    differing: tuple[str, ...] = ()

    @property
    def found(self) -> SchemaObject:
        held = self.source or self.target
        assert held is not None
        return held

    def values(self, side: SchemaObject | None) -> dict[str, str | None] | None:
        if side is None:
            return None
        if not self.differing:
            return dict(side.properties)
        return {name: side.properties.get(name) for name in self.differing}


def compare(source: Inventory, target: Inventory, *, majors: tuple[int, int]) -> list[ObjectChange]:
    """The differences between two databases of major versions ``majors``.

    By kind, what others are made of first, then by name. What goes with something else
    that is missing or was changed in the same way is left out. Properties that name what
    belongs to the server (:data:`~.model.CLUSTER_WIDE`) are not compared.
    """
    return _changes(source, target, majors, CLUSTER_WIDE)


def changes_within(before: Inventory, after: Inventory) -> list[ObjectChange]:
    """The differences between two states of databases on one server, its roles included."""
    return _changes(before, after, (0, 0), frozenset())


def _changes(
    source: Inventory, target: Inventory, majors: tuple[int, int], without: frozenset[str]
) -> list[ObjectChange]:
    pairs = dict(_pairs(source, target, majors, without))
    kept = [pair for pair in pairs.values() if not _said_elsewhere(pair, pairs)]
    kept.sort(key=lambda pair: (_ORDER[pair.found.kind], pair.found.name))
    return [
        ObjectChange(
            pair.found.kind,
            pair.found.name,
            pair.values(pair.source),
            pair.values(pair.target),
            pair.found.relation,
            remedy(pair.source, pair.target, pair.differing),
        )
        for pair in kept
    ]


def _pairs(
    source: Inventory, target: Inventory, majors: tuple[int, int], without: frozenset[str]
) -> Iterator[tuple[Key, _Pair]]:
    for key in source.keys() | target.keys():
        ours, theirs = source.get(key), target.get(key)
        if ours is None or theirs is None:
            yield key, _Pair(ours, theirs)
            continue
        if ours.properties == theirs.properties and not ours.torn:
            continue
        names = dict.fromkeys([*ours.properties, *theirs.properties])
        differing = tuple(
            name for name in names if name not in without and not _equal(ours, theirs, name, majors)
        )
        if differing:
            yield key, _Pair(ours, theirs, differing)


def _equal(source: SchemaObject, target: SchemaObject, name: str, majors: tuple[int, int]) -> bool:
    ours, theirs = source.properties.get(name), target.properties.get(name)
    if GONE in (ours or "") or GONE in (theirs or ""):
        return False
    if ours == theirs:
        return True
    if source.kind == "extension" and name.startswith("version"):
        return _same_release(source, target, majors)
    if min(majors) < _SINCE.get((source.kind, name), 0):
        return True
    if source.kind in _VIEWS and name == "definition" and ours and theirs:
        older, newer = (ours, theirs) if majors[0] < majors[1] else (theirs, ours)
        return min(majors) < _PRINTED_ANEW <= max(majors) and same_view(older, newer)
    return False


def _same_release(source: SchemaObject, target: SchemaObject, majors: tuple[int, int]) -> bool:
    """Each major brings its own version of an extension; that is no difference of databases."""
    own = "version is the server's own"
    both = source.properties.get(own) == target.properties.get(own) == "yes"
    return both and majors[0] != majors[1]


def _said_elsewhere(pair: _Pair, pairs: Mapping[Key, _Pair]) -> bool:
    """Whether the change of something that the object goes with says it all."""
    return any(_implied(pair, pairs[key]) for key in pair.found.follows if key in pairs)


def _implied(pair: _Pair, above: _Pair) -> bool:
    if not above.differing:  # there on one side only
        return (pair.source is None, pair.target is None) == (
            above.source is None,
            above.target is None,
        )
    if pair.found.kind == "column" and above.found.kind in _VIEWS:
        return "definition" in above.differing
    if not pair.differing:
        return _BRINGS.get(pair.found.kind) in above.differing
    return all(
        name in above.differing
        and pair.source is not None
        and pair.target is not None
        and above.source is not None
        and above.target is not None
        and pair.source.properties.get(name) == above.source.properties.get(name)
        and pair.target.properties.get(name) == above.target.properties.get(name)
        for name in pair.differing
    )
