"""A world's source as a backup file: what ``pg_dump --data-only`` would have written of it.

With two differences: the tables and rows come in the world's order, and no constraint of the
source needs to allow them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from verifier.errors import Unfit
from verifier.model.schema import Row, Table
from verifier.model.world import BackupForm, World
from verifier.worlds import json_form
from verifier.worlds.rows import inserts, numbered, sequence, setval
from verifier.worlds.spelling import names, of_table

_PREAMBLE = """\
--
-- PostgreSQL database dump
--

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

"""
_END = """
--
-- PostgreSQL database dump complete
--

"""
# src/backend/commands/copyto.c, CopyAttributeOutText
_ESCAPES = str.maketrans(
    {
        "\\": r"\\",
        "\b": r"\b",
        "\f": r"\f",
        "\n": r"\n",
        "\r": r"\r",
        "\t": r"\t",
        "\v": r"\v",
    }
)


def write(world: World, directory: Path, sequences: Mapping[str, str] | None = None) -> Path:
    """Write the backup of ``world`` to a new file in ``directory``.

    ``sequences``: the names of the sequences by ``table id.column``, as SQL writes them, where
    they are not those that PostgreSQL gives by itself.
    Raises :class:`Unfit` for a world whose backup is the implementation's own, or holds a
    value that its form cannot carry.
    """
    path = directory / ("backup.json" if world.form is BackupForm.JSON else "backup.sql")
    path.write_text(dump(world, sequences), encoding="utf-8", newline="")
    return path


def dump(world: World, sequences: Mapping[str, str] | None = None) -> str:
    """The text of the file that :func:`write` writes."""
    tables, positions = list(in_order(world)), dict(_positions(world, sequences or {}))
    if world.form is BackupForm.JSON:
        return json_form.dump(world, tables, positions)
    if world.form not in _ROWS:
        raise Unfit(
            f"a backup in the form {world.form!r} is made by an implementation alone; "
            "choose another form"
        )
    written = _ROWS[world.form]
    parts = [_PREAMBLE]
    parts += [written(each, world.source[each.id]) for each in tables if world.source.get(each.id)]
    parts += [setval(sequence, position) for sequence, position in positions.items()]
    return "".join([*parts, _END])


def in_order(world: World) -> Iterator[Table]:
    """The tables of ``world`` as its backup has them."""
    by_id = world.schema.by_id
    for id in dict.fromkeys((*world.order, *by_id)):
        yield by_id[id]


def copy_line(row: Row) -> str:
    """``row`` as a line of COPY's text format, with its line end."""
    return "\t".join(r"\N" if v is None else v.translate(_ESCAPES) for v in row) + "\n"


def _copied(table: Table, rows: tuple[Row, ...]) -> str:
    columns = tuple(column.name for column in table.stored)
    listed = f"({names(columns)})" if columns else ""
    lines = "".join(map(copy_line, rows))
    return f"COPY {of_table(table)} {listed} FROM stdin;\n{lines}\\.\n\n\n"


def _inserted(table: Table, rows: tuple[Row, ...]) -> str:
    return "".join(inserts(table, rows)) + "\n\n"


_ROWS: Mapping[BackupForm, Callable[[Table, tuple[Row, ...]], str]] = {
    BackupForm.COPY: _copied,
    BackupForm.INSERTS: _inserted,
}


def _positions(world: World, sequences: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """The names of sequences, as SQL writes them, and where they stand."""
    for table, column in numbered(world.schema):
        key = f"{table.id}.{column}"
        if key in world.positions:
            yield sequences.get(key) or sequence(table, column), world.positions[key]
