"""Backups as data: every format becomes the events of :mod:`.events`.

::

    opening ─▶ compression ─▶ kinds ─┬─ SQL ───────────────────▶ manifest ─▶ sql ─▶ events
                                     ├─ archives ─▶ archive ───▶ manifest ─▶ sql ─▶ events
                                     ├─ JSON ─▶ json_text ─▶ json_backup ◀─ models ─▶ events
                                     └─ quarantine ──────────────────────────────▶ events
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

from verifier.errors import BackupRefused
from verifier.initial_load.catalog import Catalog
from verifier.initial_load.manifest import Checked, Manifest
from verifier.initial_load.reading import archive, quarantine
from verifier.initial_load.reading.compression import decompressed
from verifier.initial_load.reading.damage import CheckedTar, check_directory
from verifier.initial_load.reading.events import Event, Rows
from verifier.initial_load.reading.json_backup import read_json
from verifier.initial_load.reading.kinds import Kind, kind
from verifier.initial_load.reading.opening import Readable, Stream, opened, repeatable, shown
from verifier.initial_load.reading.prisma import read_models
from verifier.initial_load.reading.quarantine import unquoted
from verifier.initial_load.reading.sql import read_sql

__all__ = ["read"]


def read(
    path: Path, *, catalog: Catalog | None = None, models: Path | None = None
) -> Iterator[Event]:
    """The events of the backup ``path``, in its order, whatever its format; ``-``: standard input.

    ``catalog`` is the target's, which tells the tables and types of a JSON backup, and
    ``models`` a Prisma schema that names its tables. Memory does not depend on the size.

    Raises :class:`~verifier.errors.BackupRefused`, at the latest when the iterator ends: only
    then is it known that the backup is complete. So nothing may be made durable before.
    """
    name = shown(path)
    with ExitStack() as stack:
        if _is_directory(path):
            if not (path / "toc.dat").is_file():
                raise BackupRefused(
                    f"{name} is a directory without toc.dat, so none of pg_dump's; give the "
                    "backup's file, or the directory that pg_dump wrote"
                )
            check_directory(path, name)
            yield from _sql(stack.enter_context(archive.restored(name, path=path)), name)
            return
        file = stack.enter_context(opened(path))
        content = decompressed(file, name)
        match kind(content, name):
            case Kind.SQL:
                yield from _sql(content, name)
            case Kind.CUSTOM if content is file and repeatable(path):
                # With the file itself, pg_restore can skip what it does not need.
                yield from _sql(stack.enter_context(archive.restored(name, path=path)), name)
            case Kind.CUSTOM:
                yield from _sql(stack.enter_context(archive.restored(name, file=content)), name)
            case Kind.TAR:
                tar = CheckedTar(content, name)
                yield from _sql(stack.enter_context(archive.restored(name, file=tar)), name)
            case Kind.QUARANTINE:
                yield from quarantine.read(content, name)
            case Kind.JSON:
                yield from _json(content, name, catalog, models)


def _is_directory(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError as error:
        raise BackupRefused(f"{shown(path)} cannot be read: {error.strerror}") from error


def _sql(file: Readable, name: str) -> Iterator[Event]:
    checked = Checked(file, name)
    found: dict[tuple[str, str], int] = {}
    for event in read_sql(checked, name):
        if isinstance(event, Rows):
            table = (event.schema, event.table)
            found[table] = found.get(table, 0) + event.count
        yield event
    while checked.read(1 << 16):  # the end, where the manifest is looked at, was seen
        continue
    if checked.manifest is not None:
        _compare(checked.manifest, found, name)


def _compare(manifest: Manifest, found: Mapping[tuple[str, str], int], name: str) -> None:
    """Refuse a backup whose rows are not as many as its manifest says."""
    said = {unquoted(table): (table, rows) for table, rows in manifest.tables.items()}
    unnamed = {key: (".".join(key), 0) for key in found if key not in said}
    wrong = [
        f"{table}: {found.get(key, 0)} of {rows}"
        for key, (table, rows) in sorted({**said, **unnamed}.items())
        if found.get(key, 0) != rows
    ]
    if wrong:
        more = f", and {len(wrong) - 5} more tables" if len(wrong) > 5 else ""
        raise BackupRefused(
            f"{name} does not hold the rows that its manifest names ({', '.join(wrong[:5])}{more});"
            " get the file again, or make the backup again"
        )


def _json(
    content: Stream, name: str, catalog: Catalog | None, models: Path | None
) -> Iterator[Event]:
    if catalog is None:
        raise BackupRefused(
            f"{name} is a JSON backup, which says neither tables nor types: only a database "
            "that has them can tell; give one"
        )
    return read_json(content, name, catalog, () if models is None else read_models(models))
