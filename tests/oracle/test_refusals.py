"""Rows that nobody can restore, failures that are honest, and failures that are not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.oracle.conftest import DATA, DONE, KEY, SCHEMA, Bench, broken, findings
from verifier.contract import Claim, Counts, Guarantee, Rejection, Severity

G = Guarantee
ORPHAN = (
    SCHEMA
    + DATA
    + "ALTER TABLE product DROP CONSTRAINT product_category_id_fkey;"
    + "INSERT INTO product (id, category_id, name) VALUES ('lost', 'gone', 'x');"
    + "INSERT INTO \"_ProductToLabel\" VALUES ('lost', 1);"
)
REJECTED = (
    Rejection(
        table="public.product",
        key={"id": "lost"},
        reason="category gone does not exist",
        constraint="product_category_id_fkey",
    ),
    Rejection(table='public."_ProductToLabel"', key={"A": "lost", "B": "1"}, reason="product lost"),
)
REFUSED = Claim(
    success=False,
    exit_code=1,
    message="public.product lost: product_category_id_fkey",
    rejections=REJECTED,
)


def test_orphans_named_with_all_that_depends_on_them(bench: Bench) -> None:
    bench.begin(ORPHAN, SCHEMA + KEY)
    judgement = bench.restore("", REFUSED)
    assert findings(judgement) == []
    assert judgement.exercised >= {G.ATOMICITY, G.COMPLETENESS, G.HONESTY}


def test_only_the_first_orphan_named(bench: Bench) -> None:
    bench.begin(ORPHAN, SCHEMA + KEY)
    judgement = bench.restore("", replace(REFUSED, rejections=REJECTED[:1]))
    (finding,) = findings(judgement)
    assert (finding.guarantee, finding.table) == (G.COMPLETENESS, 'public."_ProductToLabel"')


def test_orphans_dropped_without_a_word(bench: Bench) -> None:
    bench.begin(ORPHAN, SCHEMA + KEY)
    judgement = bench.restore(DATA)
    assert broken(judgement) == {G.COMPLETENESS, G.HONESTY}
    assert findings(judgement)[0].severity is Severity.LIE


def test_a_row_rejected_without_need(bench: Bench) -> None:
    bench.begin(ORPHAN, SCHEMA + KEY)
    needless = Rejection(table="public.product", key={"id": "p1"}, reason="did not like it")
    judgement = bench.restore("", replace(REFUSED, rejections=(*REJECTED, needless)))
    assert [f.title for f in findings(judgement)] == ["a row was rejected that the target can take"]


@pytest.mark.parametrize(
    ("column", "excused"),
    [
        ("code text NOT NULL UNIQUE CHECK (length(code) = 1)", True),
        ("code text NOT NULL UNIQUE", False),
        ("code text UNIQUE", False),
        ("code text NOT NULL UNIQUE DEFERRABLE", False),
        ("code text UNIQUE NULLS NOT DISTINCT CHECK (length(code) = 1)", True),
    ],
)
def test_values_that_cannot_be_let_go_of(bench: Bench, column: str, excused: bool) -> None:
    table = f"CREATE TABLE t (id int PRIMARY KEY, {column});"
    swapped = table + "INSERT INTO t VALUES (1, 'b'), (2, 'a'), (3, 'c');"
    bench.begin(swapped, table + "INSERT INTO t VALUES (1, 'a'), (2, 'b');")
    rejections = tuple(
        Rejection(table="public.t", key={"id": id}, reason="t_code_key is taken over")
        for id in ("1", "2")
    )
    claim = Claim(success=False, exit_code=1, message="t: t_code_key", rejections=rejections)
    assert (broken(bench.restore("", claim)) == set()) is excused
    # What holds no value of another row is no matter of order.
    third = replace(rejections[0], key={"id": "3"})
    assert broken(bench.restore("", replace(claim, rejections=(*rejections, third))))


def test_what_a_rejected_row_would_have_taken_stays(bench: Bench) -> None:
    tables = "CREATE TABLE p (id int PRIMARY KEY);"
    t = tables + "CREATE TABLE t (id int PRIMARY KEY, code text UNIQUE, p int{});"
    source = t.format("") + "INSERT INTO t VALUES (1, 'x', 9), (2, 'a', NULL), (3, 'c', NULL)"
    target = t.format(" REFERENCES p") + "INSERT INTO t VALUES (1, 'a', NULL){};"

    def rejected(*ids: str) -> tuple[Rejection, ...]:
        return tuple(Rejection(table="public.t", key={"id": id}, reason="t_code") for id in ids)

    claim = Claim(success=False, exit_code=1, message="t: t_code_key")
    # The second row brings the code that the first one leaves to the target's row, ...
    bench.begin(source, target.format(", (2, 'b', NULL)"))
    assert not broken(bench.restore("", replace(claim, rejections=rejected("1", "2"))))
    # ... so it is two rows of the target, and may not be written under its own key.
    assert broken(bench.restore("", replace(claim, rejections=rejected("1")))) == {G.COMPLETENESS}
    # Where it is only that row, it is merged into it.
    bench.begin(source, target.format(""))
    needless = replace(claim, rejections=rejected("1", "2"))
    assert broken(bench.restore("", needless)) == {G.COMPLETENESS}
    done = Claim(success=True, rejections=rejected("1"))
    assert not broken(bench.restore("INSERT INTO t VALUES (3, 'c', NULL)", done))


def test_a_parent_that_a_rejected_row_would_have_written_over(bench: Bench) -> None:
    tables = "CREATE TABLE a (id int PRIMARY KEY, code text UNIQUE);"
    child = "CREATE TABLE {} (id int PRIMARY KEY, code text{});"
    refers = " REFERENCES a (code)"
    source = tables + child.format("b", "") + child.format("c", "")
    target = tables + child.format("b", refers) + child.format("c", refers)
    bench.begin(
        source + "INSERT INTO a VALUES (1, 'new'); INSERT INTO c VALUES (1, 'old')",
        target + "INSERT INTO a VALUES (1, 'old'); INSERT INTO b VALUES (1, 'old')",
    )
    # What the target's row of b refers to may not be changed, and so c has its parent.
    rejections = (Rejection(table="public.a", key={"id": "1"}, reason="b_code_fkey"),)
    claim = Claim(success=False, exit_code=1, message="a: a_code_key", rejections=rejections)
    assert broken(bench.restore("", claim)) == set()
    child_too = Rejection(table="public.c", key={"id": "1"}, reason="c_code_fkey")
    needless = replace(claim, rejections=(*rejections, child_too))
    assert broken(bench.restore("", needless)) == {G.COMPLETENESS}


@pytest.mark.parametrize(
    ("said", "honest"),
    [
        ("menü: menü_größe_key", True),
        ("men\ufffd: men\ufffd_gr\ufffd\ufffde_key", True),
        ("men\ufffd: the disk is full", False),
        ("menu: menu_grosse_key", False),
    ],
)
def test_a_name_may_be_told_in_another_encoding(bench: Bench, said: str, honest: bool) -> None:
    table = 'CREATE TABLE "menü" (id int, "größe" text CONSTRAINT "menü_größe_key" UNIQUE);'
    strict = table + 'ALTER TABLE "menü" ADD CONSTRAINT few CHECK (id < 3);'
    bench.begin(table + "INSERT INTO \"menü\" VALUES (3, 'x')", strict)
    judgement = bench.restore("", Claim(success=False, exit_code=1, message=said))
    assert (G.HONESTY not in broken(judgement)) is honest


@pytest.mark.parametrize("name", ['public."a ""b"""', 'a "b"'])
def test_a_table_that_is_lacking_may_be_named_as_sql_quotes_it(bench: Bench, name: str) -> None:
    bench.begin('CREATE TABLE "a ""b""" (id int); INSERT INTO "a ""b""" VALUES (1)', "")
    message = f"table {name} does not exist in the target"
    judgement = bench.restore("", Claim(success=False, exit_code=1, message=message))
    assert not broken(judgement)


def test_a_failure_that_left_rows_behind(bench: Bench) -> None:
    bench.begin(ORPHAN, SCHEMA + KEY)
    judgement = bench.restore("INSERT INTO domain VALUES ('d')", REFUSED)
    (finding,) = findings(judgement)
    assert (finding.guarantee, finding.table) == (G.ATOMICITY, "public.domain")


def test_a_failure_that_moved_a_sequence(bench: Bench) -> None:
    bench.begin(ORPHAN, SCHEMA + KEY)
    assert broken(bench.restore("SELECT setval('label_id_seq', 99)", REFUSED)) == {G.ATOMICITY}


def test_a_failure_that_left_a_constraint_switched_off(bench: Bench) -> None:
    bench.begin(ORPHAN, SCHEMA + KEY)
    script = "ALTER TABLE product DISABLE TRIGGER ALL"
    judgement = bench.restore(script, REFUSED, admin=True)
    assert broken(judgement) == {G.ATOMICITY}
    assert any(
        "foreign key product_category_id_fkey on public.product" in f.title
        for f in findings(judgement)
    )


def test_failing_without_need(bench: Bench) -> None:
    bench.begin(SCHEMA + DATA, SCHEMA + KEY)
    claim = Claim(success=False, exit_code=1, message="product: product_pkey")
    assert broken(bench.restore("", claim)) == {G.COMPLETENESS}


@pytest.mark.parametrize(
    "claim",
    [replace(REFUSED, exit_code=0), replace(REFUSED, message=""), replace(REFUSED, message="oops")],
)
def test_a_failure_that_does_not_say_so(bench: Bench, claim: Claim) -> None:
    bench.begin(ORPHAN, SCHEMA + KEY)
    claim = replace(claim, rejections=() if claim.message == "oops" else REJECTED)
    assert G.HONESTY in broken(bench.restore("", claim))


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("ALTER TABLE product ALTER price SET NOT NULL", "column price is NULL"),
        ("ALTER TABLE product ADD CONSTRAINT dear CHECK (price > 5)", "check dear is false"),
    ],
)
def test_rows_that_break_a_rule_of_the_target(bench: Bench, rule: str, why: str) -> None:
    bench.begin(SCHEMA + DATA, SCHEMA + KEY + rule)
    judgement = bench.restore("", Claim(success=False, exit_code=1, message="product: price dear"))
    assert any(why in finding.title for finding in findings(judgement))


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE product ADD COLUMN extra text NOT NULL",
        "ALTER TABLE product DROP COLUMN weight",
        "DROP TABLE log",
    ],
)
def test_structure_that_the_data_does_not_fit(bench: Bench, change: str) -> None:
    bench.begin(SCHEMA + DATA, SCHEMA + KEY + change)
    vague = bench.restore("", Claim(success=False, exit_code=2, message="no"))
    assert G.COMPLETENESS in broken(vague)
    exact = "public.product.extra public.product.weight public.log product extra id"
    judgement = bench.judge.judge(
        bench.observe(Claim(success=False, exit_code=2, message=f"column {exact}"))
    )
    assert findings(judgement) == []


def test_counts_that_are_not_so(bench: Bench) -> None:
    bench.begin(SCHEMA + DATA, SCHEMA + KEY)
    right = {
        "public.domain": Counts(inserted=1),
        "public.category": Counts(inserted=2),
        "public.product": Counts(inserted=2),
        "public.label": Counts(inserted=2),
        'public."_ProductToLabel"': Counts(inserted=3),
        "public.log": Counts(inserted=3),
    }
    assert findings(bench.restore(DATA, replace(DONE, counts=right))) == []
    wrong = right | {"public.product": Counts(inserted=3)}
    (finding,) = findings(bench.judge.judge(bench.observe(replace(DONE, counts=wrong))))
    assert (finding.guarantee, finding.table) == (G.HONESTY, "public.product")
    assert finding.columns == ("inserted",)


@pytest.mark.parametrize(("present", "restorable"), [("('eur')", True), ("('usd')", False)])
def test_parents_in_a_table_that_only_the_target_has(
    bench: Bench, present: str, restorable: bool
) -> None:
    source = "CREATE TABLE price (id int PRIMARY KEY, currency text);"
    target = (
        "CREATE TABLE currency (code text PRIMARY KEY);"
        "CREATE TABLE price (id int PRIMARY KEY, currency text REFERENCES currency);"
    )
    rows = "INSERT INTO price VALUES (1, 'eur');"
    bench.begin(source + rows, f"{target} INSERT INTO currency VALUES {present}")
    if restorable:
        assert findings(bench.restore(rows)) == []
    else:
        claim = Claim(success=False, exit_code=1, message="price 1: price_currency_fkey")
        (finding,) = findings(bench.restore("", claim))
        assert (finding.guarantee, finding.constraint) == (G.COMPLETENESS, "price_currency_fkey")


STRICT = """
CREATE TYPE mood AS ENUM ('calm', 'glad'); CREATE DOMAIN share AS numeric CHECK (VALUE <= 100);
CREATE TABLE t (id int PRIMARY KEY, mood mood, share share, name varchar(3), code char(3),
    price numeric(6, 1), n smallint, day date, doc jsonb, plain text);
"""
LAX = """
CREATE TYPE mood AS ENUM ('sad', 'calm', 'glad'); CREATE DOMAIN share AS numeric;
CREATE TABLE t (id int PRIMARY KEY, mood mood, share share, name text, code char(5),
    price numeric, n int, day text, doc json, plain text);
INSERT INTO t VALUES (0, 'calm', 100, 'abc', 'abc', 1.10, 32767, '2025-01-31', '{}', 'x');
"""


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("mood", "sad"),
        ("share", "100.5"),
        ("name", "abcd"),
        ("name", "ab  "),
        ("code", "abcd"),
        ("price", "1.25"),
        ("n", "32768"),
        ("day", "31.02.2025"),
        ("doc", r'"\u0000"'),
    ],
)
def test_values_that_a_type_of_the_target_does_not_take(
    bench: Bench, column: str, value: str
) -> None:
    lax = LAX + f"INSERT INTO t (id, {column}) VALUES (1, '{value}'), (2, NULL), (3, '{value}')"
    bench.begin(lax, STRICT)
    refused = Claim(
        success=False,
        exit_code=1,
        message=f"t: {column}",
        rejections=tuple(
            Rejection(table="public.t", key={"id": key}, reason="x") for key in ("1", "3")
        ),
    )
    assert broken(bench.restore("", refused)) == set()
    too_much = Rejection(table="public.t", key={"id": "2"}, reason="x")
    refused = replace(refused, rejections=((refused.rejections or ())[0], too_much))
    assert {f.title for f in findings(bench.restore("", refused))} == {
        "a row was rejected that the target can take",
        "a row that cannot be restored is not named: "
        f"the type of column {column} does not take its value",
    }
