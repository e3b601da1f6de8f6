"""The planting itself: every fault is in its copy, and nowhere else."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import ModuleType

import pytest

from tests.planted import engines
from tests.planted.planter import NotPlanted, Plant, engine
from tests.planted.plants import PLANTS
from tests.planted.smallest import WORLDS
from verifier import initial_load
from verifier.errors import UsageError
from verifier.implementations.registry import implementation

PLANT = next(iter(PLANTS.values()))


def test_every_fault_has_a_world_and_one_place() -> None:
    assert PLANTS.keys() == WORLDS.keys()
    assert len(PLANTS) >= 12
    assert len({(plant.file, plant.old, plant.new) for plant in PLANTS.values()}) == len(PLANTS)


@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS)
def test_every_fault_is_planted(plant: Plant) -> None:
    made = engine(plant)
    assert f"{plant.package}.{plant.file.removesuffix('.py')}" in sys.modules
    # None of them leads back to the engine as it is.
    for name in _modules(plant.package):
        assert not [each for each in vars(sys.modules[name]).values() if _original(each)]
    assert made.restore is not initial_load.restore
    assert engine(plant) is made


@pytest.mark.parametrize("old", ["no such text", "import"])
def test_a_text_that_is_not_there_once_is_an_error(old: str) -> None:
    with pytest.raises(NotPlanted, match=r"match\.py holds the text that it replaces"):
        engine(replace(PLANT, name="elsewhere", file="match.py", old=old))


def test_a_planted_engine_is_an_implementation_by_its_name() -> None:
    found = implementation(f"{engines.__name__}:{PLANT.name}")
    assert found.name == f"planted:{PLANT.name}"
    with pytest.raises(UsageError, match="no_such_fault"):
        implementation(f"{engines.__name__}:no_such_fault")


def _modules(package: str) -> list[str]:
    return [name for name in sys.modules if name == package or name.startswith(f"{package}.")]


def _original(value: object) -> bool:
    home = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", "")
    return str(home).startswith(initial_load.__name__)
