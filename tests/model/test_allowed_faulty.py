"""Every faulty implementation whose fault is about data is seen in some small world."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.model.small import Rows, world
from verifier.contract import Guarantee as G
from verifier.implementations import implementation
from verifier.implementations.faulty import FAULTY
from verifier.model.allowed import breaches
from verifier.model.world import BackupForm
from verifier.servers import Pair
from verifier.worlds.run import Ground, run

SHOP = ("1", "a", "a@x", "1.10", "Ann")
ITEM = ("1", "1", "tea", "5")
# Two shops that collide on their code, with an item each that collide in turn.
TWINS: Rows = {
    "shop": [("1", "a", None, "1", "Ann"), ("2", "a", None, "2", "Bob")],
    "item": [("1", "1", "tea", "5"), ("2", "2", "tea", "6")],
    "note": [("1", "1"), ("2", "2")],
}
ORPHAN: Rows = {"shop": [SHOP], "item": [ITEM, ("2", "9", "cup", "5")]}
PLAIN: Rows = {"shop": [SHOP], "item": [ITEM], "note": [("1", "1")]}
OLD: Rows = {"shop": [("1", "b", None, "0", "x")]}

WORLDS: dict[str, tuple[Rows, Rows]] = {
    "drop-orphans": (ORPHAN, {}),
    "do-nothing": (PLAIN, OLD),
    "rejects-the-batch": (ORPHAN, {}),
    "json-transport": ({"shop": [("1", None, None, "0.1234567890123456789", None)]}, {}),
    "empty-is-null": ({"shop": [("1", "", None, None, None)]}, {}),
    "upsert-by-id": (TWINS, {}),
    "composite-upsert": (
        {"shop": [SHOP], "item": [("2", "1", "tea", "6")], "note": [("1", "2")]},
        {"shop": [SHOP], "item": [ITEM], "note": [("2", "1")]},
    ),
    "first-duplicate-wins": (TWINS, {}),
    "one-level": (TWINS, {}),
    "backup-order": (PLAIN, {}),
    "constraints-deferred": (ORPHAN, {}),
    "foreign-keys-not-valid": (ORPHAN, {}),
    "sequences-as-in-the-backup": (PLAIN, {"item": [("7", None, "cup", "1")]}),
    "settings-left": (PLAIN, {}),
    "null-keys": ({"log": [("1", "x")]}, {}),
    "touches-updated-at": ({"deed": [("1", "2024-01-01 00:00:00")]}, {}),
    "commit-per-table": (ORPHAN, {}),
    "setval-first": (ORPHAN, {}),
    "swallow-errors": (ORPHAN, {}),
    "psql-goes-on": (PLAIN, OLD),
    "counts-the-sent": (PLAIN, OLD),
    "nameless-failure": (ORPHAN, {}),
    "truncate-first": (PLAIN, {"shop": [("2", "b", None, "0", "x")]}),
}
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
    source, present = WORLDS[name]
    # Where the sequences stood in the source, only a source can tell.
    form = BackupForm.OWN if name in OWN else BackupForm.INSERTS
    given = replace(world(source, present), form=form)
    full = f"faulty:{name}"
    done = run(ground, implementation(full), given)
    found = breaches(given, done.claim, done.observation, done.again, before=done.before)
    assert SHOWS.get(name, FAULTY[full].breaks) in {each.guarantee for each in found}, found


@pytest.mark.parametrize("name", ["plain", "old", "twins", "orphan"])
def test_the_built_in_restore_does_nothing_wrong(ground: Ground, name: str) -> None:
    source, present = {
        "plain": (PLAIN, {}),
        "old": (PLAIN, OLD),
        "twins": (TWINS, {}),
        "orphan": (ORPHAN, {}),
    }[name]
    given = replace(world(source, present), form=BackupForm.INSERTS)
    done = run(ground, implementation("initial-load"), given)
    assert breaches(given, done.claim, done.observation, done.again, before=done.before) == []
