"""The backup's own numbers out of the way, right after staging (see :mod:`local_ids`)."""

from __future__ import annotations

from collections.abc import Iterator

from verifier.initial_load import cells
from verifier.initial_load.catalog import Catalog, Column, Connection, SoftReference
from verifier.initial_load.following import follow_cells
from verifier.initial_load.links import Before
from verifier.initial_load.local_ids import LocalIds, Place
from verifier.initial_load.offset import OFFSET, ROOM
from verifier.initial_load.session import literal, paste, run
from verifier.initial_load.stage import Content, Staged, family


def detach(
    conn: Connection, catalog: Catalog, local: LocalIds, content: Content
) -> tuple[list[str], list[str]]:
    """Move the numbers and the references to them.

    Returns why that is not possible, if it is not, and notes about what is left.
    """
    tables = content.tables
    problems = [problem for staged in tables for problem in _crowded(conn, staged)]
    if problems:
        return problems, []
    soft = [one for one in catalog.references if local.holds(one.parent, one.key)]
    notes = [note for one in soft for note in _detach_cells(conn, catalog, tables, one)]
    bound = {(key.child, name) for key in catalog.foreign_keys for name in key.columns}
    done = {(one.child, one.column) for one in soft} - bound
    for staged in tables:
        _detach(conn, catalog, local, staged, done)
    _forget_positions(conn, catalog, local, content)
    return [], notes


def _crowded(conn: Connection, staged: Staged) -> list[str]:
    """Numbers so large that moved ones could not be told from them."""
    found = []
    for column in staged.columns:
        if not column.local:
            continue
        for source, where in ((staged.rows, "the backup"), (staged.table.only, "the target")):
            row = run(
                conn,
                "SELECT max({column}) >= {room} OR min({column}) <= -{room} FROM {source}",
                column=column.quoted,
                room=str(ROOM),
                source=source,
            ).fetchone()
            if row and row[0]:
                found.append(
                    f"{staged.table.quoted}.{column.quoted} has numbers of {ROOM} and more in "
                    f"{where}, too large for --ids local"
                )
    return found


def _detach(
    conn: Connection, catalog: Catalog, local: LocalIds, staged: Staged, done: set[Place]
) -> None:
    table = staged.table
    staged.local = tuple(c for c in local.of(table) if c in staged.given)
    moved = [c for c in staged.given if c.local and (table.oid, c.name) not in done]
    if not moved:
        return
    run(
        conn,
        "UPDATE {rows} SET {set}; ANALYZE {rows}",
        rows=staged.rows,
        set=", ".join(
            f"{c.quoted} = CASE WHEN {_refers(catalog, staged, c)} THEN {c.quoted} + {OFFSET}"
            f" ELSE {c.quoted} END"
            for c in moved
        ),
    )


def _refers(catalog: Catalog, staged: Staged, column: Column) -> str:
    """SQL for the column holding a number of some row: half of a reference refers to nothing."""
    if column in staged.local:
        return "true"
    whole = [
        " AND ".join(f"{staged.table.columns[name].quoted} IS NOT NULL" for name in key.columns)
        for key in catalog.foreign_keys
        if key.child == staged.table.oid and column.name in key.columns
    ]
    return " OR ".join(f"({one})" for one in whole) or "true"


def _detach_cells(
    conn: Connection, catalog: Catalog, tables: list[Staged], soft: SoftReference
) -> Iterator[str]:
    """The same for a declared reference, where the backup has what it refers to; a note if not."""
    parents = family(tables, soft.parent)
    query = " UNION ALL ".join(
        paste(
            "SELECT {key}::text AS o, ({key} + {offset})::text AS f FROM {rows}",
            key=parent.table.columns[soft.key].quoted,
            offset=str(OFFSET),
            rows=parent.rows,
        )
        for parent in parents
    )
    query = query or "SELECT NULL::text AS o, NULL::text AS f WHERE false"
    if catalog.tables[soft.child].columns[soft.column].local:
        # Whatever refers to such a column is moved with all other numbers.
        moves = cells.moves(conn, query)
        for child in family(tables, soft.child):
            if (column := child.table.columns[soft.column]) in child.given:
                cells.rewrite(conn, child, column, soft, moves)
    else:
        follow_cells(conn, catalog, tables, soft, query, Before({}, {}))
    for child in family(tables, soft.child):
        column = child.table.columns[soft.column]
        if column not in child.given:
            continue
        count, first = cells.numbers_below(conn, child, column, soft, ROOM)
        if count:
            yield (
                f"declared references to nothing in the backup are left as they are: "
                f"{child.table.quoted}.{column.quoted}: {count} numbers, first {first}, that "
                f"no row of {catalog.tables[soft.parent].quoted} has there"
            )


def _forget_positions(
    conn: Connection, catalog: Catalog, local: LocalIds, content: Content
) -> None:
    """Where the backup's sequences of such columns stand says nothing about the target's."""
    made = {
        sequence.quoted
        for table in catalog.tables.values()
        for sequence in table.sequences
        if (table.oid, sequence.column) in local.numbered
    }
    for name in list(content.sequences):
        row = run(
            conn,
            "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c"
            " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass({name})",
            name=literal(name),
        ).fetchone()
        if row and row[0] in made:
            del content.sequences[name]
