"""Which table a model's name means, and which column a field's: found, never guessed (trap F13).

A name is a table's own name; else, whatever its case, its underscores, and whether it is in
the singular or the plural, the one table that it can mean. Two that it can mean, or two
names that mean the same, are an error that names the candidates.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches

from verifier.initial_load.catalog import Catalog, Column, Table
from verifier.initial_load.reading.prisma import Model

# Plurals that no rule gives; pairs are looked up both ways.
_IRREGULAR = (
    ("person", "people"),
    ("child", "children"),
    ("man", "men"),
    ("foot", "feet"),
    ("tooth", "teeth"),
    ("mouse", "mice"),
    ("datum", "data"),
    ("medium", "media"),
    ("criterion", "criteria"),
    ("index", "indices"),
    ("matrix", "matrices"),
    ("vertex", "vertices"),
    ("quiz", "quizzes"),
)
# How a word ends, letters that are cut off, and what its plural ends in; the first that fits.
_RULES = (
    (r"[^aeiou]y$", 1, ("ies", "ys")),
    (r"sis$", 2, ("es",)),
    (r"(?:s|x|z|ch|sh)$", 0, ("es",)),
    (r"[^aeiou]o$", 0, ("es", "s")),
    (r"(?:[lr]|ea|oa)f$", 1, ("ves", "fs")),
    (r"[lwn]ife$", 2, ("ves",)),
)
_ADVICE = "give the Prisma schema with --models, or call it as the target does"


class UnmappableError(Exception):
    """A name that means nothing, or more than one thing; says which."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """A model's table, and what its fields are there."""

    table: Table
    model: Model | None
    """The Prisma schema's, if there is one."""
    columns: dict[str, Column] = field(default_factory=dict)
    """By field, as far as asked for."""

    def column(self, name: str) -> Column:
        """The column that the field ``name`` is. Raises :class:`UnmappableError`."""
        if name not in self.columns:
            column = self._find(name)
            other = next((f for f, known in self.columns.items() if known is column), None)
            if other is not None:
                raise UnmappableError(f"{other!r} and {name!r} are both the column {column.quoted}")
            self.columns[name] = column
        return self.columns[name]

    def _find(self, name: str) -> Column:
        here = self.table.columns
        if self.model is not None:
            if name in self.model.relations:
                raise UnmappableError(
                    f"{name!r} is a relation, whose records belong to a model of their own"
                )
            mapped = self.model.columns.get(name)
            if mapped is not None and mapped in here:
                return here[mapped]
            if mapped is not None:
                raise UnmappableError(
                    f"{name!r} is the column {mapped!r} of the Prisma schema, "
                    f"which {self.table.quoted} does not have"
                )
        if name in here:
            return here[name]
        found = [column for column in here.values() if _fold(column.name) == _fold(name)]
        if len(found) == 1:
            return found[0]
        raise UnmappableError(_said(name, "column", [c.name for c in found], list(here)))


def map_models(
    names: Iterable[str], catalog: Catalog, models: Iterable[Model] = ()
) -> tuple[dict[str, Mapped], list[str]]:
    """What each of ``names`` means, and what is wrong with the others (sentences)."""
    declared = tuple(models)
    tables = [table for table in catalog.tables.values() if table.root == table.oid]
    found: dict[str, Mapped] = {}
    problems: list[str] = []
    owners: dict[int, str] = {}
    for name in names:
        try:
            model = _declared(name, declared)
            table = _table(name, tables) if model is None else _of(model, tables)
        except UnmappableError as error:
            problems.append(str(error))
            continue
        if table.oid in owners:
            problems.append(f"{owners[table.oid]!r} and {name!r} are both {table.quoted}")
            continue
        owners[table.oid] = name
        found[name] = Mapped(table, model)
    return found, problems


def _declared(name: str, models: tuple[Model, ...]) -> Model | None:
    """The Prisma schema's model that ``name`` means: its own name, its client's, its table's."""
    exact = [m for m in models if name in (m.name, _delegate(m.name), m.table)]
    if len(exact) > 1:
        raise UnmappableError(_said(name, "model", [m.name for m in exact], []))
    if exact:
        return exact[0]
    forms = _forms(name)
    found = [m for m in models if not forms.isdisjoint((_fold(m.name), _fold(m.table)))]
    if len(found) > 1:
        raise UnmappableError(_said(name, "model", [m.name for m in found], []))
    return found[0] if found else None


def _delegate(name: str) -> str:
    """How Prisma's client calls the model: ``prisma.businessProduct``."""
    return name[:1].lower() + name[1:]


def _of(model: Model, tables: list[Table]) -> Table:
    found = [t for t in tables if t.name == model.table and model.schema in (None, t.schema)]
    if len(found) != 1:
        where = f"{model.schema}.{model.table}" if model.schema else model.table
        raise UnmappableError(
            f"the model {model.name!r} is the table {where!r} in the Prisma schema, and "
            + (
                f"{_listed(t.quoted for t in found)} are called so: say which with @@schema"
                if found
                else "the target has none of that name"
            )
        )
    return found[0]


def _table(name: str, tables: list[Table]) -> Table:
    exact = [table for table in tables if table.name == name]
    forms = _forms(name)
    found = exact or [table for table in tables if _fold(table.name) in forms]
    if len(found) == 1:
        return found[0]
    raise UnmappableError(_said(name, "table", [t.quoted for t in found], [t.name for t in tables]))


def _said(name: str, what: str, found: list[str], known: list[str]) -> str:
    if found:
        return f"{name!r} can mean more than one {what} ({_listed(found)}): {_ADVICE}"
    folded = {_fold(each): each for each in known}
    close = [folded[each] for each in get_close_matches(_fold(name), folded, n=3, cutoff=0.6)]
    return f"{name!r} is no {what} of the target: " + (
        f"is it {_listed(close)}? {_ADVICE}" if close else _ADVICE
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _fold(name: str) -> str:
    """``name`` without case and word breaks; underscores at its start are part of it."""
    bare = name.lstrip("_")
    return name[: len(name) - len(bare)] + re.sub(r"[_\s-]", "", bare).casefold()


def _forms(name: str) -> set[str]:
    """``name`` folded, and its last word in the other numbers that English may have for it."""
    folded = _fold(name)
    return {folded, *_plurals(folded), *_singulars(folded)}


def _plurals(word: str) -> set[str]:
    for one, many in _IRREGULAR:
        if word.endswith(one):
            return {word[: -len(one)] + many, word + "s"}
    for pattern, cut, endings in _RULES:
        if re.search(pattern, word):
            return {word[: len(word) - cut] + ending for ending in endings}
    return {word + "s"}


def _singulars(word: str) -> set[str]:
    """The words whose plural is ``word``."""
    guesses = {word[: -len(many)] + one for one, many in _IRREGULAR if word.endswith(many)}
    for ending, endings in (
        ("ies", ("y", "ie")),
        ("ves", ("f", "fe", "ve")),
        ("ses", ("s", "se", "sis")),
        ("es", ("", "e")),
        ("s", ("",)),
    ):
        if word.endswith(ending):
            guesses |= {word[: -len(ending)] + end for end in endings}
    return {guess for guess in guesses if guess and word in _plurals(guess)}
