"""What a claim names, found among the rows that there are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from verifier.contract import Claim, Merge, Rejection
from verifier.model.matter import Matter, Node
from verifier.model.refusals import Bounds
from verifier.model.schema import Value

_PART = re.compile(r'"((?:[^"]|"")*)"|([^".]+)')


def table_id(name: str) -> str:
    """The id of a table that a claim names as SQL writes it: ``public."Order"``."""
    parts = (quoted.replace('""', '"') or plain for quoted, plain in _PART.findall(name))
    return ".".join(parts)


def meant(matter: Matter, entry: Merge | Rejection) -> list[Node]:
    """The rows of the source that an entry of a claim may be about; an empty key names none."""
    table = matter.schema.by_id.get(table_id(entry.table))
    if table is None or not entry.key or not entry.key.keys() <= table.places.keys():
        return []
    wanted = {table.places[column]: value for column, value in entry.key.items()}
    return [node for node in matter.source(table.id) if _holds(matter, node, wanted)]


def _holds(matter: Matter, node: Node, wanted: Mapping[int, Value]) -> bool:
    row = matter.rows[node]
    return all(row[place] == value for place, value in wanted.items())


@dataclass(frozen=True)
class Rejected:
    """The rows that a claim rejects, against those that are to be."""

    unnamed: frozenset[Node]
    """They have to be rejected, and the claim does not say so."""
    needless: frozenset[Node]
    """The target can take them, and the claim says that they are rejected."""
    unknown: tuple[Rejection, ...]
    """What it says of rows that there are not."""
    rows: frozenset[Node]
    """Those that are not in the target, by right or by what the claim says."""


def rejected(claim: Claim, matter: Matter, bounds: Bounds) -> Rejected:
    named: set[Node] = set()
    needless: set[Node] = set()
    unknown = []
    for entry in claim.rejections or ():
        rows = set(meant(matter, entry))
        # Where several rows have the key that is named, it is one that may be rejected.
        right = rows & bounds.must.keys() or rows & bounds.may
        named |= right
        if not right:
            needless |= rows
        if not rows:
            unknown.append(entry)
    return Rejected(
        unnamed=frozenset(bounds.must.keys() - named),
        needless=frozenset(needless),
        unknown=tuple(unknown),
        rows=frozenset(bounds.must.keys() | named | needless),
    )
