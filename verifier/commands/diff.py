"""``restore-verifier diff``: everything in which two databases differ."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from verifier.commands import console
from verifier.comparison import Comparison, ObjectChange, RowChange, State, TableComparison, Unseen
from verifier.config import DIFF, Config, settings_of
from verifier.contract import Row
from verifier.dsn import Dsn, libpq_set_aside, redact
from verifier.errors import RestoreVerifierError, UsageError
from verifier.oracle import compare
from verifier.report import comparison as terminal
from verifier.report import comparison_json, comparison_sql
from verifier.report.file import is_one
from verifier.report.json import dumps
from verifier.settings import Setting

NAME = DIFF
SUMMARY = "compare two databases: rows, structure, sequences, large objects, rules"
_DSNS = ("source_dsn", "target_dsn")
_PLACES = ("SOURCE_DSN", "TARGET_DSN")
_ITSELF = "both connection strings are the same: a database was compared with itself"


def add(parser: argparse.ArgumentParser) -> None:
    parser.usage = f"{parser.prog} [{' '.join(_PLACES)}] [options]"
    parser.description = (
        "Compares two databases and writes to neither. Exit code 0: identical, 1: different, "
        "2: could not tell. A password in an argument can be seen by everybody on the machine: "
        "leave it out and give it in PGPASSWORD, a password file or a service, or give the whole "
        f"connection string in {' and '.join(each.variable for each in _dsn_settings())}."
    )
    parser.add_argument(
        "arguments",
        metavar="DSN",
        nargs="*",
        help="what should be and what is, as postgresql://USER@HOST:PORT/DATABASE; "
        "what is left out comes from libpq's variables (PGPASSWORD ...)",
    )
    console.add_settings(parser, NAME)
    parser.add_argument("--json", metavar="FILE", help="write everything that was found to FILE")
    parser.add_argument(
        "--sql",
        metavar="FILE",
        help="write to FILE, for reading, the SQL that would make the target like the source",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, passed: list[str]) -> tuple[int, str]:
    config, source, target = _configured(options, [*options.arguments, *passed])
    if options.json and options.sql and is_one(Path(options.json), Path(options.sql)):
        raise UsageError("--json and --sql name the same file; give each a file of its own")
    json_file = console.destination("--json", options.json)
    sql_file = console.destination("--sql", options.sql)

    def hide(text: str) -> str:
        return redact(text, source, target)

    try:
        with libpq_set_aside(), console.progress() as bar:
            found = compare(source, target, config.selection, bar)
    except RestoreVerifierError as error:
        raise type(error)(hide(str(error))) from None
    if source == target:
        found = replace(found, notes=(*found.notes, _ITSELF))
    shown = hidden(found, hide)
    troubles = []
    # First the files: the reader of the output may go away (``| head``).
    if json_file is not None:
        troubles.append(console.written(dumps(comparison_json.document(shown)), json_file))
    if sql_file is not None:
        troubles.append(console.written(comparison_sql.script(found, hide), sql_file))
    console.show(terminal.lines(shown, console.width()))
    said = "" if found.state is State.EQUAL else terminal.sentence(shown)
    advice = terminal.advice(found, None if any(troubles) else sql_file)
    sentence = "; ".join(filter(None, [said, *troubles, advice]))
    return found.exit_code or (2 if any(troubles) else 0), sentence


def _configured(options: argparse.Namespace, dsns: list[str]) -> tuple[Config, Dsn, Dsn]:
    """The settings, and both connection strings."""
    given, called = console.given(options, NAME), {}
    if len(dsns) not in (0, 2):
        raise UsageError(
            f"{NAME} compares two databases and got {len(dsns)} of their connection strings; "
            f"give {' and '.join(_PLACES)}"
        )
    for name, place, dsn in zip(_DSNS, _PLACES, dsns, strict=False):
        if given[name] is not None:
            raise UsageError(f"{place} is given as an argument and as a flag; give it once")
        given[name], called[name] = dsn, place
    config = Config.load(given, os.environ, Path.cwd(), called)
    if config.source_dsn is None or config.target_dsn is None:
        lacking = [each for each in _dsn_settings() if getattr(config, each.name) is None]
        raise UsageError(
            f"no connection string for the {lacking[0].name.partition('_')[0]}; "
            f"give {' and '.join(_PLACES)}, or set {' and '.join(e.variable for e in lacking)}"
        )
    return config, config.source_dsn, config.target_dsn


def _dsn_settings() -> list[Setting]:
    return [each for each in settings_of(NAME) if each.name in _DSNS]


def hidden(found: Comparison, hide: Callable[[str], str]) -> Comparison:
    """``found`` with passwords hidden in every value and every word; names stay as they are."""

    def row(values: Mapping[str, str | None]) -> Row:
        return {name: value and hide(value) for name, value in values.items()}

    def change(each: RowChange) -> RowChange:
        sides = (each.source, each.target)
        source, target = (values and row(values) for values in sides)
        return replace(each, key=row(each.key), source=source, target=target)

    def thing(each: ObjectChange) -> ObjectChange:
        sides = (each.source, each.target)
        source, target = (values and row(values) for values in sides)
        return replace(each, source=source, target=target, create=hide(each.create))

    def table(each: TableComparison) -> TableComparison:
        shown = tuple(change(one) for one in each.shown)
        return replace(each, shown=shown, unknown=hide(each.unknown))

    return replace(
        found,
        tables=tuple(table(each) for each in found.tables),
        objects=tuple(thing(each) for each in found.objects),
        unseen=tuple(Unseen(each.what, hide(each.reason)) for each in found.unseen),
        notes=tuple(hide(note) for note in found.notes),
    )
