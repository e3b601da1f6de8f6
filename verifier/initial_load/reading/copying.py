r"""``COPY … FROM stdin`` blocks: their lines go on as they are, a block of the file at a time.

The end is found as psql finds it: the first line that is ``\.`` and nothing else. Lines
that a server could take for something else than one row are refused, so that nothing
in the data can end it early or join two rows: pg_dump never writes any of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from verifier.initial_load.reading.events import Rows
from verifier.initial_load.reading.scanner import Scanner

_CARRIAGE = re.compile(rb"\r(?!\n)")
_ANY_CARRIAGE = re.compile(rb"\r")
_BARE = re.compile(rb"(?<!\r)\n")
_SUSPECT = re.compile(rb"\\[.\n]")
_ODD = re.compile(rb"(?<!\\)(?:\\\\)*+\\[.\n]")


def read_copy(
    scanner: Scanner, schema: str, table: str, columns: tuple[str, ...]
) -> Iterator[Rows]:
    """The rows of the block whose first line is at the scanner's place."""
    end = b"\\." + scanner.eol
    last = b"\n" + end
    while True:
        data, start = scanner.data, scanner.pos
        if data.startswith(end, start):
            scanner.skip(len(end))
            return
        found = data.find(last, start)
        stop = data.rfind(b"\n", start) + 1 if found < 0 else found + 1
        if stop > start:
            lines = data[start:stop]
            count = lines.count(b"\n")
            text = _checked(scanner, lines)
            if not columns and text.strip(b"\n"):
                scanner.refuse(
                    f"COPY {schema}.{table} has values but names no columns; dump with pg_dump"
                )
            yield Rows(schema, table, columns, text, count, scanner.line)
            scanner.pos = stop
            scanner.line += count
        if found < 0 and not scanner.more():
            scanner.line += scanner.data.count(b"\n", scanner.pos)
            scanner.refuse(
                rf"the backup is truncated: the rows of {schema}.{table} do not end with '\.'; "
                "make it again"
            )


def _checked(scanner: Scanner, lines: bytes) -> bytes:
    """``lines`` with line feeds at their ends, each of them one row to any server."""
    if scanner.crlf:
        for wrong in (_BARE, _CARRIAGE):
            _refuse(scanner, lines, wrong, "the line ends change")
        # A value's own line breaks are escapes here, so the conversion can be taken back.
        lines = lines.replace(b"\r\n", b"\n")
    elif b"\r" in lines:
        _refuse(scanner, lines, _ANY_CARRIAGE, "a carriage return that is not escaped")
    if _SUSPECT.search(lines):
        # Without the escaped backslashes only those are left that escape something else.
        single = lines.replace(b"\\\\", b"")
        if b"\\." in single or b"\\\n" in single:
            _refuse(scanner, lines, _ODD, "a backslash before a dot or a line's end")
    return lines


def _refuse(scanner: Scanner, lines: bytes, wrong: re.Pattern[bytes], what: str) -> None:
    found = wrong.search(lines)
    if found is not None:
        scanner.refuse(
            f"{what} within COPY data, which pg_dump never writes: something changed the file; "
            "make the backup again, and move it as it is",
            scanner.line + lines.count(b"\n", 0, found.end() - 1),
        )
