"""The schema of a live database, as the model has it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import dict_row

from verifier.model.own import Unmade
from verifier.model.schema import (
    Action,
    Check,
    Column,
    Domain,
    Enum,
    Expression,
    ForeignKey,
    Identity,
    Key,
    Schema,
    Table,
    column,
)
from verifier.model.types import domain_of
from verifier.model.values import has_equality
from verifier.worlds import catalogue, partitions
from verifier.worlds.deparsed import expression
from verifier.worlds.reading import PINNED
from verifier.worlds.spelling import literal

Record = dict[str, Any]

_ACTIONS = {
    "a": Action.NO_ACTION,
    "r": Action.RESTRICT,
    "c": Action.CASCADE,
    "n": Action.SET_NULL,
    "d": Action.SET_DEFAULT,
}
_IDENTITIES = {"a": Identity.ALWAYS, "d": Identity.BY_DEFAULT}
_NO_TABLES = {
    "v": "a view: it has no rows of its own",
    "m": "a materialised view: it has no rows of its own",
    "f": "a foreign table: its rows are elsewhere",
}
_VALUES = (
    "TimeZone",
    "DateStyle",
    "IntervalStyle",
    "extra_float_digits",
    "bytea_output",
    "lc_monetary",
    "xmloption",
    "quote_all_identifiers",
)
AS_TEXT = "".join(f"SET {key} = {literal(PINNED[key])};\n" for key in _VALUES)
"""Has values, and expressions with values in them, printed as the model has them."""


@dataclass(frozen=True, kw_only=True)
class Reflected:
    """What a database's catalogue says."""

    schema: Schema
    unmade: tuple[Unmade, ...]
    barred: frozenset[str]
    """Ids of tables with a rule that the model does not know: not every row that the model
    lets in is one that the server takes."""


def reflect(connection: psycopg.Connection[Any], script: str = "") -> Reflected:
    """The schema of the connection's database; ``script`` is the SQL that makes it.

    Types and everything opaque are spelled with their schemas, names without quotes.
    Partitions are parts of their root. Tables of extensions are left out.
    """
    with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(settled().encode())
        return _Reflection(cursor).reflected(script)


def settled() -> str:
    """Settings for one transaction: as :data:`AS_TEXT`, with every name's schema spelled out."""
    return (AS_TEXT + "SET search_path = ''").replace("SET ", "SET LOCAL ")


@dataclass
class _Reflection:
    cursor: psycopg.Cursor[Record]
    unmade: list[Unmade] = field(default_factory=list)
    barred: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        records = self.cursor.execute(catalogue.TABLES).fetchall()
        self.ids = {each["oid"]: f"{each['schema']}.{each['name']}" for each in records}
        self.kept = {each["oid"]: each for each in records if each["kind"] in "rp"}
        for each in records:
            self._look_at(each)
        self.types = Schema(tables=(), enums=tuple(self._enums()), domains=tuple(self._domains()))

    def reflected(self, script: str) -> Reflected:
        columns = self._by_table(catalogue.COLUMNS)
        keys, constraints = self._by_table(catalogue.KEYS), self._by_table(catalogue.CONSTRAINTS)
        split = partitions.read(self.cursor, [*self.kept])
        tables = []
        for oid, record in self.kept.items():
            types = {each["name"]: self._base(each["type"]) for each in columns[oid]}
            made, found = self.ids[oid], split.get(oid, partitions.NONE)
            for name, why in found.unmade:
                self._name(made, name, why, bar=found.barred)
            tables.append(
                Table(
                    name=record["name"],
                    schema=record["schema"],
                    columns=tuple(self._column(made, each, types) for each in columns[oid]),
                    keys=tuple(self._keys(made, keys[oid], types)),
                    foreign_keys=tuple(self._foreign_keys(made, constraints[oid])),
                    checks=tuple(self._checks(made, constraints[oid], types)),
                    partitioning=found.partitioning,
                )
            )
        self._triggers()
        schema = Schema(
            tables=tuple(tables),
            enums=self.types.enums,
            domains=self.types.domains,
            script=script,
        )
        return Reflected(schema=schema, unmade=tuple(self.unmade), barred=frozenset(self.barred))

    # -- what is named ---------------------------------------------------------------------

    def _name(self, table: str, what: str, why: str, *, bar: bool = False) -> None:
        """Name what the model does not say; with ``bar`` the table gets no rows for it."""
        self.unmade.append(Unmade(table=table, what=what, why=why))
        if bar:
            self.barred.add(table)

    def _look_at(self, record: Record) -> None:
        made = self.ids[record["oid"]]
        if record["kind"] in _NO_TABLES:
            self._name("", made, _NO_TABLES[record["kind"]])
            return
        if record["inherits"]:
            self._name(made, record["name"], "it inherits, or is inherited from", bar=True)
        if record["secured"]:
            self._name(made, "row level security", "policies say nothing to the model")
        if record["rewritten"]:
            self._name(made, "rules", "what they do to a statement is not known", bar=True)

    def _triggers(self) -> None:
        for oid, triggers in self._by_table(catalogue.TRIGGERS).items():
            for each in triggers:
                if each["enforces"]:
                    why = "a constraint trigger: which rows it refuses is not known"
                elif each["enabled"] == "A":
                    why = "a trigger that always fires: what it does to rows is not known"
                else:
                    why = "what the trigger does is not part of a world; it is there"
                bar = each["enforces"] or each["enabled"] == "A"
                self._name(self.ids[oid], each["name"], why, bar=bar)

    # -- types -----------------------------------------------------------------------------

    def _enums(self) -> Iterator[Enum]:
        for each in self._alone(self.cursor.execute(catalogue.ENUMS).fetchall()):
            yield Enum(name=each["name"], labels=tuple(each["labels"]))

    def _domains(self) -> Iterator[Domain]:
        records = self.cursor.execute(catalogue.DOMAINS).fetchall()
        bases = {each["name"]: each["base"] for each in records}
        for each in self._alone(records):
            base = each["base"]
            while base.rpartition(".")[2] in bases:
                base = bases[base.rpartition(".")[2]]
            checks = (
                Check(name=name, condition=expression(text, {"value": base}, "boolean"))
                for name, text in zip(each["names"], each["checks"], strict=True)
            )
            yield Domain(
                name=each["name"],
                base=each["base"],
                not_null=each["not_null"],
                checks=tuple(checks),
            )

    def _alone(self, records: list[Record]) -> Iterator[Record]:
        """Those whose name is no other one's: the model knows types by their bare names."""
        count = Counter(each["name"] for each in records)
        for each in records:
            if count[each["name"]] == 1:
                yield each
        for name in (name for name, times in count.items() if times > 1):
            self._name("", name, "several schemas have a type of this name")

    def _base(self, type: str) -> str:
        """``type``, or what its domain is over."""
        while domain := domain_of(type, self.types):
            type = domain.base
        return type

    # -- tables ----------------------------------------------------------------------------

    def _by_table(self, query: str) -> defaultdict[int, list[Record]]:
        found: defaultdict[int, list[Record]] = defaultdict(list)
        for each in self.cursor.execute(query.encode(), {"tables": [*self.kept]}):
            found[each["table"]].append(each)
        return found

    def _column(self, made: str, record: Record, types: Mapping[str, str]) -> Column:
        default, generated = record["expression"], None
        identity = _IDENTITIES.get(record["identity"], Identity.NONE)
        if record["generated"]:
            generated, default = expression(default, dict(types), record["type"]), None
        elif record["sequence"] and identity is Identity.NONE:
            identity = Identity.SERIAL
        elif default and default.startswith("nextval("):
            why = "the sequence that feeds it is not its own: where it stands is not looked at"
            self._name(made, record["name"], why)
        return Column(
            name=record["name"],
            type=record["type"],
            not_null=record["not_null"],
            default=default,
            identity=identity,
            generated=generated,
        )

    def _keys(self, made: str, records: Iterable[Record], types: dict[str, str]) -> Iterator[Key]:
        for each in records:
            trouble = self._unlike(each)
            if trouble:
                self._name(made, each["name"], trouble, bar=True)
                continue
            predicate = each["predicate"]
            yield Key(
                name=each["name"],
                parts=tuple(_part(*part, types) for part in _parts(each)),
                primary=each["primary"],
                constraint=each["constraint"],
                predicate=expression(predicate, types, "boolean") if predicate else None,
                nulls_distinct=not each["nulls_equal"],
                deferrable=each["deferrable"],
            )

    def _unlike(self, key: Record) -> str:
        """Why an index is no key that the model has, or nothing."""
        if key["exclusion"]:
            return "an exclusion constraint: which rows it refuses is not known"
        if not key["valid"]:
            return "an index that was never finished"
        if not key["deterministic"]:
            return "its collation takes different texts for equal"
        for type in key["types"]:
            if not has_equality(type, self.types):
                return f"a key of type {type}: which of its values are equal is not known"
        return ""

    def _foreign_keys(self, made: str, records: Iterable[Record]) -> Iterator[ForeignKey]:
        for each in records:
            if each["kind"] != "f":
                continue
            name, parent = each["name"], each["parent"]
            if not each["enforced"]:
                self._name(made, name, "it is not enforced")
            elif each["period"] or parent not in self.kept:
                why = "over periods" if each["period"] else "to a table that is a part of another"
                self._name(made, name, f"a foreign key {why}", bar=True)
            else:
                if each["some_columns"]:
                    self._name(made, name, "that it sets some columns only is not known")
                yield ForeignKey(
                    name=name,
                    columns=tuple(each["columns"]),
                    parent=self.ids[parent],
                    references=tuple(each["references"]),
                    on_delete=_ACTIONS[each["on_delete"]],
                    on_update=_ACTIONS[each["on_update"]],
                    deferrable=each["deferrable"],
                    full=each["match"] == "f",
                )

    def _checks(
        self, made: str, records: Iterable[Record], types: dict[str, str]
    ) -> Iterator[Check]:
        for each in records:
            if each["kind"] != "c":
                continue
            if each["enforced"]:
                yield Check(
                    name=each["name"], condition=expression(each["expression"], types, "boolean")
                )
            else:
                self._name(made, each["name"], "it is not enforced")


def _parts(key: Record) -> Iterator[tuple[str | None, str, str]]:
    """Column, SQL and type of each part of a key."""
    yield from zip(key["columns"], key["parts"], key["types"], strict=True)


def _part(name: str | None, text: str, type: str, types: dict[str, str]) -> Expression:
    return column(name) if name is not None else expression(text, types, type)
