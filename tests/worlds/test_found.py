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
SUSPECTED = {
    "child_by_name_of_a_row_whose_number_is_suspected",
    "numbers_that_are_suspected_once_their_twins_are_gone",
}
"""Rows are rejected for ``--strict-ids``, which the oracle does not know."""


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
    unknown = options.local_ids or options.quarantine or options.prefer or options.references
    beyond = unknown or path.stem in SUSPECTED
    assert said.verdict is (None if beyond else Verdict.KEPT), said.titles
