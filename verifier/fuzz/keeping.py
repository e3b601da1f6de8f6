"""Failing worlds of earlier runs, which the next one tries first."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from hypothesis.database import DirectoryBasedExampleDatabase

from verifier.errors import UsageError
from verifier.model.world import World
from verifier.worlds.store import decode, encode

PLACE = Path(".restore-verifier") / "worlds"
"""Where they are unless something else is said."""


class Kept:
    """The worlds of one implementation, on one schema or on invented ones, in ``directory``."""

    def __init__(self, directory: Path, implementation: str, schema: str = "") -> None:
        self._database = DirectoryBasedExampleDatabase(directory)
        self._key = sha256("\0".join((implementation, schema)).encode()).digest()
        self.unreadable = 0
        """Entries that another version wrote; they are gone."""

    def fetch(self) -> list[World]:
        """The worlds that there are."""
        worlds = []
        for value in sorted(self._database.fetch(self._key)):
            try:
                worlds.append(decode(value))
            except UsageError:
                self._database.delete(self._key, value)
                self.unreadable += 1
        return worlds

    def replace(self, gone: Iterable[World], new: Iterable[World]) -> None:
        """Keep ``new`` ones, and no longer those of ``gone``."""
        for world in gone:
            self._database.delete(self._key, encode(world))
        for world in new:
            self._database.save(self._key, encode(world))
