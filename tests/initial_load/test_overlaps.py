"""Exclusion constraints and temporal keys: conflicts are named, moves are restored."""

from __future__ import annotations

import pytest

from tests.initial_load.conftest import Move, assert_idempotent, assert_refused, total
from verifier.contract import Claim, Counts
from verifier.servers import Side
from verifier.transfer import Format

BOOKINGS = "CREATE TABLE bk (id int PRIMARY KEY, during int4range, who text)"
EXCLUDE = "ALTER TABLE bk ADD CONSTRAINT once EXCLUDE USING gist (during WITH &&)"


def reasons(claim: Claim) -> dict[str | None, str]:
    assert {rejection.constraint for rejection in claim.rejections or ()} == {"once"}
    return {rejection.key["id"]: rejection.reason for rejection in claim.rejections or ()}


def test_rows_of_the_backup_that_overlap_are_named_with_each_other(move: Move) -> None:
    claim = move(
        BOOKINGS,
        "INSERT INTO bk VALUES (1, '[1,5)'), (2, '[4,8)'), (3, '[8,9)'), (4, NULL), (5, NULL)",
        EXCLUDE,
    )
    assert reasons(claim) == {
        "1": "overlaps the backup's row (id) = (2)",
        "2": "overlaps the backup's row (id) = (1)",
    }
    assert_refused(move, claim)


def test_rows_that_overlap_a_row_that_stays_are_named(move: Move) -> None:
    claim = move(
        BOOKINGS,
        "INSERT INTO bk VALUES (1, '[1,5)'), (2, '[5,8)'), (3, '[20,30)')",
        EXCLUDE + "; INSERT INTO bk VALUES (7, '[7,8)'), (3, '[1,2)'), (9, '[29,30)')",
    )
    # Row 3 cannot move, so it stays in the way of row 1.
    assert reasons(claim) == {
        "1": "overlaps the target's row (id) = (3)",
        "2": "overlaps the target's row (id) = (7)",
        "3": "overlaps the target's row (id) = (9)",
    }
    assert_refused(move, claim)


def test_row_of_the_target_that_would_follow_into_a_place_keeps_its_parent(move: Move) -> None:
    schema = """CREATE TABLE room (id int PRIMARY KEY, no int UNIQUE);
        CREATE TABLE booking (id int PRIMARY KEY, room int REFERENCES room (no) ON UPDATE CASCADE,
          days int4range,
          EXCLUDE USING gist (int4range(room, room, '[]') WITH &&, days WITH &&));"""
    source = "INSERT INTO room VALUES (1, 9); INSERT INTO booking VALUES (3, 9, '[1,5)');"
    target = "INSERT INTO room VALUES (1, 1); INSERT INTO booking VALUES (7, 1, '[1,5)');"
    claim = move(schema, source, target)
    assert not claim.success
    assert [(one.table, one.key) for one in claim.rejections or ()] == [
        ("public.room", {"id": "1"}),
        ("public.booking", {"id": "3"}),
    ]
    assert claim.rejections[0].constraint == "booking_room_fkey"
    other = "INSERT INTO room VALUES (2, 2); INSERT INTO booking VALUES (7, 2, '[1,5)')"
    both = move(schema, source + other, target)
    assert both.success, both.message
    assert move.rows("SELECT id, room FROM booking ORDER BY id") == [(3, 9), (7, 2)]


def test_rows_that_are_there_already_conflict_with_nothing(move: Move) -> None:
    claim = move(
        BOOKINGS,
        "INSERT INTO bk VALUES (1, '[1,5)', 'new'), (2, '[5,8)', NULL)",
        EXCLUDE
        + "; INSERT INTO bk VALUES (1, '[1,5)', 'old'), (2, '[5,8)', NULL), (3, '[8,9)', NULL)",
    )
    assert total(claim) == Counts(updated=1, unchanged=1), claim.message
    assert_idempotent(move, claim)


MOVES = "INSERT INTO bk VALUES (1, '[1,5)'), (2, '[5,9)'), (3, '[9,12)')"
OVER = "INSERT INTO bk VALUES (1, '[1,4)'), (2, '[4,9)')"


@pytest.mark.parametrize(
    "exclude",
    [
        EXCLUDE,
        EXCLUDE + "; ALTER TABLE bk ALTER during SET NOT NULL",
        EXCLUDE + " DEFERRABLE; ALTER TABLE bk ALTER during SET NOT NULL",
        EXCLUDE + "; ALTER TABLE bk ADD CHECK (during IS NOT NULL)",
    ],
    ids=["nullable", "not null", "deferrable", "check against NULL"],
)
def test_adjacent_bookings_that_both_move(move: Move, exclude: str) -> None:
    claim = move(BOOKINGS, MOVES, f"{exclude}; {OVER}")
    assert total(claim) == Counts(inserted=1, updated=2), claim.message
    assert move.rows("SELECT id, lower(during), upper(during) FROM bk ORDER BY id") == [
        (1, 1, 5),
        (2, 5, 9),
        (3, 9, 12),
    ]
    assert_idempotent(move, claim)


def test_bookings_swapped_in_a_circle_and_one_that_takes_a_place(move: Move) -> None:
    claim = move(
        BOOKINGS,
        "INSERT INTO bk VALUES (1, '[2,3)'), (2, '[3,4)'), (3, '[1,2)'), (4, '[40,50)'),"
        " (5, '[4,5)')",
        EXCLUDE + "; ALTER TABLE bk ALTER during SET NOT NULL;"
        "INSERT INTO bk VALUES (1, '[1,2)'), (2, '[2,3)'), (3, '[3,4)'), (4, '[4,5)')",
    )
    assert total(claim) == Counts(inserted=1, updated=4), claim.message
    assert_idempotent(move, claim)


NETS = "CREATE TABLE bk (id int PRIMARY KEY, v inet)"


@pytest.mark.parametrize(
    "rule", ["", " DEFERRABLE; ALTER TABLE bk ALTER v SET NOT NULL"], ids=["nullable", "deferrable"]
)
def test_values_that_are_never_empty_change_places(move: Move, rule: str) -> None:
    claim = move(
        NETS,
        "INSERT INTO bk VALUES (1, '10.0.0.0/24'), (2, '10.0.1.0/24')",
        f"ALTER TABLE bk ADD EXCLUDE USING gist (v inet_ops WITH &&){rule};"
        "INSERT INTO bk VALUES (1, '10.0.1.0/24'), (2, '10.0.0.0/24')",
    )
    assert total(claim) == Counts(updated=2), claim.message
    assert_idempotent(move, claim)


ENDS = (
    "CREATE TABLE bk (id int PRIMARY KEY, a int NOT NULL, z int NOT NULL, room int4range NOT NULL,"
    " off bool NOT NULL DEFAULT false)"
)
PLACES = "INSERT INTO bk VALUES (1, 1, 5, '[1,1]'), (2, 5, 9, '[1,1]'), (3, 1, 9, '[2,2]')"
EXPRESSION = "ADD CONSTRAINT once EXCLUDE USING gist (room WITH =, int4range(a, z) WITH &&)"


@pytest.mark.parametrize(
    "exclude",
    [
        EXPRESSION,
        f"{EXPRESSION} WHERE (NOT off)",
        f"{EXPRESSION} WHERE (NOT off), ADD CHECK (a < z)",
    ],
    ids=["expression", "partial", "ends must differ"],
)
def test_expressions_over_two_ends(move: Move, exclude: str) -> None:
    claim = move(
        ENDS,
        PLACES,
        f"ALTER TABLE bk {exclude};"
        "INSERT INTO bk VALUES (1, 1, 4, '[1,1]'), (2, 4, 9, '[1,1]'), (4, 1, 2, '[3,3]')",
    )
    assert total(claim) == Counts(inserted=1, updated=2), claim.message
    assert_idempotent(move, claim)


def test_place_that_nothing_can_hold_in_between_is_named(move: Move) -> None:
    claim = move(
        ENDS,
        PLACES,
        f"ALTER TABLE bk {EXPRESSION}, ADD CHECK (a < z);"
        "INSERT INTO bk VALUES (1, 1, 4, '[1,1]'), (2, 4, 9, '[1,1]')",
    )
    assert set(reasons(claim)) == {"1", "2"}
    assert "make the constraint deferrable" in reasons(claim)["2"]
    assert reasons(claim)["1"] == "overlaps the target's row (id) = (2)"
    assert_refused(move, claim)


def test_only_rows_within_the_predicate_conflict(move: Move) -> None:
    claim = move(
        ENDS,
        PLACES + "; INSERT INTO bk VALUES (4, 1, 9, '[1,1]', true)",
        f"ALTER TABLE bk {EXPRESSION} WHERE (NOT off);"
        "INSERT INTO bk VALUES (5, 2, 3, '[1,1]', true)",
    )
    assert total(claim) == Counts(inserted=4), claim.message
    assert_idempotent(move, claim)


@pytest.mark.parametrize(
    ("type_", "method", "operator", "values"),
    [
        ("inet", "gist (v inet_ops WITH &&)", "", ("10.0.0.0/24", "10.0.0.5", "10.1.0.0/16")),
        ("circle", "gist (v WITH &&)", "", ("<(0,0),2>", "<(1,1),2>", "<(9,9),1>")),
        ("int", "hash (v WITH =)", "", ("1", "1", "2")),
        ("int4multirange", "gist (v WITH &&)", "", ("{[1,3)}", "{[0,1),[2,4)}", "{[7,8)}")),
    ],
)
def test_other_types_and_methods(
    move: Move, type_: str, method: str, operator: str, values: tuple[str, str, str]
) -> None:
    first, second, third = values
    claim = move(
        f"CREATE TABLE bk (id int PRIMARY KEY, v {type_})",
        f"INSERT INTO bk VALUES (1, '{first}'), (2, '{second}'), (3, '{third}')",
        f"ALTER TABLE bk ADD CONSTRAINT once EXCLUDE USING {method}",
    )
    assert set(reasons(claim)) == {"1", "2"}
    assert_refused(move, claim)


def test_names_that_are_in_the_way(move: Move) -> None:
    schema = (
        'CREATE TABLE "restore new" (id int PRIMARY KEY, n int4range, k1 int4range, p int, w int);'
        'ALTER TABLE "restore new" ADD CONSTRAINT once EXCLUDE USING gist (n WITH &&, k1 WITH =)'
    )
    claim = move(
        schema,
        "INSERT INTO \"restore new\" VALUES (1, '[1,5)', '[1,1]'), (2, '[5,9)', '[1,1]')",
        "INSERT INTO \"restore new\" VALUES (1, '[1,4)', '[1,1]'), (2, '[4,9)', '[1,1]')",
    )
    assert total(claim) == Counts(updated=2), claim.message
    assert_idempotent(move, claim)


MANY = (
    "INSERT INTO bk SELECT n, int4range(n / 2 * 10 + {by}, n / 2 * 10 + {by} + 10),"
    " int4range(n % 2, n % 2, '[]') FROM generate_series(1, 1500) n;"
)
ROOMS = "CREATE TABLE bk (id int PRIMARY KEY, during int4range, room int4range)"
BY_ROOM = "ALTER TABLE bk ADD CONSTRAINT once EXCLUDE USING gist (room WITH =, during WITH &&);"


def test_many_rows(move: Move) -> None:
    claim = move(ROOMS, MANY.format(by=0), BY_ROOM)
    assert total(claim) == Counts(inserted=1500), claim.message
    assert_idempotent(move, claim)
    move.rows("DELETE FROM bk;" + MANY.format(by=5))
    claim = move.again()
    assert total(claim) == Counts(updated=1500), claim.message
    assert_idempotent(move, claim)


@pytest.mark.parametrize(
    ("source", "target", "named"),
    [
        ("UPDATE bk SET during = '[99,101)' WHERE id = 700", "", {"700", "20", "18"}),
        ("", "INSERT INTO bk VALUES (9000, '[99,101)', '[0,0]')", {"20", "18"}),
        ("UPDATE bk SET during = 'empty' WHERE id < 30", "", set()),
        (
            "UPDATE bk SET during = NULL WHERE id = 20",
            "INSERT INTO bk VALUES (9, 'empty', '[0,0]'), (20, '[75,101)', '[0,0]')",
            set(),
        ),
    ],
    ids=["each other", "target", "empty", "into nothing"],
)
def test_few_conflicts_among_many_rows(
    move: Move, source: str, target: str, named: set[str]
) -> None:
    claim = move(ROOMS, MANY.format(by=0) + source, BY_ROOM + target)
    assert set(reasons(claim) if named else ()) == named, claim.message
    if named:
        assert_refused(move, claim)
    else:
        assert_idempotent(move, claim)


# --- PostgreSQL 18 -----------------------------------------------------------------------

NEW = (Side.TARGET, Side.TARGET)
TEMPORAL = (
    "CREATE TABLE price (id int4range, valid daterange, v int,"
    " CONSTRAINT once PRIMARY KEY (id, valid WITHOUT OVERLAPS));"
)
PRICES = (
    "INSERT INTO price VALUES ('[1,1]', '[2020-01-01,2021-01-01)', 10),"
    " ('[1,1]', '[2021-01-01,2022-01-01)', 11), ('[2,2]', '[2020-01-01,)', 20);"
)


def test_temporal_key_is_a_rows_identity(move: Move) -> None:
    claim = move(
        TEMPORAL,
        PRICES,
        "INSERT INTO price VALUES ('[1,1]', '[2020-01-01,2021-01-01)', 99),"
        " ('[1,1]', '[2022-01-01,2023-01-01)', 12)",
        sides=NEW,
    )
    assert total(claim) == Counts(inserted=2, updated=1), claim.message
    assert move.rows("SELECT v FROM price ORDER BY v") == [(10,), (11,), (12,), (20,)]
    assert_idempotent(move, claim)


def test_periods_that_overlap_are_named(move: Move) -> None:
    claim = move(
        TEMPORAL,
        PRICES,
        "INSERT INTO price VALUES ('[1,1]', '[2020-06-01,2021-01-01)', 99)",
        sides=NEW,
    )
    (rejection,) = claim.rejections or ()
    assert (rejection.key["valid"], rejection.constraint) == ("[2020-01-01,2021-01-01)", "once")
    shown = "(id, valid) = ([1,2), [2020-06-01,2021-01-01))"
    assert rejection.reason == f"overlaps the target's row {shown}"
    assert_refused(move, claim)


REFERS = (
    "CREATE TABLE sale (id int PRIMARY KEY, price int4range, at daterange,"
    " CONSTRAINT priced FOREIGN KEY (price, PERIOD at) REFERENCES price (id, PERIOD valid));"
)


def test_period_that_several_parents_cover(move: Move) -> None:
    claim = move(
        TEMPORAL + REFERS,
        PRICES + "INSERT INTO sale VALUES (1, '[1,1]', '[2020-06-01,2021-06-01)'), (2, NULL, NULL)",
        "INSERT INTO price VALUES ('[1,1]', '[2020-01-01,2021-01-01)', 99)",
        sides=NEW,
    )
    assert total(claim) == Counts(inserted=4, updated=1), claim.message
    assert_idempotent(move, claim)


def test_period_that_parents_of_the_target_cover(move: Move) -> None:
    move.format = Format.INSERTS
    claim = move(
        TEMPORAL + REFERS,
        PRICES + "INSERT INTO sale VALUES (1, '[1,1]', '[2020-06-01,2021-06-01)')",
        PRICES,
        sides=NEW,
    )
    move.leave_out("INSERT INTO public.price ")
    move.rows("DELETE FROM sale")
    claim = move.again()
    assert total(claim) == Counts(inserted=1), claim.message
    assert_idempotent(move, claim)


def test_period_that_no_parents_cover_is_named(move: Move) -> None:
    claim = move(
        TEMPORAL + REFERS,
        "ALTER TABLE sale DROP CONSTRAINT priced;"
        + PRICES
        + "INSERT INTO sale VALUES (1, '[1,1]', '[2020-06-01,2023-01-01)'), (2, '[3,3]',"
        " '[2020-01-01,2020-02-01)'), (3, '[2,2]', '[2030-01-01,2031-01-01)')",
        sides=NEW,
    )
    assert [(r.key["id"], r.constraint) for r in claim.rejections or ()] == [
        ("1", "priced"),
        ("2", "priced"),
    ]
    assert "no parents cover it: public.price (id, valid) = ([1,2), " in claim.message
    assert_refused(move, claim)
