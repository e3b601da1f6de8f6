"""Restores that must fail, must say so by name, and must leave the target as it was."""

import pytest


@pytest.mark.guarantee("completeness", "honesty")
def test_orphan_variants_are_named(scenario, shop):
    shop.orphan_variants(scenario.source, count=3)
    scenario.restore().prove()


@pytest.mark.guarantee("atomicity", "honesty")
def test_orphans_and_the_rows_that_depend_on_them(scenario, shop):
    shop.loaded_target()
    shop.older_rows(scenario.target, fraction=0.25)
    shop.orphan_variants(scenario.source, count=3, order_lines=2)
    scenario.restore().prove()


@pytest.mark.guarantee("honesty", "atomicity")
def test_rows_that_a_check_of_the_target_refuses(scenario, shop):
    scenario.target.execute(
        "ALTER TABLE orders ADD CONSTRAINT orders_total_limit CHECK (total < 0)"
    )
    scenario.restore().prove()


@pytest.mark.guarantee("honesty", "atomicity")
def test_column_that_the_target_demands_and_the_source_lacks(scenario, shop):
    scenario.target.execute('ALTER TABLE employees ADD COLUMN "badgeNumber" text NOT NULL')
    scenario.restore().prove()
