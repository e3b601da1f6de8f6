"""A restore that ends at any one of its statements has changed all or nothing."""

import pytest

PARTS = 6
"""Into so many scenarios the statements of one restore are shared out."""
SIXTHS = 6
"""Of these, two are taken where it is the session that ends: for the server, much the same."""

# Shops 2 and 3 are one to the target, and so are their items; the boxes refer in a circle.
BOTH = """
CREATE TABLE shop (id serial PRIMARY KEY, code text NOT NULL, seen timestamptz DEFAULT now());
CREATE TABLE item (id serial PRIMARY KEY, shop_id int NOT NULL, label text NOT NULL);
CREATE TABLE box (id int PRIMARY KEY, inside int, label text);
CREATE TABLE log (at int, words text);
"""
SOURCE = """
INSERT INTO shop VALUES (1, 'tea', '2024-01-01Z'), (2, 'cake', '2024-01-02Z'),
  (3, 'cake', '2024-01-03Z'), (4, 'milk', '2024-01-04Z');
INSERT INTO item SELECT g, 1 + g % 4, 'item ' || g % 6 FROM generate_series(1, 20) g;
INSERT INTO box VALUES (1, 2, 'a'), (2, 3, 'b'), (3, 1, 'c'), (4, 1, NULL);
INSERT INTO log VALUES (1, 'same'), (1, 'same'), (2, 'other');
SELECT setval('shop_id_seq', 40), setval('item_id_seq', 200);
"""
TARGET = """
INSERT INTO shop VALUES (4, 'milk', '2023-01-01Z'), (9, 'of the target', '2023-01-01Z');
INSERT INTO item VALUES (99, 9, 'of the target');
INSERT INTO box VALUES (1, NULL, 'old'), (9, 1, 'of the target');
ALTER TABLE shop ADD UNIQUE (code);
ALTER TABLE item ADD UNIQUE (shop_id, label), ADD FOREIGN KEY (shop_id) REFERENCES shop;
ALTER TABLE box ADD FOREIGN KEY (inside) REFERENCES box;
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN NEW.seen := now(); RETURN NEW; END $$;
CREATE TRIGGER stamp BEFORE UPDATE ON shop FOR EACH ROW EXECUTE FUNCTION stamp();
"""


@pytest.mark.slow
@pytest.mark.guarantee("atomicity", "recoverability", "honesty")
@pytest.mark.trap("H06", "H10")
@pytest.mark.parametrize("part", range(PARTS))
def test_client_killed_at_every_statement(scenario, world, faults, part):
    """A deploy, an out-of-memory killer or a closed laptop ends a restore wherever it is."""
    world(BOTH, source=SOURCE, target=TARGET)
    scenario.sweep(faults.kill, part=part, of=PARTS).prove()


@pytest.mark.slow
@pytest.mark.guarantee("atomicity", "recoverability", "honesty")
@pytest.mark.trap("H06", "H10")
@pytest.mark.parametrize("part", range(2))
def test_session_terminated_at_every_third_statement(scenario, world, faults, part):
    """An administrator or a failover ends the session of a restore wherever it is."""
    world(BOTH, source=SOURCE, target=TARGET)
    scenario.sweep(faults.terminate, part=3 * part, of=SIXTHS).prove()
