"""Each planted fault in the smallest world in which it shows: only the planted engine is wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.planted.engines import Planted
from tests.planted.plants import PLANTS
from tests.planted.smallest import WORLDS
from verifier.fuzz.judging import judge
from verifier.fuzz.subject import subject
from verifier.implementations.initial_load import InitialLoad
from verifier.model.breach import Breach
from verifier.model.possible import trouble
from verifier.model.world import World
from verifier.servers import Pair
from verifier.worlds.run import Ground


@pytest.fixture(scope="module")
def ground(servers: Pair) -> Iterator[Ground]:
    with Ground(servers) as made:
        yield made


@pytest.mark.parametrize("name", PLANTS)
def test_the_fault_shows_and_nothing_else_does(ground: Ground, name: str) -> None:
    world = WORLDS[name]
    assert len(world.schema.tables) <= 3
    assert world.size <= 6
    assert trouble(world) == []
    assert _breaches(ground, InitialLoad(), world) == ()
    assert _breaches(ground, Planted(PLANTS[name]), world)


def _breaches(ground: Ground, engine: InitialLoad, world: World) -> tuple[Breach, ...]:
    found = judge(subject(engine), ground, world)
    assert found.unmodelled == ""
    return found.breaches
