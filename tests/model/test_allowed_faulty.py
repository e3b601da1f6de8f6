"""Every faulty implementation whose fault is about data is seen in some small world."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.model.faults import WORLDS, world_of
from verifier.contract import Guarantee as G
from verifier.implementations import implementation
from verifier.implementations.faulty import FAULTY
from verifier.model.allowed import breaches
from verifier.model.world import BackupForm
from verifier.servers import Pair
from verifier.worlds.run import Ground, run

# What these do wrong is not in the rows of a world: the order in which a right result is
# written, triggers that were off, tables that are not restored, what is left on the disk or in
# sessions, backups that are no backups, passwords.
ELSEWHERE = {
    "triggers-off-and-on",
    "copied-migrations",
    "lock-file",
    "files-left",
    "session-left",
    "lenient-reader",
    "rehearsal",
    "password-in-message",
}
# Where the sequences stood in the source, only a source can tell.
OWN = ("sequences-as-in-the-backup", "setval-first")
# How an order that does not fit shows in the rows: that the restore fails.
SHOWS = {"backup-order": G.COMPLETENESS, "constraints-deferred": G.COMPLETENESS}


@pytest.fixture(scope="module")
def ground(servers: Pair) -> Iterator[Ground]:
    with Ground(servers) as made:
        yield made


def test_all_of_them_are_here() -> None:
    names = {name.removeprefix("faulty:") for name in FAULTY}
    assert names == WORLDS.keys() | ELSEWHERE
    assert not WORLDS.keys() & ELSEWHERE


@pytest.mark.parametrize("name", WORLDS)
def test_a_fault_is_seen(ground: Ground, name: str) -> None:
    given = world_of(name)
    if name not in OWN:
        given = replace(given, form=BackupForm.INSERTS)
    full = f"faulty:{name}"
    done = run(ground, implementation(full), given)
    found = breaches(given, done.claim, done.observation, done.again, before=done.before)
    assert SHOWS.get(name, FAULTY[full].breaks) in {each.guarantee for each in found}, found


@pytest.mark.parametrize("name", ["one-level", "do-nothing", "commit-per-table"])
def test_the_built_in_restore_does_nothing_wrong(ground: Ground, name: str) -> None:
    given = replace(world_of(name), form=BackupForm.INSERTS)
    done = run(ground, implementation("initial-load"), given)
    assert breaches(given, done.claim, done.observation, done.again, before=done.before) == []
