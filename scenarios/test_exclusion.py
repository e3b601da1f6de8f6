"""Exclusion constraints: rows that may not overlap."""

import pytest


@pytest.mark.guarantee("completeness", "idempotence")
def test_bookings_that_move_over_each_other(scenario, world):
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
def test_booking_that_overlaps_one_that_stays(scenario, world):
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
def test_bookings_that_overlap_each_other(scenario, world):
    world(
        "CREATE TABLE booking (id int PRIMARY KEY, during tsrange);",
        source="""
        INSERT INTO booking VALUES (1, '[2025-01-01, 2025-01-05)'),
            (2, '[2025-01-04, 2025-01-09)'), (3, '[2025-01-09, 2025-01-10)')
        """,
        target="ALTER TABLE booking ADD EXCLUDE USING gist (during WITH &&)",
    )
    scenario.restore().prove()
