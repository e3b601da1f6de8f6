r"""Large objects as pg_dump writes them into plain files: these calls, in this order.

::

    SELECT pg_catalog.lo_create('4711');
    BEGIN;
    SELECT pg_catalog.lo_open('4711', 131072);
    SELECT pg_catalog.lowrite(0, '\x68656c6c6f');
    SELECT pg_catalog.lo_close(0);
    COMMIT;

BEGIN and COMMIT would end a restore's own transaction (trap F16), so they are taken
for nothing but a frame around these calls.
"""

from __future__ import annotations

from binascii import Error, unhexlify
from collections.abc import Iterator

from verifier.initial_load.reading.events import LargeObject
from verifier.initial_load.reading.scanner import Scanner

CALLS = frozenset({"lo_create", "lo_open", "lowrite", "lo_close"})
_WRITE = b"131072"  # INV_WRITE, src/include/libpq/libpq-fs.h


class Objects:
    """Turns the calls into pieces of large objects."""

    def __init__(self, scanner: Scanner) -> None:
        self.scanner = scanner
        self.framed = 0
        """The line of a BEGIN without its COMMIT so far, or 0."""
        self._open: int | None = None
        self._offset = 0

    def begin(self, line: int) -> None:
        self.scanner.end()
        if self.framed:
            self.scanner.refuse("BEGIN stands inside another", line)
        self.framed = line

    def commit(self, line: int) -> None:
        self.scanner.end()
        if not self.framed or self._open is not None:
            self.scanner.refuse("COMMIT does not end what BEGIN began", line)
        self.framed = 0

    def call(self, name: str, values: list[bytes | None], line: int) -> Iterator[LargeObject]:
        match name, values:
            case "lo_create", [oid] if not self.framed and (number := _oid(oid)):
                yield LargeObject(number, 0, b"", line)
            case "lo_open", [oid, mode] if (
                self.framed and self._open is None and mode == _WRITE and (number := _oid(oid))
            ):
                self._open, self._offset = number, 0
            case "lowrite", [b"0", text] if self._open is not None:
                data = self._bytes(text, line)
                if data:
                    yield LargeObject(self._open, self._offset, data, line)
                self._offset += len(data)
            case "lo_close", [b"0"] if self._open is not None:
                self._open = None
            case _:
                self.scanner.refuse(
                    f"{name} is not called as pg_dump calls it for a large object; "
                    "a backup is data, nothing in it is run",
                    line,
                )

    def _bytes(self, text: bytes | None, line: int) -> bytes:
        try:
            if text is not None and text.startswith(b"\\x"):
                return unhexlify(text[2:])
        except Error:
            pass
        self.scanner.refuse("lowrite's bytes are not hexadecimal as pg_dump writes them", line)


def _oid(text: bytes | None) -> int:
    """The number, 0 if it is none."""
    number = int(text) if text is not None and text.isdigit() and len(text) <= 10 else 0
    return number if number < 1 << 32 else 0
