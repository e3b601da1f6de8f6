"""References to one partition by itself, whose rows are staged under the whole table."""

from __future__ import annotations

import pytest

from tests.initial_load.conftest import Move, assert_idempotent, assert_refused, total

# The tables of references come first by name, and last by what they refer to.
TABLES = """
CREATE TABLE p (id int, region text, code text, PRIMARY KEY (id, region))
    PARTITION BY LIST (region);
CREATE TABLE p_rest PARTITION OF p DEFAULT PARTITION BY RANGE (id);
CREATE TABLE p_low PARTITION OF p_rest FOR VALUES FROM (0) TO (100);
CREATE TABLE p_high PARTITION OF p_rest DEFAULT;
CREATE TABLE c (id int PRIMARY KEY, p int, region text);
"""
OF_THE_SOURCE = "CREATE TABLE p_us PARTITION OF p FOR VALUES IN ('us', 'ca');"
OF_THE_TARGET = "CREATE TABLE p_us PARTITION OF p FOR VALUES IN ('us');"
TO = "ALTER TABLE c ADD FOREIGN KEY (p, region) REFERENCES {};"


def test_rows_that_refer_to_a_partition_find_their_parents_in_the_whole_table(move: Move) -> None:
    claim = move(
        TABLES + OF_THE_TARGET + TO.format("p_us"),
        "INSERT INTO p VALUES (1, 'eu'), (1, 'us'), (2, 'us');"
        "INSERT INTO c VALUES (1, 1, 'us'), (2, 2, 'us'), (3, NULL, NULL)",
        "INSERT INTO p VALUES (9, 'us'); INSERT INTO c VALUES (3, 9, 'us'), (9, 9, 'us')",
    )
    assert (total(claim).inserted, total(claim).updated) == (5, 1)
    assert_idempotent(move, claim)


def test_what_only_the_target_has_there_is_a_parent_as_well(move: Move) -> None:
    claim = move(
        TABLES,
        f"{OF_THE_SOURCE} INSERT INTO c VALUES (1, 9, 'us'), (2, 9, 'eu')",
        OF_THE_TARGET + TO.format("p_us") + "INSERT INTO p VALUES (9, 'us'), (9, 'eu')",
    )
    (rejection,) = claim.rejections
    assert rejection.key == {"id": "2"}
    assert_refused(move, claim)


@pytest.mark.parametrize(
    ("partition", "lost"),
    [("p_us", {"2", "3", "4"}), ("p_rest", {"1"}), ("p_low", {"1", "4"})],
)
def test_a_row_whose_parent_goes_to_another_partition_is_named(
    move: Move, partition: str, lost: set[str]
) -> None:
    claim = move(
        TABLES,
        f"{OF_THE_SOURCE} INSERT INTO p VALUES (1, 'us'), (2, 'ca'), (3, 'eu'), (400, 'eu');"
        "INSERT INTO c VALUES (1, 1, 'us'), (2, 2, 'ca'), (3, 3, 'eu'), (4, 400, 'eu')",
        OF_THE_TARGET + TO.format(partition),
    )
    assert {str(each.key["id"]) for each in claim.rejections} == lost
    assert {each.constraint for each in claim.rejections} == {"c_p_region_fkey"}
    for each in claim.rejections:
        assert each.reason.startswith(f"has no parent: public.{partition} (id, region) = (")
    assert_refused(move, claim)


KEYED = """
CREATE TABLE p (id int, region text, code text, PRIMARY KEY (id, region))
    PARTITION BY LIST (region);
CREATE TABLE p_eu PARTITION OF p FOR VALUES IN ('eu');
CREATE TABLE p_us PARTITION OF p FOR VALUES IN ('us');
CREATE TABLE c (id int PRIMARY KEY, code text, p int, region text);
"""
BY_CODE = """
ALTER TABLE p_us ADD UNIQUE (code);
ALTER TABLE c ADD FOREIGN KEY (code) REFERENCES p_us (code);
"""


def test_references_to_a_partition_follow_rows_that_merge(move: Move) -> None:
    claim = move(
        KEYED,
        "INSERT INTO p VALUES (1, 'us', 'a'), (2, 'us', 'a'), (3, 'us', 'b'), (3, 'eu', 'b');"
        "INSERT INTO c VALUES (1, NULL, 1, 'us'), (2, NULL, 2, 'us'), (3, NULL, 3, 'us')",
        f"ALTER TABLE p ADD UNIQUE (code, region); {TO.format('p_us')}"
        "INSERT INTO p VALUES (7, 'us', 'a'), (8, 'eu', 'b')",
    )
    assert move.rows("SELECT p, region FROM c ORDER BY id") == [(7, "us"), (7, "us"), (3, "us")]
    assert total(claim).merged == 3
    assert_idempotent(move, claim)


def test_a_row_of_another_partition_is_no_parent_though_it_has_the_same_value(move: Move) -> None:
    claim = move(
        KEYED,
        "INSERT INTO p VALUES (1, 'eu', 'a'), (2, 'us', 'b');"
        "INSERT INTO c VALUES (1, 'a'), (2, 'b')",
        BY_CODE,
    )
    assert [(each.key, each.reason) for each in claim.rejections] == [
        ({"id": "1"}, "has no parent: public.p_us (code) = (a)")
    ]
    assert_refused(move, claim)


@pytest.mark.parametrize("region", ["us", "eu"])
def test_a_row_of_the_target_keeps_what_is_referred_to_only_in_its_partition(
    move: Move, region: str
) -> None:
    claim = move(
        KEYED + BY_CODE,
        f"INSERT INTO p VALUES (1, '{region}', 'new'), (2, 'eu', 'old')",
        "INSERT INTO p VALUES (1, 'us', 'old'), (1, 'eu', 'old'); INSERT INTO c VALUES (1, 'old')",
    )
    if region == "eu":
        assert_idempotent(move, claim)
        return
    (rejection,) = claim.rejections
    assert "rows of public.c in the target refer to what it would overwrite" in rejection.reason
    assert_refused(move, claim)
