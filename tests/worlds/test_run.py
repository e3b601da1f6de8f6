"""Worlds are made, restored and read on real servers, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from verifier.implementations import implementation
from verifier.model.schema import (
    Column,
    Expression,
    ForeignKey,
    Identity,
    Key,
    Op,
    Schema,
    Table,
    Trigger,
    column,
)
from verifier.model.world import BackupForm, World
from verifier.servers import Pair
from verifier.worlds.run import Ground, run

OWNER = Table(
    name="Owner",
    columns=(
        Column(name="id", type="integer", not_null=True, identity=Identity.SERIAL),
        Column(name="email", type="text"),
        Column(
            name="lower",
            type="text",
            generated=Expression(op=Op.LOWER, arguments=(column("email"),)),
        ),
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
        ForeignKey(name="pet_owner", columns=("owner",), parent="public.Owner", references=("id",)),
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


@pytest.fixture(scope="module")
def ground(servers: Pair) -> Iterator[Ground]:
    with Ground(servers) as made:
        yield made


@pytest.mark.parametrize("form", BackupForm)
def test_restored_twice(ground: Ground, form: BackupForm) -> None:
    found = run(ground, implementation("initial-load"), replace(WORLD, form=form))
    assert found.before.rows == WORLD.present
    assert found.before.sequences == {"public.Owner.id": 3, "public.pet.id": 10}
    assert found.claim.success, found.claim.message
    assert {id: set(rows) for id, rows in found.observation.rows.items()} == AFTER
    assert set(found.observation.generated["public.Owner"]) == {("old",), ("a\tb",)}
    assert found.observation.sequences == {"public.Owner.id": 41, "public.pet.id": 10}
    assert not found.observation.trouble
    assert found.again is not None
    assert found.again[0].success
    assert found.again[1] == found.observation
    assert not found.findings
