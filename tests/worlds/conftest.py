"""How long worlds are looked for, and the servers for them."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.worlds.place import Place
from verifier.servers import Pair

# A failure is explained by the world itself, and looking for an explanation takes long.
_PHASES = tuple(phase for phase in Phase if phase is not Phase.explain)
_SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
_COMMON = settings(deadline=None, phases=_PHASES, suppress_health_check=_SLOW)
settings.register_profile(
    "worlds", _COMMON, max_examples=8, derandomize=True, database=None, stateful_step_count=12
)
settings.register_profile("thorough", _COMMON, max_examples=800, stateful_step_count=40)
WORLDS = settings.get_profile(os.environ.get("HYPOTHESIS_PROFILE", "worlds"))
"""``HYPOTHESIS_PROFILE=thorough`` looks at other worlds each time, and at many."""


@pytest.fixture(scope="module")
def place(servers: Pair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = Place(servers, tmp_path_factory.mktemp("place"))
    yield made
    made.close()
