"""What the harness's own tests share: one pair of real servers of different versions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from verifier.config import Config, ServerKind
from verifier.servers import Pair, choose

# Each of these takes minutes: with ``--dist loadfile`` one worker has a file for itself,
# and would end long after the others if it began with one of them at the end.
_LONGEST = (
    "test_matrix.py",
    "test_selftest.py",
    "test_scenarios_can_fail.py",
    "test_shop_scenarios_can_fail.py",
    "test_example_prisma.py",
    "test_faults_can_fail.py",
    "test_benchmarks.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first."""
    places = {name: place for place, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


@pytest.fixture(scope="session")
def servers() -> Iterator[Pair]:
    """Embedded PostgreSQL 16 as the source and 18 as the target."""
    config = Config(servers=ServerKind.EMBEDDED, source_version=16, target_version=18)
    with choose(config).start() as pair:
        yield pair
