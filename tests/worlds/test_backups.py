"""A backup that is written of a world is one that PostgreSQL and the built-in restore read."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from verifier import programs
from verifier.errors import Unfit
from verifier.implementations import implementation
from verifier.model.schema import Column, Domain, Enum, Identity, Key, Row, Schema, Table, column
from verifier.model.world import BackupForm, World
from verifier.servers import Pair
from verifier.worlds import backups
from verifier.worlds.run import Ground, run

VALUES: dict[str, tuple[str, ...]] = {
    "text": ("", "NULL", "\\N", "\\.", "a\tb\nc\r\\d\x0b\x08'\"\x7f", "ä€𝄞", "{}"),
    "bool": ("t", "f"),
    "smallint": ("-32768",),
    "bigint": ("9007199254740991", "9007199254740993", "-9223372036854775808"),
    "numeric": ("1.10", "NaN", "123456789012345678901234567890.5"),
    "float8": ("NaN", "-Infinity", "-0", "1e+300", "0.1"),
    "real": ("3.4028235e+38",),
    "timestamp": ("2025-12-08 10:00:00", "infinity", "0044-03-15 12:00:00.5 BC"),
    "timestamptz": ("2025-12-08 10:00:00.123456+00", "-infinity", "12025-01-01 00:00:00+00"),
    "date": ("2025-12-08", "0001-01-01 BC", "infinity"),
    "time": ("12:30:00.1", "24:00:00"),
    "interval": ("1 mon -2 days", "-01:00:00"),
    "bytea": ("\\x", "\\x00ff"),
    "json": ('{"b":1,"a":2,"a":3,"n":1.10}', "null", '"ä"'),
    "jsonb": ('{"a": [1, 2.50, null]}', "null"),
    "text[]": ('{a,NULL,"NULL","a b","\\"\\\\"}', "{}", "[0:1]={x,y}", "{{a,b},{c,d}}"),
    "int[]": ("{1,2,NULL}",),
    "jsonb[]": ('{"null",NULL}', '{"{\\"a\\": 1}"}'),
    "box[]": ("{(1,1),(0,0);(2,2),(0,0)}",),
    "mood": ("it's",),
    "mood[]": ("{it's,NULL}",),
    '"A dom"': ("x",),
    "uuid": ("12345678-1234-1234-1234-123456789abc",),
    "char(5)": ("ab   ",),
    "money": ("$12.50",),
    "int4range": ("[1,6)", "empty"),
    "inet": ("::1",),
}


def table(kind: str, number: int) -> Table:
    return Table(
        name=f"of {number}",
        columns=(
            Column(name="id", type="int", not_null=True, identity=Identity.BY_DEFAULT),
            Column(name="a,b", type=kind),
        ),
        keys=(Key(name=f"pk{number}", parts=(column("id"),), primary=True),),
    )


TABLES = tuple(table(kind, number) for number, kind in enumerate(VALUES))
EMPTY = Table(name="empty", columns=(), schema="other")
SCHEMA = Schema(
    tables=(*TABLES, EMPTY),
    enums=(Enum(name="mood", labels=("it's",)),),
    domains=(Domain(name="A dom", base="text"),),
)


def rows(values: tuple[str, ...]) -> tuple[Row, ...]:
    return tuple((str(n), value) for n, value in enumerate((*values, None), 1))


WORLD = World(
    schema=SCHEMA,
    source={
        **{each.id: rows(values) for each, values in zip(TABLES, VALUES.values(), strict=True)},
        EMPTY.id: ((), ()),
    },
    order=(TABLES[3].id, EMPTY.id),
    positions={f"{TABLES[0].id}.id": 70},
)
SQL = (BackupForm.COPY, BackupForm.INSERTS)


@pytest.fixture(scope="module")
def ground(servers: Pair) -> Iterator[Ground]:
    with Ground(servers) as made:
        yield made


@pytest.mark.parametrize("form", [*SQL, BackupForm.JSON])
def test_the_built_in_restore_reads_every_value(ground: Ground, form: BackupForm) -> None:
    world = replace(WORLD, form=form)
    if form is BackupForm.JSON:
        world = replace(world, source={k: v for k, v in world.source.items() if k != EMPTY.id})
    found = run(ground, implementation("initial-load"), world, again=False)
    assert found.claim.success, found.claim.message
    for each in SCHEMA.tables:
        assert sorted(found.observation.rows[each.id]) == sorted(world.source.get(each.id, ()))
    assert found.observation.sequences[f"{TABLES[0].id}.id"] == 71


@pytest.mark.parametrize("form", SQL)
def test_psql_reads_every_value(ground: Ground, form: BackupForm, tmp_path: Path) -> None:
    ground.target.make(SCHEMA, {}, {})
    path = backups.write(replace(WORLD, form=form), tmp_path)
    subprocess.run(
        [programs.newest("psql"), "-X", "-1", "-q", "-v", "ON_ERROR_STOP=1", "-f", path],
        env=ground.target.database.dsn.environ,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    found = ground.target.observe()
    for each in SCHEMA.tables:
        assert sorted(found.rows[each.id]) == sorted(WORLD.source[each.id])
    assert found.sequences[f"{TABLES[0].id}.id"] == 71


def test_tables_and_rows_come_in_the_order_of_the_world() -> None:
    pets = Table(name="pets", columns=(Column(name="name", type="text"),))
    world = World(
        schema=Schema(tables=(replace(pets, name="Apes"), pets)),
        source={"public.Apes": (("z",),), "public.pets": (("b",), ("a",), ("b",))},
        order=("public.pets",),
    )
    text = backups.dump(world)
    assert "COPY public.pets (name) FROM stdin;\nb\na\nb\n\\.\n\n\n" in text
    assert text.index("public.pets") < text.index('public."Apes"')
    data = json.loads(backups.dump(replace(world, form=BackupForm.JSON)))["data"]
    assert list(data.items()) == [
        ("pets", [{"name": "b"}, {"name": "a"}, {"name": "b"}]),
        ("Apes", [{"name": "z"}]),
    ]


def test_json_is_what_javascript_can_hold() -> None:
    of = dict(zip(VALUES, TABLES, strict=True))
    data = json.loads(backups.dump(replace(WORLD, form=BackupForm.JSON)))["data"]
    values = {kind: [row.get("a,b", ...) for row in data[each.name]] for kind, each in of.items()}
    assert values["bigint"] == [2**53 - 1, str(2**53 + 1), str(-(2**63)), None]
    assert values["float8"][1:] == ["-Infinity", 0.0, 1e300, 0.1, None]
    assert values["jsonb"] == [{"a": [1, 2.5, None]}, None, ...]
    assert values["bytea"][1] == {"type": "Buffer", "data": [0, 255]}
    assert values["date"] == [
        "2025-12-08T00:00:00.000Z",
        "+000000-01-01T00:00:00.000Z",
        "infinity",
        None,
    ]
    assert values["text[]"][2:4] == ["[0:1]={x,y}", [["a", "b"], ["c", "d"]]]


def test_names_of_sequences_are_cut_as_postgresql_cuts_them(ground: Ground) -> None:
    long = Table(
        name="t" * 50,
        schema="Other",
        columns=(
            Column(name="c" * 40, type="bigint", not_null=True, identity=Identity.SERIAL),
            Column(name="ü" * 20, type="int", not_null=True, identity=Identity.ALWAYS),
        ),
    )
    numbers = {f"{long.id}.{each.name}": 5 for each in long.columns}
    world = World(schema=Schema(tables=(long,)), source={}, positions=numbers)
    ground.target.make(world.schema, {}, {})
    named = [line.split("'")[1] for line in backups.dump(world).splitlines() if "setval" in line]
    assert named == list(ground.target.sequences.values())


@pytest.mark.parametrize("text", ['{"a": 1}', '"\\u00e4"', "[1,\n2]"])
def test_json_with_a_text_of_its_own_is_no_json_backup(text: str) -> None:
    noted = Table(name="noted", columns=(Column(name="note", type="json"),))
    world = World(
        schema=Schema(tables=(noted,)),
        source={"public.noted": ((text,),)},
        form=BackupForm.JSON,
    )
    with pytest.raises(Unfit, match=r"public\.noted\.note"):
        backups.dump(world)
    with pytest.raises(Unfit, match="choose another form"):
        backups.dump(replace(world, form=BackupForm.OWN))
