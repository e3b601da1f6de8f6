"""Implementations by name: built-in, configured, installed, or a Python object.

A distribution offers its own under the entry point group :data:`GROUP`::

    [project.entry-points."restore_verifier.implementations"]
    acme = "acme.backups:Acme"

The value names an object with the methods of
:class:`~verifier.implementations.base.Implementation`, or a class or function
that makes one when it is called without arguments. The same can be named without
an entry point, as ``module:attribute``, and configured without a line of Python
(:mod:`verifier.implementations.configured`). Nothing is imported before its name is
asked for.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import cast

from verifier.errors import UsageError
from verifier.implementations.base import Implementation
from verifier.implementations.configured import Configured, configured
from verifier.implementations.faulty import FAULTY
from verifier.implementations.objects import advice, finder, hosted, is_object
from verifier.settings import Definitions

GROUP = "restore_verifier.implementations"

_HERE = "verifier.implementations"
_BUILT_IN: Mapping[str, str] = MappingProxyType(
    {
        "initial-load": f"{_HERE}.initial_load:InitialLoad",
        "pg_dump": f"{_HERE}.pg_dump:PgDump",
        **{name: f"{_HERE}.faulty.{faulty.home}" for name, faulty in FAULTY.items()},
    }
)
_NONE = Definitions()


def names(definitions: Definitions = _NONE) -> tuple[str, ...]:
    """Every name that can be asked for: built-in ones first, then configured, then installed."""
    installed = {point.name for point in entry_points(group=GROUP)}
    others = sorted(installed - _BUILT_IN.keys() - definitions.tables.keys())
    return (*_BUILT_IN, *_own(definitions), *others)


def kinds(definitions: Definitions) -> dict[str, str]:
    """Each name and what is behind it, in a few words.

    Raises :class:`UsageError` for a configured one that cannot be right.
    """
    found = dict.fromkeys(names(definitions), "installed") | dict.fromkeys(_BUILT_IN, "built in")
    for name in definitions.tables:
        one = implementation(name, definitions)
        found[name] = f"configured: {one.kind}" if isinstance(one, Configured) else "configured"
    return found


def implementation(name: str, definitions: Definitions = _NONE) -> Implementation:
    """The implementation called ``name``, or the object that ``module:attribute`` names.

    A built-in one wins over an installed one, and so does one of ``definitions``. Raises
    :class:`UsageError` for an unknown name, with the closest match, for one that cannot be
    loaded or lacks something of the protocol, and for definitions that cannot be right.
    """
    _own(definitions)
    return _named(name, definitions, ())


def _own(definitions: Definitions) -> tuple[str, ...]:
    """The configured names, none of which may be a built-in one's."""
    for name in definitions.tables:
        if name in _BUILT_IN:
            raise UsageError(
                f"[{definitions.name}.{name}] of {definitions.file} has the name of a built-in "
                "implementation; give it another one"
            )
    return tuple(definitions.tables)


def _named(name: str, definitions: Definitions, asking: tuple[str, ...]) -> Implementation:
    """``asking`` are the configured ones that take a half of ``name``, outermost first."""
    if name in asking:
        ring = " -> ".join((*asking[asking.index(name) :], name))
        raise UsageError(f"implementation {name!r} is made of itself: {ring}; name another one")
    if name in _BUILT_IN:
        point = EntryPoint(name=name, value=_BUILT_IN[name], group=GROUP)
        return cast(Implementation, point.load()())
    if name in definitions.tables:
        return configured(
            name, definitions, lambda other: _named(other, definitions, (*asking, name))
        )
    found = tuple(entry_points(group=GROUP, name=name))
    if len(found) > 1:
        offers = " and ".join(sorted(_origin(point) for point in found))
        raise UsageError(f"implementation {name!r} is offered by {offers}; uninstall all but one")
    if found:
        (point,) = found
        what = f"implementation {point.name!r} of {_origin(point)}"
        return hosted(point.load, what, "repair or uninstall that distribution")
    if is_object(name):
        place = definitions.directory.absolute()
        what = f"implementation {name!r}{_hint(name, names(definitions))}"
        return hosted(finder(name, place), what, advice(place))
    raise UsageError(_unknown(name, definitions))


def _origin(point: EntryPoint) -> str:
    if point.dist is None:
        return f"an unknown distribution ({point.value})"
    return f"distribution {point.dist.name} {point.dist.version} ({point.value})"


def _unknown(name: str, definitions: Definitions) -> str:
    everything = names(definitions)
    return (
        f"there is no implementation {name!r}{_hint(name, everything)}; choose one of: "
        f"{', '.join(everything)}, or name a Python object as module:attribute"
    )


def _hint(name: str, known: Sequence[str]) -> str:
    """`` (did you mean …?)`` for the name that is meant, else the empty string.

    A faulty one's name cut short reads like a ``module:attribute``.
    """
    begun = [each for each in known if ":" in name and each.startswith(name)]
    close = begun or difflib.get_close_matches(name, known, n=1)
    if not close:
        # "upsert-by-id" is too far from "faulty:upsert-by-id" as a whole.
        parts = {each.rpartition(":")[2]: each for each in known}
        close = [parts[part] for part in difflib.get_close_matches(name, parts, n=1)]
    return f" (did you mean {close[0]!r}?)" if close else ""
