"""What stands beside the package and in a wheel inside of it: the strategies, and fixtures."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType

from verifier.catalogue import root


def fixtures(name: str) -> ModuleType:
    """The module ``fixtures.NAME`` that belongs to this package.

    Raises :class:`~verifier.errors.UsageError` where the package was taken from its place
    without it.
    """
    place = str(root())
    if place not in sys.path:
        sys.path.insert(0, place)
    return import_module(f"fixtures.{name}")
