"""The initial-load test plan: first load, re-run, many products, demo data left out.

And what the target had before. A network that fails in mid-transfer is a fault, and stands with
the others of its kind.
"""

import pytest

from fixtures import DEMO, Generation


@pytest.mark.guarantee("completeness", "fidelity", "integrity")
@pytest.mark.trap("H15")
def test_first_load_of_an_empty_target(scenario, shop):
    """After an initial load that reported every record as transferred the branch's database was
    empty: nobody had compared the rows.
    """
    scenario.restore().prove()


@pytest.mark.guarantee("idempotence")
@pytest.mark.trap("F04", "H07")
def test_load_again_on_a_loaded_target(scenario, shop):
    """The operator presses the button again, and the second load doubles rows, fails on its own
    first load, or rewrites every row and its updatedAt.
    """
    shop.loaded_target()
    scenario.restore().prove()


@pytest.mark.guarantee("completeness", "integrity")
@pytest.mark.trap("F04", "H11")
def test_target_with_older_rows(scenario, shop):
    """The branch holds last month's prices; a load that only inserts what is missing leaves them
    there and reports success.
    """
    shop.loaded_target()
    shop.older_rows(scenario.target, fraction=0.5)
    scenario.restore().prove()


@pytest.mark.guarantee("preservation")
@pytest.mark.trap("H11")
def test_target_with_rows_of_its_own(scenario, shop):
    """What the branch sold and created on its own is deleted, overwritten or cut from its
    parents by a load that thinks it owns the database.
    """
    shop.loaded_target()
    shop.older_rows(scenario.target, fraction=0.25)
    shop.foreign_rows(scenario.target, count=3)
    scenario.restore().prove()


@pytest.mark.guarantee("completeness", "integrity")
@pytest.mark.trap("H01")
def test_every_table_empty(scenario, shop):
    """An empty source makes a restore divide by zero, fail on an empty file, or leave sequences
    in a state in which the first sale fails.
    """
    shop.source(rows=0)
    scenario.restore().prove()


@pytest.mark.guarantee("preservation")
@pytest.mark.trap("H11")
def test_empty_source_leaves_a_loaded_target_alone(scenario, shop):
    """A load from an empty source, started in the wrong direction, empties the database that was
    full.
    """
    shop.source(rows=0)
    shop.loaded_target()
    scenario.restore().prove()


@pytest.mark.guarantee("preservation")
@pytest.mark.trap("F18", "H10")
def test_stuck_session_of_the_source_stays_there(scenario, shop):
    """The source's half-finished transfer record is copied along, and the target believes that
    it is in the middle of a transfer that never ran there.
    """
    shop.stuck_session(scenario.source)
    scenario.restore().prove()


@pytest.mark.guarantee("completeness", "preservation")
@pytest.mark.trap("H10")
def test_stuck_session_of_the_target_blocks_nothing(scenario, shop):
    """A worker died at 71 % and its session stays TRANSFERRING, so that every later load is
    refused as already in progress.
    """
    shop.loaded_target()
    shop.stuck_session(scenario.target, progress=71)
    scenario.restore().prove()


@pytest.mark.guarantee("completeness", "fidelity")
@pytest.mark.trap("F15", "F18")
def test_older_schema_generation_into_the_current_one(scenario, shop):
    """The source is one migration behind; its migration records overwrite the target's, which
    then claims to lack an index that it has.
    """
    shop.source(generation=Generation.LEGACY)
    shop.half_migrated_rows(scenario.source, count=4)
    scenario.restore().prove()


@pytest.mark.slow
@pytest.mark.guarantee("completeness", "fidelity", "idempotence")
@pytest.mark.trap("H15", "F04")
def test_first_load_of_ten_thousand_products(scenario, shop):
    """One HTTP request for each record took two hours for a thousand of them, and was cut off
    by a restart of the service long before the last of ten thousand products.
    """
    shop.more_products(scenario.source, count=10_000)
    scenario.restore().prove()


@pytest.mark.guarantee("completeness")
@pytest.mark.trap("F18")
def test_demo_businesses_stay_behind(scenario, shop):
    """The demo business, its goods and its staff turn up in the real shop's reports, because
    the load moved every row; or its goods come without their business and nothing loads at all.
    """
    shop.demo_business(scenario.source)
    scenario.leave_out("businesses", DEMO)
    scenario.restore().prove()


@pytest.mark.guarantee("preservation", "completeness")
@pytest.mark.trap("F18", "H11")
def test_demo_business_of_the_target_stays_as_it_is(scenario, shop):
    """Both sides have the demo business under one id; the one that people train on at the
    branch is overwritten by the one of the head office.
    """
    shop.loaded_target()
    shop.older_rows(scenario.target, fraction=0.5)
    shop.demo_business(scenario.source, name="Demo of the head office")
    shop.demo_business(scenario.target, name="Demo of the branch")
    scenario.leave_out("businesses", DEMO)
    scenario.restore().prove()
