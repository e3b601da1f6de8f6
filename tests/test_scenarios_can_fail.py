"""Every scenario that writes its world in SQL finds a restore that is wrong about that world.

Each is run as it stands, on real servers, with a restore that is wrong: one of the
implementations that are in use, or the built-in one followed by the statement that a wrong
one would have come to. The guarantee has to be found broken, in the words that name the cause.
Those of the shop are in ``test_shop_scenarios_can_fail.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scenarios import (
    test_contested,
    test_exclusion,
    test_fidelity,
    test_found,
    test_keys,
    test_large_objects,
    test_ordering,
    test_own_schema,
    test_partitions,
    test_refusal,
    test_structure,
    test_triggers,
)
from tests.wrong import (
    APART,
    CHANGED,
    DIFFERS,
    DOUBLE,
    FAILED,
    FOREIGN,
    LIE,
    LOST,
    OWN,
    REMOVED,
    SCHEMA,
    UNNAMED,
    UNTOUCHABLE,
    Case,
    G,
    by_id,
    find,
)
from verifier.config import Config, ServerKind
from verifier.servers import Pair, choose

keys, values, tables, refusal = test_keys, test_fidelity, test_structure, test_refusal
own = test_own_schema
CASES = [
    # What was found.
    by_id(test_found.test_code_that_somebody_elses_row_would_lose, G.PRESERVATION, OWN),
    Case(test_found.test_survivor_without_what_it_is_referred_to_by, "deaf", G.HONESTY, LIE),
    Case(test_found.test_duplicate_below_its_duplicate, "deaf", G.HONESTY, LIE),
    by_id(test_found.test_two_references_over_one_column, G.MERGING, APART),
    Case(
        test_found.test_keys_that_a_cast_spells_otherwise,
        "faulty:drop-orphans",
        G.COMPLETENESS,
        UNNAMED,
    ),
    by_id(test_found.test_duplicates_of_a_row_that_takes_over_a_key, G.MERGING, DOUBLE),
    Case(
        test_found.test_branches_of_a_tree_that_follow_what_the_tree_stands_on,
        "UPDATE place SET above = 3 WHERE no = 1",
        G.FIDELITY,
        DIFFERS,
    ),
    by_id(test_found.test_key_that_is_equal_and_spelled_otherwise, G.HONESTY, LIE),
    Case(test_found.test_reference_that_another_one_moves_to_somebody_else, "deaf", G.HONESTY, LIE),
    by_id(test_found.test_key_that_is_free_once_the_parents_have_merged, G.MERGING, APART),
    Case(
        test_found.test_orphan_that_another_row_takes_the_name_of,
        "faulty:drop-orphans",
        G.COMPLETENESS,
        UNNAMED,
    ),
    Case(test_found.test_key_taken_over_under_which_another_row_collides, "deaf", G.HONESTY, LIE),
    # Uniqueness and merging.
    by_id(keys.test_rows_known_by_different_ones_of_several_keys, G.MERGING, APART),
    by_id(keys.test_deleted_rows_are_outside_of_a_partial_key, G.MERGING, APART),
    by_id(keys.test_spellings_that_an_expression_makes_one, G.MERGING, DOUBLE),
    Case(
        keys.test_nulls_that_a_key_takes_for_different,
        "DELETE FROM item WHERE id = 2",
        G.COMPLETENESS,
        LOST,
    ),
    by_id(keys.test_nulls_that_a_key_takes_for_equal, G.MERGING, DOUBLE),
    *(
        by_id(keys.test_values_passed_from_row_to_row, G.COMPLETENESS, FAILED, when=when)
        for when in ("", "DEFERRABLE")
    ),
    Case(
        keys.test_values_passed_from_row_to_row,
        "UPDATE task SET position = position + 10 WHERE id = 1",
        G.FIDELITY,
        DIFFERS,
        {"when": "DEFERRABLE INITIALLY DEFERRED"},
    ),
    by_id(keys.test_primary_key_that_is_checked_at_the_end, G.COMPLETENESS, FAILED),
    by_id(keys.test_row_that_was_made_anew_under_another_id, G.MERGING, APART),
    by_id(keys.test_keys_made_of_foreign_keys_merge_level_by_level, G.MERGING, DOUBLE),
    by_id(keys.test_keys_made_of_foreign_keys_join_the_targets_own, G.MERGING, APART),
    by_id(keys.test_tree_whose_branches_merge, G.MERGING, DOUBLE),
    Case(
        keys.test_key_whose_index_was_never_built,
        "UPDATE link SET page = 2; DELETE FROM page WHERE id = 1",
        G.COMPLETENESS,
        LOST,
    ),
    by_id(keys.test_tables_of_nothing_but_their_key, G.MERGING, APART),
    Case(
        keys.test_tables_without_any_key,
        "INSERT INTO log VALUES ('2025-01-01Z', '1')",
        G.COMPLETENESS,
        "rows of a table without key are there too often",
    ),
    Case(
        keys.test_keys_that_are_equal_and_spelled_differently,
        "UPDATE rate SET id = 1.1 WHERE id = 1.10",
        G.FIDELITY,
        DIFFERS,
    ),
    Case(
        keys.test_number_that_both_sides_gave_to_something_else,
        "UPDATE purchase SET what = 'of Alice' WHERE id = 2",
        G.PRESERVATION,
        OWN,
    ),
    *(
        Case(
            test_contested.test_two_rows_that_collide_with_one_by_two_keys,
            "DELETE FROM price WHERE code = 'x'",
            G.COMPLETENESS,
            title,
            {"null": null},
        )
        for null, title in (("", "rows of a table without key are missing"), ("NOT NULL", LOST))
    ),
    by_id(
        test_contested.test_two_rows_with_children_that_collide_with_one_by_two_keys,
        G.MERGING,
        APART,
    ),
    Case(
        test_contested.test_parent_that_only_the_target_has_and_that_is_overwritten,
        "faulty:drop-orphans",
        G.COMPLETENESS,
        UNNAMED,
    ),
    Case(
        test_exclusion.test_bookings_that_move_over_each_other,
        "faulty:upsert-by-id",
        G.COMPLETENESS,
        FAILED,
    ),
    Case(
        test_exclusion.test_booking_that_overlaps_one_that_stays,
        "faulty:swallow-errors",
        G.COMPLETENESS,
        UNNAMED,
    ),
    Case(
        test_exclusion.test_bookings_that_overlap_each_other,
        "faulty:swallow-errors",
        G.COMPLETENESS,
        UNNAMED,
    ),
    # Ordering.
    Case(
        test_ordering.test_tree_whose_children_have_smaller_numbers,
        "faulty:backup-order",
        G.COMPLETENESS,
        FAILED,
    ),
    *(
        by_id(
            test_ordering.test_tables_that_refer_to_each_other,
            G.COMPLETENESS,
            FAILED,
            boss=boss,
            when=when,
        )
        for boss in ("int", "int NOT NULL")
        for when in ("", "DEFERRABLE", "DEFERRABLE INITIALLY DEFERRED")
    ),
    by_id(test_ordering.test_rows_of_a_cycle_that_merge, G.MERGING, DOUBLE),
    # Fidelity.
    Case(
        values.test_numbers_to_their_last_digit,
        "UPDATE n SET d = 0.3 WHERE id = 3",
        G.FIDELITY,
        DIFFERS,
    ),
    Case(
        values.test_moments_at_the_ends_of_time,
        "UPDATE t SET z = date_trunc('milliseconds', z) WHERE id = 5",
        G.FIDELITY,
        DIFFERS,
    ),
    Case(
        values.test_documents_keep_their_text,
        "UPDATE doc SET j = j::jsonb::json WHERE id = 1",
        G.FIDELITY,
        DIFFERS,
    ),
    Case(
        values.test_values_that_hold_values,
        "UPDATE v SET texts = string_to_array(array_to_string(texts, ','), ',') WHERE id = 2",
        G.FIDELITY,
        DIFFERS,
    ),
    Case(
        values.test_settings_that_change_how_values_are_written,
        "UPDATE t SET d = '2024-04-03'",
        G.FIDELITY,
        DIFFERS,
    ),
    *(
        Case(
            values.test_backslashes_where_they_once_were_escapes,
            "UPDATE t SET v = replace(v, chr(92), repeat(chr(92), 2)) WHERE id = 1",
            G.FIDELITY,
            DIFFERS,
            {"side": side},
        )
        for side in ("source", "target")
    ),
    Case(
        values.test_source_in_another_encoding,
        """UPDATE "menü" SET price = convert_from(convert_to(price, 'UTF8'), 'LATIN1')""",
        G.FIDELITY,
        DIFFERS,
    ),
    Case(
        values.test_names_that_need_quotes,
        'INSERT INTO businessproducts SELECT id + 5, "order" FROM "businessProducts"',
        G.COMPLETENESS,
        FOREIGN,
    ),
    Case(
        values.test_one_table_name_in_several_schemas,
        "UPDATE other.p SET id = 2",
        G.PRESERVATION,
        UNTOUCHABLE,
    ),
    Case(
        values.test_columns_in_another_order,
        "UPDATE person SET first = last, last = first",
        G.FIDELITY,
        DIFFERS,
    ),
    Case(
        values.test_lines_that_a_converter_would_take_for_its_own,
        r"UPDATE l SET t = replace(t, E'\r\n', E'\n')",
        G.FIDELITY,
        DIFFERS,
    ),
    # Tables that are more than rows.
    Case(
        tables.test_tables_that_inherit,
        "INSERT INTO place SELECT id + 10, name FROM city",
        G.COMPLETENESS,
        FOREIGN,
    ),
    Case(
        tables.test_numbers_and_values_that_the_server_makes,
        "ALTER SEQUENCE bill_id_seq RESTART WITH 2",
        G.INTEGRITY,
        "sequence public.bill_id_seq is behind its column: the next INSERT will fail",
    ),
    Case(
        tables.test_sequences_never_go_back,
        "SELECT setval('bill_id_seq', 3)",
        G.INTEGRITY,
        "sequence public.bill_id_seq is behind its column: the next INSERT will fail",
    ),
    Case(
        tables.test_rows_of_the_target_below_a_row_that_changes,
        "DELETE FROM gone",
        G.PRESERVATION,
        REMOVED,
    ),
    Case(
        tables.test_policies_that_hide_rows_from_others_than_the_owner,
        "DELETE FROM page WHERE owner = 'ann'",
        G.COMPLETENESS,
        LOST,
    ),
    Case(tables.test_views_stay_as_they_were, "DROP VIEW titles", G.INTEGRITY, SCHEMA),
    Case(
        test_partitions.test_partitions,
        "UPDATE event SET v = 7 WHERE id = 1",
        G.FIDELITY,
        DIFFERS,
    ),
    Case(
        test_partitions.test_partitions_that_are_cut_otherwise,
        "faulty:upsert-by-id",
        G.COMPLETENESS,
        FAILED,
    ),
    Case(
        test_partitions.test_row_that_moved_to_another_partition,
        "DELETE FROM event WHERE region = 'eu'",
        G.PRESERVATION,
        REMOVED,
    ),
    by_id(test_partitions.test_references_to_one_partition_by_itself, G.MERGING, DOUBLE),
    Case(
        test_partitions.test_parent_that_goes_to_another_partition,
        "faulty:swallow-errors",
        G.COMPLETENESS,
        UNNAMED,
    ),
    by_id(test_triggers.test_trigger_that_touches_the_time_of_the_last_change, G.FIDELITY, DIFFERS),
    by_id(test_triggers.test_trigger_that_keeps_a_record_of_changes, G.COMPLETENESS, FAILED),
    Case(
        test_triggers.test_triggers_that_are_off_or_always_on_stay_so,
        "ALTER TABLE page DISABLE TRIGGER USER; ALTER TABLE page ENABLE TRIGGER USER",
        G.INTEGRITY,
        SCHEMA,
    ),
    Case(
        test_large_objects.test_documents_come_with_the_rows_that_hold_their_numbers,
        "SELECT lo_unlink(4712)",
        G.COMPLETENESS,
        "a large object of the source is missing",
    ),
    Case(
        test_large_objects.test_documents_of_rows_that_are_refused_do_not_stay,
        "SELECT lo_from_bytea(4711, 'new')",
        G.ATOMICITY,
        CHANGED,
    ),
    # Refusals.
    Case(
        refusal.test_row_that_is_two_rows_of_the_target_by_two_keys,
        "faulty:swallow-errors",
        G.COMPLETENESS,
        UNNAMED,
    ),
    Case(
        refusal.test_values_that_a_stricter_table_refuses,
        "faulty:swallow-errors",
        G.COMPLETENESS,
        UNNAMED,
    ),
    Case(
        refusal.test_values_that_a_type_of_the_target_refuses,
        "faulty:swallow-errors",
        G.COMPLETENESS,
        UNNAMED,
    ),
    *(
        Case(
            refusal.test_structure_that_the_target_lacks,
            "INSERT INTO t VALUES (1)",
            G.ATOMICITY,
            CHANGED,
            {"change": change},
        )
        for change in (
            "DROP TABLE IF EXISTS gone",
            "ALTER TABLE gone DROP COLUMN v",
            "ALTER TABLE gone RENAME v TO w",
            "ALTER TABLE gone RENAME TO other",
        )
    ),
    Case(
        refusal.test_policies_that_bind_the_owner_as_well,
        "faulty:swallow-errors",
        G.HONESTY,
        LIE,
    ),
    *(
        Case(
            refusal.test_right_that_the_account_lacks,
            "faulty:swallow-errors",
            G.HONESTY,
            LIE,
            {"right": right},
        )
        for right in ("INSERT", "UPDATE", "SELECT")
    ),
    Case(
        refusal.test_target_that_is_read_only,
        "faulty:swallow-errors",
        G.HONESTY,
        LIE,
    ),
    *(
        Case(
            scenario,
            "pg_dump",
            G.RECOVERABILITY,
            "the restore waited for a lock beyond the lock_timeout of its account",
        )
        for scenario in (
            refusal.test_table_that_somebody_else_has_locked,
            refusal.test_row_that_somebody_else_is_changing,
        )
    ),
    # Tables of somebody's own.
    Case(
        own.test_every_value_that_the_tables_take,
        "UPDATE users SET full_name = NULL WHERE full_name = ''",
        G.FIDELITY,
        DIFFERS,
    ),
    Case(
        own.test_rows_before_those_that_they_refer_to,
        "faulty:backup-order",
        G.COMPLETENESS,
        FAILED,
    ),
    Case(
        own.test_tables_that_are_loaded_already,
        "INSERT INTO comments SELECT nextval('comments_id_seq'), subject_type, subject_id,"
        " author_id, body, created_at FROM comments",
        G.IDEMPOTENCE,
        "the second restore of the same backup",
    ),
    Case(own.test_rows_of_the_targets_own, "DELETE FROM watchers", G.PRESERVATION, REMOVED),
    by_id(own.test_duplicates_on_every_key, G.MERGING, DOUBLE),
    by_id(own.test_the_same_things_under_other_ids, G.MERGING, APART),
    Case(own.test_orphans_of_every_reference, "faulty:swallow-errors", G.COMPLETENESS, UNNAMED),
    by_id(own.test_keys_that_changed_hands, G.COMPLETENESS, FAILED),
    # The same, of what came later.
    Case(
        keys.test_one_id_twice_in_a_source_without_primary_key,
        "UPDATE page SET title = 'first and second' WHERE id = 1",
        G.FIDELITY,
        DIFFERS,
    ),
    Case(
        keys.test_letters_of_a_merged_id_within_other_values,
        "UPDATE page SET note = replace(note, 'c1', 't7')",
        G.FIDELITY,
        DIFFERS,
    ),
    Case(
        test_exclusion.test_prices_whose_periods_overlap_one_that_stays,
        "faulty:swallow-errors",
        G.COMPLETENESS,
        UNNAMED,
    ),
    by_id(test_exclusion.test_prices_by_period, G.COMPLETENESS, FAILED),
    by_id(test_triggers.test_trigger_that_drops_rows, G.COMPLETENESS, LOST),
    by_id(test_triggers.test_trigger_that_counts_the_rows_below, G.FIDELITY, DIFFERS),
    Case(
        tables.test_tables_of_unusual_kinds,
        "INSERT INTO mark DEFAULT VALUES",
        G.COMPLETENESS,
        "rows of a table without key are there too often",
    ),
    Case(
        tables.test_values_that_are_computed_when_they_are_read,
        "UPDATE bill SET net = 1.2 WHERE id = 1",
        G.FIDELITY,
        DIFFERS,
    ),
    *(
        Case(scenario, "faulty:swallow-errors", G.COMPLETENESS, UNNAMED)
        for scenario in (
            refusal.test_orphan_that_the_source_tolerates,
            refusal.test_rules_that_the_source_does_not_enforce,
        )
    ),
    *(
        Case(
            refusal.test_one_row_of_a_thousand_that_is_refused,
            "faulty:swallow-errors",
            G.HONESTY,
            LIE,
            {"bad": bad},
        )
        for bad in (1, 500, 1000)
    ),
    Case(refusal.test_reference_that_is_only_checked_at_commit, "deaf", G.HONESTY, LIE),
    Case(
        refusal.test_sequences_of_a_load_that_is_refused,
        "SELECT setval('bill_id_seq', 3)",
        G.ATOMICITY,
        CHANGED,
    ),
    Case(
        refusal.test_trailing_spaces_that_the_target_has_no_room_for,
        "pg_dump",
        G.COMPLETENESS,
        UNNAMED,
    ),
]


@pytest.fixture(scope="module")
def newest() -> Iterator[Pair]:
    """PostgreSQL 18 on both sides, for the scenarios that need it."""
    config = Config(servers=ServerKind.EMBEDDED, source_version=18, target_version=18)
    with choose(config).start() as pair:
        yield pair


@pytest.mark.parametrize("case", [case for case in CASES if case.since < 18], ids=str)
def test_a_wrong_restore_is_found(servers: Pair, tmp_path: Path, case: Case) -> None:
    find(servers, case, tmp_path)


@pytest.mark.parametrize("case", [case for case in CASES if case.since >= 18], ids=str)
def test_a_wrong_restore_is_found_on_18(newest: Pair, tmp_path: Path, case: Case) -> None:
    find(newest, case, tmp_path)
