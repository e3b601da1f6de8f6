"""Ids inside cells: scalars, elements of an array, values inside json, changed one by one.

A cell that holds no id that moved keeps its text. Of json (not jsonb) everything but the
ids themselves keeps its text, so the cells are scanned here and not made anew by the server.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from verifier.initial_load.catalog import Column, Connection, SoftReference
from verifier.initial_load.session import literal, paste, run
from verifier.initial_load.stage import Staged

_BATCH = 500
"""Cells that are in memory at once."""
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)
_INTEGER = re.compile(r"-?\d+")
# Several ids of one array are replaced one after another: a new id is never an old one.
# array_replace keeps dimensions and bounds.
_REPLACED = """
CREATE OR REPLACE FUNCTION pg_temp.restore_replaced(cell anyarray, old anyarray, new anyarray)
RETURNS anyarray LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  FOR i IN 1 .. cardinality(old) LOOP
    cell := array_replace(cell, old[i], new[i]);
  END LOOP;
  RETURN cell;
END $$
"""


def moves(conn: Connection, query: str, depth: int = 0) -> str:
    """The table of every old id ``o`` of ``query`` with its new one ``f``, as text.

    There is one for each ``depth`` of moves that follow from others.
    """
    name = f"restore_moves_{depth}"
    run(
        conn,
        "DROP TABLE IF EXISTS pg_temp.{name}; "
        "CREATE TEMP TABLE {name} ON COMMIT DROP AS"
        " SELECT DISTINCT ON (o) o, f FROM ({query}) x WHERE o <> f ORDER BY o, f; "
        "CREATE INDEX ON pg_temp.{name} (o); ANALYZE pg_temp.{name}",
        name=name,
        query=query,
    )
    return f"pg_temp.{name}"


def scalar(column: Column) -> bool:
    return column.base not in ("json", "jsonb") and not column.base.endswith("[]")


def condition(child: Staged, soft: SoftReference, alias: str) -> str:
    """SQL for the rows ``alias`` that ``soft`` is about."""
    if soft.condition is None:
        return "true"
    name, value = soft.condition
    column = child.table.columns[name]
    if column not in child.columns:
        return "false"
    return f"{alias}.{column.quoted}::text = {literal(value)}"


def rewrite(
    conn: Connection, child: Staged, column: Column, soft: SoftReference, moved: str
) -> int:
    """Replace the ids of ``moved`` (:func:`moves`) in a column as it is; the number of cells."""
    if scalar(column):
        return _scalars(conn, child, column, soft, moved)
    if column.base.endswith("[]"):
        return _elements(conn, child, column, soft, moved)
    return _documents(conn, child, column, soft, moved)


def numbers_below(
    conn: Connection, child: Staged, column: Column, soft: SoftReference, limit: int
) -> tuple[int, str]:
    """How many numbers that ``soft`` is about are less than ``limit``, and the first."""
    count, first = 0, ""
    values = paste("SELECT c.{column}::text", column=column.quoted)
    if column.base.endswith("[]"):
        values = paste("SELECT e::text FROM unnest(c.{column}) e", column=column.quoted)
    query = paste(
        "SELECT x.v FROM {rows} c, LATERAL ({values}) x(v) WHERE x.v IS NOT NULL AND {where}",
        rows=child.rows,
        values=values,
        where=condition(child, soft, "c"),
    )
    with conn.cursor(name="restore_numbers") as cursor:
        for (value,) in cursor.execute(query.encode()):
            document = column.base in ("json", "jsonb")
            found = [id_ for _, _, id_ in ids(value, soft.path)] if document else [value]
            for one in found:
                if _INTEGER.fullmatch(one) and int(one) < limit:
                    count, first = count + 1, first or one
    return count, first


def _scalars(
    conn: Connection, child: Staged, column: Column, soft: SoftReference, moved: str
) -> int:
    return run(
        conn,
        "UPDATE {rows} c SET {column} = m.f::{type} FROM {moved} m"
        " WHERE m.o = c.{column}::text AND {where}",
        rows=child.rows,
        moved=moved,
        column=column.quoted,
        type=column.base,
        where=condition(child, soft, "c"),
    ).rowcount


def _elements(
    conn: Connection, child: Staged, column: Column, soft: SoftReference, moved: str
) -> int:
    conn.execute(_REPLACED)
    return run(
        conn,
        "UPDATE {rows} c SET {column} = pg_temp.restore_replaced(c.{column}, x.old, x.new) FROM ("
        "  SELECT e.n, array_agg(e.id) AS old, array_agg(m.f::{element}) AS new FROM ("
        "    SELECT DISTINCT c.{n} AS n, u.id FROM {rows} c, unnest(c.{column}) u(id)"
        "    WHERE {where}) e"
        "  JOIN {moved} m ON m.o = e.id::text GROUP BY e.n) x "
        "WHERE c.{n} = x.n",
        rows=child.rows,
        moved=moved,
        column=column.quoted,
        element=column.base.removesuffix("[]"),
        n=child.ordinal,
        where=condition(child, soft, "c"),
    ).rowcount


def _documents(
    conn: Connection, child: Staged, column: Column, soft: SoftReference, moved: str
) -> int:
    """The same for json, which is read and written in batches, whatever its size."""
    conn.execute(
        "DROP TABLE IF EXISTS pg_temp.restore_cells; "
        "CREATE TEMP TABLE restore_cells (n bigint, cell text) ON COMMIT DROP"
    )
    query = paste(
        "SELECT c.{n}, c.{column}::text FROM {rows} c WHERE c.{column} IS NOT NULL AND {where}",
        n=child.ordinal,
        column=column.quoted,
        rows=child.rows,
        where=condition(child, soft, "c"),
    )
    done = 0
    with conn.cursor(name="restore_documents") as cursor:
        cursor.execute(query.encode())
        while batch := cursor.fetchmany(_BATCH):
            done += _batch(conn, batch, soft.path, moved)
    if done:
        run(
            conn,
            "UPDATE {rows} c SET {column} = x.cell::{type} FROM pg_temp.restore_cells x"
            " WHERE c.{n} = x.n",
            rows=child.rows,
            column=column.quoted,
            type=column.base,
            n=child.ordinal,
        )
    return done


def _batch(
    conn: Connection, batch: list[tuple[int, str]], path: tuple[str, ...], moved: str
) -> int:
    places = [list(ids(cell, path)) for _, cell in batch]
    wanted = {id_ for found in places for _, _, id_ in found}
    if not wanted:
        return 0
    query = paste("SELECT o, f FROM {moved} WHERE o = ANY (%s)", moved=moved)
    new: dict[str, str] = dict(conn.execute(query.encode(), [list(wanted)]).fetchall())
    changed = [
        (n, _replaced(cell, found, new))
        for (n, cell), found in zip(batch, places, strict=True)
        if any(id_ in new for _, _, id_ in found)
    ]
    conn.execute(
        "INSERT INTO pg_temp.restore_cells SELECT * FROM unnest(%s::bigint[], %s::text[])",
        [[n for n, _ in changed], [cell for _, cell in changed]],
    )
    return len(changed)


def _replaced(cell: str, places: list[tuple[int, int, str]], moved: Mapping[str, str]) -> str:
    parts, end = [], 0
    for start, stop, id_ in places:
        if id_ not in moved:
            continue
        number = cell[start] != '"' and _INTEGER.fullmatch(moved[id_])
        written = moved[id_] if number else json.dumps(moved[id_], ensure_ascii=False)
        parts += [cell[end:start], written]
        end = stop
    return "".join([*parts, cell[end:]])


def ids(document: str, path: tuple[str, ...]) -> Iterator[tuple[int, int, str]]:
    """Where the strings and numbers at ``path`` stand in a json text, and what they are.

    A key leads into objects (into arrays, too, where it is the place of an element), ``*``
    to every element of an array; an array at the end of the path is all of its elements.
    Nothing is nested on Python's own stack, however deep the document is.
    """
    way: list[str | int] = []
    """For each open container the key or place that is being read."""
    expects_key = False
    for token in _TOKEN.finditer(document):
        text = token[0]
        first = text[0]
        if first in "{[":
            way.append("" if first == "{" else 0)
            expects_key = first == "{"
        elif first in "}]":
            way.pop()
            expects_key = False
        elif first == ",":
            last = way[-1]
            expects_key = isinstance(last, str)
            way[-1] = last if isinstance(last, str) else last + 1
        elif first == ":":
            expects_key = False
        elif expects_key:
            way[-1] = _text(text)
        elif (first == '"' or _INTEGER.fullmatch(text)) and _leads(way, path):
            yield token.start(), token.end(), _text(text) if first == '"' else text


def _text(written: str) -> str:
    """A json string's text; empty, which is no id, where no server can hold it as text."""
    text = str(json.loads(written, strict=False))
    return "" if "\0" in text or any("\ud800" <= one <= "\udfff" for one in text) else text


def _leads(way: list[str | int], path: tuple[str, ...]) -> bool:
    if len(way) == len(path) + 1:
        if not isinstance(way[-1], int):
            return False
    elif len(way) != len(path):
        return False
    return all(
        isinstance(step, int) if want == "*" else str(step) == want
        for step, want in zip(way, path, strict=False)
    )
