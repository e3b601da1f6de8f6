"""One attempt to compare the rows of a table: digests first, then only what differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from threading import Lock
from typing import Any

import psycopg

from verifier.comparison import RowChange, RowKind, TableComparison
from verifier.contract import Row
from verifier.oracle.catalog import Table
from verifier.oracle.comparing.digest import Hashing, digests
from verifier.oracle.comparing.narrowing import Bucket, Narrowed, Place, narrow
from verifier.oracle.comparing.progress import Progress
from verifier.oracle.comparing.reading import (
    Buckets,
    Extent,
    FoundRow,
    Glance,
    Reader,
    Rewritten,
    mask_for,
)
from verifier.oracle.comparing.side import Side
from verifier.oracle.diff import differing
from verifier.oracle.documents import inside


@dataclass(frozen=True, slots=True)
class Half:
    """A table on one side."""

    side: Side
    table: Table
    extent: Extent


class HalfError(Exception):
    """Why a table cannot be read, and on which side."""

    def __init__(self, half: Half, error: psycopg.Error | Rewritten) -> None:
        super().__init__(str(error))
        self.half, self.error = half, error


@contextmanager
def _blaming(half: Half) -> Iterator[None]:
    try:
        yield
    except (psycopg.Error, Rewritten) as error:
        raise HalfError(half, error) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Both:
    """A table on both sides, and how its rows are compared."""

    source: Half
    target: Half
    hashing: Hashing
    limit: int
    progress: Progress

    @property
    def halves(self) -> tuple[Half, Half]:
        return self.source, self.target


class Attempt:
    """Compares ``columns`` of the rows that ``key`` tells apart. Raises :class:`HalfError`."""

    def __init__(self, both: Both, columns: Sequence[str], key: Sequence[str]) -> None:
        self._both, self._columns, self._key = both, columns, key
        self._halves = both.halves
        self._mask = 0
        self._readers = [
            Reader(
                half.table,
                half.extent,
                digests(half.table, other.table, columns, key, both.hashing),
            )
            for half, other in (both.halves, both.halves[::-1])
        ]
        types = {column.name: column.type for column in both.source.table.columns}
        self.result = TableComparison(
            table=both.source.table.name,
            key=tuple(key),
            columns=tuple((name, types[name]) for name in sorted({*columns, *key})),
        )

    def run(self) -> None:
        """Compare, and keep in :attr:`result` what is known so far."""
        ours, theirs = self._buckets()
        counts = [sum(rows for rows, _ in side.values()) for side in (ours, theirs)]
        suspects = [
            each for each in ours.keys() | theirs.keys() if ours.get(each) != theirs.get(each)
        ]
        if suspects:
            narrowed = self._narrow(suspects, max(counts))
            self._know(
                missing=narrowed.counts[RowKind.MISSING],
                extra=narrowed.counts[RowKind.EXTRA],
                changed=narrowed.counts[RowKind.CHANGED],
            )
        self._know(source_rows=counts[0], target_rows=counts[1])
        if suspects:
            self._know(shown=tuple(self._shown(narrowed.places())))

    def _know(self, **found: Any) -> None:
        self.result = replace(self.result, **found)

    def _buckets(self) -> list[Buckets]:
        """The digests of both sides, read at the same time."""
        asked = [
            half.side.submit(reader.glance)
            for half, reader in zip(self._halves, self._readers, strict=True)
        ]
        glances: list[Glance] = []
        for half, future in zip(self._halves, asked, strict=True):
            with _blaming(half):
                glances.append(future.result())
        small = [glance.buckets for glance in glances if glance.buckets is not None]
        if len(small) == len(glances):
            self._both.progress.advance(sum(rows for each in small for rows, _ in each.values()))
            return small
        self._mask = mask_for(max(glance.rows_about for glance in glances))
        return self._in_chunks(glances)

    def _in_chunks(self, glances: Sequence[Glance]) -> list[Buckets]:
        found: list[Buckets] = [{} for _ in self._halves]
        waiting: list[list[Future[None]]] = []
        for half, reader, glance, total in zip(
            self._halves, self._readers, glances, found, strict=True
        ):
            chunks = reader.chunks(glance, half.side.main.info.server_version)
            add = partial(self._add, reader, total, Lock())
            waiting.append([half.side.submit(partial(add, each)) for each in chunks])
        for half, futures in zip(self._halves, waiting, strict=True):
            for future in futures:
                try:
                    with _blaming(half):
                        future.result()
                except HalfError:
                    for each in (each for side in waiting for each in side):
                        each.cancel()
                    raise
        return found

    def _add(
        self,
        reader: Reader,
        total: Buckets,
        lock: Lock,
        condition: str,
        connection: psycopg.Connection[Any],
    ) -> None:
        """Read one chunk and add it up at once: all of them together would be large."""
        part = reader.buckets(connection, self._mask, condition)
        with lock:
            for bucket, (rows, digest) in part.items():
                before = total.get(bucket, (0, 0))
                total[bucket] = (before[0] + rows, before[1] + digest)
        self._both.progress.advance(sum(rows for rows, _ in part.values()))

    def _narrow(self, suspects: Sequence[int], rows: int) -> Narrowed:
        """Both sides' digests of the rows in some buckets, merged as they come."""
        with ExitStack() as held:
            streams = []
            for half, reader in zip(self._halves, self._readers, strict=True):
                with _blaming(half):
                    connection = held.enter_context(half.side.reader())
                    query = reader.differing(suspects, self._mask, rows)
                    copy = held.enter_context(connection.cursor().copy(query.encode()))
                    streams.append(_parsed(half, copy))
            return narrow(*streams, keyed=bool(self._key), limit=self._both.limit)

    def _shown(self, places: Sequence[Place]) -> Iterator[RowChange]:
        columns = sorted({*self._columns, *self._key})
        wanted = [[p.source for p in places if p.source], [p.target for p in places if p.target]]
        rows = [
            half.side.submit(partial(reader.rows, columns=columns, places=at))
            for half, reader, at in zip(self._halves, self._readers, wanted, strict=True)
        ]
        found: list[Mapping[str, FoundRow]] = []
        for half, future in zip(self._halves, rows, strict=True):
            with _blaming(half):
                found.append(future.result())
        changes = [self._change(place, *found) for place in places]
        yield from sorted(
            changes, key=lambda change: [(v is None, v or "") for v in change.key.values()]
        )

    def _change(
        self, place: Place, ours: Mapping[str, FoundRow], theirs: Mapping[str, FoundRow]
    ) -> RowChange:
        source, target = ours.get(place.source), theirs.get(place.target)
        whole = source or target
        here: Row = whole.texts if whole else {}
        key = {name: here[name] for name in self._key} if self._key else here
        columns: tuple[str, ...] = ()
        if source is not None and target is not None:
            columns = tuple(_paths(source, target, sorted(self._columns), self._both.source.table))
        return RowChange(
            place.kind,
            key,
            source.texts if source else None,
            target.texts if target else None,
            columns,
            place.count,
        )


def _parsed(half: Half, copy: psycopg.Copy) -> Iterator[Bucket]:
    with _blaming(half):
        for bucket, keys_and_rows, places in copy.rows():
            yield int(bucket or 0), keys_and_rows or "", places or ""


def _paths(source: FoundRow, target: FoundRow, columns: Sequence[str], table: Table) -> list[str]:
    """The columns that differ, with the path inside where there is one."""
    arrays = {column.name for column in table.columns if column.type.endswith("[]")}
    found: list[str] = []
    for name in differing(source.texts, target.texts, columns):
        documents = source.documents.get(name), target.documents.get(name)
        found += inside(name, *documents, array=name in arrays) or [name]
    return found
