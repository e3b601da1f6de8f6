"""Large objects keep their oid and content, in the transaction of the restore."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping

import psycopg
import pytest

from tests.initial_load.conftest import Move
from verifier.dsn import Dsn
from verifier.errors import BackupRefused
from verifier.initial_load import session
from verifier.initial_load.large_objects import LargeObjects, Written
from verifier.initial_load.reading.events import LargeObject
from verifier.servers import Side

LONG = random.Random(1).randbytes(100_001)
STATE = (
    "SELECT m.oid::bigint, lo_get(m.oid), l.pages FROM pg_largeobject_metadata m"
    " LEFT JOIN LATERAL (SELECT array_agg((ctid, xmin)::text ORDER BY pageno) AS pages"
    " FROM pg_largeobject WHERE loid = m.oid) l ON true ORDER BY 1"
)


@pytest.fixture
def target(move: Move) -> Move:
    move.target = move.database(Side.TARGET)
    return move


def pieces(objects: Mapping[int, bytes], size: int = 16384) -> Iterable[LargeObject]:
    for oid, content in objects.items():
        for start in range(0, max(len(content), 1), size):
            yield LargeObject(oid, start, content[start : start + size], 1)


def restored(dsn: Dsn, given: Iterable[LargeObject], *, commit: bool = True) -> Written:
    conn = session.connect(dsn)
    try:
        objects = LargeObjects(conn)
        for number, piece in enumerate(given):
            objects.add(piece)
            if number % 3 == 0:
                objects.pause()
                conn.execute("SELECT 1")
        objects.finish()
        assert objects.denied() == []
        written = objects.write()
        if commit:
            conn.commit()
        return written
    finally:
        conn.close()


def state(move: Move) -> list[tuple[int, bytes, list[str]]]:
    with psycopg.connect(move.target.admin.conninfo) as admin:
        return admin.execute(STATE).fetchall()


def content(move: Move) -> dict[int, bytes]:
    return {oid: found for oid, found, _ in state(move)}


OBJECTS = {4711: b"hello", 4712: LONG, 4713: b"", 4_000_000_000: b"\0\\x"}


def test_missing_objects_are_created_and_a_rerun_changes_nothing(target: Move) -> None:
    written = restored(target.target.dsn, pieces(OBJECTS, 4001))
    assert written == Written(created=4)
    assert written.notes == ("large objects: 4 created, 0 rewritten, 0 unchanged",)
    assert content(target) == OBJECTS
    before = state(target)
    assert restored(target.target.dsn, pieces(OBJECTS)) == Written(unchanged=4)
    assert state(target) == before


@pytest.mark.parametrize(
    "there",
    [b"", b"hell", b"hello, world", LONG, LONG[:-1] + b"x", LONG + b"\0", LONG[:50_000]],
    ids=["empty", "short", "other", "other long", "last byte", "one byte more", "half"],
)
@pytest.mark.parametrize("wanted", [b"hello", LONG, b""], ids=["small", "long", "nothing"])
def test_objects_with_other_content_are_rewritten(
    target: Move, there: bytes, wanted: bytes
) -> None:
    with target.target.connect() as conn:
        conn.execute("SELECT lo_from_bytea(1, %s), lo_from_bytea(2, 'mine')", [there])
    written = restored(target.target.dsn, pieces({1: wanted}, 4001))
    assert content(target) == {1: wanted, 2: b"mine"}
    if there == wanted:
        assert written == Written(unchanged=1)
    else:
        assert written == Written(rewritten=(1,))
        assert "had other content in the target: 1;" in written.notes[1]


def test_only_the_pages_that_differ_are_rewritten(target: Move) -> None:
    restored(target.target.dsn, pieces({1: LONG}))
    before = state(target)[0][2]
    restored(target.target.dsn, pieces({1: LONG[:-1] + b"\0"}))
    after = state(target)[0][2]
    assert len(before) == len(after)
    assert 0 < sum(a != b for a, b in zip(before, after, strict=True)) < 10


def test_nothing_stays_of_a_restore_that_fails(target: Move) -> None:
    restored(target.target.dsn, pieces({4711: b"other", 4712: LONG[::-1]}))
    before = state(target)
    restored(target.target.dsn, pieces(OBJECTS), commit=False)
    assert state(target) == before


def test_other_content_is_a_suspected_collision(target: Move) -> None:
    restored(target.target.dsn, pieces({4711: b"OTHER", 4712: LONG, 7: b"x"}))
    conn = session.connect(target.target.dsn)
    objects = LargeObjects(conn)
    for piece in pieces(OBJECTS):
        objects.add(piece)
    objects.finish()
    (rejection,) = objects.suspected()
    conn.close()
    assert (rejection.table, rejection.key) == ("pg_largeobject", {"loid": "4711"})
    assert "suspected collision" in rejection.reason


def test_objects_of_another_account_are_named(target: Move) -> None:
    with psycopg.connect(target.target.admin.conninfo) as admin:
        name, role = admin.info.user, target.target.dsn.parameters["user"]
        admin.execute("SELECT lo_from_bytea(n, 'old') FROM unnest('{1,2,3,4}'::oid[]) n")
        admin.execute(f'GRANT SELECT ON LARGE OBJECT 2, 3 TO "{role}"')
        admin.execute("GRANT UPDATE ON LARGE OBJECT 3 TO PUBLIC")
    conn = session.connect(target.target.dsn)
    objects = LargeObjects(conn)
    for piece in pieces({1: b"new", 2: b"old", 3: b"new"}):
        objects.add(piece)
    objects.finish()
    (said,) = objects.denied()
    conn.close()
    assert f"{role} has no SELECT and UPDATE on large objects 1, 2; restore as {name}" in said
    assert restored(target.target.dsn, pieces({3: b"new"})) == Written(rewritten=(3,))
    assert content(target) == {1: b"old", 2: b"old", 3: b"new", 4: b"old"}


@pytest.mark.parametrize(
    "given",
    [
        [LargeObject(1, 0, b"ab", 1), LargeObject(1, 3, b"d", 2)],
        [LargeObject(1, 1, b"b", 1)],
        [LargeObject(1, 0, b"ab", 1), LargeObject(1, 0, b"ab", 2)],
        [LargeObject(1, 0, b"ab", 1), LargeObject(1, 1, b"b", 2)],
        [LargeObject(0, 0, b"ab", 1)],
        [LargeObject(2**32, 0, b"ab", 1)],
    ],
    ids=["gap", "no start", "twice", "overlap", "oid 0", "oid too large"],
)
def test_content_that_cannot_be_whole_is_refused(target: Move, given: list[LargeObject]) -> None:
    with pytest.raises(BackupRefused):
        restored(target.target.dsn, given)
    assert content(target) == {}


def test_backup_without_objects_needs_nothing(target: Move) -> None:
    conn = session.connect(target.target.dsn)
    objects = LargeObjects(conn)
    objects.finish()
    assert (objects.denied(), objects.suspected(), objects.write().notes) == ([], (), ())
    conn.close()


def test_copy_that_is_abandoned_leaves_the_connection_usable(target: Move) -> None:
    conn = session.connect(target.target.dsn)
    objects = LargeObjects(conn)
    objects.add(LargeObject(1, 0, b"x", 1))
    objects.abandon(BackupRefused("line 2: no backup"))
    objects.abandon(BackupRefused("line 2: no backup"))
    conn.rollback()
    assert conn.execute("SELECT 1").fetchone() == (1,)
    conn.close()
    assert content(target) == {}
