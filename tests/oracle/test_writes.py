"""The write probe, the order of writes, second runs and what is left behind."""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import replace

import psycopg
import pytest

from tests.oracle.conftest import DATA, DONE, KEY, SCHEMA, Bench, broken, findings
from verifier.contract import Claim, Counts, Guarantee, Severity
from verifier.oracle import judge_again, judge_retry, leftovers

G = Guarantee
FAILED = Claim(success=False, exit_code=1, message="product: product_category_id_fkey")


def test_children_before_parents_are_seen_although_the_restore_was_rolled_back(
    bench: Bench,
) -> None:
    bench.begin(SCHEMA + DATA, SCHEMA + KEY)
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        bench.target.execute(
            "BEGIN; INSERT INTO product (id, category_id, name) VALUES ('p1', 'tea', 'Assam')"
        )
    judgement = bench.restore("", FAILED)
    finding = next(f for f in findings(judgement) if f.guarantee is G.ORDERING)
    assert (finding.table, finding.constraint) == ("public.product", "product_category_id_fkey")


def test_backslashes_that_are_escapes_do_not_hide_the_probe(bench: Bench) -> None:
    bench.begin("", "CREATE TABLE t (id int PRIMARY KEY)")
    bench.target.execute(
        "DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET standard_conforming_strings = off',"
        " current_database()); END$$"
    )
    bench.target.execute("INSERT INTO t VALUES (1)")
    assert bench.probe.read().first_insert == {"public.t": 1}


def test_children_alone_when_the_parents_are_there_already(bench: Bench) -> None:
    parents = DATA[: DATA.index("INSERT INTO product")]
    children = DATA[DATA.index("INSERT INTO product") :]
    bench.begin(SCHEMA + DATA, SCHEMA + KEY + parents)
    assert findings(bench.restore(children)) == []


def test_a_cycle_of_tables_demands_no_order(bench: Bench) -> None:
    tables = (
        "CREATE TABLE dept (id int PRIMARY KEY, boss int);"
        "CREATE TABLE emp (id int PRIMARY KEY, dept int NOT NULL REFERENCES dept);"
        "ALTER TABLE dept ADD FOREIGN KEY (boss) REFERENCES emp DEFERRABLE INITIALLY DEFERRED;"
    )
    rows = "INSERT INTO dept VALUES (1, 1); INSERT INTO emp VALUES (1, 1);"
    bench.begin(tables + "BEGIN;" + rows + "COMMIT;", tables)
    assert findings(bench.restore("BEGIN;" + rows + "COMMIT;")) == []


def test_the_probe_switched_off_is_seen(bench: Bench) -> None:
    bench.begin(SCHEMA + DATA, SCHEMA + KEY)
    judgement = bench.restore(
        "ALTER TABLE domain DISABLE TRIGGER rv_probe;" + DATA
        + "ALTER TABLE domain ENABLE ALWAYS TRIGGER rv_probe;"
    )  # fmt: skip
    unseen = [f.table for f in findings(judgement) if "switched off" in f.title]
    assert unseen == ["public.domain"]


def test_the_restore_stands_still_where_it_is_held(bench: Bench) -> None:
    bench.begin(SCHEMA + DATA, SCHEMA + KEY)
    with bench.probe.hold("public.product") as held:
        restore = threading.Thread(target=bench.target.execute, args=("BEGIN;" + DATA + "COMMIT",))
        restore.start()
        assert held.wait(10, given_up=lambda: not restore.is_alive())
        assert bench.probe.read().first_insert.keys() == {
            "public.domain", "public.category", "public.product",
        }  # fmt: skip
        assert bench.target.execute("SELECT count(*) FROM domain") == [(0,)]
    restore.join()
    assert bench.target.execute("SELECT count(*) FROM domain") == [(1,)]


def test_a_second_run_that_changes_nothing(bench: Bench) -> None:
    bench.begin(SCHEMA + DATA, SCHEMA + KEY)
    bench.target.execute(DATA)
    first = bench.observe().after
    assert findings(judge_again(first, bench.observe())) == []


def test_a_second_run_that_changes_something(bench: Bench) -> None:
    bench.begin(SCHEMA + DATA, SCHEMA + KEY)
    bench.target.execute(DATA)
    first = bench.observe().after
    bench.target.execute("INSERT INTO log VALUES (NULL, 'y'); UPDATE domain SET id = id")
    judgement = judge_again(first, bench.observe(DONE))
    assert broken(judgement) == {G.IDEMPOTENCE}
    (added, waste) = judgement.findings.worst_first()
    assert (added.table, added.severity) == ("public.log", Severity.BREACH)
    assert (waste.table, waste.severity, waste.count) == ("public.domain", Severity.NOTE, 1)


def test_a_second_run_that_only_draws_numbers_is_worth_a_note(bench: Bench) -> None:
    bench.begin(SCHEMA + DATA, SCHEMA + KEY)
    bench.target.execute(DATA)
    first = bench.observe().after
    bench.target.execute("SELECT nextval('label_id_seq')")
    judgement = judge_again(first, bench.observe(DONE))
    assert broken(judgement) == set()
    (note,) = judgement.findings.worst_first()
    assert (note.table, note.severity) == ("public.label_id_seq", Severity.NOTE)


def test_a_second_run_that_says_it_wrote(bench: Bench) -> None:
    bench.begin(SCHEMA + DATA, SCHEMA + KEY)
    bench.target.execute(DATA)
    first = bench.observe().after
    again = replace(DONE, counts={"public.label": Counts(updated=2), "public.log": Counts()})
    (finding,) = findings(judge_again(first, bench.observe(again)))
    assert (finding.guarantee, finding.table) == (G.IDEMPOTENCE, "public.label")


def test_a_retry_that_does_not_end_like_a_clean_run(bench: Bench) -> None:
    bench.begin(SCHEMA + DATA, SCHEMA + KEY)
    bench.target.execute(DATA)
    clean = bench.observe()
    assert findings(judge_retry(bench.observe(), clean)) == []
    bench.target.execute("UPDATE product SET price = 9 WHERE id = 'p1'")
    retry = bench.observe(replace(DONE, success=False))
    ended, differs = findings(judge_retry(retry, clean))
    assert "did not end as it does without one" in ended.title
    assert (differs.table, differs.columns) == ("public.product", ("price",))


DATABASE = "DO $$BEGIN EXECUTE format('ALTER DATABASE %I {}', current_database()); END$$;"
ACCOUNT = "DO $$BEGIN EXECUTE format('ALTER ROLE %I SET {}', current_user); END$$;"
OF_THE_ACCOUNT = ACCOUNT.format("statement_timeout = 0")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (DATABASE.format("SET synchronous_commit = off"), "synchronous_commit of every account"),
        (DATABASE.format("CONNECTION LIMIT 7"), "connection limit"),
        (OF_THE_ACCOUNT, "statement_timeout of "),
        ("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC", "default privileges on r of"),
    ],
)
@pytest.mark.parametrize("claim", [DONE, FAILED], ids=["success", "failure"])
def test_settings_that_outlive_the_restore(
    bench: Bench, change: str, what: str, claim: Claim
) -> None:
    bench.begin("CREATE TABLE t (id int PRIMARY KEY)", "CREATE TABLE t (id int PRIMARY KEY)")
    try:
        found = findings(bench.restore(change, claim))
    finally:
        bench.target.execute(ACCOUNT.replace(" SET {}", " RESET ALL"))
    guarantee = G.INTEGRITY if claim.success else G.ATOMICITY
    (finding,) = [f for f in found if f.guarantee is guarantee and what in f.title]
    assert finding.evidence


def test_a_session_left_behind(bench: Bench) -> None:
    bench.begin(SCHEMA + DATA, SCHEMA + KEY)
    assert leftovers(bench.target.admin) == []
    with closing(psycopg.connect(bench.target.dsn.conninfo)) as session:
        session.execute("SELECT 1")
        (finding,) = leftovers(bench.target.admin)
    assert finding.guarantee is G.RECOVERABILITY
