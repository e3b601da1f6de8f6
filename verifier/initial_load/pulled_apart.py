"""References that share a column: what each of them names, whatever the others make of it.

Rows merge, and references follow. Where a column is part of several references
(``(tenant, item)`` and ``(tenant, price)``), one that follows changes what the others say. So a
table of its own, ``restore_named_N``, has for each row and reference the values that this one
should have. A row that cannot have all of them is rejected: by some reference it would name a
row that it did not.
"""

from __future__ import annotations

from verifier.initial_load.catalog import Catalog, Connection, ForeignKey
from verifier.initial_load.ledger import reject
from verifier.initial_load.session import literal, paste, run
from verifier.initial_load.stage import Staged, has_columns


def sharing(catalog: Catalog, child: Staged) -> list[ForeignKey]:
    """The foreign keys of ``child`` that have a column in common with another one."""
    keys = [k for k in catalog.foreign_keys if k.child == child.table.oid and has_columns(child, k)]
    return [
        key
        for key in keys
        if any(set(key.columns) & set(one.columns) for one in keys if one is not key)
    ]


def note(conn: Connection, catalog: Catalog, child: Staged) -> str:
    """A copy of what the rows' references name now, made before any of them moves; its name."""
    named = _table(child)
    if not _is_there(conn, child):
        columns = [
            f"c.{child.table.columns[column].quoted} AS {name}"
            for key in sharing(catalog, child)
            for name, column in zip(names(catalog, child, key), key.columns, strict=True)
        ]
        run(
            conn,
            "CREATE TEMP TABLE {name} ON COMMIT DROP AS SELECT c.{n} AS n, {columns} FROM {rows} c;"
            "CREATE INDEX ON {named} (n); ANALYZE {named}",
            name=named.removeprefix("pg_temp."),
            named=named,
            n=child.ordinal,
            columns=", ".join(columns),
            rows=child.rows,
        )
    copy = f"restore_named_before_{child.number}"
    run(
        conn,
        "DROP TABLE IF EXISTS pg_temp.{copy};"
        "CREATE TEMP TABLE {copy} ON COMMIT DROP AS SELECT * FROM {named}",
        copy=copy,
        named=named,
    )
    return f"pg_temp.{copy}"


def names(catalog: Catalog, child: Staged, key: ForeignKey) -> list[str]:
    """The columns of ``restore_named_N`` for those of ``key``."""
    place = sharing(catalog, child).index(key)
    return [f"r{place}_{no}" for no, _ in enumerate(key.columns, 1)]


def record(conn: Connection, catalog: Catalog, child: Staged, key: ForeignKey, rows: str) -> None:
    """Of the ``rows`` ``c``, ``key`` names ``m.f1``, ``m.f2`` … from now on."""
    ours = list(enumerate(names(catalog, child, key), 1))
    run(
        conn,
        # Of two rows of one number, one may have become something else already.
        "UPDATE {named} r SET {set} FROM (SELECT c.{n}, m.* FROM {rows}) m"
        " WHERE r.n = m.{n} AND ({moves})",
        moves=" OR ".join(f"m.o{no} IS DISTINCT FROM m.f{no}" for no, _ in ours),
        named=_table(child),
        set=", ".join(f"{name} = m.f{no}" for no, name in ours),
        n=child.ordinal,
        rows=rows,
    )


def turn_away(conn: Connection, catalog: Catalog, child: Staged) -> int:
    """Reject the rows that do not hold what each of their references names.

    A row that takes over the key of a target row refers by that to what the target row does.
    """
    keys = sharing(catalog, child)
    if not keys or not _is_there(conn, child):
        return 0
    own = {column.name for column in child.identity}
    rejected = 0
    for key in (key for key in keys if not key.period):
        named = dict(zip(key.columns, names(catalog, child, key), strict=True))
        quoted = {name: child.table.columns[name].quoted for name in key.columns}
        differ = [
            f"s.{quoted[name]} IS DISTINCT FROM r.{named[name]}"
            + (" AND w.n IS NULL" if name in own else "")
            for name in key.columns
        ]
        rejected += reject(
            conn,
            child,
            paste(
                "s.{n} IN (SELECT s.{n} FROM {rows} s JOIN {named} r ON r.n = s.{n}"
                " LEFT JOIN pg_temp.restore_was w"
                " ON w.tab = {number} AND w.n = s.{n} AND w.con IS NOT NULL"
                " WHERE ({differ}) AND {whole})",
                n=child.ordinal,
                rows=child.rows,
                named=_table(child),
                number=str(child.number),
                differ=" OR ".join(f"({one})" for one in differ),
                whole=" AND ".join(f"r.{name} IS NOT NULL" for name in named.values()),
            ),
            literal(
                f"by ({', '.join(quoted.values())}) it would name another row of "
                f"{catalog.tables[key.referred].quoted} than in the backup: another of its "
                "references shares a column and follows a row that was merged"
            ),
            literal(key.name),
        )
    return rejected


def _table(child: Staged) -> str:
    return f"pg_temp.restore_named_{child.number}"


def _is_there(conn: Connection, child: Staged) -> bool:
    row = run(conn, "SELECT to_regclass({named})", named=literal(_table(child))).fetchone()
    return row is not None and row[0] is not None
