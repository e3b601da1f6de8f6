"""What happens to a restore, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

EVERY = 20
"""Of so many worlds one is restored with an interruption, too: it takes as long as ten."""


class Kind(StrEnum):
    """What happens to the restore."""

    KILL = "kill"
    CUT = "cut"
    TERMINATE = "terminate"


_WORDS = {
    Kind.KILL: "its process is killed",
    Kind.CUT: "its connection is cut",
    Kind.TERMINATE: "its session is terminated",
}


@dataclass(frozen=True)
class Interrupted:
    """What happens to a restore, and when: after a share (0 to 1) of the bytes that it sends."""

    kind: Kind
    share: float

    def __str__(self) -> str:
        return f"{_WORDS[self.kind]} after {self.share:.0%} of what it sends"

    @property
    def call(self) -> str:
        """As a scenario writes it."""
        return f"faults.{self.kind}(share={self.share})"


def interruption(seed: int, part: int, number: int) -> Interrupted | None:
    """What happens in the world ``number`` of a batch; in most of them nothing does."""
    if number % EVERY != EVERY - 1:
        return None
    mixed = seed + 31 * part + number // EVERY
    return Interrupted(list(Kind)[mixed % len(Kind)], (1 + mixed * 61 % 97) / 100)
