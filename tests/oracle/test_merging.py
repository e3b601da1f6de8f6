"""Rows that collide on a unique key of the target, and what hangs on them."""

from __future__ import annotations

import psycopg
import pytest

from tests.oracle.conftest import DATA, DONE, KEY, SCHEMA, Bench, broken, findings
from verifier.contract import Claim, Guarantee, Merge, Rejection, Severity, Verdict
from verifier.oracle import take
from verifier.servers import Side

G = Guarantee
TWO = """
INSERT INTO domain VALUES ('d');
INSERT INTO category VALUES
    ('a', 'shop', 'd', 'Tea', NULL, 'green'), ('b', 'shop', 'd', 'Tea', NULL, 'black');
INSERT INTO product (id, category_id, name) VALUES ('pa', 'a', 'Assam'), ('pb', 'b', 'Ceylon');
"""
MERGED = """
INSERT INTO domain VALUES ('d');
INSERT INTO category VALUES ('b', 'shop', 'd', 'Tea', NULL, 'black');
INSERT INTO product (id, category_id, name) VALUES ('pa', 'b', 'Assam'), ('pb', 'b', 'Ceylon');
"""


def merge(table: str, key: str, survivor: str) -> Merge:
    return Merge(table=f"public.{table}", key={"id": key}, survivor={"id": survivor})


NAMED = Claim(success=True, exit_code=0, merges=(merge("category", "a", "b"),))


def test_children_follow_the_survivor(bench: Bench) -> None:
    bench.begin(SCHEMA + TWO, SCHEMA + KEY)
    judgement = bench.restore(MERGED, NAMED)
    assert findings(judgement) == []
    assert G.MERGING in judgement.exercised


def test_the_first_may_survive_as_well_as_the_last(bench: Bench) -> None:
    bench.begin(SCHEMA + TWO, SCHEMA + KEY)
    first = MERGED.replace(
        "'b', 'shop', 'd', 'Tea', NULL, 'black'", "'a', 'shop', 'd', 'Tea', NULL, 'green'"
    )
    named = Claim(success=True, exit_code=0, merges=(merge("category", "b", "a"),))
    assert (
        findings(
            bench.restore(first.replace("'b', 'A", "'a', 'A").replace("'b', 'C", "'a', 'C"), named)
        )
        == []
    )


def test_a_merge_that_the_claim_does_not_name(bench: Bench) -> None:
    bench.begin(SCHEMA + TWO, SCHEMA + KEY)
    listed = Claim(success=True, exit_code=0, merges=())
    assert broken(bench.restore(MERGED, listed)) == {G.HONESTY}
    silent = bench.judge.judge(bench.observe(DONE))
    assert findings(silent) == []
    assert [f.severity for f in silent.findings.worst_first()] == [Severity.NOTE]


def test_a_survivor_that_is_a_mixture(bench: Bench) -> None:
    bench.begin(SCHEMA + TWO + "UPDATE category SET parent_id = 'a' WHERE id = 'b'", SCHEMA + KEY)
    mixed = MERGED.replace("NULL, 'black'", "'b', 'green'")  # parent of one, colour of the other
    judgement = bench.restore(mixed, NAMED)
    assert "the survivor is a mixture of the rows that were merged" in {
        f.title for f in findings(judgement)
    }


def test_a_child_that_points_elsewhere(bench: Bench) -> None:
    other = "INSERT INTO category VALUES ('z', 'shop', 'd', 'Z', NULL, NULL);"
    bench.begin(SCHEMA + TWO + other, SCHEMA + KEY)
    script = MERGED.replace("'pa', 'b'", "'pa', 'z'").replace(
        "INSERT INTO product", other + "INSERT INTO product"
    )
    judgement = bench.restore(script, NAMED)
    (finding,) = [f for f in findings(judgement) if f.guarantee is G.MERGING]
    assert finding.title == "a child of a merged row does not point to the survivor"
    assert finding.constraint == "product_category_id_fkey"
    assert finding.key == {"id": "pa"}


def test_losing_rows_and_constraint_are_named_first(bench: Bench) -> None:
    bench.begin(SCHEMA + TWO, SCHEMA + KEY)
    refused = Claim(
        success=False,
        exit_code=1,
        message="duplicate key value violates unique constraint category_key of table category",
    )
    judgement = bench.restore("", refused)
    worst = findings(judgement)[0]
    assert worst.guarantee is G.MERGING
    assert worst.constraint == "category_key"
    assert worst.columns == ("bt", "domain_id", "name")
    assert [(one.label, one.row["id"]) for one in worst.evidence] == [
        ("source", "a"),
        ("source", "b"),
    ]
    assert len(bench.source.execute(worst.sql)) == 2
    assert broken(judgement) == {G.MERGING, G.COMPLETENESS}


def test_children_that_collide_because_their_parents_merged(bench: Bench) -> None:
    same = TWO.replace("Ceylon", "Assam")
    bench.begin(SCHEMA + same, SCHEMA + KEY)
    script = MERGED.replace("('pa', 'b', 'Assam'), ('pb', 'b', 'Ceylon')", "('pb', 'b', 'Assam')")
    named = Claim(
        success=True,
        exit_code=0,
        merges=(merge("category", "a", "b"), merge("product", "pa", "pb")),
    )
    assert findings(bench.restore(script, named)) == []


def test_colliding_rows_kept_apart_by_altering_one(bench: Bench) -> None:
    bench.begin(SCHEMA + TWO, SCHEMA + KEY)
    judgement = bench.restore(TWO.replace("'Tea', NULL, 'black'", "'Tea (2)', NULL, 'black'"))
    assert "rows that collide on a unique key of the target were not merged, but altered" in {
        f.title for f in findings(judgement) if f.guarantee is G.MERGING
    }


@pytest.mark.parametrize(
    ("script", "wrong"),
    [
        ("UPDATE category SET color = 'green' WHERE id = 't'", set()),
        (
            "UPDATE category SET color = 'green', id = 'a' WHERE id = 't'",
            {G.PRESERVATION, G.HONESTY},
        ),
    ],
)
def test_row_of_the_target_under_another_id(
    bench: Bench, script: str, wrong: set[Guarantee]
) -> None:
    source = (
        "INSERT INTO domain VALUES ('d');"
        "INSERT INTO category VALUES ('a', 'shop', 'd', 'Tea', NULL, 'green');"
    )
    bench.begin(
        SCHEMA + source, SCHEMA + KEY + source.replace("'a',", "'t',").replace("green", "old")
    )
    named = Claim(success=True, exit_code=0, merges=(merge("category", "a", "t"),))
    assert broken(bench.restore(script, named)) == wrong


def test_refusing_a_row_that_the_target_has_under_another_id(bench: Bench) -> None:
    source = "INSERT INTO category VALUES ('a', 'shop', NULL, 'Tea', NULL, 'green');"
    key = "CREATE UNIQUE INDEX category_name ON category (bt, name);"
    bench.begin(SCHEMA + source, SCHEMA + key + source.replace("'a',", "'t',"))
    claim = Claim(success=False, exit_code=1, message="category: category_name")
    worst = findings(bench.restore("", claim))[0]
    assert (worst.guarantee, worst.constraint) == (G.MERGING, "category_name")
    assert [one.label for one in worst.evidence] == ["source", "target before"]


def test_a_row_that_matches_two_rows_of_the_target_is_to_be_rejected(bench: Bench) -> None:
    table = "CREATE TABLE account (id int PRIMARY KEY, email text UNIQUE, slug text UNIQUE);"
    source = table + "INSERT INTO account VALUES (1, 'a@x', 's1')"
    target = table + "INSERT INTO account VALUES (1, 'old', 'old'), (2, 'a@x', 'z'), (3, 'q', 's1')"
    rejected = Rejection(table="public.account", key={"id": "1"}, reason="matches two rows")
    claim = Claim(
        success=False,
        exit_code=1,
        message="account: account_email_key and account_slug_key",
        rejections=(rejected,),
    )
    bench.begin(source, target)
    assert findings(bench.restore("", claim)) == []
    bench.begin(source, target)
    assert G.COMPLETENESS in broken(bench.restore("UPDATE account SET slug = 's9' WHERE id = 1"))


@pytest.mark.parametrize(
    ("index", "collide"),
    [
        ("CREATE UNIQUE INDEX k ON t (lower(email))", True),
        ("CREATE UNIQUE INDEX k ON t (email)", False),
        ("CREATE UNIQUE INDEX k ON t (lower(email)) WHERE live", False),
        ("CREATE UNIQUE INDEX k ON t (note)", False),
        ("CREATE UNIQUE INDEX k ON t (note) NULLS NOT DISTINCT", True),
        ("CREATE UNIQUE INDEX k ON t (price)", True),
    ],
)
def test_what_a_unique_index_takes_for_equal(bench: Bench, index: str, collide: bool) -> None:
    table = "CREATE TABLE t (id int PRIMARY KEY, email text, live bool, note text, price numeric);"
    rows = "INSERT INTO t VALUES (1, 'Ann@x', true, NULL, 1.10), (2, 'ann@X', false, NULL, 1.1);"
    bench.begin(table + rows, table + index)
    judgement = bench.restore("", Claim(success=False, exit_code=1, message="t: k"))
    assert (G.MERGING in broken(judgement)) is collide


def test_what_an_expression_makes_of_a_moved_reference_is_unknown(bench: Bench) -> None:
    tables = "CREATE TABLE t (id int PRIMARY KEY, k text, up int REFERENCES t);"
    rows = "INSERT INTO t VALUES (1, 'r', NULL), (2, 'r', NULL), (3, 'c', 1), (4, 'c', 2)"
    bench.begin(tables + rows, tables + "CREATE UNIQUE INDEX t_k ON t (k, coalesce(up, 0))")
    named = Claim(
        success=True,
        exit_code=0,
        merges=tuple(
            Merge(table="public.t", key={"id": loser}, survivor={"id": winner})
            for loser, winner in (("1", "2"), ("3", "4"))
        ),
    )
    judgement = bench.restore("INSERT INTO t VALUES (2, 'r', NULL), (4, 'c', 2)", named)
    assert judgement.verdicts()[G.COMPLETENESS] is Verdict.UNKNOWN
    assert broken(judgement) == set()


@pytest.mark.parametrize(
    ("state", "listed"),
    [
        ("indisvalid = false", [("category_key", False)]),
        ("indisvalid = false, indisready = false", []),
    ],
)
def test_an_index_that_is_not_valid_counts_where_it_refuses_new_duplicates(
    bench: Bench, state: str, listed: list[tuple[str, bool]]
) -> None:
    database = bench.database(Side.TARGET, SCHEMA + KEY + DATA)
    with psycopg.connect(database.admin.conninfo) as connection:
        change = f"UPDATE pg_index SET {state} WHERE indexrelid = 'category_key'::regclass"
        connection.execute(change.encode())
    twice = "INSERT INTO category VALUES ('tea again', 'shop', 'd', 'Tea')"
    if listed:
        with pytest.raises(psycopg.errors.UniqueViolation):
            database.execute(twice)
    else:
        database.execute(twice)
    table = take(database.admin).schema.tables["public.category"]
    assert [(key.name, key.valid) for key in table.keys if not key.primary] == listed
    assert table.identity is not None
    assert table.identity.primary


def test_the_key_of_a_partitioned_table_that_no_partition_has_is_none(bench: Bench) -> None:
    script = """
    CREATE TABLE event (id int, code text) PARTITION BY LIST (code);
    CREATE TABLE event_a PARTITION OF event DEFAULT;
    CREATE UNIQUE INDEX event_code ON ONLY event (code);
    INSERT INTO event VALUES (1, 'x'), (2, 'x');
    """
    database = bench.database(Side.TARGET, script)
    assert take(database.admin).schema.tables["public.event"].keys == ()


def test_two_references_that_share_a_column_are_followed_or_the_row_is_rejected(
    bench: Bench,
) -> None:
    tables = """
    CREATE TABLE piece (id int, part int, code text, PRIMARY KEY (id, part));
    CREATE TABLE bin (n int PRIMARY KEY, piece int, part int, other int,
        CONSTRAINT bin_part FOREIGN KEY (piece, part) REFERENCES piece,
        CONSTRAINT bin_other FOREIGN KEY (piece, other) REFERENCES piece);
    """
    rest = "(2, 2, 'a'), (1, 3, 'b'), (2, 3, 'c')"
    source = f"INSERT INTO piece VALUES (1, 1, 'a'), {rest}; INSERT INTO bin VALUES (1, 1, 1, 3);"
    bench.begin(tables + source, tables + "ALTER TABLE piece ADD CONSTRAINT code UNIQUE (code);")
    survivors = f"INSERT INTO piece VALUES {rest};"
    merged = Merge(
        table="public.piece", key={"id": "1", "part": "1"}, survivor={"id": "2", "part": "2"}
    )
    claim = Claim(success=True, exit_code=0, merges=(merged,))
    # (2, 3) is there, and is not the (1, 3) that the row named.
    wrong = bench.restore(survivors + "INSERT INTO bin VALUES (1, 2, 2, 3);", claim)
    found = [one for one in findings(wrong) if one.guarantee is G.MERGING]
    assert [(one.constraint, one.columns) for one in found] == [("bin_other", ("piece", "other"))]
    aside = Rejection(table="public.bin", key={"n": "1"}, reason="pulled apart")
    set_aside = Claim(success=True, exit_code=0, merges=(merged,), rejections=(aside,))
    right = bench.restore("DELETE FROM bin", set_aside)
    assert [one.title for one in findings(right)] == []
