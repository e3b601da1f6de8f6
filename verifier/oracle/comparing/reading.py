"""Reading one table on one side: its digest in buckets, its differing rows, single rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import psycopg

from verifier.comparison import LONGEST
from verifier.contract import Row
from verifier.oracle import queries
from verifier.oracle.catalog import Column, Table
from verifier.oracle.comparing.digest import Digests, quoted
from verifier.oracle.comparing.narrowing import SEPARATOR

Connection = psycopg.Connection[Any]

Buckets = dict[int, tuple[int, int]]
"""Bucket → number of its rows, and the sum of their digests."""

_BUCKET_ROWS = 256
"""Rows of a bucket: what has to be looked at again for one that differs."""
_FEWEST_BUCKETS, _MOST_BUCKETS = 16, 16384
_CHUNK_ROWS = 250_000
"""Rows read at once: often enough for a progress bar and for several connections."""
_MOST_CHUNKS = 32
_FEWEST_ON_A_PAGE = 20
"""Rows of about 400 bytes; an estimate only has to be of the right order."""
_TID_RANGES = 140000
"""From this server version on, a range of ``ctid`` reads just those pages."""


def mask_for(rows: int, most: int | None = _MOST_BUCKETS) -> int:
    """The bits of a key's digest that number its bucket, for a table of about ``rows``.

    0 for a table so small that it is one bucket.
    """
    count = rows // _BUCKET_ROWS
    if count < _FEWEST_BUCKETS:
        return 0
    return (1 << (min(count, most or count) - 1).bit_length()) - 1


class Rewritten(Exception):
    """A table is no longer in the files in which the snapshot has it (TRUNCATE, a new column
    type, VACUUM FULL): what the snapshot held may be gone."""


@dataclass(frozen=True, slots=True)
class Extent:
    """Where the rows of a table are, and about how many, seen by the catalogue's snapshot."""

    name: str
    materialised: bool
    populated: bool
    oid: int
    partitioned: bool
    files: str
    """The file numbers of the table and all of its partitions, joined by commas."""
    rows: int
    """An estimate; 0 also where nothing was ever counted."""

    @property
    def unchanged(self) -> str:
        """SQL that is true while the table is still in the same files.

        A query that reads the table holds a lock on it by the time this is evaluated.
        """
        return (
            "coalesce((SELECT string_agg(pg_relation_filenode(part)::text, ',' ORDER BY part)"
            f" FROM {self._parts}), '') = '{self.files}'"
        )

    @property
    def pages(self) -> str:
        """SQL of how many pages the table and its partitions have now."""
        size = "pg_relation_size(part) / current_setting('block_size')::int"
        return f"(SELECT coalesce(sum({size}), 0)::bigint AS pages FROM {self._parts} OFFSET 0)"

    @property
    def _parts(self) -> str:
        """As the catalogue has them now: a query does not read what was detached meanwhile."""
        if self.partitioned:
            return f"(SELECT relid::oid AS part FROM pg_partition_tree({self.oid})) parts"
        return f"(SELECT {self.oid}::oid AS part) parts"


def extents(connection: Connection) -> dict[str, Extent]:
    """Every user table and materialised view of the connection's database, by name."""
    found = connection.execute(queries.with_materialised(queries.EXTENTS).encode())
    return {
        name: Extent(name, materialised, populated, oid, partitioned, files or "", rows)
        for name, materialised, populated, oid, partitioned, files, rows in found
    }


@dataclass(frozen=True, slots=True)
class Glance:
    """A first look at a table."""

    pages: int
    rows_about: int
    """An estimate that does not fail where nothing was ever counted."""
    buckets: Buckets | None = None
    """Of a small table its only bucket, so that most tables take one question."""


@dataclass(frozen=True, slots=True)
class Reader:
    """What it takes to read one table on one side."""

    table: Table
    extent: Extent
    digests: Digests

    def glance(self, connection: Connection) -> Glance:
        """How large the table is, and if it is small, all that the first look is for.

        Raises :class:`Rewritten`.
        """
        least = _BUCKET_ROWS * _FEWEST_BUCKETS
        most = least // _FEWEST_ON_A_PAGE if self.extent.rows < least else -1
        query = (
            f"SELECT pages, CASE WHEN pages <= {most} THEN (SELECT concat_ws(' ',"
            f" {self.extent.unchanged}, count(*), coalesce(sum({self.digests.row}), 0))"
            f" FROM {self.table.rows}) END FROM {self.extent.pages} size"
        )
        pages, told = connection.execute(query.encode()).fetchone() or (0, None)
        rows_about = max(self.extent.rows, pages * _FEWEST_ON_A_PAGE)
        if told is None:
            return Glance(pages, rows_about)
        same, rows, total = told.split()
        if same != "t":
            raise Rewritten
        return Glance(pages, rows_about, {0: (int(rows), int(total))} if int(rows) else {})

    @property
    def _place(self) -> str:
        """SQL of where a row is; the same for as long as the snapshot is held."""
        return "concat(tableoid, ' ', ctid)" if self.table.partitioned else "ctid::text"

    def chunks(self, glance: Glance, version: int) -> list[str]:
        """Conditions that cut the table into parts, to be read one by one."""
        count = min(glance.rows_about // _CHUNK_ROWS, _MOST_CHUNKS, glance.pages)
        if count < 2 or self.table.partitioned or version < _TID_RANGES:
            return ["true"]
        borders = [glance.pages * i // count for i in range(1, count)]
        ends = [None, *borders, None]
        return [
            " AND ".join(
                [f"ctid >= '({start},0)'::tid"] * (start is not None)
                + [f"ctid < '({end},0)'::tid"] * (end is not None)
            )
            for start, end in pairwise(ends)
        ]

    def buckets(self, connection: Connection, mask: int, condition: str) -> Buckets:
        """The digests of the rows of one chunk, summed by bucket: the key's digest & ``mask``.

        Raises :class:`Rewritten`.
        """
        row, of = self.digests.row, f"FROM {self.table.rows} WHERE {condition}"
        if mask:
            of = (
                f"FROM (SELECT {self.digests.key} & {mask} AS bucket, count(*) AS rows,"
                f" sum({row}) AS total {of} GROUP BY 1) buckets"
            )
            # One row of three lists: many times faster to take over than many rows of three.
            selected = "string_agg({}::text, ',')"
            lists = ", ".join(selected.format(each) for each in ("bucket", "rows", "total"))
        else:
            lists = f"'0', count(*)::text, coalesce(sum({row}), 0)::text"
        query = f"SELECT {self.extent.unchanged}, {lists} {of}"
        same, *found = connection.execute(query.encode()).fetchone() or (False,)
        if not same:
            raise Rewritten
        numbers = [map(int, each.split(",")) if each else () for each in found]
        return {bucket: (rows, total) for bucket, rows, total in zip(*numbers, strict=True) if rows}

    def differing(self, buckets: Iterable[int], mask: int, about: int) -> str:
        """The query for the rows of some buckets of about ``about`` rows, as :data:`Bucket`."""
        chosen = bytearray((mask + 8) // 8)
        for bucket in buckets:
            chosen[bucket // 8] |= 1 << bucket % 8
        key, row, fine = self.digests.key, self.digests.row, mask_for(about, most=None) | mask
        inside = f"get_bit('\\x{chosen.hex()}'::bytea, ({key} & {mask})::int) = 1"
        order = f"'{SEPARATOR}' ORDER BY key, digest"
        rows = (
            f"SELECT {key} AS key, {row} AS digest, {self._place} AS place"
            f" FROM {self.table.rows} WHERE {inside if mask else 'true'} OFFSET 0"
        )
        if not self.digests.keyed:
            # One for all equal rows: there may be millions of them in one bucket.
            rows = (
                f"SELECT key, count(*) AS digest, min(place) AS place FROM ({rows}) each GROUP BY 1"
            )
        return (
            f"COPY (SELECT key & {fine}, string_agg(concat(key, ' ', digest), {order}),"
            f" string_agg(place, {order}) FROM ({rows}) digests GROUP BY 1 ORDER BY 1)"
            " TO STDOUT"
        )

    def rows(
        self, connection: Connection, columns: Sequence[str], places: Sequence[str]
    ) -> Mapping[str, FoundRow]:
        """The rows at some places, by place. Raises :class:`Rewritten`."""
        if not places:
            return {}
        wanted = [column for column in self.table.columns if column.name in columns]
        selected = ", ".join(
            [self._place, self.extent.unchanged, *(part for c in wanted for part in _shown(c))]
        )
        tids = {place.rpartition(" ")[2] for place in places}
        parts = {place.partition(" ")[0] for place in places} if self.table.partitioned else ()
        narrowed = f"tableoid = ANY ('{{{','.join(parts)}}}'::oid[]) AND " if parts else ""
        array = ",".join(f'"{tid}"' for tid in tids)
        query = (
            f"COPY (SELECT {selected} FROM {self.table.rows}"
            f" WHERE {narrowed}ctid = ANY ('{{{array}}}'::tid[])) TO STDOUT"
        )
        found: dict[str, FoundRow] = {}
        with connection.cursor().copy(query.encode()) as copy:
            for place, same, *texts in copy.rows():
                if same != "t":
                    raise Rewritten
                found[place] = _found(wanted, texts)
        if not found.keys() >= set(places):
            raise Rewritten
        return found


@dataclass(frozen=True, slots=True)
class FoundRow:
    """One row in the server's own text."""

    texts: Row
    """By column, as COPY prints them; long ones are cut."""
    documents: Row
    """The same as JSON, of columns whose values have values inside."""


def _shown(column: Column) -> Iterator[str]:
    """SQL of a column's text, cut when it is very long, and of its JSON where that is another."""
    name = quoted(column.name)
    # concat() prints through the type's output function, whatever casts there may be;
    # num_nulls() tells a NULL from a composite of NULLs.
    text = f"CASE num_nulls({name}) WHEN 0 THEN concat({name}) END"
    # Plain ASCII, which a server of any encoding can read.
    cut = "concat(left(x, 200), '... (', length(x), ' characters, md5 ', md5(x), ')')"
    yield (
        f"(SELECT CASE WHEN length(x) > {LONGEST} THEN {cut} ELSE x END"
        f" FROM (SELECT {text} AS x OFFSET 0) t)"
    )
    if column.nested:
        yield f"CASE WHEN length({text}) <= {LONGEST} THEN to_json({name})::text END"


def _found(columns: Sequence[Column], texts: Sequence[str | None]) -> FoundRow:
    values, rest = {}, iter(texts)
    documents: dict[str, str | None] = {}
    for column in columns:
        values[column.name] = next(rest)
        if column.nested:
            documents[column.name] = next(rest)
        elif column.type in ("json", "jsonb"):
            documents[column.name] = values[column.name]
    return FoundRow(values, documents)
