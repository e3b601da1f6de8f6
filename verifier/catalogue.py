"""Where the catalogue of scenarios is."""

from __future__ import annotations

from pathlib import Path


def scenarios() -> Path:
    """The directory of the catalogue's files of scenarios."""
    return Path("scenarios")
