"""What of two databases is compared: a selection, held against what there is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches

from verifier.comparison import Selection
from verifier.errors import UsageError
from verifier.oracle.comparing.names import Pattern, split


class Scope:
    """Answers what is selected and not ignored.

    ``columns`` maps every relation of either side, as SQL writes it, to its columns;
    ``owned`` maps sequences to the tables that they number.

    Raises :class:`UsageError` for a pattern that fits nothing: a typo must not make a
    comparison smaller, or leave a difference in that was to be ignored.
    """

    def __init__(
        self,
        selection: Selection,
        columns: Mapping[str, Collection[str]],
        owned: Mapping[str, str],
    ) -> None:
        self._owned = owned
        self._parts = {relation: split(relation) for relation in columns}
        schemas = {parts[0] for parts in self._parts.values()}
        self._schemas = {
            name for text in selection.schemas for name in self._named(text, schemas)
        } or None
        self._tables = {name for text in selection.tables for name in self._relations(text)} or None
        self._columns = {
            pair for text in selection.columns for pair in self._fields(text, columns)
        } or None
        self._left: set[str] = set()
        self._left_columns: set[tuple[str, str]] = set()
        for ignore in selection.ignored:
            self._ignore(ignore.what, columns)

    def relation(self, name: str) -> bool:
        """Whether a table, view or sequence is compared; a sequence goes with its table."""
        owner = self._owned.get(name, name)
        return (
            (self._tables is None or not self._tables.isdisjoint((name, owner)))
            and (self._schemas is None or self._schema(name) in self._schemas)
            and self._left.isdisjoint((name, owner))
        )

    def column(self, relation: str, name: str) -> bool:
        """Whether a column of a relation that is compared is compared, too."""
        chosen = self._columns is None or (relation, name) in self._columns
        return chosen and not self.ignored(relation, name)

    def ignored(self, relation: str, name: str) -> bool:
        """Whether a column is a deliberate difference: rows are not told apart by it either."""
        return (relation, name) in self._left_columns

    def object(self, kind: str, name: str, relation: str) -> bool:
        """Whether anything else is compared; it goes with the relation that it belongs to."""
        if kind == "column":
            return self.relation(relation) and self.column(relation, split(name)[-1])
        if relation:
            return self.relation(relation)
        if self._tables is not None:
            return False
        return self._schemas is None or self._schema(name) in self._schemas

    def _schema(self, name: str) -> str:
        parts = self._parts.get(name) or split(name)
        return parts[0] if parts else ""

    def _named(self, text: str, known: Iterable[str]) -> list[str]:
        pattern = Pattern(text)
        found = [name for name in known if pattern.matches((name,))]
        if not found:
            raise _unknown("schema", text, known)
        return found

    def _relations(self, text: str) -> list[str]:
        pattern = Pattern(text)
        found = [name for name, parts in self._parts.items() if pattern.matches(parts)]
        if not found or len(pattern) > 2:
            raise _unknown("table, view or sequence", text, self._parts)
        return found

    def _fields(self, text: str, columns: Mapping[str, Collection[str]]) -> list[tuple[str, str]]:
        found = _matching(Pattern(text), self._parts, columns)
        if not found:
            raise _unknown("column", text, {name for names in columns.values() for name in names})
        return found

    def _ignore(self, text: str, columns: Mapping[str, Collection[str]]) -> None:
        pattern = Pattern(text)
        relations = [name for name, parts in self._parts.items() if pattern.matches(parts)]
        if len(pattern) > 2:
            relations = []
        fields = _matching(pattern, self._parts, columns) if len(pattern) > 1 else []
        if relations and fields:
            raise UsageError(
                f"{text!r} may be the table {relations[0]} or the column {fields[0][1]} of "
                f"{fields[0][0]}; write SCHEMA.TABLE.COLUMN or put the schema before"
            )
        if not relations and not fields:
            known = {*self._parts, *(f"{name}.{c}" for name in columns for c in columns[name])}
            raise _unknown("table or column to ignore", text, known)
        self._left.update(relations)
        self._left_columns.update(fields)


def _matching(
    pattern: Pattern,
    parts: Mapping[str, tuple[str, ...]],
    columns: Mapping[str, Collection[str]],
) -> list[tuple[str, str]]:
    return [
        (relation, name)
        for relation, names in columns.items()
        for name in names
        if pattern.matches((*parts[relation], name))
    ]


def _unknown(what: str, text: str, known: Iterable[str]) -> UsageError:
    names = sorted(known)
    short = {split(name)[-1]: name for name in names}
    close = get_close_matches(text, [*names, *short], n=1, cutoff=0.6)
    hint = f" (did you mean {close[0]}?)" if close else ""
    return UsageError(f"neither database has a {what} {text!r}{hint}; check the name")
