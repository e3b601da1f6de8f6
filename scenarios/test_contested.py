"""Rows of the target that a restore overwrites while other rows of the backup need them."""

import pytest


@pytest.mark.guarantee("idempotence", "completeness")
@pytest.mark.trap("U04", "U11")
@pytest.mark.parametrize("null", ["", "NOT NULL"])
def test_two_rows_that_collide_with_one_by_two_keys(scenario, world, null):
    """An upsert that works row by row gives the target's one row to whichever of two source rows
    came first, the other is lost, and every re-run swaps them.
    """
    world(
        f"CREATE TABLE price (code text {null} UNIQUE, place int {null} UNIQUE);",
        source="INSERT INTO price VALUES ('y', 3), ('x', 1)",
        target="INSERT INTO price VALUES ('y', 1)",
    )
    scenario.restore().prove()


@pytest.mark.guarantee("idempotence", "merging")
@pytest.mark.trap("U04")
def test_two_rows_with_children_that_collide_with_one_by_two_keys(scenario, world):
    """Two price rows fight over one row of the target, and the sales of the loser end up with
    the winner's price or with none.
    """
    world(
        "CREATE TABLE price (id int PRIMARY KEY, code text UNIQUE, place int UNIQUE);"
        "CREATE TABLE sale (id int PRIMARY KEY, price int NOT NULL REFERENCES price);",
        source="INSERT INTO price VALUES (10, 'y', 3), (11, 'x', 1);"
        "INSERT INTO sale VALUES (1, 10), (2, 11)",
        target="INSERT INTO price VALUES (1, 'y', 1); INSERT INTO sale VALUES (9, 1)",
    )
    scenario.restore().prove()


@pytest.mark.guarantee("completeness", "honesty")
@pytest.mark.trap("U11", "O04")
def test_parent_that_only_the_target_has_and_that_is_overwritten(scenario, world):
    """A link refers to a page that exists only in the target, and the restore itself renames
    that page: the link is broken by the load that brought it.
    """
    world(
        "CREATE TABLE page (id int PRIMARY KEY, slug text UNIQUE);"
        "CREATE TABLE link (id int PRIMARY KEY, page text);",
        source="INSERT INTO page VALUES (1, 'new');INSERT INTO link VALUES (1, 'old'), (2, 'new')",
        target="ALTER TABLE link ADD FOREIGN KEY (page) REFERENCES page (slug);"
        "INSERT INTO page VALUES (1, 'old')",
    )
    scenario.restore().prove()
