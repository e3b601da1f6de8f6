"""Triggers of the target: the backup's values win, and the triggers stay as they were."""

import pytest

TOUCH = """
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN NEW."updatedAt" := now(); RETURN NEW; END';
"""


@pytest.mark.guarantee("fidelity", "idempotence", "integrity")
def test_trigger_that_touches_the_time_of_the_last_change(scenario, world):
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
def test_trigger_that_keeps_a_record_of_changes(scenario, world):
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
def test_triggers_that_are_off_or_always_on_stay_so(scenario, world):
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
