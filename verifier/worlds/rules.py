"""What the rows of the user's tables are held to one by one, as the server spells it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg.rows import dict_row

from verifier.model.schema import Schema, Table
from verifier.worlds import catalogue, partitions
from verifier.worlds.spelling import of_table
from verifier.worlds.tokens import reads
from verifier.worlds.trials import Rule

PARTITIONS = "partitions"
"""The name of the rule that a row belongs to one of them."""


def of_tables(connection: psycopg.Connection[Any], schema: Schema) -> dict[str, list[Rule]]:
    """The rules of each table of ``schema``, by id.

    Checks, partition bounds, and whatever the server evaluates for each row: expressions of
    indexes and their predicates, which may fail. To be asked with an empty ``search_path``.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        return {table.id: [*_of_table(cursor, table)] for table in schema.tables}


def _of_table(cursor: psycopg.Cursor[dict[str, Any]], table: Table) -> Iterator[Rule]:
    columns = [column.name for column in table.columns]
    found = cursor.execute("SELECT %s::regclass::oid::bigint AS oid", [of_table(table)]).fetchone()
    assert found is not None
    given = {"tables": [found["oid"]]}
    for each in cursor.execute(catalogue.CONSTRAINTS.encode(), given).fetchall():
        if each["kind"] == "c" and each["enforced"]:
            # A check of the row as a whole names no column.
            read = frozenset(each["columns"]) or frozenset(columns)
            yield Rule(name=each["name"], columns=read, sql=each["expression"])
    for each in cursor.execute(catalogue.KEYS.encode(), given).fetchall():
        parts = [
            text for name, text in zip(each["columns"], each["parts"], strict=True) if name is None
        ]
        for place, text in enumerate([*parts, *filter(None, [each["predicate"]])]):
            sql = f"(({text}) IS NULL) IS NOT NULL"
            name = f"{each['name']}_{place}"
            yield Rule(name=name, columns=frozenset(reads(text, columns)), sql=sql)
    for split in partitions.read(cursor, given["tables"]).values():
        sql = f"({' OR '.join(split.conditions) or 'false'}) IS TRUE"
        yield Rule(name=PARTITIONS, columns=frozenset(reads(sql, columns)), sql=sql)
