"""Whether a world can be: its rows keep the constraints of the side that they are on."""

from __future__ import annotations

from verifier.model.expressions import Ask, refuse
from verifier.model.rules import violations
from verifier.model.world import World


def trouble(world: World, ask: Ask = refuse) -> list[str]:
    """What stands in the way of the world, a sentence each; nothing: it is possible.

    The target holds ``present`` under all constraints, the source what it has under those that
    it does not lack. What is not modelled, and ``ask`` does not know either, is taken to be
    right.
    """
    sides = (("target", world.present, frozenset[str]()), ("source", world.source, world.lacks))
    return [
        f"in the {side}, {violation}"
        for side, rows, lacks in sides
        for violation in violations(world.schema, rows, lacks, ask)
    ]
