"""Partitioned tables: rows go where the target keeps them, and are counted once."""

import pytest

EVENTS = """
CREATE TABLE event (id int, region text, v int, PRIMARY KEY (id, region))
    PARTITION BY LIST (region);
CREATE TABLE event_eu PARTITION OF event FOR VALUES IN ('eu');
CREATE TABLE event_us PARTITION OF event FOR VALUES IN ('us');
CREATE TABLE note (
    id int PRIMARY KEY, event int, region text, FOREIGN KEY (event, region) REFERENCES event);
"""


@pytest.mark.guarantee("completeness", "idempotence")
@pytest.mark.trap("O07")
def test_partitions(scenario, world):
    """A dump of a partitioned table by its name is empty, and its rows are counted once for the
    root and once for each partition.
    """
    world(
        EVENTS,
        source="INSERT INTO event VALUES (1, 'eu', 1), (1, 'us', 2), (2, 'us', 3); "
        "INSERT INTO note VALUES (1, 1, 'us'), (2, 2, 'us')",
        target="INSERT INTO event VALUES (1, 'us', 0), (9, 'eu', 9); "
        "INSERT INTO note VALUES (9, 9, 'eu')",
    )
    scenario.restore().prove()


@pytest.mark.guarantee("completeness", "idempotence")
@pytest.mark.trap("O07")
def test_partitions_that_are_cut_otherwise(scenario, world):
    """The target's partitions have other bounds; a dump that names the partitions puts rows
    where they do not belong, and the target refuses them.
    """
    world(
        "CREATE TABLE event (id int PRIMARY KEY, v int) PARTITION BY RANGE (id);",
        source="CREATE TABLE event_a PARTITION OF event FOR VALUES FROM (0) TO (10);"
        "CREATE TABLE event_b PARTITION OF event FOR VALUES FROM (10) TO (20);"
        "INSERT INTO event SELECT n, n FROM generate_series(1, 19) n",
        target="CREATE TABLE event_a PARTITION OF event FOR VALUES FROM (0) TO (5);"
        "CREATE TABLE event_b PARTITION OF event FOR VALUES FROM (5) TO (100);"
        "INSERT INTO event VALUES (4, 0), (7, 0), (99, 99)",
    )
    scenario.restore().prove()


@pytest.mark.guarantee("merging", "completeness")
@pytest.mark.trap("O07")
def test_row_that_moved_to_another_partition(scenario, world):
    """A row changed its region, which is part of its key; an upsert must neither fail on the
    move nor delete what it cannot tell apart.
    """
    world(
        """
        CREATE TABLE event (id int, region text, code text, v int) PARTITION BY LIST (region);
        CREATE TABLE event_eu PARTITION OF event FOR VALUES IN ('eu');
        CREATE TABLE event_us PARTITION OF event FOR VALUES IN ('us');
        ALTER TABLE event ADD PRIMARY KEY (id, region);
        """,
        source="INSERT INTO event VALUES (1, 'us', 'moved', 1), (2, 'us', 'stayed', 2)",
        target="INSERT INTO event VALUES (1, 'eu', 'moved', 0), (2, 'us', 'stayed', 0)",
    )
    scenario.restore().prove()
