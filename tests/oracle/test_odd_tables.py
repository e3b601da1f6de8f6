"""Tables that are unlike the shop's, and restores that touch more than rows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.oracle.conftest import DATA, DONE, KEY, SCHEMA, Bench, broken, findings
from verifier.contract import Counts, Guarantee, Merge
from verifier.errors import ObservationError

G = Guarantee

RIGHT = {
    "a table without columns": ("CREATE TABLE z ();", "INSERT INTO z DEFAULT VALUES;"),
    "rows written to the partitions": (
        "CREATE TABLE m (id int PRIMARY KEY, p int) PARTITION BY RANGE (id);"
        "CREATE TABLE m1 PARTITION OF m FOR VALUES FROM (0) TO (10);"
        "CREATE TABLE m2 PARTITION OF m FOR VALUES FROM (10) TO (20);",
        "INSERT INTO m1 VALUES (1, 1); INSERT INTO m2 VALUES (11, 1);",
    ),
    "a key that an inheriting table has again": (
        "CREATE TABLE b (id int PRIMARY KEY); CREATE TABLE d (PRIMARY KEY (id)) INHERITS (b);",
        "INSERT INTO b VALUES (1); INSERT INTO d VALUES (1);",
    ),
    "a sequence that feeds a text": (
        "CREATE SEQUENCE s; CREATE TABLE t (id text PRIMARY KEY DEFAULT 'X' || nextval('s'));",
        "INSERT INTO t VALUES ('X1');",
    ),
    "a default that is made of a sequence": (
        "CREATE SEQUENCE s; CREATE TABLE t (id int PRIMARY KEY DEFAULT nextval('s') * 10);",
        "INSERT INTO t VALUES (30);",
    ),
    "a constraint that is not enforced": (
        "CREATE TABLE t (id int PRIMARY KEY CHECK (id > 5){});",
        "INSERT INTO t VALUES (1);",
    ),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_restore(bench: Bench, name: str) -> None:
    schema, rows = RIGHT[name]
    # The source is 16, which knows no such constraint; it has none at all.
    source = schema.replace(" CHECK (id > 5){}", "")
    bench.begin(source + rows, schema.replace("{}", " NOT ENFORCED"))
    assert findings(bench.restore(rows)) == []


def test_a_sequence_at_its_end(bench: Bench) -> None:
    table = "CREATE TABLE t (id bigserial PRIMARY KEY);"
    row = "INSERT INTO t VALUES (9223372036854775807);"
    bench.begin(table + row, table)
    done = "SELECT setval('t_id_seq', 9223372036854775807);"
    assert findings(bench.restore(row + done)) == []


@pytest.mark.parametrize(
    ("sequence", "moved", "found"),
    [
        ("", "2147483646", False),
        ("", "2147483647", True),  # that it is a bigint does not help the int that it feeds
        ("", "9007199254740991", True),
        ("CYCLE MAXVALUE 9", "9", False),
        ("MAXVALUE 9", "9", True),
        ("INCREMENT -1 MINVALUE -9 MAXVALUE 9", "-9", True),
        ("INCREMENT -1 MINVALUE -9 MAXVALUE 9", "-8", False),
    ],
)
def test_a_sequence_that_is_moved_to_its_end(
    bench: Bench, sequence: str, moved: str, found: bool
) -> None:
    table = f"CREATE SEQUENCE s {sequence}; CREATE TABLE t (id int DEFAULT nextval('s'));"
    bench.begin(table, table)
    seen = {finding.title for finding in findings(bench.restore(f"SELECT setval('s', {moved})"))}
    assert ("sequence public.s is at its end: the next INSERT will fail" in seen) is found


def test_a_sequence_that_was_at_its_end_in_the_source(bench: Bench) -> None:
    table = "CREATE SEQUENCE s MAXVALUE 9; CREATE TABLE t (id int DEFAULT nextval('s'));"
    bench.begin(table + "SELECT setval('s', 9)", table)
    assert findings(bench.restore("SELECT setval('s', 9)")) == []


@pytest.mark.parametrize(
    "change", ["DROP TABLE log", "ALTER TABLE product DROP COLUMN weight", "DROP TABLE session"]
)
def test_a_restore_that_changes_the_tables_it_was_to_fill(bench: Bench, change: str) -> None:
    bench.begin(SCHEMA + DATA, SCHEMA + KEY)
    judgement = bench.restore(DATA + change)
    assert {G.INTEGRITY, G.HONESTY} <= broken(judgement)


def test_a_restore_that_takes_the_probe_away_leaves_the_oracle_blind(bench: Bench) -> None:
    bench.begin(SCHEMA + DATA, SCHEMA + KEY)
    with pytest.raises(ObservationError, match="write probe in the target is gone"):
        bench.restore(DATA + "DROP SCHEMA rv_probe CASCADE", admin=True)


def test_a_merge_that_did_not_happen(bench: Bench) -> None:
    bench.begin(SCHEMA + DATA, SCHEMA + KEY)
    merge = Merge(table="public.product", key={"id": "p1"}, survivor={"id": "p2"})
    (finding,) = findings(bench.restore(DATA, replace(DONE, merges=(merge,))))
    assert (finding.guarantee, finding.table) == (G.HONESTY, "public.product")


@pytest.mark.parametrize("table", ["public.session", "public.nowhere"])
def test_counts_of_a_table_that_is_not_part_of_the_restore(bench: Bench, table: str) -> None:
    bench.begin(SCHEMA, SCHEMA + KEY)
    counted = replace(DONE, counts={table: Counts(inserted=1)})
    (finding,) = findings(bench.restore("", counted))
    assert (finding.guarantee, finding.table) == (G.HONESTY, table)


def test_a_column_that_only_the_target_has(bench: Bench) -> None:
    source = "CREATE TABLE t (id int PRIMARY KEY, a text);"
    target = "CREATE TABLE t (id int PRIMARY KEY, a text, note text);"
    present = "INSERT INTO t VALUES (1, 'old', 'keep me');"
    bench.begin(source + "INSERT INTO t VALUES (1, 'new')", target + present)
    assert findings(bench.restore("UPDATE t SET a = 'new'")) == []
    judgement = bench.restore("UPDATE t SET note = NULL")
    finding = next(f for f in findings(judgement) if f.guarantee is G.PRESERVATION)
    assert finding.columns == ("note",)
