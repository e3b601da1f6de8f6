"""What rows of the user's tables can be made of: found by trying, on the server itself."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from verifier.model.own import Group, Pool, Unmade
from verifier.model.schema import Column, ForeignKey, Row, Schema, Table, Value
from verifier.model.types import domain_of, resolve
from verifier.worlds import examples, filters
from verifier.worlds.tokens import literals
from verifier.worlds.trials import Refusal, Rule, Trials

_VALUES = 16
"""Of a column that no rule reads, beside those of the seed."""

Seeds = Mapping[str, tuple[Row, ...]]
"""Table id → rows whose values are to be used."""


def pools(
    schema: Schema,
    rules: Mapping[str, list[Rule]],
    trials: Trials,
    seeds: Seeds,
    barred: Collection[str],
) -> tuple[dict[str, Pool], list[Unmade]]:
    """A pool for every table that can have rows, and what cannot be made.

    ``barred`` are the ids of tables that are to have none.
    """
    search = _Search(schema, rules, trials, seeds, barred)
    return search.pools(), search.unmade


@dataclass(frozen=True)
class _Tied:
    """Columns of a table that rules tie together."""

    table: Table
    columns: tuple[Column, ...]
    generated: tuple[Column, ...]
    rules: tuple[Rule, ...]


class _Search:
    def __init__(
        self,
        schema: Schema,
        rules: Mapping[str, list[Rule]],
        trials: Trials,
        seeds: Seeds,
        barred: Collection[str],
    ) -> None:
        self.unmade: list[Unmade] = []
        self._schema, self._trials, self._seeds = schema, trials, seeds
        self._tied = {
            table.id: [*_tied(table, rules[table.id])]
            for table in schema.tables
            if table.id not in barred
        }
        self._found: dict[tuple[str, str], Group | None] = {}
        """Table id and first column of a group → what was found; ``None``: not yet."""
        self._failed: set[str] = set()
        self._takes: dict[tuple[Value, ...], list[Value] | Refusal] = {}

    def pools(self) -> dict[str, Pool]:
        made = {}
        for table, tied in self._tied.items():
            groups = [self._group(each) for each in tied]
            if table not in self._failed:
                made[table] = Pool(groups=tuple(group for group in groups if group is not None))
        while self._without_parents(made):
            pass
        return made

    # -- one group -------------------------------------------------------------------------

    def _group(self, tied: _Tied) -> Group | None:
        """Its choices; ``None`` while they are looked for, and where there are none."""
        key = (tied.table.id, tied.columns[0].name)
        if key not in self._found:
            self._found[key] = None
            self._found[key] = self._searched(tied)
        return self._found[key]

    def _searched(self, tied: _Tied) -> Group | None:
        texts = {}
        for column in tied.columns:
            accepted = self._accepted(tied, column)
            if accepted is None:
                return None
            texts[column.name] = accepted
        names = tuple(column.name for column in tied.columns)
        if not tied.rules and not tied.generated:
            is_open = domain_of(tied.columns[0].type, self._schema) is None
            choices = tuple((value,) for value in texts[names[0]])
            return Group(columns=names, choices=choices, open=is_open)
        found = filters.filtered(
            self._trials, tied.table, texts, tied.generated, tied.rules, self._samples(tied, names)
        )
        if isinstance(found, Refusal):
            what = found.rule or ", ".join(names)
            self._fail(tied.table, what, str(found))
            return None
        return Group(columns=names, choices=tuple(found))

    def _samples(self, tied: _Tied, names: tuple[str, ...]) -> list[Row]:
        places = [tied.table.places[name] for name in names]
        rows = self._seeds.get(tied.table.id, ())
        return list(dict.fromkeys(tuple(row[place] for place in places) for row in rows))

    def _accepted(self, tied: _Tied, column: Column) -> list[Value] | None:
        """The values of one column that its type takes; ``None`` where there are none."""
        referred = self._referred(tied.table, column)
        texts = self._texts(tied, column) if referred is None else referred
        found = self._tried(column.type, texts)
        values = [] if isinstance(found, Refusal) else found
        if referred is None:
            seeded = len(self._samples(tied, (column.name,)))
            values = values[: seeded + (_VALUES if not tied.rules else len(values))]
        why = f"of type {column.type}: {found}" if referred is None else "nothing to refer to"
        if not column.not_null and self._tried(column.type, [None]) == [None]:
            if not values:
                self._name(tied.table, column.name, f"{why}, so it is NULL")
            return [*values, None]
        if not values:
            self._fail(tied.table, column.name, why)
            return None
        return values

    def _tried(self, type: str, texts: list[Value]) -> list[Value] | Refusal:
        """What a type takes; most columns have one that others have, too."""
        key = (type, *texts)
        if key not in self._takes:
            self._takes[key] = self._trials.values(type, texts)
        return self._takes[key]

    def _texts(self, tied: _Tied, column: Column) -> list[Value]:
        constants = [
            text
            for rule in tied.rules
            if column.name in rule.columns
            for text in literals(rule.sql)
        ]
        type = column.type
        while domain := domain_of(type, self._schema):
            constants += [c for check in domain.checks for c in examples.constants(check.condition)]
            type = domain.base
        if column.default and "nextval(" not in column.default:
            constants += literals(column.default)
        usual = examples.of_type(resolve(type, self._schema), type, constants)
        samples = [value for (value,) in self._samples(tied, (column.name,)) if value is not None]
        return list(dict.fromkeys([*samples, *usual]))

    # -- references ------------------------------------------------------------------------

    def _referred(self, table: Table, column: Column) -> list[Value] | None:
        """What the columns hold that ``column`` refers to; ``None`` where that is not known."""
        found: list[Value] | None = None
        for key in table.foreign_keys:
            if column.name in key.columns:
                values = self._held(key, key.references[key.columns.index(column.name)])
                if values is not None:
                    common = values if found is None else [v for v in found if v in values]
                    found = common or found
        return found

    def _held(self, key: ForeignKey, column: str) -> list[Value] | None:
        for tied in self._tied.get(key.parent, ()):
            names = [each.name for each in tied.columns]
            if column in names and (group := self._group(tied)) is not None:
                place = names.index(column)
                return list(dict.fromkeys(c[place] for c in group.choices if c[place] is not None))
        return None

    def _without_parents(self, made: dict[str, Pool]) -> bool:
        """Let nothing refer to a table without rows; whether that took something away."""
        for table in self._schema.tables:
            for key in table.foreign_keys if table.id in made else ():
                if key.parent in made:
                    continue
                bare = _bare(made[table.id], key)
                if bare == made[table.id]:
                    continue
                self._name(table, key.name, f"{key.parent} has no rows to refer to")
                if bare is not None:
                    made[table.id] = bare
                    continue
                del made[table.id]
                return True
        return False

    # -- what is named ---------------------------------------------------------------------

    def _name(self, table: Table, what: str, why: str) -> None:
        self.unmade.append(Unmade(table=table.id, what=what, why=why))

    def _fail(self, table: Table, what: str, why: str) -> None:
        self._name(table, what, why)
        self._failed.add(table.id)


def _bare(pool: Pool, key: ForeignKey) -> Pool | None:
    """``pool`` without references by ``key``; ``None`` where they may not be NULL."""
    groups, done = list(pool.groups), False
    for column in key.columns:
        for place, group in enumerate(groups):
            if column not in group.columns or (done and not key.full):
                continue
            at = group.columns.index(column)
            choices = tuple(choice for choice in group.choices if choice[at] is None)
            if choices:
                groups[place], done = replace(group, choices=choices, open=False), True
            elif key.full:
                return None
    return Pool(groups=tuple(groups)) if done else None


def _tied(table: Table, rules: Iterable[Rule]) -> Iterator[_Tied]:
    """The stored columns of ``table``, in groups that no rule ties to each other."""
    rules = [*rules]
    sets = [{column.name} for column in table.columns]
    sets += [{each.name, *each.generated.reads} for each in table.columns if each.generated]
    sets += [set(rule.columns) for rule in rules]
    for group in _joined(sets):
        columns = [column for column in table.columns if column.name in group]
        stored = tuple(column for column in columns if column.generated is None)
        if stored:
            yield _Tied(
                table=table,
                columns=stored,
                generated=tuple(column for column in columns if column.generated is not None),
                rules=tuple(rule for rule in rules if rule.columns & group),
            )


def _joined(sets: Iterable[set[str]]) -> list[set[str]]:
    """Disjoint sets that hold what overlapped in ``sets``, in the order of the first ones."""
    found: list[set[str]] = []
    for each in sets:
        touched = [group for group in found if group & each]
        if not touched:
            if each:
                found.append(set(each))
            continue
        touched[0].update(each, *touched[1:])
        found = [group for group in found if not any(group is other for other in touched[1:])]
    return found
