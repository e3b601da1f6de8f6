"""What is handed out of a failure can be run and read, and says what was found."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from verifier import programs
from verifier.contract import Claim, Guarantee, Verdict
from verifier.dsn import Dsn
from verifier.fuzz.failure import Failure, cause_of
from verifier.fuzz.handing_out import named
from verifier.fuzz.interrupted import EVERY, interruption
from verifier.fuzz.keeping import Kept
from verifier.fuzz.searching import Known, Search
from verifier.fuzz.subject import subject
from verifier.fuzz.telling import words
from verifier.implementations import implementation
from verifier.model.breach import Breach
from verifier.model.schema import Column, ForeignKey, Key, Schema, Table, column
from verifier.model.world import BackupForm, World
from verifier.servers import Pair
from verifier.worlds.store import decode

SHOP = Table(
    name="shop",
    columns=(
        Column(name="id", type="integer"),
        Column(name="code", type="text"),
        Column(name="note", type="text"),
    ),
    keys=(
        Key(name="shop_pkey", parts=(column("id"),), primary=True),
        Key(name="shop_code", parts=(column("code"),)),
    ),
)
ITEM = Table(
    name="item",
    columns=(Column(name="id", type="integer"), Column(name="shop", type="integer")),
    keys=(Key(name="item_pkey", parts=(column("id"),), primary=True),),
    foreign_keys=(
        ForeignKey(name="item_shop", columns=("shop",), parent="public.shop", references=("id",)),
    ),
)
WORLD = World(
    schema=Schema(tables=(SHOP, ITEM)),
    source={
        "public.shop": (("1", "tea", "it's"), ("2", "tea", "a\\b"), ("3", "jam", None)),
        "public.item": (("1", "1"), ("2", "2"), ("3", "3")),
    },
    present={"public.shop": (("7", "jam", "new\nline"),), "public.item": (("9", "7"),)},
    lacks=frozenset({"shop_code"}),
    form=BackupForm.COPY,
)
"""Two shops of the source are one to the target, and the third has another number there."""


@pytest.fixture(scope="module")
def found(servers: Pair) -> Iterator[list[Failure]]:
    """What an upsert by id does wrong in it, each made small for a moment."""
    with Search(
        subject(implementation("faulty:upsert-by-id")), servers, Known(), shrink_seconds=2
    ) as search:
        yield list(search.consider(WORLD))
        assert (search.tally.worlds, search.tally.failing, search.tally.unjudged) == (1, 1, {})


@pytest.fixture
def psql(servers: Pair) -> Iterator[Dsn]:
    """Where databases that scripts make are dropped again."""
    yield servers.target.admin
    with psycopg.connect(servers.target.admin.conninfo, autocommit=True) as session:
        for side in ("source", "target"):
            session.execute(f'DROP DATABASE IF EXISTS "small_{side}"')


def test_the_failure_is_small_and_the_oracle_agrees(found: list[Failure]) -> None:
    failure = found[0]
    assert failure.world.size < WORLD.size
    assert failure.breach.guarantee in (Guarantee.COMPLETENESS, Guarantee.MERGING)
    assert failure.agreement is not None
    assert failure.agreement.verdict is Verdict.BROKEN


def test_the_script_makes_both_databases(psql: Dsn, tmp_path: Path) -> None:
    failure = Failure(
        implementation="acme",
        world=WORLD,
        breaches=(Breach(Guarantee.MERGING, "something is wrong"),),
        claim=Claim(success=True),
        expected=WORLD.source,
        observed=WORLD.present,
    )
    handout = named(failure, tmp_path)
    handout.write()
    path = tmp_path / "small.sql"
    path.write_text((tmp_path / f"{handout.name}.sql").read_text().replace(handout.name, "small"))
    program = max(programs.embedded().items())[1].parent / "bin" / "psql"
    subprocess.run(
        [program, "-X", "-q", "-d", "postgres", "-f", path],
        env={**os.environ, **_environment(psql)},
        check=True,
        capture_output=True,
        timeout=60,
    )
    for side, rows in (("source", WORLD.source), ("target", WORLD.present)):
        with psycopg.connect(psql.with_(dbname=f"small_{side}").conninfo) as session:
            for table in ("shop", "item"):
                query = f"SELECT * FROM {table}"
                held = {
                    tuple(None if v is None else str(v) for v in r) for r in session.execute(query)
                }
                assert held == set(rows[f"public.{table}"])
    sed = ["sed", "-n", "s/^--| //p", path]
    backup = subprocess.run(sed, check=True, capture_output=True, text=True).stdout
    assert "COPY public.shop (id, code, note) FROM stdin;\n1\ttea\tit's\n2\ttea\ta\\\\b\n" in backup


def _environment(dsn: Dsn) -> dict[str, str]:
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD"}
    return {variable: dsn.parameters[name] for name, variable in names.items()}


def test_the_script_marks_what_differs(found: list[Failure], tmp_path: Path) -> None:
    handout = named(found[0], tmp_path)
    handout.write()
    text = (tmp_path / f"{handout.name}.sql").read_text()
    assert "<- it is not there" in text or "<- it should not be there" in text


@pytest.mark.slow
def test_the_scenario_fails_for_this_implementation_only(
    found: list[Failure], tmp_path: Path
) -> None:
    handout = named(found[0], tmp_path)
    handout.write()
    (tmp_path / "conftest.py").write_text(
        'pytest_plugins = ["verifier.plugin", "fixtures.plugin"]\n'
    )
    run = [sys.executable, "-m", "pytest", handout.scenario, "-p", "no:cacheprovider"]
    run += ["--servers", "embedded", "--rootdir=.", "--implementation"]
    root = Path(__file__).parents[2]
    for name, code in (("faulty:upsert-by-id", 1), ("initial-load", 0)):
        done = subprocess.run(
            [*run, name],
            env={**os.environ, "PYTHONPATH": str(root)},
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr


def test_a_paragraph_says_what_there_is_what_is_demanded_and_what_was_seen() -> None:
    breach = Breach(Guarantee.MERGING, "a child is lost", "public.item", words="item 2 is lost")
    said = words.paragraph(
        Failure(implementation="acme", world=WORLD, breaches=(breach,), claim=Claim(success=True))
    )
    for part in (
        "There are the tables shop (id integer, code text, note text) and item (id integer, shop",
        "In shop, id is the primary key and code is unique (shop_code).",
        "In item, id is the primary key and shop refers to id of shop (item_shop).",
        "The source does not have shop_code, so that its rows may break that.",
        r"The target holds shop (id 7, code 'jam', note E'new\nline') and item (id 9, shop 7).",
        "acme restores it.",
        "The contract demands of it (merging) that source rows that collide",
        "The restore said that it had succeeded. But a child is lost: item 2 is lost.",
    ):
        assert part in said


def test_names_of_files_are_never_taken_twice(tmp_path: Path) -> None:
    def failure(world: World) -> Failure:
        breach = Breach(Guarantee.MERGING, "A child / is lost!")
        return Failure(implementation="acme", world=world, breaches=(breach,))

    other = World(schema=WORLD.schema, source={})
    first = named(failure(WORLD), tmp_path)
    assert first.name == "merging_a_child_is_lost"
    assert named(failure(other), tmp_path, [first.name]).name == "merging_a_child_is_lost_2"
    first.write()
    assert named(failure(other), tmp_path).name == "merging_a_child_is_lost_2"
    assert named(failure(WORLD), tmp_path).name == first.name  # the same world: the same files
    assert decode((tmp_path / f"{first.name}.json").read_bytes()) == WORLD


def test_failing_worlds_are_kept_by_implementation_and_schema(tmp_path: Path) -> None:
    kept = Kept(tmp_path, "acme")
    kept.replace([], [WORLD])
    assert Kept(tmp_path, "acme").fetch() == [WORLD]
    assert Kept(tmp_path, "other").fetch() == []
    assert Kept(tmp_path, "acme", "schema.sql").fetch() == []
    kept.replace([WORLD], [])
    assert kept.fetch() == []


def test_worlds_of_another_version_are_dropped(tmp_path: Path) -> None:
    kept = Kept(tmp_path, "acme")
    kept.replace([], [WORLD])
    for path in tmp_path.rglob("*"):
        if path.is_file():
            path.write_bytes(b"{}")
    assert kept.fetch() == []
    assert kept.unreadable == 1


def test_few_restores_are_interrupted_and_always_the_same() -> None:
    found = [interruption(7, 0, number) for number in range(4 * EVERY)]
    assert sum(each is not None for each in found) == 4
    assert found == [interruption(7, 0, number) for number in range(4 * EVERY)]
    assert all(0 < each.share < 1 for each in found if each)


def test_causes_tell_failures_apart() -> None:
    one, other = (
        Breach(Guarantee.MERGING, "x", words="a"),
        Breach(Guarantee.MERGING, "x", words="b"),
    )
    assert cause_of(one) == cause_of(other) != cause_of(Breach(Guarantee.FIDELITY, "x"))
