"""Rows that an older schema left behind collide on a unique key of the target."""

import pytest

from fixtures import Generation


@pytest.mark.guarantee("merging")
def test_children_of_both_duplicates_reach_the_survivor(scenario, shop):
    shop.duplicate_categories(scenario.source, copies=2, children_each=2)
    scenario.restore().prove()


@pytest.mark.guarantee("merging")
def test_children_of_three_duplicates_reach_the_survivor(scenario, shop):
    shop.duplicate_categories(scenario.source, copies=3, children_each=2)
    scenario.restore().prove()


@pytest.mark.guarantee("merging")
def test_duplicates_below_duplicates(scenario, shop):
    shop.duplicate_categories(scenario.source, copies=3, children_each=1, nested=True)
    scenario.restore().prove()


@pytest.mark.guarantee("merging")
def test_children_that_collide_once_their_parents_are_merged(scenario, shop):
    shop.duplicate_categories(scenario.source, copies=2, children_each=2, same_slugs=True)
    scenario.restore().prove()


@pytest.mark.guarantee("merging")
def test_duplicates_of_which_the_target_has_one_already(scenario, shop):
    shop.loaded_target()
    shop.duplicate_categories(scenario.source, copies=3, children_each=2)
    shop.same_name_other_id(count=2)
    scenario.restore().prove()


@pytest.mark.guarantee("merging", "preservation")
def test_target_knows_a_category_under_another_id(scenario, shop):
    shop.same_name_other_id(count=2)
    scenario.restore().prove()


@pytest.mark.guarantee("merging")
def test_two_schema_generations_in_one_source(scenario, shop):
    shop.duplicate_categories(scenario.source, copies=2, children_each=2, nested=True)
    shop.half_migrated_rows(scenario.source, count=4)
    scenario.restore().prove()


@pytest.mark.guarantee("merging")
def test_newer_schema_generation_into_the_older_one(scenario, shop):
    shop.target(generation=Generation.LEGACY)
    shop.same_name_in_two_domains(scenario.source, count=2)
    scenario.restore().prove()
