"""What one restore of one world did wrong."""

from __future__ import annotations

from dataclasses import dataclass

from verifier.contract import Guarantee


class NotModelled(Exception):
    """The model does not know what PostgreSQL makes of this, and nobody was there to ask."""


@dataclass(frozen=True)
class Breach:
    """One broken guarantee."""

    guarantee: Guarantee
    cause: str
    """A short phrase that is the same for every world: no values, no generated names.
    Breaches with one guarantee and one cause are one failure."""
    table: str = ""
    constraint: str = ""
    words: str = ""
    """One sentence with the table, the key and the values."""
