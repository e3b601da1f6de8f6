"""Exclusion constraints: rows that may not overlap."""

import pytest


@pytest.mark.guarantee("completeness", "idempotence")
@pytest.mark.trap("U07", "U11")
def test_bookings_that_move_over_each_other(scenario, world):
    """Two adjacent bookings were moved by a day; an upsert row by row meets the old times of the
    other booking and fails although the end state is legal.
    """
    world(
        "CREATE TABLE booking ("
        "id int PRIMARY KEY, during tsrange, EXCLUDE USING gist (during WITH &&));",
        source="""
        INSERT INTO booking VALUES (1, '[2025-01-01, 2025-01-05)'), (2, '[2025-01-05, 2025-01-09)'),
            (3, '[2025-02-01, 2025-02-02)')
        """,
        target="""
        INSERT INTO booking VALUES (1, '[2025-01-01, 2025-01-04)'), (2, '[2025-01-04, 2025-01-09)'),
            (7, '[2025-03-01, 2025-03-02)')
        """,
    )
    scenario.restore().prove()


@pytest.mark.guarantee("completeness", "honesty")
@pytest.mark.trap("U07")
def test_booking_that_overlaps_one_that_stays(scenario, world):
    """A booking of the backup overlaps one made on the target since; ON CONFLICT DO NOTHING
    drops it without a word, and its guest has nowhere to go.
    """
    world(
        "CREATE TABLE booking (id int PRIMARY KEY, room int, during tsrange, gone boolean);"
        "CREATE TABLE guest (id int PRIMARY KEY, booking int NOT NULL REFERENCES booking);",
        source="""
        INSERT INTO booking VALUES (1, 1, '[2025-01-01, 2025-01-05)', false),
            (2, 1, '[2025-03-02, 2025-03-09)', false), (3, 1, '[2025-03-02, 2025-03-09)', true);
        INSERT INTO guest VALUES (1, 1), (2, 2), (3, 3);
        """,
        target="""
        ALTER TABLE booking ADD EXCLUDE USING gist (during WITH &&) WHERE (NOT gone);
        INSERT INTO booking VALUES (1, 1, '[2025-01-04, 2025-01-06)', false),
            (7, 1, '[2025-03-01, 2025-03-03)', false);
        """,
    )
    scenario.restore().prove()


@pytest.mark.guarantee("completeness", "honesty")
@pytest.mark.trap("U07")
def test_bookings_that_overlap_each_other(scenario, world):
    """The source let overlapping bookings in, the target forbids them; whichever is written
    first wins, and nobody is told that the other is gone.
    """
    world(
        "CREATE TABLE booking (id int PRIMARY KEY, during tsrange);",
        source="""
        INSERT INTO booking VALUES (1, '[2025-01-01, 2025-01-05)'),
            (2, '[2025-01-04, 2025-01-09)'), (3, '[2025-01-09, 2025-01-10)')
        """,
        target="ALTER TABLE booking ADD EXCLUDE USING gist (during WITH &&)",
    )
    scenario.restore().prove()


@pytest.mark.guarantee("completeness", "honesty")
@pytest.mark.trap("U07")
@pytest.mark.pg(since=18, reason="WITHOUT OVERLAPS")
def test_prices_whose_periods_overlap_one_that_stays(scenario, world):
    """A price of the backup holds for days for which the target has another one; a temporal key
    cannot be named in ON CONFLICT, and DO NOTHING drops the price without a word.
    """
    world(
        "CREATE TABLE price (good int4range, days daterange, cents int,"
        " PRIMARY KEY (good, days WITHOUT OVERLAPS));",
        source="""
        INSERT INTO price VALUES ('[1,1]', '[2025-01-01, 2025-02-01)', 110),
            ('[1,1]', '[2025-02-01, 2025-03-01)', 120), ('[2,2]', '[2025-01-01, 2025-02-01)', 7);
        """,
        target="""
        INSERT INTO price VALUES ('[1,1]', '[2025-01-01, 2025-02-01)', 100),
            ('[1,1]', '[2025-02-15, 2025-04-01)', 130), ('[3,3]', '[2025-01-01, 2025-02-01)', 9);
        """,
    )
    scenario.restore().prove()


@pytest.mark.guarantee("completeness", "idempotence")
@pytest.mark.trap("U07", "U11")
@pytest.mark.pg(since=18, reason="WITHOUT OVERLAPS")
def test_prices_by_period(scenario, world):
    """A table whose key is a period has no arbiter for an upsert: the first load works, and the
    second one fails or leaves yesterday's prices.
    """
    world(
        "CREATE TABLE price (good int4range, days daterange, cents int,"
        " PRIMARY KEY (good, days WITHOUT OVERLAPS));",
        source="""
        INSERT INTO price VALUES ('[1,1]', '[2025-01-01, 2025-02-01)', 110),
            ('[1,1]', '[2025-02-01, 2025-03-01)', 120), ('[2,2]', '[2025-01-01, 2025-02-01)', 7);
        """,
        target="""
        INSERT INTO price VALUES ('[1,1]', '[2025-01-01, 2025-02-01)', 100),
            ('[1,1]', '[2025-03-01, 2025-04-01)', 130);
        """,
    )
    scenario.restore().prove()
