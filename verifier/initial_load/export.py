"""The rows that survive a plan, written to a file instead of the target.

What :mod:`plan` decided (duplicates merged, references moved, rows rejected) is in the
staging tables; so a clean backup, or a file that psql restores by itself, is a matter of
writing them out in the right order. The target is left as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from psycopg import sql

from verifier.contract import Claim
from verifier.dsn import Dsn
from verifier.errors import BackupRefused, UsageError
from verifier.initial_load import ledger, outcome, output, statements
from verifier.initial_load.catalog import Column
from verifier.initial_load.engine import attempt
from verifier.initial_load.fingerprint import fingerprint
from verifier.initial_load.manifest import Manifest, Writer, own_version
from verifier.initial_load.plan import Plan
from verifier.initial_load.session import literal, paste
from verifier.initial_load.stage import Staged
from verifier.transfer import Format, Progress, RestoreOptions

_HEAD = b"""--
-- PostgreSQL database dump
--

-- Merged and put in order by restore-verifier clean

SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SET xmloption = content;
SET row_security = off;

"""
_TRAILER = b"--\n-- PostgreSQL database dump complete\n--\n\n"


def clean(
    path: Path,
    dsn: Dsn,
    out: Path,
    form: Format,
    options: RestoreOptions,
    progress: Progress | None = None,
) -> Claim:
    """Write the backup ``path`` to ``out`` as the database ``dsn`` would take it.

    Duplicates are merged and their children moved; with ``options.quarantine`` the rows
    that the database would reject are set aside there, else they are reported and
    nothing is written. ``dsn`` is not changed. Raises
    :class:`~verifier.errors.BackupError` if ``out`` cannot be written.
    """
    if form is Format.JSON:
        raise UsageError("clean writes no JSON; give --format copy or --format inserts")
    output.check(out)

    def write(plan: Plan) -> Claim:
        refuse_objects(plan)
        with output.replacing(out) as file:
            writer = Writer(file)
            writer.write(_HEAD)
            counts: dict[str, int] = {}
            for staged in (staged for tables in plan.order for staged in tables):
                counts[staged.table.quoted] = _dump(plan, staged, form, writer)
            for name, said in plan.content.sequences.items():
                called = "true" if said.called else "false"
                position = f"SELECT pg_catalog.setval({literal(name)}, {said.value}, {called});\n"
                writer.write(position.encode())
            writer.write(b"\n" + _TRAILER)
            writer.end(_manifest(plan, form, counts))
            # Before the file has its name: neither is there without the other.
            claim = finished(plan, out)
        return claim

    return attempt(path, dsn, options, progress, write)


def finished(plan: Plan, out: Path) -> Claim:
    """The claim about a plan that was written to ``out``; keeps the rejected rows."""
    aside = plan.options.quarantine
    if aside is not None and plan.rejections:
        ledger.keep(plan.conn, plan.content.tables, aside)
    return outcome.exported(
        plan.content, plan.counts, plan.merges, plan.rejections, plan.notes, out=out, kept_in=aside
    )


def refuse_objects(plan: Plan) -> None:
    """Raise :class:`BackupRefused` if there are large objects, which only a restore can place."""
    if plan.content.objects.any:
        raise BackupRefused(
            "it holds large objects, which only a restore can place; restore it, "
            "or make a backup without them (pg_dump --no-blobs)"
        )


def survivors(staged: Staged) -> str:
    """SQL for the staged rows ``s`` that the target would hold afterwards."""
    terms = []
    if staged.grouped:
        terms.append(
            paste(
                "s.{n} IN (SELECT f.n FROM {fate} f WHERE f.n = f.winner)",
                n=staged.ordinal,
                fate=staged.fate,
            )
        )
    if staged.recency and not staged.all_new:
        terms.append(
            paste(
                "NOT EXISTS (SELECT FROM {kept} k WHERE k.n = s.{n})",
                n=staged.ordinal,
                kept=staged.kept,
            )
        )
    return " AND ".join(terms) or "true"


def lines(plan: Plan, staged: Staged, given: list[Column]) -> Iterator[bytes]:
    """Blocks of COPY text: ``given`` of every surviving row, in the backup's order."""
    query = paste(
        "COPY (SELECT {values} FROM {rows} s WHERE {survive} ORDER BY s.{n}) TO STDOUT",
        values=", ".join(f"s.{column.quoted}::{column.type}" for column in given),
        rows=staged.rows,
        survive=survivors(staged),
        n=staged.ordinal,
    )
    plan.doing(f"writing {staged.table.quoted}")
    with plan.conn.cursor() as cursor, cursor.copy(sql.SQL(query)) as copy:
        yield from statements.gathered(copy)


def insert_head(staged: Staged, given: list[Column]) -> str:
    """``INSERT INTO … VALUES (``, or ``… DEFAULT VALUES`` for a row without any."""
    if not given:
        return f"INSERT INTO {staged.table.quoted} DEFAULT VALUES"
    return paste(
        "INSERT INTO {table} ({names}){always} VALUES (",
        table=staged.table.quoted,
        names=", ".join(column.quoted for column in given),
        always=" OVERRIDING SYSTEM VALUE" if any(c.always for c in given) else "",
    )


def copy_head(name: str, given: list[Column]) -> bytes:
    names = ", ".join(column.quoted for column in given)
    listed = f" ({names})" if names else ""
    return f"COPY {name}{listed} FROM stdin;\n".encode()


def _dump(plan: Plan, staged: Staged, form: Format, writer: Writer) -> int:
    """Write the surviving rows of one table; how many there are."""
    given = list(staged.given)
    head = insert_head(staged, given).encode()
    if form is Format.COPY:
        writer.write(copy_head(staged.table.quoted, given))
    count = 0
    for block in lines(plan, staged, given):
        count += block.count(b"\n")
        if form is Format.COPY:
            writer.write(block)
        elif given:
            writer.write(b"".join(statements.inserts(head, block)))
        else:
            writer.write((head + b";\n") * block.count(b"\n"))
    writer.write(b"\\.\n\n" if form is Format.COPY else b"\n")
    return count


def _manifest(plan: Plan, form: Format, counts: Mapping[str, int]) -> Manifest:
    return Manifest(
        tables=counts,
        format=form,
        schema=fingerprint(plan.catalog, [staged.table.oid for staged in plan.content.tables]),
        server=plan.conn.info.parameter_status("server_version") or "",
        tool="restore-verifier clean",
        verifier=own_version(),
        made=datetime.now(UTC).isoformat(timespec="seconds"),
    )
