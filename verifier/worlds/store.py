"""Worlds as JSON, for files and other processes."""

from __future__ import annotations

import msgspec

from verifier.errors import UsageError
from verifier.model.world import World


def encode(world: World) -> bytes:
    """``world`` as JSON, the same bytes for equal worlds."""
    return msgspec.json.encode(world, order="sorted")


def decode(data: bytes) -> World:
    """The reverse of :func:`encode`. Raises :class:`UsageError` for what is no world."""
    try:
        world = msgspec.json.decode(data, type=World)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _refused(str(error)) from None
    tables = world.schema.by_id
    for unknown in {*world.source, *world.present, *world.order} - tables.keys():
        raise _refused(f"its schema has no table {unknown}")
    for side in (world.source, world.present):
        for id, rows in side.items():
            if any(len(row) != len(tables[id].stored) for row in rows):
                raise _refused(f"a row of {id} has more or fewer values than the table columns")
    return world


def _refused(why: str) -> UsageError:
    return UsageError(f"this is no world: {why}; give one that was written by a fuzz")
