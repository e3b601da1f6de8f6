"""Worlds drawn by Hypothesis, batch by batch: the same seed gives the same worlds."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import HypothesisException
from hypothesis.strategies import DrawFn, SearchStrategy, composite

from verifier.fuzz.catalogue import fixtures
from verifier.fuzz.slips import slip
from verifier.fuzz.subject import Subject
from verifier.model.own import Own
from verifier.model.world import Options, World
from verifier.servers import Pair

BATCH = 40
"""Worlds in a batch. Hypothesis begins each with small ones."""


@dataclass(frozen=True)
class Undrawn:
    """What stands in the place of a world that could not be drawn: a slip of ours."""

    words: str


@dataclass(frozen=True)
class Batch:
    """What was drawn for one batch."""

    worlds: list[World] = field(default_factory=list)
    undrawn: Counter[str] = field(default_factory=Counter)
    """Worlds that could not be drawn, by the words of :class:`Undrawn`."""


def invented(
    subject: Subject, pair: Pair, own: Own | None = None
) -> SearchStrategy[World | Undrawn]:
    """Worlds that ``subject`` can be put to: of invented schemas, or of somebody's ``own``."""
    worlds = fixtures("strategies").worlds(
        schema=own and own.schema,
        pools=own and own.pools,
        options=None if subject.promises else Options(),
        forms=subject.forms,
        major=min(pair.source.major, pair.target.major),
    )

    @composite
    def invented_worlds(draw: DrawFn) -> World | Undrawn:  # whose name is short, for messages
        try:
            world: World = draw(worlds)
        except HypothesisException:  # how it goes on to the next one
            raise
        except Exception as error:  # must not take the rest of the batch along
            return Undrawn(slip(error))
        return world

    return invented_worlds()


def batch(
    worlds: SearchStrategy[World | Undrawn], number: int, part: int, size: int = BATCH
) -> Batch:
    """The worlds of the batch ``part`` that follow from the seed ``number``, each once.

    There may be fewer than ``size``, where there are no more.
    """
    found: dict[str, World] = {}
    drawn = Batch()

    @seed(number * 1_000_003 + part)
    @settings(
        max_examples=size,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(worlds)
    def collect(world: World | Undrawn) -> None:
        if isinstance(world, Undrawn):
            drawn.undrawn[world.words] += 1
        else:
            found.setdefault(repr(world), world)

    collect()
    drawn.worlds.extend(found.values())
    return drawn
