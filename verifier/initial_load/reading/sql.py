"""A pg_dump plain file as data: rows, sequence positions, large objects; never code.

The file is scanned once, in pieces; memory is bounded by a few of them, or a few times
its largest value. Whatever is not an ``INSERT … VALUES`` of literals, a ``COPY … FROM
stdin`` with its rows, a ``SET``, or a call that pg_dump writes itself (``setval``, the
search path, large objects) is refused by line number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from verifier.errors import BackupRefused
from verifier.initial_load.reading.copying import read_copy
from verifier.initial_load.reading.encoding import Stream
from verifier.initial_load.reading.events import Event, LargeObject, Setting, SetVal
from verifier.initial_load.reading.inserts import Inserts
from verifier.initial_load.reading.literals import NUMBER, Literals
from verifier.initial_load.reading.objects import CALLS, Objects
from verifier.initial_load.reading.scanner import BLOCK, WORD, Scanner

_META = re.compile(rb"\\(restrict|unrestrict) ([A-Za-z0-9]+)[ \t\r]*(?=\n|\Z)")
_INTEGER = re.compile(rb"-?\d{1,19}")
_DATA = "a backup is data, nothing in it is run"
# Settings on which it depends what a value's text means to a server.
_VALUES_DEPEND = frozenset(
    ["array_nulls", "datestyle", "intervalstyle", "lc_monetary", "search_path", "timezone"]
)
_ADVICE = {
    "ALTER": "dump with --data-only --no-owner, and without --disable-triggers",
    "COMMENT": "dump with --data-only --no-comments",
    "GRANT": "dump with --data-only --no-privileges",
    "REVOKE": "dump with --data-only --no-privileges",
    "CREATE": "dump with --data-only",
    "DROP": "dump with --data-only and without --clean",
    "SECURITY": "dump with --no-security-labels",
    "REFRESH": "dump with --data-only",
    "BEGIN": "only large objects are between BEGIN and COMMIT in a dump",
}


def read_sql(file: Stream, name: str, *, block: int = BLOCK, bulk: bool = True) -> Iterator[Event]:
    """The events of the backup ``file``, in order; ``name`` is what messages call it.

    ``block`` is how many bytes are read at a time; ``bulk=False`` looks at every row
    of an INSERT on its own, which gives the same rows slowly.

    Raises :class:`~verifier.errors.BackupRefused`, at the latest when the iterator
    ends: only then is it known that the file is complete. So nothing may be made
    durable before the iterator is exhausted.
    """
    scanner = Scanner(file, name, block)
    if scanner.empty:
        raise BackupRefused(f"{name} is empty; make the backup again")
    yield from _Reader(scanner, bulk=bulk).events()


class _Reader:
    def __init__(self, scanner: Scanner, *, bulk: bool) -> None:
        self.scanner = scanner
        self.literals = Literals(scanner)
        self.inserts = Inserts(scanner, self.literals, bulk=bulk)
        self.objects = Objects(scanner)
        self.key: bytes | None = None
        self.released = False
        self.started = False
        self.complete = False
        # Whether the encoding was taken from a SET, not from what only looks like one.
        self.announced = scanner.encoding.upper() == "UTF8"

    def events(self) -> Iterator[Event]:
        scanner = self.scanner
        while True:
            self.complete = scanner.skip_blank() or self.complete
            next_byte = scanner.peek()
            if not next_byte:
                break
            if next_byte == b"\\":
                self._meta()
                continue
            if self.complete:
                scanner.refuse(f"the backup goes on behind its end with {scanner.shown()}")
            self.started = True
            if self.inserts.again() and not self.objects.framed:
                yield from self.inserts.more()
            else:
                yield from self._statement()
        yield from self.inserts.flush()
        self._finish()

    def _finish(self) -> None:
        if not self.complete and not self.started:
            self.scanner.refuse("nothing of a pg_dump plain backup was found in the file")
        if self.objects.framed:
            self.scanner.refuse(
                "BEGIN without COMMIT: the backup is truncated; make it again", self.objects.framed
            )
        if not self.complete:
            self.scanner.refuse(
                "the backup is truncated: pg_dump's last line is missing; make it again"
            )
        if self.key is not None and not self.released:
            self.scanner.refuse("the backup is truncated: \\unrestrict is missing; make it again")

    def _meta(self) -> None:
        found = self.scanner.match(_META)
        if found is None:
            self.scanner.refuse(f"{self.scanner.shown()} is a psql command; {_DATA}")
        if found[1] == b"restrict" and self.key is None and not self.started:
            self.key = found[2]
        elif found[1] == b"unrestrict" and self.complete and found[2] == self.key:
            self.released = True
        else:
            self.scanner.refuse(
                f"\\{found[1].decode()} is not expected here: truncated or put together"
            )
        self.scanner.take(_META)

    def _statement(self) -> Iterator[Event]:
        line = self.scanner.line
        start = self.scanner.shown()
        found = self.scanner.take(WORD)
        word = found[0].decode().upper() if found else ""
        if word != "INSERT":
            yield from self.inserts.flush()
        if self.objects.framed and word not in ("SELECT", "COMMIT"):
            word = "BEGIN"
        match word:
            case "INSERT":
                self._ready(line)
                yield from self.inserts.read(line)
            case "COPY":
                self._ready(line)
                yield from self._copy(line)
            case "SET":
                yield self._set(line)
            case "SELECT":
                yield from self._select(line, start)
            case "BEGIN" if not self.objects.framed:
                self.objects.begin(line)
            case "COMMIT":
                self.objects.commit(line)
            case _:
                advice = f"; {_ADVICE[word]}" if word in _ADVICE else ""
                self.scanner.refuse(
                    f"{start} is no INSERT, COPY, SET or setval; {_DATA}{advice}", line
                )

    def _ready(self, line: int) -> None:
        """Rows may follow: how to read them is known."""
        if not self.announced:
            self.scanner.refuse(
                f"rows come before the encoding {self.scanner.encoding!r} is set", line
            )

    # --- COPY ---------------------------------------------------------------------

    def _copy(self, line: int) -> Iterator[Event]:
        scanner = self.scanner
        scanner.skip_blank()
        if scanner.peek() == b"(":
            scanner.refuse(f"COPY of a query; {_DATA}", line)
        schema = scanner.name_here()
        if not scanner.punctuation(b"."):
            scanner.refuse(f"the table {schema!r} has no schema; pg_dump writes one", line)
        table = scanner.name_here()
        columns = scanner.names() if scanner.punctuation(b"(") else ()
        if not (scanner.word(b"FROM") and scanner.word(b"STDIN")):
            scanner.refuse(
                f"FROM stdin was expected and {scanner.shown()} found; COPY reads nothing but "
                "the backup itself"
            )
        if not scanner.punctuation(b";"):
            scanner.refuse(
                f"';' was expected and {scanner.shown()} found; pg_dump's COPY has no options"
            )
        if scanner.peek(len(scanner.eol)) != scanner.eol:
            scanner.refuse(f"a line's end was expected and {scanner.shown()} found")
        scanner.skip(len(scanner.eol))
        yield from read_copy(scanner, schema, table, columns)

    # --- SET, SELECT --------------------------------------------------------------

    def _set(self, line: int) -> Setting:
        scanner = self.scanner
        name = scanner.name_here()
        if name in ("session", "local", "role"):
            scanner.refuse(
                f"SET {name.upper()} changes who restores, or only for a while; "
                "dump with --no-owner, and without --disable-triggers",
                line,
            )
        if not scanner.punctuation(b"=") and not scanner.word(b"TO"):
            scanner.refuse(f"SET {name} is not followed by a value", line)
        scanner.skip_blank()
        if scanner.peek() == b"'" or scanner.peek(2) in (b"E'", b"e'"):
            value = self.literals.read() or b""
        else:
            found = scanner.take(NUMBER) or scanner.take(WORD)
            value = found[0] if found else scanner.refuse(f"SET {name} has no value", line)
        scanner.end()
        self._honour(name.lower(), value.decode(), line)
        return Setting(name, value.decode(), line)

    def _honour(self, name: str, value: str, line: int) -> None:
        """Follow what changes how the rest of the file reads; refuse what would change values."""
        if name == "standard_conforming_strings":
            if value.lower() not in ("on", "off"):
                self.scanner.refuse(f"SET {name} is neither on nor off", line)
            self.literals.escapes = value.lower() == "off"
            self.inserts.forget()
        elif name == "client_encoding":
            if value.upper() != self.scanner.encoding.upper():
                self.scanner.refuse(f"the encoding changes to {value!r} inside the file", line)
            self.announced = True
        elif name in _VALUES_DEPEND or (name == "xmloption" and value.lower() != "content"):
            self.scanner.refuse(
                f"SET {name} changes what the values mean, and pg_dump's never depend on it; "
                "make the backup with pg_dump",
                line,
            )

    def _select(self, line: int, start: str) -> Iterator[Setting | SetVal | LargeObject]:
        scanner = self.scanner
        scanner.skip_blank()
        found = scanner.match(WORD) or scanner.peek() == b'"'
        names = [scanner.name_here()] if found else []
        while names and scanner.punctuation(b"."):
            names.append(scanner.name_here())
        called = names[1] if len(names) == 2 and names[0] == "pg_catalog" else ""
        known = called in ("setval", "set_config") or called in CALLS
        if not known or not scanner.punctuation(b"("):
            advice = "; dump with --no-statistics" if "statistic" in called else ""
            scanner.refuse(f"{start} is not one of pg_dump's setval calls; {_DATA}{advice}", line)
        values = self.literals.list(3)
        if len(values) > 3:
            scanner.refuse(f"{called} has too many arguments", line)
        scanner.end()
        match called, values:
            case "set_config", [b"search_path", b"", b"false"] if not self.objects.framed:
                yield Setting("search_path", "", line)
            case "setval", [
                bytes(sequence),
                bytes(value),
                (b"true" | b"false") as done,
            ] if sequence and _INTEGER.fullmatch(value) and not self.objects.framed:
                yield SetVal(sequence.decode(), int(value), done == b"true", line)
            case _ if called in CALLS:
                yield from self.objects.call(called, values, line)
            case _:
                scanner.refuse(f"{called}'s arguments are not what pg_dump writes", line)
