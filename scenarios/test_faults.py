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
OWN = "INSERT INTO shop VALUES (900, 'of the target'); INSERT INTO item VALUES (900, 900, 'own')"


# --- on the way to the target -------------------------------------------------------------


@pytest.mark.guarantee("atomicity", "recoverability", "honesty")
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_network_failure_in_mid_transfer(scenario, shop, faults, share):
    """The network fails in the middle of the transfer, and the restore is tried again."""
    scenario.restore(fault=faults.cut(share=share)).prove()


@pytest.mark.guarantee("atomicity", "recoverability", "honesty")
def test_network_failure_in_the_middle_of_a_merge(scenario, shop, faults):
    """The network fails while the target, which holds half of the rows, is brought up to date."""
    shop.loaded_target()
    shop.older_rows(scenario.target, fraction=0.5)
    shop.duplicate_categories(scenario.source, copies=2, children_each=2)
    scenario.restore(fault=faults.cut(share=0.7)).prove()


@pytest.mark.guarantee("recoverability", "honesty")
def test_network_that_is_silent_for_a_while(scenario, world, faults):
    """Nothing passes for a moment; whether the restore waits or gives up, it says what it did."""
    world(ITEM, source=ITEMS, target=OWN)
    scenario.restore(fault=faults.stall(0.5, share=0.5)).prove()


@pytest.mark.guarantee("atomicity", "recoverability", "honesty")
def test_network_that_is_silent_and_then_gone(scenario, world, faults):
    """A firewall drops the connection without a word; the restore learns of it late."""
    world(ITEM, source=ITEMS, target=OWN)
    scenario.restore(fault=faults.stall(0.5, cut=True, share=0.8)).prove()


@pytest.mark.guarantee("atomicity", "honesty")
def test_connection_lost_before_commit(scenario, world, faults):
    """Everything was written and nothing committed when the connection ends."""
    world(ITEM, source=ITEMS, target=OWN)
    scenario.restore(fault=faults.cut(before="COMMIT")).prove()


@pytest.mark.guarantee("atomicity", "honesty", "recoverability")
def test_commit_that_is_not_answered(scenario, world, faults):
    """The server commits and its answer is lost: a report of failure sends people astray."""
    world(ITEM, source=ITEMS, target=OWN)
    scenario.restore(fault=faults.cut(answer_to="COMMIT")).prove()


@pytest.mark.guarantee("atomicity", "recoverability")
@pytest.mark.parametrize("moment", [{"share": 0.6}, {"answer_to": "COMMIT"}], ids=["rows", "end"])
def test_client_that_is_killed(scenario, world, faults, moment):
    """A job runs into its time limit and is killed without a chance to clean up."""
    world(ITEM, source=ITEMS, target=OWN)
    scenario.restore(fault=faults.kill(**moment)).prove()


@pytest.mark.guarantee("atomicity", "recoverability", "honesty")
def test_session_that_is_terminated(scenario, world, faults):
    """An administrator ends a session that holds locks for too long."""
    world(ITEM, source=ITEMS, target=OWN)
    scenario.restore(fault=faults.terminate(share=0.9)).prove()


@pytest.mark.own_servers
@pytest.mark.guarantee("atomicity", "recoverability", "honesty")
def test_server_that_crashes_and_is_back_at_once(scenario, world, faults):
    """The server is restarted in the middle; a client that simply goes on has lost its rows."""
    world(ITEM, source=ITEMS, target=OWN)
    scenario.restore(fault=faults.restart(share=0.9)).prove()


# --- in the target ------------------------------------------------------------------------


@pytest.mark.guarantee("atomicity", "recoverability", "honesty")
def test_right_that_is_withdrawn_in_the_middle(scenario, world, faults):
    """Somebody tightens the rights of the account while it restores."""
    world(ITEM + "GRANT ALL ON item TO CURRENT_USER;", source=ITEMS, target=OWN)
    withdrawn = faults.run(
        "REVOKE INSERT ON item FROM CURRENT_USER",
        "GRANT INSERT ON item TO CURRENT_USER",
        share=0.2,
    )
    scenario.restore(fault=withdrawn).prove()


@pytest.mark.guarantee("atomicity", "recoverability", "honesty")
def test_statement_that_waits_for_longer_than_it_may(scenario, world, faults):
    """A restore that sets the account's statement_timeout aside hangs behind a lock for ever."""
    world(ITEM, source=ITEMS, target=OWN)
    limited = faults.limited(scenario.target, "statement_timeout", "400ms")
    held = faults.held("LOCK TABLE item", limit="statement_timeout")
    scenario.restore(fault=faults.together(limited, held)).prove()


@pytest.mark.guarantee("atomicity", "recoverability", "honesty")
def test_disk_that_is_full(scenario, world, faults):
    """The disk of the target fills up in the middle; once there is room, it can be restored."""
    world(
        ITEM,
        source=f"{ITEMS} UPDATE item SET name = repeat(md5(id::text), 60)",  # noqa: S608
        target=OWN,
    )
    scenario.restore(fault=faults.full_disk(scenario.target, "item")).prove()


# --- on the way from the source -----------------------------------------------------------


@pytest.mark.guarantee("recoverability", "completeness")
@pytest.mark.parametrize("share", [0.5, 0.97])
def test_network_failure_in_the_middle_of_a_backup(scenario, shop, faults, share):
    """The connection to the source fails: half a backup must not pass for a whole one."""
    scenario.restore(fault=faults.cut(side="source", share=share)).prove()


@pytest.mark.guarantee("recoverability", "completeness")
def test_backup_that_is_killed(scenario, world, faults):
    """A backup is killed in the middle, and the next one is whole."""
    world(ITEM, source=ITEMS, target=OWN)
    scenario.restore(fault=faults.kill(side="source", share=0.9)).prove()


@pytest.mark.guarantee("recoverability", "completeness")
def test_backup_whose_session_is_terminated(scenario, shop, faults):
    """The source ends the session of a backup that takes too long."""
    scenario.restore(fault=faults.terminate(side="source", share=0.5)).prove()


@pytest.mark.guarantee("fidelity", "completeness", "integrity")
def test_backup_while_others_write(scenario, world, faults):
    """Parents come with children and money moves while the backup reads table after table."""
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
