"""How a partitioned table is split, read from the catalogue."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from verifier.model.schema import Partition, PartitionBy, Partitioning
from verifier.worlds import catalogue
from verifier.worlds.tokens import literals

_STRATEGIES = {"l": PartitionBy.LIST, "r": PartitionBy.RANGE, "h": PartitionBy.HASH}
_ELSEWHERE = re.compile(r"\b(?:MINVALUE|MAXVALUE|NULL)\b")
"""What a bound may hold that is no value."""


@dataclass(frozen=True, kw_only=True)
class Split:
    """Of one partitioned table."""

    partitioning: Partitioning | None = None
    """Unless it is split in a way that the model cannot say."""
    columns: tuple[str | None, ...] = ()
    """What it is split by; ``None`` is an expression."""
    conditions: tuple[str, ...] = ()
    """For every partition that holds rows the SQL that a row has to meet to be there."""
    unmade: tuple[tuple[str, str], ...] = ()
    """What the model cannot say: its name, and why."""
    barred: bool = False
    """Whether a partition has keys of its own, which the model knows nothing of."""


NONE = Split()


def read(cursor: psycopg.Cursor[dict[str, Any]], tables: Sequence[int]) -> dict[int, Split]:
    """By oid, those of ``tables`` that are split."""
    given = {"tables": list(tables)}
    parts = cursor.execute(catalogue.PARTITIONS.encode(), given).fetchall()
    return {
        each["table"]: _split(each, [part for part in parts if part["root"] == each["table"]])
        for each in cursor.execute(catalogue.KEYS_OF_PARTITIONING.encode(), given).fetchall()
    }


def _split(key: dict[str, Any], parts: list[dict[str, Any]]) -> Split:
    columns, leaves = tuple(key["columns"]), [part for part in parts if part["leaf"]]
    plain = len(columns) == 1 and columns[0] is not None
    flat = all(part["level"] == 1 for part in parts)
    simple = not any(_ELSEWHERE.search(part["bound"]) for part in leaves)
    partitioning = None
    unmade: list[tuple[str, str]] = []
    if plain and flat and simple and columns[0] is not None:
        partitioning = Partitioning(
            by=_STRATEGIES[key["strategy"]],
            column=columns[0],
            parts=tuple(Partition(name=p["name"], values=_bound(p["bound"])) for p in leaves),
        )
    elif leaves:
        unmade.append((key["definition"], "a partition's bounds are asked of the server only"))
    own = [(name, f"only partition {p['name']} has it") for p in parts for name in p["constraints"]]
    unmade += [
        (name, f"a check of partition {part['name']} alone, by which values are chosen")
        for part in parts
        for name in part["own_checks"]
    ]
    return Split(
        partitioning=partitioning,
        columns=columns,
        conditions=tuple(_condition(leaf, parts) for leaf in leaves),
        unmade=(*unmade, *own),
        barred=bool(own),
    )


def _bound(text: str) -> tuple[str, ...]:
    return tuple(literals(text)) if text != "DEFAULT" else ()


def _condition(leaf: dict[str, Any], parts: list[dict[str, Any]]) -> str:
    checks = [f"(({check}) IS NOT FALSE)" for check in leaf["checks"]]
    return " AND ".join([f"({leaf['condition']})" if leaf["condition"] else "true", *checks])
