"""After a correct restore the target is changed in one small way; the oracle must see it."""

from __future__ import annotations

import pytest

from tests.oracle.conftest import DATA, KEY, SCHEMA, Bench, broken, findings
from verifier.contract import Guarantee, Severity

G = Guarantee


def test_a_correct_restore_keeps_everything(bench: Bench) -> None:
    bench.begin(SCHEMA + DATA, SCHEMA + KEY)
    judgement = bench.restore(DATA)
    assert findings(judgement) == []
    assert judgement.exercised >= {G.COMPLETENESS, G.FIDELITY, G.ORDERING, G.INTEGRITY, G.HONESTY}


MUTATIONS = {
    "numeric scale": (
        "ALTER TABLE product ALTER price TYPE numeric; UPDATE product SET price = 1.1",
        G.FIDELITY),
    "null for empty": ("UPDATE product SET attrs = 'null' WHERE id = 'p2'", G.FIDELITY),
    "path in jsonb": (
        "UPDATE product SET attrs = '{\"size\": {\"ml\": 101}}' WHERE id = 'p1'", G.FIDELITY),
    "negative zero": ("UPDATE product SET weight = 0 WHERE id = 'p2'", G.FIDELITY),
    "last float digit": ("UPDATE product SET weight = 0.1 + 1.4e-17 WHERE id = 'p1'", G.FIDELITY),
    "one microsecond": ("UPDATE product SET made = made + interval '1 microsecond'", G.FIDELITY),
    "array null": ("UPDATE product SET tags = '{a,\"NULL\"}' WHERE id = 'p1'", G.FIDELITY),
    "array empty": ("UPDATE product SET tags = NULL WHERE id = 'p2'", G.FIDELITY),
    "bytea byte": ("UPDATE product SET image = '\\x00fe' WHERE id = 'p1'", G.FIDELITY),
    "text and NULL": ("UPDATE category SET color = '<null>' WHERE id = 'cake'", G.FIDELITY),
    "child moved": ("UPDATE product SET category_id = 'cake' WHERE id = 'p1'", G.FIDELITY),
    "row missing": ("DELETE FROM \"_ProductToLabel\" WHERE \"A\" = 'p2'", G.COMPLETENESS),
    "row invented": ("INSERT INTO domain VALUES ('e')", G.COMPLETENESS),
    "keyless row missing": ("DELETE FROM log WHERE ctid = '(0,1)'", G.COMPLETENESS),
    "keyless row twice": ("INSERT INTO log VALUES (NULL, 'y')", G.COMPLETENESS),
    "stale sequence": ("SELECT setval('label_id_seq', 1)", G.INTEGRITY),
    "sequence at its end": ("SELECT setval('label_id_seq', 2147483647)", G.INTEGRITY),
    "dropped constraint": (
        "ALTER TABLE product DROP CONSTRAINT product_category_name", G.INTEGRITY),
    "deferrable left on": (
        "ALTER TABLE product ALTER CONSTRAINT product_category_id_fkey DEFERRABLE", G.INTEGRITY),
    "session table": ("INSERT INTO session VALUES (1, 'TRANSFERRING')", G.PRESERVATION),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTATIONS)
def test_one_small_change_is_seen(bench: Bench, name: str) -> None:
    script, guarantee = MUTATIONS[name]
    bench.begin(SCHEMA + DATA, SCHEMA + KEY)
    bench.target.execute(DATA)
    judgement = bench.restore(script)
    assert guarantee in broken(judgement)
    # Whatever is wrong with the target makes the claimed success a lie, which comes first.
    worst = findings(judgement)[0]
    assert (worst.guarantee, worst.severity) == (G.HONESTY, Severity.LIE)


def test_a_difference_inside_a_document_names_the_path(bench: Bench) -> None:
    bench.begin(SCHEMA + DATA, SCHEMA + KEY)
    bench.target.execute(DATA)
    judgement = bench.restore(MUTATIONS["path in jsonb"][0])
    (finding,) = [f for f in findings(judgement) if f.guarantee is G.FIDELITY]
    assert finding.columns == ("attrs['size']['ml']",)
    assert finding.key == {"id": "p1"}
    assert [one.row["attrs"] for one in finding.evidence] == [
        '{"size": {"ml": 100}}',
        '{"size": {"ml": 101}}',
    ]
    assert bench.target.execute(finding.sql)[0][0] == "p1"


def test_hidden_orphan_under_a_validated_constraint(bench: Bench) -> None:
    bench.begin(SCHEMA + DATA, SCHEMA + KEY)
    bench.target.execute(DATA)
    judgement = bench.restore(
        "SET session_replication_role = replica; UPDATE product SET category_id = 'gone'"
        " WHERE id = 'p1'",
        admin=True,
    )
    assert {G.INTEGRITY, G.ORDERING} <= broken(judgement)
    orphan = next(f for f in findings(judgement) if f.guarantee is G.INTEGRITY)
    assert orphan.constraint == "product_category_id_fkey"


def test_what_was_broken_before_is_not_the_restores_doing(bench: Bench) -> None:
    stale = "INSERT INTO label VALUES (7, 'old');"
    bench.begin(SCHEMA + DATA, SCHEMA + KEY + stale)
    judgement = bench.restore(DATA)  # its setval leaves the sequence behind 7, as it was
    assert [f.title for f in findings(judgement) if "sequence" in f.title] != []
    bench.begin(SCHEMA, SCHEMA + KEY + stale)
    assert findings(bench.restore("")) == []


def test_rows_of_the_target_that_are_not_in_the_backup(bench: Bench) -> None:
    own = (
        "INSERT INTO domain VALUES ('mine'), ('gone');"
        "INSERT INTO category VALUES ('c', 'own', 'mine', 'C', NULL, 'red')"
    )
    bench.begin(SCHEMA + DATA, SCHEMA + KEY + own)
    judgement = bench.restore(
        DATA
        + "DELETE FROM domain WHERE id = 'gone'; UPDATE category SET color = 'x' WHERE id = 'c'"
    )
    titles = {f.title for f in findings(judgement) if f.guarantee is G.PRESERVATION}
    assert titles == {
        "a row of the target that is not in the backup was removed",
        "a row of the target that is not in the backup was changed",
    }


def test_target_that_keeps_its_own_older_row(bench: Bench) -> None:
    bench.begin(SCHEMA + DATA, SCHEMA + KEY + DATA + "UPDATE product SET price = 9;")
    judgement = bench.restore("UPDATE product SET price = NULL WHERE id = 'p2'")
    (finding,) = [f for f in findings(judgement) if f.guarantee is G.COMPLETENESS]
    assert finding.title == "the target still holds its own row instead of the source's"
    assert finding.columns == ("price",)


def test_values_swapped_between_rows_do_not_collide(bench: Bench) -> None:
    source = (
        SCHEMA + "INSERT INTO label VALUES (1, 'b'), (2, 'a'); SELECT setval('label_id_seq', 2)"
    )
    target = SCHEMA + KEY + "INSERT INTO label VALUES (1, 'a'), (2, 'b');"
    bench.begin(source, target)
    judgement = bench.restore(
        "UPDATE label SET word = 'tmp' WHERE id = 1; UPDATE label SET word = 'a' WHERE id = 2;"
        "UPDATE label SET word = 'b' WHERE id = 1; SELECT setval('label_id_seq', 2)"
    )
    assert findings(judgement) == []
