"""Rows that an older schema left behind collide on a unique key of the target."""

import pytest

from fixtures import Generation


@pytest.mark.guarantee("merging")
@pytest.mark.trap("U01", "U02")
def test_children_of_both_duplicates_reach_the_survivor(scenario, shop):
    """The old key let a category in twice; an upsert by id dies on the new key, and one by name
    leaves the second one's products without a category.
    """
    shop.duplicate_categories(scenario.source, copies=2, children_each=2)
    scenario.restore().prove()


@pytest.mark.guarantee("merging")
@pytest.mark.trap("U02")
def test_children_of_three_duplicates_reach_the_survivor(scenario, shop):
    """A seeding script ran three times; a fix that was made for pairs loses the products of the
    third category.
    """
    shop.duplicate_categories(scenario.source, copies=3, children_each=2)
    scenario.restore().prove()


@pytest.mark.guarantee("merging")
@pytest.mark.trap("U02")
def test_duplicates_below_duplicates(scenario, shop):
    """Sub-categories of duplicated categories are duplicates themselves as soon as their parents
    are merged, and only then.
    """
    shop.duplicate_categories(scenario.source, copies=3, children_each=1, nested=True)
    scenario.restore().prove()


@pytest.mark.guarantee("merging")
@pytest.mark.trap("U02", "U08")
def test_children_that_collide_once_their_parents_are_merged(scenario, shop):
    """Products of two merged categories share their address; re-pointing them violates the next
    unique key, one level further down.
    """
    shop.duplicate_categories(scenario.source, copies=2, children_each=2, same_slugs=True)
    scenario.restore().prove()


@pytest.mark.guarantee("merging")
@pytest.mark.trap("U01", "U02", "U08")
def test_duplicates_of_which_the_target_has_one_already(scenario, shop):
    """The target already has one of three duplicates under an id of its own; the batch's size
    decides which one survives, and children point to a row that was never written.
    """
    shop.loaded_target()
    shop.duplicate_categories(scenario.source, copies=3, children_each=2)
    shop.same_name_other_id(count=2)
    scenario.restore().prove()


@pytest.mark.guarantee("merging", "preservation")
@pytest.mark.trap("U01", "U03")
def test_target_knows_a_category_under_another_id(scenario, shop):
    """A branch created the same category itself; the load overwrites its id, and the branch's
    own products lose their category.
    """
    shop.same_name_other_id(count=2)
    scenario.restore().prove()


@pytest.mark.guarantee("merging")
@pytest.mark.trap("U02", "F15")
def test_two_schema_generations_in_one_source(scenario, shop):
    """A migration stopped half-way, so that rows of the old and of the new shape stand in one
    table, and a restore knows only one of them.
    """
    shop.duplicate_categories(scenario.source, copies=2, children_each=2, nested=True)
    shop.half_migrated_rows(scenario.source, count=4)
    scenario.restore().prove()


@pytest.mark.guarantee("merging")
@pytest.mark.trap("U01", "F15")
def test_newer_schema_generation_into_the_older_one(scenario, shop):
    """The target's older key forbids what the source's newer one allows; a restore that reads
    the source's keys loses products or fails without saying why.
    """
    shop.target(generation=Generation.LEGACY)
    shop.same_name_in_two_domains(scenario.source, count=2)
    scenario.restore().prove()
