"""Where two documents differ: the paths inside a json value, an array or a composite."""

from __future__ import annotations

import json
import re

_MOST = 20
"""Paths that are named of one value."""
_INDEX = re.compile(r"\[(\d+)\]")
_INDEXES = re.compile(r"\A(?:\[\d+\])+")


class _Number(str):
    """A number as it is written: ``1.10`` is not ``1.1``, and neither is the text ``"1.1"``."""

    __slots__ = ()


def inside(
    name: str, expected: str | None, observed: str | None, *, array: bool = False
) -> list[str]:
    """The paths at which two JSON texts differ: ``settings['theme']`` for a column ``settings``.

    ``array`` says that the value is an array of PostgreSQL's, which counts from 1. Empty
    when there is nothing inside to point to: white space, a scalar, no JSON at all.
    """
    # Here, because it takes a good part of a second that an equal comparison need not wait.
    from deepdiff import DeepDiff

    if expected is None or observed is None:
        return []
    try:
        one, other = _read(expected), _read(observed)
    except (ValueError, RecursionError):
        return []
    difference = DeepDiff(one, other, view="tree", ignore_private_variables=False)
    nodes = [node for kind in difference.values() for node in kind]
    found = sorted({node.path(root="") for node in nodes} - {""})
    if array:
        found = [_INDEXES.sub(_from_one, path) for path in found]
    return [name + path for path in found[:_MOST]]


def _from_one(indexes: re.Match[str]) -> str:
    return _INDEX.sub(lambda index: f"[{int(index[1]) + 1}]", indexes[0])


def _read(text: str) -> object:
    return json.loads(text, parse_float=_Number, parse_int=_Number, parse_constant=_Number)
