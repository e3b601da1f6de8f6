"""The tables and columns that a program's claim means, spelled as the catalogue spells them.

A program may say ``Businesses`` or ``shop.businesses`` of ``public.businesses``, and may name a
row by its primary key's value alone. Whatever cannot be resolved without a doubt stays as it
was said, and the oracle finds that it names nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import psycopg

from verifier.contract import Claim, Row
from verifier.dsn import Dsn
from verifier.implementations.claims import UNNAMED
from verifier.transfer import parts

_PATIENCE = 10
"""Seconds for the connection."""

_TABLES = """
SELECT format('%I.%I', n.nspname, c.relname), n.nspname::text, c.relname::text,
       (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
       (SELECT array_agg(a.attname::text ORDER BY a.attnum)
          FROM pg_catalog.pg_index i
          JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
         WHERE i.indrelid = c.oid AND i.indisprimary)
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
"""


@dataclass(frozen=True, slots=True)
class _Known:
    spelled: str
    schema: str
    name: str
    columns: tuple[str, ...]
    primary: tuple[str, ...]


def resolved(claim: Claim, target: Dsn, names: Mapping[str, str] | None = None) -> Claim:
    """``claim`` in the words of ``target``'s catalogue; ``names`` are a user's own, first.

    The catalogue is asked only where the claim names a table, and a database that does not
    answer leaves the claim as it is.
    """
    if not any(_named(claim)):
        return claim
    try:
        with psycopg.connect(
            target.with_(connect_timeout=str(_PATIENCE)).conninfo, autocommit=True
        ) as session:
            found = session.execute(_TABLES).fetchall()
    except psycopg.Error:
        return claim
    tables = [
        _Known(spelled, schema, name, tuple(columns or ()), tuple(primary or ()))
        for spelled, schema, name, columns, primary in found
    ]
    return _Speller(tables, names or {}).claim(claim)


def _named(claim: Claim) -> Iterable[str]:
    yield from filter(None, claim.figures or ())
    yield from (each.table for each in claim.rejections or ())
    yield from (each.table for each in claim.merges or ())


class _Speller:
    def __init__(self, tables: Iterable[_Known], names: Mapping[str, str]) -> None:
        self._tables, self._names = tuple(tables), names
        self._found: dict[str, _Known | None] = {}

    def claim(self, said: Claim) -> Claim:
        figures: dict[str, dict[str, int]] = {}
        for name, told in (said.figures or {}).items():
            known = self._table(name)
            added = figures.setdefault(known.spelled if known else name, {})
            for kind, number in told.items():
                added[kind] = added.get(kind, 0) + number
        return replace(
            said,
            figures=figures or None,
            rejections=said.rejections
            and tuple(
                replace(each, table=self._spelled(each.table), key=self._key(each.table, each.key))
                for each in said.rejections
            ),
            merges=said.merges
            and tuple(
                replace(
                    each,
                    table=self._spelled(each.table),
                    key=self._key(each.table, each.key),
                    survivor=self._key(each.table, each.survivor),
                )
                for each in said.merges
            ),
        )

    def _spelled(self, name: str) -> str:
        known = self._table(name)
        return known.spelled if known else name

    def _table(self, name: str) -> _Known | None:
        if name not in self._found:
            self._found[name] = self._find(name)
        return self._found[name]

    def _find(self, name: str) -> _Known | None:
        """The one table that ``name`` means: as it is written, else in any case of letters."""
        said = self._names.get(name, name)
        wanted = parts(said)[-2:] if 0 < len(parts(said)) <= 3 else (said,)
        for form in (str, str.lower):
            words = tuple(form(part) for part in wanted)
            fitting = [
                each
                for each in self._tables
                if words == tuple(form(part) for part in (each.schema, each.name)[-len(words) :])
            ]
            if fitting:
                return fitting[0] if len(fitting) == 1 else None
        return None

    def _key(self, name: str, key: Row) -> Row:
        table = self._table(name)
        if table is None:
            return {column: value for column, value in key.items() if column != UNNAMED}
        found: dict[str, str | None] = {}
        for column, value in key.items():
            if column != UNNAMED:
                found[_column(column, table)] = value
            elif len(table.primary) == 1:
                found[table.primary[0]] = value
        return found


def _column(name: str, table: _Known) -> str:
    if name in table.columns:
        return name
    close = [each for each in table.columns if each.lower() == name.lower()]
    return close[0] if len(close) == 1 else name
