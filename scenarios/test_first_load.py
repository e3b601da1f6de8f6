"""The initial-load test plan: a clean first load, a re-run, and what the target had before."""

import pytest

from fixtures import Generation


@pytest.mark.guarantee("completeness", "fidelity", "integrity")
def test_first_load_of_an_empty_target(scenario, shop):
    scenario.restore().prove()


@pytest.mark.guarantee("idempotence")
def test_load_again_on_a_loaded_target(scenario, shop):
    shop.loaded_target()
    scenario.restore().prove()


@pytest.mark.guarantee("completeness", "integrity")
def test_target_with_older_rows(scenario, shop):
    shop.loaded_target()
    shop.older_rows(scenario.target, fraction=0.5)
    scenario.restore().prove()


@pytest.mark.guarantee("preservation")
def test_target_with_rows_of_its_own(scenario, shop):
    shop.loaded_target()
    shop.older_rows(scenario.target, fraction=0.25)
    shop.foreign_rows(scenario.target, count=3)
    scenario.restore().prove()


@pytest.mark.guarantee("completeness", "integrity")
def test_every_table_empty(scenario, shop):
    shop.source(rows=0)
    scenario.restore().prove()


@pytest.mark.guarantee("preservation")
def test_empty_source_leaves_a_loaded_target_alone(scenario, shop):
    shop.source(rows=0)
    shop.loaded_target()
    scenario.restore().prove()


@pytest.mark.guarantee("preservation")
def test_stuck_session_of_the_source_stays_there(scenario, shop):
    shop.stuck_session(scenario.source)
    scenario.restore().prove()


@pytest.mark.guarantee("completeness", "preservation")
def test_stuck_session_of_the_target_blocks_nothing(scenario, shop):
    shop.loaded_target()
    shop.stuck_session(scenario.target, progress=71)
    scenario.restore().prove()


@pytest.mark.guarantee("completeness", "fidelity")
def test_older_schema_generation_into_the_current_one(scenario, shop):
    shop.source(generation=Generation.LEGACY)
    shop.half_migrated_rows(scenario.source, count=4)
    scenario.restore().prove()
