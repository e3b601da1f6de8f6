"""Cells that still hold the id of a row that was merged away, and that nobody declared (U13).

Asked only where rows merged, and only of ids that are more than a number: text and uuid
keys, and numbers of many digits. A bare small number in a text is noise. A cell's words and
the elements of an array are looked up among the ids, so the work grows with the cells.
"""

from __future__ import annotations

from collections.abc import Iterator

from verifier.initial_load.catalog import Catalog, Column, Connection
from verifier.initial_load.session import literal, paste, run
from verifier.initial_load.stage import Staged

_SHOWN = 5
"""Cells of a column that a note names."""
_LONG = 9
"""Digits that make a number an id wherever it stands."""

_AWAY = """
DROP TABLE IF EXISTS pg_temp.restore_away;
CREATE TEMP TABLE restore_away ON COMMIT DROP AS
SELECT DISTINCT v.value AS id FROM pg_temp.restore_merged m, json_each_text(m.key) v
WHERE v.value IS DISTINCT FROM m.survivor ->> v.key AND v.value <> ''
  AND (v.value !~ '^-?[0-9.]+$' OR length(v.value) >= {long})
  AND m.tab IN ({named});
CREATE INDEX ON pg_temp.restore_away USING hash (id);
ANALYZE pg_temp.restore_away
"""
# Rows that have no identity are told by all that they hold, and none of that is an id. The index
# is one of hashes, because the text of an id may be longer than what others hold.
# Two ways to cut a text: at spaces and punctuation that no id has, and at all punctuation.
_WORDS = (r"[^][\s\"'',;(){}<>]+", r"[[:alnum:]_-]+")


def notes(conn: Connection, catalog: Catalog, tables: list[Staged]) -> list[str]:
    """One sentence for each column with such cells."""
    if conn.execute("SELECT FROM pg_temp.restore_merged LIMIT 1").fetchone() is None:
        return []
    named = [str(staged.number) for staged in tables if staged.identity]
    run(conn, _AWAY, long=str(_LONG), named=", ".join(named) or "NULL")
    if conn.execute("SELECT FROM pg_temp.restore_away LIMIT 1").fetchone() is None:
        return []
    found: list[str] = []
    for staged in tables:
        for column in _searched(catalog, staged):
            found += _note(conn, staged, column)
    return found


def _searched(catalog: Catalog, staged: Staged) -> Iterator[Column]:
    """The columns that may hold an id of another row without a constraint that says so."""
    keys = (key for key in catalog.foreign_keys if key.child == staged.table.oid)
    bound = {name for key in keys for name in key.columns}
    bound |= {column.name for column in staged.identity}
    for column in staged.given:
        held = column.kind in "SA" or column.base in ("uuid", "json", "jsonb", "xml")
        if held and column.name not in bound:
            yield column


def _note(conn: Connection, staged: Staged, column: Column) -> Iterator[str]:
    value = f"s.{column.quoted}"
    tokens = [paste("SELECT {value}::text", value=value)]
    if column.kind == "A":
        tokens.append(paste("SELECT e::text FROM unnest({value}) e", value=value))
    if column.base != "uuid":
        tokens += [
            paste(
                "SELECT w[1] FROM regexp_matches({value}::text, {words}, 'g') w",
                value=value,
                words=literal(words),
            )
            for words in _WORDS
        ]
    losers = "false"
    if staged.grouped:
        losers = paste(
            "EXISTS (SELECT FROM {fate} f WHERE f.n = s.{n} AND f.n <> f.winner)",
            n=staged.ordinal,
            fate=staged.fate,
        )
    row = run(
        conn,
        "SELECT count(*), (array_agg({shown} ORDER BY x.n))[1:{most}] FROM ("
        "  SELECT s.{n} AS n, {key}::text AS key, min(w.id) AS id FROM {rows} s,"
        "    LATERAL ({tokens}) w(id) JOIN pg_temp.restore_away a ON a.id = w.id"
        "  WHERE {value} IS NOT NULL AND NOT ({losers}) GROUP BY s.{n}, 2) x",
        shown="x.key || ' holds ' || x.id",
        most=str(_SHOWN),
        n=staged.ordinal,
        key=staged.key_json("s"),
        rows=staged.rows,
        tokens=" UNION ".join(tokens),
        value=value,
        losers=losers,
    ).fetchone()
    if row and row[0]:
        count, cells = row
        more = ", …" if count > len(cells) else ""
        yield (
            f"merged-away ids are left in {staged.table.quoted}.{column.quoted}: {count} cells: "
            f"{', '.join(cells)}{more} (declare the reference and its ids follow; short numbers "
            "are not searched for)"
        )
