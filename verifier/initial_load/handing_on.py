"""Values of unique keys that pass from one row of the target to another (trap U11).

A unique key that is not deferrable is checked row by row. So a row whose value another row
takes over is parked before anything is written: one column of the key holds, in between, NULL
or a value that no row has. Where none of them can, the row is rejected.
"""

from __future__ import annotations

from collections.abc import Iterator

from verifier.initial_load import changes
from verifier.initial_load.catalog import Catalog, Column, Connection, UniqueKey
from verifier.initial_load.checks import guarded
from verifier.initial_load.equal import evaluated, read_by, same
from verifier.initial_load.ledger import reject
from verifier.initial_load.session import literal, paste, run
from verifier.initial_load.stage import Staged


def plan(conn: Connection, catalog: Catalog, staged: Staged) -> int:
    """Find a place for every row that gives a value away, or reject it; the number of rows."""
    staged.parking = {}
    rejected = 0
    for key, wanted in _wanted(staged):
        spot = next(_spots(conn, catalog, staged, key, wanted), None)
        if spot is not None:
            staged.parking[key.name] = spot
            continue
        rejected += reject(
            conn,
            staged,
            paste("s.{n} IN (SELECT p.n FROM {wanted} p)", n=staged.ordinal, wanted=wanted),
            literal(
                f"its {key.name} is taken over by another row, and none of the key's columns "
                "can hold a value in between; make the constraint deferrable"
            ),
            literal(key.name),
        )
    return rejected


def _wanted(staged: Staged) -> Iterator[tuple[UniqueKey, str]]:
    """For each key that can pass from row to row: a query for the changes that give it away.

    Such a row's present key is wanted by another row that is written. A deferrable
    key needs no help: its check is deferred to the end.
    """
    if not staged.updates:
        return
    identity = staged.table.identity
    for key in staged.keys:
        if key is identity or not key.immediate:
            continue
        yield (
            key,
            paste(
                "(SELECT DISTINCT c.n, c.t_oid, c.t_ctid FROM {change} c"
                " JOIN ({held}) t ON t.t_oid = c.t_oid AND t.t_ctid = c.t_ctid"
                " JOIN ({written}) s ON {same} AND s.n <> c.n)",
                change=staged.change,
                held=evaluated(key, staged.table.only, "tableoid AS t_oid, ctid AS t_ctid"),
                written=_written(staged, key),
                same=same(staged, key, "s", "t"),
            ),
        )


def _written(staged: Staged, key: UniqueKey) -> str:
    """A query for the values of ``key`` that rows which are written bring."""
    return paste(
        "SELECT k.* FROM ({rows}) k WHERE k.n IN (SELECT n FROM {new})"
        " OR k.n IN (SELECT n FROM {change})",
        rows=evaluated(key, staged.rows, f"{staged.ordinal} AS n"),
        new=staged.new,
        change=staged.change,
    )


def handed_on(conn: Connection, staged: Staged) -> list[str]:
    """The keys of which values pass from a row of the target to another one."""
    return [
        key.name
        for key, wanted in _wanted(staged)
        if run(conn, "SELECT FROM {wanted} w LIMIT 1", wanted=wanted).rowcount
    ]


# --- places -----------------------------------------------------------------------------------

Spot = tuple[Column, str]
"""A column of a key, and an expression over ``t`` for what it holds in between."""
_ENOUGH = 20
"""Characters of a hash that make it one of its own."""
_PRIVATE, _COUNT = 0xE000, 6400
"""The first character for private use in Unicode, and how many there are."""
_NO, _N = '"restore no"', '"restore n"'
_DIGITS = (f"row_number_of_change.no % {_COUNT}", f"row_number_of_change.no / {_COUNT}")


def _spots(
    conn: Connection, catalog: Catalog, staged: Staged, key: UniqueKey, wanted: str
) -> Iterator[Spot]:
    """Where the ``wanted`` rows can stand in between."""
    for column, value in _candidates(catalog, staged, key):
        certain = _certain(catalog, staged, column, value)
        if certain or _possible(conn, catalog, staged, (column, value), wanted):
            yield column, value


def _candidates(catalog: Catalog, staged: Staged, key: UniqueKey) -> Iterator[Spot]:
    """NULL comes first; in other columns there are values that nobody has."""
    own = [fk for fk in catalog.foreign_keys if fk.child == staged.table.oid]
    bound = catalog.referenced(staged.table)
    bound |= {name for fk in own if fk.full and len(fk.columns) > 1 for name in fk.columns}
    free = {column.name: column for column in changes.settable(staged) if column.name not in bound}
    for name in key.plain:
        # A reference may be NULL in between: a foreign key leaves such a row alone.
        if name in free and not free[name].not_null and key.nulls_distinct:
            yield free[name], "NULL"
    linked = {name for fk in own for name in fk.columns}
    settable = {name: column for name, column in free.items() if name not in linked}
    others = sorted(read_by(staged, key) - set(key.plain))
    for name in (*key.plain, *others):
        for value in _unused(staged, settable[name]) if name in settable else ():
            yield settable[name], value


def _unused(staged: Staged, column: Column) -> Iterator[str]:
    """Values that nobody has: strange texts, any UUID, numbers beyond all others."""
    unique = "md5(t.tableoid::text || t.ctid::text)"
    if column.kind == "S" and column.base != "name":
        if column.length is None or column.length >= _ENOUGH:
            yield f"left('~' || {unique}, {column.length or 33})"
        # Where hashes would collide, or are too long: characters that nobody has in his data.
        digits = [f"chr({_PRIVATE} + ({number})::int)" for number in _DIGITS[: column.length]]
        yield (
            f"CASE WHEN getdatabaseencoding() = 'UTF8' THEN {' || '.join(digits)}"
            f" ELSE left('~' || {unique}, {len(digits)}) END"
        )
    if column.underlying == "uuid":
        yield "gen_random_uuid()"
    if column.underlying in ("smallint", "integer", "bigint", "numeric"):
        for beyond, end, sign in (("greatest", "max", "+"), ("least", "min", "-")):
            far = f"(SELECT coalesce({end}({column.quoted}), 0) FROM"
            yield (
                f"{beyond}({far} {staged.table.only}), {far} {staged.rows}))"
                f" {sign} row_number_of_change.no"
            )


def _certain(catalog: Catalog, staged: Staged, column: Column, value: str) -> bool:
    """Whether nothing looks at the column that could mind ``value``."""
    if column.base != column.underlying or (value != "NULL" and column.kind == "N"):
        return False  # a domain has rules of its own, and numbers end
    table = staged.table
    looking = catalog.rules(table)
    looking += [key.predicate or "" for key in table.keys]
    looking += [part for key in table.keys for part in key.expressions if part != column.quoted]
    together = any(
        column.quoted in key.expressions and not key.nulls_distinct for key in table.keys
    )
    return not (value == "NULL" and together) and not any(
        column.mentioned(expression) for expression in looking
    )


def _possible(conn: Connection, catalog: Catalog, staged: Staged, spot: Spot, wanted: str) -> bool:
    """Whether the type, the checks, the partitions and all unique keys allow it for every row."""
    rules = [f"({check.expression}) IS NOT FALSE" for check in staged.table.checks]
    if bounds := catalog.bounds(staged.table):
        rules.append(f"({' OR '.join(f'({one})' for one in bounds)})")
    met = [
        _met(staged, key)
        for key in staged.table.keys
        if key.immediate and spot[0].name in read_by(staged, key)
    ]
    with guarded(conn) as found:
        row = run(
            conn,
            "WITH wanted AS MATERIALIZED (SELECT w.*, row_number() OVER () AS no FROM {wanted} w),"
            " parked AS MATERIALIZED ({parked}) "
            "SELECT (SELECT bool_and({rules}) FROM parked) IS NOT FALSE {alone}",
            wanted=wanted,
            parked=_parked(staged, *spot),
            rules=" AND ".join(rules) or "true",
            alone="".join(f" AND NOT EXISTS ({one})" for one in met),
        ).fetchone()
        found.append(bool(row and row[0]))
    return bool(found and found[0])


def _parked(staged: Staged, column: Column, value: str) -> str:
    """A query for the rows as they are in between, numbered by ``"restore no"``.

    ``"restore n"`` is the ordinal of the row of the backup that each becomes.
    """
    columns = staged.table.columns.values()
    stored = (
        f"({value})::{column.type} AS {each.quoted}" if each is column else f"t.{each.quoted}"
        for each in columns
        if not each.generated
    )
    return paste(
        "SELECT x.* {generated} FROM (SELECT {stored}, row_number_of_change.no AS {no},"
        " row_number_of_change.n AS {n}"
        " FROM {target} t JOIN wanted row_number_of_change"
        " ON t.tableoid = row_number_of_change.t_oid AND t.ctid = row_number_of_change.t_ctid) x",
        generated="".join(
            f", ({each.default}) AS {each.quoted}" for each in columns if each.generated
        ),
        stored=", ".join(stored),
        no=_NO,
        n=_N,
        target=staged.table.only,
    )


def _met(staged: Staged, key: UniqueKey) -> str:
    """A query for rows in between that collide with each other, or with a row that stays.

    Or with one that is written: where only a predicate or an expression reads the column that
    changes, the row may hold its value still.
    """
    return paste(
        "SELECT FROM ({ours}) s JOIN (SELECT {no}, NULL::bigint AS n, {parts},"
        "   NULL::oid AS t_oid, NULL::tid AS t_ctid FROM ({ours}) o"
        " UNION ALL SELECT NULL, NULL, {parts}, t_oid, t_ctid FROM ({theirs}) h"
        " UNION ALL SELECT NULL, n, {parts}, NULL, NULL FROM ({written}) k) t"
        " ON {same} WHERE t.{no} IS DISTINCT FROM s.{no} AND t.n IS DISTINCT FROM s.{n}"
        " AND NOT EXISTS (SELECT FROM wanted w WHERE w.t_oid = t.t_oid AND w.t_ctid = t.t_ctid)",
        ours=evaluated(key, "parked", f"{_NO}, {_N}"),
        written=_written(staged, key),
        n=_N,
        theirs=evaluated(key, staged.table.only, "tableoid AS t_oid, ctid AS t_ctid"),
        parts=", ".join(f"k{no}" for no, _ in enumerate(key.expressions, 1)),
        same=same(staged, key, "s", "t"),
        no=_NO,
    )


# --- before anything is written -----------------------------------------------------------------


def park(conn: Connection, staged: Staged) -> None:
    """Move the rows that give a value away to where :func:`plan` found a place for them."""
    done = 0
    for key, wanted in _wanted(staged):
        spot = staged.parking.get(key.name)
        if spot is None:
            continue
        column, value = spot
        done += run(
            conn,
            "WITH row_number_of_change AS MATERIALIZED"
            "       (SELECT w.*, row_number() OVER () + {done} AS no FROM {wanted} w),"
            "     parked AS (UPDATE {target} t SET {column} = {value} FROM row_number_of_change"
            "       WHERE t.tableoid = row_number_of_change.t_oid"
            "         AND t.ctid = row_number_of_change.t_ctid"
            "       RETURNING row_number_of_change.n, t.tableoid AS t_oid, t.ctid AS t_ctid) "
            "UPDATE {change} c SET t_oid = p.t_oid, t_ctid = p.t_ctid FROM parked p"
            " WHERE p.n = c.n",
            done=str(done),
            wanted=wanted,
            target=staged.table.only,
            column=column.quoted,
            value=value,
            change=staged.change,
        ).rowcount
