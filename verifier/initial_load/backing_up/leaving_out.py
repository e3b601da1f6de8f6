"""Rows that a backup leaves out by rule, and all that refer to them, so that no orphan is made.

A rule's condition marks rows of one table. From there the source's foreign keys are
followed, parents to children, round by round until nothing new is found: rows of a cycle
or of a tree within one table go, too; a NULL reference refers to nothing and stays.
Marks are places of rows (table and ctid, which stand still in a snapshot) in temporary
tables of the source. A foreign key that is NOT ENFORCED promises nothing and is not followed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

import psycopg
from psycopg import errors, sql

from verifier.errors import BackupError, UsageError
from verifier.initial_load.backing_up.naming import resolve
from verifier.initial_load.backing_up.snapshot import Relation, Snapshot
from verifier.initial_load.catalog import Catalog, Connection, ForeignKey
from verifier.initial_load.manifest import Rule
from verifier.initial_load.order import components
from verifier.initial_load.session import paste, run
from verifier.readers import suggestion
from verifier.transfer import Exclude

_COLUMN = re.compile(r'column "?([^"]+?)"? does not exist')
# SQLSTATE classes of a condition that cannot be right: what it says, or what it computes.
# 08P01: a parameter ($1), for which there is no value.
_CONDITIONS_FAULT = ("42", "22", "0A", "2F", "38", "39", "P0", "21", "08P01")


@dataclass(frozen=True, slots=True)
class _Link:
    """A foreign key between two whole tables (a partition stands for its topmost table)."""

    child: int
    parent: int
    rows: str
    """FROM items: the child as ``c``, the parent as ``p``, joined."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What the rules leave out. Tables by oid, partitions under their topmost table."""

    rules: tuple[Rule, ...] = ()
    rows: Mapping[int, int] = field(default_factory=dict)
    written: tuple[Relation, ...] = ()
    """Tables that pg_dump cannot write, in the order to write them: those that lose rows,
    and those that refer to them, which come after them."""
    notes: tuple[str, ...] = ()


def prepare(conn: Connection) -> None:
    """Raise :class:`BackupError` where no temporary table can be made."""
    found = conn.execute(
        "SELECT pg_catalog.pg_is_in_recovery(),"
        " pg_catalog.has_database_privilege(pg_catalog.current_database(), 'TEMP')"
    ).fetchone()
    assert found is not None
    if found[0]:
        raise BackupError(
            "rows can be left out on a primary only, because a standby has no temporary tables; "
            "back up the primary, or leave no rows out"
        )
    if not found[1]:
        raise BackupError(
            f"the account {conn.info.user} may not make temporary tables, which leaving rows out "
            f"takes; grant it TEMPORARY on the database {conn.info.dbname}"
        )


def decide(
    conn: Connection, held: Snapshot, catalog: Catalog, rules: Collection[Exclude]
) -> LeftOut:
    """Find what ``rules`` leave out of the snapshot. Raises :class:`UsageError` for a bad rule."""
    links = list(_links(conn, held, catalog))
    starts = [(rule, resolve(rule.table, held)) for rule in rules]
    below = _below({table.root for _, table in starts}, links)
    for oid in below:
        run(
            conn,
            "CREATE TEMPORARY TABLE {marks} (rel oid, place tid, rule int, round int,"
            " PRIMARY KEY (rel, place))",
            marks=marks(oid),
        )
    found: list[Rule] = []
    notes: list[str] = []
    total: dict[int, int] = {}
    for number, (rule, table) in enumerate(starts):
        _mark(conn, catalog, rule, table, number)
        _follow(conn, table.root, links, number)
        rows = _counted(conn, below, number)
        left_out = {held.tables[oid].quoted: n for oid, (n, _) in rows.items() if n}
        left_out = dict(sorted(left_out.items()))
        found.append(Rule(table=table.quoted, condition=rule.condition, left_out=left_out))
        notes.append(_note(rule, held.tables[table.root], rows[table.root][1], left_out))
        for oid, (n, _) in rows.items():
            total[oid] = total.get(oid, 0) + n
    total = {oid: n for oid, n in total.items() if n}
    written = _order(_below(set(total), links), links)
    for oid in written:
        if held.tables[oid].condition:
            raise UsageError(
                f"{held.tables[oid].quoted} belongs to an extension, and no row of it can be left "
                "out; give a rule that does not reach it"
            )
    tables = tuple(held.tables[oid] for oid in written)
    return LeftOut(tuple(found), total, tables, tuple(notes))


# One primary key serves all partitions of a table, hence the column rel.
def marks(oid: int) -> str:
    return f"pg_temp.left_out_{oid}"


def rows_in(table: Relation) -> str:
    """``table`` in a FROM clause: with its partitions, without what inherits from it."""
    return table.quoted if table.partitioned else f"ONLY {table.quoted}"


def _links(conn: Connection, held: Snapshot, catalog: Catalog) -> Iterator[_Link]:
    """The foreign keys between tables of the backup, compared as the server compares them."""
    operators = {
        (child, name): found
        for child, name, found in conn.execute(
            "SELECT k.conrelid::bigint, k.conname, pg_catalog.array_agg("
            "         pg_catalog.format('OPERATOR(%I.%s)', n.nspname, o.oprname) ORDER BY u.no)"
            " FROM pg_catalog.pg_constraint k,"
            "      LATERAL unnest(k.conpfeqop) WITH ORDINALITY u(op, no)"
            " JOIN pg_catalog.pg_operator o ON o.oid = u.op"
            " JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace"
            " WHERE k.contype = 'f' GROUP BY 1, 2"
        )
    }
    whole = {_shape(key) for key in catalog.foreign_keys}
    for key in catalog.foreign_keys:
        child, parent = held.tables.get(key.child), held.tables.get(key.referred)
        if child is None or parent is None:
            continue
        if child.root != child.oid and _shape(key, child.root) in whole:
            continue  # the table's own, once more for its partition
        names = (catalog.tables[parent.oid].columns, catalog.tables[child.oid].columns)
        same = " AND ".join(
            f"p.{names[0][theirs].quoted} {operator} c.{names[1][ours].quoted}"
            for ours, theirs, operator in zip(
                key.columns, key.references, operators[key.child, key.name], strict=True
            )
        )
        rows = f"{rows_in(child)} c JOIN {rows_in(parent)} p ON {same}"
        yield _Link(child.root, parent.root, rows)


def _shape(key: ForeignKey, child: int | None = None) -> tuple[object, ...]:
    return (key.child if child is None else child, key.referred, key.columns, key.references)


def _mark(conn: Connection, catalog: Catalog, rule: Exclude, table: Relation, no: int) -> None:
    """Mark the rows that the condition of ``rule`` is true for, under the account's search path."""
    statement = paste(
        # The line breaks end a comment that the condition may end in.
        "INSERT INTO {marks} (rel, place, rule, round) SELECT tableoid, ctid, {rule}, 0"
        " FROM {rows} WHERE (\n{condition}\n) ON CONFLICT DO NOTHING",
        marks=marks(table.root),
        rule=str(no),
        rows=rows_in(table),
        condition=rule.condition,
    )
    run(conn, "SET LOCAL search_path TO DEFAULT")
    try:
        # Binary results are asked for because they take the extended protocol, which
        # runs one statement and no more: a condition cannot end it and begin another.
        conn.execute(sql.SQL(statement), binary=True)
    except psycopg.Error as error:
        code = error.sqlstate or ""
        if not code.startswith(_CONDITIONS_FAULT) or code == errors.InsufficientPrivilege.sqlstate:
            raise
        said = error.diag.message_primary or str(error).strip()
        unknown = _COLUMN.search(said) if code == errors.UndefinedColumn.sqlstate else None
        columns = [column.quoted for column in catalog.tables[table.oid].columns.values()]
        hint = suggestion(unknown[1].split(".")[-1], columns) if unknown else ""
        raise UsageError(
            f"the rule {str(rule)!r} cannot be used: {said}{hint}; give a condition over the "
            f"columns of {table.quoted} as SQL writes it"
        ) from error
    run(conn, "SET LOCAL search_path TO ''")


def _follow(conn: Connection, start: int, links: list[_Link], rule: int) -> None:
    """Mark what refers to marked rows, until a round marks nothing."""
    fresh, step = {start}, 0
    found: Counter[int] = Counter()
    known: Counter[int] = Counter()
    while fresh:
        for oid in fresh:
            # A temporary table has no statistics; without them large ones join badly.
            if not step or found[oid] > 2 * known[oid]:
                run(conn, "ANALYZE {marks}", marks=marks(oid))
                known[oid] = found[oid]
        step += 1
        last, fresh = fresh, set()
        for link in links:
            if link.parent not in last:
                continue
            done = run(
                conn,
                "INSERT INTO {marks} (rel, place, rule, round)"
                " SELECT DISTINCT c.tableoid, c.ctid, {rule}, {step} FROM {rows}"
                " JOIN {parents} m ON m.rel = p.tableoid AND m.place = p.ctid"
                " WHERE m.rule = {rule} AND m.round = {last} ON CONFLICT DO NOTHING",
                marks=marks(link.child),
                rule=str(rule),
                step=str(step),
                last=str(step - 1),
                rows=link.rows,
                parents=marks(link.parent),
            )
            if done.rowcount:
                fresh.add(link.child)
                found[link.child] += done.rowcount


def _below(oids: set[int], links: list[_Link]) -> list[int]:
    """``oids`` and every table that refers to them, directly or not."""
    found, open_ = dict.fromkeys(oids), list(oids)
    while open_:
        parent = open_.pop()
        for link in links:
            if link.parent == parent and link.child not in found:
                found[link.child] = None
                open_.append(link.child)
    return sorted(found)


def _order(oids: Collection[int], links: list[_Link]) -> list[int]:
    """``oids``, parents first."""
    parents = {
        oid: [link.parent for link in links if link.child == oid and link.parent in oids]
        for oid in sorted(oids)
    }
    return [oid for component in components(parents) for oid in component]


def _counted(conn: Connection, oids: Collection[int], rule: int) -> dict[int, tuple[int, int]]:
    """Rows that ``rule`` left out of each table, and how many of them its condition named."""
    found = {}
    for oid in oids:
        row = run(
            conn,
            "SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE round = 0)"
            " FROM {marks} WHERE rule = {rule}",
            marks=marks(oid),
            rule=str(rule),
        ).fetchone()
        assert row is not None
        found[oid] = (row[0], row[1])
    return found


def _note(rule: Exclude, table: Relation, rows: int, left_out: Mapping[str, int]) -> str:
    more = {name: n - rows * (name == table.quoted) for name, n in left_out.items()}
    listed = ", ".join(f"{name} {n}" for name, n in more.items() if n)
    referring = f", and {sum(more.values())} that refer to them: {listed}" if listed else ""
    own = "1 row" if rows == 1 else f"{rows} rows"
    return f"the rule {str(rule)!r} left out {own} of {table.quoted}{referring}"
