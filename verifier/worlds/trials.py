"""Values and rows tried on a server, which alone knows what its types and checks take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from verifier.model.schema import Row, Table, Value
from verifier.worlds.spelling import literal, name, names, of_table, qualified

_PLACE = "restore_verifier_trials"
_SECONDS = 30
# What is refused is undone alone, in a transaction within the one of the whole query.
_ATTEMPT = f"""
CREATE SCHEMA {_PLACE};
CREATE FUNCTION {_PLACE}.attempt(
    statement text, OUT made text[], OUT rule text, OUT why text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement INTO made;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS rule = CONSTRAINT_NAME, why = MESSAGE_TEXT;
END $$;
SET statement_timeout = '{_SECONDS}s';
"""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What the rows of a table are held to one by one."""

    name: str
    columns: frozenset[str]
    """Those that it reads, stored or generated."""
    sql: str
    """A condition; a row for which it is false, or fails, does not fit."""


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why the server took none of several."""

    rule: str
    """The name of the constraint that refused most of them, if one did."""
    why: str
    tried: tuple[Row, ...]

    def __str__(self) -> str:
        shown = ", ".join(" ".join(map(literal, row)) for row in self.tried[:6])
        more = f" and {len(self.tried) - 6} more" if len(self.tried) > 6 else ""
        return f"nothing that was tried satisfies it ({shown}{more}): {self.why}"


class Trials:
    """Tries things in a database of ours. Its tables stay as they are."""

    def __init__(self, session: psycopg.Connection[Any]) -> None:
        """``session``: as the owner of the database, with the settings that values are read in."""
        self._session = session
        session.execute(_ATTEMPT)

    def values(self, type: str, texts: Iterable[Value]) -> list[Value] | Refusal:
        """Those of ``texts`` that a type takes, as it prints them, each once."""
        tried = [(text,) for text in texts]
        statements = [f"SELECT ARRAY[{_printed(f'{literal(text)}::{type}')}]" for (text,) in tried]
        found = self._attempt(statements, tried)
        return found if isinstance(found, Refusal) else [value for (value,) in found]

    def rows(
        self,
        table: Table,
        columns: Sequence[str],
        generated: Sequence[str],
        rules: Iterable[Rule],
        rows: Sequence[Row],
    ) -> list[Row] | Refusal:
        """Those of ``rows`` that fit a table of ``columns`` alone.

        With its ``generated`` columns, which read no other, and held to ``rules``.
        """
        place = qualified(_PLACE, table.name)
        kept = {*columns, *generated}
        # Those that depend on others go first.
        others = sorted(table.columns, key=lambda each: each.generated is None)
        gone = [f"DROP COLUMN {name(each.name)}" for each in others if each.name not in kept]
        held = [f"ADD CONSTRAINT {name(rule.name)} CHECK ({rule.sql})" for rule in rules]
        changes = ", ".join([*gone, *held])
        made = f"CREATE TABLE {place} (LIKE {of_table(table)} INCLUDING GENERATED);"
        self._session.execute(
            f"{made} {f'ALTER TABLE {place} {changes}' if changes else ''}".encode()
        )
        printed = ", ".join(_printed(name(each)) for each in columns)
        begin = f"INSERT INTO {place} ({names(tuple(columns))}) VALUES"
        found = self._attempt(
            [
                f"{begin} ({', '.join(map(literal, row))}) RETURNING ARRAY[{printed}]"
                for row in rows
            ],
            rows,
        )
        self._session.execute(f"DROP TABLE {place}".encode())
        return found

    def _attempt(self, statements: list[str], tried: Sequence[Row]) -> list[Row] | Refusal:
        query = (
            "SELECT a.made, a.rule, a.why FROM unnest(%s::text[]) WITH ORDINALITY s(sql, place),"
            f" LATERAL {_PLACE}.attempt(s.sql) a ORDER BY s.place"
        )
        try:
            answers = self._session.execute(query.encode(), [statements]).fetchall()
        except psycopg.errors.QueryCanceled:
            return Refusal(rule="", why=f"it took more than {_SECONDS} s", tried=tuple(tried))
        found = [tuple(values) for values, _, _ in answers if values is not None]
        if found or not answers:
            return list(dict.fromkeys(found))
        blamed = [(rule or "", why) for _, rule, why in answers]
        rule, why = max(blamed, key=blamed.count)
        return Refusal(rule=rule, why=why, tried=tuple(tried))


def _printed(value: str) -> str:
    """SQL of ``value`` as its type prints it; a cast to text would print some otherwise."""
    return f"CASE WHEN num_nulls({value}) = 0 THEN concat({value}) END"
