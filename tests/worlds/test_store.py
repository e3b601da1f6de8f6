"""Worlds survive being written down, and nothing else is taken for one."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, seed, settings

from fixtures.strategies import worlds
from verifier.errors import UsageError
from verifier.model.schema import Column, Schema, Table
from verifier.model.world import World
from verifier.worlds import store

WORLD = World(
    schema=Schema(tables=(Table(name="t", columns=(Column(name="c", type="text"),)),)),
    source={"public.t": (("a",), (None,))},
)


@seed(6)
@settings(max_examples=60, database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(worlds())
def test_round_trip(world: World) -> None:
    written = store.encode(world)
    assert store.decode(written) == world
    assert store.encode(store.decode(written)) == written


@pytest.mark.parametrize(
    "change",
    [
        {"source": {"public.t": [["a", "b"]]}},
        {"source": {"public.gone": []}},
        {"present": {"public.t": [[1]]}},
        {"order": ["public.gone"]},
        {"form": "parchment"},
        {"schema": {}},
        {"lacks": None},
    ],
)
def test_nonsense_is_refused(change: dict[str, object]) -> None:
    content = json.loads(store.encode(WORLD)) | change
    with pytest.raises(UsageError, match="this is no world"):
        store.decode(json.dumps(content).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff", b'{"schema":' * 100_000])
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(UsageError, match="this is no world"):
        store.decode(data)
