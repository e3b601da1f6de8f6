"""Restores that are cut off: by a crash of the server, or on the way to it."""

import pytest

from verifier import BackupCut, BackupPoisoned, TargetStopped


@pytest.mark.own_servers
@pytest.mark.guarantee("atomicity", "recoverability")
def test_server_stopped_in_the_middle(scenario, shop):
    """The server crashes in the middle of a first load, and is away for as long as it lasts."""
    scenario.restore(fault=TargetStopped(before_writing="product_variants")).prove()


@pytest.mark.own_servers
@pytest.mark.guarantee("atomicity", "recoverability", "merging")
def test_server_stopped_in_the_middle_of_a_merge(scenario, shop):
    """The server crashes when a part of the target's own rows has been brought up to date."""
    shop.loaded_target()
    shop.older_rows(scenario.target, fraction=0.5)
    shop.duplicate_categories(scenario.source, copies=3, children_each=2)
    scenario.restore(fault=TargetStopped(before_writing="business_products")).prove()


@pytest.mark.guarantee("containment", "honesty")
@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.95])
def test_backup_cut_off_on_the_way(scenario, shop, share):
    """An upload ends early, and what came of the file is taken for all of it."""
    scenario.restore(fault=BackupCut(keep=share)).prove()


@pytest.mark.guarantee("containment")
def test_shell_command_in_the_backup(scenario, shop):
    """Whoever can change a backup has a shell on the machine that restores it with psql."""
    scenario.restore(fault=BackupPoisoned()).prove()
