"""The order of the backup is not the order of the foreign keys."""

import pytest


@pytest.mark.guarantee("ordering")
def test_variants_before_products_in_the_backup(scenario, shop):
    shop.variants_first(scenario.source)
    scenario.restore().prove()


@pytest.mark.guarantee("ordering", "merging")
def test_variants_before_products_and_duplicate_categories(scenario, shop):
    shop.variants_first(scenario.source)
    shop.duplicate_categories(scenario.source, copies=2, children_each=2)
    scenario.restore().prove()


@pytest.mark.guarantee("ordering")
def test_source_without_any_foreign_key(scenario, shop):
    shop.drop_foreign_keys(scenario.source)
    scenario.restore().prove()
