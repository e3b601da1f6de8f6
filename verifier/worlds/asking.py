"""What only a server can evaluate: SQL of somebody's own, and what depends on a collation."""

from __future__ import annotations

import psycopg

from verifier.model.breach import NotModelled
from verifier.model.schema import Column, Expression, Row, Schema, Table, Value
from verifier.servers.sessions import words
from verifier.worlds.reading import Connection, ask
from verifier.worlds.spelling import expression, literal, name, of_type


class Asker:
    """A :data:`verifier.model.expressions.Ask` over a session with a database of ``schema``.

    The tables need not hold the rows. Each question is asked once.
    """

    def __init__(self, session: Connection, schema: Schema) -> None:
        self._session, self._schema = session, schema
        self._bases = {domain.name: domain.base for domain in schema.domains}
        self._known: dict[tuple[str, Expression, Row], Value] = {}

    def __call__(self, table: Table, asked: Expression, row: Row) -> Value:
        """The value of ``asked`` for ``row``; :class:`NotModelled` where the server has none."""
        computed = any(name not in table.places for name in asked.reads)
        given = tuple(
            value if computed or column.name in asked.reads else None
            for column, value in zip(table.stored, row, strict=True)
        )
        question = (table.id, asked, given)
        if question not in self._known:
            self._known[question] = self._answer(table, asked, given)
        return self._known[question]

    def _answer(self, table: Table, asked: Expression, row: Row) -> Value:
        stored = ", ".join(
            f"{literal(value)}::{self._type(column)} AS {name(column.name)}"
            for column, value in zip(table.stored, row, strict=True)
        )
        generated = "".join(
            f", {expression(column.generated, schema=self._schema)} AS {name(column.name)}"
            for column in table.columns
            if column.generated is not None
        )
        query = (
            f"SELECT {expression(asked, schema=self._schema)}"
            f" FROM (SELECT *{generated} FROM (SELECT {stored}) stored) {name(table.name)}"
        )
        try:
            [[[value]]] = ask(self._session, query)
        except psycopg.OperationalError:
            raise
        except psycopg.Error as error:
            what = asked.text or asked.op.value
            raise NotModelled(
                f"the server cannot evaluate {what!r} of {table.id}: {words(error)}"
            ) from None
        return value

    def _type(self, column: Column) -> str:
        """Its type, of a domain what is below: a value need not satisfy the domain."""
        kind = column.type
        while kind in self._bases:
            kind = self._bases[kind]
        return of_type(self._schema, kind)
