"""Worlds drawn by Hypothesis, batch by batch: the same seed gives the same worlds."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import DrawFn, SearchStrategy, composite

from verifier.fuzz.catalogue import fixtures
from verifier.fuzz.subject import Subject
from verifier.model.own import Own
from verifier.model.world import Options, World
from verifier.servers import Pair

BATCH = 40
"""Worlds in a batch. Hypothesis begins each with small ones."""


def invented(subject: Subject, pair: Pair, own: Own | None = None) -> SearchStrategy[World]:
    """Worlds that ``subject`` can be put to: of invented schemas, or of somebody's ``own``."""
    worlds = fixtures("strategies").worlds(
        schema=own and own.schema,
        pools=own and own.pools,
        options=None if subject.promises else Options(),
        forms=subject.forms,
        major=min(pair.source.major, pair.target.major),
    )

    @composite
    def invented_worlds(draw: DrawFn) -> World:  # whose name is short, for messages
        world: World = draw(worlds)
        return world

    return invented_worlds()


def batch(worlds: SearchStrategy[World], number: int, part: int, size: int = BATCH) -> list[World]:
    """The worlds of the batch ``part`` that follow from the seed ``number``, each once.

    There may be fewer than ``size``, where there are no more.
    """
    found: dict[str, World] = {}

    @seed(number * 1_000_003 + part)
    @settings(
        max_examples=size,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(worlds)
    def collect(world: World) -> None:
        found.setdefault(repr(world), world)

    collect()
    return list(found.values())
