"""Which rows a rule leaves out, read from a real database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from verifier.errors import ObservationError
from verifier.oracle import take
from verifier.servers import Database, Pair, Side
from verifier.transfer import Exclude

WORLD = """
CREATE SCHEMA "Other";
CREATE TABLE biz (id text PRIMARY KEY, "isDemo" boolean, boss text REFERENCES biz);
CREATE TABLE "Other".biz (id int PRIMARY KEY);
CREATE TABLE good (biz text REFERENCES biz, no int, PRIMARY KEY (biz, no))
    PARTITION BY LIST (biz);
CREATE TABLE good_d PARTITION OF good FOR VALUES IN ('d', 'below');
CREATE TABLE good_rest PARTITION OF good DEFAULT;
CREATE TABLE "a % sale" (id int PRIMARY KEY, "bi%z" text, no int, FOREIGN KEY ("bi%z", no)
    REFERENCES good);
CREATE TABLE alone (id int PRIMARY KEY, note text);
INSERT INTO biz VALUES ('r', false, NULL), ('d', true, 'r'), ('below', false, 'd'),
    ('loop', NULL, NULL), ('other', NULL, NULL);
INSERT INTO biz VALUES ('one', NULL, 'one'), ('ring', true, 'loop');
UPDATE biz SET boss = 'ring' WHERE id = 'loop';
INSERT INTO "Other".biz VALUES (1);
INSERT INTO good VALUES ('r', 1), ('d', 1), ('below', 1), ('other', 1);
INSERT INTO "a % sale" VALUES (1, 'r', 1), (2, 'd', 1), (3, 'below', 1), (4, NULL, 1), (5, NULL, 2);
INSERT INTO alone VALUES (1, 'd'), (2, '100 % %s');
"""


@pytest.fixture(scope="module")
def world(servers: Pair) -> Iterator[Database]:
    databases = servers.databases(Side.SOURCE)
    database = databases.create("selection")
    database.execute(WORLD)
    yield database
    databases.drop(database)


def left(database: Database, *rules: Exclude) -> dict[str, list[str]]:
    """The first column of every row that is not left out."""
    found = take(database.admin, without=rules)
    return {
        name: sorted(row[0] or "" for row in table.rows) for name, table in found.tables.items()
    }


def test_what_depends_on_a_row_that_is_left_out_is_left_out_with_it(world: Database) -> None:
    everything = left(world)
    assert left(world, Exclude("public.biz", '"isDemo"')) == {
        **everything,
        "public.biz": ["one", "other", "r"],
        "public.good": ["other", "r"],
        'public."a % sale"': ["1", "4", "5"],
    }
    assert left(world) == everything, "looking leaves nothing behind"


def test_several_rules_leave_out_what_any_of_them_does(world: Database) -> None:
    rules = (Exclude("alone", "note LIKE '100 %'"), Exclude('"a % sale"', "no = 2"))
    found = left(world, *rules)
    assert found["public.alone"] == ["1"]
    assert found['public."a % sale"'] == ["1", "2", "3", "4"]
    assert left(world, Exclude("alone", "true"))["public.alone"] == []


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (Exclude("biz", "true"), "has 2 tables of that name"),
        (Exclude("bizz", "true"), "has 0 tables of that name"),
        (Exclude("alone", "nothing = 1"), 'column "nothing" does not exist'),
        (Exclude("alone", "id = 1; DROP TABLE alone"), "syntax error"),
    ],
)
def test_a_rule_that_cannot_be_followed(world: Database, rule: Exclude, said: str) -> None:
    with pytest.raises(ObservationError, match=said):
        left(world, rule)
