"""What generated worlds found, or an adversary: each once broke a restore that kept all others."""

import pytest

JOURNEYS = """
CREATE TABLE station (line int, no int, name text, PRIMARY KEY (line, no));
CREATE TABLE journey (id int PRIMARY KEY, line int, start int, stop int,
    FOREIGN KEY (line, start) REFERENCES station,
    FOREIGN KEY (line, stop) REFERENCES station);
"""


@pytest.mark.guarantee("preservation", "honesty")
@pytest.mark.trap("U03")
def test_code_that_somebody_elses_row_would_lose(scenario, world):
    """The target's own row refers to a code that the backup overwrites; the foreign key's ON UPDATE
    SET NULL takes the reference from it, and nobody hears of it.
    """
    world(
        """
        CREATE TABLE tariff (id int PRIMARY KEY, code text UNIQUE);
        CREATE TABLE contract (
            id int PRIMARY KEY, code text REFERENCES tariff (code) ON UPDATE SET NULL);
        """,
        source="INSERT INTO tariff VALUES (1, 'new')",
        target="INSERT INTO tariff VALUES (1, 'old'); INSERT INTO contract VALUES (9, 'old')",
    )
    scenario.restore().prove()


@pytest.mark.guarantee("merging", "honesty")
@pytest.mark.trap("U02")
def test_survivor_without_what_it_is_referred_to_by(scenario, world):
    """Of two duplicates only the one that loses has the code that a child refers to; the child
    follows to a NULL, and belongs to nobody.
    """
    world(
        """
        CREATE TABLE tariff (id int PRIMARY KEY, name text, code text UNIQUE);
        CREATE TABLE contract (id int PRIMARY KEY, code text REFERENCES tariff (code));
        """,
        source="""
        INSERT INTO tariff VALUES (1, 'night', 'n1'), (2, 'night', NULL);
        INSERT INTO contract VALUES (1, 'n1');
        """,
        target="ALTER TABLE tariff ADD UNIQUE (name)",
    )
    scenario.restore().prove()


@pytest.mark.guarantee("merging", "honesty")
@pytest.mark.trap("U02", "O02")
def test_duplicate_below_its_duplicate(scenario, world):
    """Merged with the row that it stands below, a row would be its own parent, which a check
    forbids; who looks at checks before rows are merged learns of it from the server, one by one.
    """
    world(
        """
        CREATE TABLE place (id int PRIMARY KEY, name text, part_of int REFERENCES place,
            CONSTRAINT not_part_of_itself CHECK (part_of <> id));
        """,
        source="""
        INSERT INTO place VALUES (1, 'north', NULL), (2, 'north', 1),
            (3, 'south', NULL), (4, 'south', 3), (5, 'east', NULL);
        """,
        target="ALTER TABLE place ADD UNIQUE (name)",
    )
    scenario.restore().prove()


@pytest.mark.guarantee("merging")
@pytest.mark.trap("U02", "U10")
def test_two_references_over_one_column(scenario, world):
    """A journey has two stations of one line, and both foreign keys go over the line's number;
    whoever lets the one follow a merge no longer finds the other.
    """
    world(
        JOURNEYS,
        source="""
        INSERT INTO station VALUES (2, 1, 'north'), (2, 3, 'south');
        INSERT INTO journey VALUES (1, 2, 1, 3), (2, 2, 3, 3), (3, 2, 1, NULL);
        """,
        target="""
        ALTER TABLE station ADD UNIQUE (name);
        INSERT INTO station VALUES (1, 2, 'north'), (1, 4, 'south');
        """,
    )
    scenario.restore().prove()


@pytest.mark.guarantee("completeness", "honesty")
@pytest.mark.trap("O04", "H02")
def test_keys_that_a_cast_spells_otherwise(scenario, world):
    """A switch, an address and a padded code are a row's key; cast to text they are `true`,
    `10.0.0.1/32` and `x`, by which nobody who looks for the rejected row finds it.
    """
    world(
        """
        CREATE TABLE host (id int PRIMARY KEY);
        CREATE TABLE port (up boolean, address inet, code char(4), host int,
            PRIMARY KEY (up, address, code));
        """,
        source="""
        INSERT INTO host VALUES (1);
        INSERT INTO port VALUES (true, '10.0.0.1', 'x', 1), (false, '10.0.0.1', 'x', 7);
        """,
        target="ALTER TABLE port ADD FOREIGN KEY (host) REFERENCES host",
    )
    scenario.restore().prove()


@pytest.mark.guarantee("idempotence", "merging")
@pytest.mark.trap("U02", "U10")
def test_duplicates_of_a_row_that_takes_over_a_key(scenario, world):
    """Two stops are one by their line, and the second is the target's by its number on it: it takes
    that one's line over, and is the first one's duplicate no longer; the next restore finds it so.
    """
    world(
        """
        CREATE TABLE line (id text PRIMARY KEY, name int);
        CREATE TABLE stop (line text REFERENCES line, place int, name text, number int,
            PRIMARY KEY (line, place));
        """,
        source="""
        INSERT INTO line VALUES ('l', 2), ('j', 2);
        INSERT INTO stop VALUES ('l', 1, 'a', 2), ('j', 1, 'a', 1);
        """,
        target="""
        ALTER TABLE line ADD UNIQUE (name); ALTER TABLE stop ADD UNIQUE (line);
        CREATE UNIQUE INDEX ON stop (length(name), number);
        INSERT INTO line VALUES ('b', 1); INSERT INTO stop VALUES ('b', 1, 'a', 1);
        """,
    )
    scenario.restore().prove()


@pytest.mark.guarantee("merging", "completeness")
@pytest.mark.trap("U02", "O02")
def test_branches_of_a_tree_that_follow_what_the_tree_stands_on(scenario, world):
    """A place has its map's number in its key, and in the reference to the place above it: when two
    maps merge, whoever lets the one follow finds the place above no more.
    """
    world(
        """
        CREATE TABLE map (sheet int, edition int, code int, PRIMARY KEY (sheet, edition));
        CREATE TABLE place (sheet int, edition int, no int, above_edition int, above int,
            PRIMARY KEY (sheet, edition, no),
            FOREIGN KEY (sheet, edition) REFERENCES map,
            FOREIGN KEY (sheet, above_edition, above) REFERENCES place);
        """,
        source="""
        INSERT INTO map VALUES (2, 1, 7), (1, 2, 7);
        INSERT INTO place VALUES (2, 1, 2, NULL, NULL), (2, 1, 1, 1, 2), (2, 1, 3, 1, 1);
        """,
        target="ALTER TABLE map ADD UNIQUE (code)",
    )
    scenario.restore().prove()


@pytest.mark.guarantee("preservation", "honesty")
@pytest.mark.trap("U03")
def test_key_that_is_equal_and_spelled_otherwise(scenario, world):
    """A rate of 1.0 is the target's rate of 1, and its contracts still refer to it; for ON UPDATE
    SET NULL it is another one, and takes their rate away.
    """
    world(
        """
        CREATE TABLE rate (percent numeric PRIMARY KEY, name text);
        CREATE TABLE contract (
            id int PRIMARY KEY, rate numeric REFERENCES rate ON UPDATE SET NULL);
        """,
        source="INSERT INTO rate VALUES (1.0, 'new'), (2, 'high')",
        target="INSERT INTO rate VALUES (1, 'old'); INSERT INTO contract VALUES (9, 1)",
    )
    scenario.restore().prove()


@pytest.mark.guarantee("merging", "honesty")
@pytest.mark.trap("U02", "U10")
def test_reference_that_another_one_moves_to_somebody_else(scenario, world):
    """A journey starts at a station that merges into one of another line, and stops at one that
    does not; the other line has a station of that number, too, and the journey ends up there.
    """
    world(
        JOURNEYS,
        source="""
        INSERT INTO station VALUES
            (1, 1, 'north'), (1, 3, 'south'), (2, 2, 'north'), (2, 3, 'east');
        INSERT INTO journey VALUES (1, 1, 1, 3);
        """,
        target="""
        ALTER TABLE station ADD UNIQUE (name);
        INSERT INTO station VALUES (2, 2, 'north');
        """,
    )
    scenario.restore().prove()


@pytest.mark.guarantee("merging", "idempotence")
@pytest.mark.trap("U02", "O03")
def test_key_that_is_free_once_the_parents_have_merged(scenario, world):
    """Shelves belong to rooms, and a room has a main shelf; when rooms merge, one shelf is the
    target's by its key, and who matched another one with it before that has one too few.
    """
    world(
        """
        CREATE TABLE room (id int PRIMARY KEY, name text, main_room int, main_no int);
        CREATE TABLE shelf (room int REFERENCES room, no int, code int, name text,
            PRIMARY KEY (room, no), UNIQUE (code, name));
        ALTER TABLE room ADD FOREIGN KEY (main_room, main_no) REFERENCES shelf;
        """,
        source="""
        INSERT INTO room VALUES (2, 'cellar');
        INSERT INTO shelf VALUES (2, 2, 1, 'wine'), (2, 1, 3, 'wine');
        UPDATE room SET main_room = 2, main_no = 2;
        """,
        target="""
        ALTER TABLE room ADD UNIQUE (name);
        INSERT INTO room VALUES (1, 'cellar'); INSERT INTO shelf VALUES (1, 1, 1, 'wine');
        """,
    )
    scenario.restore().prove()


@pytest.mark.guarantee("completeness", "honesty")
@pytest.mark.trap("O04", "U02")
def test_orphan_that_another_row_takes_the_name_of(scenario, world):
    """A bill names an account that is gone, and another account gets that very number when its
    customer merges into one of the target; the bill is now sent to somebody else.
    """
    world(
        """
        CREATE TABLE customer (id int PRIMARY KEY, email text);
        CREATE TABLE account (customer int PRIMARY KEY REFERENCES customer, credit int);
        CREATE TABLE bill (id int PRIMARY KEY, account int, amount int);
        """,
        source="""
        INSERT INTO customer VALUES (3, 'ann@shop.example'), (5, 'bob@shop.example');
        INSERT INTO account VALUES (3, 100), (5, 200);
        INSERT INTO bill VALUES (10, 1, 70), (11, 5, 80);
        """,
        target="""
        ALTER TABLE customer ADD UNIQUE (email);
        ALTER TABLE bill ADD FOREIGN KEY (account) REFERENCES account;
        INSERT INTO customer VALUES (1, 'ann@shop.example');
        """,
    )
    scenario.restore().prove()


@pytest.mark.guarantee("completeness", "honesty")
@pytest.mark.trap("U02", "U10")
def test_key_taken_over_under_which_another_row_collides(scenario, world):
    """A shelf becomes one of the target by its code, and that one stands in a room where another
    shelf of the backup has its name; the restore makes one of the two, the next one undoes it.
    """
    world(
        """
        CREATE TABLE room (id int PRIMARY KEY, name text);
        CREATE TABLE shelf (room int REFERENCES room, no int, code int, name text,
            PRIMARY KEY (room, no));
        """,
        source="""
        INSERT INTO room VALUES (2, 'cellar'), (1, 'attic');
        INSERT INTO shelf VALUES (2, 1, NULL, 'wine'), (1, 2, 7, 'wine');
        """,
        target="""
        ALTER TABLE room ADD UNIQUE (name);
        ALTER TABLE shelf ADD UNIQUE (code), ADD UNIQUE (room, name);
        INSERT INTO room VALUES (3, 'cellar'); INSERT INTO shelf VALUES (3, 2, 7, NULL);
        """,
    )
    scenario.restore().prove()
