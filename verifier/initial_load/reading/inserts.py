"""``INSERT … VALUES`` of literals → rows: the usual ones in bulk, the others one by one."""

from __future__ import annotations

from collections.abc import Iterator

from verifier.initial_load.reading import copytext
from verifier.initial_load.reading.bulk import Bulk
from verifier.initial_load.reading.events import Rows
from verifier.initial_load.reading.literals import Literals
from verifier.initial_load.reading.scanner import Scanner

WINDOW = 1 << 12  # bytes looked at together at first; more while the rows are as usual
WIDEST = 1 << 19
FULL = 1 << 19  # bytes of COPY text from which on they are handed out


class Inserts:
    """Collects rows of one table until there are many, or others come."""

    def __init__(self, scanner: Scanner, literals: Literals, *, bulk: bool = True) -> None:
        self.scanner = scanner
        self.literals = literals
        self._in_bulk = bulk
        self._table: tuple[str, str, tuple[str, ...]] = ("", "", ())
        self._header = b""
        """The last statement's first bytes, up to its first row's parenthesis."""
        self._bulk: Bulk | None = None
        self._window = WINDOW
        self._parts: list[bytes] = []
        self._size = 0
        self._count = 0
        self._line = 0

    def flush(self) -> Iterator[Rows]:
        """What was collected."""
        if self._count:
            yield Rows(*self._table, b"".join(self._parts), self._count, self._line)
        self._parts, self._size, self._count = [], 0, 0

    def forget(self) -> None:
        """What is known of the last statement no longer says how to read the next."""
        self._header, self._bulk = b"", None

    def again(self) -> bool:
        """Whether one more statement like the last begins here."""
        return bool(self._header) and self.scanner.peek(len(self._header)) == self._header

    def more(self) -> Iterator[Rows]:
        """The rows of a statement like the last, which begins here."""
        self.scanner.skip(len(self._header))
        yield from self._rows()

    def read(self, line: int) -> Iterator[Rows]:
        """The rows of the statement whose first word, on ``line``, was just read."""
        scanner = self.scanner
        # The buffer is kept from here on: the next statement most likely begins alike.
        scanner.mark = scanner.pos - len(b"INSERT")
        scanner.expect(b"INTO")
        schema = scanner.name_here()
        if not scanner.punctuation(b"."):
            scanner.refuse(f"the table {schema!r} has no schema; pg_dump writes one", line)
        table = scanner.name_here()
        if scanner.word(b"DEFAULT"):
            scanner.expect(b"VALUES")
            scanner.end()
            scanner.mark = None
            yield from self._belongs((schema, table, ()))
            self._add(b"\n", 1, line)
            return
        columns = self._columns()
        if scanner.word(b"OVERRIDING"):
            scanner.expect(b"SYSTEM")
            scanner.expect(b"VALUE")
        scanner.expect(b"VALUES")
        assert scanner.mark is not None
        values = scanner.pos - scanner.mark
        self._row_begins()
        start, scanner.mark = scanner.mark, None
        yield from self._belongs((schema, table, columns))
        self._header = scanner.data[start : scanner.pos]
        self._bulk = Bulk(
            self._header[:values],
            self._header[values:],
            len(columns),
            eol=scanner.eol,
            escapes=self.literals.escapes,
        )
        yield from self._rows()

    def _belongs(self, table: tuple[str, str, tuple[str, ...]]) -> Iterator[Rows]:
        if table != self._table:
            yield from self.flush()
            self._table = table
            self._window = WINDOW
            self.forget()

    def _columns(self) -> tuple[str, ...]:
        scanner = self.scanner
        if not scanner.punctuation(b"("):
            scanner.refuse(
                f"a list of columns was expected and {scanner.shown()} found, and without one the "
                "values may end up in other columns; dump with --column-inserts"
            )
        return scanner.names()

    def _row_begins(self) -> None:
        if not self.scanner.punctuation(b"("):
            self.scanner.refuse(f"a row was expected and {self.scanner.shown()} found")

    def _rows(self) -> Iterator[Rows]:
        """Rows up to the end of a statement: of this one, or of a later one that is alike.

        The place is behind a row's parenthesis.
        """
        scanner = self.scanner
        while True:
            while self._take():
                if self._size >= FULL:
                    yield from self.flush()
            line = scanner.line
            width = len(self._table[2])
            values = self.literals.list(width)
            if len(values) != width:
                many = "more" if len(values) > width else str(len(values))
                scanner.refuse(f"{many} values for {width} columns", line)
            self._add(copytext.line(values), 1, line)
            if self._size >= FULL:
                yield from self.flush()
            if not scanner.punctuation(b","):
                break
            self._row_begins()
        if scanner.word(b"ON"):
            scanner.refuse(
                "ON CONFLICT is not taken: what to do about rows that are there already is the "
                "restore's own decision; dump without --on-conflict-do-nothing"
            )
        scanner.end()

    def _take(self) -> bool:
        """Read some rows in bulk; ``False`` if the next one needs a closer look."""
        scanner = self.scanner
        if self._bulk is None or not self._in_bulk:
            return False
        taken = self._bulk.take(scanner.peek(self._window))
        if taken.odd:
            # Small enough for what could be read, so that looking again stays cheap.
            self._window = max(WINDOW, 2 * taken.length)
        else:
            self._window = min(4 * self._window, WIDEST)
        if not taken.rows:
            return False
        self._add(taken.data, taken.rows, scanner.line)
        scanner.skip(taken.length)
        return True

    def _add(self, data: bytes, count: int, line: int) -> None:
        if not self._count:
            self._line = line
        self._parts.append(data)
        self._size += len(data)
        self._count += count
