"""What is selected and ignored, and names that fit nothing."""

from __future__ import annotations

import pytest

from tests.oracle.comparing.conftest import Duo
from verifier.comparison import Ignore, Part, Selection, State
from verifier.errors import UsageError

WORLD = """
CREATE SCHEMA shop;
CREATE TABLE shop.item (id serial PRIMARY KEY, name text, "updatedAt" timestamp);
CREATE TABLE public.session (id int PRIMARY KEY, name text, CHECK (id > 0));
CREATE TABLE public."Odd.Name" (id int);
CREATE FUNCTION shop.f() RETURNS int LANGUAGE sql AS 'SELECT 1';
INSERT INTO shop.item (name, "updatedAt") VALUES ('a', '2025-01-01');
INSERT INTO public.session VALUES (1, 'x');
"""
CHANGES = """
UPDATE shop.item SET "updatedAt" = '2025-02-02';
INSERT INTO public.session VALUES (2, 'y');
ALTER TABLE public.session ADD more int;
INSERT INTO public."Odd.Name" VALUES (1);
SELECT nextval('shop.item_id_seq');
CREATE OR REPLACE FUNCTION shop.f() RETURNS int LANGUAGE sql AS 'SELECT 2';
"""


@pytest.fixture
def changed(duo: Duo) -> Duo:
    duo.begin(WORLD)
    duo.target.execute(CHANGES)
    return duo


def seen(duo: Duo, **selection: object) -> set[str]:
    """What differs under a selection."""
    comparison = duo.compare(Selection(**selection))  # type: ignore[arg-type]
    names = {table.table for table in comparison.tables if table.state is not State.EQUAL}
    return names | {change.name for change in comparison.objects}


EVERYTHING = {
    "shop.item",
    "public.session",
    "public.session.more",
    'public."Odd.Name"',
    "shop.item_id_seq",
    "shop.f()",
}


def ignoring(*names: str) -> tuple[Ignore, ...]:
    return tuple(Ignore(name, "on purpose") for name in names)


@pytest.mark.parametrize(
    ("selection", "left"),
    [
        ({}, EVERYTHING),
        ({"schemas": ("shop",)}, {"shop.item", "shop.item_id_seq", "shop.f()"}),
        ({"schemas": ("pub*",)}, {"public.session", "public.session.more", 'public."Odd.Name"'}),
        ({"tables": ("session",)}, {"public.session", "public.session.more"}),
        ({"tables": ("shop.item",)}, {"shop.item", "shop.item_id_seq"}),
        ({"tables": ('"Odd.Name"',)}, {'public."Odd.Name"'}),
        ({"tables": ("item", "sess*")}, EVERYTHING - {'public."Odd.Name"', "shop.f()"}),
        ({"ignored": ignoring("session")}, EVERYTHING - {"public.session", "public.session.more"}),
        ({"ignored": ignoring("shop.item")}, EVERYTHING - {"shop.item", "shop.item_id_seq"}),
        ({"ignored": ignoring("item.updatedAt")}, EVERYTHING - {"shop.item"}),
        ({"ignored": ignoring("*.updatedAt")}, EVERYTHING - {"shop.item"}),
        ({"ignored": ignoring("shop.item.*")}, EVERYTHING - {"shop.item"}),
        ({"ignored": ignoring("session.more")}, EVERYTHING - {"public.session.more"}),
        ({"ignored": ignoring("item_id_seq")}, EVERYTHING - {"shop.item_id_seq"}),
        (
            {"columns": ("name",)},
            EVERYTHING - {"shop.item", 'public."Odd.Name"', "public.session.more"},
        ),
        ({"parts": frozenset({Part.SEQUENCES})}, {"shop.item_id_seq"}),
        ({"parts": frozenset({Part.STRUCTURE})}, {"public.session.more", "shop.f()"}),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_what_is_selected_is_compared_and_nothing_else(
    changed: Duo, selection: dict[str, object], left: set[str]
) -> None:
    assert seen(changed, **selection) == left


@pytest.mark.parametrize(
    ("selection", "words"),
    [
        ({"tables": ("sesion",)}, "did you mean session"),
        ({"schemas": ("shops",)}, "did you mean shop"),
        ({"columns": ("nmae",)}, "did you mean name"),
        ({"ignored": ignoring("item.updatedat")}, "did you mean"),
        ({"ignored": ignoring("updatedAt")}, "neither database"),
        ({"ignored": ignoring("a.b.c.d")}, "is no name"),
        ({"ignored": ignoring('"open')}, "is no name"),
        ({"tables": ("",)}, "is no name"),
    ],
    ids=str,
)
def test_a_name_that_fits_nothing_is_refused(
    changed: Duo, selection: dict[str, object], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        seen(changed, **selection)


def test_a_name_that_fits_a_table_and_a_column_is_refused(duo: Duo) -> None:
    duo.begin("CREATE SCHEMA a; CREATE TABLE a.b (id int); CREATE TABLE a (b int)")
    with pytest.raises(UsageError, match=r"may be the table a\.b or the column b of public\.a"):
        seen(duo, ignored=ignoring("a.b"))
    assert seen(duo, ignored=ignoring("public.a.b")) == set()


def test_rows_are_told_apart_by_another_key_when_theirs_is_ignored(duo: Duo) -> None:
    duo.begin("CREATE TABLE t (id int PRIMARY KEY, code text NOT NULL UNIQUE, v int)")
    duo.source.execute("INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2)")
    duo.target.execute("INSERT INTO t VALUES (7, 'a', 1), (8, 'b', 3)")
    comparison = duo.compare(Selection(parts=frozenset({Part.DATA}), ignored=ignoring("t.id")))
    (table,) = comparison.tables
    assert (table.key, table.changed, table.differences) == (("code",), 1, 1)
