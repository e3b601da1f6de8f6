"""A backup as a file of upserts, which plain ``psql -1 -f`` restores without us.

What one row, or one table at a time, cannot do is done before, in the plan: duplicates
are merged, references moved, tables in order. Two styles: every row an ``INSERT … ON
CONFLICT``, or temporary tables and one merge a table, which is faster and can write
tables that refer to each other in one statement. Either file can be run again, and
changes nothing then. What the file does not do: look at the rows that a target holds by
then under other keys (psql stops on the first of them, and with ``-1`` nothing is
written), switch triggers off, merge.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from verifier.contract import Claim
from verifier.dsn import Dsn
from verifier.errors import BackupRefused
from verifier.initial_load import changes, output, statements, upsertable
from verifier.initial_load.catalog import Column
from verifier.initial_load.engine import attempt
from verifier.initial_load.export import (
    copy_head,
    finished,
    insert_head,
    lines,
    refuse_objects,
)
from verifier.initial_load.one_by_one import in_order, put_off
from verifier.initial_load.plan import Plan
from verifier.initial_load.session import literal, paste, run
from verifier.initial_load.stage import Staged
from verifier.transfer import Progress, RestoreOptions, Style

_HEAD = """\
-- Made by restore-verifier convert: restore it with psql -X -1 -v ON_ERROR_STOP=1 -f FILE
\\set ON_ERROR_STOP on
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SET datestyle = 'ISO, MDY';
SET intervalstyle = 'postgres';
SET timezone = 'UTC';
SET xmloption = content;
SET row_security = off;
SET CONSTRAINTS ALL DEFERRED;

"""


def convert(
    path: Path,
    dsn: Dsn,
    out: Path,
    style: Style,
    options: RestoreOptions,
    progress: Progress | None = None,
) -> Claim:
    """Write the backup ``path`` to ``out`` as upserts for the database ``dsn``.

    ``dsn`` is not changed. Raises :class:`~verifier.errors.BackupError` if ``out``
    cannot be written.
    """
    output.check(out)

    def write(plan: Plan) -> Claim:
        refuse_objects(plan)
        upsertable.refuse(plan)
        with output.replacing(out) as file:
            file.write(_HEAD.encode())
            for tables in plan.order:
                for piece in (_rows if style is Style.ROWS else _set)(plan, tables):
                    file.write(piece)
            for statement in _positions(plan):
                file.write(statement.encode())
            # Before the file has its name: neither is there without the other.
            claim = finished(plan, out)
        return claim

    return attempt(path, dsn, options, progress, write)


# --- one row a statement -----------------------------------------------------------------


def _rows(plan: Plan, tables: list[Staged]) -> Iterator[bytes]:
    """References within a cycle are given where they can be, once all of its rows are there."""
    later = {staged.number: put_off(plan, tables, staged) for staged in tables}
    for staged in in_order(plan, tables, later):
        yield from _upserts(plan, staged, later[staged.number])
    for staged in tables:
        if later[staged.number]:
            yield from _references(plan, staged, later[staged.number])
    yield b"\n"


def _upserts(plan: Plan, staged: Staged, later: list[Column]) -> Iterator[bytes]:
    given = [column for column in staged.given if column not in later]
    if staged.identity:
        head = insert_head(staged, given + later)
        # NULL and not the default, which may be a reference.
        tail = f"{', NULL' * len(later)}) {_conflict(staged, given)};\n"
        for block in lines(plan, staged, given):
            yield b"".join(statements.inserts(head.encode(), block, tail.encode()))
        return
    # Without a key, the n-th of equal rows is missing if there are fewer than n.
    seen: dict[bytes, int] = {}
    for block in lines(plan, staged, given):
        for line in block.split(b"\n")[:-1]:
            seen[line] = seen.get(line, 0) + 1
            yield _unless(staged, given, statements.literals(line) if given else [], seen[line])


def _unless(staged: Staged, given: list[Column], values: list[bytes], number: int) -> bytes:
    names = ", ".join(column.quoted for column in given)
    typed = [
        f"{value.decode()}::{column.type}" for value, column in zip(values, given, strict=True)
    ]
    same = " AND ".join(
        f"t.{column.quoted}::text IS NOT DISTINCT FROM ({value})::text"
        for value, column in zip(typed, given, strict=True)
    )
    statement = paste(
        "INSERT INTO {table} {names} SELECT {values}"
        " WHERE (SELECT count(*) FROM {target} t WHERE {same}) < {number};\n",
        table=staged.table.quoted,
        names=f"({names})" if names else "",
        values=", ".join(typed),
        target=staged.table.only,
        same=same or "true",
        number=str(number),
    )
    return statement.encode()


def _conflict(staged: Staged, given: list[Column]) -> str:
    identity = staged.table.identity
    if identity is None or not identity.immediate:
        raise BackupRefused(
            f"{identity.name if identity else staged.table.quoted} is deferrable, which ON "
            "CONFLICT does not take; restore the backup, or make the key immediate"
        )
    keys = ", ".join(column.quoted for column in staged.identity)
    settable = [column for column in changes.settable(staged) if column in given]
    if not settable:
        return f"ON CONFLICT ({keys}) DO NOTHING"
    return paste(
        "ON CONFLICT ({keys}) DO UPDATE SET {set} WHERE ({ours}) IS DISTINCT FROM ({theirs})",
        keys=keys,
        set=", ".join(f"{column.quoted} = excluded.{column.quoted}" for column in settable),
        ours=", ".join(_compared(column, staged.table.quoted) for column in settable),
        theirs=", ".join(_compared(column, "excluded") for column in settable),
    )


def _compared(column: Column, place: str) -> str:
    return f"{place}.{column.quoted}" + ("" if column.exact else "::text")


def _references(plan: Plan, staged: Staged, later: list[Column]) -> Iterator[bytes]:
    keys = list(staged.identity)
    for block in lines(plan, staged, keys + later):
        for line in block.split(b"\n")[:-1]:
            values = [value.decode() for value in statements.literals(line)]
            mine = dict(zip([c.name for c in keys + later], values, strict=True))
            statement = paste(
                "UPDATE {target} SET {set} WHERE {same} AND ({changed});\n",
                target=staged.table.only,
                set=", ".join(f"{c.quoted} = {mine[c.name]}" for c in later),
                same=" AND ".join(f"{c.quoted} = {mine[c.name]}" for c in keys),
                changed=" OR ".join(
                    f"{c.quoted} IS DISTINCT FROM {mine[c.name]}::{c.type}" for c in later
                ),
            )
            yield statement.encode()


# --- one merge a table -------------------------------------------------------------------


def _set(plan: Plan, tables: list[Staged]) -> Iterator[bytes]:
    """One merge a table, and one statement for the tables of a cycle."""
    for staged in tables:
        given = list(staged.given)
        values = ", ".join(column.quoted for column in given)
        yield paste(
            "CREATE TEMP TABLE {name} AS SELECT {values} FROM {table} WITH NO DATA;\n",
            name=_temporary(staged),
            values=values,
            table=staged.table.quoted,
        ).encode()
        yield copy_head(_temporary(staged), given)
        yield from lines(plan, staged, given)
        yield b"\\.\n"
    merges = [_merge(staged) for staged in tables]
    if len(merges) == 1:
        yield f"{merges[0]};\n".encode()
    else:
        parts = ", ".join(f"w{no} AS ({merge} RETURNING 1)" for no, merge in enumerate(merges))
        yield f"WITH {parts} SELECT;\n".encode()
    for staged in tables:
        yield f"DROP TABLE {_temporary(staged)};\n\n".encode()


def _temporary(staged: Staged) -> str:
    return f"restore_verifier_{staged.number}"


def _merge(staged: Staged) -> str:
    given = list(staged.given)
    names = ", ".join(column.quoted for column in given)
    always = " OVERRIDING SYSTEM VALUE" if any(column.always for column in given) else ""
    head = f"INSERT INTO {staged.table.quoted}" + (f" ({names}){always}" if names else "")
    if staged.identity:
        return paste(
            "{head} SELECT {names} FROM {rows} {conflict}",
            head=head,
            names=names,
            rows=_temporary(staged),
            conflict=_conflict(staged, given),
        )
    texts = ", ".join(f"{column.quoted}::text" for column in given)
    numbered = "ARRAY[{texts}]::text[] AS content, row_number() OVER (PARTITION BY {texts}) AS no"
    copies = paste(numbered, texts=texts) if texts else "0 AS content, row_number() OVER () AS no"
    return paste(
        "{head} SELECT {names} FROM (SELECT {all}{copies} FROM {rows}) s WHERE NOT EXISTS"
        " (SELECT FROM (SELECT {copies} FROM {target}) t"
        " WHERE t.content = s.content AND t.no = s.no)",
        head=head,
        names=names,
        all=f"{names}, " if names else "",
        copies=copies,
        rows=_temporary(staged),
        target=staged.table.only,
    )


# --- sequences ---------------------------------------------------------------------------


def _positions(plan: Plan) -> Iterable[str]:
    """Every sequence past what it feeds and past where the backup had it, and never back."""
    fed: dict[str, list[tuple[str, str]]] = {}
    for staged in plan.content.tables:
        for sequence in staged.table.sequences:
            column = staged.table.columns[sequence.column]
            if column.kind == "N":
                fed.setdefault(sequence.quoted, []).append((column.quoted, staged.table.quoted))
    for name in {**fed, **plan.content.sequences}:
        found = run(
            plan.conn,
            "SELECT s.seqincrement FROM pg_sequence s WHERE s.seqrelid = to_regclass({name})",
            name=literal(name),
        ).fetchone()
        if found is None:
            plan.notes.append(f"the target has no sequence {name}: not positioned")
            continue
        step = found[0]
        values = [
            paste(
                "(SELECT trunc({end}({column}))::bigint FROM {table})",
                end="max" if step > 0 else "min",
                column=column,
                table=table,
            )
            for column, table in fed.get(name, [])
        ]
        said = plan.content.sequences.get(name)
        if said is not None:
            values.append(str(said.value if said.called else said.value - step))
        if values:
            yield _position(name, values, up=step > 0)


def _position(name: str, values: list[str], *, up: bool) -> str:
    return paste(
        "SELECT pg_catalog.setval({quoted}, p.value) FROM (SELECT {end}({values}) AS value) p,"
        " {sequence} q WHERE p.value {beyond} q.last_value"
        " OR p.value = q.last_value AND NOT q.is_called;\n",
        quoted=literal(name),
        end="greatest" if up else "least",
        values=", ".join(values),
        sequence=name,
        beyond=">" if up else "<",
    )
