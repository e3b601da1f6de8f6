"""Restores that are cut off: by a crash of the server, or on the way to it."""

import pytest

from verifier import BackupCut, BackupPoisoned, TargetStopped


@pytest.mark.own_servers
@pytest.mark.guarantee("atomicity", "recoverability")
@pytest.mark.trap("H06", "H10")
def test_server_stopped_in_the_middle(scenario, shop):
    """The target's server goes down in the middle of the load, which stays half-done, looks
    complete, or refuses to be started again.
    """
    scenario.restore(fault=TargetStopped(before_writing="product_variants")).prove()


@pytest.mark.own_servers
@pytest.mark.guarantee("atomicity", "recoverability", "merging")
@pytest.mark.trap("H06", "H10")
def test_server_stopped_in_the_middle_of_a_merge(scenario, shop):
    """The server goes down when some categories are merged and their products not yet re-pointed;
    the next load takes the half-merged state for the truth.
    """
    shop.loaded_target()
    shop.older_rows(scenario.target, fraction=0.5)
    shop.duplicate_categories(scenario.source, copies=3, children_each=2)
    scenario.restore(fault=TargetStopped(before_writing="business_products")).prove()


@pytest.mark.guarantee("containment", "honesty")
@pytest.mark.trap("H03", "H04", "H05")
@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.95])
def test_backup_cut_off_on_the_way(scenario, shop, share):
    """The upload breaks off, and what arrived happens to end at the end of a statement: psql loads
    it and reports success with half of the rows.
    """
    scenario.restore(fault=BackupCut(keep=share)).prove()


@pytest.mark.guarantee("containment")
@pytest.mark.trap("H13")
def test_shell_command_in_the_backup(scenario, shop):
    """Somebody can write to the directory of backups, and a line that begins with a backslash and
    an exclamation mark runs on the server with the rights of the restore.
    """
    scenario.restore(fault=BackupPoisoned()).prove()
