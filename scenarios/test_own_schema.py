"""Tables of one's own, in the mixed states that their keys and foreign keys let them be in.

``--schema FILE|DSN`` names the tables; without it they are those of an issue tracker.
"""

import pytest


@pytest.mark.guarantee("fidelity", "completeness")
@pytest.mark.trap("F01", "F02", "F10")
def test_every_value_that_the_tables_take(scenario, own):
    """Somewhere in a real database stands every value that its types and checks let in, and the
    first rehearsal was done with three tidy rows.
    """
    own.every_value()
    scenario.restore().prove()


@pytest.mark.guarantee("ordering", "completeness")
@pytest.mark.trap("O01", "O02")
def test_rows_before_those_that_they_refer_to(scenario, own):
    """Rows were written long after what refers to them, and a load that keeps the order of the file
    fails at the first of them.
    """
    own.children_first()
    scenario.restore().prove()


@pytest.mark.guarantee("idempotence", "preservation")
@pytest.mark.trap("U09", "F04")
def test_tables_that_are_loaded_already(scenario, own):
    """The load is started once more although all rows are there, and doubles them, or changes
    every row's time of change.
    """
    own.loaded()
    scenario.restore().prove()


@pytest.mark.guarantee("preservation", "completeness")
@pytest.mark.trap("O06", "H11")
def test_rows_of_the_targets_own(scenario, own):
    """People worked with the target meanwhile; a load that empties the tables first, or replaces
    rows by delete and insert, takes their rows away.
    """
    own.rows_of_their_own()
    scenario.restore().prove()


@pytest.mark.guarantee("merging", "completeness")
@pytest.mark.trap("U02", "U05")
def test_duplicates_on_every_key(scenario, own):
    """The old database never had the unique keys of the new one; the children of all duplicates but
    one are lost, or stay with a row that is gone.
    """
    own.duplicates()
    scenario.restore().prove()


@pytest.mark.guarantee("merging", "preservation")
@pytest.mark.trap("U01")
def test_the_same_things_under_other_ids(scenario, own):
    """Both databases numbered the same things on their own; a load that goes by numbers fails on
    the first other key, or points children to strangers.
    """
    own.under_another_id()
    scenario.restore().prove()


@pytest.mark.guarantee("completeness", "honesty")
@pytest.mark.trap("O04", "H15")
def test_orphans_of_every_reference(scenario, own):
    """The old database did not enforce its references; what refers to nothing disappears on the
    way, and what depended on it as well.
    """
    own.orphans()
    scenario.restore().prove()


@pytest.mark.guarantee("completeness", "fidelity")
@pytest.mark.trap("U11", "U07")
def test_keys_that_changed_hands(scenario, own):
    """Two rows have exchanged a unique value since the target was loaded, and each stands in the
    other's way.
    """
    own.swapped()
    scenario.restore().prove()


@pytest.mark.guarantee("atomicity", "recoverability", "honesty")
@pytest.mark.trap("H06")
def test_connection_lost_in_the_middle(scenario, own, faults):
    """The connection ends in the middle of a merge, and a part of the rows is new and another part
    old from then on.
    """
    own.rows_of_their_own()
    scenario.restore(fault=faults.cut(share=0.6)).prove()
