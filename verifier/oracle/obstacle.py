"""Why a row of the source cannot be restored."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a source row cannot be restored."""

    reason: str
    constraint: str
    sql: str = ""
