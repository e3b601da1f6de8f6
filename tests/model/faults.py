"""For each faulty implementation a small world in which its fault shows."""

from __future__ import annotations

from dataclasses import replace

from tests.model.small import Rows, world
from verifier.model.world import BackupForm, World

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


def world_of(name: str) -> World:
    """The world of ``faulty:name``, with a backup that the implementation makes itself."""
    return replace(world(*WORLDS[name]), form=BackupForm.OWN)
