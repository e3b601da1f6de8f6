"""Worlds that the search once found something in, each in the smallest form.

Engine, model, contract and oracle are of one mind about them now. A world that is found goes
into ``found/`` as ``restore-verifier fuzz`` wrote it, under a name that says what it is about.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from verifier.contract import Guarantee, Verdict
from verifier.fuzz.confirming import confirm
from verifier.fuzz.judging import judge
from verifier.fuzz.subject import subject
from verifier.implementations.initial_load import InitialLoad
from verifier.servers import Pair
from verifier.worlds.run import Ground
from verifier.worlds.store import decode

WORLDS = sorted((Path(__file__).parent / "found").glob("*.json"))


@pytest.fixture(scope="module")
def ground(servers: Pair) -> Iterator[Ground]:
    with Ground(servers) as ground:
        yield ground


@pytest.mark.parametrize("path", WORLDS, ids=lambda path: path.stem)
def test_world_in_which_something_was_found(
    servers: Pair, ground: Ground, path: Path, tmp_path: Path
) -> None:
    world = decode(path.read_bytes())
    tested = subject(InitialLoad())
    judged = judge(tested, ground, world)
    assert judged.breaches == ()
    assert judged.unmodelled == ""
    said = confirm(world, Guarantee.COMPLETENESS, tested.implementation, servers, tmp_path)
    options = world.options
    # What the oracle does not know.
    numbers = options.local_ids or options.strict_ids
    beyond = numbers or options.quarantine or options.prefer or options.references
    assert said.verdict is (None if beyond else Verdict.KEPT), said.titles
