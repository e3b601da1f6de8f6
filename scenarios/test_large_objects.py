"""Large objects: documents beside the tables, referred to by number."""

import pytest


@pytest.mark.guarantee("completeness", "fidelity", "preservation", "idempotence")
@pytest.mark.trap("F16")
def test_documents_come_with_the_rows_that_hold_their_numbers(scenario, world):
    """A dump of chosen tables leaves large objects out: the rows arrive, and their documents are
    missing or show another document of the same number.
    """
    world(
        "CREATE TABLE document (id int PRIMARY KEY, name text, content oid);",
        source=r"""
        SELECT lo_from_bytea(4711, '\x00ff5c270a'), lo_from_bytea(4712, ''),
            lo_from_bytea(4713, convert_to(repeat('A);' || chr(10) || '--''', 1000), 'UTF8'));
        COMMENT ON LARGE OBJECT 4713 IS 'a comment is no data, and some dumps hold it';
        INSERT INTO document VALUES (1, 'bytes', 4711), (2, 'empty', 4712), (3, 'long', 4713);
        """,
        target="SELECT lo_from_bytea(4700, 'own'), lo_from_bytea(4711, 'older and longer');"
        "INSERT INTO document VALUES (1, 'old', 4711), (9, 'own', 4700)",
    )
    scenario.restore().prove()


@pytest.mark.guarantee("atomicity", "honesty")
@pytest.mark.trap("F16", "H02")
def test_documents_of_rows_that_are_refused_do_not_stay(scenario, world):
    """The COMMIT that a dump with large objects contains ends the caller's transaction, so that
    a load that fails leaves half of itself behind.
    """
    world(
        "CREATE TABLE a (id int PRIMARY KEY, content oid);"
        "CREATE TABLE z (id int PRIMARY KEY, v int);",
        source="SELECT lo_from_bytea(4711, 'new'); INSERT INTO a VALUES (1, 4711), (2, NULL);"
        "INSERT INTO z VALUES (1, -1)",
        target="ALTER TABLE z ADD CONSTRAINT positive CHECK (v > 0)",
    )
    scenario.restore().prove()
