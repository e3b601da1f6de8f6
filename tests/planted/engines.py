"""The planted engines as implementations under test: ``tests.planted.engines:NAME``."""

from __future__ import annotations

from dataclasses import replace

from tests.planted.planter import Plant, engine
from tests.planted.plants import PLANTS
from verifier.contract import Claim
from verifier.implementations.base import Backup, Endpoint
from verifier.implementations.initial_load import InitialLoad


class Planted(InitialLoad):
    """The built-in implementation; its restore has a fault."""

    def __init__(self, plant: Plant) -> None:
        super().__init__()
        self.name = f"planted:{plant.name}"
        self._engine = engine(plant)

    def restore(self, backup: Backup, target: Endpoint) -> Claim:
        (path,) = backup.files
        options = replace(self._to_restore, control_tables=target.control_tables)
        claim: Claim = self._engine.restore(path, target.dsn, options)
        return claim


def __getattr__(name: str) -> Planted:
    if name not in PLANTS:
        raise AttributeError(name)
    return Planted(PLANTS[name])
