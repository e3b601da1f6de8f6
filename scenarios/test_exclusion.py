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
