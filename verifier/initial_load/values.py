"""Whether a text is a value of a type, and rows whose texts are not."""

from __future__ import annotations

from verifier.initial_load.catalog import Column, Connection
from verifier.initial_load.offset import told
from verifier.initial_load.session import literal, run
from verifier.initial_load.stage import Staged, json_of

_WHY = """
CREATE OR REPLACE FUNCTION pg_temp.restore_reason(value text, type text) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('SELECT %L::%s', value, type);
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  RETURN SQLERRM;
END $$
"""


def reason(conn: Connection, value: str, column: Column, type_: str) -> str:
    """SQL for why the text ``value`` is none of ``type_``, ``column``'s; NULL if it is one.

    For use inside the restore's transaction.
    """
    if column.builtin and conn.info.server_version >= 160000:
        return f"(pg_input_error_info({value}, {literal(type_)})).message"
    # One subtransaction a value: slow, but any type can be asked like that.
    conn.execute(_WHY)
    return f"pg_temp.restore_reason({value}, {literal(type_)})"


def convert(conn: Connection, staged: Staged) -> None:
    """Move the values that were staged as text to their types; reject rows that do not fit."""
    text = f"pg_temp.text_{staged.number}"
    for column in staged.given:
        if column.type == "text":
            continue
        run(
            conn,
            "WITH bad AS MATERIALIZED (SELECT x.* FROM (SELECT b.*, {reason} AS {why} FROM {text} b"
            "       WHERE {asked}) x WHERE x.{why} IS NOT NULL),"
            "     gone AS (DELETE FROM {text} t USING bad WHERE t.{n} = bad.{n}) "
            "INSERT INTO pg_temp.restore_rejected "
            "SELECT {number}, bad.{n}, {key}, {row}, {what} || bad.{why}, '' FROM bad",
            reason=reason(conn, f"b.{column.quoted}", column, column.base),
            # A domain may refuse NULL, too.
            asked="true"
            if column.not_null and not column.builtin
            else f"b.{column.quoted} IS NOT NULL",
            why='"restore reason"',
            text=text,
            column=column.quoted,
            n=staged.ordinal,
            number=str(staged.number),
            key=json_of({each: _printed(conn, each) for each in staged.key}),
            row=json_of({each: _printed(conn, each) for each in staged.given}),
            what=literal(f"column {column.quoted}: "),
        )
    given = [column.quoted for column in staged.given]
    run(
        conn,
        "INSERT INTO {rows} ({names}) SELECT {values} FROM {text} b",
        rows=staged.rows,
        names=", ".join([staged.ordinal, *given]),
        values=", ".join(
            [f"b.{staged.ordinal}", *(f"b.{c.quoted}::{c.base}" for c in staged.given)]
        ),
        text=text,
    )


def _printed(conn: Connection, column: Column) -> str:
    """SQL for the text of ``column`` of the row ``bad`` as PostgreSQL prints it, if it is a value.

    A backup may spell it otherwise: JSON has moments in a form of its own.
    """
    value = f"bad.{column.quoted}"
    if column.base == "text":
        return value
    fits = f"{reason(conn, value, column, column.base)} IS NULL"
    printed = told(column, f"{value}::{column.base}")
    return f"CASE WHEN {value} IS NOT NULL AND {fits} THEN {printed} ELSE {value} END"
