"""Triggers of the target: the backup's values win, and the triggers stay as they were."""

import pytest

TOUCH = """
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN NEW."updatedAt" := now(); RETURN NEW; END';
"""


@pytest.mark.guarantee("fidelity", "idempotence", "integrity")
@pytest.mark.trap("F04", "O09")
def test_trigger_that_touches_the_time_of_the_last_change(scenario, world):
    """A trigger stamps every restored row with the time of the restore, so that the next
    synchronisation takes all of them for changed.
    """
    world(
        TOUCH + 'CREATE TABLE page (id int PRIMARY KEY, title text, "updatedAt" timestamptz);',
        source="INSERT INTO page VALUES (1, 'a', '2020-01-01Z'), (2, 'b', '2021-01-01Z')",
        target="""
        INSERT INTO page VALUES (1, 'old', '2019-01-01Z'), (9, 'own', '2019-01-01Z');
        CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON page
            FOR EACH ROW EXECUTE FUNCTION touch();
        """,
    )
    scenario.restore().prove()


@pytest.mark.guarantee("fidelity", "preservation", "integrity")
@pytest.mark.trap("O09")
def test_trigger_that_keeps_a_record_of_changes(scenario, world):
    """The audit trigger fires during the load, so that the restored audit log holds every event
    twice or collides with its own numbers.
    """
    world(
        "CREATE TABLE page (id int PRIMARY KEY, title text);"
        "CREATE TABLE audit (id serial PRIMARY KEY, said text);",
        source="INSERT INTO page VALUES (1, 'a'), (2, 'b');"
        "INSERT INTO audit (said) VALUES ('a'), ('b')",
        target="""
        INSERT INTO page VALUES (1, 'old');
        CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN INSERT INTO audit (said) VALUES (NEW.title); RETURN NEW; END';
        CREATE TRIGGER note AFTER INSERT OR UPDATE ON page FOR EACH ROW EXECUTE FUNCTION note();
        """,
    )
    scenario.restore().prove()


@pytest.mark.guarantee("integrity", "fidelity")
@pytest.mark.trap("O05")
def test_triggers_that_are_off_or_always_on_stay_so(scenario, world):
    """Switching all triggers off and on again starts one that was off on purpose and turns one
    that always fired into a plain one.
    """
    world(
        TOUCH + 'CREATE TABLE page (id int PRIMARY KEY, title text, "updatedAt" timestamptz);',
        source="INSERT INTO page VALUES (1, 'a', '2020-01-01Z')",
        target="""
        CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER off BEFORE INSERT OR UPDATE ON page FOR EACH ROW EXECUTE FUNCTION touch();
        CREATE TRIGGER usual BEFORE INSERT OR UPDATE ON page FOR EACH ROW EXECUTE FUNCTION touch();
        CREATE TRIGGER watch BEFORE INSERT OR UPDATE ON page FOR EACH ROW EXECUTE FUNCTION watch();
        CREATE TRIGGER copied BEFORE UPDATE ON page FOR EACH ROW EXECUTE FUNCTION touch();
        ALTER TABLE page DISABLE TRIGGER off, ENABLE ALWAYS TRIGGER watch,
            ENABLE REPLICA TRIGGER copied;
        """,
    )
    scenario.restore().prove()


@pytest.mark.guarantee("completeness", "honesty")
@pytest.mark.trap("O09")
def test_trigger_that_drops_rows(scenario, world):
    """A BEFORE trigger returns NULL for rows that it finds old: the server reports INSERT 0 0,
    no error, and a restore that counts statements has lost them.
    """
    world(
        "CREATE TABLE page (id int PRIMARY KEY, title text, made date);",
        source="INSERT INTO page VALUES (1, 'a', '2020-01-01'), (2, 'b', '2030-01-01')",
        target="""
        INSERT INTO page VALUES (2, 'old', '2030-01-01');
        CREATE FUNCTION recent() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN IF NEW.made < ''2025-01-01'' THEN RETURN NULL; END IF; RETURN NEW; END';
        CREATE TRIGGER recent BEFORE INSERT OR UPDATE ON page
            FOR EACH ROW EXECUTE FUNCTION recent();
        """,
    )
    scenario.restore().prove()


@pytest.mark.guarantee("fidelity", "ordering")
@pytest.mark.trap("O09")
def test_trigger_that_counts_the_rows_below(scenario, world):
    """A trigger keeps the number of variants in the product's row; it counts the restored ones
    on top of the restored number, and the shop shows twice the goods.
    """
    world(
        "CREATE TABLE product (id int PRIMARY KEY, variants int NOT NULL DEFAULT 0);"
        "CREATE TABLE variant (id int PRIMARY KEY, product int NOT NULL REFERENCES product);",
        source="INSERT INTO product VALUES (1, 2), (2, 1), (3, 0);"
        "INSERT INTO variant VALUES (1, 1), (2, 1), (3, 2)",
        target="""
        CREATE FUNCTION tally() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN UPDATE product SET variants = variants + 1 WHERE id = NEW.product;
             RETURN NULL; END';
        CREATE TRIGGER tally AFTER INSERT ON variant FOR EACH ROW EXECUTE FUNCTION tally();
        """,
    )
    scenario.restore().prove()
