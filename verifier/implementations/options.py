"""The built-in implementations' options, where a configuration takes a half of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from verifier import readers
from verifier.errors import UsageError
from verifier.implementations.base import Implementation
from verifier.implementations.process import TIMEOUT
from verifier.implementations.tables import Table
from verifier.references import references
from verifier.transfer import BackupOptions, Format, Ids, RestoreOptions

_COMPRESSORS = ("gz", "zst")


def _our_backup(table: Table, directory: Path) -> Implementation:
    from verifier.implementations.initial_load import InitialLoad

    options = BackupOptions(
        format=table.read("format", readers.member(Format), Format.COPY),
        exclude=table.read("exclude", readers.excludes, ()),
        lock_timeout=table.read("lock-timeout", readers.seconds),
    )
    return InitialLoad(to_back_up=options, compress=table.read("compress", _compressor, ""))


def _our_restore(table: Table, directory: Path) -> Implementation:
    from verifier.implementations.initial_load import InitialLoad

    models = table.read("models", readers.path)
    options = RestoreOptions(
        ids=table.read("ids", readers.member(Ids), Ids.SHARED),
        strict_ids=table.read("strict-ids", readers.switch, default=False),
        prefer=readers.recency(table.read("prefer", readers.prefer)),
        references=table.read("reference", references, ()),
        refresh=table.read("refresh", readers.switch, default=False),
        lock_timeout=table.read("lock-timeout", readers.seconds),
        models=None if models is None else directory / models,
    )
    return InitialLoad(to_restore=options)


def _dump(table: Table, directory: Path) -> Implementation:
    from verifier.implementations.pg_dump import DumpFormat, PgDump

    form = table.read("format", readers.member(DumpFormat), DumpFormat.PLAIN)
    return PgDump(timeout=table.read("timeout", readers.seconds, TIMEOUT), form=form)


def _dump_restore(table: Table, directory: Path) -> Implementation:
    from verifier.implementations.pg_dump import PgDump

    return PgDump(timeout=table.read("timeout", readers.seconds, TIMEOUT))


def _compressor(given: object, where: str) -> str:
    word = readers.text(given, where).removeprefix(".")
    if word not in _COMPRESSORS:
        raise UsageError(
            f"{where} is {given!r}{readers.suggestion(word, _COMPRESSORS)}; "
            f"choose from {', '.join(_COMPRESSORS)}"
        )
    return word


OF: Mapping[tuple[str, str], Callable[[Table, Path], Implementation]] = MappingProxyType(
    {
        ("initial-load", "backup"): _our_backup,
        ("initial-load", "restore"): _our_restore,
        ("pg_dump", "backup"): _dump,
        ("pg_dump", "restore"): _dump_restore,
    }
)
"""By implementation and half."""
