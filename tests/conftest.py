"""What the harness's own tests share: one pair of real servers of different versions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from verifier.config import Config, ServerKind
from verifier.servers import Pair, choose


@pytest.fixture(scope="session")
def servers() -> Iterator[Pair]:
    """Embedded PostgreSQL 16 as the source and 18 as the target."""
    config = Config(servers=ServerKind.EMBEDDED, source_version=16, target_version=18)
    with choose(config).start() as pair:
        yield pair
