"""Which table of the target an application's model is, and which column a field.

By the schema's own names: the exact name, or one that differs in how words are joined
(``camelCase``, ``PascalCase``, ``snake_case``) and, for tables, in the plural. A Prisma
schema wins over that. Whatever is not clear is an error with candidates.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from verifier.initial_load.catalog import Catalog, Column, Table
from verifier.initial_load.reading.prisma import Model

_JOINTS = re.compile(r"[_\- ]+")
# Ends of words, without the regular ones.
_IRREGULAR = (
    ("person", "people"), ("child", "children"), ("man", "men"), ("foot", "feet"),
    ("tooth", "teeth"), ("goose", "geese"), ("mouse", "mice"), ("ox", "oxen"), ("quiz", "quizzes"),
    ("sis", "ses"), ("criterion", "criteria"), ("phenomenon", "phenomena"), ("datum", "data"),
    ("medium", "media"), ("curriculum", "curricula"), ("ix", "ices"), ("ex", "ices"),
    ("us", "i"), ("fe", "ves"), ("f", "ves"),
)  # fmt: skip
_HISS = ("s", "x", "z", "ch", "sh", "o")


class Unmapped(Exception):
    """A name that is no table or column for sure; says why, and what it could be."""


def fold(name: str) -> str:
    """``name`` without what differs between the ways of joining words."""
    return _JOINTS.sub("", name).lower()


def plurals(word: str) -> set[str]:
    """What the plural of ``word`` can be, by the rules of English."""
    found = {word.removesuffix(one) + many for one, many in _IRREGULAR if word.endswith(one)}
    if re.search(r"[^aeiou]y$", word):
        found.add(word[:-1] + "ies")
    elif word.endswith(_HISS):
        found.add(word + "es")
    if not word.endswith(("s", "x", "z")):
        found.add(word + "s")
    return found


class Tables:
    """The target's tables, by the names of models."""

    def __init__(self, catalog: Catalog, models: Sequence[Model] = ()) -> None:
        self._exact = catalog.by_name
        self._all = list(catalog.by_name.values())
        self._models = models
        self._taken: dict[int, str] = {}
        self._folded: dict[str, list[Table]] = defaultdict(list)
        for table in self._all:
            if table.root == table.oid:  # a partition is no model
                self._folded[fold(table.name)].append(table)

    def take(self, model: str, stated: tuple[str, str] | None = None) -> tuple[Table, Fields]:
        """The table that ``model`` is, for this model alone. Raises :class:`Unmapped`.

        ``stated``: schema and name of the table that it was, which wins if it is there.
        """
        exact = self._exact.get(stated) if stated else None
        table, mapped = (exact, None) if exact else self._find(model)
        first = self._taken.get(table.oid)
        if first == model:
            raise Unmapped(f"the model {model} occurs twice; put its records into one list")
        if first is not None:
            raise Unmapped(
                f"the models {first} and {model} would both be the table {table.quoted}; "
                "take one out, or say what they are with --models"
            )
        self._taken[table.oid] = model
        return table, Fields(table, mapped)

    def known(self, name: str) -> bool:
        """Whether a table or a Prisma model is called ``name``, to the letter."""
        return name in {model.name for model in self._models} | {t.name for t in self._all}

    def likely(self, name: str) -> bool:
        """Whether ``name`` could be a model."""
        return self.known(name) or bool(self._candidates(name))

    def _find(self, model: str) -> tuple[Table, Model | None]:
        named = [m for m in self._models if model in (m.name, m.name[:1].lower() + m.name[1:])]
        if not named:
            exact = [table for table in self._all if table.name == model]
            if exact:
                table = _only(model, exact)
                return table, next((m for m in self._models if _is(m, table)), None)
            named = [m for m in self._models if _alike(fold(m.name), fold(model))]
        if len(named) > 1:
            names = ", ".join(m.name for m in named)
            raise Unmapped(f"{model} may be each of the Prisma schema's models {names}")
        if named:
            return self._mapped(named[0]), named[0]
        found = self._candidates(model)
        if not found:
            raise Unmapped(
                f"no table of the target is called like the model {model}"
                f"{self._hint(model)}; say which one it is with --models, or take it out"
            )
        return _only(model, found), None

    def _mapped(self, model: Model) -> Table:
        found = [table for table in self._all if _is(model, table)]
        if not found:
            name = model.table if model.schema is None else f"{model.schema}.{model.table}"
            raise Unmapped(
                f"the Prisma schema says that the model {model.name} is the table {name}, "
                f"which the target does not have{self._hint(model.table)}"
            )
        return _only(model.name, found)

    def _candidates(self, model: str) -> list[Table]:
        word = fold(model)
        found = [table for each in {word, *plurals(word)} for table in self._folded.get(each, ())]
        found += [
            table
            for folded, tables in self._folded.items()
            if folded != word and word in plurals(folded)
            for table in tables
            if table not in found
        ]
        return sorted(found, key=lambda table: table.quoted)

    def _hint(self, model: str) -> str:
        return _hint(
            fold(model), {folded: tables[0].quoted for folded, tables in self._folded.items()}
        )


class Fields:
    """The columns of a table, by the names of a model's fields."""

    def __init__(self, table: Table, model: Model | None = None) -> None:
        self._table = table
        self._model = model

    def column(self, name: str) -> Column:
        """The column that the field ``name`` is. Raises :class:`Unmapped`."""
        columns = self._table.columns
        mapped = self._model.columns.get(name) if self._model else None
        if mapped is not None and mapped != name and mapped not in columns:
            raise Unmapped(
                f"the Prisma schema says that it is the column {mapped}, which "
                f"{self._table.quoted} does not have"
            )
        for exact in (mapped, name):
            if exact in columns:
                return self._written(columns[exact])
        found = [column for column in columns.values() if fold(column.name) == fold(name)]
        if len(found) == 1:
            return self._written(found[0])
        if found:
            names = ", ".join(column.quoted for column in found)
            raise Unmapped(f"{self._table.quoted} has several such columns: {names}")
        hint = _hint(fold(name), {fold(column.name): column.quoted for column in columns.values()})
        raise Unmapped(f"{self._table.quoted} has no such column{hint}")

    def is_relation(self, name: str) -> bool:
        """Whether a Prisma schema says that the field is no column but other records."""
        return self._model is not None and name in self._model.relations

    def labels(self, name: str) -> Mapping[str, str]:
        """What the enum's values in the field ``name`` are called in the database, if otherwise."""
        return {} if self._model is None else self._model.labels.get(name, {})

    def _written(self, column: Column) -> Column:
        if column.generated:
            raise Unmapped(
                f"the target computes {self._table.quoted}.{column.quoted} itself (a generated "
                "column); leave it out of the backup"
            )
        return column


def _is(model: Model, table: Table) -> bool:
    return model.table == table.name and model.schema in (None, table.schema)


def _alike(one: str, other: str) -> bool:
    return one == other or one in plurals(other) or other in plurals(one)


def _only(model: str, tables: Sequence[Table]) -> Table:
    if len(tables) == 1:
        return tables[0]
    names = ", ".join(table.quoted for table in tables)
    raise Unmapped(f"the model {model} may be each of the tables {names}; say which with --models")


def _hint(folded: str, names: dict[str, str]) -> str:
    close = get_close_matches(folded, names, n=3, cutoff=0.6)
    return f" (did you mean {' or '.join(names[each] for each in close)}?)" if close else ""
