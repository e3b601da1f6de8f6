"""What a file is, by its first bytes; its name is never asked."""

from __future__ import annotations

import codecs
import json
import re
from enum import Enum, auto
from typing import NoReturn

from verifier.errors import BackupRefused
from verifier.initial_load.reading.damage import BLOCK, tar_size
from verifier.initial_load.reading.opening import Stream

HEAD = 1 << 12  # bytes looked at
QUARANTINE = "restore-verifier quarantine"


class Kind(Enum):
    """What can be read, after decompression."""

    SQL = auto()
    CUSTOM = auto()
    TAR = auto()
    JSON = auto()
    QUARANTINE = auto()


_FOREIGN = (
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive: unpack it and give what is inside"),
    (b"BZh", "compressed by bzip2: decompress it first (bunzip2)"),
    (b"\xfd7zXZ\x00", "compressed by xz: decompress it first (unxz)"),
    (b"7z\xbc\xaf", "a 7z archive: unpack it and give what is inside"),
    (b"\x02\x21\x4c\x18", "LZ4 in its legacy format: decompress it first (lz4 -d)"),
    (b"SQLite format 3", "a SQLite database"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a Windows program"),
)
_WIDE = re.compile(rb"(?:[\x01-\x7f]\0){2}|(?:\0[\x01-\x7f]){2}")
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# How a data-only plain dump can begin, behind blanks: a comment, a psql line, a statement.
_SQL = re.compile(rb"--|/\*|\\|[A-Za-z]+(?=[\s\"(;]|\Z)")
_MARKUP = re.compile(rb"<(?:!doctype|html|\?xml|head|body|[a-z]+>)", re.IGNORECASE)


def kind(file: Stream, name: str) -> Kind:
    """What ``file`` holds; a byte order mark of UTF-8 is taken away from its beginning.

    Raises :class:`~verifier.errors.BackupRefused` with what it is instead.
    """
    head = file.peek(HEAD)
    if head.startswith(codecs.BOM_UTF8):
        file.read(len(codecs.BOM_UTF8))
        head = file.peek(HEAD)
    if not head:
        raise BackupRefused(f"{name} is empty; make the backup again")
    if head.startswith(b"PGDMP"):
        return Kind.CUSTOM
    if tar_size(head[:BLOCK]) is not None:
        return _tar(head, name)
    _refuse_foreign(head, name)
    text = head.lstrip()
    if not text:
        if len(head) < HEAD:
            raise BackupRefused(f"{name} holds nothing but blanks; make the backup again")
        return Kind.SQL  # which says so with the place where it ends
    if text[:1] in b"{[":
        return Kind.QUARANTINE if _is_quarantine(text) else Kind.JSON
    if _SQL.match(text) is None or _is_csv(text):
        _refuse(name, f"no backup: it begins with {_start(text)}")
    return Kind.SQL


def _refuse_foreign(head: bytes, name: str) -> None:
    for magic, what in _FOREIGN:
        if head.startswith(magic):
            _refuse(name, what if ":" in what else f"{what}, no backup")
    if head.startswith(_UTF16) or _WIDE.match(head):
        raise BackupRefused(
            f"{name} is written in UTF-16, which is what PowerShell's > makes of a dump and may "
            "have damaged it: make the backup again with pg_dump's own --file option"
        )
    if b"\0" in head:
        _refuse(name, "no backup: it begins with binary data")
    if _MARKUP.match(head.lstrip()):
        _refuse(name, f"a page of HTML or XML, no backup: it begins with {_start(head.lstrip())}")


def _refuse(name: str, what: str) -> NoReturn:
    raise BackupRefused(
        f"{name} is {what}; give what pg_dump, restore-verifier backup or the application's "
        "JSON backup wrote"
    )


def _start(text: bytes) -> str:
    return repr(text[:40].split(b"\n")[0].decode("utf-8", "replace").rstrip())


def _is_csv(text: bytes) -> bool:
    """Whether the first line is a CSV header: names with separators and nothing of SQL."""
    line = text.split(b"\n")[0].strip()
    names = re.split(rb"[,;\t|]", line)
    plain = (re.fullmatch(rb"\s*(?:\"[^\"]*\"|[\w .-]+)\s*", each) for each in names)
    return len(names) > 1 and not line.startswith((b"--", b"\\")) and all(plain)


def _is_quarantine(text: bytes) -> bool:
    line, _, _ = text.partition(b"\n")
    try:
        header = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(header, dict) and header.get("format") == QUARANTINE


def _tar(head: bytes, name: str) -> Kind:
    member = head[:100].rstrip(b"\0").decode("utf-8", "replace")
    if member == "toc.dat":
        return Kind.TAR
    if member.rpartition("/")[2] in ("PG_VERSION", "backup_label"):
        _refuse(
            name,
            "a copy of a server's data directory (pg_basebackup), which only a "
            "whole server can be made of",
        )
    raise BackupRefused(
        f"{name} is a tar archive, but not one of pg_dump's: it begins with {member!r}; unpack "
        "it and give the backup that is inside"
    )
