"""A backup that was made, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator

from verifier.report.json import Plain
from verifier.report.literal import printable
from verifier.report.text import Line, aligned, counted, section
from verifier.transfer import BackedUp

SCHEMA = 1
"""Of the plain form; a change that a reader would notice makes it the next number."""
_HEAD = ("rows", "left out")
_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def lines(done: BackedUp, source: str, size: int, seconds: float, width: int) -> Iterator[Line]:
    """The whole report; ``source`` without its password, ``size`` in bytes."""
    yield [("source  ", "faint"), (printable(source), "")]
    yield []
    yield from _overview(done)
    yield from section("notes", done.notes, width)
    yield []
    yield [
        ("BACKED UP: ", "good"),
        (printable(sentence(done, size)), "strong"),
        (f" ({seconds:,.1f} s)", "faint"),
    ]


def sentence(done: BackedUp, size: int) -> str:
    """What the backup holds, in one sentence."""
    left = sum(done.left_out.values())
    without = f", {counted(left, 'row')} left out" if left else ""
    rows = counted(sum(done.rows.values()), "row")
    return f"{rows} of {counted(len(done.rows), 'table')} in {done.path}, {_size(size)}{without}"


def to_plain(done: BackedUp, source: str, size: int, seconds: float) -> Plain:
    """The content of the JSON file; ``docs/restore.md`` explains each key."""
    return {
        "schema": SCHEMA,
        "message": sentence(done, size),
        "source": source,
        "file": str(done.path),
        "bytes": size,
        "seconds": round(seconds, 3),
        "tables": {
            table: {"rows": done.rows.get(table, 0), "left_out": done.left_out.get(table, 0)}
            for table in _tables(done)
        },
        "notes": list(done.notes),
    }


def _tables(done: BackedUp) -> list[str]:
    return [*done.rows, *(table for table in done.left_out if table not in done.rows)]


def _overview(done: BackedUp) -> Iterator[Line]:
    """One line for each table; the names stand last, uncut."""
    tables = _tables(done)
    if not tables:
        yield [("there is no table to back up", "faint")]
        return
    pairs = [(done.rows.get(table, 0), done.left_out.get(table, 0)) for table in tables]
    cells = [[f"{number:,}" if number else "." for number in pair] for pair in pairs]
    widths = [max(map(len, column)) for column in zip(_HEAD, *cells, strict=True)]
    yield [(f"{aligned(_HEAD, widths)}  table", "strong")]
    for table, row in zip(tables, cells, strict=True):
        yield [(aligned(row, widths), ""), (f"  {printable(table)}", "")]


def _size(size: int) -> str:
    """``12 bytes``, ``3.4 MB``."""
    number, unit = float(size), _UNITS[0]
    for unit in _UNITS:
        if number < 1000 or unit == _UNITS[-1]:
            break
        number /= 1000
    return f"{size:,} {unit}" if unit == _UNITS[0] else f"{number:,.1f} {unit}"
