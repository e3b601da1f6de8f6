"""A pg_dump plain file as data: rows, sequence positions and settings, never code.

The file is scanned once, in pieces; memory is bounded by its largest literal and
by :data:`BATCH` rows. Whatever is not an ``INSERT … VALUES`` of literals, a ``SET``,
a ``setval`` or the search path that pg_dump sets is refused by line number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from verifier.errors import BackupRefused
from verifier.initial_load import scanner as lexical
from verifier.initial_load.manifest import Checked
from verifier.initial_load.scanner import Scanner, unescape

TRAILER = "-- PostgreSQL database dump complete"
BATCH = 1000
"""Rows of one ``INSERT`` that are handed out together; a longer one comes in several."""


@dataclass(frozen=True, slots=True)
class Insert:
    """Rows of one table as the file writes them.

    A value is the literal's text (``None`` is NULL): numbers stay as they are
    written (``-0``), bit strings come without quotes (``101``, ``x1F``).
    """

    schema: str
    table: str
    columns: tuple[str, ...]
    """Empty for ``DEFAULT VALUES``, whose rows are empty too."""
    rows: tuple[tuple[str | None, ...], ...]
    line: int
    """Where the statement starts, from 1."""
    overriding: bool = False
    """Whether the statement says ``OVERRIDING SYSTEM VALUE``."""


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


Statement = Insert | SetVal | Setting


def read(path: Path) -> Iterator[Statement]:
    """The statements of the backup ``path``, in order.

    Raises :class:`~verifier.errors.BackupRefused`, at the latest when the iterator
    ends: only then is it known that the file is complete. So nothing may be made
    durable before the iterator is exhausted.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise BackupRefused(f"{path.name} cannot be read: {error.strerror}") from error
    with file:
        scanner = Scanner(path, cast("BinaryIO", Checked(file, path.name)))
        if scanner.empty:
            raise BackupRefused(f"{path.name} is empty; make the backup again")
        yield from _Parser(scanner).statements()


class _Parser:
    def __init__(self, scanner: Scanner) -> None:
        self.scanner = scanner
        self.key: str | None = None
        self.released = False
        self.complete = False
        # Whether a plain literal gives backslashes a meaning.
        self.escapes = False

    def statements(self) -> Iterator[Statement]:
        scanner = self.scanner
        seen = 0
        while True:
            self.complete = TRAILER in scanner.skip_blank() or self.complete
            if not scanner.peek():
                break
            if scanner.peek() == "\\":
                self._meta()
                continue
            if self.complete:
                scanner.refuse(f"the backup goes on behind its end with {scanner.shown()}")
            seen += 1
            yield from self._statement()
        if not self.complete and not seen:
            scanner.refuse("nothing of a pg_dump plain backup was found in the file")
        if not self.complete:
            scanner.refuse("the backup is truncated: pg_dump's last line is missing; make it again")
        if self.key is not None and not self.released:
            scanner.refuse("the backup is truncated: \\unrestrict is missing; make it again")

    def _meta(self) -> None:
        found = self.scanner.match(lexical.META)
        if found is None:
            self.scanner.refuse(
                f"{self.scanner.shown()} is a psql command; a backup is data, nothing in it is run"
            )
        if found[1] == "restrict" and self.key is None and not self.complete:
            self.key = found[2]
        elif found[1] == "unrestrict" and self.complete and found[2] == self.key:
            self.released = True
        else:
            self.scanner.refuse(f"\\{found[1]} is not expected here: truncated or put together")
        self.scanner.take(lexical.META)

    def _statement(self) -> Iterator[Statement]:
        line = self.scanner.line
        start = self.scanner.shown()
        word = self.scanner.take(lexical.WORD)
        match word[0].upper() if word else "":
            case "INSERT":
                yield from self._insert(line)
            case "SET":
                yield self._set(line)
            case "SELECT":
                yield self._select(line)
            case _:
                self.scanner.refuse(
                    f"{start} is no INSERT, SET or setval; a backup is data, nothing in it is run",
                    line,
                )

    # --- INSERT -------------------------------------------------------------------

    def _insert(self, line: int) -> Iterator[Insert]:
        self._expect("INTO")
        schema = self._name()
        if not self._punctuation("."):
            self.scanner.refuse(f"the table {schema!r} has no schema; pg_dump writes one", line)
        table = self._name()
        if self._word("DEFAULT"):
            self._expect("VALUES")
            self._end()
            yield Insert(schema, table, (), ((),), line)
            return
        columns = self._columns()
        overriding = self._word("OVERRIDING")
        if overriding:
            self._expect("SYSTEM")
            self._expect("VALUE")
        self._expect("VALUES")
        rows: list[tuple[str | None, ...]] = []
        while True:
            rows.append(self._row(len(columns)))
            done = not self._punctuation(",")
            if done:
                self._end()
            if done or len(rows) == BATCH:
                yield Insert(schema, table, columns, tuple(rows), line, overriding)
                rows = []
            if done:
                return

    def _columns(self) -> tuple[str, ...]:
        if not self._punctuation("("):
            self.scanner.refuse(
                f"a list of columns was expected and {self.scanner.shown()} found; "
                "dump with --column-inserts"
            )
        names = [self._name()]
        while self._punctuation(","):
            names.append(self._name())
        if not self._punctuation(")"):
            self.scanner.refuse(f"')' was expected and {self.scanner.shown()} found")
        if len(set(names)) < len(names):
            self.scanner.refuse("a column is named twice")
        return tuple(names)

    def _row(self, width: int) -> tuple[str | None, ...]:
        if not self._punctuation("("):
            self.scanner.refuse(f"a row was expected and {self.scanner.shown()} found")
        line = self.scanner.line
        values: list[str | None] = []
        if not self._plain(values):
            values.append(self._literal())
            while self._punctuation(","):
                values.append(self._literal())
            if not self._punctuation(")"):
                self.scanner.refuse(
                    f"a literal's end was expected and {self.scanner.shown()} found; "
                    "values are literals, nothing is computed"
                )
        if len(values) != width:
            self.scanner.refuse(f"{len(values)} values for {width} columns", line)
        return tuple(values)

    def _plain(self, values: list[str | None]) -> bool:
        """Read plain values up to the row's end; ``False`` where one needs a closer look.

        Only for speed: :meth:`_literal` reads everything that this does.
        """
        scanner = self.scanner
        while not self.escapes:
            found = lexical.VALUE.match(scanner.text, scanner.pos)
            if found is None:
                return False
            text, word, end = found.groups()
            scanner.line += found[0].count("\n")
            values.append(word if text is None else text.replace("''", "'"))
            scanner.pos = found.end()
            if end == ")":
                return True
        return False

    def _literal(self) -> str | None:
        scanner = self.scanner
        scanner.skip_blank()
        head = scanner.peek(2)
        if "'" in (head[:1], head[1:]) and head[0] in "'eEbBxX":
            return self._quoted(head[0].lower())
        number = scanner.take(lexical.NUMBER)
        if number is not None:
            return number[0]
        line, shown = scanner.line, scanner.shown()
        word = scanner.take(lexical.WORD)
        match word[0].lower() if word else "":
            case "null":
                return None
            case "true" | "false" as truth:
                return truth
            case _:
                scanner.refuse(f"a literal was expected and {shown} found", line)

    def _quoted(self, prefix: str) -> str:
        take = self.scanner.take
        match prefix:
            case "'" if not self.escapes:
                return self._closed(take(lexical.PLAIN)).replace("''", "'")
            case "'":
                return self._unescape(self._closed(take(lexical.BACKSLASHED)))
            case "e":
                return self._unescape(self._closed(take(lexical.ESCAPED)))
            case _:
                # bit_in reads 101 and x1F, see src/backend/utils/adt/varbit.c.
                digits = self._closed(take(lexical.BITS), 2)
                return digits if prefix == "b" else "x" + digits

    def _closed(self, found: re.Match[str] | None, group: int = 1) -> str:
        """A literal's inside, or the refusal of one that has no end."""
        if found is None:
            self.scanner.refuse("the literal has no end: the backup is truncated or damaged")
        return str(found[group])

    def _unescape(self, inside: str) -> str:
        try:
            return unescape(inside)
        except ValueError as error:
            self.scanner.refuse(f"{error} is not accepted")

    # --- SET, SELECT --------------------------------------------------------------

    def _set(self, line: int) -> Setting:
        name = self._name()
        if not self._punctuation("=") and not self._word("TO"):
            self.scanner.refuse(f"SET {name} is not followed by a value", line)
        self.scanner.skip_blank()
        if self.scanner.peek() == "'" or self.scanner.peek(2) in ("E'", "e'"):
            value = self._literal() or ""
        else:
            found = self.scanner.take(lexical.NUMBER) or self.scanner.take(lexical.WORD)
            value = found[0] if found else self.scanner.refuse(f"SET {name} has no value", line)
        self._end()
        self._honour(name.lower(), value, line)
        return Setting(name, value, line)

    def _honour(self, name: str, value: str, line: int) -> None:
        """Follow the two settings that change how the rest of the file reads."""
        if name == "standard_conforming_strings":
            self.escapes = value.lower() in ("off", "false", "no", "0")
        elif name == "client_encoding" and value.upper() != self.scanner.encoding.upper():
            self.scanner.refuse(f"the encoding changes to {value!r} inside the file", line)

    def _select(self, line: int) -> Setting | SetVal:
        what = self.scanner.shown()
        names = [self._name()]
        while self._punctuation("."):
            names.append(self._name())
        match names:
            case ["pg_catalog", "setval"] if self._punctuation("("):
                return self._setval(line)
            case ["pg_catalog", "set_config"] if self._punctuation("("):
                name, value, local = self._arguments(3)
                if name == "search_path" and value == "" and local == "false":
                    return Setting("search_path", "", line)
        self.scanner.refuse(
            f"SELECT {what} is not one of pg_dump's setval calls; "
            "a backup is data, nothing in it is run",
            line,
        )

    def _setval(self, line: int) -> SetVal:
        sequence, value, called = self._arguments(3)
        if not sequence or called not in ("true", "false") or not _integer(value):
            self.scanner.refuse("setval's arguments are not what pg_dump writes", line)
        return SetVal(sequence, int(value or ""), called == "true", line)

    def _arguments(self, count: int) -> tuple[str | None, ...]:
        values = [self._literal()]
        while self._punctuation(","):
            values.append(self._literal())
        if not self._punctuation(")") or len(values) != count:
            self.scanner.refuse(f"{self.scanner.shown()} was not expected")
        self._end()
        return tuple(values)

    # --- small pieces ---------------------------------------------------------------

    def _name(self) -> str:
        self.scanner.skip_blank()
        quoted = self.scanner.take(lexical.QUOTED)
        if quoted is not None:
            return quoted[1].replace('""', '"')
        found = self.scanner.take(lexical.WORD)
        if found is None:
            self.scanner.refuse(f"a name was expected and {self.scanner.shown()} found")
        # Unquoted names fold to lower case, ASCII only (see downcase_identifier).
        return "".join(char.lower() if char.isascii() else char for char in found[0])

    def _word(self, word: str) -> bool:
        self.scanner.skip_blank()
        found = self.scanner.match(lexical.WORD)
        if found is None or found[0].upper() != word:
            return False
        self.scanner.take(lexical.WORD)
        return True

    def _expect(self, word: str) -> None:
        if not self._word(word):
            self.scanner.refuse(f"{word} was expected and {self.scanner.shown()} found")

    def _punctuation(self, char: str) -> bool:
        self.scanner.skip_blank()
        if self.scanner.peek() != char:
            return False
        self.scanner.pos += 1
        return True

    def _end(self) -> None:
        if not self._punctuation(";"):
            self.scanner.refuse(
                f"the statement's end was expected and {self.scanner.shown()} found"
            )


def _integer(text: str | None) -> bool:
    return bool(text) and (text or "").lstrip("+-").isdecimal()
