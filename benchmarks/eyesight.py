"""reladiff before the data mutations of the self-test, beside our own comparison."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path

import peer
from measuring import measure

from verifier.comparison import Sight
from verifier.oracle import compare
from verifier.selftest import MUTATIONS, Mutation, sight, world
from verifier.selftest.mutation import ROWS
from verifier.servers import Database, Pair, Side, sessions


class Peer(StrEnum):
    """What reladiff made of one mutation."""

    SEEN = "seen"
    MISSED = "missed"
    CANNOT = "cannot"
    """The table has no primary key to give to it."""
    CRASHED = "crashed"
    """It ended with an error, which says nothing about what differs."""
    BLIND = "false alarm"
    """It found differences before anything was changed: its answer says nothing."""


Told = tuple[Peer, str]
"""And its words."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One mutation, and who saw it."""

    name: str
    table: str
    ours: Sight
    default: Peer
    """reladiff as it comes."""
    best: Peer
    """And when it is asked once more, as :meth:`_Peer.best` does."""
    large: Peer
    """The same with checksums first, as it compares tables of more than 16,384 rows."""
    words: str


@dataclass(frozen=True, slots=True)
class _Asked:
    """One table, and how reladiff is asked about it."""

    program: Path
    source: Database
    path: str
    key: Sequence[str]
    columns: Sequence[str]
    """All but the key."""

    @classmethod
    def about(cls, program: Path, source: Database, table: str) -> _Asked:
        with sessions.connect(source.admin) as session:
            ((path, key, columns),) = session.execute(_TABLE, [table]).fetchall()
        return cls(program, source, path, key, columns)

    def __call__(
        self, target: Database, settings: Sequence[str] = (), columns: Sequence[str] = ("%",)
    ) -> Told:
        if not self.key:
            return Peer.CANNOT, "no primary key"
        places = self.source.admin.url, target.admin.url
        settings = ["--allow-empty-tables", *settings]
        command = peer.command(self.program, places, self.path, self.key, settings, columns)
        try:
            found = peer.differing(measure(command, peer.ENVIRONMENT, deadline=60), len(self.key))
        except peer.PeerError as error:
            return Peer.CRASHED, str(error)
        return (Peer.SEEN if found else Peer.MISSED), f"{found} rows"


_FORGIVING = ("--skip-sort-results", "--case-sensitive")
"""It crashes when it sorts a NULL, and over names that need quotes."""


_LARGE = ("--bisection-factor", "2", "--bisection-threshold", "3")
"""It fetches the rows of small tables, and looks at checksums of large ones; from here on, a
table of three rows is large."""


class _Peer:
    """reladiff before one table, of which it knows a copy that nobody changed."""

    def __init__(self, asked: _Asked, clean: Database) -> None:
        self._asked = asked
        self._before = asked(clean)
        self._readable: list[str] = []
        if self._before[0] is Peer.CRASHED:
            self._readable = [
                name for name in asked.columns if asked(clean, _FORGIVING, [name])[0] is Peer.MISSED
            ]

    def default(self, clone: Database) -> Told:
        if self._before[0] is Peer.SEEN:
            return Peer.BLIND, "differs from its own unchanged copy"
        if self._before[0] is Peer.MISSED:  # as it should, for nothing was changed
            return self._asked(clone)
        return self._before

    def best(self, clone: Database, before: Told, *settings: str) -> Told:
        """Asked once more: without order, and only for columns that it can read.

        ``before`` is what it said first, and stands where it would not say more.
        """
        if before[0] in (Peer.CANNOT, Peer.BLIND):
            return before
        if self._before[0] is Peer.MISSED:
            return self._asked(clone, (*_FORGIVING, *settings))
        if not self._readable:
            return before
        found = self._asked(clone, (*_FORGIVING, *settings), self._readable)
        return found if found[0] is Peer.SEEN else before  # the change is in what it cannot read


@dataclass(frozen=True, slots=True)
class Eyesight:
    """Asks both about clones of a correctly restored world."""

    pair: Pair
    program: Path
    source: Database
    restored: Database

    @classmethod
    def prepare(cls, pair: Pair, program: Path) -> Eyesight:
        source = pair.databases(Side.SOURCE).create("eyesight_source", private=True)
        world.build(source, pair.source.major, _features(pair))
        restored = pair.databases(Side.TARGET).create("eyesight_restored", private=True)
        world.restore(source, restored)
        pair.databases(Side.TARGET).shut(restored)
        return cls(pair, program, source, restored)

    def judge(self) -> list[Judged]:
        """Every data mutation that this pair of servers can have."""
        features = _features(self.pair)
        tried = [
            each
            for each in MUTATIONS
            if each.area == "data"
            and each.where[0] == ROWS
            and each.since <= self.pair.source.major
            and (not each.needs or each.needs in features)
        ]
        tables = list(dict.fromkeys(each.where[1] for each in tried))
        with self._clone() as clean, ThreadPoolExecutor(2) as pool:
            peers = dict(zip(tables, pool.map(partial(self._peer, clean), tables), strict=True))
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(partial(self._judged, peers), tried))

    def _peer(self, clean: Database, table: str) -> _Peer:
        return _Peer(_Asked.about(self.program, self.source, table), clean)

    def _judged(self, peers: Mapping[str, _Peer], mutation: Mutation) -> Judged:
        table = mutation.where[1]
        with self._clone() as clone:
            with sessions.connect(clone.admin, client_encoding="UTF8") as session:
                session.execute(mutation.sql.encode())
            ours, _ = sight.judge(compare(self.source.admin, clone.admin), mutation.where)
            default = peers[table].default(clone)
            best = peers[table].best(clone, default)
            large = best
            if best[0] is Peer.SEEN:
                large = peers[table].best(clone, (Peer.MISSED, "not in its checksums"), *_LARGE)
        return Judged(mutation.name, table, ours, default[0], best[0], large[0], large[1])

    @contextmanager
    def _clone(self) -> Iterator[Database]:
        databases = self.pair.databases(Side.TARGET)
        clone = databases.create("eyesight", template=self.restored)
        try:
            yield clone
        finally:
            databases.drop(clone)


def _features(pair: Pair) -> frozenset[str]:
    return world.features([pair.source.admin, pair.target.admin])


_TABLE = """
SELECT nspname || '.' || relname, key, ARRAY(
    SELECT attname::text FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0
    AND NOT attisdropped AND attname <> ALL (key) ORDER BY attnum)
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace, LATERAL (SELECT ARRAY(
    SELECT attname FROM pg_index, unnest(indkey::int2[]) WITH ORDINALITY part (number, place)
    JOIN pg_attribute ON attnum = number
    WHERE indrelid = c.oid AND indisprimary AND attrelid = c.oid ORDER BY place)) k (key)
WHERE c.oid = %s::regclass"""


_BEST = "reladiff, its best"
_CHECKSUMS = "reladiff, checksums first"


def lines(judged: Sequence[Judged]) -> Iterator[str]:
    yield f"of {len(judged)} data mutations"
    for name, seen in (
        ("restore-verifier diff", [each.ours for each in judged]),
        ("reladiff", [each.default for each in judged]),
        (_BEST, [each.best for each in judged]),
        (_CHECKSUMS, [each.large for each in judged]),
    ):
        counts = Counter(map(str, seen))
        rate = 100 * counts["seen"] / len(judged)
        told = ", ".join(f"{count} {what}" for what, count in counts.most_common())
        yield f"  {name:<25} {rate:5.1f} %: {told}"
    for title, kind, those in (
        (f"{_BEST}: missed", Peer.MISSED, [e for e in judged if e.best is Peer.MISSED]),
        (
            f"{_CHECKSUMS}: missed besides",
            Peer.MISSED,
            [e for e in judged if e.best is not e.large],
        ),
        *(
            (f"{_BEST}: {kind}", kind, [e for e in judged if e.best is kind])
            for kind in (Peer.CANNOT, Peer.CRASHED, Peer.BLIND)
        ),
    ):
        if those:
            yield f"\n{title} ({len(those)})"
        for each in those:
            words = f"  ({each.words})" if kind in (Peer.CRASHED, Peer.BLIND) else ""
            yield f"  {each.table}: {each.name}{words}"
    unseen = [each for each in judged if each.ours is not Sight.SEEN]
    if unseen:
        yield f"\nnot seen by restore-verifier diff ({len(unseen)}):"
        yield from (f"  {each.table}: {each.name} ({each.ours})" for each in unseen)
