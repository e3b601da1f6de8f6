"""Worlds are made, restored and read on real servers, one after the other."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import psycopg
import pytest

from verifier.contract import Claim, Guarantee
from verifier.errors import ServerDied
from verifier.implementations import Backup, Endpoint, implementation
from verifier.implementations.guest import Guest
from verifier.model.breach import NotModelled
from verifier.model.schema import (
    Action,
    Check,
    Column,
    Expression,
    ForeignKey,
    Identity,
    Key,
    Op,
    Partition,
    PartitionBy,
    Partitioning,
    Schema,
    Table,
    Trigger,
    column,
)
from verifier.model.world import BackupForm, Options, SoftReference, World
from verifier.servers import Pair
from verifier.worlds import ground as grounds
from verifier.worlds.run import Ground, Run, Unfit, restore_options, run

LOWER = Expression(op=Op.LOWER, arguments=(column("email"),))
OWNER = Table(
    name="Owner",
    columns=(
        Column(name="id", type="integer", not_null=True, identity=Identity.SERIAL),
        Column(name="email", type="text"),
        Column(name="lower", type="text", generated=LOWER),
    ),
    keys=(
        Key(name="owner_pk", parts=(column("id"),), primary=True),
        Key(name="owner_email", parts=(column("email"),)),
    ),
    triggers=(Trigger.SHOUT, Trigger.AUDIT),
)
PET = Table(
    name="pet",
    columns=(
        Column(name="id", type="integer", not_null=True, identity=Identity.ALWAYS),
        Column(name="owner", type="integer"),
    ),
    keys=(Key(name="pet_pk", parts=(column("id"),), primary=True),),
    foreign_keys=(
        ForeignKey(
            name="pet_owner",
            columns=("owner",),
            parent="public.Owner",
            references=("id",),
            on_delete=Action.CASCADE,
        ),
    ),
)
WORLD = World(
    schema=Schema(tables=(PET, OWNER)),
    source={
        "public.Owner": (("5", "a\tb"), ("6", "a\tb")),
        "public.pet": (("1", "5"), ("2", "6"), ("3", None)),
    },
    present={"public.Owner": (("2", "old"),), "public.pet": (("9", "2"),)},
    lacks=frozenset({"owner_email"}),
    positions={"public.Owner.id": 40},
)
AFTER = {
    "public.Owner": {("2", "old"), ("6", "a\tb")},
    "public.pet": {("1", "6"), ("2", "6"), ("3", None), ("9", "2")},
}
INITIAL_LOAD = implementation("initial-load")


@dataclass(frozen=True)
class Theirs:
    """An implementation that does one thing with a session of its own."""

    act: Callable[[psycopg.Connection[Any]], object]
    name: str = "theirs"
    not_offered: Mapping[Guarantee, str] = Ellipsis  # type: ignore[assignment]

    def backup(self, source: Endpoint) -> Backup:
        raise AssertionError("not asked for")

    def restore(self, backup: Backup, target: Endpoint) -> Claim:
        session = psycopg.connect(target.dsn.conninfo, autocommit=True)
        kept = None
        try:
            kept = self.act(session)
        finally:
            if kept is not session:
                session.close()
        return Claim(success=True)


@pytest.fixture(scope="module")
def ground(servers: Pair) -> Iterator[Ground]:
    with Ground(servers) as made:
        yield made


def restored(found: Run) -> bool:
    return {id: set(rows) for id, rows in found.observation.rows.items()} == AFTER


@pytest.mark.parametrize("form", BackupForm)
def test_a_world_is_restored_twice(ground: Ground, form: BackupForm) -> None:
    found = run(ground, INITIAL_LOAD, replace(WORLD, form=form))
    assert found.before.rows == WORLD.present
    assert found.before.sequences == {"public.Owner.id": 3, "public.pet.id": 10}
    assert found.claim.success, found.claim.message
    assert restored(found)
    assert set(found.observation.generated["public.Owner"]) == {("old",), ("a\tb",)}
    assert found.observation.sequences == {"public.Owner.id": 41, "public.pet.id": 10}
    assert not found.observation.trouble
    assert found.again is not None
    assert found.again[0].success
    assert found.again[1] == found.observation
    assert not found.findings


def test_a_partitioned_table_is_backed_up_part_by_part(ground: Ground) -> None:
    parts = (Partition(name="low", values=("1", "5")), Partition(name="high", values=("5", "9")))
    split = Partitioning(by=PartitionBy.RANGE, column="owner", parts=parts)
    pet = replace(PET, keys=(), partitioning=split)
    rows = (("1", "6"), ("2", "5"), ("3", "2"))
    source = {"public.Owner": (("6", "a"), ("2", "b"), ("5", "c")), "public.pet": rows}
    world = World(schema=Schema(tables=(pet, OWNER)), source=source, form=BackupForm.OWN)
    ordered = {**source, "public.pet": (rows[2], *rows[:2])}
    assert run(ground, INITIAL_LOAD, world).world.source == ordered
    copied = replace(world, form=BackupForm.COPY)
    assert run(ground, INITIAL_LOAD, copied).world.source == source


def test_rows_of_a_world_before_are_gone(ground: Ground) -> None:
    run(ground, INITIAL_LOAD, WORLD, again=False)
    empty = run(ground, Theirs(lambda session: None), replace(WORLD, present={}), again=False)
    assert not any(empty.observation.rows.values())
    assert empty.observation.sequences == {"public.Owner.id": 1, "public.pet.id": 1}
    database = ground.target.database
    other = replace(WORLD, schema=Schema(tables=(OWNER,)), source={}, present={})
    assert run(ground, INITIAL_LOAD, other).observation.rows == {"public.Owner": ()}
    assert ground.target.database == database


def test_options_reach_whoever_takes_them(ground: Ground) -> None:
    orphan = {**WORLD.source, "public.pet": (("1", "5"), ("2", "77"))}
    refused = run(ground, INITIAL_LOAD, replace(WORLD, source=orphan))
    assert not refused.claim.success
    assert refused.observation == refused.before
    assert refused.again is None
    options = Options(quarantine=True)
    for each in (INITIAL_LOAD, Guest(INITIAL_LOAD)):
        found = run(ground, each, replace(WORLD, source=orphan, options=options))
        assert found.claim.success
        assert found.again is not None
        assert found.again[0].success
        assert ("1", "6") in found.observation.rows["public.pet"]


def test_options_are_those_of_the_restore(tmp_path: Any) -> None:
    soft = SoftReference(table="public.a", column="b", parent="public.c", condition=("d", "e"))
    options = restore_options(Options(local_ids=True, references=(soft,)), tmp_path)
    assert options.ids == "local"
    assert [str(each) for each in options.references] == ["public.a.b -> public.c WHERE d = 'e'"]
    assert options.quarantine is None


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("ALTER TABLE public.pet DROP CONSTRAINT pet_owner", "pet_owner is gone"),
        ('ALTER TABLE public."Owner" DISABLE TRIGGER "Owner_shout"', "was 'on' and is 'off'"),
        ("CREATE SCHEMA left_over", "the schema left_over is new"),
        ("UPDATE public.\"Owner\" SET email = 'x'", "audits wrote 1 rows"),
        ("ALTER DATABASE {} SET work_mem = '1MB'", "the setting work_mem=1MB is new"),
        ("DROP TABLE public.pet", "cannot be read"),
    ],
)
def test_what_becomes_of_the_structure_is_seen(ground: Ground, script: str, words: str) -> None:
    def act(session: psycopg.Connection[Any]) -> None:
        session.execute(script.format(session.info.dbname).encode())

    found = run(ground, Theirs(act), WORLD, again=False)
    assert words in " ".join(found.observation.trouble)
    mended = run(ground, Theirs(lambda session: None), WORLD, again=False)
    assert mended.observation == found.before


def test_what_an_implementation_raises_is_a_claim(ground: Ground) -> None:
    def act(session: psycopg.Connection[Any]) -> None:
        raise ValueError("no such thing")

    found = run(ground, Theirs(act), WORLD)
    assert found.claim == Claim(success=False, message="ValueError: no such thing")
    assert found.observation == found.before


def test_a_session_left_behind_is_found_and_in_nobodys_way(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grounds, "_PARTING", 0.1)
    left = []

    def act(session: psycopg.Connection[Any]) -> object:
        session.execute("BEGIN; LOCK TABLE public.pet")
        left.append(session)
        return session

    found = run(ground, Theirs(act), WORLD, again=False)
    left[0].close()
    assert [each.title for each in found.findings] == ["the restore left a session behind"]
    assert found.observation == found.before
    assert restored(run(ground, INITIAL_LOAD, WORLD))


def test_a_crash_is_survived(ground: Ground) -> None:
    def act(session: psycopg.Connection[Any]) -> None:
        os.kill(session.info.backend_pid, signal.SIGKILL)
        session.execute("SELECT 1")

    found = run(ground, Theirs(act), WORLD)
    assert not found.claim.success
    assert found.observation == found.before
    assert restored(run(ground, INITIAL_LOAD, WORLD))


def test_a_server_that_is_gone_is_no_failure_of_the_restore(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grounds, "_RECOVERY", 0.1)
    server = ground.pair.target
    try:
        with pytest.raises(ServerDied, match="target server was running and is gone"):
            run(ground, Theirs(lambda session: server.stop()), WORLD)
        with pytest.raises(ServerDied):
            run(ground, INITIAL_LOAD, WORLD)
    finally:
        server.start()
    assert restored(run(ground, INITIAL_LOAD, WORLD))


def test_a_world_that_cannot_be_is_unfit(ground: Ground) -> None:
    odd = replace(WORLD, present={"public.pet": (("1", "77"),)})
    with pytest.raises(Unfit, match=r"on the target server: .*pet_owner"):
        run(ground, INITIAL_LOAD, odd)
    lost = replace(WORLD, form=BackupForm.OWN, lacks=frozenset())
    with pytest.raises(Unfit, match=r"on the source server: .*owner_email"):
        run(ground, INITIAL_LOAD, lost)
    assert restored(run(ground, INITIAL_LOAD, WORLD))


def test_a_script_of_ones_own(ground: Ground) -> None:
    script = """
        SET search_path = ''; SET DateStyle = 'SQL, DMY';
        CREATE TABLE public.pet (id integer GENERATED ALWAYS AS IDENTITY
            (SEQUENCE NAME public.pets INCREMENT 5) CONSTRAINT pet_pk PRIMARY KEY, owner integer);
        CREATE TABLE public."Owner" (id serial CONSTRAINT owner_pk PRIMARY KEY, email text,
            lower text GENERATED ALWAYS AS (lower(email)) STORED, born date DEFAULT '31/12/1999');
        CREATE UNIQUE INDEX owner_email ON public."Owner" (email);
        ALTER TABLE public.pet ADD CONSTRAINT pet_owner FOREIGN KEY (owner)
            REFERENCES public."Owner";
        CREATE FUNCTION public.weak() RETURNS boolean LANGUAGE plpgsql AS $$BEGIN
            RESET ROLE;
            ASSERT NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user);
            RETURN true;
        END$$;
        CREATE FUNCTION public.weak_too() RETURNS trigger LANGUAGE plpgsql AS
            $$BEGIN PERFORM public.weak(); RETURN NEW; END$$;
        CREATE TRIGGER always BEFORE INSERT ON public.pet FOR EACH ROW EXECUTE FUNCTION
            public.weak_too();
        ALTER TABLE public.pet ENABLE ALWAYS TRIGGER always;
        ALTER TABLE public.pet ADD CHECK (public.weak()); SELECT public.weak() -- no semicolon
    """
    key = replace(OWNER.keys[1], constraint=False)
    owner = replace(OWNER, keys=(OWNER.keys[0], key), triggers=())
    schema = Schema(tables=(PET, owner), script=script)
    for form in (BackupForm.COPY, BackupForm.OWN):
        positions = {"public.pet.id": 30}
        world = replace(WORLD, schema=schema, form=form, positions=positions)
        found = run(ground, INITIAL_LOAD, world)
        assert found.claim.success, found.claim.message
        assert restored(found)
        assert found.observation.sequences == {"public.Owner.id": 7, "public.pet.id": 35}
    with pytest.raises(Unfit, match="pet_owner"):
        run(ground, INITIAL_LOAD, replace(world, present={"public.pet": (("1", "77"),)}))
    opaque = Expression(op=Op.OPAQUE, text="public.weak()")
    ground.target.make(schema, {}, {})
    assert ground.target.asker()(PET, opaque, ("1", None)) == "t"


def test_a_server_is_asked(ground: Ground) -> None:
    check = Check(
        name="c", condition=Expression(op=Op.OPAQUE, text="email ~ '^[Ä-Ö]'", columns=("email",))
    )
    owner = replace(OWNER, checks=(check,))
    ground.target.make(Schema(tables=(owner,)), {}, {})
    ask = ground.target.asker()
    assert ask(owner, check.condition, ("1", "Ärger")) == "t"
    assert ask(owner, check.condition, ("1", "Zorn")) == "f"
    assert ask(owner, check.condition, ("1", None)) is None
    assert ask(owner, column("lower"), ("1", "LOUD")) == "loud"
    with pytest.raises(NotModelled, match="cannot evaluate"):
        ask(owner, Expression(op=Op.OPAQUE, text="1 / 0"), ("1", None))
