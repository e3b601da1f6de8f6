"""Each faulty implementation does what its name says, and is right where its fault is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.implementations.conftest import MakeEndpoint, rows
from verifier.contract import Claim, Counts
from verifier.dsn import Dsn
from verifier.implementations import implementation
from verifier.implementations.faulty import FAULTY
from verifier.servers import Side

# pg_dump goes by name where no foreign key tells otherwise: children first.
TABLES = """
    CREATE TABLE a_products (id int PRIMARY KEY, category int);
    CREATE TABLE categories (
        id int PRIMARY KEY, parent int, "businessType" text, "domainId" int, name text);
"""
FOREIGN_KEYS = """
    ALTER TABLE a_products ADD CONSTRAINT products_category FOREIGN KEY (category)
        REFERENCES categories;
    ALTER TABLE categories ADD CONSTRAINT categories_parent FOREIGN KEY (parent)
        REFERENCES categories;
"""
UNIQUE = 'CREATE UNIQUE INDEX categories_key ON categories ("businessType", "domainId", name);'

CLEAN = """
    INSERT INTO categories VALUES (1, NULL, 'cafe', 1, 'Tea'), (3, 1, 'cafe', NULL, 'Green');
    INSERT INTO a_products VALUES (10, 1), (11, 3), (12, NULL);
"""
DUPLICATE = f"""
    {CLEAN}
    INSERT INTO categories VALUES (2, NULL, 'cafe', 1, 'Tea');
    INSERT INTO a_products VALUES (20, 2);
"""
ORPHANS = f"""
    {CLEAN}
    INSERT INTO categories VALUES (4, 98, 'cafe', 1, 'Lost');
    INSERT INTO a_products VALUES (30, 99);
"""
CHILD_FIRST = """
    INSERT INTO categories VALUES (3, 1, 'cafe', 1, 'Green'), (1, NULL, 'cafe', 1, 'Tea');
"""
Run = Callable[..., tuple[Claim, Dsn]]


@pytest.fixture
def run(endpoint: MakeEndpoint) -> Run:
    def restore(name: str, data: str, *, ordered: bool = True) -> tuple[Claim, Dsn]:
        """Restore ``data`` with ``name``; ``ordered`` gives the source the foreign keys as well.

        Orphans need a source without them.
        """
        keys = FOREIGN_KEYS if ordered else ""
        source = endpoint(Side.SOURCE, TABLES + keys, data)
        target = endpoint(Side.TARGET, TABLES + FOREIGN_KEYS + UNIQUE)
        tool = implementation(name)
        return tool.restore(tool.backup(source), target), target.dsn

    return restore


def ids(dsn: Dsn, table: str) -> list[object]:
    return [key for (key,) in rows(dsn, f"SELECT id FROM {table} ORDER BY id")]


@pytest.mark.parametrize("name", FAULTY)
def test_clean_data_in_a_good_order_is_restored_by_all_of_them(
    endpoint: MakeEndpoint, name: str
) -> None:
    source = endpoint(Side.SOURCE, TABLES + FOREIGN_KEYS, CLEAN)
    target = endpoint(Side.TARGET, TABLES + FOREIGN_KEYS + UNIQUE)
    tool = implementation(name)
    claim = tool.restore(tool.backup(source), target)
    assert claim.success, claim.message
    assert claim.counts in (
        None,  # psql counts nothing
        {"public.categories": Counts(inserted=2), "public.a_products": Counts(inserted=3)},
    )
    assert (ids(target.dsn, "categories"), ids(target.dsn, "a_products")) == ([1, 3], [10, 11, 12])


def test_upsert_by_id_fails_on_the_second_copy(run: Run) -> None:
    claim, target = run("faulty:upsert-by-id", DUPLICATE)
    assert not claim.success
    assert claim.rejections is not None
    (rejection,) = claim.rejections
    assert (rejection.key, rejection.constraint) == ({"id": "2"}, "categories_key")
    assert ids(target, "categories") == []


def test_composite_upsert_takes_the_id_away_from_the_first_copy(run: Run) -> None:
    claim, target = run("faulty:composite-upsert", DUPLICATE)
    assert not claim.success
    assert claim.rejections is not None
    (rejection,) = claim.rejections
    # Either the row that moves, because it has children already, or a child that comes later.
    assert rejection.constraint in ("categories_parent", "products_category")
    assert ids(target, "categories") == []


def test_composite_upsert_moves_the_id_of_a_row_that_has_no_children(run: Run) -> None:
    data = "INSERT INTO categories VALUES (1, NULL, 'cafe', 1, 'Tea'), (2, NULL, 'cafe', 1, 'Tea')"
    claim, target = run("faulty:composite-upsert", data)
    assert claim.success
    assert claim.counts == {"public.categories": Counts(inserted=1, updated=1)}
    assert ids(target, "categories") == [2]


@pytest.mark.parametrize(
    ("data", "constraint"),
    [(CLEAN, "products_category"), (CHILD_FIRST, "categories_parent")],
    ids=["tables", "rows of one table"],
)
def test_backup_order_writes_children_before_their_parents(
    run: Run, data: str, constraint: str
) -> None:
    claim, _ = run("faulty:backup-order", data, ordered=False)
    assert not claim.success
    assert claim.rejections is not None
    assert [rejection.constraint for rejection in claim.rejections] == [constraint]
    right, target = run("faulty:upsert-by-id", data, ordered=False)
    assert right.success, right.message
    assert ids(target, "categories") == [1, 3]


def test_swallow_errors_claims_every_row_and_loses_some(run: Run) -> None:
    claim, target = run("faulty:swallow-errors", ORPHANS, ordered=False)
    assert (claim.success, claim.exit_code, claim.rejections) == (True, 0, ())
    assert claim.counts == {
        "public.categories": Counts(inserted=3),
        "public.a_products": Counts(inserted=4),
    }
    assert (ids(target, "categories"), ids(target, "a_products")) == ([1, 3], [10, 11, 12])


def test_drop_orphans_leaves_them_out_without_a_word(run: Run) -> None:
    claim, target = run("faulty:drop-orphans", ORPHANS, ordered=False)
    assert (claim.success, claim.exit_code, claim.rejections) == (True, 0, ())
    assert claim.message == ""
    assert claim.counts == {
        "public.categories": Counts(inserted=2),
        "public.a_products": Counts(inserted=3),
    }
    assert (ids(target, "categories"), ids(target, "a_products")) == ([1, 3], [10, 11, 12])


def test_drop_orphans_still_refuses_what_is_not_an_orphan(run: Run) -> None:
    claim, target = run("faulty:drop-orphans", DUPLICATE)
    assert not claim.success
    assert ids(target, "categories") == []


def test_first_duplicate_wins_and_takes_the_children_of_the_other_along(run: Run) -> None:
    claim, target = run("faulty:first-duplicate-wins", DUPLICATE)
    assert claim.success
    assert (ids(target, "categories"), ids(target, "a_products")) == ([1, 3], [10, 11, 12])


def test_one_level_re_points_the_children_of_a_duplicate(run: Run) -> None:
    claim, target = run("faulty:one-level", DUPLICATE)
    assert claim.success, claim.message
    assert ids(target, "categories") == [1, 3]
    assert rows(target, "SELECT category FROM a_products WHERE id = 20") == [(1,)]


def carried(endpoint: MakeEndpoint, name: str, columns: str, values: str) -> tuple[object, ...]:
    """The one row of the target after ``name`` restored it, as text."""
    table = f"CREATE TABLE t (id int PRIMARY KEY, {columns});"
    source = endpoint(Side.SOURCE, table, f"INSERT INTO t VALUES (1, {values})")
    target = endpoint(Side.TARGET, table)
    tool = implementation(name)
    claim = tool.restore(tool.backup(source), target)
    assert claim.success, claim.message
    names = ", ".join(f"{column.split()[0]}::text" for column in columns.split(", "))
    (row,) = rows(target.dsn, f"SELECT {names} FROM t")
    return row


def test_json_transport_rounds_as_javascript_does(endpoint: MakeEndpoint) -> None:
    columns = "big bigint, price numeric, nan float8, at timestamp, said text"
    values = "9007199254740993, 1.10, 'NaN', '2025-01-01 10:00:00.123456', '1.10'"
    assert carried(endpoint, "faulty:json-transport", columns, values) == (
        "9007199254740992",
        "1.1",
        "0",
        "2025-01-01 10:00:00.123",
        "1.10",
    )


def test_empty_is_null_where_the_column_takes_it(endpoint: MakeEndpoint) -> None:
    columns = "maybe text, must text NOT NULL, said text"
    assert carried(endpoint, "faulty:empty-is-null", columns, "'', '', ' '") == (None, "", " ")


def test_foreign_keys_not_valid_lets_orphans_in_and_has_the_keys_back(run: Run) -> None:
    claim, target = run("faulty:foreign-keys-not-valid", ORPHANS, ordered=False)
    assert claim.success, claim.message
    assert ids(target, "a_products") == [10, 11, 12, 30]
    keys = "SELECT conname, convalidated FROM pg_constraint WHERE contype = 'f' ORDER BY conname"
    assert rows(target, keys) == [("categories_parent", False), ("products_category", False)]


def test_constraints_deferred_takes_any_order_and_leaves_the_keys_as_they_were(run: Run) -> None:
    claim, target = run("faulty:constraints-deferred", CHILD_FIRST, ordered=False)
    assert claim.success, claim.message
    assert ids(target, "categories") == [1, 3]
    deferrable = "SELECT count(*) FROM pg_constraint WHERE condeferrable OR NOT convalidated"
    assert rows(target, deferrable) == [(0,)]


@pytest.mark.parametrize("name", ["faulty:lock-file", "faulty:session-left"])
def test_a_failure_keeps_the_next_restore_out_of_its_target_only(
    endpoint: MakeEndpoint, name: str
) -> None:
    source = endpoint(Side.SOURCE, TABLES, ORPHANS)
    target, other = (endpoint(Side.TARGET, TABLES + FOREIGN_KEYS) for _ in range(2))
    tool = implementation(name)
    backup = tool.backup(source)
    first, again, elsewhere = (tool.restore(backup, each) for each in (target, target, other))
    assert not first.success
    assert "is under way" not in first.message
    assert "is under way" in again.message
    assert "is under way" not in elsewhere.message
