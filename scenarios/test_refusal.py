"""Restores that must fail, must say so by name, and must leave the target as it was."""

import pytest

from fixtures import Held, Meanwhile

PAGE = "CREATE TABLE page (id int PRIMARY KEY, title text);"


@pytest.mark.guarantee("completeness", "honesty")
def test_orphan_variants_are_named(scenario, shop):
    shop.orphan_variants(scenario.source, count=3)
    scenario.restore().prove()


@pytest.mark.guarantee("atomicity", "honesty")
def test_orphans_and_the_rows_that_depend_on_them(scenario, shop):
    shop.loaded_target()
    shop.older_rows(scenario.target, fraction=0.25)
    shop.orphan_variants(scenario.source, count=3, order_lines=2)
    scenario.restore().prove()


@pytest.mark.guarantee("honesty", "atomicity")
def test_rows_that_a_check_of_the_target_refuses(scenario, shop):
    scenario.target.execute(
        "ALTER TABLE orders ADD CONSTRAINT orders_total_limit CHECK (total < 0)"
    )
    scenario.restore().prove()


@pytest.mark.guarantee("honesty", "atomicity")
def test_column_that_the_target_demands_and_the_source_lacks(scenario, shop):
    scenario.target.execute('ALTER TABLE employees ADD COLUMN "badgeNumber" text NOT NULL')
    scenario.restore().prove()


@pytest.mark.guarantee("merging", "honesty")
def test_row_that_is_two_rows_of_the_target_by_two_keys(scenario, world):
    world(
        """
        CREATE TABLE users (id int PRIMARY KEY, email text UNIQUE, slug text UNIQUE);
        CREATE TABLE post (id int PRIMARY KEY, author int NOT NULL REFERENCES users);
        """,
        source="INSERT INTO users VALUES (1, 'a@x', 's1'), (9, 'n@x', 'n');"
        "INSERT INTO post VALUES (1, 1), (2, 9)",
        target="INSERT INTO users VALUES (2, 'a@x', 'z'), (3, 'q@x', 's1')",
    )
    scenario.restore().prove()


@pytest.mark.guarantee("completeness", "honesty")
def test_values_that_a_stricter_table_refuses(scenario, world):
    world(
        "",
        source="CREATE TABLE t (id int PRIMARY KEY, name text, share int, code text);"
        "INSERT INTO t VALUES (1, NULL, 1, 'a'), (2, 'b', 1000, 'b'), (3, 'c', 3, 'c')",
        target="CREATE TABLE t (id int PRIMARY KEY, name text NOT NULL,"
        " share int CHECK (share <= 100), code text CHECK (code <> 'a'))",
    )
    scenario.restore().prove()


@pytest.mark.guarantee("completeness", "honesty")
def test_values_that_a_type_of_the_target_refuses(scenario, world):
    world(
        "",
        source="""
        CREATE TYPE mood AS ENUM ('sad', 'calm');
        CREATE DOMAIN share AS int;
        CREATE TABLE person (
            id int PRIMARY KEY, mood mood, share share, name text, price numeric, size int,
            born text);
        CREATE TABLE visit (id int PRIMARY KEY, person int NOT NULL);
        INSERT INTO person VALUES (1, 'calm', 100, 'Ann', 1.1, 32767, '2000-02-29'),
            (2, 'sad', 1, 'Bob', 1, 1, NULL), (3, NULL, 101, 'Cat', 1, 1, NULL),
            (4, NULL, 1, 'Daniela', 1, 1, NULL), (5, NULL, 1, 'Eve', 1.25, 1, NULL),
            (6, NULL, 1, 'Fay', 1, 32768, NULL), (7, NULL, 1, 'Gil', 1, 1, '2000-02-30');
        INSERT INTO visit VALUES (1, 1), (2, 2), (3, 7);
        """,
        target="""
        CREATE TYPE mood AS ENUM ('calm', 'glad');
        CREATE DOMAIN share AS int CHECK (VALUE <= 100);
        CREATE TABLE person (
            id int PRIMARY KEY, mood mood, share share, name varchar(5), price numeric(4, 1),
            size smallint, born date);
        CREATE TABLE visit (id int PRIMARY KEY, person int NOT NULL REFERENCES person);
        INSERT INTO person (id, name) VALUES (1, 'old'), (7, 'old'), (9, 'own');
        """,
    )
    scenario.restore().prove()


@pytest.mark.guarantee("honesty", "atomicity")
@pytest.mark.parametrize(
    "change",
    [
        "DROP TABLE IF EXISTS gone",
        "ALTER TABLE gone DROP COLUMN v",
        "ALTER TABLE gone RENAME v TO w",
        "ALTER TABLE gone RENAME TO other",
    ],
)
def test_structure_that_the_target_lacks(scenario, world, change):
    world(
        "CREATE TABLE gone (id int PRIMARY KEY, v text); CREATE TABLE t (id int PRIMARY KEY);",
        source="INSERT INTO gone VALUES (1, 'x'); INSERT INTO t VALUES (1)",
        target=change,
    )
    scenario.restore().prove()


ROWS = "INSERT INTO page VALUES (1, 'new'), (2, 'new')"
OLD = "INSERT INTO page VALUES (1, 'old'), (3, 'own')"


@pytest.mark.guarantee("honesty", "atomicity", "recoverability")
def test_policies_that_bind_the_owner_as_well(scenario, world):
    world(
        """
        CREATE TABLE page (id int PRIMARY KEY, title text);
        ALTER TABLE page ENABLE ROW LEVEL SECURITY;
        CREATE POLICY own ON page USING (title = 'own');
        """,
        source=ROWS,
        target=OLD,
    )
    forced = Meanwhile(
        "ALTER TABLE page FORCE ROW LEVEL SECURITY", "ALTER TABLE page NO FORCE ROW LEVEL SECURITY"
    )
    scenario.restore(fault=forced).prove()


@pytest.mark.guarantee("honesty", "atomicity", "recoverability")
@pytest.mark.parametrize("right", ["INSERT", "UPDATE", "SELECT"])
def test_right_that_the_account_lacks(scenario, world, right):
    world(PAGE + "GRANT ALL ON page TO CURRENT_USER;", source=ROWS, target=OLD)
    taken = Meanwhile(
        f"REVOKE {right} ON page FROM CURRENT_USER", f"GRANT {right} ON page TO CURRENT_USER"
    )
    scenario.restore(fault=taken).prove()


@pytest.mark.guarantee("honesty", "atomicity", "recoverability")
def test_target_that_is_read_only(scenario, world):
    world(PAGE, source=ROWS, target=OLD)
    name = scenario.target.name
    read_only = Meanwhile(
        f'ALTER DATABASE "{name}" SET default_transaction_read_only = on',
        f'BEGIN READ WRITE;ALTER DATABASE "{name}" RESET default_transaction_read_only; COMMIT',
    )
    scenario.restore(fault=read_only).prove()


@pytest.mark.guarantee("honesty", "atomicity", "recoverability")
def test_table_that_somebody_else_has_locked(scenario, world):
    world(PAGE, source=ROWS, target=OLD)
    world.settings(scenario.target, lock_timeout="200ms")
    scenario.restore(fault=Held("LOCK TABLE page IN ACCESS EXCLUSIVE MODE")).prove()


@pytest.mark.guarantee("honesty", "atomicity", "recoverability")
def test_row_that_somebody_else_is_changing(scenario, world):
    world(PAGE, source=ROWS, target=OLD)
    world.settings(scenario.target, lock_timeout="200ms")
    scenario.restore(fault=Held("UPDATE page SET title = 'mine' WHERE id = 1")).prove()
