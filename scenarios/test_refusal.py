"""Restores that must fail, must say so by name, and must leave the target as it was."""

import pytest

from fixtures import Held, Meanwhile

PAGE = "CREATE TABLE page (id int PRIMARY KEY, title text);"


@pytest.mark.guarantee("completeness", "honesty")
@pytest.mark.trap("H01", "H15", "O04")
def test_orphan_variants_are_named(scenario, shop):
    """Variants whose product is gone are skipped, the endpoint answers 200, and nobody learns
    which goods are missing from the shop.
    """
    shop.orphan_variants(scenario.source, count=3)
    scenario.restore().prove()


@pytest.mark.guarantee("atomicity", "honesty")
@pytest.mark.trap("H15", "O04")
def test_orphans_and_the_rows_that_depend_on_them(scenario, shop):
    """Order lines that sold an orphaned variant are lost with it; the report names the variant
    at best, and the order's total no longer adds up.
    """
    shop.loaded_target()
    shop.older_rows(scenario.target, fraction=0.25)
    shop.orphan_variants(scenario.source, count=3, order_lines=2)
    scenario.restore().prove()


@pytest.mark.guarantee("honesty", "atomicity")
@pytest.mark.trap("H01", "H02")
def test_rows_that_a_check_of_the_target_refuses(scenario, shop):
    """A rule of the target refuses every order, the errors are swallowed row by row, and a load
    without orders is reported as complete.
    """
    scenario.target.execute(
        "ALTER TABLE orders ADD CONSTRAINT orders_total_limit CHECK (total < 0)"
    )
    scenario.restore().prove()


@pytest.mark.guarantee("honesty", "atomicity")
@pytest.mark.trap("F15")
def test_column_that_the_target_demands_and_the_source_lacks(scenario, shop):
    """The target is one migration ahead and demands a column that no row of the backup has; the
    load fails half-way instead of at its start.
    """
    scenario.target.execute('ALTER TABLE employees ADD COLUMN "badgeNumber" text NOT NULL')
    scenario.restore().prove()


@pytest.mark.guarantee("merging", "honesty")
@pytest.mark.trap("U04")
def test_row_that_is_two_rows_of_the_target_by_two_keys(scenario, world):
    """By e-mail a row is one user of the target and by address another; a restore that picks one
    of them has merged two people.
    """
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
@pytest.mark.trap("F15")
def test_values_that_a_stricter_table_refuses(scenario, world):
    """The target made a column NOT NULL and limited another; rows that do not fit vanish with a
    warning in a log that nobody reads.
    """
    world(
        "",
        source="CREATE TABLE t (id int PRIMARY KEY, name text, share int, code text);"
        "INSERT INTO t VALUES (1, NULL, 1, 'a'), (2, 'b', 1000, 'b'), (3, 'c', 3, 'c')",
        target="CREATE TABLE t (id int PRIMARY KEY, name text NOT NULL,"
        " share int CHECK (share <= 100), code text CHECK (code <> 'a'))",
    )
    scenario.restore().prove()


@pytest.mark.guarantee("completeness", "honesty")
@pytest.mark.trap("F10", "F15", "F05")
def test_values_that_a_type_of_the_target_refuses(scenario, world):
    """The target's columns are narrower and an enum lost a label; values are cut, rounded or
    dropped without a word.
    """
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
@pytest.mark.trap("F15", "F13")
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
    """A table or a column was renamed on the target; its data is left out, and the load counts
    as complete because no row of it failed.
    """
    world(
        "CREATE TABLE gone (id int PRIMARY KEY, v text); CREATE TABLE t (id int PRIMARY KEY);",
        source="INSERT INTO gone VALUES (1, 'x'); INSERT INTO t VALUES (1)",
        target=change,
    )
    scenario.restore().prove()


ROWS = "INSERT INTO page VALUES (1, 'new'), (2, 'new')"
OLD = "INSERT INTO page VALUES (1, 'old'), (3, 'own')"


@pytest.mark.guarantee("honesty", "atomicity", "recoverability")
@pytest.mark.trap("H14")
def test_policies_that_bind_the_owner_as_well(scenario, world):
    """Row-level security hides rows from the restoring account, so that an upsert that does
    nothing on conflict writes nothing and reports success.
    """
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
@pytest.mark.trap("H14")
@pytest.mark.parametrize("right", ["INSERT", "UPDATE", "SELECT"])
def test_right_that_the_account_lacks(scenario, world, right):
    """The account may insert but not update, or the other way round; the load stops at the first
    table that needs the other right, and what it had written stays.
    """
    world(PAGE + "GRANT ALL ON page TO CURRENT_USER;", source=ROWS, target=OLD)
    taken = Meanwhile(
        f"REVOKE {right} ON page FROM CURRENT_USER", f"GRANT {right} ON page TO CURRENT_USER"
    )
    scenario.restore(fault=taken).prove()


@pytest.mark.guarantee("honesty", "atomicity", "recoverability")
@pytest.mark.trap("H01", "H14")
def test_target_that_is_read_only(scenario, world):
    """The target was switched to read-only for maintenance; psql prints an error for every row
    and ends with exit code 0.
    """
    world(PAGE, source=ROWS, target=OLD)
    name = scenario.target.name
    read_only = Meanwhile(
        f'ALTER DATABASE "{name}" SET default_transaction_read_only = on',
        f'BEGIN READ WRITE;ALTER DATABASE "{name}" RESET default_transaction_read_only; COMMIT',
    )
    scenario.restore(fault=read_only).prove()


@pytest.mark.guarantee("honesty", "atomicity", "recoverability")
@pytest.mark.trap("H08")
def test_table_that_somebody_else_has_locked(scenario, world):
    """The dump's first lines switch off the lock timeout, so that the load waits for somebody's
    open transaction until an operator kills it.
    """
    world(PAGE, source=ROWS, target=OLD)
    world.settings(scenario.target, lock_timeout="200ms")
    scenario.restore(fault=Held("LOCK TABLE page IN ACCESS EXCLUSIVE MODE")).prove()


@pytest.mark.guarantee("honesty", "atomicity", "recoverability")
@pytest.mark.trap("H08", "H09")
def test_row_that_somebody_else_is_changing(scenario, world):
    """A cashier has a record open, and the load waits for it without end because the dump's
    preamble took the timeouts away.
    """
    world(PAGE, source=ROWS, target=OLD)
    world.settings(scenario.target, lock_timeout="200ms")
    scenario.restore(fault=Held("UPDATE page SET title = 'mine' WHERE id = 1")).prove()


@pytest.mark.guarantee("completeness", "honesty")
@pytest.mark.trap("O04")
def test_orphan_that_the_source_tolerates(scenario, world):
    """A constraint that was added NOT VALID hides orphans of the source; replica mode carries
    them into the target, whose own constraint goes on saying that it is valid.
    """
    world(
        "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p int, n int);",
        source="""
        INSERT INTO p VALUES (1); INSERT INTO c VALUES (1, 1, 1), (2, 99, 1), (3, NULL, -1);
        ALTER TABLE c ADD CONSTRAINT c_p FOREIGN KEY (p) REFERENCES p NOT VALID,
            ADD CONSTRAINT c_n CHECK (n > 0) NOT VALID;
        """,
        target="""
        ALTER TABLE c ADD CONSTRAINT c_p FOREIGN KEY (p) REFERENCES p,
            ADD CONSTRAINT c_n CHECK (n > 0);
        """,
    )
    scenario.restore().prove()


@pytest.mark.guarantee("completeness", "honesty")
@pytest.mark.trap("O04")
@pytest.mark.pg(since=18, reason="NOT ENFORCED")
def test_rules_that_the_source_does_not_enforce(scenario, world):
    """A rule that the source declares NOT ENFORCED is one that the target enforces: rows that
    were legal yesterday are refused, and a load that goes on leaves them out without a word.
    """
    world(
        "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p int, n int);",
        source="""
        ALTER TABLE c ADD CONSTRAINT c_p FOREIGN KEY (p) REFERENCES p NOT ENFORCED,
            ADD CONSTRAINT c_n CHECK (n > 0) NOT ENFORCED;
        INSERT INTO p VALUES (1); INSERT INTO c VALUES (1, 1, 1), (2, 99, 1), (3, NULL, -1);
        """,
        target="""
        ALTER TABLE c ADD CONSTRAINT c_p FOREIGN KEY (p) REFERENCES p,
            ADD CONSTRAINT c_n CHECK (n > 0);
        """,
    )
    scenario.restore().prove()


@pytest.mark.guarantee("honesty", "atomicity")
@pytest.mark.trap("H01", "H02", "H15")
@pytest.mark.parametrize("bad", [1, 500, 1000], ids=["first", "middle", "last"])
def test_one_row_of_a_thousand_that_is_refused(scenario, world, bad):
    """psql goes on after an error and ends with exit code 0, whether the one bad row of a
    thousand is the first or the last; what was loaded is neither all nor nothing.
    """
    world(
        "CREATE TABLE sale (id int PRIMARY KEY, cents int);CREATE TABLE till (id int PRIMARY KEY);",
        source="INSERT INTO sale SELECT n, n FROM generate_series(1, 1000) n;"
        "INSERT INTO till VALUES (1), (2);",
        target=f"ALTER TABLE sale ADD CONSTRAINT sale_id CHECK (id <> {bad})",
    )
    scenario.restore().prove()


@pytest.mark.guarantee("honesty", "atomicity")
@pytest.mark.trap("H02", "U07")
def test_reference_that_is_only_checked_at_commit(scenario, world):
    """Every statement of the load succeeds, the violation surfaces in COMMIT, and a client that
    counted statements, or did not read the answer to COMMIT, has reported success by then.
    """
    world(
        "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p int);",
        source="INSERT INTO p VALUES (1); INSERT INTO c VALUES (1, 1), (2, 99)",
        target="""
        ALTER TABLE c ADD CONSTRAINT c_p FOREIGN KEY (p) REFERENCES p
            DEFERRABLE INITIALLY DEFERRED;
        """,
    )
    scenario.restore().prove()


@pytest.mark.guarantee("atomicity")
@pytest.mark.trap("F03")
def test_sequences_of_a_load_that_is_refused(scenario, world):
    """setval is not rolled back: a load that failed leaves no row behind and yet moves the
    counters, backwards where the backup is older than the target.
    """
    world(
        "CREATE TABLE bill (id serial PRIMARY KEY, v int); CREATE TABLE z (id serial PRIMARY KEY);",
        source="INSERT INTO bill (v) VALUES (1), (2), (-1); INSERT INTO z SELECT 5000;"
        "SELECT setval('z_id_seq', 5000)",
        target="INSERT INTO bill (v) SELECT n FROM generate_series(1, 10) n;"
        "ALTER TABLE bill ADD CONSTRAINT bill_v CHECK (v > 0)",
    )
    scenario.restore().prove()


@pytest.mark.guarantee("completeness", "honesty")
@pytest.mark.trap("F15")
def test_trailing_spaces_that_the_target_has_no_room_for(scenario, world):
    """A narrower varchar cuts spaces at the end without an error, so that codes of the source
    are no longer found under their own spelling.
    """
    world(
        "",
        source="CREATE TABLE code (id int PRIMARY KEY, code varchar(5));"
        "INSERT INTO code VALUES (1, 'abc  '), (2, 'abc')",
        target="CREATE TABLE code (id int PRIMARY KEY, code varchar(3))",
    )
    scenario.restore().prove()
