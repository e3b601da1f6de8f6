"""Unique keys of every kind: rows that collide on one, and values that pass between rows."""

import pytest

PEOPLE = "CREATE TABLE people (id int PRIMARY KEY, email text, name text, deleted timestamptz);"


@pytest.mark.guarantee("merging", "preservation")
@pytest.mark.trap("U01", "U04")
def test_rows_known_by_different_ones_of_several_keys(scenario, world):
    """An employee has another id on either side and is the same by e-mail, badge or post; an
    upsert by id fails on the first unique key that it did not think of.
    """
    world(
        """
        CREATE TABLE staff (
            id int PRIMARY KEY, email text UNIQUE, badge int UNIQUE, site text, post text,
            name text, UNIQUE (site, post));
        CREATE TABLE shift (id int PRIMARY KEY, staff int NOT NULL REFERENCES staff);
        """,
        source="""
        INSERT INTO staff VALUES (1, 'a@x', 10, 'north', 'till', 'by e-mail'),
            (2, 'b@x', 20, 'north', 'oven', 'by badge'),
            (3, NULL, NULL, 'south', 'till', 'by post');
        INSERT INTO shift VALUES (1, 1), (2, 2), (3, 3);
        """,
        target="""
        INSERT INTO staff VALUES (101, 'a@x', 11, 'west', 'a', 'old'),
            (102, 'old@x', 20, 'west', 'b', 'old'), (103, 'c@x', 30, 'south', 'till', 'old');
        INSERT INTO shift VALUES (101, 101), (102, 102), (103, 103);
        """,
    )
    scenario.restore().prove()


@pytest.mark.guarantee("merging", "idempotence")
@pytest.mark.trap("U05")
def test_deleted_rows_are_outside_of_a_partial_key(scenario, world):
    """E-mail addresses are unique among live accounts only; a restore that does not know partial
    indexes merges deleted accounts, or fails when one was deleted and another made.
    """
    world(
        PEOPLE,
        source="""
        INSERT INTO people VALUES (1, 'ann@x', 'left', '2025-01-01Z'), (2, 'ann@x', 'back', NULL),
            (3, 'bob@x', 'left', '2025-01-01Z'), (4, 'bob@x', 'left', '2025-02-01Z'),
            (5, 'cat@x', 'under another id', NULL)
        """,
        target="""
        CREATE UNIQUE INDEX people_live ON people (email) WHERE deleted IS NULL;
        INSERT INTO people VALUES (1, 'ann@x', 'still here', NULL),
            (2, 'ann@x', 'old', '2024-01-01Z'), (50, 'cat@x', 'old', NULL),
            (51, 'cat@x', 'older', '2024-01-01Z')
        """,
    )
    scenario.restore().prove()


@pytest.mark.guarantee("merging")
@pytest.mark.trap("U05", "U02")
def test_spellings_that_an_expression_makes_one(scenario, world):
    """Ann@x and aNN@x are one person to the target's index on lower(email) and two to a client
    that compares texts, so that the second fails or stays a duplicate.
    """
    world(
        PEOPLE + "CREATE TABLE visit (id int PRIMARY KEY, who int NOT NULL REFERENCES people);",
        source="""
        INSERT INTO people VALUES (1, 'Ann@x', 'first', NULL), (2, 'aNN@x', 'second', NULL),
            (3, 'BOB@x', 'third', NULL);
        INSERT INTO visit VALUES (1, 1), (2, 2), (3, 3);
        """,
        target="""
        CREATE UNIQUE INDEX people_email ON people (lower(email));
        INSERT INTO people VALUES (33, 'bob@X', 'old', NULL);
        """,
    )
    scenario.restore().prove()


@pytest.mark.guarantee("merging", "idempotence")
@pytest.mark.trap("U06")
def test_nulls_that_a_key_takes_for_different(scenario, world):
    """A category without a domain never matches ON CONFLICT, so that every load adds it once
    more.
    """
    world(
        "CREATE TABLE item (id int PRIMARY KEY, domain text, name text, UNIQUE (domain, name));",
        source="INSERT INTO item VALUES (1, NULL, 'Tea'), (2, NULL, 'Tea'), (3, 'd', 'Tea')",
        target="INSERT INTO item VALUES (30, 'd', 'Tea'), (31, NULL, 'Tea')",
    )
    scenario.restore().prove()


@pytest.mark.guarantee("merging", "idempotence")
@pytest.mark.trap("U06")
@pytest.mark.pg(since=15, reason="NULLS NOT DISTINCT")
def test_nulls_that_a_key_takes_for_equal(scenario, world):
    """The target's key takes NULLs for equal; a restore that compares with = finds no duplicate
    and dies on the unique violation.
    """
    world(
        """
        CREATE TABLE item (id int PRIMARY KEY, domain text, name text);
        CREATE TABLE part (id int PRIMARY KEY, item int NOT NULL REFERENCES item);
        """,
        source="""
        INSERT INTO item VALUES (1, NULL, 'Tea'), (2, NULL, 'Tea'), (3, NULL, 'Cake');
        INSERT INTO part VALUES (1, 1), (2, 2), (3, 3);
        """,
        target="""
        ALTER TABLE item ADD UNIQUE NULLS NOT DISTINCT (domain, name);
        INSERT INTO item VALUES (30, NULL, 'Cake');
        """,
    )
    scenario.restore().prove()


@pytest.mark.guarantee("completeness", "idempotence")
@pytest.mark.trap("U07", "U11")
@pytest.mark.parametrize("when", ["", "DEFERRABLE", "DEFERRABLE INITIALLY DEFERRED"])
def test_values_passed_from_row_to_row(scenario, world, when):
    """Two pages swapped their addresses and a list was reordered; every statement of an upsert
    row by row collides with the value that the other row still holds.
    """
    world(
        f"""
        CREATE TABLE page (id int PRIMARY KEY, slug text NOT NULL UNIQUE {when}, title text);
        CREATE TABLE task (
            id int PRIMARY KEY, list int, position int NOT NULL, UNIQUE (list, position) {when});
        """,
        source="""
        INSERT INTO page VALUES (1, 'b', 'was a'), (2, 'a', 'was b'), (3, 'x', 'new'), (4, 'w', '');
        INSERT INTO task VALUES (1, 1, 2), (2, 1, 3), (3, 1, 4), (4, 1, 1);
        """,
        target="""
        INSERT INTO page VALUES (1, 'a', ''), (2, 'b', ''), (4, 'x', 'gives x to row 3');
        INSERT INTO task VALUES (1, 1, 1), (2, 1, 2), (3, 1, 3);
        """,
    )
    scenario.restore().prove()


@pytest.mark.guarantee("completeness", "idempotence")
@pytest.mark.trap("U07")
def test_primary_key_that_is_checked_at_the_end(scenario, world):
    """A deferrable key cannot be named in ON CONFLICT, so that the upsert fails on a table where
    nothing is wrong.
    """
    world(
        "CREATE TABLE step (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, name text);",
        source="INSERT INTO step VALUES (1, 'new'), (2, 'other')",
        target="INSERT INTO step VALUES (1, 'old')",
    )
    scenario.restore().prove()


@pytest.mark.guarantee("completeness")
@pytest.mark.trap("U11", "U01")
def test_row_that_was_made_anew_under_another_id(scenario, world):
    """A page was deleted and made anew under another id; the target still has the old one, which
    blocks the new one's address.
    """
    world(
        "CREATE TABLE page (id int PRIMARY KEY, slug text UNIQUE, title text);"
        "CREATE TABLE link (id int PRIMARY KEY, page int REFERENCES page);",
        source="INSERT INTO page VALUES (2, 'home', 'new'); INSERT INTO link VALUES (1, 2)",
        target="INSERT INTO page VALUES (1, 'home', 'old'); INSERT INTO link VALUES (9, 1)",
    )
    scenario.restore().prove()


COMPOSITE = """
CREATE TABLE tenant (id text PRIMARY KEY, name text);
CREATE TABLE shelf (
    tenant text REFERENCES tenant, place int, label text, PRIMARY KEY (tenant, place));
CREATE TABLE item (
    tenant text, place int, sku text, price numeric, PRIMARY KEY (tenant, place, sku),
    FOREIGN KEY (tenant, place) REFERENCES shelf);
CREATE TABLE sale (
    id int PRIMARY KEY, tenant text, place int, sku text,
    FOREIGN KEY (tenant, place, sku) REFERENCES item);
"""


@pytest.mark.guarantee("merging")
@pytest.mark.trap("U02", "U10")
def test_keys_made_of_foreign_keys_merge_level_by_level(scenario, world):
    """Two tenants are merged, and their shelves, items and sales now collide in turn; a restore
    that merges one level leaves the levels below without parents.
    """
    world(
        COMPOSITE,
        source="""
        INSERT INTO tenant VALUES ('s1', 'North'), ('s2', 'North');
        INSERT INTO shelf VALUES ('s1', 1, 'x'), ('s2', 1, 'y'), ('s2', 2, 'z');
        INSERT INTO item VALUES ('s1', 1, 'tea', 1.10), ('s2', 1, 'tea', 1.20), ('s2', 1, 'jam', 3);
        INSERT INTO sale VALUES (1, 's1', 1, 'tea'), (2, 's2', 1, 'tea'), (3, 's2', 1, 'jam');
        """,
        target="CREATE UNIQUE INDEX tenant_name ON tenant (name)",
    )
    scenario.restore().prove()


@pytest.mark.guarantee("merging", "preservation")
@pytest.mark.trap("U10", "U01")
def test_keys_made_of_foreign_keys_join_the_targets_own(scenario, world):
    """The target knows the tenant under its own id, and the ids of the rows below hold the
    tenant's id: they have to change with it, or they are orphans.
    """
    world(
        COMPOSITE + "CREATE UNIQUE INDEX tenant_name ON tenant (name);",
        source="""
        INSERT INTO tenant VALUES ('s', 'North');
        INSERT INTO shelf VALUES ('s', 1, 'new'), ('s', 2, 'z');
        INSERT INTO item VALUES ('s', 1, 'tea', 1.10); INSERT INTO sale VALUES (1, 's', 1, 'tea');
        """,
        target="""
        INSERT INTO tenant VALUES ('t', 'North');
        INSERT INTO shelf VALUES ('t', 1, 'old'), ('t', 7, 'own');
        INSERT INTO item VALUES ('t', 1, 'tea', 9), ('t', 7, 'jam', 2);
        INSERT INTO sale VALUES (9, 't', 7, 'jam');
        """,
    )
    scenario.restore().prove()


@pytest.mark.guarantee("merging")
@pytest.mark.trap("U02", "O02")
def test_tree_whose_branches_merge(scenario, world):
    """A category tree was imported twice; merging the roots makes their children duplicates, and
    so on down to leaves that then have no parent.
    """
    world(
        "CREATE TABLE node (id int PRIMARY KEY, parent int REFERENCES node, name text, note text);",
        source="""
        INSERT INTO node VALUES (1, NULL, 'food', 'a'), (2, NULL, 'food', 'b'), (3, 1, 'tea', 'c'),
            (4, 2, 'tea', 'd'), (5, 4, 'green', 'e'), (6, 3, 'green', 'f'), (7, 6, 'gone', 'g')
        """,
        target="""
        CREATE UNIQUE INDEX node_root ON node (name) WHERE parent IS NULL;
        CREATE UNIQUE INDEX node_name ON node (parent, name);
        """,
    )
    scenario.restore().prove()


@pytest.mark.guarantee("completeness", "idempotence")
@pytest.mark.trap("U10")
def test_tables_of_nothing_but_their_key(scenario, world):
    """A join table has no column to update; a generated upsert ends in SET with nothing after
    it, or names an id that the table does not have.
    """
    world(
        """
        CREATE TABLE tag (id int PRIMARY KEY, word text UNIQUE);
        CREATE TABLE known (id int PRIMARY KEY);
        CREATE TABLE tagged (
            known int REFERENCES known, tag int REFERENCES tag, PRIMARY KEY (tag, known));
        """,
        source="""
        INSERT INTO tag VALUES (1, 'new'), (2, 'sale'); INSERT INTO known VALUES (1), (2), (3);
        INSERT INTO tagged VALUES (1, 1), (1, 2), (2, 1);
        """,
        target="""
        INSERT INTO tag VALUES (7, 'sale'); INSERT INTO known VALUES (1), (9);
        INSERT INTO tagged VALUES (1, 7), (9, 7);
        """,
    )
    scenario.restore().prove()


@pytest.mark.guarantee("completeness", "idempotence")
@pytest.mark.trap("U09")
def test_tables_without_any_key(scenario, world):
    """A log without a key doubles with every load, or its equal lines are taken for one."""
    world(
        "CREATE TABLE log (at timestamptz, said json);CREATE TABLE code (code text UNIQUE, v int);",
        source="""
        INSERT INTO log VALUES ('2025-01-01Z', '1'), ('2025-01-01Z', '1'),
            ('2025-01-01Z', '1.0'), (NULL, NULL);
        INSERT INTO code VALUES ('k', 1), (NULL, 2), (NULL, 2), (NULL, 3);
        """,
        target="""
        INSERT INTO log VALUES ('2025-01-01Z', '1'), ('2024-01-01Z', '{}'), ('2024-01-01Z', '{}');
        INSERT INTO code VALUES ('k', 0), (NULL, 2);
        """,
    )
    scenario.restore().prove()


@pytest.mark.guarantee("merging", "fidelity")
@pytest.mark.trap("U14")
def test_keys_that_are_equal_and_spelled_differently(scenario, world):
    """1.10 and 1.1 are one key to the server and two to a client that compares texts; the row is
    missed, doubled or keeps the old spelling.
    """
    world(
        """
        CREATE TABLE rate (id numeric PRIMARY KEY, v int);
        CREATE TABLE word (id text PRIMARY KEY, v int);
        CREATE TABLE used (id int PRIMARY KEY, rate numeric REFERENCES rate);
        """,
        source=r"""
        INSERT INTO rate VALUES (1.10, 1), (2, 2); INSERT INTO used VALUES (1, 1.1), (2, 2.00);
        INSERT INTO word VALUES (E'caf\u00e9', 1), (E'cafe\u0301', 2);
        """,
        target="INSERT INTO rate VALUES (1.1, 0); INSERT INTO word VALUES (E'caf\\u00e9', 0)",
    )
    scenario.restore().prove()


@pytest.mark.guarantee("completeness", "preservation")
@pytest.mark.trap("U12")
def test_number_that_both_sides_gave_to_something_else(scenario, world):
    """Both shops numbered their customers from 1, and an upsert by id turns Bob into Alice,
    whose order history now holds Bob's orders.
    """
    world(
        """
        CREATE TABLE customer (id serial PRIMARY KEY, name text);
        CREATE TABLE purchase (id serial PRIMARY KEY, customer int REFERENCES customer, what text);
        """,
        source="INSERT INTO customer (name) VALUES ('Alice'); "
        "INSERT INTO purchase (customer, what) VALUES (1, 'of Alice')",
        target="INSERT INTO customer (name) VALUES ('Bob'); "
        "INSERT INTO purchase (customer, what) VALUES (1, 'of Bob'), (1, 'of Bob as well')",
    )
    scenario.restore().prove()


@pytest.mark.guarantee("merging", "idempotence")
@pytest.mark.trap("U08", "U10")
def test_one_id_twice_in_a_source_without_primary_key(scenario, world):
    """Two dumps were concatenated, or the source lost its primary key: in one batch the id that
    comes twice is an error, one by one the last of them wins, and nobody says which.
    """
    world(
        "CREATE TABLE page (id int, title text);CREATE TABLE link (id int PRIMARY KEY, page int);",
        source="""
        INSERT INTO page VALUES (1, 'first'), (2, 'alone'), (1, 'second'), (1, 'second');
        INSERT INTO link VALUES (1, 1), (2, 2);
        """,
        target="""
        ALTER TABLE page ADD PRIMARY KEY (id);
        ALTER TABLE link ADD FOREIGN KEY (page) REFERENCES page;
        """,
    )
    scenario.restore().prove()


@pytest.mark.guarantee("merging", "fidelity")
@pytest.mark.trap("U13")
def test_letters_of_a_merged_id_within_other_values(scenario, world):
    """The losing id of a merge is replaced wherever its letters are found, and so in texts,
    documents and codes in which they mean something else.
    """
    world(
        """
        CREATE TABLE biz (id text PRIMARY KEY, name text UNIQUE);
        CREATE TABLE page (
            id int PRIMARY KEY, biz text REFERENCES biz, note text, doc jsonb, codes text[]);
        CREATE TABLE place (id text PRIMARY KEY, name text);
        """,
        source="""
        INSERT INTO biz VALUES ('c1', 'Tea'), ('c12', 'Cake');
        INSERT INTO page VALUES
            (1, 'c1', 'row c1, see c12', '{"cell": "c1.c12", "c1": "key"}', '{c1-a,xc1}'),
            (2, 'c12', 'c1', NULL, '{}');
        INSERT INTO place VALUES ('c1', 'a place that happens to be called so');
        """,
        target="INSERT INTO biz VALUES ('t7', 'Tea'); INSERT INTO page VALUES (9, 't7', 'c1')",
    )
    scenario.restore().prove()


@pytest.mark.guarantee("completeness")
@pytest.mark.trap("U10")
def test_key_whose_index_was_never_built(scenario, world):
    """CREATE UNIQUE INDEX CONCURRENTLY failed, and what it left behind looks like a key and
    forbids nothing: a restore that goes by its name merges rows that are two things.
    """
    world(
        "CREATE TABLE page (id int PRIMARY KEY, slug text);"
        "CREATE TABLE link (id int PRIMARY KEY, page int REFERENCES page);",
        source="INSERT INTO page VALUES (1, 'a'), (2, 'a'), (3, 'old'), (4, 'b');"
        "INSERT INTO link VALUES (1, 1), (2, 2), (3, 3)",
        target="INSERT INTO page VALUES (7, 'old'), (8, 'x'), (9, 'x');"
        "INSERT INTO link VALUES (9, 7)",
    )
    with pytest.raises(Exception, match="could not create unique index"):  # 8 and 9 are alike
        scenario.target.execute("CREATE UNIQUE INDEX CONCURRENTLY page_slug ON page (slug)")
    scenario.restore().prove()
