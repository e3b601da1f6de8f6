"""References that no constraint declares, as the operator declares them (trap U13).

The declarations are checked against the target before anything is read: what they name
must be there, and their cells must be able to hold what they are said to hold.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from difflib import get_close_matches

from verifier.initial_load.catalog import Catalog, Column, SoftReference, Table
from verifier.transfer import Reference

_SHOWN = 5
"""Names that a message proposes."""


class _Unknown(Exception):
    """What a declaration names is not there; the message says what is."""


def declare(catalog: Catalog, references: Iterable[Reference]) -> tuple[Catalog, list[str]]:
    """``catalog`` with ``references``, and a sentence for each that is not possible."""
    found: list[SoftReference] = []
    problems: list[str] = []
    for reference in references:
        try:
            found.append(_resolved(catalog, reference))
        except _Unknown as unknown:
            problems.append(f"reference {reference}: {unknown}")
    return replace(catalog, references=tuple(found)), problems


def _resolved(catalog: Catalog, reference: Reference) -> SoftReference:
    child = _table(catalog, reference.table)
    parent = _table(catalog, reference.parent)
    column = _column(child, reference.column)
    if column.generated:
        raise _Unknown(f"{child.quoted}.{column.quoted} is generated and cannot be changed")
    if reference.path and column.base not in ("json", "jsonb"):
        raise _Unknown(
            f"a path ({'.'.join(reference.path)}) leads into json, and {child.quoted}."
            f"{column.quoted} is {column.type}; leave the path out"
        )
    key = parent.identity.plain if parent.identity else ()
    if parent.identity is None or len(key) != 1:
        shown = f"its key is ({', '.join(key)})" if key else "it has no key"
        raise _Unknown(f"{parent.quoted} has no key of a single column to refer to: {shown}")
    condition = reference.condition
    if condition is not None:
        condition = _column(child, condition[0]).name, condition[1]
    return SoftReference(child.oid, column.name, parent.oid, key[0], reference.path, condition)


def _table(catalog: Catalog, name: str) -> Table:
    tables = [
        table
        for table in catalog.tables.values()
        if name in (table.name, f"{table.schema}.{table.name}", table.quoted)
    ]
    if len(tables) == 1:
        return tables[0]
    if tables:
        names = ", ".join(sorted(table.quoted for table in tables))
        raise _Unknown(f"{name!r} may be any of {names}; name the schema, too")
    known = {table.name: table.quoted for table in catalog.tables.values()}
    known |= {table.quoted: table.quoted for table in catalog.tables.values()}
    raise _Unknown(f"the target has no table {name!r}{_proposed(name, known)}")


def _column(table: Table, name: str) -> Column:
    for column in table.columns.values():
        if name in (column.name, column.quoted):
            return column
    known = {column.name: column.name for column in table.columns.values()}
    raise _Unknown(f"{table.quoted} has no column {name!r}{_proposed(name, known)}")


def _proposed(name: str, known: dict[str, str]) -> str:
    folded = {spelling.lower(): shown for spelling, shown in known.items()}
    near = get_close_matches(name.lower(), folded, _SHOWN, 0.5)
    shown = list(dict.fromkeys(folded[spelling] for spelling in near))
    return f"; did you mean {' or '.join(shown)}?" if shown else ""
