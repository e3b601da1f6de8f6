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


CUT_OTHERWISE = """
CREATE TABLE sale (id int, region text, code text, PRIMARY KEY (id, region))
    PARTITION BY LIST (region);
CREATE TABLE refund (id int PRIMARY KEY, sale int, region text, why text);
"""
IN_THE_SOURCE = """
CREATE TABLE sale_us PARTITION OF sale FOR VALUES IN ('us', 'ca');
CREATE TABLE sale_rest PARTITION OF sale DEFAULT;
ALTER TABLE refund ADD FOREIGN KEY (sale, region) REFERENCES sale_us;
"""
IN_THE_TARGET = """
CREATE TABLE sale_us PARTITION OF sale FOR VALUES IN ('us');
CREATE TABLE sale_rest PARTITION OF sale DEFAULT;
ALTER TABLE refund ADD FOREIGN KEY (sale, region) REFERENCES sale_us;
"""


@pytest.mark.guarantee("merging", "completeness", "ordering")
@pytest.mark.trap("O01", "O07", "U02")
def test_references_to_one_partition_by_itself(scenario, world):
    """A table refers to a partition and not to the whole: a restore that knows only whole tables
    takes its rows for orphans, writes them first, or leaves them behind when their parents merge.
    """
    world(CUT_OTHERWISE, source=IN_THE_SOURCE, target=IN_THE_TARGET)
    world(
        "",
        source="INSERT INTO sale VALUES (1, 'us', 'a'), (2, 'us', 'a'),"
        " (3, 'us', 'b'), (3, 'eu', 'b');"
        "INSERT INTO refund VALUES (1, 1, 'us', 'x'), (2, 2, 'us', 'y'), (3, 3, 'us', 'z')",
        target="ALTER TABLE sale ADD UNIQUE (code, region);"
        "INSERT INTO sale VALUES (7, 'us', 'a'), (8, 'us', 'own');"
        "INSERT INTO refund VALUES (9, 8, 'us', 'own')",
    )
    scenario.restore().prove()


@pytest.mark.guarantee("completeness", "honesty")
@pytest.mark.trap("O04", "O07")
def test_parent_that_goes_to_another_partition(scenario, world):
    """The target keeps a region elsewhere, so that rows of the partition that others refer to do
    not arrive there, and what refers to them vanishes or ends the load without a name.
    """
    world(CUT_OTHERWISE, source=IN_THE_SOURCE, target=IN_THE_TARGET)
    world(
        "",
        source="INSERT INTO sale VALUES (1, 'us', 'a'), (2, 'ca', 'b');"
        "INSERT INTO refund VALUES (1, 1, 'us', 'x'), (2, 2, 'ca', 'y')",
        target="INSERT INTO sale VALUES (2, 'ca', 'old')",
    )
    scenario.restore().prove()
