"""What a backup consists of, whatever its format: blocks of rows, sequences, large objects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from verifier.errors import BackupRefused
from verifier.initial_load.reading import copytext


@dataclass(frozen=True, slots=True)
class Rows:
    r"""Rows of one table, in the backup's order, as ``COPY … FROM STDIN`` takes them.

    ``data`` is COPY's text format in UTF-8: one line a row, ended by ``\n``, values
    separated by tabs, NULL as ``\N``, without the ``\.`` at the end. A number of
    the backup keeps the text it has there (``-0``, ``1.10``); bit strings come
    without quotes (``101``, ``x1F``).
    """

    schema: str
    table: str
    columns: tuple[str, ...]
    """Empty for rows that have no values at all (``DEFAULT VALUES``)."""
    data: bytes
    count: int
    line: int
    """Line of the file on which the first of the rows starts, from 1."""
    by_line: bool = field(default=False, compare=False)
    """Every row is one line of the file."""

    def values(self) -> Iterator[tuple[str | None, ...]]:
        """The rows as text values, ``None`` for NULL.

        Raises :class:`~verifier.errors.BackupRefused` for what no server takes as text:
        escapes that make up a NUL or bytes that are not UTF-8.
        """
        for number, row in enumerate(copytext.rows(self.data, empty=not self.columns)):
            try:
                yield tuple(None if value is None else _text(value) for value in row)
            except ValueError as error:
                raise BackupRefused(
                    f"{self.schema}.{self.table}, row {number + 1} from line {self.line} on: "
                    f"a value is no text ({error}); make the backup again"
                ) from error


def _text(value: bytes) -> str:
    if b"\0" in value:
        raise ValueError("it holds a NUL")
    return value.decode()


@dataclass(frozen=True, slots=True)
class SetVal:
    """``setval(sequence, value, called)``; the sequence as SQL writes it: ``public."A_seq"``."""

    sequence: str
    value: int
    called: bool
    line: int


@dataclass(frozen=True, slots=True)
class Setting:
    """``SET name = value``, or the search path that ``set_config`` sets."""

    name: str
    value: str
    line: int


@dataclass(frozen=True, slots=True)
class LargeObject:
    """A piece of a large object; its creation comes as a piece of no bytes."""

    oid: int
    offset: int
    """Bytes in front of ``data`` in the object."""
    data: bytes
    line: int


Event = Rows | SetVal | Setting | LargeObject
