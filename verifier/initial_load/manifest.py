"""What a backup says about itself, inside the file, and the proof that it still is what it was.

A backup of ours is a pg_dump plain file with one comment in front and one behind::

    -- restore-verifier backup 1
    …
    -- restore-verifier manifest SHA-256 {"tables": {"public.products": 1000, …}, …}

psql takes both for comments. The checksum is over all bytes in front of the last line,
the first line included, and over the manifest's JSON. It shows damage, and a change by
somebody who did not mean to hide it; it is no signature. Who takes away both lines is
left with a plain pg_dump file, which nobody can tell from any other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NoReturn, Protocol

from verifier.errors import BackupRefused
from verifier.transfer import Format

_FIRST = b"-- restore-verifier backup "
MARK = _FIRST + b"1\n"
_LAST = b"-- restore-verifier manifest "
_LONGEST = 1 << 26
"""Bytes of a manifest line; 500,000 tables fit."""
_AGAIN = "get the file again, or make the backup again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """An exclusion rule and what it left out, by table; rows that refer to such a row included."""

    table: str
    condition: str
    left_out: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What the backup holds and where it comes from. Tables are named as SQL writes them."""

    tables: Mapping[str, int]
    """Rows in the file. A partition's rows count for the topmost table."""
    format: Format
    schema: str
    """SHA-256 over tables, columns, types, not null, keys and foreign keys of the source."""
    server: str
    tool: str
    """What ``pg_dump --version`` says."""
    verifier: str
    made: str
    """When the snapshot was taken: ISO 8601, UTC."""
    rules: tuple[Rule, ...] = ()
    sha256: str = ""
    """Of the backup, as the file says it; filled in where the last line is written."""

    def line(self, before: hashlib._Hash) -> bytes:
        """The last line of a file whose other bytes went through ``before``."""
        rules = [
            {"table": rule.table, "condition": rule.condition, "left_out": dict(rule.left_out)}
            for rule in self.rules
        ]
        content = {
            "tables": dict(self.tables),
            "format": str(self.format),
            "schema": self.schema,
            "server": self.server,
            "tool": self.tool,
            "verifier": self.verifier,
            "made": self.made,
            "rules": rules,
        }
        # ASCII only, so that no line break of Unicode's can be one of the file's.
        written = json.dumps(content, ensure_ascii=True).encode("ascii")
        return _LAST + _digest(before, written).encode("ascii") + b" " + written + b"\n"

    @classmethod
    def parse(cls, line: bytes, before: hashlib._Hash) -> Manifest:
        """Read a whole last line. Raises :class:`ValueError` for anything else.

        That the checksum agrees with ``before`` is part of it.
        """
        sha256, space, written = line.removeprefix(_LAST).removesuffix(b"\n").partition(b" ")
        if sha256 != _digest(before, written).encode("ascii") or not space:
            raise ValueError("its checksum does not agree with what it holds")
        content = json.loads(written)
        texts = ("schema", "server", "tool", "verifier", "made")
        if not isinstance(content, dict) or content.keys() != {"tables", "format", "rules", *texts}:
            raise ValueError("not the manifest's fields")
        if not all(isinstance(content[name], str) for name in texts):
            raise ValueError("a field that is no text")
        return cls(
            tables=_counts(content["tables"]),
            format=Format(content["format"]),
            rules=tuple(_rule(rule) for rule in content["rules"]),
            **{name: content[name] for name in texts},
            sha256=sha256.decode("ascii"),
        )


def _digest(before: hashlib._Hash, written: bytes) -> str:
    whole = before.copy()
    whole.update(written)
    return whole.hexdigest()


def _counts(given: Any) -> Mapping[str, int]:
    if not isinstance(given, dict) or not all(
        isinstance(rows, int) and not isinstance(rows, bool) and rows >= 0
        for rows in given.values()
    ):
        raise ValueError("counts that are none")
    return given


def _rule(given: Any) -> Rule:
    if not isinstance(given, dict) or given.keys() != {"table", "condition", "left_out"}:
        raise ValueError("not a rule's fields")
    if not isinstance(given["table"], str) or not isinstance(given["condition"], str):
        raise ValueError("a rule that is no text")
    return Rule(
        table=given["table"], condition=given["condition"], left_out=_counts(given["left_out"])
    )


def own_version() -> str:
    """This project's, where it is installed and not only lying there."""
    with suppress(PackageNotFoundError):
        return version("restore-verifier")
    return "unknown"


class _Input(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Output(Protocol):
    def write(self, data: bytes, /) -> object: ...


class Writer:
    """Writes a backup between its two lines and takes the checksum on the way."""

    def __init__(self, file: _Output) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.write(MARK)

    def write(self, data: bytes) -> None:
        self._hash.update(data)
        self._file.write(data)

    def end(self, manifest: Manifest) -> None:
        """Write the last line; nothing may follow it."""
        self._file.write(manifest.line(self._hash))


class Checked:
    """The bytes of ``file``, unchanged, as a stream that knows at its end whether all were there.

    :meth:`read` raises :class:`~verifier.errors.BackupRefused` instead of reporting the end of
    a backup of ours that is damaged, cut or changed: nothing may be made durable
    before the end was seen. A file without our first line passes as it is. Memory:
    what one call reads, and the manifest.
    """

    def __init__(self, file: _Input, name: str) -> None:
        self.manifest: Manifest | None = None
        """Set at the end of a backup of ours."""
        self._file = file
        self._name = name
        self._head = b""
        # None where the file cannot be one of ours.
        self._hash: hashlib._Hash | None = hashlib.sha256()
        # The last line so far, as long as it can be a manifest, and the checksum before it.
        self._line: bytearray | None = bytearray()
        self._before = hashlib.sha256()
        self._fresh = True  # the next byte starts a line
        self._ended = False

    def read(self, size: int = -1) -> bytes:
        """The next bytes, at most ``size`` of them (all for -1); none at the end."""
        data = self._file.read(size)
        if data:
            self._look(data)
        elif size != 0 and not self._ended:
            self._end()
            self._ended = True
        return data

    def _look(self, data: bytes) -> None:
        if len(self._head) < len(MARK):
            self._head += data[: len(MARK) - len(self._head)]
            if len(self._head) >= len(_FIRST) and not self._head.startswith(_FIRST):
                self._hash = None
            elif not MARK.startswith(self._head) and self._head.startswith(_FIRST):
                raise BackupRefused(
                    f"{self._name} was written by another version of restore-verifier, or its "
                    f"first line is damaged; restore it with that version, or {_AGAIN}"
                )
        start = data.rfind(b"\n", 0, len(data) - 1) + 1
        if start or self._fresh:
            self._update(data[:start])
            if self._hash is not None:
                self._before = self._hash.copy()
            self._line = bytearray()
            rest = data[start:]
        else:
            rest = data
        self._update(rest)
        self._fresh = data.endswith(b"\n")
        if self._line is not None:
            self._line += rest[: _LONGEST + 1 - len(self._line)]
            if len(self._line) > _LONGEST or not _begins(self._line):
                self._line = None

    def _update(self, data: bytes) -> None:
        if self._hash is not None:
            self._hash.update(data)

    def _end(self) -> None:
        has_manifest = self._line is not None and self._line.startswith(_LAST)
        if self._head != MARK:
            if has_manifest:
                self._refuse("its first line is not the one that it was written with")
            if self._head and MARK.startswith(self._head):
                self._refuse("it ends in its first line")
            return
        if not has_manifest or not self._fresh or self._line is None:
            self._refuse("its last line, the manifest, is missing or cut")
        try:
            self.manifest = Manifest.parse(bytes(self._line), self._before)
        except (ValueError, TypeError, RecursionError) as error:
            self._refuse(str(error))

    def _refuse(self, found: str) -> NoReturn:
        raise BackupRefused(
            f"{self._name} is damaged, cut, or was changed after it was made: {found}; {_AGAIN}"
        )


def _begins(line: bytearray) -> bool:
    """Whether ``line`` is the start of a manifest line, as far as it goes."""
    return line.startswith(_LAST) or _LAST.startswith(line)
