"""Implementations by name: the built-in ones and those of installed distributions.

A distribution offers its own under the entry point group :data:`GROUP`::

    [project.entry-points."restore_verifier.implementations"]
    acme = "acme.backups:Acme"

The value names an object with the methods of
:class:`~verifier.implementations.base.Implementation`, or a class or function
that makes one when it is called without arguments. Nothing is imported before
its name is asked for.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import cast

from verifier.errors import UsageError
from verifier.implementations.base import Implementation
from verifier.implementations.faulty import FAULTS
from verifier.implementations.guest import Guest

GROUP = "restore_verifier.implementations"

_HERE = "verifier.implementations"
_BUILT_IN: Mapping[str, str] = MappingProxyType(
    {
        "initial-load": f"{_HERE}.initial_load:InitialLoad",
        "pg_dump": f"{_HERE}.pg_dump:PgDump",
        **{name: f"{_HERE}.faulty.{fault.home}" for name, fault in FAULTS.items()},
    }
)
_MEMBERS = ("name", "not_offered", "backup", "restore")


def names() -> tuple[str, ...]:
    """Every name that can be asked for: the built-in ones first, then the installed ones."""
    installed = {point.name for point in entry_points(group=GROUP)} - _BUILT_IN.keys()
    return (*_BUILT_IN, *sorted(installed))


def implementation(name: str) -> Implementation:
    """The implementation called ``name``; a built-in one wins over an installed one.

    Raises :class:`UsageError` for an unknown name, with the closest match, and for
    an installed one that cannot be imported or lacks something of the protocol.
    """
    if name in _BUILT_IN:
        point = EntryPoint(name=name, value=_BUILT_IN[name], group=GROUP)
        return cast(Implementation, point.load()())
    found = tuple(entry_points(group=GROUP, name=name))
    if not found:
        raise UsageError(_unknown(name))
    if len(found) > 1:
        offers = " and ".join(sorted(_origin(point) for point in found))
        raise UsageError(f"implementation {name!r} is offered by {offers}; uninstall all but one")
    return _installed(found[0])


def _installed(point: EntryPoint) -> Implementation:
    """Load ``point`` and check it against the protocol, with errors that name its origin."""
    try:
        found = point.load()
        if isinstance(found, type) or (callable(found) and _missing(found)):
            found = found()
        missing = _missing(found)
    except (Exception, SystemExit) as error:
        raise UsageError(
            f"implementation {point.name!r} of {_origin(point)} cannot be loaded: "
            f"{type(error).__name__}: {error}; repair or uninstall that distribution"
        ) from error
    if missing:
        raise UsageError(
            f"implementation {point.name!r} of {_origin(point)} has no {', '.join(missing)}; "
            "it has to offer what verifier.implementations.Implementation asks for"
        )
    return Guest(cast(Implementation, found))


def _missing(found: object) -> list[str]:
    """The members of the protocol that ``found`` lacks."""
    return [
        member
        for member in _MEMBERS
        if not hasattr(found, member)
        or (member in ("backup", "restore") and not callable(getattr(found, member)))
    ]


def _origin(point: EntryPoint) -> str:
    if point.dist is None:
        return f"an unknown distribution ({point.value})"
    return f"distribution {point.dist.name} {point.dist.version} ({point.value})"


def _unknown(name: str) -> str:
    everything = names()
    close = difflib.get_close_matches(name, everything, n=1)
    if not close:
        # "upsert-by-id" is too far from "faulty:upsert-by-id" as a whole.
        parts = {known.rpartition(":")[2]: known for known in everything}
        close = [parts[part] for part in difflib.get_close_matches(name, parts, n=1)]
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return f"there is no implementation {name!r}{hint}; choose one of: {', '.join(everything)}"
