"""Implementations that are Python objects: loaded, made, and held to the protocol."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from verifier.errors import UsageError
from verifier.implementations.base import Implementation
from verifier.implementations.guest import Guest

MEMBERS = ("name", "not_offered", "backup", "restore")
_NAME = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*:[^\W\d]\w*(?:\.[^\W\d]\w*)*")


def is_object(name: str) -> bool:
    """Whether ``name`` is a ``module:attribute``."""
    return _NAME.fullmatch(name) is not None


def hosted(load: Callable[[], object], what: str, advice: str) -> Implementation:
    """The implementation that ``load`` finds, made if it is a class or a function.

    Raises :class:`UsageError`, which says ``what`` could not be loaded, and ``advice``.
    """
    return Guest(cast(Implementation, made(load, what, advice, MEMBERS)))


def made(load: Callable[[], object], what: str, advice: str, members: Sequence[str]) -> object:
    """The object that ``load`` finds, or that what it finds makes, with ``members``."""

    def make() -> object:
        found = load()
        if isinstance(found, type) or (callable(found) and missing(found, members)):
            return found()
        return found

    found = loaded(make, what, advice)
    lacking = missing(found, members)
    if lacking:
        raise UsageError(
            f"{what} has no {', '.join(lacking)}; "
            "it has to offer what verifier.implementations.Implementation asks for"
        )
    return found


def loaded(load: Callable[[], object], what: str, advice: str) -> object:
    """What ``load`` finds; raises :class:`UsageError` for whatever it raises."""
    try:
        return load()
    except (Exception, SystemExit) as error:
        raise UsageError(
            f"{what} cannot be loaded: {type(error).__name__}: {error}; {advice}"
        ) from error


def missing(found: object, members: Sequence[str] = MEMBERS) -> list[str]:
    """The members that ``found`` lacks."""
    return [
        member
        for member in members
        if not hasattr(found, member)
        or (member in ("backup", "restore") and not callable(getattr(found, member)))
    ]


def finder(name: str, directory: Path) -> Callable[[], object]:
    """Loads what ``module:attribute`` names; modules in ``directory`` are found last."""

    def find() -> object:
        if str(directory) not in sys.path:
            sys.path.append(str(directory))
        module, _, path = name.partition(":")
        found: object = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
        return found

    return find


def advice(directory: Path) -> str:
    """Where modules are looked for, for an error."""
    return f"modules are looked for where Python finds them, and in {directory}"
