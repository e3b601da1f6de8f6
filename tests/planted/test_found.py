"""The search finds planted faults by itself, and shows each in a small world.

All of them, which takes a quarter of an hour: ``HYPOTHESIS_PROFILE=thorough pytest
tests/planted/test_found.py``. ``benchmarks/planted.py`` tells how long each takes.
"""

from __future__ import annotations

import os

import pytest

from tests.planted.hunting import hunt
from tests.planted.plants import PLANTS
from verifier.servers import Pair

QUICK = ("sequence_from_the_backup", "partial_as_full")
"""Those that show in one of the first worlds of the seed."""
SEED = 1
ALL = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"


@pytest.mark.slow
@pytest.mark.parametrize("name", PLANTS if ALL else QUICK)
def test_the_search_finds_it_and_makes_its_world_small(servers: Pair, name: str) -> None:
    found = hunt(PLANTS[name], servers, seconds=300, seed=SEED)
    assert found.failure, f"not found in {found.worlds} worlds"
    assert len(found.failure.world.schema.tables) <= 3
    assert found.failure.world.size <= 6
