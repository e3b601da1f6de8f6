"""The order of the backup is not the order of the foreign keys."""

import pytest


@pytest.mark.guarantee("ordering")
@pytest.mark.trap("O01")
def test_variants_before_products_in_the_backup(scenario, shop):
    """The dump lists variants before products, every variant fails on its foreign key, and a
    script that goes on reports success over an empty table.
    """
    shop.variants_first(scenario.source)
    scenario.restore().prove()


@pytest.mark.guarantee("ordering", "merging")
@pytest.mark.trap("O01", "U02")
def test_variants_before_products_and_duplicate_categories(scenario, shop):
    """Wrong order and duplicates come together, and a fix for either one alone still loses
    products.
    """
    shop.variants_first(scenario.source)
    shop.duplicate_categories(scenario.source, copies=2, children_each=2)
    scenario.restore().prove()


@pytest.mark.guarantee("ordering")
@pytest.mark.trap("O01")
def test_source_without_any_foreign_key(scenario, shop):
    """The source lost its foreign keys long ago, so that an order taken from the source's
    catalogue puts children before their parents.
    """
    shop.drop_foreign_keys(scenario.source)
    scenario.restore().prove()


@pytest.mark.guarantee("ordering")
@pytest.mark.trap("O02")
def test_tree_whose_children_have_smaller_numbers(scenario, world):
    """Neither the order of the file nor that of the ids puts parents first in a tree that people
    rearranged, and a row may even be its own parent.
    """
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
@pytest.mark.trap("O03")
@pytest.mark.parametrize("boss", ["int", "int NOT NULL"])
@pytest.mark.parametrize("when", ["", "DEFERRABLE", "DEFERRABLE INITIALLY DEFERRED"])
def test_tables_that_refer_to_each_other(scenario, world, boss, when):
    """Departments have a boss and employees a department: there is no order of tables in which a
    load row by row can succeed.
    """
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
@pytest.mark.trap("O03", "U02")
def test_rows_of_a_cycle_that_merge(scenario, world):
    """Duplicates within a cycle of tables can be merged neither before nor after the tables that
    refer to them.
    """
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
