"""What an expression makes of a row: SQL's own logic, where unknown is a third answer.

Results are texts as PostgreSQL prints them (``t`` and ``f``), ``None`` is NULL. What
depends on a collation, or is SQL that is not spelled out, is asked.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from verifier.model.breach import NotModelled
from verifier.model.schema import Column, Domain, Expression, Op, Row, Schema, Table, Value
from verifier.model.types import Kind, Type, resolve
from verifier.model.values import form, number, ordered

Ask = Callable[[Table, Expression, Row], Value]
"""Answers what only a server knows: the value of an expression for a row of a table."""

TRUE, FALSE = "t", "f"
_NOTHING = Schema(tables=())
_UNTYPED = Type(Kind.UNKNOWN, "")
_NUMBERS = (Kind.INTEGER, Kind.NUMERIC, Kind.FLOAT4, Kind.FLOAT8)
_TEXTS = (Kind.TEXT, Kind.CHAR)
_LIMITS = {"smallint": 15, "int2": 15, "bigint": 63, "int8": 63}
"""Bits of the integer types that are not ``integer``."""


def refuse(table: Table, expression: Expression, row: Row) -> Value:
    """An :data:`Ask` that knows nothing."""
    what = expression.text or expression.op.value
    raise NotModelled(f"{what!r} of {table.id} can only be evaluated by a server")


def evaluate(
    expression: Expression,
    table: Table,
    row: Row,
    ask: Ask = refuse,
    schema: Schema = _NOTHING,
) -> Value:
    """The value of ``expression`` for ``row``, whose values are those of ``table.stored``.

    ``schema`` knows the enums and domains that columns may have. Generated columns are
    computed. Raises :class:`NotModelled`, or what ``ask`` raises.
    """
    return _Evaluation(table, row, ask, schema).value(expression)


def holds(
    condition: Expression, table: Table, row: Row, ask: Ask = refuse, schema: Schema = _NOTHING
) -> bool:
    """Whether a predicate is true: neither false nor unknown."""
    return evaluate(condition, table, row, ask, schema) == TRUE


def refused(
    condition: Expression, table: Table, row: Row, ask: Ask = refuse, schema: Schema = _NOTHING
) -> bool:
    """Whether a check fails: it is false, and not only unknown."""
    return evaluate(condition, table, row, ask, schema) == FALSE


def table_of(domain: Domain) -> Table:
    """A table whose rows are single values of ``domain``, to evaluate its checks with."""
    return Table(name=domain.name, columns=(Column(name="value", type=domain.base),))


def type_of(expression: Expression, table: Table, schema: Schema) -> Type:
    """The type that ``expression`` yields; of a bare literal an unknown one."""
    return _Evaluation(table, (), refuse, schema).type(expression)


class _Evaluation:
    """Of one row."""

    def __init__(self, table: Table, row: Row, ask: Ask, schema: Schema) -> None:
        self._table, self._row, self._ask, self._schema = table, row, ask, schema

    def value(self, expression: Expression) -> Value:
        simple = _SIMPLE.get(expression.op)
        if simple is not None:
            return simple(self, expression)
        values = [self.value(argument) for argument in expression.arguments]
        known = [value for value in values if value is not None]
        # Every other operator is NULL as soon as one of its arguments is.
        return _STRICT[expression.op](self, expression, known) if known == values else None

    def type(self, expression: Expression) -> Type:
        op = expression.op
        if expression.type:
            return resolve(expression.type, self._schema)
        if op is Op.COLUMN:
            return resolve(self._declared(expression.text).type, self._schema)
        if op in (Op.COALESCE, Op.PLUS):
            return self._common(expression.arguments)
        return _YIELDS.get(op, Type(Kind.BOOLEAN, "boolean"))

    def _declared(self, name: str) -> Column:
        return next(each for each in self._table.columns if each.name == name)

    def _column(self, expression: Expression) -> Value:
        name = expression.text
        place = self._table.places.get(name)
        if place is not None:
            return self._row[place]
        generated = self._declared(name).generated
        return None if generated is None else self.value(generated)

    def _connected(self, expression: Expression) -> Value:
        """AND and OR: one side may settle it, whatever the others are."""
        settles = FALSE if expression.op is Op.AND else TRUE
        unknown = False
        for argument in expression.arguments:
            value = self._truth(argument)
            if value == settles:
                return settles
            unknown = unknown or value is None
        if unknown:
            return None
        return TRUE if settles == FALSE else FALSE

    def _truth(self, argument: Expression) -> Value:
        value = self.value(argument)
        return None if value is None else _printed(_is_true(value))

    def _asked(self, expression: Expression) -> Value:
        return self._ask(self._table, expression, self._row)

    def _coalesced(self, expression: Expression) -> Value:
        values = map(self.value, expression.arguments)
        return next((value for value in values if value is not None), None)

    def _is_null(self, expression: Expression) -> Value:
        return _printed(self.value(expression.arguments[0]) is None)

    def _not(self, expression: Expression, values: list[str]) -> Value:
        return _printed(not _is_true(values[0]))

    def _lower(self, expression: Expression, values: list[str]) -> Value:
        kind, value = self.type(expression.arguments[0]).kind, values[0]
        if kind not in (*_TEXTS, Kind.UNKNOWN) or not value.isascii():
            return self._asked(expression)
        return value.rstrip(" ").lower() if kind is Kind.CHAR else value.lower()

    def _length(self, expression: Expression, values: list[str]) -> Value:
        kind, value = self.type(expression.arguments[0]).kind, values[0]
        if kind not in (*_TEXTS, Kind.UNKNOWN):
            return self._asked(expression)
        return str(len(value.rstrip(" ") if kind is Kind.CHAR else value))

    def _join(self, expression: Expression, values: list[str]) -> Value:
        joined = ""
        types = [self.type(argument) for argument in expression.arguments]
        if not any(each.kind in _TEXTS for each in types):
            return self._asked(expression)
        for type, argument, value in zip(types, expression.arguments, values, strict=True):
            if type.kind is Kind.CHAR:
                joined += value.rstrip(" ")
            elif type.kind in (Kind.TEXT, Kind.INTEGER) or argument.op is Op.LITERAL:
                joined += value
            else:
                return self._asked(expression)
        return joined

    def _sum(self, expression: Expression, values: list[str]) -> Value:
        type = self._common(expression.arguments)
        total = sum((Decimal(value) for value in values if value.lstrip("-").isdigit()), Decimal(0))
        whole = type.kind is Kind.INTEGER and all(value.lstrip("-").isdigit() for value in values)
        bits = _LIMITS.get(type.name, 31)
        if not whole or not -(2**bits) <= total < 2**bits:
            return self._asked(expression)
        return str(total)

    def _compared(self, expression: Expression, values: list[str]) -> Value:
        common = self._common(expression.arguments)
        equality = expression.op is Op.EQUAL
        try:
            if common.kind is Kind.UNKNOWN:
                return self._asked(expression)
            one, other = (
                _as(common, self.type(argument), value, form if equality else ordered)
                for argument, value in zip(expression.arguments, values, strict=True)
            )
            return _printed(_COMPARE[expression.op](one, other))
        except NotModelled:
            return self._asked(expression)

    def _common(self, arguments: tuple[Expression, ...]) -> Type:
        """The type in which several arguments meet; a literal is of the others' type."""
        types = [self.type(argument) for argument in arguments]
        types = [type for type in types if type != _UNTYPED]
        if not types:
            return Type(Kind.TEXT, "text")
        kinds = {type.kind for type in types}
        if kinds <= set(_NUMBERS):
            if len(kinds) > 1 and kinds & {Kind.FLOAT4, Kind.FLOAT8}:
                return Type(Kind.FLOAT8, "float8")
            if len(kinds) > 1:
                return Type(Kind.NUMERIC, "numeric")
            return max(types, key=lambda type: _LIMITS.get(type.name, 31))
        if kinds == {Kind.TEXT, Kind.CHAR}:
            return Type(Kind.TEXT, "text")
        return types[0] if len({type.name for type in types}) == 1 else _UNTYPED


def _as(common: Type, own: Type, value: str, read: Callable[[Type, str], Any]) -> Any:
    """A value of type ``own``, read in the type in which it is compared."""
    if common.kind is Kind.FLOAT8:
        rank, found = number(common if own == _UNTYPED else own, value)
        return (rank, float(found))
    if own.kind is Kind.CHAR:
        value = value.rstrip(" ")
    return read(common, value)


_SIMPLE: dict[Op, Callable[[_Evaluation, Expression], Value]] = {
    Op.COLUMN: _Evaluation._column,
    Op.LITERAL: lambda _, expression: expression.text,
    Op.OPAQUE: _Evaluation._asked,
    Op.AND: _Evaluation._connected,
    Op.OR: _Evaluation._connected,
    Op.COALESCE: _Evaluation._coalesced,
    Op.IS_NULL: _Evaluation._is_null,
}
_STRICT: dict[Op, Callable[[_Evaluation, Expression, list[str]], Value]] = {
    Op.NOT: _Evaluation._not,
    Op.LOWER: _Evaluation._lower,
    Op.LENGTH: _Evaluation._length,
    Op.JOIN: _Evaluation._join,
    Op.PLUS: _Evaluation._sum,
    Op.EQUAL: _Evaluation._compared,
    Op.LESS: _Evaluation._compared,
    Op.AT_MOST: _Evaluation._compared,
}
_YIELDS = {
    Op.LITERAL: _UNTYPED,
    Op.OPAQUE: _UNTYPED,
    Op.LOWER: Type(Kind.TEXT, "text"),
    Op.JOIN: Type(Kind.TEXT, "text"),
    Op.LENGTH: Type(Kind.INTEGER, "integer"),
}
"""All others are boolean."""
_COMPARE: dict[Op, Callable[[Any, Any], bool]] = {
    Op.EQUAL: operator.eq,
    Op.LESS: operator.lt,
    Op.AT_MOST: operator.le,
}


def _is_true(value: str) -> bool:
    return value.lower() in ("t", "true")


def _printed(truth: bool) -> str:
    return TRUE if truth else FALSE
