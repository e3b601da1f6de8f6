"""Copies of the built-in engine with one fault each, made while they are imported.

The source of ``verifier.initial_load`` is read as it is, served under another package name,
and changed in one place on the way. Nothing is written to a disk.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from verifier import initial_load

ORIGINAL = initial_load.__name__
_HOME = Path(initial_load.__file__).parent
_PREFIX = "planted_"


@dataclass(frozen=True, kw_only=True)
class Plant:
    """One fault: ``old`` of the engine's ``file`` becomes ``new``."""

    name: str
    """A Python name."""
    says: str
    """What is wrong with such an engine, in one sentence."""
    file: str
    """Within the package."""
    old: str
    """Stands there exactly once."""
    new: str

    @property
    def package(self) -> str:
        return _PREFIX + self.name


class NotPlanted(Exception):
    """The engine has changed, and the text that the fault replaces is not there once."""


def engine(plant: Plant) -> ModuleType:
    """The package with the fault in it. Raises :class:`NotPlanted`."""
    planted(plant, (_HOME / plant.file).read_text("utf-8"))
    if not any(isinstance(finder, _Finder) and finder.plant == plant for finder in sys.meta_path):
        # Before the usual one, which would find submodules as they are.
        sys.meta_path.insert(0, _Finder(plant))
    return importlib.import_module(plant.package)


def planted(plant: Plant, source: str) -> str:
    """The text of the plant's file with the fault in it. Raises :class:`NotPlanted`."""
    found = source.count(plant.old)
    if found != 1:
        raise NotPlanted(
            f"{plant.name}: {plant.file} holds the text that it replaces {found} times; "
            f"say anew what it replaces:\n{plant.old}"
        )
    return source.replace(plant.old, plant.new)


class _Finder:
    """Finds the modules of one planted package where the engine's own are."""

    def __init__(self, plant: Plant) -> None:
        self.plant = plant

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        first, *rest = name.split(".")
        if first != self.plant.package:
            return None
        place = _HOME.joinpath(*rest)
        package = place.is_dir()
        file = place / "__init__.py" if package else place.with_suffix(".py")
        if not file.is_file():
            return None
        return spec_from_file_location(
            name,
            file,
            loader=_Loader(name, str(file), self.plant),
            submodule_search_locations=[str(place)] if package else None,
        )


class _Loader(SourceFileLoader):
    def __init__(self, name: str, path: str, plant: Plant) -> None:
        super().__init__(name, path)
        self._plant = plant

    def get_data(self, path: str) -> bytes:
        source = Path(path).read_text("utf-8")
        if Path(path) == _HOME / self._plant.file:
            source = planted(self._plant, source)
        return source.replace(ORIGINAL, self._plant.package).encode()

    def path_stats(self, path: str) -> dict[str, Any]:
        # Then nothing is taken from, and nothing left in, the cache of the engine as it is.
        raise OSError(f"{path} is changed while it is read")
