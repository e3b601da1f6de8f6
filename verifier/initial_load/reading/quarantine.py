r"""Rows that a restore set aside, with the reason: written as JSON lines, read back as rows.

::

    {"format": "restore-verifier quarantine", "version": 1}
    {"table": "public.\"X\"", "row": {"id": "1", "name": null}, "key": {"id": "1"},
     "reason": "…", "constraint": "…"}                                   (on one line)
    {"rows": 1}

UTF-8; the values are PostgreSQL's own text, ``null`` is NULL. The last line shows that
nothing is missing. Lines may be edited or taken out, with their number in the last line.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

from verifier.errors import BackupRefused
from verifier.initial_load.reading import copytext
from verifier.initial_load.reading.events import Event, Rows
from verifier.initial_load.reading.kinds import QUARANTINE
from verifier.initial_load.reading.opening import Readable

VERSION = 1
_LINE = 1 << 30  # bytes; PostgreSQL's own limit for a row's text
_BLOCK = 1 << 18  # bytes of rows that are handed out together
_PIECE = 1 << 16
_NAME = r'(?:[a-z_\u0080-\U0010ffff][a-z0-9_$\u0080-\U0010ffff]*|"(?:[^"\0]|"")+")'
_TABLE = re.compile(rf"({_NAME})\.({_NAME})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A rejected row: all that the backup has of it, and why."""

    table: str
    """As SQL writes it: ``public."X"``."""
    row: Mapping[str, str | None]
    key: Mapping[str, str | None]
    reason: str
    constraint: str = ""


def write(path: Path, rows: Iterable[Quarantined]) -> int:
    """Write ``rows`` to ``path``, all or nothing, readable for its owner only; how many there are.

    A file of that name is replaced once the new one is complete and on disk. Raises
    :class:`OSError`.
    """
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    count = 0
    try:
        # Rows are data that others may not see: never open to them, not even at first.
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(_line({"format": QUARANTINE, "version": VERSION}))
            for row in rows:
                file.write(_line({**asdict(row), "row": dict(row.row), "key": dict(row.key)}))
                count += 1
            file.write(_line({"rows": count}))
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)
    return count


def _line(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False) + "\n"


def _sync_directory(path: Path) -> None:
    """Make a new name in ``path`` durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(file: Readable, name: str) -> Iterator[Event]:
    """The rows of the quarantine file ``file``, in order, as a backup's.

    Raises :class:`~verifier.errors.BackupRefused`, at the latest at the end, see :func:`write`.
    """
    yield from _Reader(file, name).events()


class _Reader:
    def __init__(self, file: Readable, name: str) -> None:
        self._file = file
        self._name = name
        self._number = 0  # of the line
        # Rows of one table with the same columns, which are handed out together.
        self._head: tuple[str, tuple[str, ...]] = ("", ())
        self._rows: list[bytes] = []
        self._size = 0
        self._first = 0

    def events(self) -> Iterator[Event]:
        count, said = 0, None
        for line in self._lines():
            content = self._object(line)
            if self._number == 1:
                if content != {"format": QUARANTINE, "version": VERSION}:
                    self._refuse("another version of restore-verifier wrote it; use that version")
                continue
            if said is not None:
                self._refuse("it goes on behind its last line; was it put together?")
            if content.keys() == {"rows"}:
                said = content["rows"]
                continue
            count += 1
            yield from self._row(content)
        yield from self._flush()
        if said is None:
            self._refuse(
                "it is truncated: its last line, which says how many rows it holds, "
                "is missing; copy it again"
            )
        if said != count or isinstance(said, bool):
            self._refuse(f"its last line says {said!r} rows and it holds {count}; copy it again")

    def _lines(self) -> Iterator[bytes]:
        rest = bytearray()
        while piece := self._file.read(_PIECE):
            rest += piece
            if b"\n" not in piece:
                if len(rest) > _LINE:
                    self._refuse("a line is longer than a row can be")
                continue
            *lines, last = rest.split(b"\n")
            rest = bytearray(last)
            for line in lines:
                self._number += 1
                yield bytes(line)
        if rest:
            self._number += 1
            self._refuse("it is truncated inside a line; copy it again")

    def _object(self, line: bytes) -> dict[str, Any]:
        try:
            content = json.loads(line.decode("utf-8"), object_pairs_hook=_once)
        except (ValueError, RecursionError) as error:
            self._refuse(f"the line cannot be read as JSON ({error}); copy the file again")
        if not isinstance(content, dict):
            self._refuse("the line is no JSON object")
        return content

    def _row(self, content: dict[str, Any]) -> Iterator[Event]:
        table, row = content.get("table"), content.get("row")
        if content.keys() != {"table", "row", "key", "reason", "constraint"}:
            self._refuse("the line's fields are not those of a rejected row")
        if not isinstance(table, str) or _TABLE.fullmatch(table) is None:
            self._refuse(f"{table!r} is no table as SQL writes it")
        if not isinstance(row, dict) or not all(
            value is None or isinstance(value, str) for value in row.values()
        ):
            self._refuse("a row's values are texts or null")
        head = (table, tuple(row))
        if head != self._head or self._size > _BLOCK:
            yield from self._flush()
            self._head, self._first = head, self._number
        data = copytext.line(self._bytes(value) for value in row.values())
        self._rows.append(data)
        self._size += len(data)

    def _bytes(self, value: str | None) -> bytes | None:
        if value is None:
            return None
        if "\0" in value:
            self._refuse("a value holds a NUL, which no PostgreSQL text can")
        try:
            return value.encode("utf-8")
        except UnicodeEncodeError:
            self._refuse("a value holds half a surrogate pair, which is no text")

    def _flush(self) -> Iterator[Event]:
        if self._rows:
            table, columns = self._head
            schema, relation = unquoted(table)
            yield Rows(
                schema, relation, columns, b"".join(self._rows), len(self._rows), self._first
            )
        self._rows, self._size = [], 0

    def _refuse(self, found: str) -> NoReturn:
        raise BackupRefused(f"{self._name}, line {self._number}: {found}")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a name occurs twice")
    return content


def unquoted(table: str) -> tuple[str, str]:
    """Schema and name of a table that SQL writes as ``table``, schema first."""
    found = _TABLE.fullmatch(table)
    assert found is not None
    schema, name = (
        part[1:-1].replace('""', '"') if part.startswith('"') else part for part in found.groups()
    )
    return schema, name
