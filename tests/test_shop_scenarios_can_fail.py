"""Every scenario of the shop finds a restore that is wrong about it; no scenario is missing.

As in ``test_scenarios_can_fail.py``, which holds those that write their world in SQL.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from scenarios import (
    test_fidelity,
    test_first_load,
    test_interruption,
    test_merging,
    test_ordering,
    test_refusal,
)
from tests import test_faults_can_fail, test_scenarios_can_fail
from tests.wrong import (
    ACCEPTED,
    APART,
    DIFFERS,
    DOUBLE,
    FAILED,
    FOREIGN,
    LIE,
    LOST,
    OWN,
    REMOVED,
    SCENARIOS,
    UNNAMED,
    UNTOUCHABLE,
    Case,
    G,
    by_id,
    find,
    name_of,
    scenarios_of,
)
from verifier.config import Config, ServerKind
from verifier.servers import Pair, choose

load, merging, refusal, cut = test_first_load, test_merging, test_refusal, test_interruption
CASES = [
    # The plan of the initial load.
    Case(load.test_first_load_of_an_empty_target, "DELETE FROM order_items", G.COMPLETENESS, LOST),
    Case(
        load.test_load_again_on_a_loaded_target,
        "INSERT INTO tags (name) VALUES (clock_timestamp()::text)",
        G.IDEMPOTENCE,
        "the second restore of the same backup",
    ),
    Case(load.test_target_with_older_rows, "pg_dump", G.COMPLETENESS, FAILED),
    Case(
        load.test_target_with_rows_of_its_own,
        "DELETE FROM order_items WHERE \"productName\" = 'Only here'",
        G.PRESERVATION,
        REMOVED,
    ),
    Case(
        load.test_every_table_empty, "INSERT INTO tags (name) VALUES ('')", G.COMPLETENESS, FOREIGN
    ),
    Case(
        load.test_empty_source_leaves_a_loaded_target_alone,
        "DELETE FROM order_items",
        G.PRESERVATION,
        REMOVED,
    ),
    *(
        Case(scenario, "heedless", G.PRESERVATION, UNTOUCHABLE)
        for scenario in (
            load.test_stuck_session_of_the_source_stays_there,
            load.test_older_schema_generation_into_the_current_one,
        )
    ),
    Case(
        load.test_stuck_session_of_the_target_blocks_nothing,
        "UPDATE \"InitialLoadSessions\" SET status = 'FAILED'",
        G.PRESERVATION,
        UNTOUCHABLE,
    ),
    Case(
        load.test_first_load_of_ten_thousand_products,
        "DELETE FROM product_variants WHERE sku = 'SKU-product-10000'",
        G.COMPLETENESS,
        LOST,
    ),
    Case(load.test_demo_businesses_stay_behind, "heedless", G.COMPLETENESS, FOREIGN),
    Case(load.test_demo_business_of_the_target_stays_as_it_is, "heedless", G.PRESERVATION, OWN),
    # Merging.
    *(
        by_id(scenario, G.MERGING, DOUBLE)
        for scenario in (
            merging.test_children_of_both_duplicates_reach_the_survivor,
            merging.test_children_of_three_duplicates_reach_the_survivor,
            merging.test_duplicates_below_duplicates,
            merging.test_children_that_collide_once_their_parents_are_merged,
            merging.test_two_schema_generations_in_one_source,
            merging.test_newer_schema_generation_into_the_older_one,
        )
    ),
    *(
        by_id(scenario, G.MERGING, APART)
        for scenario in (
            merging.test_duplicates_of_which_the_target_has_one_already,
            merging.test_target_knows_a_category_under_another_id,
        )
    ),
    # Ordering.
    *(
        Case(scenario, "faulty:backup-order", G.ORDERING, "children were written before their")
        for scenario in (
            test_ordering.test_variants_before_products_in_the_backup,
            test_ordering.test_variants_before_products_and_duplicate_categories,
            test_ordering.test_source_without_any_foreign_key,
        )
    ),
    # Refusals.
    *(
        Case(scenario, "faulty:drop-orphans", G.COMPLETENESS, UNNAMED)
        for scenario in (
            refusal.test_orphan_variants_are_named,
            refusal.test_orphans_and_the_rows_that_depend_on_them,
        )
    ),
    Case(
        refusal.test_rows_that_a_check_of_the_target_refuses,
        "faulty:swallow-errors",
        G.HONESTY,
        LIE,
    ),
    Case(
        refusal.test_column_that_the_target_demands_and_the_source_lacks,
        "faulty:swallow-errors",
        G.HONESTY,
        LIE,
    ),
    # Interruptions.
    *(
        Case(scenario, "deaf", G.HONESTY, LIE)
        for scenario in (
            cut.test_server_stopped_in_the_middle,
            cut.test_server_stopped_in_the_middle_of_a_merge,
        )
    ),
    *(
        Case(cut.test_backup_cut_off_on_the_way, wrong, G.CONTAINMENT, ACCEPTED, {"share": share})
        for wrong, share in (("pg_dump", 0.0), ("deaf", 0.7))
    ),
    Case(
        cut.test_shell_command_in_the_backup,
        "pg_dump",
        G.CONTAINMENT,
        "the restore executed a shell command",
    ),
    # Fidelity.
    Case(
        test_fidelity.test_negative_zero_stays_negative,
        "UPDATE business_products SET weight = 0 WHERE weight = 0",
        G.FIDELITY,
        DIFFERS,
    ),
    Case(
        test_fidelity.test_texts_that_look_like_sql_or_like_the_backup,
        r"UPDATE domains SET name = replace(name, E'\r\n', E'\n')",
        G.FIDELITY,
        DIFFERS,
    ),
]


@pytest.mark.parametrize("case", [case for case in CASES if not case.stops], ids=str)
def test_a_wrong_restore_is_found(servers: Pair, tmp_path: Path, case: Case) -> None:
    find(servers, case, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in CASES if case.stops], ids=str)
def test_a_wrong_restore_is_found_when_the_server_stops(tmp_path: Path, case: Case) -> None:
    with choose(Config(servers=ServerKind.EMBEDDED)).start() as pair:
        find(pair, case, tmp_path)


def test_no_scenario_is_missing() -> None:
    cases = [*CASES, *test_scenarios_can_fail.CASES, *test_faults_can_fail.CASES]
    assert {name_of(case.scenario) for case in cases} == scenarios_of(SCENARIOS.glob("test_*.py"))
