"""SQL that makes one 64-bit digest of a row, the same on both servers for the same values.

A row is digested column by column in the order of their names. Each column counts in the
form that its type *sends* over the wire (``textsend``, ``numeric_send`` …): exact (scale,
sign of zero, padding, bits of a float), independent of every setting but the client's
encoding, which is pinned, and made in half of the time that its text takes. That form
holds for built-in types that are the same on both sides. All other columns (enums, arrays,
composites, ranges, another type on the other side …) count as the text of one row made of
them, which quotes values and tells NULL from ``''``.

``hash_array_extended`` combines the columns: it hashes the bytes of every element to 64
bits, and an element cannot run into the next. (``hash_record_extended`` would be shorter
and will not do: it takes values for equal that are not the same, such as 1.10 and 1.1,
and folds 64-bit integers and timestamps to 32 bits first.) The digests of several rows
are added up: a sum counts duplicates, where XOR would let pairs cancel out. As the array's
hash is a weighted sum itself, it is hashed once more; otherwise two rows could exchange
the values of a column and the sum over both would stay as it was.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psycopg import sql

from verifier.oracle.catalog import Column, Table

# Built-in types by the name that format_type gives them → what sends them. Types that
# send the same bytes for the same text share a function's name up to the first blank.
_SENDERS: Mapping[str, str] = {
    "boolean": "boolsend",
    "smallint": "int2send",
    "integer": "int4send",
    "bigint": "int8send",
    "oid": "oidsend",
    "real": "float4send",
    "double precision": "float8send",
    "numeric": "numeric_send",
    "text": "textsend",
    "character varying": "textsend",
    "character": "bpcharsend",
    "bpchar": "bpcharsend",
    "name": "namesend",
    "bytea": "byteasend",
    "uuid": "uuid_send",
    "date": "date_send",
    "time without time zone": "time_send",
    "time with time zone": "timetz_send",
    "timestamp without time zone": "timestamp_send",
    "timestamp with time zone": "timestamptz_send",
    "interval": "interval_send",
    "json": "json_send",
    "jsonb": "jsonb_send",
}
_MODIFIER = re.compile(r"\([^()]*\)")
_FIELDS = re.compile(r"^interval .*")


def quoted(name: str) -> str:
    return sql.Identifier(name).as_string()


def _sender(column: Column) -> str | None:
    kind = _MODIFIER.sub("", column.type).strip()
    return _SENDERS.get(_FIELDS.sub("interval", kind))


PROBE = "SELECT hash_array_extended(ARRAY['\\x00ff'::bytea, NULL, '\\x'], 7)"
"""Yields the same on machines whose hashes agree."""
LOCALE = (
    "SELECT encoding, datctype, to_jsonb(d) ->> 'datlocprovider',"
    " coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale')"
    " FROM pg_database d WHERE datname = current_database()"
)
"""Yields the same in databases that fold upper and lower case alike, to the same bytes."""
_ALIKE_EVERYWHERE = ("numeric_send", "float4send", "float8send", "bpcharsend")
"""Senders of types whose equal values have one text that depends on nothing else."""
_KEY_SEED = 20251208
"""For keys: always the same, so that the same differences are shown on every run."""


@dataclass(frozen=True, slots=True)
class Hashing:
    """How bytes become 64 bits on both servers.

    ``hash_array_extended`` reads words in the machine's byte order, so between machines of
    different order the first half of an MD5 stands in for it.
    """

    seed: int
    """For rows: drawn anew for each comparison, so that no data can be made to fit it."""
    portable: bool = False
    alike: bool = True
    """Whether both databases have one encoding and locale, so that what they take for equal
    in a key has one text on both."""

    def row(self, parts: Sequence[str]) -> str:
        """SQL (``bigint``) of the digest of a row of ``parts``, each SQL of a ``bytea``."""
        digest = self._of(parts, self.seed)
        return digest if self.portable else self._of([f"int8send({digest})"], self.seed)

    def key(self, parts: Sequence[str]) -> str:
        """The same of a key; keys are never added up, so one round will do."""
        return self._of(parts, _KEY_SEED)

    def _of(self, parts: Sequence[str], seed: int) -> str:
        array = f"ARRAY[{', '.join(parts)}]::bytea[]"
        if self.portable:
            seeded = f"array_send({array}) || '\\x{seed & (1 << 64) - 1:016x}'::bytea"
            return f"('x' || left(md5({seeded}), 16))::bit(64)::bigint"
        return f"hash_array_extended({array}, '{seed}'::bigint)"


@dataclass(frozen=True, slots=True)
class Digests:
    """The SQL of a row's key and content on one side."""

    key: str
    """``bigint``; of a table without key the content's."""
    row: str
    """``bigint``"""

    @property
    def keyed(self) -> bool:
        return self.key != self.row


def digests(
    table: Table, other: Table, columns: Sequence[str], key: Sequence[str], hashing: Hashing
) -> Digests:
    """The digests of ``table``'s rows, comparable with those of ``other`` on the other side.

    ``columns`` are compared, and ``key`` tells rows apart; both sides have all of them.
    """
    ours = {column.name: column for column in table.columns}
    theirs = {column.name: column for column in other.columns}
    sent, printed = [], []
    for name in sorted(columns):
        sender = _sender(ours[name])
        if sender is not None and sender == _sender(theirs[name]):
            sent.append(_sent(sender, name))
        else:
            printed.append(quoted(name))
    if printed:
        sent.append(f"textsend(ROW({', '.join(printed)})::text)")
    if not key:
        row = hashing.row(sent)
        return Digests(row, row)
    found = hashing.key([_key_part(ours[name], theirs[name], hashing.alike) for name in key])
    if not set(key) <= set(columns):
        sent.append(f"int8send({found})")  # or two rows could exchange what they hold
    return Digests(found, hashing.row(sent))


def _sent(sender: str, name: str) -> str:
    value = quoted(name)
    if sender in ("float4send", "float8send"):
        # Infinity - Infinity is stored with other bits than 'NaN', which is how it prints.
        value = f"CASE WHEN {value} = 'NaN' THEN 'NaN' ELSE {value} END"
    return f"{sender}({value})"


def _key_part(ours: Column, theirs: Column, alike: bool) -> str:
    """One text for all values that a unique key takes for equal, such as 1.0 and 1.00."""
    name, sender = quoted(ours.name), _sender(ours)
    if (ours.canonical or theirs.canonical) and (alike or sender in _ALIKE_EVERYWHERE):
        return f"textsend({ours.canonical or f'{name}::text'})"
    if sender is not None and sender == _sender(theirs):
        return _sent(sender, ours.name)
    return f"textsend(ROW({name})::text)"
