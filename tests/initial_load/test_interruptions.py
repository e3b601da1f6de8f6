"""A restore that is interrupted, at any statement and in any way, has changed nothing.

What a restore sends is the same on every run, so that each statement can be the last one:
the client is killed in front of it or while it is under way, its connection breaks off, the
server is stopped. ``EVERY_STEP=1`` tries all of them in every way. Steps are what psycopg sends,
and what is left is held to the last row version and file; ``scenarios/test_sweep.py`` strikes at
every statement from outside, also at its session.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.initial_load.backups import content
from tests.initial_load.conftest import Move, total
from tests.waiting import until
from verifier.config import Config, ServerKind
from verifier.contract import Claim, Counts
from verifier.dsn import Dsn
from verifier.initial_load import restore
from verifier.servers import Database, Pair, Side, choose
from verifier.transfer import RestoreOptions

pytestmark = pytest.mark.slow

ASIDE = 5
"""The last steps, in which the rejected rows are fetched, with COMMIT."""
EVERY = bool(os.environ.get("EVERY_STEP"))

BOTH = """
CREATE TABLE shop (id serial PRIMARY KEY, code text, slot int NOT NULL, picture oid,
                   "updatedAt" timestamptz NOT NULL DEFAULT now());
CREATE TABLE item (id serial PRIMARY KEY, shop_id int NOT NULL, label text NOT NULL);
"""
# Shops 2 and 3 are one to the target, whose shops 1 and 4 have changed slots meanwhile.
SOURCE = """
INSERT INTO shop (code, slot, picture, "updatedAt") VALUES
  ('tea', 1, lo_from_bytea(90001, 'a picture of tea'), '2024-01-01'),
  ('cake', 2, NULL, '2024-01-02'), ('cake', 3, NULL, '2024-01-03'),
  ('milk', 4, lo_from_bytea(90002, 'a picture of milk'), '2024-01-04'),
  ('rice', 5, NULL, '2024-01-05');
INSERT INTO item (shop_id, label)
  SELECT 1 + g % 5, 'item ' || g FROM generate_series(1, 40) g;
INSERT INTO item (shop_id, label) VALUES (77, 'orphan'), (78, 'orphan, too');
"""
TARGET = """
INSERT INTO shop (id, code, slot, "updatedAt") VALUES
  (1, 'tea', 4, '2023-01-01'), (4, 'milk', 1, '2023-01-01'), (9, 'of the target', 9, '2023-01-01');
INSERT INTO item VALUES (1, 1, 'old label'), (99, 9, 'of the target');
SELECT lo_from_bytea(90002, 'another picture');
ALTER TABLE shop ADD UNIQUE (code), ADD UNIQUE (slot);
ALTER TABLE item ADD FOREIGN KEY (shop_id) REFERENCES shop;
CREATE MATERIALIZED VIEW per_shop AS
  SELECT s.code, count(i.id) FROM shop s LEFT JOIN item i ON i.shop_id = s.id GROUP BY s.code;
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN NEW."updatedAt" := now(); RETURN NEW; END $$;
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON shop FOR EACH ROW EXECUTE FUNCTION stamp();
CREATE TRIGGER never BEFORE UPDATE ON shop FOR EACH ROW EXECUTE FUNCTION stamp();
ALTER TABLE shop DISABLE TRIGGER never;
"""
STATE = """
SELECT 'shop', ctid::text, xmin::text, s::text FROM shop s
UNION ALL SELECT 'item', ctid::text, xmin::text, i::text FROM item i
UNION ALL SELECT 'per_shop', ctid::text, xmin::text, v::text FROM per_shop v
UNION ALL SELECT 'sequence', schemaname, sequencename, last_value::text FROM pg_sequences
UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname, tgenabled::text FROM pg_trigger
UNION ALL SELECT 'object', oid::text, lomowner::text, lo_get(oid)::text FROM pg_largeobject_metadata
UNION ALL SELECT 'relation', oid::text, relname, relfilenode::text FROM pg_class
          WHERE relpersistence = 't' OR relnamespace = 'public'::regnamespace
UNION ALL SELECT 'constraint', conname, pg_get_constraintdef(oid), convalidated::text
          FROM pg_constraint WHERE conrelid <> 0
ORDER BY 1, 2, 3, 4
"""
LEFT = """
SELECT 'session', pid, state FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
UNION ALL SELECT 'lock', l.pid, l.mode FROM pg_locks l JOIN pg_database d ON d.oid = l.database
WHERE d.datname = current_database() AND l.pid IS DISTINCT FROM pg_backend_pid()
  AND l.pid NOT IN (SELECT pid FROM pg_stat_activity WHERE backend_type LIKE 'autovacuum%')
UNION ALL SELECT 'prepared', 0, gid FROM pg_prepared_xacts
"""

Act = Callable[[psycopg.Connection[Any], Any], object]


# --- what is done at a step ---------------------------------------------------------------


def die(conn: psycopg.Connection[Any], statement: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_waiting(conn: psycopg.Connection[Any], statement: Any) -> None:
    next(statement, None)  # sent, and not yet answered
    os.kill(os.getpid(), signal.SIGKILL)


def cut(conn: psycopg.Connection[Any], statement: Any) -> None:
    """The network is gone for the client, who finds its end of the connection closed."""
    here, there = socket.socketpair()
    with here, there:
        os.dup2(here.fileno(), conn.fileno())


def cut_waiting(conn: psycopg.Connection[Any], statement: Any) -> None:
    next(statement, None)
    cut(conn, statement)


# --- steps --------------------------------------------------------------------------------

_WAIT = psycopg.Connection.wait


@contextmanager
def at_step(number: int, act: Act) -> Iterator[Callable[[], int]]:
    """``act`` in front of the step ``number`` of whoever uses psycopg, from 1; the steps so far.

    All that a connection sends goes through one method, a step each: statements, and the
    pieces of a COPY.
    """
    steps = 0
    acting = False

    def wait(conn: Any, statement: Any, *args: Any, **options: Any) -> Any:
        nonlocal steps, acting
        if not acting:
            steps += 1
            if steps == number:
                acting = True
                act(conn, statement)
                acting = False
        return _WAIT(conn, statement, *args, **options)

    psycopg.Connection.wait = wait  # type: ignore[method-assign]
    try:
        yield lambda: steps
    finally:
        psycopg.Connection.wait = _WAIT  # type: ignore[method-assign]


def restore_until(number: int, act: Act, path: Path, conninfo: str, aside: Path) -> None:
    """What a process of its own does, and does not survive."""
    with at_step(number, act):
        restore(path, Dsn.parse(conninfo), options(aside))


def options(aside: Path) -> RestoreOptions:
    return RestoreOptions(quarantine=aside, refresh=True)


@dataclass
class World:
    """A backup, a target that it changes in every way, and what a whole restore makes of it."""

    path: Path
    aside: Path
    template: Database
    clone: Callable[[], Database]
    target: Database
    files: list[str] = field(default_factory=list)
    steps: int = 0
    claim: Claim | None = None
    whole: Any = None
    before: Any = None

    def restore(self, database: Database) -> Claim:
        return restore(self.path, database.dsn, options(self.aside))

    def until(self, number: int, act: Act) -> Claim:
        with at_step(number, act):
            return self.restore(self.target)

    def killed(self, number: int, act: Act) -> None:
        """Restore in a process of its own that ends at the step ``number``."""
        arguments = (number, act, self.path, self.target.dsn.conninfo, self.aside)
        child = FORKS.Process(target=restore_until, args=arguments)
        child.start()
        child.join(60)
        assert child.exitcode == -signal.SIGKILL, "it came to its end"

    def state(self) -> Any:
        with self.target.connect() as session:
            return session.execute(STATE).fetchall()

    def result(self, database: Database) -> Any:
        """What a restore leaves: rows, sequences, objects, triggers, and the rejected rows."""
        with database.connect() as session:
            query = "SELECT oid, lo_get(oid) FROM pg_largeobject_metadata ORDER BY 1"
            found = session.execute(query).fetchall()
            found += session.execute("SELECT code, count FROM per_shop ORDER BY 1").fetchall()
            query = "SELECT tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1"
            found += session.execute(query).fetchall()
        return found, content(database), self.aside.read_text()

    def assert_untouched(self, step: int) -> None:
        with self.target.connect() as session:
            until(lambda: not session.execute(LEFT).fetchall())
            assert session.execute(STATE).fetchall() == self.before, step
        assert sorted(os.listdir(self.path.parent)) == self.files, step

    def assert_ends_well(self, step: int) -> None:
        """A restore into the target as it is now ends like one that nothing interrupted."""
        assert self.restore(self.target) == self.claim, step
        assert self.result(self.target) == self.whole, step
        self.aside.unlink()
        self.target = self.clone()


FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([__name__])


def build(servers: Pair, directory: Path) -> World:
    move = Move(servers, directory)
    aside = directory / "rejected.jsonl"
    move.options = options(aside)
    claim = move(BOTH, SOURCE, TARGET, sides=(Side.TARGET, Side.TARGET))
    assert (claim.success, claim.exit_code) == (True, 1), claim.message
    databases = servers.databases(Side.TARGET)
    template = move.database(Side.TARGET, BOTH, TARGET)
    databases.shut(template)

    def clone() -> Database:
        return databases.create("interrupted", template=template)

    world = World(move.path, aside, template, clone, clone())
    aside.unlink()
    world.files = sorted(os.listdir(directory))
    world.before = world.state()
    with at_step(0, die) as steps:
        world.claim = world.restore(world.target)
        world.steps = steps()
    world.whole = world.result(world.target)
    assert world.state() != world.before
    aside.unlink()
    world.target = clone()
    world.before = world.state()
    return world


@pytest.fixture(scope="module")
def world(servers: Pair, tmp_path_factory: pytest.TempPathFactory) -> World:
    return build(servers, tmp_path_factory.mktemp("interrupted"))


def some(world: World, first: int, every: int) -> Iterator[int]:
    """Steps in front of COMMIT, which is the last; the ways together take nearly all of them."""
    yield from range(1, world.steps) if EVERY else range(first, world.steps, every)


# --- at any step --------------------------------------------------------------------------


@pytest.mark.parametrize(("act", "first"), [(die, 1), (die_waiting, 3)])
def test_client_that_is_killed_has_changed_nothing(world: World, act: Act, first: int) -> None:
    for number, step in enumerate(some(world, first, 5)):
        world.killed(step, act)
        world.assert_untouched(step)
        if number % 6 == 5:
            world.assert_ends_well(step)


def test_connection_that_breaks_off_has_changed_nothing(world: World) -> None:
    for number, step in enumerate(some(world, 4, 10)):
        assert_lost(world, step, world.until(step, cut))
        if number % 6 == 5:
            world.assert_ends_well(step)


def assert_lost(world: World, step: int, claim: Claim) -> None:
    assert (claim.success, claim.exit_code) == (False, 2), claim.message
    assert "\n" not in claim.message
    if step > world.steps - ASIDE and "during COMMIT" in claim.message:
        # All rejected rows had come already: that nobody is there is seen at COMMIT.
        world.aside.unlink()
    else:
        assert claim.message.startswith(("the connection to the target was lost: ", "no restore"))
        assert claim.message.endswith("; nothing was changed")
    world.assert_untouched(step)


def test_server_that_is_stopped_has_changed_nothing(tmp_path: Path) -> None:
    config = Config(servers=ServerKind.EMBEDDED, source_version=18, target_version=18)
    with choose(config).start() as pair:
        world = build(pair, tmp_path)
        server = world.target.server
        assert server.kind == "embedded"
        for number, step in enumerate(some(world, 9, 16)):
            claim = world.until(step, lambda conn, statement: server.stop())
            server.start()
            assert_lost(world, step, claim)
            if number % 3 == 2:
                world.assert_ends_well(step)


# --- in COMMIT ----------------------------------------------------------------------------


@pytest.mark.parametrize(("act", "done"), [(die, False), (die_waiting, True)])
def test_client_that_is_killed_in_commit_has_changed_all_or_nothing(
    world: World, act: Act, done: bool
) -> None:
    world.killed(world.steps, act)
    assert_all_or_nothing(world, done)


@pytest.mark.parametrize(("act", "done"), [(cut, False), (cut_waiting, True)])
def test_commit_that_is_not_answered_is_told_as_unknown(world: World, act: Act, done: bool) -> None:
    claim = world.until(world.steps, act)
    assert (claim.success, claim.exit_code) == (False, 2)
    assert "lost during COMMIT: whether the backup is restored is unknown" in claim.message
    assert "nothing was changed" not in claim.message
    assert_all_or_nothing(world, done)


def assert_all_or_nothing(world: World, done: bool) -> None:
    """The rejected rows are kept, and the next restore ends as if nothing had happened."""
    with world.target.connect() as session:
        until(lambda: not session.execute(LEFT).fetchall())
    assert (world.state() != world.before) is done
    assert sorted(os.listdir(world.path.parent)) == sorted([*world.files, world.aside.name])
    if not done:
        world.assert_ends_well(world.steps)
        return
    assert world.result(world.target) == world.whole
    again = world.restore(world.target)
    assert total(again) == Counts(unchanged=44, merged=1, rejected=2)
    assert world.result(world.target) == world.whole
    world.aside.unlink()
    world.target = world.clone()
