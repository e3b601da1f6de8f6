"""What has values but no rows: where sequences stand, and large objects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

import psycopg
from psycopg import sql

from verifier.comparison import (
    LARGE_OBJECTS,
    ObjectChange,
    RowChange,
    RowKind,
    TableComparison,
    Unseen,
)
from verifier.contract import Row
from verifier.oracle.comparing.narrowing import Bucket, Place, narrow
from verifier.oracle.comparing.side import Connection, Side
from verifier.oracle.comparing.trouble import reason

Position = tuple[int, bool]
"""``last_value`` and ``is_called``."""

_AT_ONCE = 200
"""Sequences that are asked in one query."""


def compare_positions(
    source: Side, target: Side, names: Sequence[str]
) -> tuple[list[ObjectChange], list[Unseen]]:
    """Where the sequences stand that both sides have.

    Sequences move outside of every snapshot: while others draw numbers, this is the
    position at the time of reading.
    """
    unseen: list[Unseen] = []
    positions = [_positions(side, names, unseen) for side in (source, target)]
    changes = []
    for name in names:
        ours, theirs = (found.get(name) for found in positions)
        if ours and theirs and ours != theirs:
            changes.append(
                ObjectChange("sequence position", name, _row(ours), _row(theirs), relation=name)
            )
    return changes, unseen


def _row(position: Position) -> dict[str, str | None]:
    return {"last_value": str(position[0]), "is_called": "true" if position[1] else "false"}


def _positions(side: Side, names: Sequence[str], unseen: list[Unseen]) -> dict[str, Position]:
    found: dict[str, Position] = {}
    for start in range(0, len(names), _AT_ONCE):
        some = names[start : start + _AT_ONCE]
        try:
            found |= side.submit(partial(_ask, names=some)).result()
        except psycopg.Error:
            # One of them is the trouble; the others can be read.
            for name in some:
                try:
                    found |= side.submit(partial(_ask, names=[name])).result()
                except psycopg.Error as error:
                    unseen.append(Unseen(f"sequence {name}", reason(side.label, name, error)))
    return found


def _ask(connection: Connection, names: Sequence[str]) -> dict[str, Position]:
    query = " UNION ALL ".join(
        f"SELECT {sql.Literal(name).as_string()}::text, last_value, is_called FROM {name}"
        for name in names
    )
    return {name: (last, called) for name, last, called in connection.execute(query.encode())}


_CONTENTS = (
    "SELECT oid::bigint, octet_length(content), md5(content)"
    " FROM (SELECT oid, lo_get(oid) AS content FROM pg_largeobject_metadata"
    " ORDER BY oid OFFSET 0) objects"
)


def compare_large_objects(source: Side, target: Side, limit: int) -> TableComparison:
    """Every large object's content, by its number."""
    counts: Counter[str] = Counter()
    result = TableComparison(table=LARGE_OBJECTS, key=("oid",))
    try:
        with ExitStack() as held:
            streams = [
                _contents(side, held.enter_context(_reader(side)), counts)
                for side in (source, target)
            ]
            narrowed = narrow(*streams, keyed=True, limit=limit)
    except _SideError as failed:
        return TableComparison(
            table=LARGE_OBJECTS,
            key=("oid",),
            unknown=reason(failed.label, LARGE_OBJECTS, failed.error),
        )
    return TableComparison(
        table=LARGE_OBJECTS,
        key=result.key,
        columns=(("bytes", "integer"), ("md5", "text"), ("oid", "oid")),
        source_rows=counts[source.label],
        target_rows=counts[target.label],
        missing=narrowed.counts[RowKind.MISSING],
        extra=narrowed.counts[RowKind.EXTRA],
        changed=narrowed.counts[RowKind.CHANGED],
        shown=tuple(map(_change, narrowed.places())),
    )


class _SideError(Exception):
    def __init__(self, label: str, error: psycopg.Error) -> None:
        super().__init__(str(error))
        self.label, self.error = label, error


@contextmanager
def _reader(side: Side) -> Iterator[Connection]:
    try:
        with side.reader() as connection:
            yield connection
    except psycopg.Error as error:
        raise _SideError(side.label, error) from error


def _contents(side: Side, connection: Connection, counts: Counter[str]) -> Iterator[Bucket]:
    """Each object as a bucket of its own; its place is what there is to show of it."""
    with connection.cursor().copy(f"COPY ({_CONTENTS}) TO STDOUT".encode()) as copy:
        for oid, size, digest in copy.rows():
            counts[side.label] += 1
            yield int(oid or 0), f"{oid} {size}:{digest}", f"{oid} {size} {digest}"


def _change(place: Place) -> RowChange:
    source, target = _object(place.source), _object(place.target)
    columns = tuple(
        name for name in ("bytes", "md5") if source and target and source[name] != target[name]
    )
    return RowChange(place.kind, {"oid": str(place.key)}, source, target, columns)


def _object(told: str) -> Row | None:
    values: Mapping[str, str] = dict(zip(("oid", "bytes", "md5"), told.split(), strict=False))
    return values or None
