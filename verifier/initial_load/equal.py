"""SQL for what a unique key makes of rows, and for two of them being equal on it."""

from __future__ import annotations

from verifier.initial_load.catalog import UniqueKey
from verifier.initial_load.session import array, literal, paste
from verifier.initial_load.stage import Staged


def evaluated(key: UniqueKey, source: str, handle: str) -> str:
    """SQL for the rows of ``source`` that ``key`` covers, its parts as ``k1``, ``k2`` …"""
    parts = ", ".join(f"({part}) AS k{no}" for no, part in enumerate(key.expressions, 1))
    where = [f"({key.predicate})"] if key.predicate else []
    if key.nulls_distinct:
        where += [f"({part}) IS NOT NULL" for part in key.expressions]
    return paste(
        "SELECT {parts} FROM {source} WHERE {where}",
        parts=f"{handle}, {parts}" if handle else parts,
        source=source,
        where=" AND ".join(where) or "true",
    )


def same(staged: Staged, key: UniqueKey, a: str, b: str) -> str:
    """SQL for two :func:`evaluated` rows being equal on ``key``."""
    certain = {column.quoted for column in staged.table.columns.values() if column.not_null}
    terms = []
    for no, part in enumerate(key.expressions, 1):
        equal = f"{a}.k{no} = {b}.k{no}"
        # Only where needed: a join on the longer form cannot be hashed.
        null = f"({equal} OR ({a}.k{no} IS NULL AND {b}.k{no} IS NULL))"
        terms.append(equal if key.nulls_distinct or part in certain else null)
    return " AND ".join(terms)


def read_by(staged: Staged, key: UniqueKey) -> set[str]:
    """The columns that ``key`` depends on, also through those that are generated."""
    made = [staged.table.columns[name] for name in key.columns]
    made = [column for column in made if column.generated]
    return {*key.columns} | {
        column.name
        for column in staged.table.columns.values()
        for each in made
        if column.mentioned(each.default or "")
    }


def name_of(staged: Staged, key: str) -> str:
    """SQL for the name of the unique key number ``key``."""
    return f"({names_of(staged)})[{key} + 1]"


def names_of(staged: Staged) -> str:
    """SQL for the names of the table's unique keys."""
    return array([literal(key.name) for key in staged.keys])
