"""Restores and backups that something happens to on the way, and the next attempt."""

import pytest

ITEM = """
CREATE TABLE shop (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE item (id int PRIMARY KEY, shop_id int NOT NULL REFERENCES shop, name text);
"""
ITEMS = """
INSERT INTO shop SELECT g, 'shop ' || g FROM generate_series(1, 20) g;
INSERT INTO item SELECT g, 1 + g % 20, 'item ' || g FROM generate_series(1, 400) g;
"""
RELOADED = "CREATE TEMP TABLE held AS TABLE item; TRUNCATE item; INSERT INTO item TABLE held"
OWN = "INSERT INTO shop VALUES (900, 'of the target'); INSERT INTO item VALUES (900, 900, 'own')"


# --- on the way to the target -------------------------------------------------------------


@pytest.mark.guarantee("atomicity", "recoverability", "honesty")
@pytest.mark.trap("H06")
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_network_failure_in_mid_transfer(scenario, shop, faults, share):
    """The network failed in the middle of the transfer; what had been written stayed, and the next
    attempt ran into it.
    """
    scenario.restore(fault=faults.cut(share=share)).prove()


@pytest.mark.guarantee("atomicity", "recoverability", "honesty")
@pytest.mark.trap("H06")
def test_network_failure_in_the_middle_of_a_merge(scenario, shop, faults):
    """The network fails while half of the rows are being brought up to date, and the branch is left
    with prices of two days.
    """
    shop.loaded_target()
    shop.older_rows(scenario.target, fraction=0.5)
    shop.duplicate_categories(scenario.source, copies=2, children_each=2)
    scenario.restore(fault=faults.cut(share=0.7)).prove()


@pytest.mark.guarantee("recoverability", "honesty")
@pytest.mark.trap("H06")
def test_network_that_is_silent_for_a_while(scenario, world, faults):
    """Nothing passes for a moment; a job that gives up waiting tells what it expects of the restore
    and not what came of it.
    """
    world(ITEM, source=ITEMS, target=OWN)
    scenario.restore(fault=faults.stall(0.5, share=0.5)).prove()


@pytest.mark.guarantee("atomicity", "recoverability", "honesty")
@pytest.mark.trap("H06")
def test_network_that_is_silent_and_then_gone(scenario, world, faults):
    """A firewall drops the connection without a word; the restore learns of it late, and takes the
    silence for the end of its work.
    """
    world(ITEM, source=ITEMS, target=OWN)
    scenario.restore(fault=faults.stall(0.5, cut=True, share=0.8)).prove()


@pytest.mark.guarantee("atomicity", "honesty")
@pytest.mark.trap("H02", "H06")
def test_connection_lost_before_commit(scenario, world, faults):
    """Everything was written and nothing committed when the connection ends: all that was counted
    on the way says success, and nothing is there.
    """
    world(ITEM, source=ITEMS, target=OWN)
    scenario.restore(fault=faults.cut(before="COMMIT")).prove()


@pytest.mark.guarantee("atomicity", "honesty", "recoverability")
@pytest.mark.trap("H06")
def test_commit_that_is_not_answered(scenario, world, faults):
    """The server commits and its answer is lost: a report of failure sends people astray."""
    world(ITEM, source=ITEMS, target=OWN)
    scenario.restore(fault=faults.cut(answer_to="COMMIT")).prove()


@pytest.mark.guarantee("atomicity", "recoverability")
@pytest.mark.trap("H06", "H10")
@pytest.mark.parametrize("moment", [{"share": 0.6}, {"answer_to": "COMMIT"}], ids=["rows", "end"])
def test_client_that_is_killed(scenario, world, faults, moment):
    """A job runs into its time limit and is killed without a chance to clean up, and what it left
    stands in the way of the next one.
    """
    world(ITEM, source=ITEMS, target=OWN)
    scenario.restore(fault=faults.kill(**moment)).prove()


@pytest.mark.guarantee("atomicity", "recoverability", "honesty")
@pytest.mark.trap("H06")
def test_session_that_is_terminated(scenario, world, faults):
    """An administrator ends a session that holds locks for too long; a client that connects again
    and goes on has lost what it had written until then.
    """
    world(ITEM, source=ITEMS, target=OWN)
    scenario.restore(fault=faults.terminate(share=0.9)).prove()


@pytest.mark.own_servers
@pytest.mark.guarantee("atomicity", "recoverability", "honesty")
@pytest.mark.trap("H06")
def test_server_that_crashes_and_is_back_at_once(scenario, world, faults):
    """The server crashes and is back at once; a client that simply goes on has lost its rows."""
    world(ITEM, source=ITEMS, target=OWN)
    scenario.restore(fault=faults.restart(share=0.9)).prove()


# --- in the target ------------------------------------------------------------------------


@pytest.mark.guarantee("atomicity", "recoverability", "honesty")
@pytest.mark.trap("H14")
def test_right_that_is_withdrawn_in_the_middle(scenario, world, faults):
    """Somebody tightens the rights of the account while it restores, and the tables that it was
    still allowed to write stay written.
    """
    world(ITEM + "GRANT ALL ON item TO CURRENT_USER;", source=ITEMS, target=OWN)
    withdrawn = faults.run(
        "REVOKE INSERT ON item FROM CURRENT_USER",
        "GRANT INSERT ON item TO CURRENT_USER",
        share=0.2,
    )
    scenario.restore(fault=withdrawn).prove()


@pytest.mark.guarantee("atomicity", "recoverability", "honesty")
@pytest.mark.trap("H08", "H09")
def test_statement_that_waits_for_longer_than_it_may(scenario, world, faults):
    """A restore that sets the account's statement_timeout aside hangs behind a lock for ever."""
    world(ITEM, source=ITEMS, target=OWN)
    limited = faults.limited(scenario.target, "statement_timeout", "400ms")
    held = faults.held("LOCK TABLE item", limit="statement_timeout")
    scenario.restore(fault=faults.together(limited, held)).prove()


@pytest.mark.guarantee("atomicity", "recoverability", "honesty")
@pytest.mark.trap("H07")
def test_disk_that_is_full(scenario, world, faults):
    """The disk of the target fills up in the middle; a part of the rows stays, and the next attempt
    needs the space again.
    """
    world(
        ITEM,
        source=f"{ITEMS} UPDATE item SET name = repeat(md5(id::text), 60)",  # noqa: S608
        target=OWN,
    )
    scenario.restore(fault=faults.full_disk(scenario.target, "item")).prove()


# --- on the way from the source -----------------------------------------------------------


@pytest.mark.guarantee("recoverability", "completeness")
@pytest.mark.trap("H03", "H04", "H06")
@pytest.mark.parametrize("share", [0.5, 0.97])
def test_network_failure_in_the_middle_of_a_backup(scenario, shop, faults, share):
    """The connection to the source fails, and half a backup passes for a whole one."""
    scenario.restore(fault=faults.cut(side="source", share=share)).prove()


@pytest.mark.guarantee("recoverability", "completeness")
@pytest.mark.trap("H06", "H10")
def test_backup_that_is_killed(scenario, world, faults):
    """A backup is killed in the middle, and its lock refuses every one that comes after it."""
    world(ITEM, source=ITEMS, target=OWN)
    scenario.restore(fault=faults.kill(side="source", share=0.9)).prove()


@pytest.mark.guarantee("recoverability", "completeness")
@pytest.mark.trap("H03", "H04", "H06")
def test_backup_whose_session_is_terminated(scenario, shop, faults):
    """The source ends the session of a backup that takes too long; what was written until then is
    kept as last night's backup.
    """
    scenario.restore(fault=faults.terminate(side="source", share=0.5)).prove()


@pytest.mark.guarantee("fidelity", "completeness", "integrity")
@pytest.mark.trap("S01")
def test_backup_while_others_write(scenario, world, faults):
    """Parents come with children and money moves while the backup reads table after table: what it
    holds was never so at any one time.
    """
    world(
        """
        CREATE TABLE account (id int PRIMARY KEY, balance int NOT NULL);
        CREATE TABLE payment (id int PRIMARY KEY, amount int NOT NULL);
        CREATE TABLE booking (
          id int PRIMARY KEY, payment_id int NOT NULL REFERENCES payment, account_id int NOT NULL);
        """,
        source="INSERT INTO account VALUES (1, 1000), (2, 1000)",
    )
    writing = faults.writing(
        """
        INSERT INTO payment VALUES ({n}, 1);
        INSERT INTO booking VALUES ({n}, {n}, 1);
        UPDATE account SET balance = balance - 1 WHERE id = 1;
        UPDATE account SET balance = balance + 1 WHERE id = 2
        """,
        reached="SELECT count(*) FROM payment",
    )
    scenario.restore(fault=writing).prove()


@pytest.mark.guarantee("completeness", "recoverability")
@pytest.mark.trap("S02")
@pytest.mark.parametrize(
    "migration", ["ALTER TABLE item ALTER price TYPE bigint", RELOADED], ids=["type", "truncate"]
)
def test_migration_that_commits_while_the_backup_waits(scenario, world, faults, migration):
    """A migration rewrites a table while pg_dump waits for it: to pg_dump's snapshot the table is
    empty then, and the dump ends well and without its rows.
    """
    world(
        """
        CREATE TABLE shop (id int PRIMARY KEY, name text NOT NULL);
        CREATE TABLE item (id int PRIMARY KEY, shop_id int NOT NULL REFERENCES shop, price int);
        """,
        source="INSERT INTO shop VALUES (1, 'tea'), (2, 'cake');"
        "INSERT INTO item SELECT g, 1 + g % 2, g FROM generate_series(1, 50) g",
        target="ALTER TABLE item ALTER price TYPE bigint;"
        "INSERT INTO shop VALUES (900, 'of the target'); INSERT INTO item VALUES (900, 900, 9)",
    )
    scenario.restore(fault=faults.migrating(migration)).prove()
