"""The order of the backup is not the order of the foreign keys."""

import pytest


@pytest.mark.guarantee("ordering")
def test_variants_before_products_in_the_backup(scenario, shop):
    shop.variants_first(scenario.source)
    scenario.restore().prove()


@pytest.mark.guarantee("ordering", "merging")
def test_variants_before_products_and_duplicate_categories(scenario, shop):
    shop.variants_first(scenario.source)
    shop.duplicate_categories(scenario.source, copies=2, children_each=2)
    scenario.restore().prove()


@pytest.mark.guarantee("ordering")
def test_source_without_any_foreign_key(scenario, shop):
    shop.drop_foreign_keys(scenario.source)
    scenario.restore().prove()


@pytest.mark.guarantee("ordering")
def test_tree_whose_children_have_smaller_numbers(scenario, world):
    world(
        "CREATE TABLE node (id int PRIMARY KEY, parent int NOT NULL REFERENCES node, name text);",
        source="""
        INSERT INTO node VALUES (1, 5, 'under the root'), (5, 5, 'its own parent'), (2, 1, 'leaf');
        INSERT INTO node VALUES (11, 13, 'a ring'), (12, 11, 'of'), (13, 12, 'rows');
        UPDATE node SET name = 'root' WHERE id = 5;
        """,
    )
    scenario.restore().prove()


@pytest.mark.guarantee("ordering", "integrity", "idempotence")
@pytest.mark.parametrize("boss", ["int", "int NOT NULL"])
@pytest.mark.parametrize("when", ["", "DEFERRABLE", "DEFERRABLE INITIALLY DEFERRED"])
def test_tables_that_refer_to_each_other(scenario, world, boss, when):
    world(
        f"""
        CREATE TABLE dept (id int PRIMARY KEY, boss {boss}, name text);
        CREATE TABLE emp (id int PRIMARY KEY, dept int NOT NULL REFERENCES dept {when}, name text);
        ALTER TABLE dept ADD CONSTRAINT dept_boss FOREIGN KEY (boss) REFERENCES emp {when};
        """,
        source="""
        WITH first AS (INSERT INTO dept VALUES (1, 10, 'till'), (2, 20, 'oven'))
        INSERT INTO emp VALUES (10, 2, 'Ann'), (20, 1, 'Bob')
        """,
        target="""
        WITH first AS (INSERT INTO dept VALUES (1, 11, 'old'))
        INSERT INTO emp VALUES (11, 1, 'stays')
        """,
    )
    scenario.restore().prove()


@pytest.mark.guarantee("ordering", "merging")
def test_rows_of_a_cycle_that_merge(scenario, world):
    world(
        """
        CREATE TABLE dept (id int PRIMARY KEY, boss int NOT NULL, name text);
        CREATE TABLE emp (id int PRIMARY KEY, dept int NOT NULL REFERENCES dept, name text);
        ALTER TABLE dept ADD CONSTRAINT dept_boss FOREIGN KEY (boss) REFERENCES emp;
        """,
        source="""
        WITH first AS (INSERT INTO dept VALUES (1, 10, 'till'), (2, 20, 'till'))
        INSERT INTO emp VALUES (10, 2, 'Ann'), (20, 1, 'Ann'), (30, 1, 'Cat')
        """,
        target="CREATE UNIQUE INDEX ON dept (name); CREATE UNIQUE INDEX ON emp (dept, name)",
    )
    scenario.restore().prove()
