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
        return msgspec.json.decode(data, type=World)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"this is no world: {error}; give a file that a fuzz wrote") from None
