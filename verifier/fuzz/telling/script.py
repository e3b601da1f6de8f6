"""A failure as one SQL script, which makes both databases and says what was expected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from textwrap import wrap

from verifier.fuzz.failure import Failure
from verifier.fuzz.telling import sql, words
from verifier.model.schema import Row, Table
from verifier.model.world import BackupForm
from verifier.report.literal import literal, printable
from verifier.worlds.backups import dump

_MARK = "--| "
"""Before each line of the backup."""


def script(failure: Failure, name: str) -> str:
    """The script for ``psql``; ``name`` is that of its file, without an ending."""
    return "".join(f"{line}\n" for line in _lines(failure, name))


def _lines(failure: Failure, name: str) -> Iterator[str]:
    world = failure.world
    source, target = f"{name}_source", f"{name}_target"
    yield from _comment(f"{failure.implementation} breaks {failure.breach.guarantee}")
    yield "--"
    yield from _comment(words.paragraph(failure))
    yield "--"
    yield from _comment(
        f"psql -X -d postgres -f {name}.sql   makes the databases {source} and {target} as they "
        "were before the restore. Then restore the backup, and look at what the target holds.",
    )
    yield f"\\set source {source}"
    yield f"\\set target {target}"
    yield "\\set ON_ERROR_STOP on"
    for each, title, text in (
        ("target", "The target before the restore", sql.target(world)),
        ("source", _source_title(failure), sql.source(world)),
    ):
        yield from _title(title)
        yield f"CREATE DATABASE :\"{each}\" TEMPLATE template0 ENCODING 'UTF8';"
        yield f'\\connect :"{each}"'
        yield "SET client_encoding = 'UTF8'; SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD';"
        yield text.rstrip("\n")
    yield from _backup(failure, name)
    yield from _title("What the target was to hold afterwards")
    yield from _outcome(failure, failure.expected, failure.observed, "it is not there")
    yield from _title("What it held")
    yield from _outcome(failure, failure.observed, failure.expected, "it should not be there")


def _source_title(failure: Failure) -> str:
    lacks = sorted(failure.world.lacks)
    return f"The source, which lacks {', '.join(lacks)}" if lacks else "The source"


def _title(text: str) -> Iterator[str]:
    yield ""
    yield f"-- == {text} =="
    yield ""


def _comment(text: str) -> Iterator[str]:
    for line in wrap(printable(text), 96, break_long_words=False, break_on_hyphens=False):
        yield f"-- {line}"


def _backup(failure: Failure, name: str) -> Iterator[str]:
    yield from _title("The backup")
    if failure.world.form is BackupForm.OWN:
        yield from _comment("It was what the implementation's own backup made of the source.")
        return
    yield from _comment(f"sed -n 's/^{_MARK}//p' {name}.sql > backup.sql   gives it as it was.")
    yield "--"
    for line in dump(failure.world).removesuffix("\n").split("\n"):
        yield f"{_MARK}{line}"


def _outcome(
    failure: Failure,
    rows: Mapping[str, tuple[Row, ...]] | None,
    others: Mapping[str, tuple[Row, ...]] | None,
    remark: str,
) -> Iterator[str]:
    if rows is None:
        yield "-- It is not known."
        return
    for table in failure.world.schema.tables:
        yield from _table(table, rows.get(table.id, ()), others, remark)


def _table(
    table: Table,
    rows: tuple[Row, ...],
    others: Mapping[str, tuple[Row, ...]] | None,
    remark: str,
) -> Iterator[str]:
    columns = ", ".join(column.name for column in table.stored)
    yield f"-- {printable(table.id)} ({printable(columns)})"
    other = list(others.get(table.id, ())) if others is not None else []
    for row in sorted(rows, key=lambda each: [(value is None, value or "") for value in each]):
        told = ", ".join(literal(value, longest=200) for value in row)
        if row in other:
            other.remove(row)
            remarked = ""
        else:
            remarked = f"   <- {remark}" if others is not None else ""
        yield f"--   ({told}){remarked}"
    if not rows:
        yield "--   nothing"
