"""The search set on a planted engine, and the time it takes until the fault is found."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count

from tests.planted.engines import Planted
from tests.planted.planter import Plant
from verifier.fuzz.drawing import batch, invented
from verifier.fuzz.failure import Failure
from verifier.fuzz.judging import judge
from verifier.fuzz.searching import Known, Search
from verifier.fuzz.subject import subject
from verifier.implementations.initial_load import InitialLoad
from verifier.model.breach import Breach
from verifier.model.world import World
from verifier.servers import Pair
from verifier.worlds.run import Ground


@dataclass(frozen=True, kw_only=True)
class Hunt:
    """What became of the search for one fault, in one process."""

    plant: Plant
    worlds: int
    """Restored until it was found."""
    seconds: float
    """Until it was found."""
    shrinking: float = 0.0
    """Seconds that it took to make the world small."""
    failure: Failure | None = None
    """``None``: not found."""


def hunt(plant: Plant, pair: Pair, *, seconds: float, seed: int, shrink: float = 60.0) -> Hunt:
    """Search for at most ``seconds`` (and ``shrink`` more) for a world in which ``plant`` shows.

    What the engine does without it, too, is not the fault.
    """
    tested = subject(Planted(plant))
    with Ground(pair) as ground:
        watch = _Watch(ground)
        with Search(tested, pair, watch, shrink_seconds=shrink) as search:
            for part in count():
                for world in batch(invented(tested, pair), seed, part).worlds:
                    if watch.elapsed() > seconds:
                        return Hunt(plant=plant, worlds=search.tally.worlds, seconds=seconds)
                    for failure in search.consider(world):
                        if not watch.is_ours(failure.world):
                            continue  # made small, it became another failure
                        return Hunt(
                            plant=plant,
                            worlds=search.tally.worlds,
                            seconds=watch.found,
                            shrinking=watch.elapsed() - watch.found,
                            failure=failure,
                        )
    raise AssertionError("the batches do not end")


class _Watch(Known):
    """Wants what the engine does not do without the fault, and takes the time."""

    def __init__(self, ground: Ground) -> None:
        super().__init__()
        self._ground = ground
        self._began = time.monotonic()
        self.found = 0.0

    def elapsed(self) -> float:
        return time.monotonic() - self._began

    def is_ours(self, world: World) -> bool:
        """Whether nothing is wrong there without the fault."""
        return not judge(subject(InitialLoad()), self._ground, world).breaches

    def wanted(self, world: World, breaches: Iterable[Breach]) -> list[Breach]:
        if not breaches:
            return []
        found = self.elapsed()
        new = super().wanted(world, breaches if self.is_ours(world) else ())
        if new:
            self.found = found
        return new
