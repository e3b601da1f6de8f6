"""What was found: a world in which an implementation breaks a guarantee."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from verifier.contract import Claim, Guarantee, Verdict
from verifier.fuzz.interrupted import Interrupted
from verifier.model.breach import Breach
from verifier.model.schema import Row
from verifier.model.world import World

Cause = tuple[Guarantee, str]
"""What failures are told apart by."""


def cause_of(breach: Breach) -> Cause:
    """What makes ``breach`` the same failure as another one."""
    return breach.guarantee, breach.cause


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """What the oracle says of the same world, run as a scenario."""

    verdict: Verdict | None
    """``None``: the scenario could not be run."""
    titles: tuple[str, ...] = ()
    """Of its findings, worst first; or why it could not be run."""
    guarantees: frozenset[Guarantee] = frozenset()
    """Those that it finds broken."""
    written: bool = False
    """The implementation had to be given the backup as the world has it: with its own backup of
    the source nothing is broken."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """One distinct failure, in the smallest world that was found for it."""

    implementation: str
    world: World
    breaches: tuple[Breach, ...]
    """The first is what the world was made small for; the others show in it, too."""
    claim: Claim | None = None
    """``None``: it said nothing, for it did not come to an end."""
    expected: Mapping[str, tuple[Row, ...]] | None = None
    """What the target should hold by the model; ``None`` where that is not known."""
    observed: Mapping[str, tuple[Row, ...]] | None = None
    first_size: int = 0
    """Rows of the world in which it was met first."""
    finished: bool = True
    """Nothing more could be taken away from the world; else the time for it was up."""
    agreement: Agreement | None = None
    interrupted: Interrupted | None = None
    """What happened to the restore; only the oracle judged it then."""

    @property
    def breach(self) -> Breach:
        return self.breaches[0]

    @property
    def cause(self) -> Cause:
        return cause_of(self.breach)
