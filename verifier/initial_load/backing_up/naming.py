"""Which table of the source a user means."""

from __future__ import annotations

from verifier.errors import UsageError
from verifier.initial_load.backing_up.snapshot import Relation, Snapshot
from verifier.readers import suggestion
from verifier.transfer import pieces


def resolve(written: str, held: Snapshot) -> Relation:
    """The table that a user means by ``written``; raises :class:`UsageError`.

    As SQL has it, but for a name without quotes that is there just as it is written:
    ``InitialLoadSessions``.
    """
    tables = list(held.tables.values())
    found = [table for table in tables if written == table.name]
    parts = pieces(written)
    for fold in (False, True):
        found = found or [table for table in tables if _means(parts, table, fold)]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(table.quoted for table in found)
        raise UsageError(f"{written} is in several schemas; write one of {names}")
    if any(_means(parts, table, fold=True) for table in held.control):
        raise UsageError(
            f"{written} describes the database itself and is left out whole; take the rule away"
        )
    known = [word for table in tables for word in (table.name, f"{table.schema}.{table.name}")]
    hint = suggestion(written, known)
    raise UsageError(f"the source has no table {written} to leave rows out of{hint}")


def _means(parts: tuple[tuple[str, bool], ...], table: Relation, fold: bool) -> bool:
    names = (table.schema, table.name)[-len(parts) :] if 1 <= len(parts) <= 2 else ()
    return bool(names) and all(
        name == (word.lower() if fold and not quoted else word)
        for name, (word, quoted) in zip(names, parts, strict=True)
    )
